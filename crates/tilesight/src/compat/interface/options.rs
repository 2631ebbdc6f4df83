//! How the interface fetches and what it keeps.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use tilesight_fetch::graph;
use tilesight_fetch::{FetchOptions, Manners, Origin, OriginError, Token};

use super::{Error, arguments};

/// Where the token is.
const TOKEN_VARIABLE: &str = "MAPILLARY_ACCESS_TOKEN";
/// Where the store is.
const STORE_VARIABLE: &str = "TILESIGHT_STORE";
/// Where the origins of the tiles and of the Graph API are.
const TILE_VARIABLE: &str = "TILESIGHT_TILE_URL";
const GRAPH_VARIABLE: &str = "TILESIGHT_GRAPH_URL";

/// How many tiles are asked for in a second.
const RATE_VARIABLE: &str = "TILESIGHT_RATE";

/// What stands for no lasting store, and for no limit of the rate.
const OFF: &str = "off";

/// Longest that a question to the Graph API waits when the limit of requests is reached.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// Images that are kept in memory: about 500 MB.
const MAX_IMAGES_IN_MEMORY: u64 = 5_000_000;

/// How an [`Interface`](super::Interface) fetches and what it keeps.
#[derive(Debug, Clone)]
pub struct Options {
    /// The store that tiles are kept in, which is made if there is none; where nothing is said,
    /// a temporary one that goes with the interface.
    pub store: Option<PathBuf>,
    /// The access token; it may be set later.
    pub token: Option<Token>,
    /// How tiles are fetched, and how old they may be.
    pub fetch: FetchOptions,
    /// Where the Graph API is.
    pub graph_origin: Origin,
    /// How the Graph API is treated.
    pub graph_manners: Manners,
    /// Answer from the store alone: tiles that it lacks are an error, unless a part of the answer
    /// is enough.
    pub offline: bool,
    /// Answer from the tiles that there are, even where others could not be fetched.
    pub allow_partial: bool,
    /// Images that are kept in memory at most, beyond those of the last question; about 100
    /// bytes each.
    pub max_images_in_memory: u64,
}

impl Options {
    /// The service as it is, without a token, and a temporary store.
    ///
    /// # Errors
    ///
    /// None in practice: the origins are constants.
    pub fn new() -> Result<Self, OriginError> {
        Ok(Self {
            store: None,
            token: None,
            fetch: FetchOptions::new(None)?,
            graph_origin: graph::ORIGIN.parse()?,
            graph_manners: Manners {
                longest_pause: LONGEST_PAUSE,
                ..Manners::default()
            },
            offline: false,
            allow_partial: false,
            max_images_in_memory: MAX_IMAGES_IN_MEMORY,
        })
    }

    /// Reads the environment: the token from `MAPILLARY_ACCESS_TOKEN`, the store from
    /// `TILESIGHT_STORE` (`off` for a temporary one; where nothing is said,
    /// `tilesight/interface.mbtiles` in the user's folder for caches), the origins from
    /// `TILESIGHT_TILE_URL` and `TILESIGHT_GRAPH_URL`, and from `TILESIGHT_RATE` how many tiles are
    /// asked for in a second at most (`off` for no limit, which no service but one's own bears).
    ///
    /// # Errors
    ///
    /// [`Error::Token`], [`Error::Origin`] and [`Error::Argument`] for what is set and cannot be
    /// used.
    pub fn from_environment() -> Result<Self, Error> {
        Self::from_variables(|name| env::var_os(name).map(|value| value.to_string_lossy().into()))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let variable = |name: &str| variable(name).filter(|text| !text.is_empty());
        let origin = |name: &'static str| {
            let parsed = variable(name).map(|text| text.parse::<Origin>());
            parsed.transpose().map_err(of_variable(name))
        };
        let mut options = Self::new().map_err(of_variable(TILE_VARIABLE))?;
        options.store = match variable(STORE_VARIABLE) {
            Some(text) if text == OFF => None,
            Some(path) => Some(path.into()),
            None => cache_folder(variable).map(|folder| folder.join("tilesight/interface.mbtiles")),
        };
        let token = variable(TOKEN_VARIABLE).map(|text| Token::new(&text));
        options.token = token.transpose()?;
        if let Some(text) = variable(RATE_VARIABLE) {
            options.fetch.manners.rate = rate(&text)?;
        }
        if let Some(origin) = origin(TILE_VARIABLE)? {
            options.fetch.tile_origin = origin;
        }
        if let Some(origin) = origin(GRAPH_VARIABLE)? {
            options.graph_origin = origin;
        }
        Ok(options)
    }
}

