//! The service on the network: its token, its address, and how it is treated.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use tilesight_fetch::graph::{self, Graph};
use tilesight_fetch::{Client, Manners, Origin, OriginError, Politeness, Timeouts, Token};

use crate::args;
use crate::failure::Failure;

/// Where the token is, unless a file is named.
const TOKEN_VARIABLE: &str = "MAPILLARY_ACCESS_TOKEN";

/// Where the origin of the Graph API is, unless it is typed.
const GRAPH_VARIABLE: &str = "TILESIGHT_GRAPH_URL";

/// Where the origin of the tiles is, unless it is typed.
const TILE_VARIABLE: &str = "TILESIGHT_TILE_URL";

/// Longest that a command waits when the limit of requests is reached.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// Makes ready to ask the Graph API.
pub(crate) fn graph(typed: &args::Service) -> Result<Graph, Failure> {
    let token = token(typed)?;
    let origin = origin(typed)?;
    let client = Client::new(Some(token), Timeouts::default()).map_err(Failure::failed)?;
    let manners = Manners {
        rate: Some(typed.rate),
        longest_pause: LONGEST_PAUSE,
        ..Manners::default()
    };
    let politeness = Politeness::new(manners, Box::new(|| Ok(())));
    Ok(Graph::new(client, origin, Arc::new(politeness)))
}

/// Waits for what is asked of the service.
pub(crate) fn wait<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("cannot use the network: {error}")))?;
    runtime.block_on(work)
}

/// The token, from the file that was named or from the environment.
pub(crate) fn token(typed: &args::Service) -> Result<Token, Failure> {
    if let Some(path) = &typed.token_file {
        return Token::from_file(path).map_err(Failure::usage);
    }
    let Some(text) = env::var_os(TOKEN_VARIABLE) else {
        return Err(Failure::usage(format!(
            "there is no access token: set {TOKEN_VARIABLE}, or add --token-file FILE"
        )));
    };
    // What is not text is no token either, and is not shown.
    let text = text.into_string().unwrap_or_default();
    Token::new(&text)
        .map_err(|error| Failure::usage(format!("{TOKEN_VARIABLE} is not usable: {error}")))
}

fn origin(typed: &args::Service) -> Result<Origin, Failure> {
    let origin = origin_of(typed.graph_url.as_ref(), GRAPH_VARIABLE)?;
    match origin {
        Some(origin) => Ok(origin),
        None => graph::ORIGIN.parse().map_err(Failure::failed),
    }
}

/// Where the tiles are, unless it is the service itself.
pub(crate) fn tile_origin(typed: Option<&Origin>) -> Result<Option<Origin>, Failure> {
    origin_of(typed, TILE_VARIABLE)
}

/// An origin that was typed or stands in a variable.
fn origin_of(typed: Option<&Origin>, variable: &str) -> Result<Option<Origin>, Failure> {
    if let Some(origin) = typed {
        return Ok(Some(origin.clone()));
    }
    let set = env::var(variable).ok().filter(|text| !text.is_empty());
    let origin: Option<Result<Origin, OriginError>> = set.map(|text| text.parse());
    let of_error = |error| Failure::usage(format!("{variable} is not usable: {error}"));
    origin.transpose().map_err(of_error)
}
