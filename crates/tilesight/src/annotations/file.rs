//! The file of annotations: a small SQLite database.
//!
//! It is read whole and checked at the door; a change is made to what was read, by the rules, and
//! the rows that differ are written in one transaction, which holds the file from reading to
//! writing. So the rules are in one place, and a killed process or a full disk changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, Row, Transaction, TransactionBehavior, params};

use super::{AnnotationError, Annotations, Note, Owner, Tour, TourKey};

/// Marks files of annotations among SQLite databases: "TSAN".
const APPLICATION_ID: i64 = 0x5453_414e;

/// Version of the tables below, kept as `user_version`.
const VERSION: i64 = 1;

/// The tables. Their keys are their rows, so that SQLite adds no indexes of its own.
const SCHEMA: &str = "
    CREATE TABLE sequences (sequence TEXT NOT NULL PRIMARY KEY, owner TEXT, owner_name TEXT,
        title TEXT, description TEXT, transport TEXT) STRICT, WITHOUT ROWID;
    CREATE TABLE sequence_tags (sequence TEXT NOT NULL, tag TEXT NOT NULL,
        PRIMARY KEY (sequence, tag)) STRICT, WITHOUT ROWID;
    CREATE TABLE likes (sequence TEXT NOT NULL, user TEXT NOT NULL,
        PRIMARY KEY (sequence, user)) STRICT, WITHOUT ROWID;
    CREATE TABLE tours (owner TEXT NOT NULL, name TEXT NOT NULL, description TEXT,
        PRIMARY KEY (owner, name)) STRICT, WITHOUT ROWID;
    CREATE TABLE tour_tags (owner TEXT NOT NULL, name TEXT NOT NULL, tag TEXT NOT NULL,
        PRIMARY KEY (owner, name, tag)) STRICT, WITHOUT ROWID;
    CREATE TABLE tour_sequences (owner TEXT NOT NULL, name TEXT NOT NULL, sequence TEXT NOT NULL,
        PRIMARY KEY (owner, name, sequence)) STRICT, WITHOUT ROWID;
";

/// How long to wait for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest value that is read; the longest description is shorter.
const MAX_VALUE_BYTES: i32 = 1 << 20;

/// Extensions of sources, which are not part of their names.
const SOURCE_EXTENSIONS: [&str; 3] = ["mbtiles", "pmtiles", "tsight"];

/// Where the annotations of a source lie unless somebody says otherwise: beside it, under its
/// name.
///
/// A folder, the archive packed of it and the dataset file built of it are the same sequences, so
/// `town/`, `town.mbtiles`, `town.pmtiles` and `town.tsight` share `town.annotations`. None for
/// what has no name, as the root of a file system.
///
/// ```
/// use std::path::Path;
/// use tilesight::annotations::default_path;
///
/// let beside = Path::new("maps/town.annotations").to_owned();
/// for source in ["maps/town", "maps/town/", "maps/town.mbtiles", "maps/town.tsight"] {
///     assert_eq!(default_path(source).as_ref(), Some(&beside));
/// }
/// ```
pub fn default_path(source: impl AsRef<Path>) -> Option<PathBuf> {
    let source = source.as_ref();
    // A name such as `.` says nothing of where it is.
    let whole = match source.file_name() {
        Some(_) => source.to_owned(),
        None => fs::canonicalize(source).ok()?,
    };
    let extension = whole.extension().and_then(|extension| extension.to_str());
    let known = extension.map(str::to_ascii_lowercase);
    let is_known = known.is_some_and(|known| SOURCE_EXTENSIONS.contains(&known.as_str()));
    let name = if is_known {
        whole.file_stem()
    } else {
        whole.file_name()
    };
    let mut name = name?.to_owned();
    name.push(".annotations");
    Some(whole.with_file_name(name))
}

