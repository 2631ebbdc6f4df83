//! Which sequences are asked for by what is said of them.

use std::collections::BTreeSet;

use tilesight_query::Filter;

use super::{Annotations, Note, Transport};

/// What must be said of a sequence; every part that is set must hold, by any of its members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnnotationFilter {
    /// One of these tags, exactly; empty for any.
    pub tags: Vec<String>,
    /// Of one of these transport types, of which a parent includes its children; empty for any.
    pub transports: Vec<Transport>,
    /// In a tour of one of these names, whoever's it is; empty for any.
    pub tours: Vec<String>,
    /// One of these texts in the title, in any case; empty for any.
    pub titles: Vec<String>,
}

impl AnnotationFilter {
    /// Whether nothing is asked for.
    pub const fn is_any(&self) -> bool {
        self.tags.is_empty()
            && self.transports.is_empty()
            && self.tours.is_empty()
            && self.titles.is_empty()
    }

    fn passes(&self, note: &Note) -> bool {
        let of_transport = |wanted: &Transport| {
            let transport = note.transport;
            transport.is_some_and(|transport| wanted.includes(transport))
        };
        let title = note.title.as_deref().map(str::to_lowercase);
        let in_title = |wanted: &String| {
            let title = title.as_deref();
            title.is_some_and(|title| title.contains(&wanted.to_lowercase()))
        };
        is_any_or(&self.tags, |tag| note.tags.contains(tag))
            && is_any_or(&self.transports, of_transport)
            && is_any_or(&self.titles, in_title)
    }
}

fn is_any_or<T>(wanted: &[T], holds: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(holds)
}

impl Annotations {
    /// The ids of the sequences of which is said what a filter asks for, ascending.
    pub fn matching(&self, wanted: &AnnotationFilter) -> Vec<&str> {
        let toured = self.toured(&wanted.tours);
        let notes = self.notes.iter();
        notes
            .filter(|(_, note)| wanted.passes(note))
            .map(|(id, _)| id.as_str())
            .filter(|id| wanted.tours.is_empty() || toured.contains(id))
            .collect()
    }

    /// The sequences of the tours of some names.
    fn toured(&self, names: &[String]) -> BTreeSet<&str> {
        let tours = self.tours.iter();
        tours
            .filter(|(key, _)| names.contains(&key.name))
            .flat_map(|(_, tour)| tour.sequences.iter().map(String::as_str))
            .collect()
    }

    /// Narrows a question to the sequences of which is said what `wanted` asks for.
    ///
    /// Where the question names sequences already, only those of them stay; where none is left,
    /// it finds nothing.
    ///
    /// ```
    /// use tilesight::annotations::{AnnotationFilter, Annotations, Note};
    /// use tilesight::{Dataset, Filter, Image, ImageQuery};
    ///
    /// let image = |id, walk| Image { sequence_id: Some(walk), ..Image::at(id, 24.93, 60.17) };
    /// let data = Dataset::from_images([image(1, "shore"), image(2, "market")])?;
    /// let mut annotations = Annotations::default();
    /// annotations.put("shore", Note { tags: ["sea".into()].into(), ..Note::default() })?;
    ///
    /// let by_the_sea = AnnotationFilter { tags: vec!["sea".into()], ..Default::default() };
    /// let mut filter = Filter::default();
    /// annotations.narrow(&by_the_sea, &mut filter);
    /// let found = data.images(&ImageQuery { filter, ..ImageQuery::default() })?;
    /// assert_eq!(found.ids().collect::<Vec<_>>(), [1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn narrow(&self, wanted: &AnnotationFilter, filter: &mut Filter) {
        if wanted.is_any() {
            return;
        }
        let named: BTreeSet<&str> = filter.sequences.iter().map(String::as_str).collect();
        let mut left: Vec<String> = self
            .matching(wanted)
            .into_iter()
            .filter(|id| named.is_empty() || named.contains(id))
            .map(str::to_owned)
            .collect();
        if left.is_empty() {
            // No list asks for any sequence; no sequence has this id.
            left.push(String::new());
        }
        filter.sequences = left;
    }
}
