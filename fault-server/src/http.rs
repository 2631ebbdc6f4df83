//! As much of HTTP as a server of faults needs.

use std::fmt::Write as _;
use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;

/// Longest head of a request.
const MAX_HEAD_BYTES: u64 = 64 << 10;

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What follows the host, without the query.
    pub path: String,
    /// The query, without its question mark.
    pub query: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Reads the head of the next request; none when the client has ended the connection.
pub(crate) fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut head = reader.take(MAX_HEAD_BYTES);
    let mut line = String::new();
    if head.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let target = line.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    let mut headers = Vec::new();
    loop {
        line.clear();
        head.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Some(Request {
        path,
        query,
        headers,
    }))
}

/// Answers as the service does: 200 with a body, 204 without one, 404 where there is nothing.
pub(crate) fn answer(
    stream: &TcpStream,
    body: Option<&[u8]>,
    sends_etags: bool,
    known_version: Option<&str>,
) -> io::Result<()> {
    let Some(body) = body else {
        return respond(stream, "404 Not Found", &[], b"");
    };
    let etag = sends_etags.then(|| etag(body));
    let headers: Vec<_> = etag.iter().map(|etag| ("ETag", etag.as_str())).collect();
    if etag.is_some() && known_version == etag.as_deref() {
        return respond(stream, "304 Not Modified", &headers, b"");
    }
    match body {
        [] => respond(stream, "204 No Content", &headers, b""),
        body => respond(stream, "200 OK", &headers, body),
    }
}

/// Sends a whole answer with its length.
pub(crate) fn respond(
    stream: &TcpStream,
    status: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<()> {
    let mut head = head(status, headers);
    // Answers without a body have no length either.
    if !status.starts_with("204") && !status.starts_with("304") {
        let _ = write!(head, "Content-Length: {}\r\n", body.len());
    }
    send(stream, &[head.as_bytes(), b"\r\n", body].concat())
}

/// Status line and headers, to be ended by an empty line.
pub(crate) fn head(status: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!("HTTP/1.1 {status}\r\n");
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head
}

pub(crate) fn send(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)
}

/// Names a version by its bytes.
fn etag(body: &[u8]) -> String {
    let fold = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("\"{:016x}\"", body.iter().fold(0xcbf2_9ce4_8422_2325, fold))
}
