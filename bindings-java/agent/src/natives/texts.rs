//! Natives about names, tags, carriers and metadata: most are asked once per snapshot.

use std::ptr;

use jni_sys::{JNI_FALSE, JNIEnv, jboolean, jclass, jint, jobject, jobjectArray, jstring};

use super::{Function, Method, kind_of};
use crate::boundary::boundary;
use crate::bridge;
use crate::jni::{Env, call, truth};
use crate::start::{engine, jvmti};
use trilane_engine::{Level, TagId};

/// The natives of this file.
pub(super) const METHODS: &[Method] = &[
    (c"names", c"(I)[Ljava/lang/String;", Function(names as *mut _)),
    (c"edgeNames", c"()[Ljava/lang/String;", Function(edge_names as *mut _)),
    (c"edge", c"(Ljava/lang/String;)I", Function(edge as *mut _)),
    (c"stripped", c"()V", Function(stripped as *mut _)),
    (c"untagged", c"(Ljava/lang/String;)V", Function(untagged as *mut _)),
    (c"lost", c"(Ljava/lang/String;)V", Function(lost as *mut _)),
    (c"traceNames", c"()[Ljava/lang/String;", Function(trace_names as *mut _)),
    (c"traceFind", c"(Ljava/lang/String;)I", Function(trace_find as *mut _)),
    (c"passNames", c"()[Ljava/lang/String;", Function(pass_names as *mut _)),
    (c"tagName", c"(I)Ljava/lang/String;", Function(tag_name as *mut _)),
    (c"tagFind", c"(Ljava/lang/String;)I", Function(tag_find as *mut _)),
    (c"rulesByCall", c"()Z", Function(rules_by_call as *mut _)),
    (c"known", c"(Ljava/lang/String;)Z", Function(known as *mut _)),
    (c"baggage", c"(Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;", Function(baggage as *mut _)),
    (c"carriersWrite", c"(I)[Ljava/lang/String;", Function(carriers_write as *mut _)),
    (c"metadataWrite", c"(Ljava/lang/String;)[Ljava/lang/String;", Function(metadata_write as *mut _)),
    (c"metadataKeys", c"()[Ljava/lang/String;", Function(metadata_keys as *mut _)),
    (c"learnService", c"(Ljava/lang/String;)V", Function(learn_service as *mut _)),
    (c"log", c"(ILjava/lang/String;Ljava/lang/String;Ljava/lang/String;)V", Function(log as *mut _)),
    (c"define", c"(Ljava/lang/ClassLoader;Ljava/lang/String;)Ljava/lang/Class;", Function(define as *mut _)),
    (c"export", c"(Ljava/lang/Class;Ljava/lang/String;Z)Z", Function(export as *mut _)),
];

/// Names of values to read, the snapshot's number before them: `names(kind)[0]` is that number in decimal.
unsafe extern "system" fn names(env: *mut JNIEnv, _class: jclass, kind: jint) -> jobjectArray {
    boundary("names", ptr::null_mut(), || {
        let Some(engine) = engine() else { return ptr::null_mut() };
        let (snapshot, mut names) = engine.inbound_names(kind_of(kind));
        names.insert(0, snapshot.cast_signed().to_string());
        Env(env).new_strings(names.iter().map(String::as_str))
    })
}

unsafe extern "system" fn edge_names(env: *mut JNIEnv, _class: jclass) -> jobjectArray {
    boundary("edgeNames", ptr::null_mut(), || {
        let Some(engine) = engine() else { return ptr::null_mut() };
        Env(env).new_strings(engine.edge_names().iter().map(String::as_str))
    })
}

unsafe extern "system" fn edge(env: *mut JNIEnv, _class: jclass, peer: jstring) -> jint {
    boundary("edge", 0, || {
        let Some(engine) = engine() else { return 0 };
        let answer = Env(env).with_short_string(peer, |peer| engine.edge(peer));
        answer.unwrap_or_else(|| engine.edge(b"")).cast_signed()
    })
}

unsafe extern "system" fn stripped(_env: *mut JNIEnv, _class: jclass) {
    boundary("stripped", (), || {
        if let Some(engine) = engine() {
            engine.stripped();
        }
    });
}

unsafe extern "system" fn untagged(env: *mut JNIEnv, _class: jclass, peer: jstring) {
    boundary("untagged", (), || {
        if let Some(engine) = engine() {
            let noted = Env(env).with_short_string(peer, |peer| engine.untagged(peer));
            noted.unwrap_or_else(|| engine.untagged(b""));
        }
    });
}

unsafe extern "system" fn lost(env: *mut JNIEnv, _class: jclass, site: jstring) {
    boundary("lost", (), || {
        if let Some(engine) = engine() {
            engine.tag_lost(&Env(env).string(site).unwrap_or_default());
        }
    });
}

unsafe extern "system" fn trace_names(env: *mut JNIEnv, _class: jclass) -> jobjectArray {
    boundary("traceNames", ptr::null_mut(), || {
        let Some(engine) = engine() else { return ptr::null_mut() };
        Env(env).new_strings(engine.trace_names().iter().map(String::as_str))
    })
}

unsafe extern "system" fn trace_find(env: *mut JNIEnv, _class: jclass, value: jstring) -> jint {
    boundary("traceFind", 0, || {
        let Some(engine) = engine() else { return 0 };
        Env(env).with_short_string(value, |value| i32::from(engine.trace_find(value).0)).unwrap_or(0)
    })
}

