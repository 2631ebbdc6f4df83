//! What people say of sequences: titles, transport types, tags, likes and tours.
//!
//! Nothing of it exists at Mapillary. It is kept by the ids of sequences in a small SQLite file
//! beside the dataset ([`default_path`]), read whole ([`read`]), changed in transactions
//! ([`edit`]), and narrows questions to sequences ([`Annotations::narrow`]). What this module
//! believes was checked: a text is a text of its kind, nobody likes their own sequence, and a
//! tour holds its owner's sequences only.
//!
//! ```
//! use tilesight::annotations::{self, AnnotationError, Note, Owner, RuleError};
//!
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("town.annotations");
//! annotations::edit(&path, |all| {
//!     let mut note = Note { title: Some("To the sea".into()), ..Note::default() };
//!     note.owner = Some(Owner::new("549053432678742"));
//!     note.transport = "Walk".parse().ok();
//!     all.put("tYcXv0Gp3kL1mN9qRs2B5w", note)?;
//!     Ok::<_, AnnotationError>(())
//! })?;
//! let own = annotations::edit(&path, |all| -> Result<(), AnnotationError> {
//!     all.like("tYcXv0Gp3kL1mN9qRs2B5w", "549053432678742", true)?;
//!     Ok(())
//! });
//! assert!(matches!(own, Err(AnnotationError::Rule(RuleError::OwnLike { .. }))));
//! let all = annotations::read(&path)?;
//! assert_eq!(all.notes().count(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod file;
mod filter;
mod json;
mod transport;

use std::collections::{BTreeMap, BTreeSet};

pub use error::{AnnotationError, RuleError};
pub use file::{default_path, edit, read};
pub use filter::AnnotationFilter;
pub use transport::{Transport, UnknownTransport};

use tilesight_query::Sequence;

use crate::Dataset;

/// Most characters of a name, an id, a tag or a title.
const MAX_NAME_CHARS: usize = 255;

/// Most characters of a description.
const MAX_DESCRIPTION_CHARS: usize = 65_536;

/// Everything that is said of sequences. What is in it keeps the rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotations {
    notes: BTreeMap<String, Note>,
    tours: BTreeMap<TourKey, Tour>,
}

/// What is said of one sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Note {
    /// Who made the sequence, where that is known.
    pub owner: Option<Owner>,
    /// What its owner calls it.
    pub title: Option<String>,
    /// What its owner tells about it.
    pub description: Option<String>,
    /// How it was travelled.
    pub transport: Option<Transport>,
    /// Words to find it by.
    pub tags: BTreeSet<String>,
    /// The users who like it; its owner is none of them.
    pub likes: BTreeSet<String>,
}

/// The user who made a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The user's id at Mapillary, or whatever else tells users apart.
    pub key: String,
    /// The user's name, where it is known besides.
    pub name: Option<String>,
}

impl Owner {
    /// An owner of whom only the key is known.
    pub fn new(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            name: None,
        }
    }

    /// Who made a sequence, as its tiles or its import tell; nobody where neither does.
    pub fn of(sequence: &Sequence<'_>, data: &Dataset) -> Option<Self> {
        let imported = data.source().imported(sequence.id);
        let creator = sequence.creator_id.map(|id| id.to_string());
        let key = creator.or_else(|| imported?.user_key.clone());
        Self::from_parts(key, imported.and_then(|imported| imported.username.clone()))
    }

    /// Whether a user is this one, by key or name.
    pub fn is(&self, user: &str) -> bool {
        self.key == user || self.name.as_deref() == Some(user)
    }

    /// The owner of whom a key, a name or both are known; nobody where neither is.
    pub fn from_parts(key: Option<String>, name: Option<String>) -> Option<Self> {
        match (key, name) {
            (Some(key), name) => Some(Self { key, name }),
            (None, name) => name.map(Self::new),
        }
    }
}

/// Whose tour, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TourKey {
    /// The key of its owner.
    pub owner: String,
    /// Its name.
    pub name: String,
}

/// Some sequences of one owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tour {
    /// What its owner tells about it.
    pub description: Option<String>,
    /// Words to find it by.
    pub tags: BTreeSet<String>,
    /// The ids of its sequences.
    pub sequences: BTreeSet<String>,
}

impl Annotations {
    /// What is said of a sequence.
    pub fn note(&self, id: &str) -> Option<&Note> {
        self.notes.get(id)
    }

    /// Every sequence of which something is said, by id.
    pub fn notes(&self) -> impl Iterator<Item = (&str, &Note)> {
        self.notes.iter().map(|(id, note)| (id.as_str(), note))
    }

    /// A tour.
    pub fn tour(&self, key: &TourKey) -> Option<&Tour> {
        self.tours.get(key)
    }

    /// Every tour, by owner and name.
    pub fn tours(&self) -> impl Iterator<Item = (&TourKey, &Tour)> {
        self.tours.iter()
    }

    /// Says something of a sequence, in place of what was said before, which is returned.
    ///
    /// # Errors
    ///
    /// [`RuleError`]: for a text that cannot be what it is meant to be, for a like by the owner
    /// or without an owner, and for an owner other than that of the tours that hold the sequence.
    /// Nothing is changed then.
    pub fn put(&mut self, id: &str, note: Note) -> Result<Option<Note>, RuleError> {
        check_name("a sequence's id", id)?;
        note.check(id)?;
        let tours = self.tours.iter();
        for (key, _) in tours.filter(|(_, tour)| tour.sequences.contains(id)) {
            key.check_owner(id, note.owner.as_ref())?;
        }
        Ok(self.notes.insert(id.to_owned(), note))
    }

