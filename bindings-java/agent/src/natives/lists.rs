//! Natives about published lists. `route` is on the path of every routed call.

use std::ptr;

use jni_sys::{JNIEnv, jboolean, jbyteArray, jclass, jint, jintArray, jlong, jobjectArray, jsize, jstring};

use super::packed::{self, Reader};
use super::{Function, Method};
use crate::boundary::boundary;
use crate::jni::{Env, call, truth};
use crate::start::engine;
use trilane_engine::{Instance, TagId};

/// `route` when there is no engine: no index, no subset, flag OFF.
const OFF: u64 = 0x0000_FFFF_FFFF_FFFF | 2 << 56;

/// So many values of one call are read; what a rule file asks for beyond counts as absent.
const MOST_VALUES: usize = 256;

/// The natives of this file.
pub(super) const METHODS: &[Method] = &[
    (c"listNew", c"([B)J", Function(list_new as *mut _)),
    (c"listFree", c"(J)V", Function(list_free as *mut _)),
    (c"listHealth", c"(JIZ)V", Function(list_health as *mut _)),
    (c"listStamp", c"(J)I", Function(list_stamp as *mut _)),
    (c"route", c"(JIJJI)J", Function(route as *mut _)),
    (c"routeNames", c"(J[I)[Ljava/lang/String;", Function(route_names as *mut _)),
    (c"routeWith", c"(JIJI[B)J", Function(route_with as *mut _)),
    (c"subset", c"(JI[I)[I", Function(subset as *mut _)),
    (c"explain", c"(JLjava/lang/String;JJ)Ljava/lang/String;", Function(explain as *mut _)),
];

type Pairs<'a> = Vec<(&'a str, &'a str)>;

/// Packed: number of names, names, number of instances; each instance: address, health (0 or 1), number of pairs,
/// keys and values in turn.
unsafe extern "system" fn list_new(env: *mut JNIEnv, _class: jclass, packed: jbyteArray) -> jlong {
    boundary("listNew", 0, || {
        let Some(engine) = engine() else { return 0 };
        let id = Env(env).with_bytes(packed, |bytes| {
            let mut reader = Reader::new(bytes);
            // A count is never trusted beyond what the bytes can hold.
            let limit = bytes.len() / 4;
            let count = |number: Option<i32>| usize::try_from(number.unwrap_or(0)).unwrap_or(0).min(limit);
            let names: Vec<&str> = (0..count(reader.number())).map(|_| reader.text()).collect();
            let instances: Vec<(&str, bool, Pairs)> = (0..count(reader.number()))
                .map(|_| {
                    let (address, healthy) = (reader.text(), reader.number() == Some(1));
                    let pairs = (0..count(reader.number())).map(|_| (reader.text(), reader.text())).collect();
                    (address, healthy, pairs)
                })
                .collect();
            let instances: Vec<Instance> = instances
                .iter()
                .map(|(address, healthy, metadata)| Instance { address, metadata, healthy: *healthy })
                .collect();
            engine.list_new(&names, &instances)
        });
        id.unwrap_or(0).cast_signed()
    })
}

unsafe extern "system" fn list_free(_env: *mut JNIEnv, _class: jclass, list: jlong) {
    boundary("listFree", (), || {
        if let Some(engine) = engine() {
            let _ = engine.list_free(list.cast_unsigned());
        }
    });
}

unsafe extern "system" fn list_health(_env: *mut JNIEnv, _class: jclass, list: jlong, index: jint, healthy: jboolean) {
    boundary("listHealth", (), || {
        if let (Some(engine), Ok(index)) = (engine(), u32::try_from(index)) {
            engine.list_health(list.cast_unsigned(), index, truth(healthy));
        }
    });
}

unsafe extern "system" fn list_stamp(_env: *mut JNIEnv, _class: jclass, list: jlong) -> jint {
    boundary("listStamp", 0, || engine().map_or(0, |engine| engine.list_stamp(list.cast_unsigned()).cast_signed()))
}

