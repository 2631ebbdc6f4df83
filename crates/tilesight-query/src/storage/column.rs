//! Arrays of plain values that lie in memory or in a file. The only unsafe code there is.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Deref;
use std::sync::Arc;

use bytemuck::{NoUninit, Pod};
use memmap2::Mmap;

#[cfg(target_endian = "big")]
compile_error!("dataset files are little-endian and are read in place");

/// The bytes of a whole file, which do not change while it is open.
pub(crate) enum FileBytes {
    /// Mapped: pages are read as they are touched.
    Mapped(Mmap),
    /// Read into memory, in whole words so that columns are aligned; and how many bytes it has.
    Read(Vec<u64>, usize),
}

impl FileBytes {
    /// Maps a file.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    #[expect(
        unsafe_code,
        reason = "a file can only be mapped by promising that nobody changes it"
    )]
    pub(crate) fn map(file: &File) -> io::Result<Self> {
        // Benefit: opening takes microseconds, and memory holds only what questions touch.
        // SAFETY: dataset files are written under another name, never changed afterwards, and
        // replaced by renaming, which leaves the mapped file as it was. Another program that
        // cuts a file short while it is mapped is outside of what can be promised; see
        // docs/format.md, and `Io::Read` for those who cannot rule it out.
        unsafe { Mmap::map(file) }.map(Self::Mapped)
    }

    /// Reads a file of `len` bytes into memory.
    ///
    /// # Errors
    ///
    /// What the operating system says; [`io::ErrorKind::UnexpectedEof`] where it is shorter.
    pub(crate) fn read(mut file: &File, len: usize) -> io::Result<Self> {
        let mut words = vec![0u64; len.div_ceil(size_of::<u64>())];
        file.read_exact(&mut bytemuck::cast_slice_mut(&mut words)[..len])?;
        Ok(Self::Read(words, len))
    }

    /// Asks the system for some of these bytes, which will be read soon, and for no others: what it
    /// reads around a page of its own accord may be megabytes. A hint.
    pub(crate) fn will_need(&self, bytes: &[u8]) {
        #[cfg(unix)]
        if let Self::Mapped(map) = self {
            let place = (bytes.as_ptr() as usize).checked_sub(map.as_ptr() as usize);
            let offset = place.filter(|offset| offset + bytes.len() <= map.len());
            let _ = offset
                .map(|offset| map.advise_range(memmap2::Advice::WillNeed, offset, bytes.len()));
        }
        #[cfg(not(unix))]
        let _ = bytes;
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Read(words, len) => &bytemuck::cast_slice(words)[..*len],
        }
    }
}

impl fmt::Debug for FileBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a file of {} bytes", self.as_slice().len())
    }
}

/// An array that is shared and never changes: a vector's, or a part of a file.
pub(crate) struct Column<T> {
    start: *const T,
    len: usize,
    owner: Owner<T>,
}

/// What keeps the memory of a column alive.
enum Owner<T> {
    Vector(Arc<Vec<T>>),
    File(Arc<FileBytes>),
}

#[expect(
    unsafe_code,
    reason = "raw pointers are not Send; the slice they stand for is"
)]
// SAFETY: a column is a shared slice of values that can be sent and shared, and an `Arc` of what
// holds them.
unsafe impl<T: Send + Sync> Send for Column<T> {}

#[expect(
    unsafe_code,
    reason = "raw pointers are not Sync; the slice they stand for is"
)]
// SAFETY: as for `Send`: there is no way to change anything through a column.
unsafe impl<T: Send + Sync> Sync for Column<T> {}

impl<T> From<Vec<T>> for Column<T> {
    fn from(values: Vec<T>) -> Self {
        let values = Arc::new(values);
        Self {
            start: values.as_ptr(),
            len: values.len(),
            owner: Owner::Vector(values),
        }
    }
}

impl<T: Pod> Column<T> {
    /// `len` values that lie in a file from byte `offset` on; none where the file is shorter or
    /// the place not aligned.
    pub(crate) fn of_file(file: &Arc<FileBytes>, offset: usize, len: usize) -> Option<Self> {
        let beyond = len.checked_mul(size_of::<T>())?.checked_add(offset)?;
        let bytes = file.as_slice().get(offset..beyond)?;
        let values: &[T] = bytemuck::try_cast_slice(bytes).ok()?;
        Some(Self {
            start: values.as_ptr(),
            len: values.len(),
            owner: Owner::File(file.clone()),
        })
    }
}

impl<T> Deref for Column<T> {
    type Target = [T];

