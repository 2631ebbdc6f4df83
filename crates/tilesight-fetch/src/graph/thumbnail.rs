//! Where the pictures of images can be got.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;
use serde::{Serialize, Serializer};

use super::scalar::{Id, TimestampMs};

/// How large a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThumbnailSize {
    /// 256 pixels across.
    Px256,
    /// 1024 pixels across.
    #[default]
    Px1024,
    /// 2048 pixels across.
    Px2048,
    /// As large as it was taken.
    Original,
}

/// Where a picture can be got until the address expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// Of which image.
    pub id: Id,
    /// How large it is.
    pub size: ThumbnailSize,
    /// The address.
    pub url: SignedUrl,
}

/// An address that whoever knows it may read, until it expires: not to be stored.
///
/// `Debug` leaves out the query, which holds the signature.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedUrl(Url);

/// A text that is no size of a picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a size of pictures: 256, 1024, 2048 or original")]
pub struct ParseThumbnailSizeError(String);

impl ThumbnailSize {
    /// The field of an image that has the address.
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::Px256 => "thumb_256_url",
            Self::Px1024 => "thumb_1024_url",
            Self::Px2048 => "thumb_2048_url",
            Self::Original => "thumb_original_url",
        }
    }
}

impl SignedUrl {
    /// Takes an address of the web: `https`, or whatever it is where the service itself is asked
    /// without TLS, as a test is.
    pub(super) fn parse(text: &str, must_be_secure: bool) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "the address of its picture is none")?;
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if !must_be_secure => Ok(Self(url)),
            _ => Err("the address of its picture is not https"),
        }
    }

    /// The address, signature included.
    pub const fn reveal(&self) -> &Url {
        &self.0
    }

    /// When it expires, as its parameter `oe` tells: Unix time in hexadecimal seconds.
    pub fn expires_at(&self) -> Option<TimestampMs> {
        let (_, seconds) = self.0.query_pairs().find(|(name, _)| name == "oe")?;
        let seconds = u32::from_str_radix(&seconds, 16).ok()?;
        Some(TimestampMs(i64::from(seconds) * 1000))
    }
}

impl fmt::Debug for SignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.host_str().unwrap_or_default();
        write!(f, "SignedUrl({host}{}?***)", self.0.path())
    }
}

impl Serialize for Thumbnail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Record<'a> {
            id: Id,
            size: String,
            url: &'a str,
            expires_at: Option<TimestampMs>,
        }
        let record = Record {
            id: self.id,
            size: self.size.to_string(),
            url: self.url.0.as_str(),
            expires_at: self.url.expires_at(),
        };
        record.serialize(serializer)
    }
}

impl fmt::Display for ThumbnailSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Px256 => "256",
            Self::Px1024 => "1024",
            Self::Px2048 => "2048",
            Self::Original => "original",
        })
    }
}

impl FromStr for ThumbnailSize {
    type Err = ParseThumbnailSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Px256, Self::Px1024, Self::Px2048, Self::Original];
        let found = all.into_iter().find(|size| size.to_string() == text);
        found.ok_or_else(|| ParseThumbnailSizeError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_tells_when_it_expires_and_hides_its_signature() {
        let text = "https://scontent.example/m1/v/t6/An_x?oh=secret&oe=65F0A1B2&_nc_sid=1";
        let url = SignedUrl::parse(text, true).unwrap();
        assert_eq!(url.expires_at(), Some(TimestampMs(0x65F0_A1B2 * 1000)));
        assert_eq!(
            format!("{url:?}"),
            "SignedUrl(scontent.example/m1/v/t6/An_x?***)"
        );
        let unknown = SignedUrl::parse("https://scontent.example/x?oe=zz", true).unwrap();
        assert_eq!(unknown.expires_at(), None);
    }

    #[test]
    fn only_addresses_of_the_web_are_taken() {
        for wrong in ["", "x", "file:///etc/passwd", "http://scontent.example/x"] {
            assert!(SignedUrl::parse(wrong, true).is_err(), "{wrong}");
        }
        assert!(SignedUrl::parse("http://127.0.0.1:1/x", false).is_ok());
        assert!(SignedUrl::parse("file:///etc/passwd", false).is_err());
    }

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for text in ["256", "1024", "2048", "original"] {
            assert_eq!(text.parse::<ThumbnailSize>().unwrap().to_string(), text);
        }
        assert!("512".parse::<ThumbnailSize>().is_err());
    }
}
