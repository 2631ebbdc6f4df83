//! What is worth trying again, when, and how often at all.
//!
//! All requests to one service go through one [`Politeness`]: it spaces them, holds all of them
//! back when the service asks for it, and tries the failed ones again.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep_until};

/// How a service is to be treated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Manners {
    /// Requests a second at most, evenly spaced; none for no limit.
    pub rate: Option<f64>,
    /// How often a request is sent in all.
    pub tries: u32,
    /// Wait before the second try; each further wait is twice as long, up to
    /// [`longest_backoff`](Self::longest_backoff). Waits are shortened at random by up to half.
    pub first_backoff: Duration,
    /// Longest wait between two tries.
    pub longest_backoff: Duration,
    /// Pause of all requests when the limit is reached and the service does not say for how long;
    /// twice as long each further time, as long as nothing succeeds in between.
    pub limit_pause: Duration,
    /// Longest pause that is waited for; beyond it the run ends and says when to go on.
    pub longest_pause: Duration,
    /// Failures in a row, of any requests, after which the service counts as out of reach.
    pub max_failures_in_a_row: u32,
    /// How many times faster than the clock all waits pass: 1 but in tests.
    pub clock_speed: f64,
}

impl Manners {
    /// Requests a second where nothing else is said. Bans were seen near one a second sustained
    /// for hours and at six a second within half an hour; five a second is what most clients do.
    pub const DEFAULT_RATE: f64 = 5.0;
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            rate: Some(Self::DEFAULT_RATE),
            tries: 6,
            first_backoff: Duration::from_secs(1),
            longest_backoff: Duration::from_mins(1),
            limit_pause: Duration::from_secs(30),
            longest_pause: Duration::from_mins(15),
            max_failures_in_a_row: 40,
            clock_speed: 1.0,
        }
    }
}

/// How an attempt went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setback<E> {
    /// Worth another try, not before `after` if the service said so.
    Retry {
        /// What happened.
        error: E,
        /// What the service asked for.
        after: Option<Duration>,
    },
    /// The service's limit is reached: all requests pause.
    Limited {
        /// What happened.
        error: E,
        /// What the service asked for.
        after: Option<Duration>,
    },
    /// No other try can help.
    Final(E),
}

impl<E> Setback<E> {
    /// What happened.
    pub const fn error(&self) -> &E {
        match self {
            Self::Retry { error, .. } | Self::Limited { error, .. } | Self::Final(error) => error,
        }
    }
}

/// Why a request is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaveUp<E> {
    /// It failed, for good or as often as it was tried.
    Failed {
        /// What happened last.
        error: E,
        /// How often it was sent.
        tries: u32,
    },
    /// No request at all is allowed before a time.
    Closed {
        /// When to go on.
        until: SystemTime,
    },
    /// Too many requests failed in a row: the service is out of reach.
    OutOfReach {
        /// What happened last.
        error: E,
    },
}

/// Asked before each request: counts it, or says until when no more are allowed.
pub type Admission = Box<dyn Fn() -> Result<(), SystemTime> + Send + Sync>;

/// Spaces, pauses and repeats the requests to one service, for any number of callers.
pub struct Politeness {
    manners: Manners,
    admission: Admission,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the next request may begin.
    next_slot: Instant,
    paused_until: Instant,
    failures_in_a_row: u32,
    limits_in_a_row: u32,
}

impl Politeness {
    /// Treats a service by these manners, asking `admission` before each request.
    pub fn new(manners: Manners, admission: Admission) -> Self {
        let now = Instant::now();
        Self {
            manners,
            admission,
            state: Mutex::new(State {
                next_slot: now,
                paused_until: now,
                failures_in_a_row: 0,
                limits_in_a_row: 0,
            }),
        }
    }

    /// The manners.
    pub const fn manners(&self) -> &Manners {
        &self.manners
    }

