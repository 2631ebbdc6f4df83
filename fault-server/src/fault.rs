//! What can go wrong between a client and the service.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::http::{head, respond, send};

/// How long a stall lasts, longer than any client waits.
const STALL: Duration = Duration::from_secs(20);

/// Where redirects lead unless another place is set.
const LOGIN: &str = "http://127.0.0.2:9/login";

/// Length that the bomb inflates to.
const BOMB_BYTES: usize = 1 << 30;

/// What a request meets instead of a plain answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the descriptions")]
pub enum Fault {
    LimitInSeconds,
    LimitUntilDate,
    LimitWithoutTime,
    LimitAsJson,
    ServerError,
    BadGateway,
    Unavailable,
    UnavailableWithTime,
    GatewayTimeout,
    RequestTimeout,
    TooEarly,
    ErrorPage,
    TransientAsJson,
    NotFound,
    NoSuchThingAsJson,
    ResetBeforeHead,
    CloseBeforeHead,
    CloseInHead,
    ResetInBody,
    CloseInBody,
    CloseWithoutLength,
    CloseInChunks,
    StallBeforeHead,
    StallInHead,
    StallInBody,
    TrickleOfBytes,
    LengthTooShort,
    LengthNoNumber,
    LengthHuge,
    LengthsThatDiffer,
    ChunkSizeNoNumber,
    EncodingNotApplied,
    EncodingUnknown,
    GzipCut,
    GzipChecksumWrong,
    GzipBomb,
    Garbage,
    GarbageAsText,
    Zeros,
    NoHttp,
    HeadersWithoutEnd,
    ErrorWithSuccess,
    PartOfContent,
    UnchangedUnasked,
    MoreThanAsked,
    ClosedAfterAnswer,
    ContinueFirst,
    BodyWithoutEnd,
    LoginPage,
    Redirect,
    RedirectForGood,
    Unauthorized,
    Forbidden,
    TokenAsJson,
}

/// Status, headers and body.
type WholeAnswer = (&'static str, Vec<(&'static str, String)>, Vec<u8>);

impl Fault {
    /// Faults that pass: the same request succeeds later.
    pub const PASSING: [Self; 48] = [
        Self::LimitInSeconds,
        Self::LimitUntilDate,
        Self::LimitWithoutTime,
        Self::LimitAsJson,
        Self::ServerError,
        Self::BadGateway,
        Self::Unavailable,
        Self::UnavailableWithTime,
        Self::GatewayTimeout,
        Self::RequestTimeout,
        Self::TooEarly,
        Self::ErrorPage,
        Self::TransientAsJson,
        Self::NotFound,
        Self::NoSuchThingAsJson,
        Self::ResetBeforeHead,
        Self::CloseBeforeHead,
        Self::CloseInHead,
        Self::ResetInBody,
        Self::CloseInBody,
        Self::CloseWithoutLength,
        Self::CloseInChunks,
        Self::StallBeforeHead,
        Self::StallInHead,
        Self::StallInBody,
        Self::TrickleOfBytes,
        Self::LengthTooShort,
        Self::LengthNoNumber,
        Self::LengthHuge,
        Self::LengthsThatDiffer,
        Self::ChunkSizeNoNumber,
        Self::EncodingNotApplied,
        Self::EncodingUnknown,
        Self::GzipCut,
        Self::GzipChecksumWrong,
        Self::GzipBomb,
        Self::Garbage,
        Self::GarbageAsText,
        Self::Zeros,
        Self::NoHttp,
        Self::HeadersWithoutEnd,
        Self::ErrorWithSuccess,
        Self::PartOfContent,
        Self::UnchangedUnasked,
        Self::MoreThanAsked,
        Self::ClosedAfterAnswer,
        Self::ContinueFirst,
        Self::BodyWithoutEnd,
    ];

    /// Faults after which no further request should be made.
    pub const ENDING: [Self; 6] = [
        Self::LoginPage,
        Self::Redirect,
        Self::RedirectForGood,
        Self::Unauthorized,
        Self::Forbidden,
        Self::TokenAsJson,
    ];

