//! One request: where it goes, how long it may take and how much it may bring.
//!
//! reqwest's defaults follow redirects and send a referer, which would carry a token in the query
//! to other hosts; its errors print whole addresses. Here nothing is followed, nothing is
//! inflated, and an error is a text from which address and token are gone.

use std::error::Error as _;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, DATE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, RETRY_AFTER, TRANSFER_ENCODING,
};
use reqwest::{StatusCode, Url};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::retry_after;
use crate::token::Token;

/// Bodies beyond this size are read one at a time, so that memory does not grow with the number of
/// requests in flight.
const LARGE_BODY_BYTES: usize = 4 << 20;

/// How much of an error's body is read: enough for the service to say what is wrong.
const MAX_ERROR_BYTES: usize = 64 << 10;

const USER_AGENT: &str = concat!("tilesight/", env!("CARGO_PKG_VERSION"));

/// Scheme, host and port of a service; the paths of the real one follow it.
///
/// ```
/// use tilesight_fetch::Origin;
///
/// let mirror: Origin = "http://127.0.0.1:8080".parse()?;
/// assert_eq!(mirror.to_string(), "http://127.0.0.1:8080");
/// assert!("http://127.0.0.1:8080/tiles?key=1".parse::<Origin>().is_err());
/// # Ok::<(), tilesight_fetch::OriginError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(Url);

/// A text that is not the origin of a service.
///
/// It does not repeat the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an origin is a scheme, a host and perhaps a port, as http://127.0.0.1:8080")]
pub struct OriginError;

/// Where the token goes in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Nowhere: signed addresses need none.
    None,
    /// Into the query, as the tile service wants it.
    Query,
    /// Into the header `Authorization: OAuth …`, as the Graph API wants it.
    Header,
}

/// How long the parts of a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until there is a connection, with TLS.
    pub connect: Duration,
    /// Until the status and the headers are there, the connection included.
    pub head: Duration,
    /// Over which the speed of a body is measured.
    pub window: Duration,
    /// Fewest bytes of a body in each [`window`](Self::window).
    pub min_window_bytes: usize,
    /// From the first step to the last byte.
    pub total: Duration,
}

impl Default for Timeouts {
    /// Large tiles of 100 MB arrive in [`total`](Self::total) at 3 Mbit/s.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            head: Duration::from_secs(30),
            window: Duration::from_secs(15),
            min_window_bytes: 4096,
            total: Duration::from_mins(5),
        }
    }
}

/// A request to be sent once.
#[derive(Clone)]
pub struct Request<'a> {
    /// The address, without the token.
    pub url: Url,
    /// Where the token goes.
    pub auth: Auth,
    /// Answer with 304 if the content still has this `ETag`.
    pub if_none_match: Option<&'a str>,
    /// Largest body, as it comes over the wire.
    pub max_body_bytes: usize,
}

/// What came back, whatever it means.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Media type of the body without its parameters, in lower case.
    pub content_type: Option<String>,
    /// How long the service asks to wait.
    pub retry_after: Option<Duration>,
    /// Name of this version of the content.
    pub etag: Option<String>,
    /// The body as it was sent, perhaps gzipped; complete if the status is one of success,
    /// otherwise its beginning.
    pub body: Vec<u8>,
    /// Keeps other large bodies waiting while this one is in use.
    pub(crate) large_body: Option<Arc<OwnedSemaphorePermit>>,
}

/// Why there is no reply. None of these texts has an address or a token in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// There is no connection to the service.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// What answers is not who it says it is, as far as this machine knows.
    #[error("the certificate is not trusted: {0}")]
    Untrusted(String),
    /// The connection broke, or what came over it is not HTTP.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// No answer, or too slow a one.
    #[error("{0}")]
    TooSlow(&'static str),
    /// A body whose end nothing marks: whether all of it came cannot be known.
    #[error("the answer has neither a length nor an end")]
    Endless,
    /// A body larger than allowed.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// What was allowed.
        limit: usize,
    },
}

impl RequestError {
    /// Tells whether the same request may succeed later: always, but for too large a body and a
    /// certificate that is not trusted.
    pub const fn is_retryable(&self) -> bool {
        !matches!(self, Self::TooLarge { .. } | Self::Untrusted(_))
    }
}

