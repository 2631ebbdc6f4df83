//! The program says something of sequences, and asks by what is said.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where the unexpected begins"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Two sequences of the town, who made them, and somebody else's.
const FIRST: &str = "BshWL1tx7wtqW3-4rXQaJD";
const SECOND: &str = "_ix-TQiaz8DnY0_8JeS3if";
const OWNER: &str = "549053432678742";
const OTHER: &str = "993384269518974";

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A folder with a copy of the town's archive, where annotations lie beside it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::copy(
            here("../../fixtures/town.mbtiles"),
            dir.path().join("town.mbtiles"),
        )
        .unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, line: &str) -> Output {
        let mut program = Command::new(env!("CARGO_BIN_EXE_tilesight"));
        program.current_dir(self.0.path());
        // A plus stands for a space within a word.
        let words = line.split_whitespace().map(|word| word.replace('+', " "));
        program.args(words).output().unwrap()
    }

    #[track_caller]
    fn good(&self, line: &str) -> String {
        let output = self.run(line);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn bad(&self, line: &str, status: i32, expected: &str) {
        let output = self.run(line);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{line}: {said}");
        assert!(output.stdout.is_empty(), "{line}");
        assert!(said.contains(expected), "{line}: {said}");
    }

    /// Says what the golden file has.
    fn say_all(&self) {
        self.good(&format!("annotate town.mbtiles set {FIRST} --title To+the+sea --description Windy. --transport walk"));
        self.good(&format!(
            "annotate town.mbtiles set {SECOND} --transport Air --title Sea+breeze"
        ));
        self.good(&format!(
            "annotate town.mbtiles tag {FIRST},{SECOND} --add sea"
        ));
        self.good(&format!(
            "annotate town.mbtiles tag {FIRST} --add winter,märz"
        ));
        self.good(&format!(
            "annotate town.mbtiles like {FIRST} --user {OTHER}"
        ));
        self.good(&format!("annotate town.mbtiles like {FIRST} --user maria"));
        self.good(&format!(
            "annotate town.mbtiles tour Shores --add {FIRST} --description All+of+them --tag sea"
        ));
        self.good(&format!(
            "annotate town.mbtiles tour Shores --owner {OTHER} --add {SECOND}"
        ));
    }

    fn ids(&self, line: &str) -> BTreeSet<String> {
        self.good(&format!("{line} -f ids"))
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[track_caller]
    fn check(&self, options: &str, expected: &[&str]) {
        let found = self.ids(&format!("sequences town.mbtiles {options}"));
        assert_eq!(
            found,
            expected.iter().map(ToString::to_string).collect(),
            "{options}"
        );
        let images = |of: &[&str]| match of {
            [] => BTreeSet::new(),
            ids => self.ids(&format!("images town.mbtiles --sequence={}", ids.join(","))),
        };
        assert_eq!(
            self.ids(&format!("images town.mbtiles {options}")),
            images(expected),
            "{options}"
        );
    }
}

#[test]
fn json_comes_again_byte_by_byte() {
    let place = Place::new();
    place.say_all();
    let json = place.good("annotate town.mbtiles export");
    let path = here("tests/golden/annotations.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &json).unwrap();
    }
    assert_eq!(json, fs::read_to_string(path).unwrap());
    let list = place.good("annotate town.mbtiles list");
    assert_eq!(
        list.lines().nth(1),
        Some("BshWL1tx7wtqW3-4rXQaJD\tTo the sea\tEarth/Walk\tmärz,sea,winter\t2\tShores")
    );
    assert_eq!(list.lines().count(), 3);
    assert_eq!(
        place
            .good("annotate town.mbtiles list --tag winter")
            .lines()
            .count(),
        2
    );
}

#[test]
fn what_is_exported_is_imported() {
    let (place, other) = (Place::new(), Place::new());
    place.say_all();
    place.good("annotate town.mbtiles export -o all.json");
    place.bad("annotate town.mbtiles export -o all.json", 1, "--overwrite");
    let all = place.path("all.json");
    other.good(&format!("annotate town.mbtiles set {FIRST} --title Old"));
    other.good(&format!("annotate town.mbtiles import {}", all.display()));
    let json = place.good("annotate town.mbtiles export");
    assert_eq!(other.good("annotate town.mbtiles export"), json);
    other.good(&format!("annotate town.mbtiles forget {FIRST}"));
    assert_eq!(other.good("annotate town.mbtiles list").lines().count(), 2);
    other.bad(&format!("annotate town.mbtiles forget {FIRST}"), 2, FIRST);
    other.good(&format!(
        "annotate town.mbtiles import --replace {}",
        all.display()
    ));
    assert_eq!(other.good("annotate town.mbtiles export"), json);

    // Nothing is imported of a file that breaks a rule, or says who made what against the tiles.
    let own = json.replace("\"maria\"", &format!("\"{OWNER}\""));
    let foreign = json.replace(OWNER, "4711");
    let twice = json.replace(SECOND, FIRST);
    for (text, expected) in [
        (&own[..], "cannot like it"),
        (&foreign, "made the sequence"),
        (&twice, "twice"),
        (&json.replace("Earth/Walk", "Horse"), "Scuba Dive"),
        (&json.replace("\"title\"", "\"tittle\""), "tittle"),
        ("{}", "not JSON of annotations"),
    ] {
        fs::write(other.path("wrong.json"), text).unwrap();
        other.bad("annotate town.mbtiles import wrong.json", 2, expected);
        assert_eq!(other.good("annotate town.mbtiles export"), json);
    }
    other.bad("annotate town.mbtiles import no.json", 1, "no.json");
}

#[test]
fn compat_4_filters_find_sequences_and_images() {
    let place = Place::new();
    place.say_all();
    let both = [FIRST, SECOND];
    place.check("--tag sea", &both);
    place.check("--tag winter", &[FIRST]);
    place.check("--tag winter,sea", &both);
    place.check("--tag nothing", &[]);
    place.check("--transport earth", &[FIRST]);
    place.check("--transport Earth/Walk", &[FIRST]);
    place.check("--transport air,walk", &both);
    place.check("--transport drone", &[]);
    place.check("--tour Shores", &both);
    place.check("--title SEA", &both);
    place.check("--title to+the", &[FIRST]);
    place.check("--title to+the --title breeze", &both);
    // Several filters narrow, those of tiles among them.
    place.check("--tag sea --transport air", &[SECOND]);
    place.check("--tag winter --transport air", &[]);
    place.check(&format!("--tag sea --sequence {SECOND}"), &[SECOND]);
    place.check(&format!("--tag winter --sequence {SECOND}"), &[]);
    place.check("--tag sea --creator 549053432678742", &[FIRST]);
    place.check("--tag sea --bbox 24.95,60.17,24.955,60.172", &both);
    let counted = place.good("images town.mbtiles --tag winter --count");
    assert_eq!(counted, "7\n");
    place.bad("images town.mbtiles --annotations x", 2, "--tag sea");
    place.bad(
        "images town.mbtiles --tag sea --annotations none",
        1,
        "annotate SOURCE set",
    );
    place.bad("images town.mbtiles --transport horse", 2, "Scuba Dive");
}

#[test]
fn compat_4_rules_are_kept() {
    let place = Place::new();
    let transport = format!("annotate town.mbtiles set {FIRST} --transport horse");
    place.bad(&transport, 2, "Hang Glide");
    place.bad(
        &format!("annotate town.mbtiles like {FIRST} --user {OWNER}"),
        2,
        "cannot like it",
    );
    place.bad(
        "annotate town.mbtiles set nowhere --title a",
        2,
        "sequences town.mbtiles -f ids",
    );
    place.bad(&format!("annotate town.mbtiles set {FIRST}"), 2, "--title");
    place.bad(
        &format!("annotate town.mbtiles set {FIRST} --owner {OTHER}"),
        2,
        "made the sequence",
    );
    place.bad(
        "annotate town.mbtiles tour Shores --description a",
        2,
        "--owner",
    );
    assert!(
        !place.path("town.annotations").exists(),
        "what is refused leaves no file"
    );
    place.bad("annotate town.mbtiles list", 1, "no annotations");
    place.say_all();
    let before = place.good("annotate town.mbtiles export");
    let foreign = format!("annotate town.mbtiles tour Shores --owner {OWNER} --add {SECOND}");
    place.bad(&foreign, 2, "its owner's sequences only");
    place.bad(
        &format!("annotate town.mbtiles tour Shores --add {FIRST}"),
        2,
        "2 users have a tour",
    );
    place.bad(
        "annotate town.mbtiles tour None --owner 4711 --delete",
        2,
        "no tour",
    );
    assert_eq!(place.good("annotate town.mbtiles export"), before);
    place.good(&format!(
        "annotate town.mbtiles tour Shores --owner {OTHER} --delete"
    ));
    place.good(&format!(
        "annotate town.mbtiles tour Shores --remove {FIRST} --untag sea"
    ));
    place.good(&format!(
        "annotate town.mbtiles like {FIRST} --user maria --undo"
    ));
    place.good(&format!(
        "annotate town.mbtiles set {FIRST} --clear title,transport"
    ));
    place.good(&format!(
        "annotate town.mbtiles tag {FIRST} --remove sea,winter"
    ));
    let after: Value = serde_json::from_str(&place.good("annotate town.mbtiles export")).unwrap();
    let first = &after["sequences"][0];
    assert_eq!(
        (&first["title"], &first["transport"], &first["description"]),
        (&Value::Null, &Value::Null, &"Windy.".into())
    );
    assert_eq!(
        (&first["tags"], &first["likes"]),
        (&serde_json::json!(["märz"]), &serde_json::json!([OTHER]))
    );
    assert_eq!(
        after["tours"],
        serde_json::json!([{"owner": OWNER, "name": "Shores", "description": "All of them", "tags": [], "sequences": []}])
    );
}

#[test]
fn a_folder_a_store_and_a_dataset_share_their_annotations() {
    let place = Place::new();
    place.good(&format!("annotate town.mbtiles tag {FIRST} --add sea"));
    assert!(place.path("town.annotations").exists());
    place.good("build town.mbtiles -o town.tsight");
    assert_eq!(
        place.ids("sequences town.tsight --tag sea"),
        [FIRST.to_owned()].into()
    );
    let folder = place.path("town/14/9327");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(
        here("../../fixtures/town/mly1_public/14/9327/4742.mvt"),
        folder.join("4742.mvt"),
    )
    .unwrap();
    for folder in ["town", "town/", "./town"] {
        assert_eq!(
            place.ids(&format!("sequences {folder} --tag sea")),
            [FIRST.to_owned()].into()
        );
    }
    place.good(&format!(
        "annotate town.tsight --annotations other tag {FIRST} --add hill"
    ));
    assert_eq!(
        place
            .ids("sequences town --tag hill --annotations other")
            .len(),
        1
    );
    place.good(&format!(
        "annotate town.tsight tag {FIRST} --add hill --annotations=other"
    ));
    assert!(place.ids("sequences town --tag hill").is_empty());
}

#[test]
fn damaged_and_foreign_files_are_named() {
    let place = Place::new();
    place.say_all();
    let path = place.path("town.annotations");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    place.bad("images town.mbtiles --tag sea", 1, "town.annotations");
    place.bad(
        &format!("annotate town.mbtiles tag {FIRST} --add a"),
        1,
        "damaged",
    );
    fs::write(
        &path,
        "These are notes of somebody about something else entirely.",
    )
    .unwrap();
    place.bad("annotate town.mbtiles list", 1, "holds no annotations");
    place.bad(
        "annotate town.mbtiles list --annotations town.mbtiles",
        1,
        "holds no annotations",
    );
    place.bad(
        &format!("annotate town.mbtiles --annotations town.mbtiles tag {FIRST} --add a"),
        1,
        "holds no annotations",
    );
    place.bad(
        &format!("annotate town.mbtiles --annotations no/such tag {FIRST} --add a"),
        1,
        "no/such",
    );
    assert_eq!(
        fs::read(place.path("town.mbtiles")).unwrap(),
        fs::read(here("../../fixtures/town.mbtiles")).unwrap()
    );
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error_that_changes_nothing() {
    let place = Place::new();
    place.say_all();
    let before = place.good("annotate town.mbtiles export");
    fs::write(
        place.path("long.json"),
        before.replace("Windy.", &"Windy. ".repeat(9_000)),
    )
    .unwrap();
    // No file may grow beyond what the annotations take now.
    let script = "trap '' XFSZ; ulimit -f 64 || exit 99; exec \"$@\"";
    let output = Command::new("sh")
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_tilesight")])
        .args(["annotate", "town.mbtiles", "import", "long.json"])
        .current_dir(place.0.path())
        .output()
        .unwrap();
    if output.status.code() == Some(99) {
        return println!("SKIPPED: this shell cannot limit the size of files");
    }
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write annotations to"), "{said}");
    assert_eq!(place.good("annotate town.mbtiles export"), before);
}

#[test]
fn real_sequences_are_annotated() {
    let tiles = here("../../../shared/data/tiles/mly1_public");
    if !tiles.exists() {
        return println!("skipped: no real tiles at {}", tiles.display());
    }
    let place = Place::new();
    let tiles = tiles.display();
    let listed = place.good(&format!("sequences {tiles} --limit 20 -f ids"));
    let ids: Vec<&str> = listed.lines().collect();
    let ids = ids.join(",");
    place.good(&format!(
        "annotate {tiles} --annotations real tag {ids} --add real"
    ));
    let tagged = place.good(&format!(
        "sequences {tiles} --tag real --annotations real -f ids"
    ));
    assert_eq!(tagged, listed);
    let images = place.good(&format!(
        "images {tiles} --tag real --annotations real --count"
    ));
    assert_eq!(
        images,
        place.good(&format!("images {tiles} --sequence={ids} --count"))
    );
    assert_ne!(images, "0\n");
}
