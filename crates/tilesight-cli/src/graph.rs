//! Asking the Graph API, and printing a line for each answer.

use std::fmt::Display;

use serde::Serialize;
use serde_json::{Value, json};
use tilesight_fetch::graph::{Error, Graph, Id};

use crate::args::{self, Graph as Kind};
use crate::failure::Failure;
use crate::output;
use crate::plan::Target;
use crate::service;

/// How many answers are waited for before they are printed.
const A_BATCH: usize = 50;

/// Asks for entities and prints them in the order of their ids.
pub(crate) fn ask(typed: Kind) -> Result<(), Failure> {
    match typed {
        Kind::Image(typed) => entities(&typed, true, &async |graph, ids| {
            let fields = typed.fields.clone().unwrap_or_default();
            as_values(graph.images(ids, &fields).await?)
        }),
        Kind::Feature(typed) => entities(&typed, true, &async |graph, ids| {
            let fields = typed.fields.clone().unwrap_or_default();
            as_values(graph.features(ids, &fields).await?)
        }),
        Kind::Organization(typed) => entities(&typed, false, &async |graph, ids| {
            let fields = typed.fields.clone().unwrap_or_default();
            as_values(graph.organizations(ids, &fields).await?)
        }),
        Kind::Detections(typed) => detections(&typed),
        Kind::Sequence(typed) => sequences(&typed),
        Kind::Thumbnail(typed) => thumbnails(&typed),
    }
}

/// Asks for entities a batch at a time.
fn entities(
    typed: &args::Entities,
    as_features: bool,
    ask: &impl AsyncFn(&Graph, &[Id]) -> Result<Vec<Option<Value>>, Failure>,
) -> Result<(), Failure> {
    let graph = service::graph(&typed.service)?;
    let ids = ids(&typed.ids);
    let mut missing = Missing::default();
    service::wait(async {
        for ids in ids.chunks(A_BATCH) {
            let found = ask(&graph, ids).await?;
            let found = missing.keep(ids, found);
            let line = |entity| if as_features { feature(entity) } else { entity };
            print(found.into_iter().map(line))?;
        }
        Ok(())
    })?;
    missing.into_outcome()
}

fn detections(typed: &args::Entities) -> Result<(), Failure> {
    let graph = service::graph(&typed.service)?;
    let fields = typed.fields.clone().unwrap_or_default();
    let mut missing = Missing::default();
    service::wait(async {
        for id in ids(&typed.ids) {
            match graph.detections(id, &fields).await {
                Ok(found) => print(found)?,
                Err(Error::NotFound { .. }) => missing.add(id),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    })?;
    missing.into_outcome()
}

fn sequences(typed: &args::Sequence) -> Result<(), Failure> {
    let graph = service::graph(&typed.service)?;
    let mut missing = Missing::default();
    service::wait(async {
        for key in &typed.keys {
            match graph.image_ids(key).await {
                Ok(ids) => print([json!({"sequence_id": key, "image_ids": ids})])?,
                Err(Error::NotFound { .. }) => missing.add(key),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    })?;
    missing.into_outcome()
}

fn thumbnails(typed: &args::Thumbnail) -> Result<(), Failure> {
    let graph = service::graph(&typed.service)?;
    let ids = ids(&typed.ids);
    let mut missing = Missing::default();
    service::wait(async {
        for ids in ids.chunks(A_BATCH) {
            let found = graph.thumbnails(ids, typed.size).await?;
            print(missing.keep(ids, found))?;
        }
        Ok(())
    })?;
    missing.into_outcome()
}

/// What was asked for and is not there.
#[derive(Default)]
struct Missing(Vec<String>);

impl Missing {
    fn add(&mut self, what: impl Display) {
        self.0.push(what.to_string());
    }

    /// Takes note of what is missing and keeps the rest.
    fn keep<T>(&mut self, ids: &[Id], found: Vec<Option<T>>) -> Vec<T> {
        let absent = ids
            .iter()
            .zip(&found)
            .filter(|(_, entity)| entity.is_none());
        self.0.extend(absent.map(|(id, _)| id.to_string()));
        found.into_iter().flatten().collect()
    }

    fn into_outcome(self) -> Result<(), Failure> {
        if self.0.is_empty() {
            return Ok(());
        }
        let message = format!("not found: {}", self.0.join(", "));
        Err(Failure::Failed(message))
    }
}

fn ids(typed: &[i64]) -> Vec<Id> {
    typed.iter().copied().map(Id).collect()
}

fn as_values<T: Serialize>(entities: Vec<Option<T>>) -> Result<Vec<Option<Value>>, Failure> {
    let value = |entity: Option<T>| entity.map(serde_json::to_value).transpose();
    let values: Result<Vec<_>, _> = entities.into_iter().map(value).collect();
    values.map_err(Failure::failed)
}

/// A GeoJSON feature of what an entity says; its place becomes the geometry.
fn feature(mut entity: Value) -> Value {
    let geometry = entity
        .as_object_mut()
        .and_then(|entity| entity.remove("geometry"));
    json!({"type": "Feature", "geometry": geometry, "properties": entity})
}

fn print<T: Serialize>(lines: impl IntoIterator<Item = T>) -> Result<(), Failure> {
    output::write(&Target::Stdout, |out| {
        for line in lines {
            serde_json::to_writer(&mut *out, &line).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        Ok(())
    })
}
