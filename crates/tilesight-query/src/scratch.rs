//! Where a build keeps what does not fit in memory: columns that grow, and sorting.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use bytemuck::Pod;
use rayon::prelude::*;

use crate::error::Error;
use crate::storage::{Column, FileBytes};

/// Bytes of a growing column that are held back before they are written.
const BUFFER_BYTES: usize = 1 << 20;

/// How much memory a build may take, and where the rest goes.
#[derive(Debug, Clone)]
pub(crate) enum Scratch {
    /// Everything stays in memory.
    Memory,
    /// Temporary files in a folder take what is more than some bytes. They have no names, so that
    /// nothing is left behind however the build ends.
    Folder { path: PathBuf, memory: usize },
}

impl Scratch {
    /// Bytes that one of `parts` equal parts of the memory has.
    fn share(&self, parts: usize) -> usize {
        match self {
            Self::Memory => usize::MAX,
            Self::Folder { memory, .. } => memory / parts,
        }
    }

    fn file(&self) -> io::Result<File> {
        match self {
            Self::Memory => tempfile::tempfile(),
            Self::Folder { path, .. } => tempfile::tempfile_in(path),
        }
    }
}

/// A column that grows at its end.
pub(crate) struct Spool<T> {
    scratch: Scratch,
    buffer: Vec<T>,
    file: Option<File>,
    written: usize,
}

impl<T: Pod> Spool<T> {
    pub(crate) fn new(scratch: &Scratch) -> Self {
        Self {
            scratch: scratch.clone(),
            buffer: Vec::new(),
            file: None,
            written: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.written + self.buffer.len()
    }

    /// Adds values at the end.
    ///
    /// # Errors
    ///
    /// [`Error::Scratch`] when a temporary file cannot be written; so with all that follow.
    pub(crate) fn extend(&mut self, values: impl IntoIterator<Item = T>) -> Result<(), Error> {
        self.buffer.extend(values);
        let is_full = size_of_val(&self.buffer[..]) >= BUFFER_BYTES;
        if is_full && matches!(self.scratch, Scratch::Folder { .. }) {
            self.flush()?;
        }
        Ok(())
    }

    /// Adds values of which there may be more than fit in memory.
    pub(crate) fn extend_in_blocks(
        &mut self,
        values: impl IntoIterator<Item = T>,
    ) -> Result<(), Error> {
        let mut values = values.into_iter().peekable();
        while values.peek().is_some() {
            self.extend(values.by_ref().take(BUFFER_BYTES / size_of::<T>()))?;
        }
        Ok(())
    }

    pub(crate) fn push(&mut self, value: T) -> Result<(), Error> {
        self.extend([value])
    }

    fn flush(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(self.scratch.file()?),
        };
        file.write_all(bytemuck::cast_slice(&self.buffer))?;
        self.written += self.buffer.len();
        self.buffer.clear();
        Ok(())
    }

    /// The column, in memory or mapped from its file.
    pub(crate) fn finish(mut self) -> Result<Column<T>, Error> {
        if self.file.is_none() {
            return Ok(self.buffer.into());
        }
        self.flush()?;
        let Some(file) = &self.file else {
            return Ok(Column::default());
        };
        let bytes = Arc::new(FileBytes::map(file)?);
        let column = Column::of_file(&bytes, 0, self.written);
        column.ok_or_else(|| Error::Scratch("a temporary file was cut short".to_owned()))
    }
}

/// Sorts more values than fit in memory: sorted runs go to files, which are merged as they are
/// read back.
pub(crate) struct Sorter<T> {
    scratch: Scratch,
    /// How many values are held at a time.
    capacity: usize,
    held: Vec<T>,
    runs: Vec<Column<T>>,
}

impl<T: Pod + Ord + Send + Sync> Sorter<T> {
    /// A sorter that takes one of `parts` equal parts of the memory.
    pub(crate) fn new(scratch: &Scratch, parts: usize) -> Self {
        let capacity = (scratch.share(parts) / size_of::<T>()).max(1024);
        Self {
            scratch: scratch.clone(),
            capacity,
            held: Vec::new(),
            runs: Vec::new(),
        }
    }

    pub(crate) fn extend(&mut self, values: impl IntoIterator<Item = T>) -> Result<(), Error> {
        for value in values {
            if self.held.len() == self.capacity {
                self.spill()?;
            }
            self.held.push(value);
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<(), Error> {
        self.held.par_sort_unstable();
        let mut run = Spool::new(&self.scratch);
        run.extend_in_blocks(self.held.drain(..))?;
        self.runs.push(run.finish()?);
        Ok(())
    }

    /// All values, ascending.
    pub(crate) fn finish(mut self) -> Sorted<T> {
        self.held.par_sort_unstable();
        self.runs.push(self.held.into());
        let mut heads = BinaryHeap::new();
        for (i, run) in self.runs.iter().enumerate() {
            heads.extend(run.first().map(|&first| Reverse((first, i))));
        }
        Sorted {
            next: vec![1; self.runs.len()],
            runs: self.runs,
            heads,
        }
    }
}

/// Values in ascending order, merged from sorted runs.
pub(crate) struct Sorted<T> {
    runs: Vec<Column<T>>,
    /// The value of each run that comes after its head.
    next: Vec<usize>,
    heads: BinaryHeap<Reverse<(T, usize)>>,
}

impl<T: Copy + Ord> Iterator for Sorted<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if let [run] = &self.runs[..] {
            let value = *run.get(self.next[0] - 1)?;
            self.next[0] += 1;
            return Some(value);
        }
        let mut head = self.heads.peek_mut()?;
        let Reverse((value, run)) = *head;
        if let Some(&next) = self.runs[run].get(self.next[run]) {
            self.next[run] += 1;
            head.0.0 = next;
        } else {
            std::collections::binary_heap::PeekMut::pop(head);
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folder() -> Scratch {
        Scratch::Folder {
            path: std::env::temp_dir(),
            memory: 1,
        }
    }

    #[test]
    fn a_spool_gives_back_what_it_took() {
        for scratch in [Scratch::Memory, folder()] {
            let mut spool = Spool::new(&scratch);
            for first in (0..1_000_000u32).step_by(1000) {
                spool.extend(first..first + 1000).unwrap();
            }
            spool.push(7).unwrap();
            assert_eq!(spool.len(), 1_000_001);
            let column = spool.finish().unwrap();
            assert!(column[..1_000_000].iter().copied().eq(0..1_000_000));
            assert_eq!(column[1_000_000], 7);
        }
        assert!(Spool::<u64>::new(&folder()).finish().unwrap().is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        #[test]
        fn sorting_in_runs_is_sorting(mut values in prop::collection::vec(any::<i64>(), 0..5000)) {
            for scratch in [Scratch::Memory, folder()] {
                let mut sorter = Sorter::new(&scratch, 1);
                sorter.extend(values.iter().copied()).unwrap();
                let sorted: Vec<_> = sorter.finish().collect();
                values.sort_unstable();
                prop_assert_eq!(&sorted, &values);
            }
        }
    }
}