    /// Plays the fault to a client that asked for `body`, redirects leading to `login`; tells whether
    /// the connection goes on.
    ///
    /// # Errors
    ///
    /// When the client has gone away.
    pub(crate) fn play(
        self,
        stream: &TcpStream,
        body: &[u8],
        login: Option<&str>,
    ) -> io::Result<bool> {
        if let Some((status, headers, content)) = self.whole_answer(login) {
            let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            respond(stream, status, &headers, &content)?;
            return Ok(true);
        }
        self.play_broken(stream, body)?;
        Ok(false)
    }

    /// Answers that are whole as HTTP has it.
    fn whole_answer(self, login: Option<&str>) -> Option<WholeAnswer> {
        const LIMIT: &str = "429 Too Many Requests";
        const BAD: &str = "400 Bad Request";
        const OK: &str = "200 OK";
        let html = || vec![("Content-Type", "text/html; charset=utf-8".to_owned())];
        let json = || vec![("Content-Type", "application/json".to_owned())];
        let after = |wait: &str| vec![("Retry-After", wait.to_owned())];
        let to = || vec![("Location", login.unwrap_or(LOGIN).to_owned())];
        let page = || b"<!DOCTYPE html><title>Log in</title>".to_vec();
        Some(match self {
            Self::LimitInSeconds => (LIMIT, after("2"), Vec::new()),
            Self::LimitUntilDate => (LIMIT, after(&in_two_seconds()), Vec::new()),
            Self::LimitWithoutTime => (LIMIT, Vec::new(), Vec::new()),
            Self::LimitAsJson => (BAD, json(), error(4)),
            Self::ServerError => ("500 Internal Server Error", Vec::new(), Vec::new()),
            Self::BadGateway => ("502 Bad Gateway", Vec::new(), Vec::new()),
            Self::Unavailable => ("503 Service Unavailable", Vec::new(), Vec::new()),
            Self::UnavailableWithTime => ("503 Service Unavailable", after("1"), Vec::new()),
            Self::GatewayTimeout => ("504 Gateway Timeout", Vec::new(), Vec::new()),
            Self::RequestTimeout => ("408 Request Timeout", Vec::new(), Vec::new()),
            Self::TooEarly => ("425 Too Early", Vec::new(), Vec::new()),
            Self::ErrorPage => ("500 Internal Server Error", html(), page()),
            Self::TransientAsJson => ("500 Internal Server Error", json(), error(2)),
            Self::NotFound => ("404 Not Found", Vec::new(), Vec::new()),
            Self::NoSuchThingAsJson => (BAD, json(), error(100)),
            Self::EncodingUnknown => (OK, vec![("Content-Encoding", "br".to_owned())], noise()),
            Self::Garbage => (OK, Vec::new(), noise()),
            Self::GarbageAsText => (OK, Vec::new(), b"upstream connect error".to_vec()),
            Self::Zeros => (OK, Vec::new(), vec![0; 4000]),
            Self::GzipBomb => {
                let headers = vec![("Content-Encoding", "gzip".to_owned())];
                (OK, headers, bomb().clone())
            }
            Self::ErrorWithSuccess => (OK, json(), error(1)),
            Self::UnchangedUnasked => ("304 Not Modified", Vec::new(), Vec::new()),
            Self::LoginPage => (OK, html(), page()),
            Self::Redirect => ("302 Found", to(), Vec::new()),
            Self::RedirectForGood => ("301 Moved Permanently", to(), Vec::new()),
            Self::Unauthorized => ("401 Unauthorized", Vec::new(), Vec::new()),
            Self::Forbidden => ("403 Forbidden", Vec::new(), Vec::new()),
            Self::TokenAsJson => (BAD, json(), error(190)),
            _ => return None,
        })
    }

