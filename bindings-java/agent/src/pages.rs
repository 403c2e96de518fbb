//! Gives back what only the start needed.
//!
//! The kernel maps file pages in windows of 64 KB and more around each first touch, so that a start that runs through
//! a little of everything leaves most of the library in the host's resident memory. Its code and constants are clean
//! pages of the file: they are let go once after the start, and come back, from the page cache, where they are used.

use std::ffi::c_void;

/// Lets go of the library's own read-only segments. Whatever fails is left as it is: nothing depends on it.
pub(crate) fn let_go() {
    // SAFETY: the callback fits the declaration and is not kept.
    unsafe { libc::dl_iterate_phdr(Some(visit), std::ptr::null_mut()) };
}

unsafe extern "C" fn visit(info: *mut libc::dl_phdr_info, _size: usize, _data: *mut c_void) -> libc::c_int {
    // SAFETY: the loader passes a live entry with `dlpi_phnum` headers, for the time of this call.
    let (base, headers) = unsafe {
        let info = &*info;
        if info.dlpi_phdr.is_null() {
            return 0;
        }
        (info.dlpi_addr as usize, std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)))
    };
    let segments = headers.iter().filter(|h| h.p_type == libc::PT_LOAD);
    let here = (let_go as *const () as usize).wrapping_sub(base);
    if !segments.clone().any(|h| here.wrapping_sub(h.p_vaddr as usize) < h.p_memsz as usize) {
        return 0;
    }
    // SAFETY: a question without pointers.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.max(1) as usize;
    for segment in segments.filter(|h| h.p_flags & libc::PF_W == 0) {
        let start = (base + segment.p_vaddr as usize) & !(page - 1);
        let end = base + (segment.p_vaddr + segment.p_memsz) as usize;
        // SAFETY: a mapping of this library's file that is never written (no text relocations): what is dropped is
        // read again from the file, also under a thread that is running in it.
        unsafe { libc::madvise(start as *mut c_void, end - start, libc::MADV_DONTNEED) };
    }
    1
}

#[cfg(test)]
mod tests {
    #[test]
    fn code_and_constants_are_there_again_when_they_are_used() {
        let before = crate::table::Table::global().summary();
        super::let_go();
        assert_eq!(crate::table::Table::global().summary(), before);
    }
}
