//! Engines: start, free, ask.

use crate::error::{TrilaneError, TrilaneStatus, live_errors, refuse};
use crate::text::{TrilaneStr, fill};
use crate::{TRILANE_ABI_VERSION, boundary};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use trilane_engine::{Counter, Engine, Level, Options, TagId};

/// An engine. The default one lives as long as the process.
pub struct TrilaneEngine {
    pub(crate) engine: Arc<Engine>,
    /// Names handed out by pointer: they live as long as the engine. Bounded by what settings and rule files name.
    names: Mutex<BTreeMap<String, ()>>,
}

/// What a start may be told. Set `struct_size` to `sizeof(trilane_options)` and the rest to zero or a value.
#[repr(C)]
pub struct TrilaneOptions {
    /// `sizeof(trilane_options)`.
    pub struct_size: usize,
    /// Settings, `k=v,k=v`; they come before every other place.
    pub settings: TrilaneStr,
    /// `c` or `go`: said in the start line.
    pub binding: TrilaneStr,
    /// Whether loading was the switch: takes part also without a tag, a mode or a rule file.
    pub explicit_start: bool,
    /// Whether settings are read from the environment and the pod's files too.
    pub read_environment: bool,
}

static DEFAULT: OnceLock<TrilaneEngine> = OnceLock::new();
static LIVE_ENGINES: AtomicI64 = AtomicI64::new(0);

impl TrilaneEngine {
    fn new(engine: Arc<Engine>) -> TrilaneEngine {
        LIVE_ENGINES.fetch_add(1, Ordering::Relaxed);
        TrilaneEngine { engine, names: Mutex::default() }
    }

    /// A text with the engine's own life.
    pub(crate) fn keep(&self, name: &str) -> TrilaneStr {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let key = names.get_key_value(name).map(|(key, ())| TrilaneStr::of(key));
        key.unwrap_or_else(|| {
            let owned = name.to_string();
            // The heap bytes of a String stay where they are when the String itself moves into the map.
            let text = TrilaneStr::of(&owned);
            names.insert(owned, ());
            text
        })
    }
}

impl Drop for TrilaneEngine {
    fn drop(&mut self) {
        LIVE_ENGINES.fetch_sub(1, Ordering::Relaxed);
    }
}

fn options(raw: Option<&TrilaneOptions>) -> Result<Options, (TrilaneStatus, String)> {
    let Some(raw) = raw else {
        return Ok(Options { binding: "c", read_environment: true, ..Options::default() });
    };
    if raw.struct_size != size_of::<TrilaneOptions>() {
        let (given, ours) = (raw.struct_size, size_of::<TrilaneOptions>());
        let why = format!("struct_size is {given}, this library knows {ours}: set it to sizeof(trilane_options)");
        return Err((TrilaneStatus::BadStruct, why));
    }
    // SAFETY: the caller keeps the texts of its options alive and unchanged during the call.
    let (settings, binding) = unsafe { (raw.settings.text(), raw.binding.text()) };
    let (Some(settings), Some(binding)) = (settings, binding) else {
        return Err((TrilaneStatus::NotUtf8, "settings or binding is not UTF-8".into()));
    };
    Ok(Options {
        agent_option: settings.to_string(),
        properties: Vec::new(),
        explicit: raw.explicit_start,
        binding: if binding == "go" { "go" } else { "c" },
        read_environment: raw.read_environment,
        other_agents: Vec::new(),
    })
}

/// The ABI's number. A binding compares it with the header's `TRILANE_ABI_VERSION` before any other call.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_abi_version() -> u32 {
    boundary(0, || TRILANE_ABI_VERSION)
}

/// Writes the library's version, `1.2.3`, and returns its length.
///
/// # Safety
/// `out` is NULL or has room for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_version(out: *mut u8, capacity: usize) -> usize {
    // SAFETY: the caller's promise about `out`.
    boundary(0, || unsafe { fill(trilane_engine::VERSION.as_bytes(), out, capacity) })
}

/// The process's one engine; started by the first caller with its options, found by all others. Never freed.
///
/// # Safety
/// The texts in `options` are valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_engine_default(
    options: Option<&TrilaneOptions>,
    engine_out: Option<&mut *const TrilaneEngine>,
    error_out: Option<&mut *mut TrilaneError>,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        let Some(out) = engine_out else { return TrilaneStatus::NullArgument };
        match self::options(options) {
            Ok(options) => {
                *out = DEFAULT.get_or_init(|| TrilaneEngine::new(Engine::default_or_start(options)));
                TrilaneStatus::Ok
            }
            Err((status, why)) => refuse(error_out, status, why),
        }
    })
}

/// An engine of its own, for tests and for programs with several worlds. Freed by `trilane_engine_free`.
///
/// # Safety
/// The texts in `options` are valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_engine_new(
    options: Option<&TrilaneOptions>,
    engine_out: Option<&mut *mut TrilaneEngine>,
    error_out: Option<&mut *mut TrilaneError>,
) -> TrilaneStatus {
    boundary(TrilaneStatus::Internal, || {
        let Some(out) = engine_out else { return TrilaneStatus::NullArgument };
        match self::options(options) {
            Ok(options) => {
                *out = Box::into_raw(Box::new(TrilaneEngine::new(Engine::start(options))));
                TrilaneStatus::Ok
            }
            Err((status, why)) => refuse(error_out, status, why),
        }
    })
}

