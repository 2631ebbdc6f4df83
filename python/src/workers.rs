//! Threads that do one piece of work after another, while those of Python heed its signals.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::watch::{TICK, heed_signals};

/// Threads at rest. Starting one takes longer than most questions do.
#[derive(Debug, Default)]
pub struct Workers(Mutex<Vec<Worker>>);

/// The way to a thread, which ends when that is gone.
type Worker = Sender<Work>;

type Work = Box<dyn FnOnce() + Send>;

/// What becomes of work after a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterSignal {
    /// Its end is near, and waited for.
    Wait,
    /// It goes to its end unheard.
    Leave,
}

impl Workers {
    /// Does work while Python goes on: other threads run, and a signal such as Ctrl-C interrupts
    /// it. From then on `interrupt` is called again and again: what there is to stop may begin
    /// later.
    ///
    /// # Errors
    ///
    /// What a signal handler raised, or that the work panicked.
    pub fn run<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl FnOnce() -> T + Send + 'static,
        interrupt: impl Fn() -> AfterSignal + Sync,
    ) -> PyResult<T> {
        let resting = self.resting().pop();
        let worker = resting.unwrap_or_else(start);
        let (done, outcome) = mpsc::channel();
        // Were the thread gone, so would be `done`, which the wait for the outcome tells.
        let _ = worker.send(Box::new(move || drop(done.send(work()))));
        let interrupt = &interrupt;
        let outcome = py.detach(move || wait(&outcome, interrupt))?;
        self.resting().push(worker);
        Ok(outcome)
    }

    fn resting(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start() -> Worker {
    let (worker, work) = mpsc::channel::<Work>();
    thread::spawn(move || work.into_iter().for_each(|work| work()));
    worker
}

fn wait<T>(outcome: &Receiver<T>, interrupt: impl Fn() -> AfterSignal) -> PyResult<T> {
    let mut raised: Option<PyErr> = None;
    loop {
        match outcome.recv_timeout(TICK) {
            Ok(outcome) => return raised.map_or(Ok(outcome), Err),
            Err(RecvTimeoutError::Disconnected) => return Err(raised.unwrap_or_else(panicked)),
            Err(RecvTimeoutError::Timeout) => {
                raised = raised.or_else(|| Python::attach(heed_signals).err());
            }
        }
        if let Some(raised) = raised.take_if(|_| interrupt() == AfterSignal::Leave) {
            return Err(raised);
        }
    }
}

fn panicked() -> PyErr {
    PyRuntimeError::new_err("a thread panicked; standard error says where")
}
