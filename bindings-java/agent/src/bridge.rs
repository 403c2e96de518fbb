//! The Java classes in the boot loader: defined from bytes inside the library, told of every change.

use std::ffi::CString;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use jni_sys::{jclass, jmethodID, jobject, jvalue};
use parking_lot::ReentrantMutex;

use crate::jni::{Env, call};
use crate::natives;
use crate::table::Table;
use trilane_engine::{Engine, Mode};

/// One bridge class: its name, its bytes, and the places in `CLASSES` of every class that it needs, itself included.
type Class = (&'static str, &'static [u8], &'static [u16]);

/// Superclasses and interfaces come before the classes that need them.
#[cfg(feature = "jvm")]
static CLASSES: &[Class] = include!(concat!(env!("OUT_DIR"), "/classes.rs"));
#[cfg(not(feature = "jvm"))]
static CLASSES: &[Class] = &[];

/// Classes that live in the class loaders of the frameworks whose classes they call.
#[cfg(feature = "jvm")]
static BESIDE: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/beside.rs"));
#[cfg(not(feature = "jvm"))]
static BESIDE: &[(&str, &[u8])] = &[];

/// What has become of each class.
static STATES: [AtomicU8; MOST_CLASSES] = [const { AtomicU8::new(ABSENT) }; MOST_CLASSES];
const MOST_CLASSES: usize = 512;
const _: () = assert!(CLASSES.len() <= MOST_CLASSES);
const ABSENT: u8 = 0;
/// A thread that holds `DEFINING` is at it.
const BEING_DEFINED: u8 = 1;
const DEFINED: u8 = 2;
const REFUSED: u8 = 3;

/// Held while classes are defined. Defining one may load others, whose class hooks come back here on the same thread.
static DEFINING: ReentrantMutex<()> = ReentrantMutex::new(());

/// `java.trilane.Native` and `java.trilane.Trilane`, once they are defined.
static NATIVE: AtomicPtr<jni_sys::_jobject> = AtomicPtr::new(ptr::null_mut());
static TRILANE: AtomicPtr<jni_sys::_jobject> = AtomicPtr::new(ptr::null_mut());
/// `Trilane.changed(int,long)`, once the natives are bound.
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

/// Takes this VM for this copy of the library, by the one class that shows it. The others come with the first class
/// that is hooked: a program that has none pays for none.
pub(crate) fn claim(env: Env) -> Result<(), DefineError> {
    let _guard = DEFINING.lock();
    define_all(env, "Native")
}

/// Makes sure that a bridge class and all that it needs are in the boot loader: called before the first class that
/// calls it gets its new bytes, so that a program pays only for the libraries it has.
///
/// This may run inside the class hook, while some class is being loaded. No bridge class may therefore extend a
/// hooked class, but for those of the library that sleeps until the first tag.
pub(crate) fn ensure(env: Env, name: &str) -> Result<(), DefineError> {
    if !CHANGED.load(Ordering::Acquire).is_null() && is_defined(name) {
        return Ok(());
    }
    let _guard = DEFINING.lock();
    bind(env)?;
    define_all(env, name)
}

/// The places of a class and of all that it needs.
fn needed(name: &str) -> Option<&'static [u16]> {
    CLASSES.iter().find(|class| class.0.strip_prefix("java/trilane/") == Some(name)).map(|class| class.2)
}

fn is_defined(name: &str) -> bool {
    let defined = |at: &u16| STATES[usize::from(*at)].load(Ordering::Acquire) == DEFINED;
    needed(name).is_some_and(|all| all.iter().all(defined))
}

/// The caller holds `DEFINING`.
fn define_all(env: Env, name: &str) -> Result<(), DefineError> {
    let needed = needed(name).ok_or(DefineError::Refused("a class that the library does not have"))?;
    for at in needed {
        let (name, bytes, _) = CLASSES[usize::from(*at)];
        let state = &STATES[usize::from(*at)];
        match state.load(Ordering::Acquire) {
            ABSENT => {}
            REFUSED => return Err(DefineError::Refused(name)),
            _ => continue,
        }
        state.store(BEING_DEFINED, Ordering::Release);
        let class = CString::new(name).ok().and_then(|name| env.define(&name, ptr::null_mut(), bytes));
        let Some(class) = class else {
            state.store(REFUSED, Ordering::Release);
            // Only the first class tells of another copy: it is always there when the others come.
            let another = name == "java/trilane/Native" && is_there(env);
            return Err(if another { DefineError::AlreadyThere } else { DefineError::Refused(name) });
        };
        // SAFETY: `class` is a local reference of this thread; the global ones live as long as the process.
        unsafe {
            match name {
                "java/trilane/Native" => NATIVE.store(call!(env, NewGlobalRef, class), Ordering::Release),
                "java/trilane/Trilane" => TRILANE.store(call!(env, NewGlobalRef, class), Ordering::Release),
                _ => {}
            }
            call!(env, DeleteLocalRef, class);
        }
        state.store(DEFINED, Ordering::Release);
    }
    Ok(())
}

/// Defines a class of ours beside a framework's; null if there is none of that name or the VM refused it.
pub(crate) fn define_beside(env: Env, loader: jobject, name: &str) -> jclass {
    let Some((_, bytes)) = BESIDE.iter().find(|class| class.0 == name) else { return ptr::null_mut() };
    let class = CString::new(name).ok().and_then(|name| env.define(&name, loader, bytes));
    class.unwrap_or(ptr::null_mut())
}

/// Defines the classes that every hook needs, binds their natives and tells them the mode. Once per process; the
/// caller holds `DEFINING`.
fn bind(env: Env) -> Result<(), DefineError> {
    if !CHANGED.load(Ordering::Acquire).is_null() {
        return Ok(());
    }
    define_all(env, "Trilane")?;
    if !env.register(NATIVE.load(Ordering::Acquire), &natives::methods()) {
        return Err(DefineError::Refused("Native: a native method does not fit its declaration"));
    }
    let class = TRILANE.load(Ordering::Acquire);
    let changed = env.static_method(class, c"changed", c"(IJ)V").ok_or(DefineError::Refused("Trilane.changed"))?;
    CHANGED.store(changed, Ordering::Release);
    if !crate::start::engine().is_none_or(|engine| push(env, engine)) {
        return Err(DefineError::Refused("Trilane.changed"));
    }
    Ok(())
}

/// Tells the bridge the mode and which libraries act, once it is there. Runs on `trilane-ctl` and where it is bound.
pub(crate) fn push(env: Env, engine: &Engine) -> bool {
    // Whoever binds the bridge meanwhile reads the mode after it let go: no push of an older one comes later.
    let _guard = DEFINING.lock();
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