/// Frees an engine of `trilane_engine_new`, with its lists. NULL is allowed; no call on it may still be running.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_engine_free(engine: Option<Box<TrilaneEngine>>) {
    boundary((), || drop(engine));
}

/// What holds now: 0 off, 1 observe, 2 on. NULL is off.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_mode(engine: Option<&TrilaneEngine>) -> u32 {
    boundary(0, || engine.map_or(0, |e| e.engine.mode() as u32))
}

/// Whether the hooks of this library act, by mode and switches.
///
/// # Safety
/// `library` is valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_hook_enabled(engine: Option<&TrilaneEngine>, library: TrilaneStr) -> bool {
    boundary(false, || {
        // SAFETY: the caller's promise about `library`.
        let library = unsafe { library.text() };
        engine.zip(library).is_some_and(|(e, library)| e.engine.hook_enabled(library))
    })
}

/// Writes this process's tag, empty for the baseline, and returns its length.
///
/// # Safety
/// `out` is NULL or has room for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_own_tag(engine: Option<&TrilaneEngine>, out: *mut u8, capacity: usize) -> usize {
    boundary(0, || {
        let tag = engine.map_or("", |e| e.engine.own_tag());
        // SAFETY: the caller's promise about `out`.
        unsafe { fill(tag.as_bytes(), out, capacity) }
    })
}

/// The number of a request's tag: 0 when it is no tag, 65535 when nobody named it.
///
/// # Safety
/// `tag` is valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_tag_find(engine: Option<&TrilaneEngine>, tag: TrilaneStr) -> u32 {
    boundary(0, || {
        // SAFETY: the caller's promise about `tag`.
        let tag = unsafe { tag.bytes() };
        engine.zip(tag).map_or(0, |(e, tag)| u32::from(e.engine.tag_find(tag).0))
    })
}

/// Writes the text of a tag's number and returns its length; 0 for the baseline, the unknown and no such number.
///
/// # Safety
/// `out` is NULL or has room for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_tag_name(
    engine: Option<&TrilaneEngine>,
    tag: u32,
    out: *mut u8,
    capacity: usize,
) -> usize {
    boundary(0, || {
        let id = u16::try_from(tag).ok().map(TagId);
        let name = engine.zip(id).and_then(|(e, id)| e.engine.tag_name(id));
        // SAFETY: the caller's promise about `out`.
        name.map_or(0, |name| unsafe { fill(name.as_bytes(), out, capacity) })
    })
}

/// Tells the engine the service's own name, where no setting gives one.
///
/// # Safety
/// `name` is valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_learn_service(engine: Option<&TrilaneEngine>, name: TrilaneStr) {
    boundary((), || {
        // SAFETY: the caller's promise about `name`.
        let name = unsafe { name.text() };
        if let Some((e, name)) = engine.zip(name) {
            e.engine.learn_service(name);
        }
    });
}

/// Prints the start line; `hooks` is the binding's own account of what is hooked.
///
/// # Safety
/// `hooks` is valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_start_line(engine: Option<&TrilaneEngine>, hooks: TrilaneStr) {
    boundary((), || {
        // SAFETY: the caller's promise about `hooks`.
        let hooks = unsafe { hooks.text() };
        if let Some((e, hooks)) = engine.zip(hooks) {
            e.engine.start_line(hooks);
        }
    });
}

/// Says a line: level 0 error, 1 warn, 2 info; the same code and key at most once a minute.
///
/// # Safety
/// All texts are valid for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_log(
    engine: Option<&TrilaneEngine>,
    level: u32,
    code: TrilaneStr,
    key: TrilaneStr,
    message: TrilaneStr,
) {
    boundary((), || {
        let level = [Level::Error, Level::Warn].get(level as usize).copied().unwrap_or(Level::Info);
        // SAFETY: the caller's promise about the texts.
        let texts = unsafe { (code.text(), key.text(), message.text()) };
        if let (Some(e), (Some(code), Some(key), Some(message))) = (engine, texts) {
            e.engine.log(level, code, key, message);
        }
    });
}

/// Writes the name of a counter, `fallback_noinstances`, and returns its length; 0 when there is none of that number.
/// Numbers begin at 0 and have no gap. Names are stable, numbers belong to one version of the library.
///
/// # Safety
/// `out` is NULL or has room for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trilane_counter_name(counter: u32, out: *mut u8, capacity: usize) -> usize {
    boundary(0, || {
        let name = trilane_engine::count::ALL.get(counter as usize).map_or("", |(_, name)| name);
        // SAFETY: the caller's promise about `out`.
        unsafe { fill(name.as_bytes(), out, capacity) }
    })
}

/// How often something was counted; `trilane_counter_name` tells what. 0 for others.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_counted(engine: Option<&TrilaneEngine>, counter: u32) -> u64 {
    boundary(0, || {
        let counter: Option<Counter> = trilane_engine::count::ALL.get(counter as usize).map(|(c, _)| *c);
        engine.zip(counter).map_or(0, |(e, counter)| e.engine.counted(counter))
    })
}

/// How many handles live: 0 engines, 1 lists of this engine, 2 errors. A test's end finds what it began with.
#[unsafe(no_mangle)]
pub extern "C" fn trilane_live(engine: Option<&TrilaneEngine>, kind: u32) -> i64 {
    boundary(-1, || match kind {
        0 => LIVE_ENGINES.load(Ordering::Relaxed),
        1 => engine.map_or(0, |e| e.engine.live_lists().len() as i64),
        2 => live_errors(),
        _ => -1,
    })
}
