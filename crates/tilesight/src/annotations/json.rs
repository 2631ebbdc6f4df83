//! Annotations as JSON, for other programs and for the next file.

use serde::{Deserialize, Serialize};

use super::{AnnotationError, Annotations, Note, Owner, Tour, TourKey};

/// What a document says it is.
const FORMAT: &str = "tilesight annotations";

/// Version of the members below.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    version: u32,
    sequences: Vec<SequenceJson>,
    tours: Vec<TourJson>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SequenceJson {
    id: String,
    owner: Option<String>,
    owner_name: Option<String>,
    title: Option<String>,
    description: Option<String>,
    transport: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    likes: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TourJson {
    owner: String,
    name: String,
    description: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    sequences: Vec<String>,
}

impl Annotations {
    /// Writes all of it as JSON: members in a fixed order, sequences by id, tours by owner and
    /// name, so that equal annotations are equal bytes.
    ///
    /// # Errors
    ///
    /// None that a text could have.
    pub fn to_json(&self) -> Result<String, AnnotationError> {
        let document = Document {
            format: FORMAT.to_owned(),
            version: VERSION,
            sequences: self.notes().map(SequenceJson::of).collect(),
            tours: self.tours().map(TourJson::of).collect(),
        };
        let mut text = serde_json::to_string_pretty(&document).map_err(|error| not_json(&error))?;
        text.push('\n');
        Ok(text)
    }

    /// Reads what [`to_json`](Self::to_json) wrote, or somebody wrote likewise.
    ///
    /// # Errors
    ///
    /// [`AnnotationError::Json`] when it is something else or names a sequence or a tour twice,
    /// [`AnnotationError::Rule`] when it breaks a rule.
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight::annotations::Annotations;
    ///
    /// let annotations = Annotations::from_json(
    ///     r#"{"format": "tilesight annotations", "version": 1, "tours": [],
    ///         "sequences": [{"id": "tYcXv0Gp3kL1mN9qRs2B5w", "transport": "Walk"}]}"#,
    /// )?;
    /// let note = annotations.note("tYcXv0Gp3kL1mN9qRs2B5w").expect("it is there");
    /// assert_eq!(note.transport.map(|type_| type_.parent()), Some("Earth"));
    /// assert_eq!(Annotations::from_json(&annotations.to_json()?)?, annotations);
    /// # Ok::<(), tilesight::annotations::AnnotationError>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self, AnnotationError> {
        let document: Document = serde_json::from_str(text).map_err(|error| not_json(&error))?;
        if document.format != FORMAT || document.version != VERSION {
            let expected =
                format!("\"format\": {FORMAT:?} and \"version\": {VERSION} are expected");
            return Err(AnnotationError::Json(expected));
        }
        let mut annotations = Self::default();
        for sequence in document.sequences {
            let (id, note) = sequence.into_note()?;
            if annotations.put(&id, note)?.is_some() {
                return Err(AnnotationError::Json(format!(
                    "the sequence {id} is there twice"
                )));
            }
        }
        for tour in document.tours {
            let (key, tour) = tour.into_tour();
            if annotations.put_tour(&key, tour)?.is_some() {
                let twice = format!("the tour {:?} of {} is there twice", key.name, key.owner);
                return Err(AnnotationError::Json(twice));
            }
        }
        Ok(annotations)
    }
}

fn not_json(error: &serde_json::Error) -> AnnotationError {
    AnnotationError::Json(error.to_string())
}

impl SequenceJson {
    fn of((id, note): (&str, &Note)) -> Self {
        let note = note.clone();
        let (owner, owner_name) = match note.owner {
            Some(owner) => (Some(owner.key), owner.name),
            None => (None, None),
        };
        Self {
            id: id.to_owned(),
            owner,
            owner_name,
            title: note.title,
            description: note.description,
            transport: note.transport.map(|transport| transport.to_string()),
            tags: note.tags.into_iter().collect(),
            likes: note.likes.into_iter().collect(),
        }
    }

    fn into_note(self) -> Result<(String, Note), AnnotationError> {
        let parsed = self.transport.map(|name| name.parse()).transpose();
        let transport = parsed.map_err(|unknown: super::UnknownTransport| {
            AnnotationError::Json(format!("of the sequence {}: {unknown}", self.id))
        })?;
        let note = Note {
            owner: Owner::from_parts(self.owner, self.owner_name),
            title: self.title,
            description: self.description,
            transport,
            tags: self.tags.into_iter().collect(),
            likes: self.likes.into_iter().collect(),
        };
        Ok((self.id, note))
    }
}

impl TourJson {
    fn of((key, tour): (&TourKey, &Tour)) -> Self {
        let (TourKey { owner, name }, tour) = (key.clone(), tour.clone());
        Self {
            owner,
            name,
            description: tour.description,
            tags: tour.tags.into_iter().collect(),
            sequences: tour.sequences.into_iter().collect(),
        }
    }

    fn into_tour(self) -> (TourKey, Tour) {
        let key = TourKey {
            owner: self.owner,
            name: self.name,
        };
        let tour = Tour {
            description: self.description,
            tags: self.tags.into_iter().collect(),
            sequences: self.sequences.into_iter().collect(),
        };
        (key, tour)
    }
}
