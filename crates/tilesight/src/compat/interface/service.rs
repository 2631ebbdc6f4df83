//! The service on the network: its token, and the clients made with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tilesight_fetch::graph::Graph;
use tilesight_fetch::{
    Client, FetchOptions, Fetcher, Manners, Origin, Politeness, Timeouts, Token,
};

use super::{Error, Options};

/// Makes clients when they are first needed, since most calls need none.
#[derive(Debug)]
pub(super) struct Service {
    fetch: FetchOptions,
    graph_origin: Origin,
    graph_manners: Manners,
    session: Mutex<Session>,
}

/// A token and what was made with it.
#[derive(Debug, Default)]
struct Session {
    token: Option<Token>,
    fetcher: Option<Arc<Fetcher>>,
    graph: Option<Graph>,
}

impl Service {
    pub(super) fn new(options: Options) -> Self {
        let session = Session {
            token: options.token,
            ..Session::default()
        };
        Self {
            fetch: options.fetch,
            graph_origin: options.graph_origin,
            graph_manners: options.graph_manners,
            session: Mutex::new(session),
        }
    }

    pub(super) fn set_token(&self, token: Token) {
        *lock(&self.session) = Session {
            token: Some(token),
            ..Session::default()
        };
    }

    pub(super) const fn fetch_options(&self) -> &FetchOptions {
        &self.fetch
    }

    pub(super) fn fetcher(&self) -> Result<Arc<Fetcher>, Error> {
        let mut session = lock(&self.session);
        if let Some(fetcher) = &session.fetcher {
            return Ok(fetcher.clone());
        }
        let token = session.token.clone().ok_or(Error::NoToken)?;
        let fetcher = Arc::new(Fetcher::new(token, self.fetch.clone())?);
        session.fetcher = Some(fetcher.clone());
        Ok(fetcher)
    }

    pub(super) fn graph(&self) -> Result<Graph, Error> {
        let mut session = lock(&self.session);
        if let Some(graph) = &session.graph {
            return Ok(graph.clone());
        }
        let token = session.token.clone().ok_or(Error::NoToken)?;
        let client = Client::new(Some(token), Timeouts::default())?;
        let politeness = Politeness::new(self.graph_manners, Box::new(|| Ok(())));
        let graph = Graph::new(client, self.graph_origin.clone(), Arc::new(politeness));
        session.graph = Some(graph.clone());
        Ok(graph)
    }

    /// Ends what is being fetched; the next call begins anew.
    pub(super) fn stop(&self) {
        if let Some(fetcher) = lock(&self.session).fetcher.take() {
            fetcher.stopper().stop();
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is kept is ever half made.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
