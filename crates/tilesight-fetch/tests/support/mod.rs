//! A web server on loopback that answers as a test tells it to and remembers what it was asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest that the server waits for a request or for its answer to be taken.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most lines of a request.
const MAX_LINES: usize = 100;

/// What came in.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Path and query.
    pub target: String,
    /// All header lines.
    pub headers: String,
}

/// What goes out.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200, body)
    }

    pub fn status(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self { status, body }
    }
}

/// Runs until it is dropped.
pub struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server; `answer` is given each request and how many came before it.
    pub fn start(answer: impl Fn(&Asked, usize) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (asked, is_over) = (asked.clone(), is_over.clone());
            move || {
                for stream in listener.incoming() {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    // A caller that hangs up has learned enough.
                    let _ = serve(stream.unwrap(), &asked, &answer);
                }
            }
        });
        Self {
            address,
            asked,
            is_over,
            thread: Some(thread),
        }
    }

    /// The origin of the server.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread, which waits for a caller.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    mut stream: TcpStream,
    asked: &Mutex<Vec<Asked>>,
    answer: &impl Fn(&Asked, usize) -> Answer,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let lines = BufReader::new(&stream).lines().take(MAX_LINES);
    let lines: Vec<String> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let Some((first, headers)) = lines.split_first() else {
        return Ok(());
    };
    let request = Asked {
        target: first.split(' ').nth(1).unwrap_or_default().to_owned(),
        headers: headers.join("\n"),
    };
    let before = asked.lock().unwrap().len();
    let Answer { status, body } = answer(&request, before);
    asked.lock().unwrap().push(request);
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} -\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)
}
