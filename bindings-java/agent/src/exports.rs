//! What the VM calls: four functions that it finds by their names.

use std::ffi::{CStr, c_char, c_void};

use jni_sys::{JNI_OK, JNI_VERSION_1_6, JavaVM, jint};

use crate::boundary::boundary;
use crate::settings::Way;
use crate::start;

/// Called by the VM for `-agentpath`, before any Java runs.
///
/// # Safety
/// Called by the VM with a live `vm` and a zero-terminated or null `options`.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Agent_OnLoad(vm: *mut JavaVM, options: *mut c_char, _reserved: *mut c_void) -> jint {
    boundary("Agent_OnLoad", (), || {
        if start::claim(vm) {
            // SAFETY: as promised by the VM.
            start::start_early(vm, unsafe { text(options) });
        }
    });
    JNI_OK
}

/// Called by the VM for `jcmd <pid> JVMTI.agent_load`, while the application runs.
///
/// # Safety
/// Called by the VM with a live `vm` and a zero-terminated or null `options`.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Agent_OnAttach(vm: *mut JavaVM, options: *mut c_char, _reserved: *mut c_void) -> jint {
    boundary("Agent_OnAttach", (), || {
        if start::claim(vm) {
            // SAFETY: as promised by the VM.
            start::start_live(vm, unsafe { text(options) }, Way::Agent);
        }
    });
    JNI_OK
}

/// Called by the VM when it unloads the agent at its end.
///
/// # Safety
/// Called by the VM.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Agent_OnUnload(_vm: *mut JavaVM) {
    start::ending();
}

/// Called by the VM for `System.loadLibrary`.
///
/// # Safety
/// Called by the VM with a live `vm`.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn JNI_OnLoad(vm: *mut JavaVM, _reserved: *mut c_void) -> jint {
    boundary("JNI_OnLoad", (), || {
        if start::claim(vm) {
            start::start_live(vm, String::new(), Way::Library);
        }
    });
    JNI_VERSION_1_6
}

/// # Safety
/// `options` is null or zero-terminated.
unsafe fn text(options: *const c_char) -> String {
    if options.is_null() {
        return String::new();
    }
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(options) }.to_string_lossy().into_owned()
}
