//! Serves tiles on loopback as the real service does, and any fault on request.
//!
//! A [`FaultServer`] answers at the paths of the service. Each path has a list of [`Fault`]s that
//! its next requests meet, one each; afterwards it gives the tile.

#![forbid(unsafe_code)]

mod fault;
mod http;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

pub use fault::Fault;
pub use http::Request;

/// A server on loopback, until it is dropped.
#[derive(Debug)]
pub struct FaultServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// Answers a request with the body at its path; `None` is status 404.
type Bodies = BTreeMap<String, Vec<u8>>;

#[derive(Debug, Default)]
struct Shared {
    bodies: Mutex<Bodies>,
    faults: Mutex<BTreeMap<String, VecDeque<Fault>>>,
    requests: Mutex<Vec<Request>>,
    faults_met: AtomicU64,
    /// How many connections are open, and what tells that one ended.
    open: Mutex<u64>,
    ended: Condvar,
    /// The token that is accepted; any where none is set.
    token: Mutex<Option<String>>,
    /// Where redirects lead.
    login: Mutex<Option<String>>,
    sends_etags: AtomicBool,
    is_over: AtomicBool,
}

impl FaultServer {
    /// Serves these bodies by path, on a port that the system chooses.
    ///
    /// # Errors
    ///
    /// When no port can be opened.
    pub fn start(bodies: BTreeMap<String, Vec<u8>>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            bodies: Mutex::new(bodies),
            ..Shared::default()
        });
        let serving = shared.clone();
        thread::spawn(move || accept(&listener, &serving));
        Ok(Self { address, shared })
    }

    /// Its origin, as `http://127.0.0.1:40321`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets the next requests for a path meet these faults, one each.
    pub fn inject(&self, path: &str, faults: impl IntoIterator<Item = Fault>) {
        let mut all = lock(&self.shared.faults);
        all.entry(path.to_owned()).or_default().extend(faults);
    }

    /// Replaces the body at a path.
    pub fn set(&self, path: &str, body: Vec<u8>) {
        lock(&self.shared.bodies).insert(path.to_owned(), body);
    }

    /// Names versions from now on, and answers 304 to those who have them.
    pub fn send_etags(&self) {
        self.shared.sends_etags.store(true, Ordering::Relaxed);
    }

    /// Accepts this token alone from now on, as it stands in queries: all others have expired.
    pub fn accept_only(&self, token: &str) {
        *lock(&self.shared.token) = Some(token.to_owned());
    }

    /// Lets redirects lead to another origin.
    pub fn redirect_to(&self, origin: &str) {
        *lock(&self.shared.login) = Some(format!("{origin}/login"));
    }

    /// Waits until all clients have gone and what they had asked for by then is among the
    /// [`requests`](Self::requests): also of one that was killed, whose last request may still be
    /// on its way.
    ///
    /// # Errors
    ///
    /// When no connection can be made.
    pub fn wait_for_the_last(&self) -> io::Result<()> {
        // Connections are accepted in turn: when this one ends all earlier ones have begun.
        let mut last = TcpStream::connect(self.address)?;
        last.shutdown(Shutdown::Write)?;
        last.read_to_end(&mut Vec::new())?;
        let open = lock(&self.shared.open);
        let all_ended = self.shared.ended.wait_while(open, |open| *open > 0);
        drop(all_ended);
        Ok(())
    }

    /// The requests that came so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).clone()
    }

    /// How many of them met a fault.
    pub fn faults_met(&self) -> u64 {
        self.shared.faults_met.load(Ordering::Relaxed)
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn fault_of(&self, request: &Request) -> Option<Fault> {
        let accepted = lock(&self.token).clone();
        let is_accepted = accepted.is_none_or(|token| request.query.ends_with(&token));
        if !is_accepted {
            return Some(Fault::TokenAsJson);
        }
        let mut faults = lock(&self.faults);
        faults.get_mut(&request.path)?.pop_front()
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.is_over.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        *lock(&shared.open) += 1;
        let shared = shared.clone();
        thread::spawn(move || {
            // Clients that go away are part of the game.
            let _ = serve(&stream, &shared);
            *lock(&shared.open) -= 1;
            shared.ended.notify_all();
        });
    }
}

/// Answers the requests of one connection until either side ends it.
fn serve(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = io::BufReader::new(stream);
    while let Some(request) = http::read_request(&mut reader)? {
        let path = request.path.clone();
        let fault = shared.fault_of(&request);
        let known_version = request.header("if-none-match").map(str::to_owned);
        lock(&shared.requests).push(request);
        let body = lock(&shared.bodies).get(&path).cloned();
        if let Some(fault) = fault {
            shared.faults_met.fetch_add(1, Ordering::Relaxed);
            let login = lock(&shared.login).clone();
            if !fault.play(
                stream,
                body.as_deref().unwrap_or_default(),
                login.as_deref(),
            )? {
                return Ok(());
            }
            continue;
        }
        let sends_etags = shared.sends_etags.load(Ordering::Relaxed);
        http::answer(
            stream,
            body.as_deref(),
            sends_etags,
            known_version.as_deref(),
        )?;
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_a_client_asked_before_it_went_is_known() {
        let server = FaultServer::start(BTreeMap::new()).unwrap();
        for asked in 1..=50 {
            let mut client = TcpStream::connect(server.address).unwrap();
            let request = b"GET /tile HTTP/1.1\r\nHost: localhost\r\n\r\n";
            client.write_all(request).unwrap();
            drop(client);
            server.wait_for_the_last().unwrap();
            assert_eq!(server.requests().len(), asked);
        }
    }
}
