//! The Graph API client and the download of pictures, against servers on loopback.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where the unexpected begins"
)]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use support::{Answer, Asked, Server};
use tilesight_fetch::graph::{Error, Fields, Graph, Id, ThumbnailSize, TimestampMs};
use tilesight_fetch::{
    Client, DownloadError, DownloadOptions, DownloadSummary, Manners, Outcome, Politeness,
    Timeouts, Token, Wanted, download,
};

/// A token that must turn up nowhere but in the header of requests to the Graph API.
const CANARY: &str = "MLY|42|c4n4ry";

/// The bytes of the canary that any spelling of it has.
const CANARY_CORE: &str = "c4n4ry";

const PICTURE: &[u8] = b"\xff\xd8\xff\xe0 a picture";

fn graph(server: &Server) -> Graph {
    let token = Token::new(CANARY).unwrap();
    let client = Client::new(Some(token), Timeouts::default()).unwrap();
    let manners = Manners {
        rate: None,
        clock_speed: 10_000.0,
        ..Manners::default()
    };
    let politeness = Politeness::new(manners, Box::new(|| Ok(())));
    Graph::new(
        client,
        server.origin().parse().unwrap(),
        Arc::new(politeness),
    )
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(future)
}

/// The value of a parameter of a request.
fn parameter(asked: &Asked, name: &str) -> Option<String> {
    let url = reqwest::Url::parse(&format!("http://localhost{}", asked.target)).unwrap();
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned())
}

/// Answers as the service does, for images with ids up to 99.
fn entities(asked: &Asked) -> Answer {
    let entity = |id: i64| json!({"id": id.to_string(), "make": "Maker"});
    let missing = json!({"error": {"message": "no such object", "code": 100}});
    let Some(ids) = parameter(asked, "ids") else {
        let id = asked.target[1..]
            .split('?')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        return if id < 100 {
            Answer::ok(entity(id).to_string())
        } else {
            Answer::status(400, missing.to_string())
        };
    };
    let ids: Vec<i64> = ids.split(',').map(|id| id.parse().unwrap()).collect();
    if ids.iter().any(|&id| id >= 100) {
        return Answer::status(400, missing.to_string());
    }
    let by_id = ids.iter().map(|&id| (id.to_string(), entity(id)));
    Answer::ok(Value::Object(by_id.collect()).to_string())
}

#[test]
fn images_come_fifty_at_a_time_in_their_order() {
    let server = Server::start(|asked, _| entities(asked));
    let ids: Vec<Id> = (0..99).rev().map(Id).chain([Id(5)]).collect();
    let images = run(graph(&server).images(&ids, &"make".parse().unwrap())).unwrap();
    let found: Vec<Id> = images.into_iter().map(|image| image.unwrap().id).collect();
    assert_eq!(found, ids);
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(parameter(&asked[0], "fields").unwrap(), "make");
    for request in asked {
        assert!(
            request
                .headers
                .contains(&format!("authorization: OAuth {CANARY}"))
        );
        assert!(!request.target.contains(CANARY_CORE));
    }
}

#[test]
fn a_missing_image_costs_the_others_nothing() {
    let server = Server::start(|asked, _| entities(asked));
    let ids = [Id(1), Id(500), Id(2)];
    let images = run(graph(&server).images(&ids, &Fields::All)).unwrap();
    let found: Vec<_> = images
        .iter()
        .map(|image| image.as_ref().map(|image| image.id.0))
        .collect();
    assert_eq!(found, [Some(1), None, Some(2)]);
    assert_eq!(server.asked().len(), 4);
    let missing = run(graph(&server).image(Id(500), &Fields::All));
    assert!(
        matches!(missing, Err(Error::NotFound { .. })),
        "{missing:?}"
    );
}