    #[expect(
        unsafe_code,
        reason = "columns are read in the innermost loops of every question"
    )]
    #[inline]
    fn deref(&self) -> &[T] {
        // Benefit: no check of alignment and length at each of a question's hundreds of reads.
        // SAFETY: `start` and `len` are those of a slice of `owner`'s: of a vector that nobody
        // else can reach, or of a file's bytes, cast by checked means to a type of which all bit
        // patterns are values. `owner` lives as long as the column, never moves what it holds
        // (both keep it on the heap or in a mapping), and is never handed out to be changed.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl<T> Clone for Column<T> {
    fn clone(&self) -> Self {
        let owner = match &self.owner {
            Owner::Vector(values) => Owner::Vector(values.clone()),
            Owner::File(file) => Owner::File(file.clone()),
        };
        Self { owner, ..*self }
    }
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl<T> FromIterator<T> for Column<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        values.into_iter().collect::<Vec<T>>().into()
    }
}

impl<T: fmt::Debug> fmt::Debug for Column<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let place = match self.owner {
            Owner::Vector(_) => "in memory",
            Owner::File(_) => "in a file",
        };
        write!(f, "{} values {place}: ", self.len)?;
        f.debug_list().entries(self.iter().take(SHOWN)).finish()
    }
}

/// Asks the processor for values that are about to be read, so that those of one block arrive
/// while another is being looked at. A hint: where there is no such instruction, nothing happens.
#[inline]
pub(crate) fn prefetch<T>(values: &[T]) {
    /// Bytes that arrive at once.
    const LINE: usize = 64;
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks((LINE / size_of::<T>()).max(1)) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        #[expect(unsafe_code, reason = "the instruction takes a pointer")]
        // Benefit: questions wait for memory more than for all else; see benches/README.md.
        // SAFETY: the pointer is that of a slice, and the instruction reads nothing that a
        // program could see: it cannot even fault. Every x86-64 processor has it.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (values, LINE);
}

/// Calls a function that looks at many values, made for processors with wider vectors than all have
/// where this is one of them. What it says is the same.
#[inline]
pub(crate) fn vectorized<R>(function: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[target_feature(enable = "avx2")]
        fn with_avx2<R>(function: impl FnOnce() -> R) -> R {
            function()
        }
        #[expect(
            unsafe_code,
            reason = "a processor without the instructions would stop at them"
        )]
        // Benefit: eight comparisons at once instead of four, and unsigned ones at that, which
        // the oldest processors lack: a third of a question's instructions are gone.
        // SAFETY: this processor has the instructions.
        return unsafe { with_avx2(function) };
    }
    function()
}

/// The bytes of some rows of a column.
pub(crate) fn bytes_of<T: NoUninit>(column: &[T], rows: std::ops::Range<usize>) -> &[u8] {
    // Columns may be padded or empty; a table's longest decides how many rows it has.
    let rows = rows.start.min(column.len())..rows.end.min(column.len());
    bytemuck::cast_slice(&column[rows])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A mapped file; Miri, which maps none, has it read.
    fn file(bytes: &[u8]) -> Arc<FileBytes> {
        if cfg!(miri) {
            let mut words = vec![0; bytes.len().div_ceil(size_of::<u64>())];
            bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
            return Arc::new(FileBytes::Read(words, bytes.len()));
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Arc::new(FileBytes::map(&file).unwrap())
    }

    #[test]
    fn a_column_is_what_the_file_says() {
        let file = file(&[1, 0, 0, 0, 2, 0, 0, 0, 9]);
        let column: Column<u32> = Column::of_file(&file, 0, 2).unwrap();
        drop(file);
        assert_eq!(*column.clone(), [1, 2]);
    }

    #[test]
    fn what_is_not_there_or_not_aligned_is_no_column() {
        let file = file(&[0; 16]);
        assert!(Column::<u32>::of_file(&file, 0, 5).is_none());
        assert!(Column::<u32>::of_file(&file, 1, 2).is_none());
        assert!(Column::<u32>::of_file(&file, usize::MAX, 2).is_none());
        assert!(Column::<u64>::of_file(&file, 8, usize::MAX / 4).is_none());
        assert!(Column::<u32>::of_file(&file, 16, 0).is_some_and(|column| column.is_empty()));
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri maps no files")]
    fn a_file_read_into_memory_is_the_same() {
        let mut written = tempfile::NamedTempFile::new().unwrap();
        written.write_all(b"eleven byte").unwrap();
        let file = File::open(written.path()).unwrap();
        let read = FileBytes::read(&file, 11).unwrap();
        assert_eq!(read.as_slice(), FileBytes::map(&file).unwrap().as_slice());
        assert!(FileBytes::read(&file, 12).is_err());
    }

    #[test]
    fn columns_outlive_what_made_them() {
        let columns: Vec<Column<u64>> = (0..3).map(|i| vec![i; 4].into()).collect();
        let kept = columns[1].clone();
        drop(columns);
        std::thread::spawn(move || assert_eq!(*kept, [1; 4]))
            .join()
            .unwrap();
    }
}
