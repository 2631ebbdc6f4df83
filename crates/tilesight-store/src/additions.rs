//! Texts that a store keeps beside its tiles: what else is known of the same things.
//!
//! They lie in a table that other programs ignore. What is in them is no concern of the store.

use rusqlite::{Connection, Transaction};

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS tilesight_additions (
    number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, content TEXT NOT NULL)";

/// Adds texts by their keys, in place of those of the same keys.
pub(crate) fn add(transaction: &Transaction, additions: &[(&str, String)]) -> rusqlite::Result<()> {
    transaction.execute_batch(SCHEMA)?;
    let sql = "INSERT OR REPLACE INTO tilesight_additions (key, content) VALUES (?1, ?2)";
    let mut statement = transaction.prepare(sql)?;
    for (key, content) in additions {
        statement.execute([key, content.as_str()])?;
    }
    Ok(())
}

/// Lists the texts, the last that was added first; none where nothing ever was.
pub(crate) fn list(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let exists =
        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'tilesight_additions'";
    if !connection.prepare(exists)?.exists([])? {
        return Ok(Vec::new());
    }
    let sql = "SELECT content FROM tilesight_additions ORDER BY number DESC";
    let mut statement = connection.prepare(sql)?;
    let contents = statement.query_map([], |row| row.get(0))?;
    contents.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::{About, Error, StoreWriter, open};

    const ABOUT: About<'_> = About {
        tileset: "images",
        metadata: &[],
    };

    #[test]
    fn texts_are_kept_by_their_keys_the_last_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("town.mbtiles");
        let add = |texts: &[(&str, &str)]| {
            let mut writer = StoreWriter::open(&path, &ABOUT).unwrap();
            let texts: Vec<_> = texts
                .iter()
                .map(|&(key, text)| (key, text.to_owned()))
                .collect();
            writer.add(&texts).unwrap();
            writer.close().unwrap();
        };
        let texts = || open(&path, &["images"]).unwrap().additions().unwrap();
        StoreWriter::open(&path, &ABOUT).unwrap().close().unwrap();
        assert!(texts().is_empty());
        add(&[]);
        assert!(texts().is_empty());
        add(&[("a", "one"), ("b", "two")]);
        assert_eq!(texts(), ["two", "one"]);
        add(&[("a", "three")]);
        assert_eq!(texts(), ["three", "two"]);
        assert!(crate::verify(&path).unwrap().unwrap().is_clean());
    }

    #[test]
    fn damaged_texts_are_errors_and_not_panics() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("town.mbtiles");
        let mut writer = StoreWriter::open(&path, &ABOUT).unwrap();
        let text = |i: u32| format!("a text that takes some room, number {i}");
        let keys: Vec<String> = (0..300).map(|i| i.to_string()).collect();
        let texts: Vec<_> = keys
            .iter()
            .zip(0..)
            .map(|(key, i)| (key.as_str(), text(i)))
            .collect();
        writer.add(&texts).unwrap();
        writer.close().unwrap();
        let whole = fs::read(&path).unwrap();
        let read = || -> Result<Vec<String>, Error> { open(&path, &["images"])?.additions() };
        let mut refused = 0;
        for at in (0..whole.len()).step_by(97) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            bytes.truncate(whole.len() - at / 3);
            fs::write(&path, &bytes).unwrap();
            refused += u32::from(read().is_err());
        }
        assert!(refused > 0);
    }
}
