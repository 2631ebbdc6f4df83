//! Asking from code that is not async.

use std::io;

/// Asks, and waits for the answer.
///
/// It runs on a thread of its own, so it may be called from within any runtime.
///
/// # Errors
///
/// When the system has no thread or socket left.
///
/// # Example
///
/// ```
/// use tilesight_fetch::graph::wait;
///
/// assert_eq!(wait(async || 6 * 7)?, 42);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn wait<T: Send>(question: impl AsyncFnOnce() -> T + Send) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::scope(|scope| {
        let waiting = std::thread::Builder::new()
            .spawn_scoped(scope, move || runtime.block_on(question()))?;
        let answer = waiting.join();
        Ok(answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
