//! The few helpers over the raw JNI table that the natives need, and their one boundary.

use bytes::Bytes;
use jni_sys::{JNIEnv, jbyteArray, jobject};
use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls a function of the JNI table of version 1.6.
macro_rules! call {
    ($env:expr, $name:ident $(, $arg:expr)*) => {
        ((**$env.0).v1_6.$name)($env.0 $(, $arg)*)
    };
}

/// The JNI environment of the current thread.
#[derive(Clone, Copy)]
pub(crate) struct Env(pub *mut JNIEnv);

/// Runs one native: no panic passes it, `fallback` is what the VM gets then.
pub(crate) fn boundary<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(fallback)
}

impl Env {
    /// A copy of a byte array; empty for null.
    pub fn bytes(self, array: jbyteArray) -> Vec<u8> {
        if array.is_null() {
            return Vec::new();
        }
        // SAFETY: `array` is a live byte array; the VM writes exactly its length into the vector's room.
        unsafe {
            let length = call!(self, GetArrayLength, array);
            let mut copy: Vec<u8> = Vec::with_capacity(length as usize);
            call!(self, GetByteArrayRegion, array, 0, length, copy.as_mut_ptr().cast());
            copy.set_len(length as usize);
            copy
        }
    }

    /// [`Env::bytes`] as a message.
    pub fn message(self, array: jbyteArray) -> Bytes {
        Bytes::from(self.bytes(array))
    }

    /// Where a direct buffer's bytes are, and how many; `None` if it is none.
    pub fn direct(self, buffer: jobject) -> Option<(*mut u8, usize)> {
        // SAFETY: `buffer` is a live reference or null, for which the VM answers null.
        let (address, capacity) =
            unsafe { (call!(self, GetDirectBufferAddress, buffer), call!(self, GetDirectBufferCapacity, buffer)) };
        let capacity = usize::try_from(capacity).ok()?;
        (!address.is_null()).then_some((address.cast(), capacity))
    }

    /// Leaves an `IllegalArgumentException` for the caller.
    pub fn throw(self, why: &str) {
        let Ok(why) = CString::new(why.replace('\0', " ")) else { return };
        // SAFETY: the environment belongs to this thread; both texts are zero-terminated.
        unsafe {
            let class = call!(self, FindClass, c"java/lang/IllegalArgumentException".as_ptr());
            if !class.is_null() {
                call!(self, ThrowNew, class, why.as_ptr());
            }
        }
    }
}
