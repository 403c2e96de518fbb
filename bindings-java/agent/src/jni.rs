//! Small helpers over the raw JNI table. Each leaves no exception pending.

use std::ffi::{CStr, CString, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use jni_sys::{
    JNI_OK, JNI_VERSION_1_6, JNIEnv, JNINativeMethod, JavaVM, jboolean, jbyte, jbyteArray, jclass, jmethodID, jobject,
    jobjectArray, jsize, jstring, jvalue,
};

/// The VM of this process, once a start has seen it.
static VM: AtomicPtr<JavaVM> = AtomicPtr::new(ptr::null_mut());

/// Calls a function of the JNI table of version 1.6.
macro_rules! call {
    ($env:expr, $name:ident $(, $arg:expr)*) => {
        ((**$env.0).v1_6.$name)($env.0 $(, $arg)*)
    };
}
pub(crate) use call;

/// The JNI environment of the current thread.
#[derive(Clone, Copy)]
pub(crate) struct Env(pub *mut JNIEnv);

/// Remembers the VM for threads of our own.
pub(crate) fn remember_vm(vm: *mut JavaVM) {
    VM.store(vm, Ordering::Release);
}

impl Env {
    /// The environment of a thread that is attached already.
    pub(crate) fn current() -> Option<Env> {
        let vm = VM.load(Ordering::Acquire);
        if vm.is_null() {
            return None;
        }
        let mut env: *mut c_void = ptr::null_mut();
        // SAFETY: `vm` was given to an export by the VM and lives as long as the process.
        let code = unsafe { ((**vm).v1_2.GetEnv)(vm, &mut env, JNI_VERSION_1_6) };
        (code == JNI_OK).then_some(Env(env.cast()))
    }

    /// Attaches the current thread as a daemon: the VM does not wait for it at its end.
    pub(crate) fn attach_daemon(name: &CStr) -> Option<Env> {
        if let Some(env) = Env::current() {
            return Some(env);
        }
        let vm = VM.load(Ordering::Acquire);
        if vm.is_null() {
            return None;
        }
        let mut args = jni_sys::JavaVMAttachArgs {
            version: JNI_VERSION_1_6,
            name: name.as_ptr().cast_mut(),
            group: ptr::null_mut(),
        };
        let mut env: *mut c_void = ptr::null_mut();
        // SAFETY: `vm` is live; the VM copies the name.
        let code = unsafe { ((**vm).v1_4.AttachCurrentThreadAsDaemon)(vm, &mut env, ptr::from_mut(&mut args).cast()) };
        (code == JNI_OK).then_some(Env(env.cast()))
    }

    /// Clears a pending exception; true if there was one.
    pub(crate) fn clear_exception(self) -> bool {
        // SAFETY: the environment belongs to this thread.
        unsafe {
            if !call!(self, ExceptionCheck) {
                return false;
            }
            call!(self, ExceptionClear);
        }
        true
    }

    /// Runs `body` with room for local references, all of which are gone afterwards.
    pub(crate) fn with_frame<T>(self, capacity: i32, body: impl FnOnce() -> T) -> Option<T> {
        // SAFETY: the environment belongs to this thread; push and pop are paired, also when `body` panics is not
        // needed: the native's own frame is popped by the VM when the boundary returns.
        unsafe {
            if call!(self, PushLocalFrame, capacity) != JNI_OK {
                self.clear_exception();
                return None;
            }
            let value = body();
            call!(self, PopLocalFrame, ptr::null_mut());
            Some(value)
        }
    }

    /// A class that the boot loader knows or that is ours.
    pub(crate) fn find_class(self, name: &CStr) -> Option<jclass> {
        // SAFETY: the environment belongs to this thread; `name` is zero-terminated.
        let class = unsafe { call!(self, FindClass, name.as_ptr()) };
        (!self.clear_exception() && !class.is_null()).then_some(class)
    }

    /// Defines a class in a class loader, null for the boot loader. `None` if the VM refused it, for example because
    /// it is there already.
    pub(crate) fn define(self, name: &CStr, loader: jobject, bytes: &[u8]) -> Option<jclass> {
        let len = jsize::try_from(bytes.len()).ok()?;
        // SAFETY: the environment belongs to this thread; `loader` is null or a live reference; the VM copies the bytes.
        let class = unsafe { call!(self, DefineClass, name.as_ptr(), loader, bytes.as_ptr().cast::<jbyte>(), len) };
        (!self.clear_exception() && !class.is_null()).then_some(class)
    }

    /// Binds natives to a class.
    pub(crate) fn register(self, class: jclass, methods: &[JNINativeMethod]) -> bool {
        // SAFETY: every entry names a function of the signature it declares; see `natives::METHODS`.
        let code = unsafe { call!(self, RegisterNatives, class, methods.as_ptr(), methods.len() as jsize) };
        !self.clear_exception() && code == JNI_OK
    }

    /// A static method of `class`.
    pub(crate) fn static_method(self, class: jclass, name: &CStr, signature: &CStr) -> Option<jmethodID> {
        // SAFETY: the environment belongs to this thread; both strings are zero-terminated.
        let id = unsafe { call!(self, GetStaticMethodID, class, name.as_ptr(), signature.as_ptr()) };
        (!self.clear_exception() && !id.is_null()).then_some(id)
    }

    /// Calls a static void method. The caller's `args` must fit its signature.
    ///
    /// # Safety
    /// `method` must be a static void method of `class` that takes exactly `args`.
    pub(crate) unsafe fn call_static_void(self, class: jclass, method: jmethodID, args: &[jvalue]) -> bool {
        // SAFETY: promised by the caller.
        unsafe { call!(self, CallStaticVoidMethodA, class, method, args.as_ptr()) };
        !self.clear_exception()
    }

    /// The module that a class is in (JDK 9 and later).
    pub(crate) fn module_of(self, class: jclass) -> Option<jobject> {
        let class_class = self.find_class(c"java/lang/Class")?;
        // SAFETY: `Class.getModule()` takes nothing and returns an object; a missing method leaves an exception.
        unsafe {
            let get = call!(self, GetMethodID, class_class, c"getModule".as_ptr(), c"()Ljava/lang/Module;".as_ptr());
            if self.clear_exception() || get.is_null() {
                return None;
            }
            let module = call!(self, CallObjectMethodA, class, get, ptr::null());
            (!self.clear_exception() && !module.is_null()).then_some(module)
        }
    }

    /// A Java string made of UTF-8 text that has no zero byte and no character outside the basic plane.
    pub(crate) fn new_string(self, text: &str) -> jstring {
        let Ok(text) = CString::new(text) else { return ptr::null_mut() };
        // SAFETY: the environment belongs to this thread; the text is zero-terminated.
        let string = unsafe { call!(self, NewStringUTF, text.as_ptr()) };
        if self.clear_exception() { ptr::null_mut() } else { string }
    }

    /// The text of a Java string; a lone surrogate becomes U+FFFD. `None` for null.
    pub(crate) fn string(self, string: jstring) -> Option<String> {
        if string.is_null() {
            return None;
        }
        // SAFETY: `string` is a live string; the region is within its length.
        let units = unsafe {
            let len = call!(self, GetStringLength, string);
            let mut units = vec![0u16; len.max(0) as usize];
            call!(self, GetStringRegion, string, 0, len, units.as_mut_ptr());
            units
        };
        if self.clear_exception() { None } else { Some(String::from_utf16_lossy(&units)) }
    }

    /// Gives the text of a short string to `body` without allocating; longer ones go by the heap.
    #[inline]
    pub(crate) fn with_short_string<T>(self, string: jstring, body: impl FnOnce(&[u8]) -> T) -> Option<T> {
        const UNITS: usize = 255;
        if string.is_null() {
            return None;
        }
        let mut buffer = [0u8; UNITS * 3 + 1];
        // SAFETY: `string` is a live string; its modified UTF-8 form is at most three bytes a unit.
        unsafe {
            let units = call!(self, GetStringLength, string);
            if units as usize > UNITS {
                return self.string(string).map(|text| body(text.as_bytes()));
            }
            call!(self, GetStringUTFRegion, string, 0, units, buffer.as_mut_ptr().cast());
            let len = call!(self, GetStringUTFLength, string) as usize;
            Some(body(&buffer[..len.min(UNITS * 3)]))
        }
    }

    /// Gives the bytes of an array to `body`: copied to the stack when short, to the heap when not.
    #[inline]
    pub(crate) fn with_bytes<T>(self, array: jbyteArray, body: impl FnOnce(&[u8]) -> T) -> Option<T> {
        const SHORT: usize = 1024;
        if array.is_null() {
            return None;
        }
        // SAFETY: `array` is a live byte array; the region is within its length and within the buffer.
        unsafe {
            let len = call!(self, GetArrayLength, array);
            if len as usize <= SHORT {
                let mut buffer = std::mem::MaybeUninit::<[u8; SHORT]>::uninit();
                call!(self, GetByteArrayRegion, array, 0, len, buffer.as_mut_ptr().cast());
                return Some(body(std::slice::from_raw_parts(buffer.as_ptr().cast(), len as usize)));
            }
            let mut long = vec![0u8; len as usize];
            call!(self, GetByteArrayRegion, array, 0, len, long.as_mut_ptr().cast());
            Some(body(&long))
        }
    }

    /// A `String[]`; null if the VM has no memory left.
    pub(crate) fn new_strings<'a>(self, texts: impl ExactSizeIterator<Item = &'a str>) -> jobjectArray {
        let Some(class) = self.find_class(c"java/lang/String") else { return ptr::null_mut() };
        // SAFETY: the environment belongs to this thread; indices stay within the array.
        unsafe {
            let array = call!(self, NewObjectArray, texts.len() as jsize, class, ptr::null_mut());
            if self.clear_exception() || array.is_null() {
                return ptr::null_mut();
            }
            for (i, text) in texts.enumerate() {
                let string = self.new_string(text);
                call!(self, SetObjectArrayElement, array, i as jsize, string);
                call!(self, DeleteLocalRef, string);
            }
            array
        }
    }
}

/// A Java boolean as the VM passes it.
pub(crate) fn truth(value: jboolean) -> bool {
    value
}
