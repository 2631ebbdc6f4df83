//! What rows belong to, numbered: first as it comes, then in ascending order.

use super::part::{Interner, Part, Renumbering};
use crate::dictionary::{Ids, Texts};
use crate::images::NONE;

/// Sequences, organizations and creators of all parts so far, numbered as they came. This alone
/// of a build grows in memory with what is built: about 100 bytes a sequence.
#[derive(Default)]
pub(super) struct AllNames {
    sequences: Interner<Box<str>>,
    organizations: Interner<i64>,
    creators: Interner<i64>,
}

/// What the numbers of a part become among [`AllNames`].
pub(super) struct Names {
    pub(super) sequences: Renumbering,
    pub(super) organizations: Renumbering,
    pub(super) creators: Renumbering,
}

/// Distinct names in ascending order.
pub(super) struct Dictionaries {
    pub(super) sequences: Texts,
    pub(super) organizations: Ids,
    pub(super) creators: Ids,
}

/// What the numbers of [`AllNames`] are in the [`Dictionaries`].
pub(super) type Numbers = Names;

impl AllNames {
    /// Takes over the names of a part.
    pub(super) fn add(&mut self, part: &Part) -> Names {
        Names {
            sequences: part
                .sequences
                .renumbered(|id| self.sequences.number_of_text(id)),
            organizations: part
                .organizations
                .renumbered(|&id| self.organizations.number_of_id(Some(id))),
            creators: part
                .creators
                .renumbered(|&id| self.creators.number_of_id(Some(id))),
        }
    }

    pub(super) fn finish(self) -> (Dictionaries, Numbers) {
        let dictionaries = Dictionaries {
            sequences: sorted_texts(self.sequences.values()),
            organizations: Ids::new(self.organizations.values().copied()),
            creators: Ids::new(self.creators.values().copied()),
        };
        let Dictionaries {
            sequences,
            organizations,
            creators,
        } = &dictionaries;
        let or_none = |number: Option<u32>| number.unwrap_or(NONE);
        let numbers = Names {
            sequences: self.sequences.renumbered(|id| or_none(sequences.find(id))),
            organizations: self
                .organizations
                .renumbered(|&id| or_none(organizations.find(id))),
            creators: self.creators.renumbered(|&id| or_none(creators.find(id))),
        };
        (dictionaries, numbers)
    }
}

/// The distinct texts among some, as a dictionary.
pub(super) fn sorted_texts<'a>(texts: impl Iterator<Item = &'a Box<str>>) -> Texts {
    let mut sorted: Vec<&str> = texts.map(|text| &**text).collect();
    sorted.sort_unstable();
    sorted.dedup();
    Texts::from_sorted(sorted)
}