#[test]
fn what_passes_is_waited_for() {
    let limit = r#"{"error": {"message": "limit", "code": 4, "is_transient": true}}"#;
    let server = Server::start(move |asked, before| match before {
        0 => Answer::status(400, limit),
        1 => Answer::status(503, ""),
        _ => entities(asked),
    });
    let image = run(graph(&server).image(Id(7), &Fields::All)).unwrap();
    assert_eq!((image.id, image.make.as_deref()), (Id(7), Some("Maker")));
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn what_does_not_pass_is_told_at_once_and_without_the_token() {
    for (status, body, is_expected) in [
        (
            401,
            "",
            (|e| matches!(e, Error::Token { .. })) as fn(&Error) -> bool,
        ),
        (
            400,
            r#"{"error": {"code": 190, "message": "MLY|42|c4n4ry"}}"#,
            |e| matches!(e, Error::Token { .. }),
        ),
        (302, "moved", |e| {
            matches!(e, Error::Refused { status: 302, .. })
        }),
        (200, "<html>", |e| matches!(e, Error::Answer { .. })),
        (200, r#"{"id": "MLY%7C42%7Cc4n4ry"}"#, |e| {
            matches!(e, Error::Answer { .. })
        }),
    ] {
        let server = Server::start(move |_, _| Answer::status(status, body));
        let graph = graph(&server);
        let error = run(graph.image(Id(7), &Fields::All)).unwrap_err();
        assert!(is_expected(&error), "{error:?}");
        assert_eq!(server.asked().len(), 1);
        let said = format!("{error} {error:?} {graph:?}");
        assert!(!said.contains(CANARY_CORE), "{said}");
    }
}

#[test]
fn a_limit_that_stays_ends_the_run() {
    let server = Server::start(|_, _| Answer::status(429, ""));
    let error = run(graph(&server).image(Id(7), &Fields::All)).unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error:?}");
    assert!(server.asked().len() < 20);
}

#[test]
fn lists_are_read_and_their_next_page_tells_no_token() {
    let body = json!({
        "data": [{"id": "3"}, {"id": "1"}],
        "paging": {"next": format!("https://graph.example/?access_token={CANARY}")},
    });
    let server = Server::start(move |_, _| Answer::ok(body.to_string()));
    let ids = run(graph(&server).image_ids("aB3dE5gH7jK9mN1pQ3sT5u")).unwrap();
    assert_eq!(ids, [Id(3), Id(1)]);
    let key = parameter(&server.asked()[0], "sequence_id");
    assert_eq!(key.as_deref(), Some("aB3dE5gH7jK9mN1pQ3sT5u"));
    for wrong in ["", "a&b", "../x", "a b"] {
        let error = run(graph(&server).image_ids(wrong)).unwrap_err();
        assert_eq!(error, Error::SequenceKey(wrong.to_owned()));
    }
    let feature = json!({"id": 9, "images": {"data": [], "paging": {"next": CANARY}}, "x": CANARY});
    let answer = json!({"9": feature}).to_string();
    let server = Server::start(move |_, _| Answer::ok(answer.clone()));
    let found = run(graph(&server).features(&[Id(9)], &Fields::All)).unwrap();
    let written = serde_json::to_string(&found).unwrap();
    assert!(
        written.contains("***") && !written.contains(CANARY_CORE),
        "{written}"
    );
}

#[test]
fn detections_have_outlines() {
    let answer = json!({"data": [
        {"id": "5", "value": "object--bench", "created_at": "2021-05-22T15:20:45+0000",
         "image": {"id": "17"}, "geometry": ""},
    ]});
    let server = Server::start(move |_, _| Answer::ok(answer.to_string()));
    let found = run(graph(&server).detections(Id(17), &Fields::All)).unwrap();
    assert_eq!(found[0].image.unwrap().id, Id(17));
    assert_eq!(found[0].created_at_ms, Some(TimestampMs(1_621_696_845_000)));
    assert!(
        server.asked()[0]
            .target
            .starts_with("/17/detections?fields=")
    );
    let broken = json!({"data": [{"id": "5", "geometry": "%"}]});
    let server = Server::start(move |_, _| Answer::ok(broken.to_string()));
    let error = run(graph(&server).detections(Id(17), &Fields::All)).unwrap_err();
    assert!(
        matches!(error, Error::Outline { id: Id(5), .. }),
        "{error:?}"
    );
}

