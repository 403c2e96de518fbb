//! The one start per process behind the exports.
//!
//! `-agentpath` comes before any Java: only `VMInit` is asked for. `VMInit`, an attach and `System.loadLibrary` all
//! end in `bring_up`. Whatever fails here, the VM gets `JNI_OK` and the application starts.

use std::ffi::{CString, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use jni_sys::{JNIEnv, JavaVM, jclass, jobject};
use parking_lot::Mutex;

use crate::boundary::{boundary, quiet_panics};
use crate::bridge;
use crate::jni::{self, Env, call};
use crate::jvmti::{Event, Jvmti, JvmtiError};
use crate::pages;
use crate::settings::{self, Way};
use crate::table::{Complaint, Table};
use crate::transform::{class_file_load_hook, class_prepare};
use crate::unsupported;
use crate::vm;
use trilane_engine::log::Log;
use trilane_engine::settings::Settings;
use trilane_engine::{Counter, Engine, Level};

/// Set by the first start; every later one is a no-op.
static STARTED: AtomicBool = AtomicBool::new(false);
/// Set when the VM ends: Java must not be touched any more.
static ENDING: AtomicBool = AtomicBool::new(false);
static JVMTI: OnceLock<Jvmti> = OnceLock::new();
static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
/// What stood behind `libtrilane.so=`, kept from `Agent_OnLoad` to `VMInit`.
static AGENT_OPTION: OnceLock<String> = OnceLock::new();
/// Held while classes are switched in, so that a change of the rules and the start do not cross.
static HOOKING: Mutex<Hooking> = Mutex::new(Hooking { stage: Stage::Off, waits: false });

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No library was ever switched on.
    Off,
    /// Nothing but the VM's own classes was loaded yet. With the class hook on, the VM reads each class of its shared
    /// archive once more, to show it: until the application begins, these are all that come.
    Expecting,
    /// The class hook is on.
    Hooking,
    /// It could not be; said once, not tried again.
    Broken,
}

struct Hooking {
    stage: Stage,
    /// Libraries that only hand scopes over were not brought to loaded classes: until there is a scope they do nothing,
    /// and a program that never sees a tag pays nothing for them.
    waits: bool,
}

/// Which of the loaded classes are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Loaded {
    All,
    /// Those of the VM's own boot loader are left out: none but hand-over has rows for them.
    OfTheApplication,
}

/// True for the first start of the process.
pub(crate) fn claim(vm: *mut JavaVM) -> bool {
    if STARTED.swap(true, Ordering::AcqRel) {
        return false;
    }
    quiet_panics();
    jni::remember_vm(vm);
    true
}

fn listen(jvmti: Jvmti) -> Result<(), JvmtiError> {
    jvmti.set_callbacks(vm_init, vm_death, class_file_load_hook, class_prepare)?;
    let _ = JVMTI.set(jvmti);
    Ok(())
}

/// `-agentpath`: asks for `VMInit`, unless this VM runs a tool of the JDK.
pub(crate) fn start_early(vm: *mut JavaVM, option: String) {
    let _ = AGENT_OPTION.set(option);
    let asked = Jvmti::new(vm).and_then(|jvmti| {
        if settings::is_jdk_tool(jvmti) || stays_out(jvmti, Way::Agent) {
            return Ok(());
        }
        listen(jvmti)?;
        jvmti.notify(Event::VmInit, true)
    });
    if let Err(error) = asked {
        say_error("start", &error.to_string());
    }
}

/// Attach and `System.loadLibrary`: starts on the calling thread.
pub(crate) fn start_live(vm: *mut JavaVM, option: String, way: Way) {
    let _ = AGENT_OPTION.set(option);
    let started = Jvmti::new(vm).and_then(|jvmti| {
        if stays_out(jvmti, way) {
            return Ok(false);
        }
        listen(jvmti).map(|()| true)
    });
    match (started, Env::current()) {
        (Ok(false), _) => {}
        (Ok(true), Some(env)) => bring_up(env, way, false),
        (Err(error), _) => say_error("start", &error.to_string()),
        (Ok(true), None) => say_error("start", "the starting thread is not attached to the VM"),
    }
}

