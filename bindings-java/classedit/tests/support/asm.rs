//! Class files made by hand, and a reader for what became of them. Written apart from the editor's own.

use std::collections::BTreeMap;

/// A Code attribute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Code {
    pub stack: u16,
    pub locals: u16,
    pub bytes: Vec<u8>,
    pub handlers: Vec<[u16; 4]>,
    pub attributes: Vec<(String, Vec<u8>)>,
}

impl Code {
    pub fn new(stack: u16, locals: u16, bytes: &[u8]) -> Self {
        Self { stack, locals, bytes: bytes.to_vec(), ..Self::default() }
    }

    pub fn handler(mut self, row: [u16; 4]) -> Self {
        self.handlers.push(row);
        self
    }

    pub fn attribute(mut self, name: &str, words: &[u8]) -> Self {
        self.attributes.push((name.to_owned(), words.to_vec()));
        self
    }

    /// An attribute's content.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.attributes.iter().find(|a| a.0 == name).map(|a| a.1.as_slice())
    }
}

/// Puts a class together.
pub struct Asm {
    head: Vec<u8>,
    pool: Vec<u8>,
    /// The next free index.
    pub count: u16,
    this: u16,
    methods: Vec<u8>,
    method_count: u16,
}

pub const STATIC: u16 = 8;

impl Asm {
    pub fn new(name: &str, major: u16) -> Self {
        let mut head = vec![0xCA, 0xFE, 0xBA, 0xBE, 0, 0];
        head.extend(major.to_be_bytes());
        let mut asm = Self { head, pool: vec![], count: 1, this: 0, methods: vec![], method_count: 0 };
        asm.this = asm.class(name.as_bytes());
        asm
    }

    pub fn utf8(&mut self, text: &[u8]) -> u16 {
        self.pool.push(1);
        self.pool.extend((text.len() as u16).to_be_bytes());
        self.pool.extend(text);
        self.count += 1;
        self.count - 1
    }

    pub fn class(&mut self, name: &[u8]) -> u16 {
        let name = self.utf8(name);
        self.pool.push(7);
        self.pool.extend(name.to_be_bytes());
        self.count += 1;
        self.count - 1
    }

    /// A long constant: takes two indices.
    pub fn long(&mut self) {
        self.pool.extend([5, 0, 0, 0, 0, 0, 0, 0, 1]);
        self.count += 2;
    }

    pub fn method(mut self, access: u16, name: &str, descriptor: &str, code: Option<Code>) -> Self {
        let body = code.map(|code| self.code(&code));
        for v in [access, self.utf8(name.as_bytes()), self.utf8(descriptor.as_bytes()), u16::from(body.is_some())] {
            self.methods.extend(v.to_be_bytes());
        }
        self.methods.extend(body.unwrap_or_default());
        self.method_count += 1;
        self
    }

    fn code(&mut self, code: &Code) -> Vec<u8> {
        let mut out = [code.stack.to_be_bytes(), code.locals.to_be_bytes()].concat();
        out.extend((code.bytes.len() as u32).to_be_bytes());
        out.extend(&code.bytes);
        out.extend((code.handlers.len() as u16).to_be_bytes());
        out.extend(code.handlers.iter().flatten().flat_map(|v| v.to_be_bytes()));
        out.extend((code.attributes.len() as u16).to_be_bytes());
        for (name, body) in &code.attributes {
            out.extend(self.attribute(name, body));
        }
        self.attribute("Code", &out)
    }

    fn attribute(&mut self, name: &str, body: &[u8]) -> Vec<u8> {
        let name = self.utf8(name.as_bytes());
        [&name.to_be_bytes()[..], &(body.len() as u32).to_be_bytes(), body].concat()
    }

    pub fn finish(mut self) -> Vec<u8> {
        let object = self.class(b"java/lang/Object");
        let mut out = self.head;
        out.extend(self.count.to_be_bytes());
        out.extend(self.pool);
        for v in [0x21, self.this, object, 0, 0, self.method_count] {
            out.extend(v.to_be_bytes());
        }
        out.extend(self.methods);
        out.extend([0, 0]);
        out
    }
}

/// A class with one static method `m`.
pub fn class_of(major: u16, descriptor: &str, code: Code) -> Vec<u8> {
    Asm::new("some/Name", major).method(STATIC, "m", descriptor, Some(code)).finish()
}

/// What a class has become.
pub struct Read {
    pub methods: BTreeMap<String, Code>,
    pool: Vec<(u8, Vec<u8>)>,
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        let (part, rest) = self.0.split_at(n);
        self.0 = rest;
        part
    }

    fn u2(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn sized(&mut self) -> &'a [u8] {
        let n = u32::from_be_bytes(self.take(4).try_into().unwrap());
        self.take(n as usize)
    }
}

impl Read {
    pub fn class(bytes: &[u8]) -> Self {
        let mut b = Bytes(&bytes[8..]);
        let count = b.u2();
        let mut pool = vec![(0, vec![])];
        while pool.len() < usize::from(count) {
            let tag = b.take(1)[0];
            let len = match tag {
                1 => usize::from(b.u2()),
                5 => 8,
                7 => 2,
                _ => 4,
            };
            pool.push((tag, b.take(len).to_vec()));
            if tag == 5 {
                pool.push((0, vec![]));
            }
        }
        let mut read = Self { methods: BTreeMap::new(), pool };
        b.take(10);
        for _ in 0..b.u2() {
            b.u2();
            let name = read.text(b.u2()) + &read.text(b.u2());
            for _ in 0..b.u2() {
                b.u2();
                let code = read.code(&mut Bytes(b.sized()));
                read.methods.insert(name.clone(), code);
            }
        }
        assert_eq!(b.0, [0, 0]);
        read
    }

    fn code(&self, b: &mut Bytes) -> Code {
        let (stack, locals) = (b.u2(), b.u2());
        let bytes = b.sized().to_vec();
        let handlers = (0..b.u2()).map(|_| [b.u2(), b.u2(), b.u2(), b.u2()]).collect();
        let attributes = (0..b.u2()).map(|_| (self.text(b.u2()), b.sized().to_vec())).collect();
        assert!(b.0.is_empty());
        Code { stack, locals, bytes, handlers, attributes }
    }

    /// A constant as text: `class`, `class.name descriptor`, or the text itself.
    pub fn text(&self, index: u16) -> String {
        let (tag, body) = &self.pool[usize::from(index)];
        let at = |i: usize| self.text(u16::from_be_bytes([body[i], body[i + 1]]));
        match tag {
            1 => String::from_utf8_lossy(body).into_owned(),
            7 => at(0),
            10 => format!("{}.{}", at(0), at(2)),
            12 => format!("{} {}", at(0), at(2)),
            _ => format!("constant {tag}"),
        }
    }
}