/// Reads annotations from a file.
///
/// # Errors
///
/// [`AnnotationError::Missing`] when there is none or it is empty, [`AnnotationError::Foreign`]
/// when it is something else, [`AnnotationError::Newer`] when a later version made it,
/// [`AnnotationError::Damaged`] when it is not as it was written or breaks a rule.
///
/// # Cost
///
/// The whole file is read, some microseconds a sequence.
pub fn read(path: impl AsRef<Path>) -> Result<Annotations, AnnotationError> {
    let path = path.as_ref();
    if is_missing_or_empty(path) {
        return Err(AnnotationError::Missing(path.to_owned()));
    }
    // Not read only: what a killed process left half-written is undone by whoever comes next.
    let mut connection =
        connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(AnnotationError::reading(path))?;
    // All is read at one moment, whoever writes meanwhile.
    let transaction = connection
        .transaction()
        .map_err(AnnotationError::reading(path))?;
    load(&transaction, path)?.ok_or_else(|| AnnotationError::Missing(path.to_owned()))
}

/// Changes the annotations in a file, which is made if there is none: wholly or, with an error,
/// not at all.
///
/// `change` is given what is there, and may be called twice where there is no file yet, so that a
/// change that is refused leaves none behind. What it returns is returned.
///
/// # Errors
///
/// Those of `change`; as [`read`], but for a missing file; [`AnnotationError::Write`] when the
/// file cannot be written, as on a full disk, or another process holds it for longer than ten
/// seconds.
///
/// # Example
///
/// See the [module](crate::annotations).
pub fn edit<T, E: From<AnnotationError>>(
    path: impl AsRef<Path>,
    change: impl Fn(&mut Annotations) -> Result<T, E>,
) -> Result<T, E> {
    let path = path.as_ref();
    if is_missing_or_empty(path) {
        change(&mut Annotations::default())?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = connect(path, flags).map_err(AnnotationError::writing(path))?;
    // With less, a loss of power may bring back the file that undoes the last change.
    connection
        .pragma_update(None, "synchronous", "EXTRA")
        .map_err(AnnotationError::writing(path))?;
    edit_in(&mut connection, path, change)
}

fn edit_in<T, E: From<AnnotationError>>(
    connection: &mut Connection,
    path: &Path,
    change: impl Fn(&mut Annotations) -> Result<T, E>,
) -> Result<T, E> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(AnnotationError::writing(path))?;
    let found = load(&transaction, path)?;
    let is_new = found.is_none();
    let before = found.unwrap_or_default();
    let mut after = before.clone();
    let outcome = change(&mut after)?;
    let write = || {
        if is_new {
            create_tables(&transaction)?;
        }
        write_difference(&transaction, &before, &after)?;
        transaction.commit()
    };
    write().map_err(AnnotationError::writing(path))?;
    Ok(outcome)
}

fn is_missing_or_empty(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |metadata| metadata.len() == 0)
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)?;
    Ok(connection)
}

fn create_tables(transaction: &Transaction) -> rusqlite::Result<()> {
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)
}

/// Reads and checks everything; none of a database to which nothing was written yet.
fn load(transaction: &Transaction, path: &Path) -> Result<Option<Annotations>, AnnotationError> {
    let reading = AnnotationError::reading(path);
    if is_blank(transaction, path)? {
        return Ok(None);
    }
    let query = "PRAGMA integrity_check(1)";
    let verdict: String = transaction
        .query_row(query, [], |row| row.get(0))
        .map_err(&reading)?;
    if verdict != "ok" {
        return Err(AnnotationError::damaged(path, verdict));
    }
    let rows = Rows::read(transaction).map_err(&reading)?;
    let annotations = rows.join();
    let annotations = annotations.map_err(|reason| AnnotationError::damaged(path, reason))?;
    Ok(Some(annotations))
}

