//! What an answer of the Graph API means: an entity, or which kind of error.

use std::io::Read;

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Error;

/// Codes of errors, from the documentation and from what clients report.
mod code {
    /// A requested object does not exist, or a parameter is wrong.
    pub(super) const MISSING_OR_WRONG: i64 = 100;
    /// The limit of requests is reached.
    pub(super) const LIMIT: i64 = 4;
    /// The token is wrong or has expired.
    pub(super) const TOKEN: i64 = 190;
}

/// Most bytes of a message that are repeated.
const MAX_MESSAGE_LEN: usize = 500;

/// Most bytes of an answer when it is inflated.
const MAX_INFLATED_BYTES: u64 = 64 << 20;

/// An edge of an entity: a list of others.
#[derive(Deserialize)]
pub(super) struct List<T> {
    pub data: Vec<T>,
}

#[derive(Deserialize)]
struct Failure {
    error: FailureBody,
}

#[derive(Deserialize)]
struct FailureBody {
    #[serde(default)]
    message: String,
    code: Option<i64>,
    #[serde(default)]
    is_transient: bool,
}

/// The text of a body, inflated where it is gzipped, within bounds.
pub(super) fn text(body: &[u8]) -> Result<String, Error> {
    if !body.starts_with(&[0x1f, 0x8b]) {
        return Ok(String::from_utf8_lossy(body).into_owned());
    }
    let mut inflated = Vec::new();
    GzDecoder::new(body)
        .take(MAX_INFLATED_BYTES)
        .read_to_end(&mut inflated)
        .map_err(|error| Error::Answer {
            reason: error.to_string(),
        })?;
    Ok(String::from_utf8_lossy(&inflated).into_owned())
}

/// Reads an answer.
///
/// # Errors
///
/// What went wrong, told by the error in the body where there is one, by the status otherwise.
/// Some errors come with status 200.
pub(super) fn read<T: DeserializeOwned>(status: u16, body: &[u8]) -> Result<T, Error> {
    if let Ok(failure) = serde_json::from_slice::<Failure>(body) {
        return Err(told(status, failure.error));
    }
    if status != 200 {
        return Err(untold(status));
    }
    serde_json::from_slice(body).map_err(|error| Error::Answer {
        reason: error.to_string(),
    })
}

/// An error that the service explains.
fn told(status: u16, body: FailureBody) -> Error {
    let message = shortened(body.message);
    match (body.code, status) {
        (Some(code::LIMIT), _) | (_, 429) => Error::Limit { message },
        (Some(code::TOKEN), _) | (_, 401 | 403) => Error::Token { message },
        (Some(code::MISSING_OR_WRONG), _) | (_, 404) => Error::NotFound { message },
        (_, 500..) => Error::Transient { status, message },
        _ if body.is_transient => Error::Transient { status, message },
        (code, _) => Error::Refused {
            status,
            code,
            message,
        },
    }
}

/// An error of which only the status is known.
fn untold(status: u16) -> Error {
    told(
        status,
        FailureBody {
            message: format!("status {status}"),
            code: None,
            is_transient: false,
        },
    )
}

fn shortened(mut message: String) -> String {
    message.truncate(message.floor_char_boundary(MAX_MESSAGE_LEN));
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[track_caller]
    fn check(status: u16, body: &str, is_expected: fn(&Error) -> bool) {
        let error = read::<Value>(status, body.as_bytes()).unwrap_err();
        assert!(is_expected(&error), "{error:?}");
    }

    #[test]
    fn errors_are_told_by_code_then_by_status() {
        let limit = r#"{"error": {"message": "wait", "code": 4, "is_transient": true}}"#;
        check(
            400,
            limit,
            |e| matches!(e, Error::Limit { message } if message == "wait"),
        );
        check(429, "", |e| matches!(e, Error::Limit { .. }));
        let token = r#"{"error": {"message": "Invalid", "code": 190}}"#;
        check(500, token, |e| matches!(e, Error::Token { .. }));
        check(401, "<html>", |e| matches!(e, Error::Token { .. }));
        let missing = r#"{"error": {"code": 100}}"#;
        check(400, missing, |e| matches!(e, Error::NotFound { .. }));
        check(404, "", |e| matches!(e, Error::NotFound { .. }));
        check(503, "", |e| {
            matches!(e, Error::Transient { status: 503, .. })
        });
        let passing = r#"{"error": {"code": 2, "is_transient": true}}"#;
        check(400, passing, |e| matches!(e, Error::Transient { .. }));
        let other = r#"{"error": {"code": 7}}"#;
        check(400, other, |e| {
            matches!(e, Error::Refused { code: Some(7), .. })
        });
        check(200, limit, |e| matches!(e, Error::Limit { .. }));
        check(200, "{", |e| matches!(e, Error::Answer { .. }));
        check(302, "", |e| matches!(e, Error::Refused { status: 302, .. }));
    }

    #[test]
    fn long_messages_are_cut() {
        let message = "ä".repeat(1000);
        let body = format!(r#"{{"error": {{"message": "x{message}", "code": 4}}}}"#);
        check(400, &body, |e| e.to_string().len() < 600);
    }

    #[test]
    fn gzipped_answers_are_inflated_within_bounds() {
        use flate2::{Compression, write::GzEncoder};
        use std::io::Write;
        let gzip = |bytes: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        assert_eq!(text(&gzip(b"{}")).unwrap(), "{}");
        let bomb = gzip(&vec![b' '; 80 << 20]);
        assert_eq!(text(&bomb).unwrap().len() as u64, MAX_INFLATED_BYTES);
        assert!(text(&gzip(b"{}")[..12]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_or_an_error(
            status: u16, body in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let answer = read::<Value>(status, &body);
            prop_assert!(status == 200 || answer.is_err());
        }
    }
}
