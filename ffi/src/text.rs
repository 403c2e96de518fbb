//! Texts and arrays that cross the boundary.

/// A text: UTF-8, not NUL-terminated. `ptr` may be NULL, which means absent.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct TrilaneStr {
    /// First byte.
    pub ptr: *const u8,
    /// Number of bytes.
    pub len: usize,
}

impl TrilaneStr {
    pub(crate) fn of(text: &str) -> TrilaneStr {
        TrilaneStr { ptr: text.as_ptr(), len: text.len() }
    }

    /// The bytes, `None` when absent.
    ///
    /// # Safety
    /// `ptr` is NULL or points to `len` bytes that nobody changes for `'a`.
    pub(crate) unsafe fn bytes<'a>(self) -> Option<&'a [u8]> {
        // SAFETY: see above; slices longer than isize::MAX are refused by `array`.
        (!self.ptr.is_null()).then(|| unsafe { array(self.ptr, self.len) })
    }

    /// The text, empty when absent; `None` when it is not UTF-8.
    ///
    /// # Safety
    /// As for [`TrilaneStr::bytes`].
    pub(crate) unsafe fn text<'a>(self) -> Option<&'a str> {
        // SAFETY: handed on to the caller.
        str::from_utf8(unsafe { self.bytes() }.unwrap_or_default()).ok()
    }
}

/// A caller's array; empty when the pointer is NULL or the length cannot be one.
///
/// # Safety
/// `ptr` is NULL, or aligned and points to `len` values that nobody changes for `'a`.
pub(crate) unsafe fn array<'a, T>(ptr: *const T, len: usize) -> &'a [T] {
    let fits = len.checked_mul(size_of::<T>().max(1)).is_some_and(|bytes| bytes <= isize::MAX as usize);
    if ptr.is_null() || !fits {
        return &[];
    }
    // SAFETY: not NULL, within isize::MAX; the rest is the caller's promise.
    unsafe { std::slice::from_raw_parts(ptr, len) }
}

/// Copies as much as fits and returns how much there is.
///
/// # Safety
/// `out` is NULL, or points to `capacity` values that may be written.
pub(crate) unsafe fn fill<T: Copy>(values: &[T], out: *mut T, capacity: usize) -> usize {
    if !out.is_null() {
        // SAFETY: at most `capacity` values are written, and a fresh copy does not overlap the caller's buffer.
        unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), out, values.len().min(capacity)) };
    }
    values.len()
}