unsafe extern "system" fn pass_names(env: *mut JNIEnv, _class: jclass) -> jobjectArray {
    boundary("passNames", ptr::null_mut(), || {
        let Some(engine) = engine() else { return ptr::null_mut() };
        Env(env).new_strings(engine.pass_names().iter().map(String::as_str))
    })
}

unsafe extern "system" fn tag_name(env: *mut JNIEnv, _class: jclass, id: jint) -> jstring {
    boundary("tagName", ptr::null_mut(), || {
        let name = u16::try_from(id).ok().and_then(|id| engine()?.tag_name(TagId(id)));
        name.map_or(ptr::null_mut(), |name| Env(env).new_string(&name))
    })
}

unsafe extern "system" fn tag_find(env: *mut JNIEnv, _class: jclass, tag: jstring) -> jint {
    boundary("tagFind", 0, || {
        let Some(engine) = engine() else { return 0 };
        Env(env).with_short_string(tag, |tag| i32::from(engine.tag_find(tag).0)).unwrap_or(0)
    })
}

unsafe extern "system" fn rules_by_call(_env: *mut JNIEnv, _class: jclass) -> jboolean {
    boundary("rulesByCall", JNI_FALSE, || jboolean::from(engine().is_some_and(|engine| engine.rules_by_call())))
}

unsafe extern "system" fn known(env: *mut JNIEnv, _class: jclass, authority: jstring) -> jboolean {
    boundary("known", JNI_FALSE, || {
        let Some(engine) = engine() else { return JNI_FALSE };
        Env(env).with_short_string(authority, |authority| engine.known(authority)).unwrap_or(JNI_FALSE)
    })
}

unsafe extern "system" fn baggage(env: *mut JNIEnv, _class: jclass, old: jstring, tag: jstring) -> jstring {
    boundary("baggage", ptr::null_mut(), || {
        let env = Env(env);
        let Some(engine) = engine() else { return ptr::null_mut() };
        let (old, tag) = (env.string(old).unwrap_or_default(), env.string(tag).unwrap_or_default());
        let new = engine.baggage_set(old.as_bytes(), tag.as_bytes());
        env.new_string(&String::from_utf8_lossy(&new))
    })
}

unsafe extern "system" fn carriers_write(env: *mut JNIEnv, _class: jclass, kind: jint) -> jobjectArray {
    boundary("carriersWrite", ptr::null_mut(), || {
        let Some(engine) = engine() else { return ptr::null_mut() };
        let names = engine.carriers_write(kind_of(kind));
        Env(env).new_strings(names.iter().map(String::as_str))
    })
}

/// Key, value, key, value ...
unsafe extern "system" fn metadata_write(env: *mut JNIEnv, _class: jclass, registry: jstring) -> jobjectArray {
    boundary("metadataWrite", ptr::null_mut(), || {
        let env = Env(env);
        let (Some(engine), Some(registry)) = (engine(), env.string(registry)) else { return ptr::null_mut() };
        let pairs = engine.metadata_write(&registry);
        let flat: Vec<&str> = pairs.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]).collect();
        env.new_strings(flat.into_iter())
    })
}

unsafe extern "system" fn metadata_keys(env: *mut JNIEnv, _class: jclass) -> jobjectArray {
    boundary("metadataKeys", ptr::null_mut(), || {
        let Some(engine) = engine() else { return ptr::null_mut() };
        let keys = engine.metadata_keys();
        Env(env).new_strings(keys.iter().map(String::as_str))
    })
}

unsafe extern "system" fn learn_service(env: *mut JNIEnv, _class: jclass, name: jstring) {
    boundary("learnService", (), || {
        if let (Some(engine), Some(name)) = (engine(), Env(env).string(name)) {
            engine.learn_service(&name);
        }
    });
}

unsafe extern "system" fn log(
    env: *mut JNIEnv,
    _class: jclass,
    level: jint,
    code: jstring,
    key: jstring,
    message: jstring,
) {
    boundary("log", (), || {
        let env = Env(env);
        let Some(engine) = engine() else { return };
        let level = match level {
            0 => Level::Error,
            1 => Level::Warn,
            _ => Level::Info,
        };
        let text = |string| env.string(string).unwrap_or_default();
        engine.log(level, &text(code), &text(key), &text(message));
    });
}

/// Defines a class of ours in a framework's class loader.
unsafe extern "system" fn define(env: *mut JNIEnv, _class: jclass, loader: jobject, name: jstring) -> jclass {
    boundary("define", ptr::null_mut(), || {
        let env = Env(env);
        env.string(name).map_or(ptr::null_mut(), |name| bridge::define_beside(env, loader, &name))
    })
}

/// Exports, or opens, a package of the module of `owner` to the boot loader's unnamed module, where the bridge lives.
/// True where there are no modules.
unsafe extern "system" fn export(
    env: *mut JNIEnv,
    class: jclass,
    owner: jclass,
    package: jstring,
    open: jboolean,
) -> jboolean {
    boundary("export", JNI_FALSE, || {
        let env = Env(env);
        let (Some(jvmti), Some(package)) = (jvmti(), env.string(package)) else { return JNI_FALSE };
        let Ok(package) = std::ffi::CString::new(package) else { return JNI_FALSE };
        let (Some(module), Some(bridge)) = (env.module_of(owner), env.module_of(class)) else { return true };
        let done = jvmti.export(module, &package, bridge, truth(open)).is_ok();
        // SAFETY: both are local references of this thread.
        unsafe {
            call!(env, DeleteLocalRef, module);
            call!(env, DeleteLocalRef, bridge);
        }
        !env.clear_exception() && done
    })
}