/// Tells whether nothing was written yet, and refuses what is not a file of annotations: its
/// tables are exactly ours, so that no view and no trigger can be among them.
fn is_blank(transaction: &Transaction, path: &Path) -> Result<bool, AnnotationError> {
    let reading = AnnotationError::reading(path);
    let number = |pragma: &str| -> Result<i64, AnnotationError> {
        transaction
            .pragma_query_value(None, pragma, |row| row.get(0))
            .map_err(&reading)
    };
    let (id, version) = (number("application_id")?, number("user_version")?);
    let found = schema(transaction).map_err(&reading)?;
    if (id, version) == (0, 0) && found.is_empty() {
        return Ok(true);
    }
    if id != APPLICATION_ID {
        return Err(AnnotationError::Foreign(path.to_owned()));
    }
    if version > VERSION {
        return Err(AnnotationError::Newer(path.to_owned()));
    }
    let expected = expected_schema().map_err(&reading)?;
    if version != VERSION || found != *expected {
        return Err(AnnotationError::damaged(path, "its tables are not ours"));
    }
    Ok(false)
}

/// What a database is made of: the type, name, table and SQL of each part.
type Schema = Vec<[Option<String>; 4]>;

/// What a database is made of, in a fixed order.
fn schema(connection: &Connection) -> rusqlite::Result<Schema> {
    let sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name";
    let mut statement = connection.prepare(sql)?;
    let part = |row: &Row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]);
    let parts = statement.query_map([], part)?;
    parts.collect()
}

/// What our tables are as SQLite has them, found once: that takes longer than to read a small file.
fn expected_schema() -> rusqlite::Result<&'static Schema> {
    static EXPECTED: OnceLock<Schema> = OnceLock::new();
    if let Some(expected) = EXPECTED.get() {
        return Ok(expected);
    }
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(SCHEMA)?;
    let expected = schema(&connection)?;
    Ok(EXPECTED.get_or_init(|| expected))
}

/// The rows of all tables.
struct Rows {
    sequences: Vec<[Option<String>; 6]>,
    sequence_tags: Vec<[String; 2]>,
    likes: Vec<[String; 2]>,
    tours: Vec<[Option<String>; 3]>,
    tour_tags: Vec<[String; 3]>,
    tour_sequences: Vec<[String; 3]>,
}

impl Rows {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            sequences: rows(
                connection,
                "SELECT sequence, owner, owner_name, title, description, transport FROM sequences",
            )?,
            sequence_tags: rows(connection, "SELECT sequence, tag FROM sequence_tags")?,
            likes: rows(connection, "SELECT sequence, user FROM likes")?,
            tours: rows(connection, "SELECT owner, name, description FROM tours")?,
            tour_tags: rows(connection, "SELECT owner, name, tag FROM tour_tags")?,
            tour_sequences: rows(
                connection,
                "SELECT owner, name, sequence FROM tour_sequences",
            )?,
        })
    }

    /// Joins the rows by the rules, or says which rule they break.
    fn join(self) -> Result<Annotations, String> {
        let mut notes: BTreeMap<String, Note> = BTreeMap::new();
        for [id, owner, owner_name, title, description, transport] in self.sequences {
            let transport = transport.map(|name| name.parse()).transpose();
            let note = Note {
                owner: Owner::from_parts(owner, owner_name),
                title,
                description,
                transport: transport.map_err(|error: super::UnknownTransport| error.to_string())?,
                ..Note::default()
            };
            notes.insert(id.unwrap_or_default(), note);
        }
        let no_sequence = |id: &str| format!("it speaks of a sequence {id:?} that is not there");
        for [id, tag] in self.sequence_tags {
            let note = notes.get_mut(&id).ok_or_else(|| no_sequence(&id))?;
            note.tags.insert(tag);
        }
        for [id, user] in self.likes {
            let note = notes.get_mut(&id).ok_or_else(|| no_sequence(&id))?;
            note.likes.insert(user);
        }
        let tours = joined_tours(self.tours, self.tour_tags, self.tour_sequences)?;
        let mut annotations = Annotations::default();
        for (id, note) in notes {
            annotations
                .put(&id, note)
                .map_err(|error| error.to_string())?;
        }
        for (key, tour) in tours {
            annotations
                .put_tour(&key, tour)
                .map_err(|error| error.to_string())?;
        }
        Ok(annotations)
    }
}