/// True in a VM that was never tested and where nobody forces the library: it says so, and does nothing at all.
fn stays_out(jvmti: Jvmti, way: Way) -> bool {
    // What the command line says is believed, then what the VM says of itself.
    let specification = ["java.specification.version", "java.vm.specification.version"];
    let version = specification.iter().find_map(|name| jvmti.property(name)).unwrap_or_default();
    let Some(why) = vm::untested(&version, &jvmti.property("java.vm.name").unwrap_or_default()) else { return false };
    let option = AGENT_OPTION.get().map_or("", String::as_str);
    let options = settings::options(jvmti, option, way);
    let settings = Settings::read(&options.agent_option, &options.properties, options.read_environment, &Log::off());
    let silent = !options.explicit && !settings.asks_to_take_part();
    if !settings.force && !silent {
        let remedy =
            "the library stays inert here and the application runs as without it; trilane.force=true starts it";
        Log::new(&settings.log).write(Level::Warn, "TRL-406", "vm", &format!("never tested: {why}: {remedy}"));
    }
    !settings.force
}

unsafe extern "system" fn vm_init(_jvmti: *mut c_void, env: *mut JNIEnv, _thread: jobject) {
    boundary("VMInit", (), || bring_up(Env(env), Way::Agent, true));
}

unsafe extern "system" fn vm_death(_jvmti: *mut c_void, _env: *mut JNIEnv) {
    ENDING.store(true, Ordering::Release);
}

/// Starts the engine and, unless it is off, hooks. `early`: before the application's first instruction.
fn bring_up(env: Env, way: Way, early: bool) {
    let Some(jvmti) = jvmti() else { return };
    if another_copy_is_mapped() && bridge::is_there(env) {
        say_error("start", "another copy of the library is active in this VM: this one stays inert");
        return;
    }
    let option = AGENT_OPTION.get().map_or("", String::as_str);
    let options = settings::options(jvmti, option, way);
    let engine = ENGINE.get_or_init(|| Engine::default_or_start(options));
    if let Err(error) = jvmti.notify(Event::VmDeath, true) {
        say_error("start", &error.to_string());
    }
    engine.on_change(Box::new(|engine| boundary("on_change", (), || changed(engine))));
    refresh(env, engine, early);
    engine.report_hooks(Box::new(|| Table::global().report().into_iter().chain(unsupported::report()).collect()));
    engine.start_line(&Table::global().summary());
    if early {
        pages::let_go();
    }
}

/// Runs on `trilane-ctl` after every new snapshot.
fn changed(engine: &Engine) {
    if ENDING.load(Ordering::Acquire) {
        return;
    }
    // A VM that has not finished its own start takes no threads yet.
    let attached = (0..100).find_map(|_| {
        let env = Env::attach_daemon(c"trilane-ctl");
        if env.is_none() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        env
    });
    match attached {
        Some(env) => refresh(env, engine, false),
        None => say_error("change", "trilane-ctl could not attach to the VM: mode and switches stay as they were"),
    }
}

/// Brings mode and switches into the bridge, and hooks libraries that are switched on for the first time.
fn refresh(env: Env, engine: &Engine, early: bool) {
    let mut hooking = HOOKING.lock();
    let bits = bridge::enabled(engine);
    if hooking.stage == Stage::Broken || (bits == 0 && hooking.stage == Stage::Off) {
        return;
    }
    if hooking.stage == Stage::Off {
        match env.with_frame(32, || prepare(env, early)) {
            Some(Ok(stage)) => hooking.stage = stage,
            Some(Err(why)) => {
                hooking.stage = Stage::Broken;
                say_error("start", &why);
                return;
            }
            None => return,
        }
    }
    env.with_frame(16, || {
        if !bridge::push(env, engine) {
            say_error("change", "java.trilane.Trilane.changed threw: mode and switches may be those of before");
        }
    });
    let fresh = Table::global().install(bits);
    if fresh != 0 && hooking.stage == Stage::Hooking {
        hook_begun(env, &mut hooking, fresh, early);
    }
}

