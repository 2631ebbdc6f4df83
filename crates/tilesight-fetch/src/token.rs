//! The access token: read once, sent to its own host, shown to nobody.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What stands in the place of a token in anything printable.
const MASK: &str = "***";

/// Longest token file that is read; real tokens have about 60 characters.
const MAX_FILE_BYTES: u64 = 4096;

/// An access token, never printed: `Debug` masks it and there is no `Display`.
///
/// ```
/// use tilesight_fetch::Token;
///
/// let token = Token::new(" MLY|123|abc\n")?;
/// assert_eq!(format!("{token:?}"), "Token(***)");
/// assert_eq!(token.mask("GET /?access_token=MLY%7C123%7Cabc"), "GET /?access_token=***");
/// # Ok::<(), tilesight_fetch::TokenError>(())
/// ```
#[derive(Clone)]
pub struct Token {
    text: String,
    /// As it stands in the query of an address.
    encoded: String,
}

/// Why there is no token; the text itself is never part of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Nothing but white space.
    #[error("the access token is empty")]
    Empty,
    /// A character that no token has, such as a line break within it.
    #[error("the access token has characters that no token has; it is one word, as MLY|123|abc")]
    Characters,
    /// A file that cannot be read.
    #[error("cannot read the access token from {}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

impl Token {
    /// Takes a token, without the white space around it.
    ///
    /// # Errors
    ///
    /// [`TokenError::Empty`] and [`TokenError::Characters`].
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Characters);
        }
        Ok(Self {
            text: text.to_owned(),
            encoded: percent_encode(text),
        })
    }

    /// Reads a token from a file that holds nothing else.
    ///
    /// # Errors
    ///
    /// [`TokenError::File`] when the file cannot be read, otherwise as [`new`](Self::new).
    pub fn from_file(path: &Path) -> Result<Self, TokenError> {
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text))
            .map_err(|source| TokenError::File {
                path: path.to_owned(),
                source,
            })?;
        Self::new(&text)
    }

    /// Replaces the token wherever it occurs in a text, plain or percent-encoded.
    pub fn mask(&self, text: &str) -> String {
        text.replace(&self.text, MASK).replace(&self.encoded, MASK)
    }

    /// The token itself, for the one place that sends it.
    pub(crate) fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({MASK})")
    }
}

/// Encodes all but letters, digits and `-_.*`, as forms do.
fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'-' | b'_' | b'.' | b'*' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_token_is_refused_without_being_shown() {
        assert!(matches!(Token::new(" \n"), Err(TokenError::Empty)));
        for wrong in ["MLY|77 secret", "MLY|77\r\nsecret", "MLY|77é"] {
            let error = Token::new(wrong).unwrap_err();
            assert!(!error.to_string().contains("MLY|77"), "{error}");
            assert!(!format!("{error:?}").contains("secret"));
        }
    }

    #[test]
    fn a_file_may_end_in_a_line_break() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "MLY|1|x\n").unwrap();
        assert_eq!(Token::from_file(file.path()).unwrap().reveal(), "MLY|1|x");
        let missing = Token::from_file(Path::new("no/such/file")).unwrap_err();
        assert!(missing.to_string().contains("no/such/file"));
    }

    #[test]
    fn the_encoded_form_is_that_of_addresses() {
        let token = Token::new("MLY|1/2+3~4").unwrap();
        let mut url = reqwest::Url::parse("http://localhost/").unwrap();
        url.query_pairs_mut().append_pair("t", token.reveal());
        assert_eq!(token.mask(url.as_str()), "http://localhost/?t=***");
    }
}
