//! What properties have in common: texts, files, and memory that the input pays for.

use std::cell::OnceCell;
use std::io::Write;
use std::path::Path;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tempfile::NamedTempFile;
use tilesight_heap::peak;

/// Bytes that any input may take.
pub(crate) const FREE_BYTES: usize = 1 << 20;

/// The text that bytes are, if they are one.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes).ok()
}

/// Calls a parser with a file of these bytes.
pub(crate) fn in_file<T>(bytes: &[u8], parse: impl FnOnce(&Path) -> T) -> T {
    let mut file = temporary_file();
    file.write_all(bytes).unwrap();
    parse(file.path())
}

/// An empty file, in memory where the system has such files: a disk takes longer to make one and to
/// take it away than a parser takes to read it.
pub(crate) fn temporary_file() -> NamedTempFile {
    let in_memory = NamedTempFile::new_in("/dev/shm");
    in_memory.or_else(|_| NamedTempFile::new()).unwrap()
}

/// Calls a parser and holds it to so many bytes of memory, and to those that any input may take.
pub(crate) fn within<T>(paid_for: usize, parse: impl FnOnce() -> T) -> T {
    on_one_thread();
    let (result, held) = peak(parse);
    assert!(
        held <= paid_for + FREE_BYTES,
        "{held} bytes of memory, {paid_for} paid for"
    );
    result
}

/// Keeps parallel work on the thread that asks for it, whose memory is counted.
pub(crate) fn on_one_thread() {
    thread_local! {
        static POOL: OnceCell<ThreadPool> = const { OnceCell::new() };
    }
    POOL.with(|pool| {
        pool.get_or_init(|| {
            let builder = ThreadPoolBuilder::new().num_threads(1);
            builder.use_current_thread().build().unwrap()
        });
    });
}