/// Sends requests, one at a time or many, over connections that it keeps.
///
/// Cloning is cheap and shares the connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    token: Option<Token>,
    timeouts: Timeouts,
    large_bodies: Arc<Semaphore>,
}

impl Client {
    /// Makes a client; nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`RequestError::Connect`] when TLS cannot be set up on this machine.
    pub fn new(token: Option<Token>, timeouts: Timeouts) -> Result<Self, RequestError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls()?)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .user_agent(USER_AGENT)
            .connect_timeout(timeouts.connect)
            .build()
            .map_err(|error| RequestError::Connect(describe(error)))?;
        Ok(Self {
            http,
            token,
            timeouts,
            large_bodies: Arc::new(Semaphore::new(1)),
        })
    }

    /// The token that requests are sent with, if any.
    pub const fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// Sends a request and reads the reply.
    ///
    /// # Returns
    ///
    /// The reply of any status; a redirect is a reply too.
    ///
    /// # Errors
    ///
    /// [`RequestError`] when no complete reply came in time, or none that is small enough.
    pub async fn get(&self, request: &Request<'_>) -> Result<Reply, RequestError> {
        match timeout(self.timeouts.total, self.exchange(request)).await {
            Ok(outcome) => outcome.map_err(|error| self.masked(error)),
            Err(_) => Err(RequestError::TooSlow("the answer took too long")),
        }
    }

    async fn exchange(&self, request: &Request<'_>) -> Result<Reply, RequestError> {
        let sent = self.http.execute(self.prepare(request)?);
        let response = timeout(self.timeouts.head, sent)
            .await
            .map_err(|_| RequestError::TooSlow("no answer came"))?
            .map_err(of_http)?;
        let mut reply = head(&response);
        if reply.is_success() {
            check_length(&response, request.max_body_bytes)?;
            self.read_body(response, request.max_body_bytes, &mut reply)
                .await?;
        } else {
            // The status tells what to do; what the service adds is welcome, not needed.
            let _ = self.read_body(response, MAX_ERROR_BYTES, &mut reply).await;
        }
        Ok(reply)
    }

    fn prepare(&self, request: &Request<'_>) -> Result<reqwest::Request, RequestError> {
        let mut url = request.url.clone();
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        if let Some(etag) = request.if_none_match
            && let Ok(etag) = HeaderValue::from_str(etag)
        {
            headers.insert(IF_NONE_MATCH, etag);
        }
        match (request.auth, &self.token) {
            (Auth::Query, Some(token)) => {
                url.query_pairs_mut()
                    .append_pair("access_token", token.reveal());
            }
            (Auth::Header, Some(token)) => {
                headers.insert(AUTHORIZATION, authorization(token)?);
            }
            _ => (),
        }
        let mut prepared = reqwest::Request::new(reqwest::Method::GET, url);
        *prepared.headers_mut() = headers;
        Ok(prepared)
    }

    async fn read_body(
        &self,
        mut response: reqwest::Response,
        limit: usize,
        reply: &mut Reply,
    ) -> Result<(), RequestError> {
        const STALLED: RequestError = RequestError::TooSlow("the answer came too slowly");
        let mut window = (Instant::now(), 0);
        let announced = response.content_length().unwrap_or(0) as usize;
        reply
            .body
            .reserve_exact(announced.min(limit).min(LARGE_BODY_BYTES));
        loop {
            let chunk = timeout(self.timeouts.window, response.chunk());
            let Some(chunk) = chunk.await.map_err(|_| STALLED)?.map_err(of_http)? else {
                return Ok(());
            };
            let length = reply.body.len() + chunk.len();
            if length > limit {
                return Err(RequestError::TooLarge { limit });
            }
            if length > LARGE_BODY_BYTES && reply.large_body.is_none() {
                let permit = self.large_bodies.clone().acquire_owned().await;
                reply.large_body = permit.ok().map(Arc::new);
            }
            reply.body.extend_from_slice(&chunk);
            window.1 += chunk.len();
            if window.0.elapsed() >= self.timeouts.window {
                if window.1 < self.timeouts.min_window_bytes {
                    return Err(STALLED);
                }
                window = (Instant::now(), 0);
            }
        }
    }

    fn masked(&self, error: RequestError) -> RequestError {
        let mask = |text: String| match &self.token {
            Some(token) => token.mask(&text),
            None => text,
        };
        match error {
            RequestError::Connect(text) => RequestError::Connect(mask(text)),
            RequestError::Broken(text) => RequestError::Broken(mask(text)),
            other => other,
        }
    }
}