fn joined_tours(
    rows: Vec<[Option<String>; 3]>,
    tags: Vec<[String; 3]>,
    sequences: Vec<[String; 3]>,
) -> Result<BTreeMap<TourKey, Tour>, String> {
    let mut tours = BTreeMap::new();
    for [owner, name, description] in rows {
        let key = TourKey {
            owner: owner.unwrap_or_default(),
            name: name.unwrap_or_default(),
        };
        let tour = Tour {
            description,
            ..Tour::default()
        };
        tours.insert(key, tour);
    }
    let no_tour = |key: &TourKey| format!("it speaks of a tour {:?} that is not there", key.name);
    for [owner, name, tag] in tags {
        let key = TourKey { owner, name };
        let tour = tours.get_mut(&key).ok_or_else(|| no_tour(&key))?;
        tour.tags.insert(tag);
    }
    for [owner, name, sequence] in sequences {
        let key = TourKey { owner, name };
        let tour = tours.get_mut(&key).ok_or_else(|| no_tour(&key))?;
        tour.sequences.insert(sequence);
    }
    Ok(tours)
}

/// The rows of a query, each as texts.
fn rows<T: rusqlite::types::FromSql, const N: usize>(
    connection: &Connection,
    sql: &str,
) -> rusqlite::Result<Vec<[T; N]>> {
    let mut statement = connection.prepare(sql)?;
    let texts = |row: &Row| {
        let texts: Vec<T> = (0..N).map(|i| row.get(i)).collect::<Result<_, _>>()?;
        texts
            .try_into()
            .map_err(|_| rusqlite::Error::InvalidColumnIndex(N))
    };
    let rows = statement.query_map([], texts)?;
    rows.collect()
}

/// Brings the tables from one state to another.
fn write_difference(
    transaction: &Transaction,
    before: &Annotations,
    after: &Annotations,
) -> rusqlite::Result<()> {
    for (id, note) in before.notes() {
        if after.note(id) != Some(note) {
            delete_note(transaction, id)?;
        }
    }
    for (id, note) in after.notes() {
        if before.note(id) != Some(note) {
            insert_note(transaction, id, note)?;
        }
    }
    for (key, tour) in before.tours() {
        if after.tour(key) != Some(tour) {
            delete_tour(transaction, key)?;
        }
    }
    for (key, tour) in after.tours() {
        if before.tour(key) != Some(tour) {
            insert_tour(transaction, key, tour)?;
        }
    }
    Ok(())
}

fn delete_note(transaction: &Transaction, id: &str) -> rusqlite::Result<()> {
    for table in ["sequences", "sequence_tags", "likes"] {
        let sql = format!("DELETE FROM {table} WHERE sequence = ?1");
        transaction.prepare_cached(&sql)?.execute([id])?;
    }
    Ok(())
}

fn insert_note(transaction: &Transaction, id: &str, note: &Note) -> rusqlite::Result<()> {
    let owner = note.owner.as_ref();
    let values = params![
        id,
        owner.map(|owner| &owner.key),
        owner.and_then(|owner| owner.name.as_ref()),
        note.title,
        note.description,
        note.transport.map(|transport| transport.to_string()),
    ];
    let sql = "INSERT INTO sequences VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    transaction.prepare_cached(sql)?.execute(values)?;
    for (table, texts) in [("sequence_tags", &note.tags), ("likes", &note.likes)] {
        let sql = format!("INSERT INTO {table} VALUES (?1, ?2)");
        let mut statement = transaction.prepare_cached(&sql)?;
        for text in texts {
            statement.execute([id, text])?;
        }
    }
    Ok(())
}

fn delete_tour(transaction: &Transaction, key: &TourKey) -> rusqlite::Result<()> {
    for table in ["tours", "tour_tags", "tour_sequences"] {
        let sql = format!("DELETE FROM {table} WHERE owner = ?1 AND name = ?2");
        let mut statement = transaction.prepare_cached(&sql)?;
        statement.execute([&key.owner, &key.name])?;
    }
    Ok(())
}

