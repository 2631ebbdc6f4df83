//! What is said of sequences: annotations, and imports of other services.

use tilesight::annotations::{self, Annotations};
use tilesight::fuzzing;

use crate::input::{in_file, text, within};

/// Annotations are read back as they are written, in memory that the text pays for.
pub(crate) fn annotations_json(bytes: &[u8]) {
    let Some(text) = text(bytes) else {
        return;
    };
    if let Ok(annotations) = within(200 * bytes.len(), || Annotations::from_json(text)) {
        is_read_back(&annotations);
    }
}

/// What is read of a file keeps the rules.
pub(crate) fn annotations_file(bytes: &[u8]) {
    if let Ok(annotations) = in_file(bytes, |path| annotations::read(path)) {
        is_read_back(&annotations);
    }
}

fn is_read_back(annotations: &Annotations) {
    let written = annotations.to_json().unwrap();
    assert_eq!(Annotations::from_json(&written).unwrap(), *annotations);
}

/// Each sequence that is imported is read back from what is kept of it.
pub(crate) fn import_v3(bytes: &[u8]) {
    let Some(text) = text(bytes) else {
        return;
    };
    if let Ok(kept) = within(200 * bytes.len(), || fuzzing::import(text)) {
        assert!(kept.iter().all(|&is_alike| is_alike));
    }
}