impl Reply {
    /// Whether the status is one of success.
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

impl Origin {
    /// The address of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(path);
        url
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text.trim()).map_err(|_| OriginError)?;
        let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_anonymous = url.username().is_empty() && url.password().is_none();
        if is_web && is_bare && is_anonymous {
            Ok(Self(url))
        } else {
            Err(OriginError)
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("token", &self.token)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Request<'_> {
    /// Leaves out the query, in which addresses that are signed keep their signature.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("host", &self.url.host_str())
            .field("path", &self.url.path())
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}

/// TLS that trusts what the machine trusts; where that is nothing, no https service is reached.
///
/// What is trusted is read once in a process: it may be hundreds of files.
fn tls() -> Result<rustls::ClientConfig, RequestError> {
    static TRUSTING: OnceLock<rustls::ClientConfig> = OnceLock::new();
    if let Some(trusting) = TRUSTING.get() {
        return Ok(trusting.clone());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| RequestError::Connect(error.to_string()))?;
    let Ok(trusting) = builder.clone().with_platform_verifier() else {
        let nothing = rustls::RootCertStore::empty();
        return Ok(builder
            .with_root_certificates(nothing)
            .with_no_client_auth());
    };
    Ok(TRUSTING
        .get_or_init(|| trusting.with_no_client_auth())
        .clone())
}

fn authorization(token: &Token) -> Result<HeaderValue, RequestError> {
    let mut value = HeaderValue::from_str(&format!("OAuth {}", token.reveal()))
        .map_err(|error| RequestError::Connect(error.to_string()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn head(response: &reqwest::Response) -> Reply {
    let headers = response.headers();
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let content_type = text(CONTENT_TYPE).and_then(|value| value.split(';').next());
    // The service's own clock, where it tells it, is the one that its dates are of.
    let now = text(DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    let now = now.unwrap_or_else(SystemTime::now);
    Reply {
        status: response.status().as_u16(),
        content_type: content_type.map(|value| value.trim().to_ascii_lowercase()),
        retry_after: text(RETRY_AFTER).and_then(|value| retry_after::parse(value, now)),
        etag: text(ETAG).map(str::to_owned),
        body: Vec::new(),
        large_body: None,
    }
}

/// Refuses a body that is too large or whose end could not be told from a broken connection.
fn check_length(response: &reqwest::Response, limit: usize) -> Result<(), RequestError> {
    let has_end = response.content_length().is_some()
        || response.headers().contains_key(TRANSFER_ENCODING)
        || response.status() == StatusCode::NO_CONTENT;
    if !has_end {
        return Err(RequestError::Endless);
    }
    match response.content_length() {
        Some(length) if length > limit as u64 => Err(RequestError::TooLarge { limit }),
        _ => Ok(()),
    }
}

fn of_http(error: reqwest::Error) -> RequestError {
    if error.is_timeout() {
        RequestError::TooSlow("no connection came about")
    } else if is_of_certificate(&error) {
        RequestError::Untrusted(describe(error))
    } else if error.is_connect() {
        RequestError::Connect(describe(error))
    } else {
        RequestError::Broken(describe(error))
    }
}

/// Whether it was the certificate that kept a connection from coming about.
fn is_of_certificate(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if matches!(tls_error(inner), Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        cause = inner.source();
    }
    false
}

/// The error of TLS in a cause: errors of I/O, one in the other, do not count it as a cause.
fn tls_error<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let io = cause.downcast_ref::<std::io::Error>();
    match io.and_then(std::io::Error::get_ref) {
        Some(inner) => tls_error(inner),
        None => cause.downcast_ref(),
    }
}

/// The innermost cause: outer ones only say that there was an error.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