unsafe extern "system" fn route(
    _env: *mut JNIEnv,
    _class: jclass,
    list: jlong,
    tag: jint,
    key: jlong,
    entropy: jlong,
    stamp: jint,
) -> jlong {
    boundary("route", OFF.cast_signed(), || {
        let Some(engine) = engine() else { return OFF.cast_signed() };
        let tag = TagId(tag as u16);
        let (key, entropy) = (key.cast_unsigned(), entropy.cast_unsigned());
        engine.route(list.cast_unsigned(), tag, key, entropy, stamp.cast_unsigned()).cast_signed()
    })
}

/// The values that deciding about a list reads; null where native rules decide, which read none. `stampOut[0]` becomes
/// the list's stamp.
unsafe extern "system" fn route_names(
    env: *mut JNIEnv,
    _class: jclass,
    list: jlong,
    stamp_out: jintArray,
) -> jobjectArray {
    boundary("routeNames", ptr::null_mut(), || {
        let env = Env(env);
        let Some(engine) = engine() else { return ptr::null_mut() };
        let asked = engine.route_names(list.cast_unsigned());
        let stamp = asked.stamp.cast_signed();
        // SAFETY: the array is live and has one element; an exception is cleared below.
        unsafe { call!(env, SetIntArrayRegion, stamp_out, 0, 1, &stamp) };
        if env.clear_exception() || !asked.by_call {
            return ptr::null_mut();
        }
        env.new_strings(asked.names.iter().map(String::as_str))
    })
}

/// `route` with the values of `routeNames`, packed as for `inbound`.
unsafe extern "system" fn route_with(
    env: *mut JNIEnv,
    _class: jclass,
    list: jlong,
    tag: jint,
    entropy: jlong,
    stamp: jint,
    values: jbyteArray,
) -> jlong {
    boundary("routeWith", OFF.cast_signed(), || {
        let Some(engine) = engine() else { return OFF.cast_signed() };
        let answer = Env(env).with_bytes(values, |bytes| {
            let mut found: [Option<&[u8]>; MOST_VALUES] = [None; MOST_VALUES];
            let count = packed::values(bytes, &mut found);
            let tag = TagId(tag as u16);
            let (entropy, stamp) = (entropy.cast_unsigned(), stamp.cast_unsigned());
            engine.route_with(list.cast_unsigned(), tag, entropy, stamp, &found[..count])
        });
        answer.unwrap_or(OFF).cast_signed()
    })
}

/// The usable instances of a subset; `stampOut[0]` becomes the stamp they belong to, 0 when the list is gone.
unsafe extern "system" fn subset(
    env: *mut JNIEnv,
    _class: jclass,
    list: jlong,
    subset: jint,
    stamp_out: jintArray,
) -> jintArray {
    boundary("subset", ptr::null_mut(), || {
        let env = Env(env);
        let Some(engine) = engine() else { return ptr::null_mut() };
        let mut indices: Vec<u32> = Vec::new();
        let stamp = engine.subset(list.cast_unsigned(), subset as u16, &mut indices).cast_signed();
        let indices: Vec<jint> = indices.into_iter().map(u32::cast_signed).collect();
        // SAFETY: arrays are live; regions are within their lengths; an exception is cleared below.
        let array = unsafe {
            call!(env, SetIntArrayRegion, stamp_out, 0, 1, &stamp);
            let array = call!(env, NewIntArray, indices.len() as jsize);
            if !array.is_null() {
                call!(env, SetIntArrayRegion, array, 0, indices.len() as jsize, indices.as_ptr());
            }
            array
        };
        if env.clear_exception() { ptr::null_mut() } else { array }
    })
}

unsafe extern "system" fn explain(
    env: *mut JNIEnv,
    _class: jclass,
    list: jlong,
    tag: jstring,
    key: jlong,
    entropy: jlong,
) -> jstring {
    boundary("explain", ptr::null_mut(), || {
        let env = Env(env);
        let Some(engine) = engine() else { return ptr::null_mut() };
        let tag = env.string(tag).unwrap_or_default();
        let (key, entropy) = (key.cast_unsigned(), entropy.cast_unsigned());
        env.new_string(&engine.explain(list.cast_unsigned(), tag.as_bytes(), key, entropy))
    })
}
