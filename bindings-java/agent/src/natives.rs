//! What the bridge asks the engine. Every function here is a native of `java.trilane.Native`.
//!
//! All are raw JNI functions: a native through a safe wrapper costs ten times as much, and these run per request.

mod lists;
mod packed;
mod texts;

use std::ffi::{CStr, c_void};

use jni_sys::{JNIEnv, JNINativeMethod, jbyteArray, jclass, jint, jlong, jstring};

use crate::boundary::boundary;
use crate::jni::Env;
use crate::start::{self, engine};
use trilane_engine::inbound::MOST_VALUES;
use trilane_engine::{Counter, Kind};

/// `inbound` when there is no engine: bit 1 of the flags, "act as if not there".
const OFF: u64 = 2 << 24;
/// So many bytes of values cross in words; the bridge's `Asked` holds the same number.
const SHORT: usize = 48;
/// Added to a kind: an edge may believe this caller.
const TRUSTED: jint = 256;

/// Name, signature and function of each native, for `RegisterNatives`.
pub(crate) fn methods() -> Vec<JNINativeMethod> {
    let entry = |name: &'static CStr, signature: &'static CStr, function: *mut c_void| JNINativeMethod {
        name: name.as_ptr().cast_mut(),
        signature: signature.as_ptr().cast_mut(),
        fnPtr: function,
    };
    let mut all = vec![
        entry(c"inbound", c"(II[B)J", inbound as *mut c_void),
        entry(c"inboundShort", c"(IIIJJJJJJ)J", inbound_short as *mut c_void),
        entry(c"pass", c"([B)I", pass as *mut c_void),
        entry(c"failed", c"(Ljava/lang/String;)V", failed as *mut c_void),
        entry(c"firstTag", c"()V", first_tag as *mut c_void),
    ];
    all.extend(texts::METHODS.iter().map(|m| entry(m.0, m.1, m.2.0)));
    all.extend(lists::METHODS.iter().map(|m| entry(m.0, m.1, m.2.0)));
    all
}

/// A function pointer in a constant table.
struct Function(*mut c_void);
// SAFETY: a function's address may be read from every thread.
unsafe impl Sync for Function {}

/// Name, signature, function.
type Method = (&'static CStr, &'static CStr, Function);

fn kind_of(kind: jint) -> Kind {
    match kind {
        1 => Kind::Dubbo,
        2 => Kind::Message,
        _ => Kind::Http,
    }
}

/// `static native long inbound(int kind, int snapshot, byte[] packed)`
unsafe extern "system" fn inbound(
    env: *mut JNIEnv,
    _class: jclass,
    kind: jint,
    snapshot: jint,
    values: jbyteArray,
) -> jlong {
    let off = OFF.cast_signed();
    boundary("inbound", off, || {
        let Some(engine) = engine() else { return off };
        let answer = Env(env).with_bytes(values, |bytes| {
            let mut found: [Option<&[u8]>; MOST_VALUES] = [None; MOST_VALUES];
            let count = packed::values(bytes, &mut found);
            let trusted = kind & TRUSTED != 0;
            engine.inbound_from(trusted, kind_of(kind & !TRUSTED), snapshot.cast_unsigned(), &found[..count])
        });
        answer.unwrap_or(OFF).cast_signed()
    })
}

/// `static native long inboundShort(int kind, int snapshot, int size, long a, ..., long f)`: nothing is copied out of
/// the VM, which costs more than deciding.
#[allow(clippy::too_many_arguments)]
unsafe extern "system" fn inbound_short(
    _env: *mut JNIEnv,
    _class: jclass,
    kind: jint,
    snapshot: jint,
    size: jint,
    a: jlong,
    b: jlong,
    c: jlong,
    d: jlong,
    e: jlong,
    f: jlong,
) -> jlong {
    let off = OFF.cast_signed();
    boundary("inboundShort", off, || {
        let Some(engine) = engine() else { return off };
        let mut bytes = [0u8; SHORT];
        for (eight, word) in bytes.chunks_exact_mut(8).zip([a, b, c, d, e, f]) {
            eight.copy_from_slice(&word.to_be_bytes());
        }
        // Each value takes four bytes at least.
        let mut found: [Option<&[u8]>; SHORT / 4] = [None; SHORT / 4];
        let size = usize::try_from(size).unwrap_or(0).min(SHORT);
        let count = packed::values(&bytes[..size], &mut found);
        let trusted = kind & TRUSTED != 0;
        let kind = kind_of(kind & !TRUSTED);
        engine.inbound_from(trusted, kind, snapshot.cast_unsigned(), &found[..count]).cast_signed()
    })
}

/// `static native int pass(byte[] packed)`
unsafe extern "system" fn pass(env: *mut JNIEnv, _class: jclass, values: jbyteArray) -> jint {
    boundary("pass", 0, || {
        let Some(engine) = engine() else { return 0 };
        let kept = Env(env).with_bytes(values, |bytes| {
            let mut found: [Option<&[u8]>; MOST_VALUES] = [None; MOST_VALUES];
            let count = packed::values(bytes, &mut found);
            engine.pass(&found[..count])
        });
        kept.unwrap_or(0).cast_signed()
    })
}

/// `static native void failed(String hook)`
unsafe extern "system" fn failed(env: *mut JNIEnv, _class: jclass, hook: jstring) {
    boundary("failed", (), || {
        let Some(engine) = engine() else { return };
        let hook = Env(env).string(hook).unwrap_or_default();
        let libraries = crate::table::Table::global().libraries_of(&hook);
        if libraries.is_empty() {
            engine.count(Counter::HookError);
        }
        libraries.iter().for_each(|library| engine.hook_failed(library));
    });
}

/// `static native void firstTag()`
unsafe extern "system" fn first_tag(env: *mut JNIEnv, _class: jclass) {
    boundary("firstTag", (), || start::first_tag(Env(env)));
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    #[test]
    fn every_native_that_the_bridge_declares_is_bound() {
        let java = include_str!("../../bridge/java/trilane/Native.java");
        // SAFETY: the table holds constant C strings.
        let bound: Vec<&str> =
            super::methods().iter().map(|m| unsafe { CStr::from_ptr(m.name) }.to_str().expect("ASCII")).collect();
        for line in java.lines().filter(|line| line.contains("static native ")) {
            let name = line.split('(').next().and_then(|head| head.split(' ').next_back()).expect("a name");
            assert!(bound.contains(&name), "Native.{name} is bound to nothing");
        }
    }
}
