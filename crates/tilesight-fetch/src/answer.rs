//! What the service's answer to a request for a tile means.

use serde_json::Value;

use crate::client::{Reply, RequestError};
use crate::politeness::Setback;

/// Error codes of the service's JSON.
mod code {
    pub(super) const LIMIT: i64 = 4;
    pub(super) const NO_SUCH_THING: i64 = 100;
    pub(super) const TOKEN: i64 = 190;
}

/// An answer that is not a setback.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A body, which may be a tile.
    Body(Reply),
    /// The tile is as it was.
    Unchanged,
}

/// Why there is no tile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TileError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("the service answers with status {0}")]
    Status(u16),
    /// Mostly passing, and worth another try when some time has gone by.
    #[error("the service says that there is no such tile (404)")]
    NotFound,
    #[error("what came is no tile: {0}")]
    NotATile(String),
    #[error("the limit of requests is reached")]
    Limit,
    /// This address is banned: no further request helps.
    #[error("the service sends to a login page")]
    Banned,
    #[error("the service refuses the access token")]
    Token,
    /// Not asked for any more.
    #[error("the run has ended")]
    Ended,
}

/// Sorts a reply by what is to be done about it.
pub(crate) fn sort(reply: Reply) -> Result<Answer, Setback<TileError>> {
    let after = reply.retry_after;
    match reply.status {
        304 => Ok(Answer::Unchanged),
        300..=399 => Err(Setback::Final(TileError::Banned)),
        401 | 403 => Err(Setback::Final(TileError::Token)),
        429 => Err(limited(&reply)),
        200..=299 if is_html(&reply) => Err(Setback::Final(TileError::Banned)),
        status => match (error_code(&reply), status) {
            (Some(code::TOKEN), _) => Err(Setback::Final(TileError::Token)),
            (Some(code::LIMIT), _) => Err(limited(&reply)),
            (Some(code::NO_SUCH_THING), _) | (_, 404) => Err(Setback::Final(TileError::NotFound)),
            (Some(_), 200..=299) => Err(retry(TileError::NotATile("an error".into()), after)),
            (_, 200 | 204) => Ok(Answer::Body(reply)),
            (_, 408 | 425 | 500..=599 | 200..=299) => Err(retry(TileError::Status(status), after)),
            _ => Err(Setback::Final(TileError::Status(status))),
        },
    }
}

/// Sorts the failure of a request.
pub(crate) fn of_request(error: RequestError) -> Setback<TileError> {
    if error.is_retryable() {
        retry(error.into(), None)
    } else {
        Setback::Final(error.into())
    }
}

/// Another try: what came was damaged on its way, or is wrong at its source.
pub(crate) fn no_tile(reason: String) -> Setback<TileError> {
    retry(TileError::NotATile(reason), None)
}

fn retry(error: TileError, after: Option<std::time::Duration>) -> Setback<TileError> {
    Setback::Retry { error, after }
}

fn limited(reply: &Reply) -> Setback<TileError> {
    Setback::Limited {
        error: TileError::Limit,
        after: reply.retry_after,
    }
}

/// Whether a body is a web page, by what it is called or by how it begins; tiles begin otherwise.
fn is_html(reply: &Reply) -> bool {
    let is_called_so = reply.content_type.as_deref() == Some("text/html");
    let start = reply.body.trim_ascii_start();
    let begins_so = |tag: &[u8]| {
        start
            .get(..tag.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(tag))
    };
    is_called_so || begins_so(b"<!doctype html") || begins_so(b"<html")
}

/// The code in `{"error": {"code": …}}`; bodies that are no such JSON have none.
fn error_code(reply: &Reply) -> Option<i64> {
    // Tiles are not searched for JSON.
    if !reply.body.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let json: Value = serde_json::from_slice(&reply.body).ok()?;
    json.get("error")?.get("code")?.as_i64()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn reply(status: u16, content_type: &str, body: &str) -> Reply {
        Reply {
            status,
            content_type: Some(content_type.into()),
            retry_after: Some(Duration::from_secs(7)),
            body: body.into(),
            ..Reply::default()
        }
    }

    #[track_caller]
    fn check_final(status: u16, body: &str, expected: TileError) {
        let sorted = sort(reply(status, "application/json", body));
        assert_eq!(
            sorted.unwrap_err(),
            Setback::Final(expected),
            "{status} {body}"
        );
    }

    #[track_caller]
    fn check_retry(status: u16, body: &str) {
        let sorted = sort(reply(status, "application/json", body));
        assert!(
            matches!(sorted, Err(Setback::Retry { after: Some(_), .. })),
            "{sorted:?}"
        );
    }

    #[track_caller]
    fn check_limit(status: u16, body: &str) {
        let sorted = sort(reply(status, "application/json", body));
        assert!(
            matches!(sorted, Err(Setback::Limited { after: Some(_), .. })),
            "{sorted:?}"
        );
    }

    fn error(code: i64) -> String {
        format!(r#"{{"error":{{"message":"m","type":"OAuthException","code":{code}}}}}"#)
    }

    #[test]
    fn answers_mean_what_the_service_means() {
        check_final(302, "", TileError::Banned);
        check_final(200, " <!DOCTYPE html><p>Log in", TileError::Banned);
        check_final(401, "", TileError::Token);
        check_final(403, "", TileError::Token);
        check_final(400, &error(190), TileError::Token);
        check_final(404, "", TileError::NotFound);
        check_final(400, &error(100), TileError::NotFound);
        check_final(418, "", TileError::Status(418));
        check_limit(429, "");
        check_limit(400, &error(4));
        check_limit(403 + 26, &error(1));
        for status in [408, 500, 502, 503, 206] {
            check_retry(status, "");
        }
        check_retry(200, &error(1));
        check_retry(500, &error(2));
    }

    #[test]
    fn bodies_are_handed_on() {
        for (status, body) in [(200, "\u{1a}tile"), (200, ""), (204, "")] {
            match sort(reply(status, "application/x-protobuf", body)) {
                Ok(Answer::Body(reply)) => assert_eq!(reply.body, body.as_bytes()),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(sort(reply(304, "", "")), Ok(Answer::Unchanged)));
        let page = sort(reply(200, "text/html", "\u{1a}tile"));
        assert_eq!(page.unwrap_err(), Setback::Final(TileError::Banned));
    }
}
