//! One class load: name, table, editor, new bytes. Runs on any thread, also before that thread can run Java.

use std::ffi::{CStr, c_char, c_int, c_uchar, c_void};
use std::slice;

use jni_sys::{JNIEnv, jclass, jobject};

use crate::boundary::boundary;
use crate::bridge;
use crate::jni::Env;
use crate::start;
use crate::table::{Outcome, Table};

/// The `ClassFileLoadHook` callback: also called for each retransformed class.
///
/// # Safety
/// Called by the VM with the arguments that JVMTI documents.
pub(crate) unsafe extern "system" fn class_file_load_hook(
    _env: *mut c_void,
    jni: *mut JNIEnv,
    _redefined: jclass,
    _loader: jobject,
    name: *const c_char,
    _domain: jobject,
    len: c_int,
    data: *const c_uchar,
    new_len: *mut c_int,
    new_data: *mut *mut c_uchar,
) {
    if name.is_null() || data.is_null() || len <= 0 {
        return; // a hidden class has no name to match
    }
    boundary("class_file_load_hook", (), || {
        // SAFETY: the VM passes a zero-terminated name and `len` bytes, both valid during this call.
        let (name, bytes) = unsafe { (CStr::from_ptr(name).to_bytes(), slice::from_raw_parts(data, len as usize)) };
        crate::unsupported::look(name);
        let edited = Table::global().edit(name, bytes, &mut |complaint| start::complain(&complaint));
        let Outcome::Edited(edited) = edited else { return };
        if jni.is_null() || !Table::global().bridges(name).all(|bridge| is_ready(Env(jni), bridge)) {
            return;
        }
        let Some(jvmti) = start::jvmti() else { return };
        let Ok(new_size) = c_int::try_from(edited.len()) else { return };
        match jvmti.allocate(&edited) {
            // SAFETY: both out pointers are the VM's; the memory was allocated by this environment.
            Ok(memory) => unsafe {
                *new_len = new_size;
                *new_data = memory;
            },
            Err(error) => start::say_error("transform", &error.to_string()),
        }
    });
}

/// The `ClassPrepare` callback, wanted until the first class of the application.
///
/// # Safety
/// Called by the VM with the arguments that JVMTI documents.
pub(crate) unsafe extern "system" fn class_prepare(
    _env: *mut c_void,
    jni: *mut JNIEnv,
    _thread: jobject,
    class: jclass,
) {
    boundary("class_prepare", (), || {
        let env = Env(jni);
        if start::jvmti().is_some_and(|jvmti| !jvmti.is_of_boot_loader(env, class)) {
            start::application_begins(env);
        }
    });
}

/// A class must not get a call of a bridge class that the boot loader does not have.
fn is_ready(env: Env, bridge: &'static str) -> bool {
    let ready = bridge::ensure(env, bridge);
    if let Err(error) = &ready {
        start::say_error(bridge, &format!("the VM refused a bridge class ({error:?}): its library is not hooked"));
    }
    ready.is_ok()
}