/// The first class of the application is there: from now on every class goes through the class hook.
pub(crate) fn application_begins(env: Env) {
    let mut hooking = HOOKING.lock();
    let (Some(jvmti), Stage::Expecting) = (jvmti(), hooking.stage) else { return };
    let switched = jvmti.notify(Event::ClassPrepare, false).and_then(|()| jvmti.notify(Event::ClassFileLoadHook, true));
    if let Err(error) = switched {
        hooking.stage = Stage::Broken;
        return say_error("start", &format!("{error}: nothing is hooked"));
    }
    hooking.stage = Stage::Hooking;
    hook_begun(env, &mut hooking, Table::global().installed(), true);
}

/// Brings libraries that were just switched in to the classes that are loaded already.
fn hook_begun(env: Env, hooking: &mut Hooking, libraries: u64, early: bool) {
    if !early {
        return hook_loaded(env, libraries, Loaded::All);
    }
    hooking.waits = true;
    hook_loaded(env, libraries & !Table::global().hand_over(), Loaded::OfTheApplication);
}

fn prepare(env: Env, early: bool) -> Result<Stage, String> {
    let jvmti = jvmti().ok_or("there is no JVMTI environment")?;
    bridge::claim(env).map_err(|error| match error {
        bridge::DefineError::AlreadyThere => {
            "another copy of the library is active in this VM: this one stays inert".to_owned()
        }
        bridge::DefineError::Refused(class) => format!("the VM refused the bridge class {class}: nothing is hooked"),
    })?;
    jvmti.allow_retransform().map_err(|error| format!("{error}: nothing is hooked"))?;
    let (event, stage) = match early && !the_application_is_there(env, jvmti) {
        true => (Event::ClassPrepare, Stage::Expecting),
        false => (Event::ClassFileLoadHook, Stage::Hooking),
    };
    if !early {
        wake(env);
    }
    jvmti.notify(event, true).map_err(|error| format!("{error}: nothing is hooked"))?;
    Ok(stage)
}

/// True where the VM's archive brought classes of the application in already, linked: no event tells of those.
fn the_application_is_there(env: Env, jvmti: Jvmti) -> bool {
    const OLDEST_THAT_LINKS: i32 = 24 << 16;
    // SAFETY: the environment belongs to this thread.
    if unsafe { call!(env, GetVersion) } < OLDEST_THAT_LINKS {
        return false;
    }
    let mut there = false;
    env.with_frame(64 * 1024, || {
        there = jvmti.loaded_classes(|class| there |= !jvmti.is_of_boot_loader(env, class)).is_err() || there;
    });
    there
}

/// Wakes the library that sleeps; gives the names of its classes.
fn wake(env: Env) -> Vec<&'static str> {
    match bridge::ensure(env, "ForkJoin") {
        Ok(()) => Table::global().wake(),
        Err(error) => {
            say_error("fork-join", &format!("the VM refused a bridge class ({error:?}): its library is not hooked"));
            Vec::new()
        }
    }
}

