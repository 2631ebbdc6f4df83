//! Asking the Graph API.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::{self, List};
use super::detection::RawDetection;
use super::fields::Kind;
use super::{
    Detection, Error, Fields, Id, Image, ImagePlace, MapFeature, Organization, SignedUrl,
    Thumbnail, ThumbnailSize,
};
use crate::{Auth, Client, Origin, Politeness, Request, Setback};

/// Where the service is.
pub const ORIGIN: &str = "https://graph.mapillary.com";

/// Most entities that are asked for in one request.
const MAX_IDS: usize = 50;

/// Largest answer as it comes over the wire: the ids of long sequences and many outlines.
const MAX_BODY_BYTES: usize = 16 << 20;

/// Longest key of a sequence; real ones have 22 characters.
const MAX_KEY_LEN: usize = 64;

/// Asks the Graph API for what tiles do not tell.
///
/// Every question goes through one [`Politeness`], which repeats what fails in passing. Nothing that
/// is returned or printed has the token in it. Cloning is cheap.
///
/// # Example
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use tilesight_fetch::graph::{Fields, Graph, Id, ORIGIN};
/// use tilesight_fetch::{Client, Manners, Politeness, Timeouts, Token};
///
/// let token = Token::new(&std::env::var("MAPILLARY_ACCESS_TOKEN")?)?;
/// let client = Client::new(Some(token), Timeouts::default())?;
/// let politeness = Arc::new(Politeness::new(Manners::default(), Box::new(|| Ok(()))));
/// let graph = Graph::new(client, ORIGIN.parse()?, politeness);
/// let image = graph.image(Id(498_763_468_214_164), &"make,model".parse()?).await?;
/// println!("taken with a {}", image.model.unwrap_or_default());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Graph {
    client: Client,
    origin: Origin,
    politeness: Arc<Politeness>,
}

impl Graph {
    /// Asks the service at `origin`, which is [`ORIGIN`] but for mirrors and tests.
    pub const fn new(client: Client, origin: Origin, politeness: Arc<Politeness>) -> Self {
        Self {
            client,
            origin,
            politeness,
        }
    }

    /// Asks for an image.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is none that the token may see, otherwise any other
    /// [`Error`].
    pub async fn image(&self, id: Id, fields: &Fields) -> Result<Image, Error> {
        self.entity(id, &fields.of(Kind::Image)).await
    }

    /// Asks for images, fifty in one request.
    ///
    /// # Returns
    ///
    /// One for each id, in their order; none where there is no such image.
    ///
    /// # Errors
    ///
    /// Any [`Error`] but [`NotFound`](Error::NotFound).
    pub async fn images(&self, ids: &[Id], fields: &Fields) -> Result<Vec<Option<Image>>, Error> {
        self.entities(ids, &fields.of(Kind::Image)).await
    }

    /// Asks for map features, fifty in one request.
    ///
    /// # Returns
    ///
    /// One for each id, in their order; none where there is no such feature.
    ///
    /// # Errors
    ///
    /// Any [`Error`] but [`NotFound`](Error::NotFound).
    pub async fn features(
        &self,
        ids: &[Id],
        fields: &Fields,
    ) -> Result<Vec<Option<MapFeature>>, Error> {
        self.entities(ids, &fields.of(Kind::MapFeature)).await
    }

    /// Asks for organizations, fifty in one request.
    ///
    /// # Returns
    ///
    /// One for each id, in their order; none where there is no such organization.
    ///
    /// # Errors
    ///
    /// Any [`Error`] but [`NotFound`](Error::NotFound).
    pub async fn organizations(
        &self,
        ids: &[Id],
        fields: &Fields,
    ) -> Result<Vec<Option<Organization>>, Error> {
        self.entities(ids, &fields.of(Kind::Organization)).await
    }

    /// Asks what was detected in an image, or which detections make a map feature.
    ///
    /// # Returns
    ///
    /// The detections in the order of the service; none is normal.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such image or feature, [`Error::Outline`] when an
    /// outline is damaged, otherwise any other [`Error`].
    pub async fn detections(&self, of: Id, fields: &Fields) -> Result<Vec<Detection>, Error> {
        let fields = fields.of(Kind::Detection);
        let path = format!("/{of}/detections");
        let list: List<RawDetection> = self.ask(&path, &[("fields", &fields)]).await?;
        list.data.into_iter().map(Detection::decode).collect()
    }

    /// Asks which images a sequence has.
    ///
    /// # Returns
    ///
    /// Their ids in the order in which they were taken.
    ///
    /// # Errors
    ///
    /// [`Error::SequenceKey`] when `key` is none, [`Error::NotFound`] when there is no such
    /// sequence, otherwise any other [`Error`].
    pub async fn image_ids(&self, key: &str) -> Result<Vec<Id>, Error> {
        if !is_sequence_key(key) {
            return Err(Error::SequenceKey(key.to_owned()));
        }
        let list: List<ImagePlace> = self.ask("/image_ids", &[("sequence_id", key)]).await?;
        Ok(list.data.into_iter().map(|image| image.id).collect())
    }

