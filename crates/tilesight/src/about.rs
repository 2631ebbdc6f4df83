//! What a dataset file notes of where its data comes from, as JSON.

use serde_json::{Value, json};
use tilesight_tile::TileId;

use crate::formats::{ATTRIBUTION, LICENSE};
use crate::import;
use crate::source::{Source, TILESET_NAMES};

/// Writes down what was read.
pub(crate) fn to_json(source: &Source) -> String {
    let mut about = json!({
        "name": source.name,
        "source_attribution": source.attribution,
        "tilesets": source.tilesets,
        "tilesets_not_read": source.ignored,
        "bytes_of_tiles": source.bytes,
        "rows_left_out": source.left_out,
        "rows_left_out_first": source.left_out_first.map(|tile| tile.to_string()),
        "fetched_at_ms": source.fetched_at_ms.map(|(first, last)| [first, last]),
        "attribution": ATTRIBUTION,
        "license": LICENSE,
    });
    if !source.imported.is_empty() {
        about["imported"] = import::to_json(&source.imported);
    }
    about.to_string()
}

/// Reads what [`to_json`] wrote; what is not there is not known.
pub(crate) fn from_json(about: &str) -> Source {
    let about: Value = serde_json::from_str(about).unwrap_or_default();
    let text = |key: &str| about[key].as_str().map(str::to_owned);
    let number = |key: &str| about[key].as_u64().unwrap_or_default();
    let time = |i: usize| about["fetched_at_ms"][i].as_i64();
    Source {
        name: text("name"),
        attribution: text("source_attribution"),
        tilesets: tilesets(&about["tilesets"]),
        ignored: tilesets(&about["tilesets_not_read"]),
        bytes: number("bytes_of_tiles"),
        left_out: number("rows_left_out"),
        left_out_first: text("rows_left_out_first").and_then(|tile| tile.parse::<TileId>().ok()),
        fetched_at_ms: time(0).zip(time(1)),
        imported: import::from_json(&about["imported"]),
    }
}

fn tilesets(names: &Value) -> Vec<&'static str> {
    let is_named = |name: &&str| {
        let names = names.as_array().into_iter().flatten();
        names.filter_map(Value::as_str).any(|other| other == *name)
    };
    TILESET_NAMES.into_iter().filter(is_named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::ImportedSequence;

    #[test]
    fn what_is_noted_is_read_back() {
        let source = Source {
            name: Some("town".into()),
            attribution: Some("them".into()),
            tilesets: vec![TILESET_NAMES[0], TILESET_NAMES[2]],
            ignored: vec![TILESET_NAMES[1]],
            bytes: 9_007_199_254_740_993,
            left_out: 2,
            left_out_first: TileId::new(14, 1, 2).ok(),
            fetched_at_ms: Some((1, 2)),
            imported: vec![ImportedSequence {
                key: "a".into(),
                username: Some("b".into()),
                created_at_ms: Some(1_458_211_673_106),
                old_keys: vec![(-2_868_043_259_799_504_172, "LwrHXqFRN_pszCopTKHF_Q".into())],
                ..ImportedSequence::default()
            }],
        };
        assert_eq!(from_json(&to_json(&source)), source);
        assert_eq!(from_json(&to_json(&Source::default())), Source::default());
        assert_eq!(from_json("no json"), Source::default());
    }
}