/// Sends the classes of these libraries that were loaded before now through the class hook.
fn hook_loaded(env: Env, libraries: u64, of: Loaded) {
    let Some(jvmti) = jvmti() else { return };
    // The VM makes a local reference for each loaded class: their number is not known before.
    env.with_frame(64 * 1024, || {
        let mut found: Vec<jclass> = Vec::new();
        let listed = jvmti.loaded_classes(|class| {
            // Asking for the loader costs a fraction of asking for the name.
            let wanted = of == Loaded::All || !jvmti.is_of_boot_loader(env, class);
            if wanted && jvmti.with_name(class, |name| Table::global().concerns(name, libraries)) == Some(true) {
                found.push(class);
                return;
            }
            // SAFETY: `class` is a local reference of this thread that nobody else holds.
            unsafe { call!(env, DeleteLocalRef, class) };
        });
        if let Err(error) = listed {
            say_error("hook", &format!("{error}: classes loaded before now are not hooked"));
        }
        retransform(jvmti, &found);
    });
}

fn retransform(jvmti: Jvmti, classes: &[jclass]) {
    if classes.is_empty() || jvmti.retransform(classes).is_ok() {
        return;
    }
    for class in classes {
        if let Err(error) = jvmti.retransform(&[*class]) {
            say_error("hook", &format!("{error}: one loaded class stays as it is"));
        }
    }
}

/// The first request of this process that has a tag: now hand-over has something to do.
pub(crate) fn first_tag(env: Env) {
    let mut hooking = HOOKING.lock(); // held to the end: a second first request waits until the classes are hooked
    if !std::mem::take(&mut hooking.waits) {
        return;
    }
    let table = Table::global();
    // Whoever is loading one of those that slept meanwhile is waited for: loaded, they are hooked with the others.
    env.with_frame(16, || {
        wake(env).into_iter().filter_map(|name| CString::new(name).ok()).for_each(|name| _ = env.find_class(&name));
    });
    hook_loaded(env, table.installed() & table.hand_over(), Loaded::All);
}

/// Cheap and rough: is more than one library of this name mapped? The VM is asked only then.
fn another_copy_is_mapped() -> bool {
    unsafe extern "C" fn count(info: *mut libc::dl_phdr_info, _size: usize, found: *mut c_void) -> libc::c_int {
        // SAFETY: the loader passes a live entry, and `found` is the counter below.
        unsafe {
            let name = (*info).dlpi_name;
            if !name.is_null() && std::ffi::CStr::from_ptr(name).to_bytes().windows(7).any(|w| w == b"trilane") {
                *found.cast::<u32>() += 1;
            }
        }
        0
    }
    let mut found = 0u32;
    // SAFETY: the callback fits the declaration and only touches `found`.
    unsafe { libc::dl_iterate_phdr(Some(count), (&raw mut found).cast()) };
    found > 1
}

/// The VM ends: Java is not touched any more.
pub(crate) fn ending() {
    ENDING.store(true, Ordering::Release);
}

/// The process's JVMTI environment.
pub(crate) fn jvmti() -> Option<Jvmti> {
    JVMTI.get().copied()
}

/// The engine, once there is one.
#[inline]
pub(crate) fn engine() -> Option<&'static Arc<Engine>> {
    ENGINE.get()
}

/// Says an error of the agent itself.
pub(crate) fn say_error(key: &str, message: &str) {
    match engine() {
        Some(engine) => engine.log(Level::Error, "TRL-401", key, message),
        None => eprintln!("trilane: error agent key={key} msg={message}"),
    }
}

/// Says once per class that a row did not match or a class could not be edited.
pub(crate) fn complain(complaint: &Complaint) {
    static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let Some(engine) = engine() else { return };
    engine.count(Counter::HookMissing);
    let key = format!("{}/{}", complaint.library, complaint.class);
    let line = format!("{key} {}", complaint.message);
    let mut said = SAID.lock();
    if said.len() >= 256 || said.contains(&line) {
        return;
    }
    engine.log(Level::Warn, "TRL-402", &key, &complaint.message);
    said.push(line);
}

/// Counts and says a panic that the boundary caught.
pub(crate) fn panicked(what: &'static str) {
    if let Some(engine) = engine() {
        engine.count(Counter::HookError);
        engine.log(Level::Error, "TRL-404", what, "a bug in trilane was caught: this call was left as it is");
    }
}