fn of_variable(variable: &'static str) -> impl Fn(OriginError) -> Error {
    move |error| Error::Origin { variable, error }
}

/// Requests a second; none for no limit.
fn rate(text: &str) -> Result<Option<f64>, Error> {
    const RATE: &str = "a number of requests a second, as 5, or off for no limit";
    if text == OFF {
        return Ok(None);
    }
    let rate = text
        .parse()
        .ok()
        .filter(|&rate| rate > 0.0 && rate < f64::INFINITY);
    let wrong = || arguments::wrong(RATE_VARIABLE, format!("{text:?}"), RATE);
    rate.map(Some).ok_or_else(wrong)
}

/// The user's folder for caches (XDG Base Directory Specification; Microsoft's known folders).
fn cache_folder(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    if cfg!(windows) {
        return variable("LOCALAPPDATA").map(PathBuf::from);
    }
    let named = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(variable("HOME")?).join(".cache"));
    named.filter(|path| path.is_absolute()).or_else(home)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(variables: &[(&str, &str)]) -> Result<Options, Error> {
        Options::from_variables(|name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn variables_are_read() {
        let all = options(&[
            ("MAPILLARY_ACCESS_TOKEN", "MLY|1|x"),
            ("TILESIGHT_STORE", "town.mbtiles"),
            ("TILESIGHT_TILE_URL", "http://127.0.0.1:1"),
            ("TILESIGHT_GRAPH_URL", "http://127.0.0.1:2"),
            ("TILESIGHT_RATE", "2.5"),
        ])
        .unwrap();
        assert_eq!(all.fetch.manners.rate, Some(2.5));
        assert!(all.token.is_some());
        assert_eq!(all.store, Some("town.mbtiles".into()));
        assert_eq!(all.fetch.tile_origin.to_string(), "http://127.0.0.1:1");
        assert_eq!(all.graph_origin.to_string(), "http://127.0.0.1:2");
    }

    #[test]
    fn the_rate_is_limited_unless_that_is_off() {
        let rate = |variables: &[(&str, &str)]| options(variables).unwrap().fetch.manners.rate;
        assert_eq!(rate(&[]), Some(Manners::DEFAULT_RATE));
        assert_eq!(rate(&[("TILESIGHT_RATE", "off")]), None);
    }

    #[cfg(unix)]
    #[test]
    fn stores_lie_among_caches_unless_they_are_off() {
        let store = |variables: &[(&str, &str)]| options(variables).unwrap().store;
        let home = ("HOME", "/home/ada");
        let expected = "/home/ada/.cache/tilesight/interface.mbtiles";
        assert_eq!(store(&[home]), Some(expected.into()));
        let named = store(&[home, ("XDG_CACHE_HOME", "/tmp/cache")]);
        assert_eq!(named, Some("/tmp/cache/tilesight/interface.mbtiles".into()));
        assert_eq!(store(&[home, ("TILESIGHT_STORE", "off")]), None);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let error = options(&[("TILESIGHT_GRAPH_URL", "nowhere")]).unwrap_err();
        assert!(error.to_string().contains("TILESIGHT_GRAPH_URL"), "{error}");
        for rate in ["0", "-1", "inf", "NaN", "fast"] {
            let error = options(&[("TILESIGHT_RATE", rate)]).unwrap_err();
            assert!(error.to_string().contains("as 5, or off"), "{error}");
        }
        let error = options(&[("MAPILLARY_ACCESS_TOKEN", "two words")]).unwrap_err();
        assert!(matches!(error, Error::Token(_)), "{error}");
    }
}
