//! Rows on all threads: chunks of them are transformed side by side and handed on in their order.

use std::iter;
use std::mem;

use rayon::prelude::*;

/// Chunks in work for each thread: enough that none waits long for the slowest.
const CHUNKS_A_THREAD: usize = 4;

/// Cuts rows into chunks of `chunk_rows`, the last of which may be shorter.
pub(super) fn chunks_of<R>(
    rows: impl Iterator<Item = R>,
    chunk_rows: usize,
) -> impl Iterator<Item = Vec<R>> {
    let mut rows = rows.fuse();
    let chunks = iter::repeat_with(move || rows.by_ref().take(chunk_rows).collect::<Vec<R>>());
    chunks.take_while(|chunk| !chunk.is_empty())
}

/// Transforms chunks of rows in parallel and hands on what becomes of them, in order.
///
/// While some chunks are transformed, this thread hands on those before them and gathers those
/// after: three times [`CHUNKS_A_THREAD`] chunks a thread are in memory at most, however many rows
/// there are. What a chunk holds does not depend on the threads.
pub(super) fn in_order<C: Send + Sync, T: Send, E>(
    chunks: impl Iterator<Item = C>,
    transform: impl Fn(&C) -> T + Sync,
    mut hand_on: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let mut chunks = chunks.fuse();
    let chunks_at_once = rayon::current_num_threads() * CHUNKS_A_THREAD;
    let mut gather = || chunks.by_ref().take(chunks_at_once).collect::<Vec<C>>();
    let mut gathered = gather();
    if let [only] = &gathered[..] {
        return hand_on(transform(only));
    }
    let mut transformed: Vec<T> = Vec::new();
    while !(gathered.is_empty() && transformed.is_empty()) {
        let current = mem::take(&mut gathered);
        let before = mem::take(&mut transformed);
        let mut outcome = Ok(());
        rayon::in_place_scope(|scope| {
            let (transform, transformed) = (&transform, &mut transformed);
            scope.spawn(move |_| {
                let chunks = current.par_iter();
                chunks.map(transform).collect_into_vec(transformed);
            });
            outcome = before.into_iter().try_for_each(&mut hand_on);
            if outcome.is_ok() {
                gathered = gather();
            }
        });
        outcome?;
    }
    Ok(())
}

/// Transforms chunks of rows as they are asked for, in order: the first by itself, then more and more
/// of them at a time, in parallel, up to [`CHUNKS_A_THREAD`] a thread.
#[cfg(feature = "arrow")]
pub(super) fn on_demand<C: Send + Sync, T: Send>(
    chunks: impl Iterator<Item = C>,
    transform: impl Fn(&C) -> T + Sync,
) -> impl Iterator<Item = T> {
    let mut chunks = chunks.fuse();
    let mut at_once = 1;
    iter::from_fn(move || {
        let gathered: Vec<C> = chunks.by_ref().take(at_once).collect();
        at_once = (2 * at_once).min(rayon::current_num_threads() * CHUNKS_A_THREAD);
        let transformed: Vec<T> = match &gathered[..] {
            [] => return None,
            [only] => vec![transform(only)],
            several => several.par_iter().map(&transform).collect(),
        };
        Some(transformed)
    })
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn chunks_come_in_order(len in 0..2_000_usize, chunk_rows in 1..50_usize) {
            let mut handed_on = Vec::new();
            let chunks = chunks_of(0..len, chunk_rows);
            let outcome: Result<(), ()> = in_order(chunks, Vec::clone, |chunk| {
                handed_on.push(chunk);
                Ok(())
            });
            let rows: Vec<usize> = (0..len).collect();
            let expected: Vec<Vec<usize>> = rows.chunks(chunk_rows).map(<[usize]>::to_vec).collect();
            prop_assert_eq!((outcome, &handed_on), (Ok(()), &expected));
            #[cfg(feature = "arrow")]
            prop_assert!(on_demand(expected.iter(), |chunk| Vec::clone(chunk)).eq(handed_on));
        }
    }

    #[cfg(feature = "arrow")]
    #[test]
    fn the_first_chunk_is_made_by_itself() {
        let mut gathered = 0;
        let chunks = chunks_of(0..1_000, 10).inspect(|_| gathered += 1);
        assert_eq!(on_demand(chunks, Vec::len).next(), Some(10));
        assert_eq!(gathered, 1);
    }

    #[test]
    fn nothing_is_gathered_after_a_failure() {
        let mut gathered = 0;
        let rows = (0..1_000_000).inspect(|_| gathered += 1);
        let outcome = in_order(chunks_of(rows, 10), Vec::len, |_| Err("full"));
        assert_eq!(outcome, Err("full"));
        assert!(gathered < 1_000_000);
    }
}
