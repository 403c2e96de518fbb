//! The few JVMTI functions that the agent needs, by their documented slot numbers.
//!
//! A JVMTI environment is a pointer to a pointer to a table of functions; slot 1 of the documentation is index 0.
//! Every version since 1.0 has the same slots, so the table needs no crate and no header.

use std::ffi::{CStr, CString, c_char, c_int, c_uchar, c_void};
use std::ptr;

use jni_sys::{JNIEnv, JavaVM, jclass, jobject};

use crate::jni::{Env, call};

/// JVMTI 1.2: what JDK 8 and everything later has.
const VERSION_1_2: c_int = 0x3001_0200;
const ENABLE: c_int = 1;
const DISABLE: c_int = 0;

/// Event numbers of the specification.
#[derive(Clone, Copy)]
#[repr(i32)]
pub(crate) enum Event {
    VmInit = 50,
    VmDeath = 51,
    ClassFileLoadHook = 54,
    ClassPrepare = 56,
}

/// Bit number of `can_retransform_classes` in `jvmtiCapabilities`: the only capability that is asked for.
const CAN_RETRANSFORM_CLASSES: usize = 37;

const SLOT_SET_EVENT_NOTIFICATION_MODE: usize = 2;
const SLOT_ALLOCATE: usize = 46;
const SLOT_DEALLOCATE: usize = 47;
const SLOT_GET_CLASS_SIGNATURE: usize = 48;
const SLOT_GET_CLASS_LOADER: usize = 57;
const SLOT_GET_LOADED_CLASSES: usize = 78;
const SLOT_ADD_MODULE_EXPORTS: usize = 95;
const SLOT_ADD_MODULE_OPENS: usize = 96;
const SLOT_SET_EVENT_CALLBACKS: usize = 122;
const SLOT_GET_SYSTEM_PROPERTIES: usize = 130;
const SLOT_GET_SYSTEM_PROPERTY: usize = 131;
const SLOT_ADD_CAPABILITIES: usize = 142;
const SLOT_RETRANSFORM_CLASSES: usize = 152;

/// Signature of the `VMInit` callback.
pub(crate) type VmInit = unsafe extern "system" fn(*mut c_void, *mut JNIEnv, jobject);
/// Signature of the `VMDeath` callback.
pub(crate) type VmDeath = unsafe extern "system" fn(*mut c_void, *mut JNIEnv);
/// Signature of the `ClassFileLoadHook` callback.
pub(crate) type ClassFileLoadHook = unsafe extern "system" fn(
    *mut c_void,
    *mut JNIEnv,
    jclass,
    jobject,
    *const c_char,
    jobject,
    c_int,
    *const c_uchar,
    *mut c_int,
    *mut *mut c_uchar,
);

/// Signature of the `ClassPrepare` callback.
pub(crate) type ClassPrepare = unsafe extern "system" fn(*mut c_void, *mut JNIEnv, jobject, jclass);

/// The first entries of `jvmtiEventCallbacks`; the VM takes the length and reads no further.
#[repr(C)]
#[derive(Default)]
struct Callbacks {
    vm_init: Option<VmInit>,
    vm_death: Option<VmDeath>,
    thread_start: usize,
    thread_end: usize,
    class_file_load_hook: Option<ClassFileLoadHook>,
    class_load: usize,
    class_prepare: Option<ClassPrepare>,
}

/// One JVMTI environment. It is valid from any thread until the process ends: it is never disposed of.
#[derive(Clone, Copy)]
pub(crate) struct Jvmti(*mut c_void);

// SAFETY: the specification allows an environment to be used from every thread.
unsafe impl Send for Jvmti {}
// SAFETY: as above; the table it points to is never written to by us.
unsafe impl Sync for Jvmti {}

/// An error number of JVMTI, with the call that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JvmtiError {
    /// Which function failed.
    pub call: &'static str,
    /// The number in the specification.
    pub code: c_int,
}

impl std::fmt::Display for JvmtiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JVMTI {} failed with error {}", self.call, self.code)
    }
}

fn check(call: &'static str, code: c_int) -> Result<(), JvmtiError> {
    if code == 0 { Ok(()) } else { Err(JvmtiError { call, code }) }
}

impl Jvmti {
    /// Asks the VM for an environment of our own.
    pub(crate) fn new(vm: *mut JavaVM) -> Result<Jvmti, JvmtiError> {
        let mut env: *mut c_void = ptr::null_mut();
        // SAFETY: `vm` is the pointer that the VM handed to the export that called us.
        let code = unsafe { ((**vm).v1_2.GetEnv)(vm, &mut env, VERSION_1_2) };
        check("GetEnv", code)?;
        Ok(Jvmti(env))
    }

