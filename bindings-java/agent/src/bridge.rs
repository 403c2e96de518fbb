//! The Java classes in the boot loader: defined from bytes inside the library, told of every change.

use std::ffi::CString;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use jni_sys::{jclass, jmethodID, jvalue};

use crate::jni::{Env, call};
use crate::natives;
use crate::table::Table;
use trilane_engine::{Engine, Mode};

/// Name and bytes of each bridge class; superclasses and interfaces come before the classes that need them.
#[cfg(feature = "jvm")]
static CLASSES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/classes.rs"));
#[cfg(not(feature = "jvm"))]
static CLASSES: &[(&str, &[u8])] = &[];

/// `java.trilane.Trilane` and its `changed(int,long)`, once the bridge is there.
static TRILANE: AtomicPtr<jni_sys::_jobject> = AtomicPtr::new(ptr::null_mut());
static CHANGED: AtomicPtr<jni_sys::_jmethodID> = AtomicPtr::new(ptr::null_mut());

/// Why the bridge could not be brought in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DefineError {
    /// Another copy of the library did it first.
    AlreadyThere,
    /// The VM refused a class or its natives.
    Refused(&'static str),
}

/// True if this VM has the bridge, from this copy of the library or from another.
pub(crate) fn is_there(env: Env) -> bool {
    env.find_class(c"java/trilane/Native").is_some()
}

/// Defines the bridge classes and binds their natives. Once per process.
pub(crate) fn define(env: Env) -> Result<(), DefineError> {
    if !TRILANE.load(Ordering::Acquire).is_null() {
        return Ok(());
    }
    for (name, bytes) in CLASSES {
        let c_name = CString::new(*name).map_err(|_| DefineError::Refused(name))?;
        let class = env
            .define_in_boot_loader(&c_name, bytes)
            .ok_or_else(|| if is_there(env) { DefineError::AlreadyThere } else { DefineError::Refused(name) })?;
        // SAFETY: `class` is a local reference of this thread.
        unsafe { call!(env, DeleteLocalRef, class) };
    }
    let native = env.find_class(c"java/trilane/Native").ok_or(DefineError::Refused("Native"))?;
    if !env.register(native, &natives::methods()) {
        return Err(DefineError::Refused("Native: a native method does not fit its declaration"));
    }
    let class = env.find_class(c"java/trilane/Trilane").ok_or(DefineError::Refused("Trilane"))?;
    let changed = env.static_method(class, c"changed", c"(IJ)V").ok_or(DefineError::Refused("Trilane.changed"))?;
    // SAFETY: `class` is a local reference of this thread; the global one lives as long as the process.
    let global = unsafe { call!(env, NewGlobalRef, class) };
    CHANGED.store(changed, Ordering::Release);
    TRILANE.store(global, Ordering::Release);
    Ok(())
}

/// Tells the bridge the mode and which libraries act. Runs on the starting thread and on `trilane-ctl`.
pub(crate) fn push(env: Env, engine: &Engine) -> bool {
    let class: jclass = TRILANE.load(Ordering::Acquire);
    let method: jmethodID = CHANGED.load(Ordering::Acquire);
    if class.is_null() || method.is_null() {
        return true;
    }
    let mode = match engine.mode() {
        Mode::Off => 0,
        Mode::Observe => 1,
        Mode::On => 2,
    };
    let args = [jvalue { i: mode }, jvalue { j: enabled(engine).cast_signed() }];
    // SAFETY: `changed` is a static void method of that class that takes (int, long).
    unsafe { env.call_static_void(class, method, &args) }
}

/// The bits of the libraries that are switched on now.
pub(crate) fn enabled(engine: &Engine) -> u64 {
    let libraries = Table::global().libraries();
    libraries.iter().filter(|library| engine.hook_enabled(library.name)).map(|library| 1 << library.bit).sum()
}
