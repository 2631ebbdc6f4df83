//! Annotations by their rules, and as filters of questions.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where the unexpected begins"
)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use tilesight::annotations::{
    AnnotationFilter, Annotations, Note, Owner, RuleError, Tour, TourKey, Transport,
};
use tilesight::{Dataset, Filter, Image, ImageQuery, Kind, SequenceQuery};

const SEQUENCES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const WORDS: [&str; 4] = ["sea", "Winter walk", "to the SEA", "ÄÖ"];
const USERS: [&str; 3] = ["1", "2", "maria"];

fn of(owner: &str) -> Note {
    Note {
        owner: Some(Owner::new(owner)),
        ..Note::default()
    }
}

fn tour(sequences: &[&str]) -> Tour {
    Tour {
        sequences: sequences.iter().map(ToString::to_string).collect(),
        ..Tour::default()
    }
}

fn key(owner: &str, name: &str) -> TourKey {
    TourKey {
        owner: owner.to_owned(),
        name: name.to_owned(),
    }
}

#[test]
fn compat_4_likes_come_from_any_user_but_the_owner() {
    let mut all = Annotations::default();
    assert!(matches!(
        all.like("a", "2", true),
        Err(RuleError::NoOwner { .. })
    ));
    let owner = Some(Owner {
        key: "1".into(),
        name: Some("maria".into()),
    });
    all.put(
        "a",
        Note {
            owner,
            ..Note::default()
        },
    )
    .unwrap();
    for own in ["1", "maria"] {
        let refused = all.like("a", own, true).unwrap_err();
        assert!(refused.to_string().contains("cannot like it"), "{refused}");
    }
    all.like("a", "2", true).unwrap();
    all.like("a", "2", true).unwrap();
    assert_eq!(all.note("a").unwrap().likes, ["2".to_owned()].into());
    // The one who likes it cannot turn out to be its owner.
    let mut note = all.note("a").unwrap().clone();
    note.owner = Some(Owner::new("2"));
    assert!(matches!(all.put("a", note), Err(RuleError::OwnLike { .. })));
    all.like("a", "2", false).unwrap();
    assert!(all.note("a").unwrap().likes.is_empty());
}