    /// Sends a request as often as needed and allowed, each time by a call of `attempt`.
    ///
    /// # Errors
    ///
    /// [`GaveUp::Failed`] when `attempt` says so or was called [`Manners::tries`] times;
    /// reaching the limit does not count as a try. [`GaveUp::Closed`] and
    /// [`GaveUp::OutOfReach`] concern all requests: the others should not be begun either.
    pub async fn run<T, E>(
        &self,
        mut attempt: impl AsyncFnMut() -> Result<T, Setback<E>>,
    ) -> Result<T, GaveUp<E>> {
        let mut tries = 0;
        loop {
            self.turn().await;
            (self.admission)().map_err(|until| GaveUp::Closed { until })?;
            match attempt().await {
                Ok(answer) => {
                    self.succeeded();
                    return Ok(answer);
                }
                Err(Setback::Limited { after, .. }) => self.limited(after)?,
                Err(Setback::Final(error)) => {
                    // An answer it is: the service is within reach.
                    self.succeeded();
                    let tries = tries + 1;
                    return Err(GaveUp::Failed { error, tries });
                }
                Err(Setback::Retry { error, after }) => {
                    tries += 1;
                    self.failed(error, after, tries).await?;
                }
            }
        }
    }

    /// Waits, at the speed of this service's clock.
    pub async fn wait(&self, wait: Duration) {
        sleep_until(Instant::now() + self.scaled(wait)).await;
    }

    /// Waits for a slot outside of any pause.
    async fn turn(&self) {
        let Some(slot) = self.slot() else {
            return self.pause().await;
        };
        sleep_until(slot).await;
        self.pause().await;
    }

    fn slot(&self) -> Option<Instant> {
        let interval = self.scaled(Duration::from_secs_f64(1.0 / self.manners.rate?));
        let mut state = self.state();
        let slot = state.next_slot.max(Instant::now()).max(state.paused_until);
        state.next_slot = slot + interval;
        Some(slot)
    }