/// A service that knows the pictures of images up to 99 at an origin.
fn service(pictures: String) -> Server {
    Server::start(move |asked, _| {
        let ids = parameter(asked, "ids").unwrap();
        let entity = |id: &str| {
            let url = format!("{pictures}/{id}.jpg?oh=signature&oe=7FFFFFFF");
            let number: i64 = id.parse().unwrap();
            let image = if number < 100 {
                json!({"id": id, "thumb_256_url": url})
            } else {
                json!({"id": id})
            };
            (id.to_owned(), image)
        };
        Answer::ok(Value::Object(ids.split(',').map(entity).collect()).to_string())
    })
}

fn wanted(ids: impl IntoIterator<Item = i64>) -> Vec<Wanted> {
    let sequence = |id| (id % 3 > 0).then(|| format!("sequence-{}", id % 3));
    ids.into_iter()
        .map(|id| Wanted {
            id: Id(id),
            sequence: sequence(id),
        })
        .collect()
}

fn fetch_all(
    graph: &Graph,
    images: &[Wanted],
    folder: &Path,
) -> (Result<DownloadSummary, DownloadError>, Vec<(Id, Outcome)>) {
    let options = DownloadOptions {
        size: ThumbnailSize::Px256,
        jobs: 4,
    };
    let mut outcomes = Vec::new();
    let on_outcome = |image: &Wanted, outcome: &Outcome| outcomes.push((image.id, outcome.clone()));
    let summary = run(download(graph, images, folder, options, on_outcome));
    (summary, outcomes)
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    files
}

#[test]
fn pictures_are_downloaded_once_and_their_host_gets_no_token() {
    let pictures = Server::start(|_, _| Answer::ok(PICTURE));
    let service = service(pictures.origin());
    let dir = tempfile::tempdir().unwrap();
    let images = wanted(1..=60);
    let (summary, outcomes) = fetch_all(&graph(&service), &images, dir.path());
    let bytes = 60 * PICTURE.len() as u64;
    let expected = DownloadSummary {
        downloaded: 60,
        bytes,
        ..DownloadSummary::default()
    };
    assert_eq!((summary.unwrap(), outcomes.len()), (expected, 60));
    assert_eq!(
        fs::read(dir.path().join("sequence-1/4.jpg")).unwrap(),
        PICTURE
    );
    assert_eq!(
        fs::read(dir.path().join("no-sequence/3.jpg")).unwrap(),
        PICTURE
    );
    let (summary, _) = fetch_all(&graph(&service), &images, dir.path());
    assert_eq!(summary.unwrap().already_there, 60);
    assert_eq!((service.asked().len(), pictures.asked().len()), (2, 60));
    for asked in pictures.asked() {
        assert!(!format!("{asked:?}").contains(CANARY_CORE));
        assert!(!asked.headers.contains("referer"), "{}", asked.headers);
    }
    for (name, bytes) in files(dir.path()) {
        let text = format!("{name}{}", String::from_utf8_lossy(&bytes));
        assert!(
            !text.contains(CANARY_CORE) && !text.contains("signature"),
            "{name}"
        );
        assert!(!name.contains(".part"), "{name}");
    }
}