#[test]
fn compat_4_a_tour_holds_its_owners_sequences_only() {
    let mut all = Annotations::default();
    for (id, owner) in [("a", "1"), ("b", "1"), ("c", "2")] {
        all.put(id, of(owner)).unwrap();
    }
    all.put("d", Note::default()).unwrap();
    all.put_tour(&key("1", "Shores"), tour(&["a", "b"]))
        .unwrap();
    all.put_tour(&key("1", "Parks"), tour(&["a"])).unwrap();
    all.put_tour(&key("2", "Shores"), tour(&["c"])).unwrap();
    let refused = all.put_tour(&key("1", "Shores"), tour(&["a", "c"]));
    assert!(
        matches!(refused, Err(RuleError::ForeignTour { .. })),
        "{refused:?}"
    );
    for unknown in ["d", "nowhere"] {
        let refused = all.put_tour(&key("1", "Shores"), tour(&[unknown]));
        assert!(
            matches!(refused, Err(RuleError::NoOwner { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(
        all.tour(&key("1", "Shores")),
        Some(&tour(&["a", "b"])),
        "unchanged"
    );
    assert!(matches!(
        all.put("a", of("2")),
        Err(RuleError::ForeignTour { .. })
    ));
    all.remove("a");
    assert_eq!(all.tour(&key("1", "Shores")), Some(&tour(&["b"])));
    assert_eq!(all.tour(&key("1", "Parks")), Some(&tour(&[])));
}

#[test]
fn texts_are_checked() {
    let mut all = Annotations::default();
    let long = "x".repeat(256);
    for wrong in ["", " a", "a\nb", "\u{1b}[31m", &long] {
        let tags = [wrong.to_owned()].into();
        let tagged = Note {
            tags,
            ..Note::default()
        };
        assert!(
            matches!(all.put("a", tagged), Err(RuleError::Text { .. })),
            "{wrong:?}"
        );
        assert!(all.put(wrong, Note::default()).is_err(), "{wrong:?}");
        assert!(
            all.put_tour(&key("1", wrong), tour(&[])).is_err(),
            "{wrong:?}"
        );
        let title = Some(wrong.to_owned());
        assert!(
            all.put(
                "a",
                Note {
                    title,
                    ..Note::default()
                }
            )
            .is_err(),
            "{wrong:?}"
        );
    }
    let description = Some("Two\nlines\tand more".to_owned());
    all.put(
        "a",
        Note {
            description,
            ..Note::default()
        },
    )
    .unwrap();
}

fn words() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set(
        prop::sample::select(&WORDS[..]).prop_map(str::to_owned),
        0..3,
    )
}

fn transport() -> impl Strategy<Value = Transport> {
    let near: Vec<Transport> = Transport::all()
        .filter(|type_| type_.parent() != "Water")
        .collect();
    prop::sample::select(near)
}

fn note() -> impl Strategy<Value = Note> {
    let owner = prop::sample::select(&USERS[..2]).prop_map(|user| Some(Owner::new(user)));
    let title = prop::option::of(prop::sample::select(&WORDS[..]).prop_map(str::to_owned));
    (owner, title, prop::option::of(transport()), words()).prop_map(
        |(owner, title, transport, tags)| {
            let likes = USERS
                .iter()
                .filter(|user| !owner.as_ref().is_some_and(|o: &Owner| o.is(user)));
            let likes = likes.map(ToString::to_string).collect();
            Note {
                owner,
                title,
                transport,
                tags,
                likes,
                ..Note::default()
            }
        },
    )
}

fn annotations() -> impl Strategy<Value = Annotations> {
    let notes = prop::collection::btree_map(prop::sample::select(&SEQUENCES[..]), note(), 0..8);
    let tours = prop::collection::vec(
        (
            prop::sample::select(&USERS[..2]),
            prop::sample::select(&WORDS[..]),
            prop::sample::subsequence(&SEQUENCES[..], 0..8),
        ),
        0..4,
    );
    (notes, tours).prop_map(|(notes, tours)| {
        let mut all = Annotations::default();
        for (id, note) in notes {
            all.put(id, note).unwrap();
        }
        for (owner, name, sequences) in tours {
            // What is not of this owner is refused one by one.
            let key = key(owner, name);
            let mut kept = Tour::default();
            all.put_tour(&key, kept.clone()).unwrap();
            for id in sequences {
                let mut more = kept.clone();
                more.sequences.insert(id.to_owned());
                if all.put_tour(&key, more.clone()).is_ok() {
                    kept = more;
                }
            }
        }
        all
    })
}

fn wanted() -> impl Strategy<Value = AnnotationFilter> {
    let some = |all: &'static [&str]| {
        prop::sample::subsequence(all, 0..3)
            .prop_map(|texts| texts.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let titles: &[&str] = &["sea", "WINTER", "äö", "no such"];
    let transports = prop::collection::vec(transport(), 0..3);
    (some(&WORDS), transports, some(&WORDS), some(titles)).prop_map(
        |(tags, transports, tours, titles)| AnnotationFilter {
            tags,
            transports,
            tours,
            titles,
        },
    )
}

/// The rule, read from the JSON that other programs see.
fn says(json: &serde_json::Value, id: &str, wanted: &AnnotationFilter) -> bool {
    let sequences = json["sequences"].as_array().unwrap();
    let Some(said) = sequences.iter().find(|said| said["id"] == id) else {
        return wanted.is_any();
    };
    let has_tag = |tag: &String| said["tags"].as_array().unwrap().iter().any(|t| t == tag);
    let is_of = |type_: &Transport| {
        let name = said["transport"].as_str().unwrap_or_default();
        name == type_.to_string()
            || (type_.child().is_none() && name.split('/').next() == Some(type_.parent()))
    };
    let in_tour = |name: &String| {
        json["tours"].as_array().unwrap().iter().any(|tour| {
            tour["name"] == name.as_str()
                && tour["sequences"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|s| s == id)
        })
    };
    let in_title = |text: &String| {
        let title = said["title"].as_str();
        title.is_some_and(|title| title.to_lowercase().contains(&text.to_lowercase()))
    };
    (wanted.tags.is_empty() || wanted.tags.iter().any(has_tag))
        && (wanted.transports.is_empty() || wanted.transports.iter().any(is_of))
        && (wanted.tours.is_empty() || wanted.tours.iter().any(in_tour))
        && (wanted.titles.is_empty() || wanted.titles.iter().any(in_title))
}

/// Images of all sequences but the last, two in each, and one of no sequence.
fn images() -> Vec<Image<'static>> {
    let in_sequence = |(i, &id): (usize, &&'static str)| {
        [0, 1].map(|j| Image {
            sequence_id: Some(id),
            kind: Some(if j == 0 { Kind::Pano } else { Kind::Flat }),
            ..Image::at(
                (10 * i + j) as i64,
                24.9 + 0.001 * i as f64,
                60.1 + 0.0001 * j as f64,
            )
        })
    };
    let sequences = SEQUENCES.iter().enumerate().take(7);
    let alone = Image::at(99, 24.9, 60.1);
    sequences.flat_map(in_sequence).chain([alone]).collect()
}

proptest! {
    #[test]
    fn filters_are_what_brute_force_finds(
        all in annotations(),
        wanted in wanted(),
        named in prop::sample::subsequence(&SEQUENCES[..], 0..4),
        kind in prop::option::of(prop::sample::select(&[Kind::Pano, Kind::Flat][..])),
    ) {
        let json: serde_json::Value = serde_json::from_str(&all.to_json().unwrap()).unwrap();
        let sequences: Vec<String> = named.iter().map(ToString::to_string).collect();
        let passes = |image: &Image<'_>| {
            let id = image.sequence_id.unwrap_or_default();
            says(&json, id, &wanted)
                && (named.is_empty() || named.contains(&id))
                && (kind.is_none() || image.kind == kind)
        };
        let images = images();
        let expected: BTreeSet<i64> = images.iter().filter(|i| passes(i)).map(|i| i.id).collect();
        let expected_sequences: BTreeSet<&str> =
            images.iter().filter(|i| passes(i)).filter_map(|i| i.sequence_id).collect();

        let mut filter = Filter { sequences, kind, ..Filter::default() };
        all.narrow(&wanted, &mut filter);
        let data = Dataset::from_images(images).unwrap();
        let found = data.images(&ImageQuery { filter: filter.clone(), ..Default::default() }).unwrap();
        prop_assert_eq!(found.ids().collect::<BTreeSet<_>>(), expected);
        let found = data.sequences(&SequenceQuery { filter, ..Default::default() }).unwrap();
        prop_assert_eq!(found.ids().collect::<BTreeSet<_>>(), expected_sequences);
    }

    #[test]
    fn json_and_files_give_back_what_they_were_given(all in annotations()) {
        let json = all.to_json().unwrap();
        prop_assert_eq!(&Annotations::from_json(&json).unwrap(), &all);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("all");
        tilesight::annotations::edit(&path, |there| {
            *there = all.clone();
            Ok::<_, tilesight::annotations::AnnotationError>(())
        }).unwrap();
        prop_assert_eq!(tilesight::annotations::read(&path).unwrap(), all);
    }

    #[test]
    fn any_text_is_annotations_or_an_error(text in ".{0,200}") {
        prop_assert!(Annotations::from_json(&text).is_err());
    }
}
