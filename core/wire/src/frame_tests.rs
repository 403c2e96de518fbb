use super::*;

fn stream(messages: &[(bool, &[u8])]) -> Bytes {
    let mut out = BytesMut::new();
    for (compressed, data) in messages {
        write(&mut out, *compressed, data).unwrap();
    }
    out.freeze()
}

fn read(pieces: impl IntoIterator<Item = Bytes>, limit: u32) -> Result<Vec<(bool, Vec<u8>)>, FrameError> {
    let mut reader = Reader::new(limit);
    let mut all = Vec::new();
    for piece in pieces {
        reader.push(piece);
        while let Some(m) = reader.next()? {
            all.push((m.compressed, m.data.to_vec()));
        }
    }
    reader.end()?;
    Ok(all)
}

#[test]
fn any_cut_gives_the_same_messages() {
    let bytes = stream(&[(false, b"hello"), (true, b""), (false, &[7; 300]), (false, b"")]);
    let whole = read([bytes.clone()], 1000).unwrap();
    assert_eq!(whole.len(), 4);
    assert_eq!(whole[1], (true, vec![]));
    for size in 1..bytes.len() {
        let pieces = bytes.chunks(size).map(Bytes::copy_from_slice);
        assert_eq!(read(pieces, 1000).unwrap(), whole, "pieces of {size}");
    }
    let mut reader = Reader::new(1000);
    for piece in bytes.chunks(3) {
        reader.push(Bytes::copy_from_slice(piece));
    }
    let all = std::iter::from_fn(|| reader.next().unwrap()).map(|m| (m.compressed, m.data.to_vec()));
    assert_eq!(all.collect::<Vec<_>>(), whole, "pushed before reading");
}

#[test]
fn a_message_over_the_limit_is_refused_at_its_prefix() {
    let bytes = stream(&[(false, &[0; 101])]);
    assert_eq!(read([bytes.slice(..5)], 100), Err(FrameError::TooLong(101, 100)));
    assert_eq!(read([bytes], 101).unwrap().len(), 1);
    let status = FrameError::TooLong(101, 100).status("request");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("101") && status.message().contains("max_message_size"), "{status:?}");
}

#[test]
fn an_error_stays_and_frees_what_was_held() {
    let mut reader = Reader::new(10);
    reader.push(Bytes::from_static(b"\x02\0\0\0\0rest"));
    assert_eq!(reader.next(), Err(FrameError::Flag(2)));
    reader.push(stream(&[(false, b"ok")]));
    assert_eq!(reader.next(), Err(FrameError::Flag(2)));
    assert_eq!(reader.end(), Err(FrameError::Flag(2)));
}

#[test]
fn a_cut_stream_says_how_much_was_missing() {
    let bytes = stream(&[(false, b"0123456789")]);
    assert_eq!(read([bytes.slice(..12)], 100), Err(FrameError::Cut(12, 15)));
    assert_eq!(read([bytes.slice(..3)], 100), Err(FrameError::Cut(3, 5)));
}

#[test]
fn an_announced_length_costs_nothing() {
    let mut reader = Reader::new(u32::MAX);
    reader.push(Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff]));
    assert_eq!(reader.next(), Ok(None));
    assert!(reader.held() == 5 && reader.partial.capacity() < 4096);
}

/// The same bytes in every cut, also when they are mangled, end in the same messages or the same error.
#[test]
fn mutations_are_read_alike_in_every_cut() {
    let base = stream(&[(false, b"hello"), (true, &[1; 40]), (false, b"")]);
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as usize
    };
    for _ in 0..20_000 {
        let mut bytes = base.to_vec();
        for _ in 0..1 + random() % 4 {
            let at = random() % bytes.len();
            bytes[at] = if random() % 2 == 0 { random() as u8 } else { bytes[at] ^ (1 << (random() % 8)) };
        }
        bytes.truncate(random() % (base.len() + 1));
        let whole = read([Bytes::copy_from_slice(&bytes)], 64);
        let size = 1 + random() % 9;
        assert_eq!(read(bytes.chunks(size).map(Bytes::copy_from_slice), 64), whole, "{bytes:?} by {size}");
    }
}