    /// Forgets what is said of a sequence, and takes it out of all tours.
    pub fn remove(&mut self, id: &str) -> Option<Note> {
        for tour in self.tours.values_mut() {
            tour.sequences.remove(id);
        }
        self.notes.remove(id)
    }

    /// Lets a user like a sequence, or no longer.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub fn like(&mut self, id: &str, user: &str, likes: bool) -> Result<(), RuleError> {
        let mut note = self.note(id).cloned().unwrap_or_default();
        if likes {
            note.likes.insert(user.to_owned());
        } else {
            note.likes.remove(user);
        }
        self.put(id, note).map(drop)
    }

    /// Makes a tour, in place of the one that was there, which is returned.
    ///
    /// # Errors
    ///
    /// [`RuleError`]: for a text that cannot be what it is meant to be, and for a sequence that
    /// somebody else made or of which it is not known who did. Nothing is changed then.
    pub fn put_tour(&mut self, key: &TourKey, tour: Tour) -> Result<Option<Tour>, RuleError> {
        key.check()?;
        tour.check()?;
        for id in &tour.sequences {
            let owner = self.note(id).and_then(|note| note.owner.as_ref());
            key.check_owner(id, owner)?;
        }
        Ok(self.tours.insert(key.clone(), tour))
    }

    /// Forgets a tour.
    pub fn remove_tour(&mut self, key: &TourKey) -> Option<Tour> {
        self.tours.remove(key)
    }

    /// Takes over other annotations. What they say of a sequence or a tour replaces what was said
    /// of it before; all else stays.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put) and [`put_tour`](Self::put_tour); a part may be taken over then.
    pub fn merge(&mut self, other: Self) -> Result<(), RuleError> {
        // A tour that comes anew does not hold its old sequences to their old owner.
        for key in other.tours.keys() {
            self.tours.remove(key);
        }
        for (id, note) in other.notes {
            self.put(&id, note)?;
        }
        for (key, tour) in other.tours {
            self.put_tour(&key, tour)?;
        }
        Ok(())
    }
}

impl Note {
    fn check(&self, id: &str) -> Result<(), RuleError> {
        if let Some(owner) = &self.owner {
            check_name("an owner", &owner.key)?;
            check_option("an owner's name", owner.name.as_deref())?;
        }
        check_option("a title", self.title.as_deref())?;
        check_description(self.description.as_deref())?;
        check_names("a tag", &self.tags)?;
        check_names("a user", &self.likes)?;
        self.check_likes(id)
    }

    fn check_likes(&self, id: &str) -> Result<(), RuleError> {
        if self.likes.is_empty() {
            return Ok(());
        }
        let sequence = id.to_owned();
        let Some(owner) = &self.owner else {
            let what = "who may like it";
            return Err(RuleError::NoOwner { sequence, what });
        };
        match self.likes.iter().find(|user| owner.is(user)) {
            Some(user) => Err(RuleError::OwnLike {
                sequence,
                user: user.clone(),
            }),
            None => Ok(()),
        }
    }
}

impl TourKey {
    fn check(&self) -> Result<(), RuleError> {
        check_name("an owner", &self.owner)?;
        check_name("a tour's name", &self.name)
    }

    /// Refuses a sequence that is not of this tour's owner.
    fn check_owner(&self, id: &str, owner: Option<&Owner>) -> Result<(), RuleError> {
        let sequence = id.to_owned();
        match owner {
            None => Err(RuleError::NoOwner {
                sequence,
                what: "whose tours it may be in",
            }),
            Some(owner) if owner.key == self.owner => Ok(()),
            Some(owner) => Err(RuleError::ForeignTour {
                tour: self.name.clone(),
                owner: self.owner.clone(),
                sequence,
                other: owner.key.clone(),
            }),
        }
    }
}

impl Tour {
    fn check(&self) -> Result<(), RuleError> {
        check_description(self.description.as_deref())?;
        check_names("a tag", &self.tags)?;
        check_names("a sequence's id", &self.sequences)
    }
}

fn check_option(what: &'static str, text: Option<&str>) -> Result<(), RuleError> {
    text.map_or(Ok(()), |text| check_name(what, text))
}

fn check_names(what: &'static str, texts: &BTreeSet<String>) -> Result<(), RuleError> {
    texts.iter().try_for_each(|text| check_name(what, text))
}

/// Checks a text that people read in one line.
fn check_name(what: &'static str, text: &str) -> Result<(), RuleError> {
    let problem = if text.is_empty() {
        "is empty"
    } else if text.trim() != text {
        "begins or ends with a space"
    } else if text.chars().any(char::is_control) {
        "has a line break or another control character"
    } else if text.chars().nth(MAX_NAME_CHARS).is_some() {
        "has more than 255 characters"
    } else {
        return Ok(());
    };
    Err(refused(what, text, problem))
}

fn check_description(text: Option<&str>) -> Result<(), RuleError> {
    let text = text.unwrap_or("…");
    let is_foreign = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    let problem = if text.is_empty() {
        "is empty"
    } else if text.chars().any(is_foreign) {
        "has a control character"
    } else if text.chars().nth(MAX_DESCRIPTION_CHARS).is_some() {
        "has more than 65,536 characters"
    } else {
        return Ok(());
    };
    Err(refused("a description", text, problem))
}

/// Most characters of a refused text that an error repeats.
const MAX_QUOTED_CHARS: usize = 60;

fn refused(what: &'static str, text: &str, problem: &'static str) -> RuleError {
    RuleError::Text {
        what,
        text: text.chars().take(MAX_QUOTED_CHARS).collect(),
        problem,
    }
}
