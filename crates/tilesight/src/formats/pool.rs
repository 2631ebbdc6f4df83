//! Memory of columns that is used again: to be given it by the system takes longer than to fill it.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_buffer::{ArrowNativeType, Buffer, MutableBuffer, ScalarBuffer};
use bytes::Bytes;
use tilesight_query::Latitudes;

/// What the columns of one chunk leave behind for those of the next ones.
#[derive(Debug, Default)]
pub(super) struct Pool {
    free: Mutex<Vec<MutableBuffer>>,
    latitudes: Mutex<Vec<Latitudes>>,
}

impl Pool {
    /// A column of `len` values, which `fill` writes over what was there before. Its memory comes
    /// back when it is dropped, wherever that is.
    pub(super) fn column<T: ArrowNativeType>(
        self: &Arc<Self>,
        len: usize,
        fill: impl FnOnce(&mut [T]),
    ) -> ScalarBuffer<T> {
        let mut memory = self.take(len * size_of::<T>());
        fill(memory.typed_data_mut());
        let pool = Arc::clone(self);
        Buffer::from(Bytes::from_owner(Lent { memory, pool })).into()
    }

    /// Lends the latitudes that some thread computed before.
    pub(super) fn with_latitudes<T>(&self, work: impl FnOnce(&mut Latitudes) -> T) -> T {
        let mut latitudes = lock(&self.latitudes).pop().unwrap_or_default();
        let made = work(&mut latitudes);
        lock(&self.latitudes).push(latitudes);
        made
    }

    fn take(&self, bytes: usize) -> MutableBuffer {
        let mut free = lock(&self.free);
        match free.iter().position(|memory| memory.len() == bytes) {
            Some(at) => free.swap_remove(at),
            None => MutableBuffer::from_len_zeroed(bytes),
        }
    }
}

/// What is behind the lock stays whole whatever a thread that held it did.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Memory that goes back to where it came from.
struct Lent {
    memory: MutableBuffer,
    pool: Arc<Pool>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.memory
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let memory = mem::take(&mut self.memory);
        lock(&self.pool.free).push(memory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_once_nobody_reads_it() {
        let pool = Arc::new(Pool::default());
        let column = |value: i64| pool.column(100, |values: &mut [i64]| values.fill(value));
        let (first, second) = (column(1), column(2));
        assert_ne!(first.as_ptr(), second.as_ptr());
        let (address, reader) = (first.as_ptr(), second.clone());
        drop((first, second));
        let third = column(3);
        assert_eq!(third.as_ptr(), address);
        assert_eq!(*reader, [2; 100], "somebody still reads it");
        assert_eq!(*third, [3; 100]);
        let of_another_length = pool.column(7, |values: &mut [f64]| values.fill(0.5));
        assert_eq!(*of_another_length, [0.5; 7]);
        drop(pool);
        assert_eq!(*third, [3; 100], "columns outlive the export");
    }
}
