//! The VFS: each call goes to the real one, past the watch of its folder. The only unsafe code.
//!
//! A file of ours is one allocation of SQLite's: our head, then the real VFS's file.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

use rusqlite::ffi::{
    SQLITE_CANTOPEN, SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_IOERR_READ, SQLITE_IOERR_TRUNCATE,
    SQLITE_IOERR_WRITE, SQLITE_OK, SQLITE_OPEN_CREATE, SQLITE_OPEN_MAIN_JOURNAL, SQLITE_OPEN_WAL,
    sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs, sqlite3_vfs_find,
    sqlite3_vfs_register,
};

use crate::watch::{Call, How, Watched};

/// The real VFS; set once, before ours is registered.
static REAL: AtomicPtr<sqlite3_vfs> = AtomicPtr::new(std::ptr::null_mut());

/// The head of a file of ours.
#[repr(C)]
struct Head {
    base: sqlite3_file,
    /// Boxed while the file is open; null if its folder is not watched.
    watched: *mut Watched,
    /// The first flush flushes the folder too, as the real VFS does for a new journal or log.
    flushes_folder: bool,
}

/// Room for the head; the real file behind it stays aligned as malloc aligned the whole.
const HEAD: usize = 64;
const _: () = assert!(size_of::<Head>() <= HEAD);

/// Registers it as the process's default.
pub(crate) fn install() {
    // SAFETY: plain calls of SQLite's C interface. `real` is the default VFS, which lives as long
    // as the process; ours is leaked, so it does too, and it is a copy whose other functions are
    // the real VFS's own, which read only the fields that were copied.
    unsafe {
        let real = sqlite3_vfs_find(std::ptr::null());
        assert!(!real.is_null(), "SQLite has a default VFS");
        REAL.store(real, Ordering::SeqCst);
        let mut ours: sqlite3_vfs = std::ptr::read(real);
        ours.szOsFile = HEAD as c_int + (*real).szOsFile;
        ours.zName = c"watched".as_ptr();
        ours.pNext = std::ptr::null_mut();
        ours.xOpen = Some(open);
        ours.xDelete = Some(delete);
        let registered = sqlite3_vfs_register(Box::into_raw(Box::new(ours)), 1);
        assert_eq!(registered, SQLITE_OK, "SQLite takes a VFS");
    }
}

fn vfs() -> *mut sqlite3_vfs {
    REAL.load(Ordering::SeqCst)
}

/// The watch of a path as SQLite has it: absolute, ended by a zero byte; null for temporary files.
///
/// # Safety
/// `path` is null or a C string.
unsafe fn watched_path(path: *const c_char) -> Option<Watched> {
    if path.is_null() {
        return None;
    }
    // SAFETY: not null, so a C string by this function's contract.
    Watched::find(unsafe { CStr::from_ptr(path) }.to_str().ok()?)
}

unsafe extern "C" fn open(
    _vfs: *mut sqlite3_vfs,
    path: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls with a file of szOsFile bytes, which begins with our head, and with a
    // C string or null; a file whose pMethods is null is not closed.
    unsafe {
        (*file).pMethods = std::ptr::null();
        let watched = watched_path(path);
        if watched.as_ref().is_some_and(|watched| watched.asked(Call::Open).is_some()) {
            return SQLITE_CANTOPEN;
        }
        let Some(real_open) = (*vfs()).xOpen else { return SQLITE_CANTOPEN };
        let opened = real_open(vfs(), path, real(file), flags, out);
        // The real VFS may leave methods behind although it failed; then it wants to be closed.
        if !(*real(file)).pMethods.is_null() {
            (*file).pMethods = &raw const METHODS.0;
            let watched = watched.map_or(std::ptr::null_mut(), |w| Box::into_raw(Box::new(w)));
            let head = file.cast::<Head>();
            (*head).watched = watched;
            let journal = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL;
            (*head).flushes_folder = flags & SQLITE_OPEN_CREATE != 0 && flags & journal != 0;
        }
        opened
    }
}

unsafe extern "C" fn delete(_vfs: *mut sqlite3_vfs, path: *const c_char, flush: c_int) -> c_int {
    // SAFETY: SQLite calls with a C string; the real function takes the same.
    unsafe {
        let Some(real_delete) = (*vfs()).xDelete else { return SQLITE_OK };
        let watched = watched_path(path);
        // A watched folder is not really flushed.
        let deleted = real_delete(vfs(), path, if watched.is_some() { 0 } else { flush });
        if deleted == SQLITE_OK
            && let Some(watched) = watched
        {
            watched.deleted();
            if flush != 0 {
                watched.folder_flushed();
            }
        }
        deleted
    }
}

/// The real file behind ours.
///
/// # Safety
/// `file` is a file of ours.
unsafe fn real(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: it has szOsFile bytes, of which the real file has those after our head.
    unsafe { file.cast::<u8>().add(HEAD).cast() }
}

