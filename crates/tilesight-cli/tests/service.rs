//! The built program against a service on loopback: entities, pictures, and no word of the token.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where the unexpected begins"
)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use common::{Answer, Asked, Server, asked_ids, program};
use serde_json::{Value, json};

/// A token that must turn up nowhere but in the header of requests to the Graph API.
const CANARY: &str = "MLY|42|c4n4ry";

/// The bytes of the canary that any spelling of it has.
const CANARY_CORE: &str = "c4n4ry";

/// The door of `fixtures/README.md`.
const DOOR: &str = "24.95238,60.17075";

/// Runs the program in the folder of the fixtures; nothing that it says may have the token.
fn run(service: &Server, line: &str) -> Output {
    let output = program()
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures"))
        .env("MAPILLARY_ACCESS_TOKEN", CANARY)
        .env("TILESIGHT_GRAPH_URL", service.origin())
        .args(line.split_whitespace())
        .output()
        .unwrap();
    for said in [&output.stdout, &output.stderr] {
        assert!(
            !String::from_utf8_lossy(said).contains(CANARY_CORE),
            "{line}"
        );
    }
    output
}

fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Answers a request for a batch of entities.
fn batch(asked: &Asked, entity: impl Fn(&str) -> Value) -> Answer {
    let by_id = asked_ids(asked).into_iter().map(|id| {
        let entity = entity(&id);
        (id, entity)
    });
    Answer::ok(Value::Object(by_id.collect()).to_string())
}

#[test]
fn entities_are_printed_line_by_line() {
    let service = Server::start(|asked, _| {
        batch(asked, |id| {
            let geometry = json!({"type": "Point", "coordinates": [24.9, 60.1]});
            json!({"id": id, "geometry": geometry, "captured_at": 1_563_721_072_184_i64})
        })
    });
    let output = run(
        &service,
        "graph image 17 9007199254740993 --fields geometry,captured_at",
    );
    let features = lines(&output);
    assert_eq!(
        (status(&output), features.len()),
        (0, 2),
        "{}",
        said(&output)
    );
    assert_eq!(features[1]["properties"]["id"], "9007199254740993");
    assert_eq!(
        features[0]["properties"]["captured_at"],
        "2019-07-21T14:57:52.184Z"
    );
    assert_eq!(features[0]["geometry"]["coordinates"], json!([24.9, 60.1]));
    assert!(
        service.asked()[0]
            .target
            .contains("fields=geometry%2Ccaptured_at")
    );
    let output = run(&service, "graph organization 17");
    assert_eq!(lines(&output)[0]["id"], "17");
}

#[test]
fn lists_are_printed_line_by_line() {
    let service = Server::start(|asked, _| {
        let entity = if asked.target.starts_with("/image_ids") {
            json!({"id": "3"})
        } else {
            json!({"id": "4", "value": "object--bench", "geometry": ""})
        };
        Answer::ok(json!({"data": [entity]}).to_string())
    });
    let output = run(&service, "graph sequence aB3dE5gH7jK9mN1pQ3sT5u");
    assert_eq!(lines(&output)[0]["image_ids"], json!(["3"]));
    let output = run(&service, "graph detections 17");
    assert_eq!(lines(&output)[0]["value"], "object--bench");
    assert_eq!(status(&run(&service, "graph sequence a/b")), 2);
}

#[test]
fn what_is_missing_is_named_after_the_rest() {
    let service = Server::start(|asked, _| {
        if asked_ids(asked).contains(&"18".to_owned()) {
            return Answer::status(400, r#"{"error": {"code": 100, "message": "none"}}"#);
        }
        Answer::ok(r#"{"id": "17", "thumb_1024_url": "http://127.0.0.1/x?oe=65F0A1B2"}"#)
    });
    let output = run(&service, "graph thumbnail 17 18");
    assert_eq!((status(&output), lines(&output).len()), (1, 1));
    assert_eq!(lines(&output)[0]["expires_at"], "2024-03-12T18:40:50.000Z");
    assert!(said(&output).contains("not found: 18"), "{}", said(&output));
}

#[test]
fn a_refused_or_missing_token_is_told() {
    let service = Server::start(|_, _| Answer::status(401, CANARY));
    let output = run(&service, "graph image 17");
    assert_eq!(status(&output), 1);
    assert!(
        said(&output).contains("MAPILLARY_ACCESS_TOKEN"),
        "{}",
        said(&output)
    );
    let output = run(&service, "graph image 17 --token-file no/such/file");
    assert_eq!(status(&output), 2);
    assert!(said(&output).contains("no/such/file"), "{}", said(&output));
}

#[test]
fn pictures_of_a_selection_are_downloaded_and_not_again() {
    let pictures = Server::start(|_, _| Answer::ok(b"\xff\xd8\xff\xe0 a picture"));
    let origin = pictures.origin();
    let service = Server::start(move |asked, _| {
        let url = |id: &str| format!("{origin}/{id}.jpg?oh=signature");
        batch(asked, |id| json!({"id": id, "thumb_256_url": url(id)}))
    });
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("pictures");
    let line = format!(
        "download-images town --looking-at {DOOR} --size 256 --rate 1000 -o {}",
        folder.display()
    );
    let output = run(&service, &line);
    assert_eq!((status(&output), said(&output)), (0, String::new()));
    let files = |folder: &Path| -> Vec<_> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    };
    let sequences = files(&folder).into_iter().filter(|path| path.is_dir());
    let found: Vec<_> = sequences.flat_map(|sequence| files(&sequence)).collect();
    assert_eq!((found.len(), pictures.asked().len()), (16, 16));
    fs::remove_file(&found[0]).unwrap();
    let output = run(&service, &format!("{line} -v"));
    assert!(
        said(&output).contains("1 pictures downloaded"),
        "{}",
        said(&output)
    );
    assert_eq!(pictures.asked().len(), 17);
    for Asked { target, headers } in pictures.asked() {
        assert!(!target.contains(CANARY_CORE) && !headers.contains(CANARY_CORE));
    }
}