#[test]
fn pictures_that_cannot_be_had_are_told_and_tried_again_the_next_time() {
    let pictures = Server::start(|asked, before| match asked.target.split('.').next() {
        Some("/1") => Answer::status(403, "expired"),
        Some("/2") => Answer::ok("<html>"),
        Some("/3") if before < 5 => Answer::status(500, ""),
        _ => Answer::ok(PICTURE),
    });
    let service = service(pictures.origin());
    let dir = tempfile::tempdir().unwrap();
    let (summary, mut outcomes) =
        fetch_all(&graph(&service), &wanted([1, 2, 3, 4, 500]), dir.path());
    let summary = summary.unwrap();
    assert_eq!(
        (summary.downloaded, summary.failed, summary.not_found),
        (2, 2, 1)
    );
    outcomes.sort_by_key(|&(id, _)| id);
    let failed = |reason: &str| Outcome::Failed {
        reason: reason.to_owned(),
    };
    assert_eq!(outcomes[0].1, failed("its host answered with status 403"));
    assert_eq!(outcomes[1].1, failed("what came is no JPEG picture"));
    assert_eq!(outcomes[4].1, Outcome::NotFound);
    let (summary, _) = fetch_all(&graph(&service), &wanted([3, 1]), dir.path());
    let summary = summary.unwrap();
    assert_eq!((summary.already_there, summary.failed), (1, 1));
}

#[test]
fn a_refused_token_ends_the_download() {
    let service = Server::start(|_, _| Answer::status(401, ""));
    let dir = tempfile::tempdir().unwrap();
    let (summary, outcomes) = fetch_all(&graph(&service), &wanted(1..9), dir.path());
    let error = summary.unwrap_err();
    assert!(
        matches!(error, DownloadError::Graph(Error::Token { .. })),
        "{error:?}"
    );
    assert!(outcomes.is_empty());
}

#[test]
fn real_answers_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/graph");
    if !folder.exists() {
        println!("skipped: no real answers at {}", folder.display());
        return;
    }
    let server = Server::start(move |asked, _| {
        let path = asked.target.split('?').next().unwrap().to_owned();
        let path = parameter(asked, "sequence_id").map_or(path, |key| format!("/image_ids/{key}"));
        let read = fs::read(folder.join(format!("{}.json", &path[1..])));
        read.map_or_else(
            |_| Answer::status(400, r#"{"error": {"code": 100}}"#),
            Answer::ok,
        )
    });
    let graph = graph(&server);
    run(async {
        let ids = graph.image_ids("7nfcwfvjdtphz7yj6zat6a").await.unwrap();
        assert_eq!((ids.len(), ids[0]), (8, Id(148_137_757_289_079)));
        let images = graph.images(&ids, &Fields::All).await.unwrap();
        let known: Vec<_> = images.into_iter().flatten().collect();
        assert_eq!(known.len(), 3);
        assert_eq!(
            known[0].captured_at_ms,
            Some(TimestampMs(1_563_721_048_460))
        );
        assert!(
            known
                .iter()
                .all(|image| image.sequence.as_deref() == Some("7nfcwfvjdtphz7yj6zat6a"))
        );
        assert_eq!(
            known[2].other["detections"]["data"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
        for image in known {
            check_outlines(&graph, image.id).await;
        }
        let id = Id(496_980_935_069_177);
        let features = graph.features(&[id], &Fields::All).await.unwrap();
        let feature = features[0].as_ref().unwrap();
        assert_eq!(
            feature.first_seen_at_ms,
            Some(TimestampMs(1_503_523_946_000))
        );
        assert_eq!(feature.images.as_ref().unwrap().data.len(), 3);
        check_outlines(&graph, id).await;
    });
}

/// Checks that every detection has an outline within its picture.
async fn check_outlines(graph: &Graph, of: Id) {
    let detections = graph.detections(of, &Fields::All).await.unwrap();
    assert!(!detections.is_empty());
    for detection in detections {
        assert!(!detection.rings.is_empty(), "{}", detection.id);
        let mut coordinates = detection.rings.iter().flatten().flatten();
        assert!(
            coordinates.all(|c| (0.0..=1.0).contains(c)),
            "{}",
            detection.id
        );
    }
}
