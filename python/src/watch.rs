//! Long work: on a thread of its own, while this one lets Python handle its signals.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;

/// How often progress is told and Ctrl-C is heeded.
pub const TICK: Duration = Duration::from_millis(50);

/// How far some work has come, and whether it is to stop.
#[derive(Debug, Default)]
pub struct Work {
    done: AtomicU64,
    total: AtomicU64,
    is_stopped: AtomicBool,
}

/// What unwinds work that is to stop.
struct Stopped;

impl Work {
    /// Notes how much is done of how much.
    pub fn note(&self, done: u64, total: u64) {
        self.total.store(total, Ordering::Relaxed);
        self.done.store(done, Ordering::Relaxed);
    }

    /// Whether the work is to stop.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    /// Notes how much is done, and unwinds the work if it is to stop: for callbacks through which
    /// no error passes.
    pub fn note_or_unwind(&self, done: u64, total: u64) {
        self.note(done, total);
        if self.is_stopped() {
            resume_unwind(Box::new(Stopped));
        }
    }

    fn tell(&self, on_progress: Option<&Py<PyAny>>) -> PyResult<()> {
        let (done, total) = (&self.done, &self.total);
        let progress = (done.load(Ordering::Relaxed), total.load(Ordering::Relaxed));
        Python::attach(|py| {
            heed_signals(py)?;
            on_progress.map_or(Ok(()), |call| call.call1(py, progress).map(drop))
        })
    }
}

/// Does long work while Python goes on: other threads run, and a signal such as Ctrl-C stops it.
///
/// `on_progress` is called with how much is done of how much, on the thread of the caller; what
/// it raises stops the work, too. `stop` is called once when the work is to stop, beside the
/// mark in [`Work`].
///
/// # Errors
///
/// What a signal handler or `on_progress` raised, once the work has stopped.
pub fn watch<T: Send>(
    py: Python<'_>,
    on_progress: Option<&Py<PyAny>>,
    stop: impl Fn() + Sync,
    work: impl FnOnce(&Work) -> T + Send,
) -> PyResult<T> {
    let state = &Work::default();
    let outcome = py.detach(|| {
        thread::scope(|scope| {
            let (ended, end) = mpsc::channel::<()>();
            let working = scope.spawn(move || {
                // Dropped at the end, however that is reached.
                let _ended = ended;
                catch_unwind(AssertUnwindSafe(|| work(state)))
            });
            let mut raised = Ok(());
            while end.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                if raised.is_ok() {
                    raised = state.tell(on_progress).inspect_err(|_| {
                        state.is_stopped.store(true, Ordering::Relaxed);
                        stop();
                    });
                }
            }
            let outcome = working.join().flatten();
            (raised.and_then(|()| state.tell(on_progress)), outcome)
        })
    });
    match outcome {
        (Err(raised), _) => Err(raised),
        (Ok(()), Ok(done)) => Ok(done),
        (Ok(()), Err(panic)) => resume_unwind(panic),
    }
}

/// Lets Python handle its signals, such as Ctrl-C.
pub fn heed_signals(py: Python<'_>) -> PyResult<()> {
    py.check_signals()
}