    async fn pause(&self) {
        loop {
            let until = self.state().paused_until;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }

    fn succeeded(&self) {
        let mut state = self.state();
        state.failures_in_a_row = 0;
        state.limits_in_a_row = 0;
    }

    fn limited<E>(&self, after: Option<Duration>) -> Result<(), GaveUp<E>> {
        let mut state = self.state();
        let now = Instant::now();
        // Requests in flight learn of one limit together; it is one all the same.
        if state.paused_until <= now {
            state.limits_in_a_row += 1;
        }
        let own = doubled(self.manners.limit_pause, state.limits_in_a_row);
        let wait = after.unwrap_or(own);
        if wait > self.manners.longest_pause {
            let until = SystemTime::now().checked_add(wait);
            let until = until.unwrap_or_else(|| SystemTime::now() + self.manners.longest_pause);
            return Err(GaveUp::Closed { until });
        }
        state.paused_until = state.paused_until.max(now + self.scaled(wait));
        Ok(())
    }

    async fn failed<E>(
        &self,
        error: E,
        after: Option<Duration>,
        tries: u32,
    ) -> Result<(), GaveUp<E>> {
        let in_a_row = {
            let mut state = self.state();
            state.failures_in_a_row += 1;
            state.failures_in_a_row
        };
        if in_a_row >= self.manners.max_failures_in_a_row {
            return Err(GaveUp::OutOfReach { error });
        }
        if tries >= self.manners.tries {
            return Err(GaveUp::Failed { error, tries });
        }
        let own = doubled(self.manners.first_backoff, tries).min(self.manners.longest_backoff);
        let asked = after.unwrap_or_default().min(self.manners.longest_pause);
        let wait = own.mul_f64(1.0 - fastrand::f64() / 2.0).max(asked);
        self.wait(wait).await;
        Ok(())
    }

    fn scaled(&self, wait: Duration) -> Duration {
        wait.div_f64(self.manners.clock_speed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counters have no state in between that a panic could leave behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Politeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Politeness")
            .field("manners", &self.manners)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// A wait for the `times`th time: doubled each time after the first.
fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Manners whose waits pass in virtual time.
    fn manners() -> Manners {
        Manners {
            rate: None,
            ..Manners::default()
        }
    }

    fn politeness(manners: Manners) -> Politeness {
        Politeness::new(manners, Box::new(|| Ok(())))
    }

    /// Sends a request that meets these setbacks, then succeeds; tells how long it took.
    async fn run(
        politeness: &Politeness,
        setbacks: Vec<Setback<&'static str>>,
    ) -> (Result<u32, GaveUp<&'static str>>, Duration) {
        let begun = Instant::now();
        let mut setbacks = setbacks.into_iter();
        let mut sent = 0;
        let outcome = politeness
            .run(async || {
                sent += 1;
                setbacks.next().map_or(Ok(sent), Err)
            })
            .await;
        (outcome, begun.elapsed())
    }

    fn retry(after_s: Option<u64>) -> Setback<&'static str> {
        Setback::Retry {
            error: "broken",
            after: after_s.map(Duration::from_secs),
        }
    }

    fn limited(after_s: Option<u64>) -> Setback<&'static str> {
        Setback::Limited {
            error: "limit",
            after: after_s.map(Duration::from_secs),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_evenly_spaced() {
        let politeness = politeness(Manners {
            rate: Some(5.0),
            ..manners()
        });
        let begun = Instant::now();
        for _ in 0..11 {
            run(&politeness, vec![]).await.0.unwrap();
        }
        assert_eq!(begun.elapsed().as_secs_f64().round(), 2.0);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_double_and_vary_by_half() {
        let (outcome, took) = run(&politeness(manners()), vec![retry(None); 4]).await;
        assert_eq!(outcome, Ok(5));
        assert!((7.4..15.1).contains(&took.as_secs_f64()), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_service_may_ask_for_longer_waits() {
        let (_, took) = run(&politeness(manners()), vec![retry(Some(40))]).await;
        assert_eq!(took.as_secs(), 40);
    }

    #[tokio::test(start_paused = true)]
    async fn tries_end() {
        let (outcome, _) = run(&politeness(manners()), vec![retry(None); 9]).await;
        let error = "broken";
        assert_eq!(outcome, Err(GaveUp::Failed { error, tries: 6 }));
        let (outcome, _) = run(&politeness(manners()), vec![Setback::Final("no")]).await;
        let error = "no";
        assert_eq!(outcome, Err(GaveUp::Failed { error, tries: 1 }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_pauses_everybody_and_costs_no_try() {
        let politeness = politeness(manners());
        let limits = vec![limited(Some(100))];
        let other = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            run(&politeness, vec![]).await
        };
        let ((outcome, took), (_, other_took)) = tokio::join!(run(&politeness, limits), other);
        assert_eq!((outcome, took.as_secs()), (Ok(2), 100));
        assert_eq!(other_took.as_secs(), 99);
        let (outcome, _) = run(&politeness, vec![limited(Some(1)); 8]).await;
        assert_eq!(outcome, Ok(9));
    }

    #[tokio::test(start_paused = true)]
    async fn limits_without_a_time_pause_longer_each_time() {
        let (_, took) = run(&politeness(manners()), vec![limited(None); 3]).await;
        assert_eq!(took.as_secs(), 30 + 60 + 120);
        let (outcome, _) = run(&politeness(manners()), vec![limited(None); 20]).await;
        assert!(matches!(outcome, Err(GaveUp::Closed { .. })), "{outcome:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_that_are_too_long_end_the_run() {
        for seconds in [3600, u64::MAX] {
            let (outcome, _) = run(&politeness(manners()), vec![limited(Some(seconds))]).await;
            assert!(matches!(outcome, Err(GaveUp::Closed { .. })));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_end_the_run() {
        let politeness = politeness(manners());
        for _ in 0..6 {
            let (outcome, _) = run(&politeness, vec![retry(None); 6]).await;
            assert!(matches!(outcome, Err(GaveUp::Failed { .. })));
        }
        let (outcome, _) = run(&politeness, vec![retry(None); 6]).await;
        assert_eq!(outcome, Err(GaveUp::OutOfReach { error: "broken" }));
    }

    #[tokio::test(start_paused = true)]
    async fn each_request_is_admitted_before_it_is_sent() {
        let left = AtomicU32::new(2);
        let until = SystemTime::UNIX_EPOCH;
        let admission = move || {
            let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
            taken.map(|_| ()).map_err(|_| until)
        };
        let politeness = Politeness::new(manners(), Box::new(admission));
        let (outcome, _) = run(&politeness, vec![retry(None); 2]).await;
        assert_eq!(outcome, Err(GaveUp::Closed { until }));
    }

    #[tokio::test]
    async fn a_faster_clock_shortens_waits() {
        let politeness = politeness(Manners {
            clock_speed: 1000.0,
            ..manners()
        });
        let (outcome, took) = run(&politeness, vec![retry(None), limited(None)]).await;
        assert_eq!(outcome, Ok(3));
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}