fn insert_tour(transaction: &Transaction, key: &TourKey, tour: &Tour) -> rusqlite::Result<()> {
    let TourKey { owner, name } = key;
    let sql = "INSERT INTO tours VALUES (?1, ?2, ?3)";
    let mut statement = transaction.prepare_cached(sql)?;
    statement.execute(params![owner, name, tour.description])?;
    for (table, texts) in [
        ("tour_tags", &tour.tags),
        ("tour_sequences", &tour.sequences),
    ] {
        let sql = format!("INSERT INTO {table} VALUES (?1, ?2, ?3)");
        let mut statement = transaction.prepare_cached(&sql)?;
        for text in texts {
            statement.execute([owner, name, text])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    fn note(title: &str) -> Note {
        Note {
            owner: Some(Owner::new("7")),
            title: Some(title.to_owned()),
            tags: ["sea".to_owned(), "winter".to_owned()].into(),
            likes: ["8".to_owned()].into(),
            ..Note::default()
        }
    }

    fn say(path: &Path, id: &str, note: &Note) -> Result<(), AnnotationError> {
        edit(path, |all| Ok(all.put(id, note.clone()).map(drop)?))
    }

    /// A file with some sequences and a tour.
    fn filled() -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("town.annotations");
        edit(&path, |all| -> Result<(), AnnotationError> {
            for i in 0..40 {
                all.put(&format!("sequence-{i}"), note(&format!("Walk {i}")))?;
            }
            let tour = Tour {
                description: Some("Both\nshores".to_owned()),
                tags: ["sea".to_owned()].into(),
                sequences: ["sequence-1".to_owned(), "sequence-2".to_owned()].into(),
            };
            let key = TourKey {
                owner: "7".to_owned(),
                name: "Shores".to_owned(),
            };
            all.put_tour(&key, tour)?;
            Ok(())
        })
        .unwrap();
        (dir, path)
    }

    #[test]
    fn what_is_written_is_read_back_and_nothing_lies_beside_it() {
        let (dir, path) = filled();
        let all = read(&path).unwrap();
        assert_eq!((all.notes().count(), all.tours().count()), (40, 1));
        assert_eq!(all.note("sequence-3"), Some(&note("Walk 3")));
        edit(&path, |all| -> Result<(), AnnotationError> {
            all.remove("sequence-1");
            all.put("sequence-2", note("Changed"))?;
            Ok(())
        })
        .unwrap();
        let changed = read(&path).unwrap();
        assert_eq!(changed.note("sequence-1"), None);
        assert_eq!(changed.note("sequence-2"), Some(&note("Changed")));
        assert_eq!(changed.note("sequence-3"), all.note("sequence-3"));
        let (_, tour) = changed.tours().next().unwrap();
        assert_eq!(tour.sequences, ["sequence-2".to_owned()].into());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_change_that_is_refused_changes_nothing_and_makes_no_file() {
        let (_dir, path) = filled();
        let before = fs::read(&path).unwrap();
        let mut own = note("Mine");
        own.likes.insert("7".to_owned());
        let refused = edit(&path, |all| -> Result<(), AnnotationError> {
            all.put("another", note("Good"))?;
            all.put("sequence-1", own.clone())?;
            Ok(())
        });
        assert!(matches!(refused, Err(AnnotationError::Rule(_))));
        assert!(fs::read(&path).unwrap() == before);
        let new = path.with_file_name("new.annotations");
        assert!(say(&new, "sequence-1", &own).is_err());
        assert!(!new.exists());
        assert!(matches!(read(&new), Err(AnnotationError::Missing(_))));
    }

    #[test]
    fn a_full_disk_is_an_error_and_changes_nothing() {
        let (_dir, path) = filled();
        let before = read(&path).unwrap();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let mut connection = connect(&path, flags).unwrap();
        // SQLite reports a file that may not grow as it reports a disk that is full.
        connection
            .pragma_update_and_check(None, "max_page_count", 1, |_| Ok(()))
            .unwrap();
        let long = "long ".repeat(10_000);
        let refused = edit_in(
            &mut connection,
            &path,
            |all| -> Result<(), AnnotationError> {
                let description = Some(long.clone());
                all.put(
                    "another",
                    Note {
                        description,
                        ..note("Long")
                    },
                )?;
                Ok(())
            },
        );
        let message = refused.unwrap_err().to_string();
        assert!(
            message.contains("cannot write") && message.contains("full"),
            "{message}"
        );
        drop(connection);
        assert_eq!(read(&path).unwrap(), before);
    }

    #[test]
    fn who_comes_while_another_writes_waits_and_is_told() {
        let (_dir, path) = filled();
        let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        let held = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .unwrap();
        let mut second = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        second.busy_timeout(Duration::ZERO).unwrap();
        let refused = edit_in(&mut second, &path, |_| Ok::<_, AnnotationError>(()));
        assert!(refused.unwrap_err().is_retryable());
        drop(held);
        edit_in(&mut second, &path, |_| Ok::<_, AnnotationError>(())).unwrap();
    }

    #[test]
    fn what_others_made_is_refused_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("other");
        let database = |sql: &str| {
            let _ = fs::remove_file(&path);
            Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        };
        let check = |expected: &str| {
            let before = fs::read(&path).unwrap();
            for message in [
                read(&path).unwrap_err().to_string(),
                say(&path, "a", &note("b")).unwrap_err().to_string(),
            ] {
                assert!(message.contains(expected), "{message}");
            }
            assert!(fs::read(&path).unwrap() == before);
        };
        fs::write(
            &path,
            "a text that is much longer than the name of a database",
        )
        .unwrap();
        check("holds no annotations");
        database("CREATE TABLE tiles (a, b)");
        check("holds no annotations");
        let ours = format!("{SCHEMA} PRAGMA application_id = {APPLICATION_ID};");
        database(&format!("{ours} PRAGMA user_version = 2;"));
        check("later version");
        database(&format!(
            "{ours} PRAGMA user_version = 1; CREATE VIEW v AS SELECT 1;"
        ));
        check("damaged");
        let rows = "INSERT INTO likes VALUES ('nowhere', '8');";
        database(&format!("{ours} PRAGMA user_version = 1; {rows}"));
        check("not there");
        let rows = "INSERT INTO sequences VALUES ('a', '7', NULL, NULL, NULL, NULL); \
                    INSERT INTO likes VALUES ('a', '7');";
        database(&format!("{ours} PRAGMA user_version = 1; {rows}"));
        check("cannot like it");
        let rows = "INSERT INTO sequences VALUES ('a', '7', NULL, NULL, NULL, 'Horse');";
        database(&format!("{ours} PRAGMA user_version = 1; {rows}"));
        check("Scuba Dive");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Whatever becomes of its bytes, a file is annotations that keep the rules, or an error.
        #[test]
        fn damaged_files_are_errors_and_not_panics(
            flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..6),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let (_dir, path) = filled();
            let mut bytes = fs::read(&path).unwrap();
            for (at, flip) in flips {
                let at = at.index(bytes.len());
                bytes[at] ^= flip;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            fs::write(&path, &bytes).unwrap();
            if let Ok(all) = read(&path) {
                let mut again = Annotations::default();
                prop_assert!(again.merge(all.clone()).is_ok());
                prop_assert_eq!(again, all);
            }
            let _ = say(&path, "another", &note("New"));
        }

        #[test]
        fn any_bytes_are_annotations_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("any");
            fs::write(&path, &bytes).unwrap();
            prop_assert!(read(&path).is_err());
            fs::write(&path, [b"SQLite format 3\0", &bytes[..]].concat()).unwrap();
            prop_assert!(read(&path).is_err());
        }
    }
}
