//! Answers as the service writes them, for those who know its spellings.

use serde_json::{Map, Value};

use super::answer::List;
use super::fields::Kind;
use super::{Error, Fields, Graph, Id};

impl Graph {
    /// Asks for an image and gives what the service answers: names, times and numbers are
    /// spelled as it spells them.
    ///
    /// # Errors
    ///
    /// As [`image`](Self::image).
    pub async fn image_json(&self, id: Id, fields: &Fields) -> Result<Map<String, Value>, Error> {
        self.entity(id, &fields.of(Kind::Image)).await
    }

    /// Asks for a map feature and gives what the service answers.
    ///
    /// # Errors
    ///
    /// As [`image`](Self::image).
    pub async fn feature_json(&self, id: Id, fields: &Fields) -> Result<Map<String, Value>, Error> {
        self.entity(id, &fields.of(Kind::MapFeature)).await
    }

    /// Asks what was detected in an image, or which detections make a map feature, and gives what
    /// the service answers: outlines are text, to be read with
    /// [`decode_rings`](super::decode_rings).
    ///
    /// # Errors
    ///
    /// As [`detections`](Self::detections), but for outlines.
    pub async fn detections_json(
        &self,
        of: Id,
        fields: &Fields,
    ) -> Result<Vec<Map<String, Value>>, Error> {
        let fields = fields.of(Kind::Detection);
        let path = format!("/{of}/detections");
        let list: List<Map<String, Value>> = self.ask(&path, &[("fields", &fields)]).await?;
        Ok(list.data)
    }
}