    /// The function in documented slot `slot`, as a function pointer of type `F`.
    ///
    /// # Safety
    /// `F` must be the `extern "system"` type that the specification gives for that slot.
    unsafe fn slot<F: Copy>(&self, slot: usize) -> F {
        const { assert!(size_of::<F>() == size_of::<usize>()) };
        // SAFETY: the environment points to a table of function pointers that has at least 153 entries since 1.0.
        unsafe {
            let table = *(self.0 as *const *const usize);
            std::mem::transmute_copy(&*table.add(slot - 1))
        }
    }

    /// Adds the capability to retransform classes; HotSpot still grants it in the live phase.
    pub(crate) fn allow_retransform(&self) -> Result<(), JvmtiError> {
        let mut bits = [0u32; 4];
        bits[CAN_RETRANSFORM_CLASSES / 32] |= 1 << (CAN_RETRANSFORM_CLASSES % 32);
        // SAFETY: slot and signature are those of the specification; `jvmtiCapabilities` is 16 bytes of bits.
        let code = unsafe {
            let call: unsafe extern "system" fn(*mut c_void, *const u32) -> c_int = self.slot(SLOT_ADD_CAPABILITIES);
            call(self.0, bits.as_ptr())
        };
        check("AddCapabilities", code)
    }

    /// Sets all callbacks at once; none is called before its event is enabled.
    pub(crate) fn set_callbacks(
        &self,
        vm_init: VmInit,
        vm_death: VmDeath,
        hook: ClassFileLoadHook,
        prepare: ClassPrepare,
    ) -> Result<(), JvmtiError> {
        let callbacks = Callbacks {
            vm_init: Some(vm_init),
            vm_death: Some(vm_death),
            class_file_load_hook: Some(hook),
            class_prepare: Some(prepare),
            ..Callbacks::default()
        };
        // SAFETY: slot and signature are those of the specification; the VM copies the struct.
        let code = unsafe {
            let call: unsafe extern "system" fn(*mut c_void, *const Callbacks, c_int) -> c_int =
                self.slot(SLOT_SET_EVENT_CALLBACKS);
            call(self.0, &callbacks, size_of::<Callbacks>() as c_int)
        };
        check("SetEventCallbacks", code)
    }

    /// Switches one event on or off for all threads.
    pub(crate) fn notify(&self, event: Event, on: bool) -> Result<(), JvmtiError> {
        let mode = if on { ENABLE } else { DISABLE };
        // SAFETY: slot and signature are those of the specification (the function is variadic for future use only,
        // and on the supported ABIs a call without variable arguments passes them alike).
        let code = unsafe {
            let call: unsafe extern "C" fn(*mut c_void, c_int, c_int, jobject, ...) -> c_int =
                self.slot(SLOT_SET_EVENT_NOTIFICATION_MODE);
            call(self.0, mode, event as c_int, ptr::null_mut())
        };
        check("SetEventNotificationMode", code)
    }

    /// Copies `bytes` into memory that the VM may free.
    pub(crate) fn allocate(&self, bytes: &[u8]) -> Result<*mut c_uchar, JvmtiError> {
        let mut out: *mut c_uchar = ptr::null_mut();
        // SAFETY: slot and signature are those of the specification; on success `out` has room for all bytes.
        unsafe {
            let call: unsafe extern "system" fn(*mut c_void, i64, *mut *mut c_uchar) -> c_int =
                self.slot(SLOT_ALLOCATE);
            check("Allocate", call(self.0, bytes.len() as i64, &mut out))?;
            ptr::copy_nonoverlapping(bytes.as_ptr(), out, bytes.len());
        }
        Ok(out)
    }

    /// Frees what a JVMTI function allocated for us.
    fn deallocate(&self, memory: *mut c_void) {
        // SAFETY: slot and signature are those of the specification; `memory` came from this environment.
        unsafe {
            let call: unsafe extern "system" fn(*mut c_void, *mut c_void) -> c_int = self.slot(SLOT_DEALLOCATE);
            call(self.0, memory);
        }
    }

    /// Takes over a C string that JVMTI allocated.
    fn take_string(&self, text: *mut c_char) -> String {
        if text.is_null() {
            return String::new();
        }
        // SAFETY: JVMTI returns zero-terminated strings.
        let owned = unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
        self.deallocate(text.cast());
        owned
    }

    /// The names of the system properties that the VM knows: those of the command line and its own.
    pub(crate) fn property_names(&self) -> Vec<String> {
        let mut count: c_int = 0;
        let mut names: *mut *mut c_char = ptr::null_mut();
        // SAFETY: slot and signature are those of the specification; both out pointers are valid.
        let code = unsafe {
            let call: unsafe extern "system" fn(*mut c_void, *mut c_int, *mut *mut *mut c_char) -> c_int =
                self.slot(SLOT_GET_SYSTEM_PROPERTIES);
            call(self.0, &mut count, &mut names)
        };
        if code != 0 || names.is_null() {
            return Vec::new();
        }
        // SAFETY: `names` has `count` entries, each a string to take over.
        let all = (0..count as usize).map(|i| self.take_string(unsafe { *names.add(i) })).collect();
        self.deallocate(names.cast());
        all
    }