    /// Answers after which the connection cannot go on.
    fn play_broken(self, stream: &TcpStream, body: &[u8]) -> io::Result<()> {
        let half = &body[..body.len() / 2];
        let start = |headers: &[(&str, &str)], body: &[u8]| {
            let head = head("200 OK", headers);
            send(stream, &[head.as_bytes(), b"\r\n", body].concat())
        };
        let whole = body.len().to_string();
        match self {
            Self::ResetBeforeHead => reset(stream),
            Self::CloseInHead => send(stream, b"HTTP/1.1 200 OK\r\nContent-Le"),
            Self::ResetInBody => {
                start(&[("Content-Length", &whole)], half)?;
                reset(stream)
            }
            Self::CloseInBody => start(&[("Content-Length", &whole)], half),
            Self::CloseWithoutLength => start(&[], half),
            Self::CloseInChunks => {
                let size = format!("{:x}\r\n", body.len());
                let chunk = [size.as_bytes(), half].concat();
                start(&[("Transfer-Encoding", "chunked")], &chunk)
            }
            Self::StallBeforeHead => stall(stream),
            Self::StallInHead => {
                send(stream, b"HTTP/1.1 200 OK\r\n")?;
                stall(stream)
            }
            Self::StallInBody => {
                start(&[("Content-Length", &whole)], half)?;
                stall(stream)
            }
            Self::TrickleOfBytes => {
                start(&[("Content-Length", &whole)], &[])?;
                trickle(stream, body)
            }
            Self::LengthTooShort => {
                let short = half.len().to_string();
                start(&[("Content-Length", &short)], body)
            }
            Self::LengthNoNumber => start(&[("Content-Length", "many")], body),
            Self::LengthHuge => start(&[("Content-Length", "1000000000000")], body),
            Self::LengthsThatDiffer => {
                start(&[("Content-Length", &whole), ("Content-Length", "7")], body)
            }
            Self::ChunkSizeNoNumber => start(
                &[("Transfer-Encoding", "chunked")],
                b"zz\r\nbody\r\n0\r\n\r\n",
            ),
            Self::GzipCut => {
                let gzip = gzip(body);
                respond(stream, "200 OK", &[], &gzip[..gzip.len() - 3])
            }
            Self::GzipChecksumWrong => {
                let mut gzip = gzip(body);
                let checksum = gzip.len() - 8;
                gzip[checksum] ^= 1;
                respond(stream, "200 OK", &[], &gzip)
            }
            Self::EncodingNotApplied => {
                respond(stream, "200 OK", &[("Content-Encoding", "gzip")], body)
            }
            Self::NoHttp => send(stream, b"SSH-2.0-OpenSSH_9.6\r\n"),
            Self::HeadersWithoutEnd => endless(stream, "HTTP/1.1 200 OK\r\n", b"X-More: more\r\n"),
            Self::PartOfContent => respond(stream, "206 Partial Content", &[], half),
            Self::MoreThanAsked => {
                respond(stream, "200 OK", &[], body)?;
                respond(stream, "200 OK", &[], b"nobody asked for this")
            }
            Self::ClosedAfterAnswer => respond(stream, "200 OK", &[], body),
            Self::ContinueFirst => {
                send(stream, b"HTTP/1.1 100 Continue\r\n\r\n")?;
                respond(stream, "200 OK", &[], body)
            }
            Self::BodyWithoutEnd => {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                let chunk = [b"10000\r\n", &vec![0x1a; 0x10000][..], b"\r\n"].concat();
                endless(stream, head, &chunk)
            }
            _ => Ok(()),
        }
    }
}

/// An error as the service spells it.
fn error(code: u32) -> Vec<u8> {
    format!(
        r#"{{"error":{{"message":"It failed","type":"OAuthException","code":{code},"fbtrace_id":"A"}}}}"#
    )
    .into_bytes()
}

fn in_two_seconds() -> String {
    httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2))
}

/// Bytes that are nothing in particular, from a fixed seed.
fn noise() -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8 | 0x80
    };
    std::iter::repeat_with(next).take(3000).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing into memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// A small stream that inflates to a gigabyte.
fn bomb() -> &'static Vec<u8> {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(|| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
        let zeros = vec![0; 1 << 20];
        for _ in 0..BOMB_BYTES / zeros.len() {
            let _ = encoder.write_all(&zeros);
        }
        encoder.finish().unwrap_or_default()
    })
}

/// Lets the end of the connection be a reset rather than a farewell.
fn reset(stream: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

/// Waits until the client goes away, or longer than it should.
fn stall(stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(STALL))?;
    let mut byte = [0];
    io::Read::read(&mut { stream }, &mut byte).map(drop)
}

/// Sends byte by byte, too slowly for anybody.
fn trickle(stream: &TcpStream, body: &[u8]) -> io::Result<()> {
    for &byte in body {
        send(stream, &[byte])?;
        sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Sends the same again until the client goes away.
fn endless(stream: &TcpStream, head: &str, again: &[u8]) -> io::Result<()> {
    send(stream, head.as_bytes())?;
    loop {
        send(stream, again)?;
    }
}