    /// Asks where the pictures of images can be got until they expire, fifty in one request.
    ///
    /// # Returns
    ///
    /// One for each id, in their order; none where there is no such image, or none of that size.
    ///
    /// # Errors
    ///
    /// [`Error::Answer`] when an address is not one of the web, otherwise any [`Error`] but
    /// [`NotFound`](Error::NotFound).
    pub async fn thumbnails(
        &self,
        ids: &[Id],
        size: ThumbnailSize,
    ) -> Result<Vec<Option<Thumbnail>>, Error> {
        let field = size.field();
        let found: Vec<Option<Value>> = self.entities(ids, field).await?;
        let thumbnail = |(&id, entity): (&Id, Option<Value>)| {
            let url = entity.as_ref().and_then(|entity| entity[field].as_str());
            let signed = |text| SignedUrl::parse(text, self.origin.url("/").scheme() == "https");
            let url = url
                .map(signed)
                .transpose()
                .map_err(|reason| of_entity(id, reason))?;
            Ok(url.map(|url| Thumbnail { id, size, url }))
        };
        ids.iter().zip(found).map(thumbnail).collect()
    }

    /// The politeness that all questions go through.
    pub(crate) fn politeness(&self) -> &Politeness {
        &self.politeness
    }

    /// The client that all questions are sent by.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    async fn entities<T: DeserializeOwned>(
        &self,
        ids: &[Id],
        fields: &str,
    ) -> Result<Vec<Option<T>>, Error> {
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(MAX_IDS) {
            match self.batch(ids, fields).await {
                // One of them is missing: which one is only told one by one.
                Err(Error::NotFound { .. } | Error::Refused { .. }) => {
                    for &id in ids {
                        found.push(unless_missing(self.entity(id, fields).await)?);
                    }
                }
                batch => found.extend(batch?),
            }
        }
        Ok(found)
    }

    async fn batch<T: DeserializeOwned>(
        &self,
        ids: &[Id],
        fields: &str,
    ) -> Result<Vec<Option<T>>, Error> {
        let joined: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let query = [("ids", joined.join(",")), ("fields", fields.to_owned())];
        let query = query
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let by_id: HashMap<String, Value> = self.ask("/", &query).await?;
        let read = |id: &Id| {
            by_id
                .get(&id.to_string())
                .map(|entity| from_value(*id, entity))
        };
        ids.iter().map(|id| read(id).transpose()).collect()
    }

    pub(super) async fn entity<T: DeserializeOwned>(
        &self,
        id: Id,
        fields: &str,
    ) -> Result<T, Error> {
        let entity: Value = self.ask(&format!("/{id}"), &[("fields", fields)]).await?;
        from_value(id, &entity)
    }

    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Error> {
        let mut url = self.origin.url(path);
        url.query_pairs_mut().extend_pairs(query);
        let request = Request {
            url,
            auth: Auth::Header,
            if_none_match: None,
            max_body_bytes: MAX_BODY_BYTES,
        };
        let outcome = self.politeness.run(async || self.attempt(&request).await);
        outcome.await.map_err(Error::from_giving_up)
    }

    async fn attempt<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
    ) -> Result<T, Setback<Error>> {
        let reply = self.client.get(request).await;
        let reply = reply.map_err(|error| Error::Request(error).into_setback(None))?;
        let read = || {
            let text = answer::text(&reply.body)?;
            // Lists may link to their next page by an address with the token in it.
            let text = self
                .client
                .token()
                .map_or(text.clone(), |token| token.mask(&text));
            answer::read(reply.status, text.as_bytes())
        };
        read().map_err(|error: Error| error.into_setback(reply.retry_after))
    }
}

fn from_value<T: DeserializeOwned>(id: Id, entity: &Value) -> Result<T, Error> {
    T::deserialize(entity).map_err(|error| of_entity(id, error))
}

fn of_entity(id: Id, reason: impl Display) -> Error {
    Error::Answer {
        reason: format!("{id}: {reason}"),
    }
}

fn unless_missing<T>(outcome: Result<T, Error>) -> Result<Option<T>, Error> {
    match outcome {
        Err(Error::NotFound { .. }) => Ok(None),
        outcome => outcome.map(Some),
    }
}

/// Whether a text can be the key of a sequence, and nothing but one: it becomes part of
/// addresses.
fn is_sequence_key(text: &str) -> bool {
    let is_of_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=MAX_KEY_LEN).contains(&text.len()) && text.bytes().all(is_of_key)
}