    /// One system property, read without running any Java.
    pub(crate) fn property(&self, name: &str) -> Option<String> {
        let name = CString::new(name).ok()?;
        let mut value: *mut c_char = ptr::null_mut();
        // SAFETY: slot and signature are those of the specification; `name` is zero-terminated.
        let code = unsafe {
            let call: unsafe extern "system" fn(*mut c_void, *const c_char, *mut *mut c_char) -> c_int =
                self.slot(SLOT_GET_SYSTEM_PROPERTY);
            call(self.0, name.as_ptr(), &mut value)
        };
        (code == 0).then(|| self.take_string(value))
    }

    /// Calls `visit` with every loaded class. Makes local references: the caller pushes a frame around it.
    pub(crate) fn loaded_classes(&self, visit: impl FnMut(jclass)) -> Result<(), JvmtiError> {
        let mut count: c_int = 0;
        let mut classes: *mut jclass = ptr::null_mut();
        // SAFETY: slot and signature are those of the specification; both out pointers are valid.
        unsafe {
            let call: unsafe extern "system" fn(*mut c_void, *mut c_int, *mut *mut jclass) -> c_int =
                self.slot(SLOT_GET_LOADED_CLASSES);
            check("GetLoadedClasses", call(self.0, &mut count, &mut classes))?;
        }
        // SAFETY: the array has `count` classes.
        (0..count as usize).map(|i| unsafe { *classes.add(i) }).for_each(visit);
        self.deallocate(classes.cast());
        Ok(())
    }

    /// Gives the binary name of a class, with slashes, to `body`; none for arrays.
    pub(crate) fn with_name<T>(&self, class: jclass, body: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let mut text: *mut c_char = ptr::null_mut();
        // SAFETY: slot and signature are those of the specification; the generic signature is not asked for.
        let code = unsafe {
            let call: unsafe extern "system" fn(*mut c_void, jclass, *mut *mut c_char, *mut *mut c_char) -> c_int =
                self.slot(SLOT_GET_CLASS_SIGNATURE);
            call(self.0, class, &mut text, ptr::null_mut())
        };
        if code != 0 || text.is_null() {
            return None;
        }
        // SAFETY: JVMTI returns zero-terminated strings.
        let signature = unsafe { CStr::from_ptr(text) }.to_bytes();
        let name = signature.strip_prefix(b"L").and_then(|name| name.strip_suffix(b";"));
        let value = name.map(body);
        self.deallocate(text.cast());
        value
    }

    /// True for a class that the boot loader defined. Leaves no local reference.
    pub(crate) fn is_of_boot_loader(&self, env: Env, class: jclass) -> bool {
        let mut loader: jobject = ptr::null_mut();
        // SAFETY: slot and signature are those of the specification; the reference is this thread's and dropped once.
        unsafe {
            let get: unsafe extern "system" fn(*mut c_void, jclass, *mut jobject) -> c_int =
                self.slot(SLOT_GET_CLASS_LOADER);
            let code = get(self.0, class, &mut loader);
            if !loader.is_null() {
                call!(env, DeleteLocalRef, loader);
            }
            code == 0 && loader.is_null()
        }
    }

    /// Sends the given loaded classes through the class-file hook again.
    pub(crate) fn retransform(&self, classes: &[jclass]) -> Result<(), JvmtiError> {
        // SAFETY: slot and signature are those of the specification; the references are live.
        let code = unsafe {
            let call: unsafe extern "system" fn(*mut c_void, c_int, *const jclass) -> c_int =
                self.slot(SLOT_RETRANSFORM_CLASSES);
            call(self.0, classes.len() as c_int, classes.as_ptr())
        };
        check("RetransformClasses", code)
    }

    /// Exports `package` of `module` to the module `to`, or opens it. JDK 9 and later only.
    pub(crate) fn export(&self, module: jobject, package: &CStr, to: jobject, open: bool) -> Result<(), JvmtiError> {
        let slot = if open { SLOT_ADD_MODULE_OPENS } else { SLOT_ADD_MODULE_EXPORTS };
        // SAFETY: slot and signature are those of the specification of JVMTI 9; the caller checked the version.
        let code = unsafe {
            let call: unsafe extern "system" fn(*mut c_void, jobject, *const c_char, jobject) -> c_int =
                self.slot(slot);
            call(self.0, module, package.as_ptr(), to)
        };
        check("AddModuleExports", code)
    }
}