/// # Safety
/// `file` is an open file of ours; the reference is not kept beyond the call.
unsafe fn watched<'a>(file: *mut sqlite3_file) -> Option<&'a Watched> {
    // SAFETY: `open` wrote the head; the box lives until `close`.
    unsafe { (*file.cast::<Head>()).watched.as_ref() }
}

/// A call that goes to the real file as it came.
macro_rules! passed_on {
    ($(fn $name:ident = $method:ident($($arg:ident: $kind:ty),*) -> c_int;)+) => {$(
        unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $arg: $kind)*) -> c_int {
            // SAFETY: SQLite calls with an open file of ours; its real file is open too.
            unsafe {
                match (*(*real(file)).pMethods).$method {
                    Some(method) => method(real(file) $(, $arg)*),
                    None => rusqlite::ffi::SQLITE_NOTFOUND,
                }
            }
        }
    )+};
}

passed_on! {
    fn real_close = xClose() -> c_int;
    fn real_read = xRead(to: *mut c_void, length: c_int, at: sqlite3_int64) -> c_int;
    fn real_write = xWrite(from: *const c_void, length: c_int, at: sqlite3_int64) -> c_int;
    fn real_truncate = xTruncate(length: sqlite3_int64) -> c_int;
    fn real_flush = xSync(flags: c_int) -> c_int;
    fn file_size = xFileSize(size: *mut sqlite3_int64) -> c_int;
    fn lock = xLock(level: c_int) -> c_int;
    fn unlock = xUnlock(level: c_int) -> c_int;
    fn is_reserved = xCheckReservedLock(answer: *mut c_int) -> c_int;
    fn control = xFileControl(code: c_int, argument: *mut c_void) -> c_int;
    fn sector_size = xSectorSize() -> c_int;
    fn characteristics = xDeviceCharacteristics() -> c_int;
    fn memory_map = xShmMap(page: c_int, size: c_int, extend: c_int, to: *mut *mut c_void) -> c_int;
    fn memory_lock = xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int;
    fn memory_unmap = xShmUnmap(delete: c_int) -> c_int;
}

unsafe extern "C" fn memory_barrier(file: *mut sqlite3_file) {
    // SAFETY: as for the calls that are passed on.
    unsafe {
        if let Some(barrier) = (*(*real(file)).pMethods).xShmBarrier {
            barrier(real(file));
        }
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes an open file once; the box was made by `open` and is not used after.
    unsafe {
        let watched = (*file.cast::<Head>()).watched;
        if !watched.is_null() {
            drop(Box::from_raw(watched));
        }
        real_close(file)
    }
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    to: *mut c_void,
    length: c_int,
    at: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite calls with an open file of ours; the rest is passed on.
    unsafe {
        match watched(file).and_then(|watched| watched.asked(Call::Read)) {
            Some(_) => SQLITE_IOERR_READ,
            None => real_read(file, to, length, at),
        }
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    length: c_int,
    at: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite calls with an open file of ours and `length` readable bytes at `from`.
    unsafe {
        let Some(watched) = watched(file) else { return real_write(file, from, length, at) };
        let fault = watched.asked(Call::Write);
        // What does not fit arrives by half.
        let arrives = if fault.is_some() { length / 2 } else { length };
        if arrives > 0 {
            let written = real_write(file, from, arrives, at);
            if written != SQLITE_OK {
                return written;
            }
            let bytes = std::slice::from_raw_parts(from.cast::<u8>(), arrives as usize);
            watched.written(at as u64, bytes);
        }
        match fault {
            None => SQLITE_OK,
            Some(How::Full) => SQLITE_FULL,
            Some(How::Io) => SQLITE_IOERR_WRITE,
        }
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, length: sqlite3_int64) -> c_int {
    // SAFETY: SQLite calls with an open file of ours; the rest is passed on.
    unsafe {
        let Some(watched) = watched(file) else { return real_truncate(file, length) };
        if watched.asked(Call::Truncate).is_some() {
            return SQLITE_IOERR_TRUNCATE;
        }
        let done = real_truncate(file, length);
        if done == SQLITE_OK {
            watched.truncated(length as u64);
        }
        done
    }
}

unsafe extern "C" fn flush(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: SQLite calls with an open file of ours; the rest is passed on.
    unsafe {
        let Some(watched) = watched(file) else { return real_flush(file, flags) };
        if watched.asked(Call::Flush).is_some() {
            return SQLITE_IOERR_FSYNC;
        }
        watched.flushed();
        let head = file.cast::<Head>();
        if std::mem::take(&mut (*head).flushes_folder) {
            watched.folder_flushed();
        }
        SQLITE_OK
    }
}

struct Methods(sqlite3_io_methods);

// SAFETY: a table of functions and a version, never written.
unsafe impl Sync for Methods {}

/// Version 2: no memory maps of files, which would go past us.
static METHODS: Methods = Methods(sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(flush),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(is_reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(memory_map),
    xShmLock: Some(memory_lock),
    xShmBarrier: Some(memory_barrier),
    xShmUnmap: Some(memory_unmap),
    xFetch: None,
    xUnfetch: None,
});
