//! The questions of the table, a thousand each, and the bar of each.

use std::hash::{Hash, Hasher};
use std::hint::black_box;

use rustc_hash::FxHasher;

use super::Bar;
use crate::query::{Condition, Engine, MadeWorld, Place, Question, Questions};

/// A row of the table.
pub struct Row {
    /// Its place in the table.
    pub number: usize,
    /// What is asked.
    pub title: String,
    /// In what form the answer is wanted.
    pub asked: Asked,
    /// Whether caches are emptied before the questions, each of which is asked once.
    pub is_cold: bool,
    /// The questions.
    pub questions: Vec<Question>,
    /// What we are held to.
    pub bar: Bar,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The ids of the images.
    Ids,
    /// Their number.
    Count,
    /// Their number by year.
    Years,
    /// The ids of the sequences that touch the box.
    Sequences,
}

/// An answer, as short as it can be and still be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// How many there are.
    pub count: u64,
    /// The sum of a hash of each, which is the same in any order.
    pub hash: u64,
}

impl Answer {
    fn of<T: Hash>(found: impl IntoIterator<Item = T>) -> Self {
        let (mut count, mut hash) = (0, 0_u64);
        for one in found {
            let mut hasher = FxHasher::default();
            one.hash(&mut hasher);
            count += 1;
            hash = hash.wrapping_add(hasher.finish());
        }
        Self { count, hash }
    }

    const fn count(count: u64) -> Self {
        Self { count, hash: 0 }
    }
}

impl Row {
    /// Asks a question and sums up the answer; nothing when the engine cannot tell.
    pub fn answer(&self, engine: &dyn Engine, question: &Question) -> Option<Answer> {
        match self.asked {
            Asked::Ids => engine
                .images(question)
                .map(|ids| Answer::of(as_in_tiles(ids))),
            Asked::Count => engine.image_count(question).map(Answer::count),
            Asked::Years => engine.images_by_year(question).map(Answer::of),
            Asked::Sequences => engine.sequences(&bbox_of(question)).map(Answer::of),
        }
    }

    /// Asks a question and drops the answer.
    pub fn ask(&self, engine: &dyn Engine, question: &Question) {
        match self.asked {
            Asked::Ids => drop(black_box(engine.images(question))),
            Asked::Count => drop(black_box(engine.image_count(question))),
            Asked::Years => drop(black_box(engine.images_by_year(question))),
            Asked::Sequences => drop(black_box(engine.sequences(&bbox_of(question)))),
        }
    }
}

/// Ids as a double holds them: that is how they come in some tiles, and peers have them from where
/// the tiles were made.
fn as_in_tiles(ids: Vec<i64>) -> impl Iterator<Item = i64> {
    ids.into_iter().map(|id| id as f64 as i64)
}

/// The box of a question that has one.
fn bbox_of(question: &Question) -> tilesight_tile::Bbox {
    match (&question.place, &question.query.place) {
        (Place::Box(_), tilesight_query::Place::Bbox(bbox)) => *bbox,
        _ => unreachable!("sequences are asked for in boxes"),
    }
}

/// How far from the edges of the world questions are asked: half of the largest box, and some.
const EDGE_M: f64 = 15_000.0;

/// Makes all rows, of some number of questions each.
pub fn rows(world: &MadeWorld, count: usize) -> Vec<Row> {
    let mut table = Table {
        rows: Vec::new(),
        questions: Questions::away_from_edges(world, EDGE_M),
        count,
    };
    let organizations = world.organizations();
    let (most, fewest) = (organizations[0].0, organizations[organizations.len() - 1].0);
    table.boxes();
    table.conditions(most);
    table.circles();
    table.nearest();
    table.nearest_with_conditions(most, fewest);
    table.sequences();
    table.polygons();
    table.years();
    table.rows
}

const WIDTHS_M: [(&str, f64); 3] = [("200 m", 200.0), ("2 km", 2_000.0), ("20 km", 20_000.0)];

struct Table<'a> {
    rows: Vec<Row>,
    questions: Questions<'a>,
    count: usize,
}

impl Table<'_> {
    fn add(&mut self, title: String, asked: Asked, questions: Vec<Question>, bar: Bar) {
        self.rows.push(Row {
            number: self.rows.len() + 1,
            title,
            asked,
            is_cold: false,
            questions,
            bar,
        });
    }

    fn boxes_of(&self, side_m: f64) -> Vec<Question> {
        self.questions.boxes(self.count, side_m, Condition::Any)
    }

    fn boxes(&mut self) {
        let bars = [
            (Asked::Ids, "ids", [2.8, 5.0, 8.0]),
            (Asked::Count, "count", [2.5, 5.0, 5.5]),
        ];
        for (asked, form, faster) in bars {
            for ((width, side_m), faster) in WIDTHS_M.into_iter().zip(faster) {
                let questions = self.boxes_of(side_m);
                let title = format!("box {width}, {form}");
                self.add(title, asked, questions, Bar::faster(faster));
            }
        }
    }

    fn conditions(&mut self, organization: i64) {
        let conditions = [
            ("since 2023", Condition::SINCE_2023),
            ("panoramas", Condition::Pano),
            ("an organization", Condition::Organization(organization)),
            ("a heading", Condition::Heading(80.0, 100.0)),
        ];
        for (name, condition) in conditions {
            let questions = self.questions.boxes(self.count, 2_000.0, condition);
            let title = format!("box 2 km, {name}");
            self.add(title, Asked::Ids, questions, Bar::faster(8.0));
        }
    }

    fn circles(&mut self) {
        let radii = [
            ("20 m", 20.0, 1.8),
            ("200 m", 200.0, 5.5),
            ("2 km", 2_000.0, 15.0),
        ];
        for (name, radius_m, faster) in radii {
            let questions = self.questions.circles(self.count, radius_m);
            self.add(
                format!("radius {name}"),
                Asked::Ids,
                questions,
                Bar::faster(faster),
            );
        }
        let questions = self.questions.looking_at(self.count);
        self.add(
            "looking at, 50 m".to_owned(),
            Asked::Ids,
            questions,
            Bar::faster(2.8),
        );
    }

    fn nearest(&mut self) {
        let no_slower = Bar {
            p99_lower: Some(3.0),
            ..Bar::faster(1.0)
        };
        for (k, faster) in [(1, 1.3), (10, 1.2), (100, 1.5)] {
            let questions = self.questions.nearest(self.count, k, Condition::Any);
            let title = format!("nearest {k}, cold");
            self.add(title, Asked::Ids, questions.clone(), Bar::faster(faster));
            self.rows.last_mut().expect("a row was added").is_cold = true;
            self.add(
                format!("nearest {k}, repeated"),
                Asked::Ids,
                questions,
                no_slower,
            );
        }
    }

    fn nearest_with_conditions(&mut self, most: i64, fewest: i64) {
        let conditions = [
            ("since 2023", Condition::SINCE_2023),
            ("panoramas", Condition::Pano),
            ("an organization", Condition::Organization(most)),
            ("a rare organization", Condition::Organization(fewest)),
        ];
        let bar = Bar {
            p99_at_most_ns: Some(1e6),
            ..Bar::faster(12.0)
        };
        for (name, condition) in conditions {
            let questions = self.questions.nearest(self.count, 10, condition);
            self.add(format!("nearest 10, {name}"), Asked::Ids, questions, bar);
        }
    }

    fn sequences(&mut self) {
        for ((width, side_m), faster) in WIDTHS_M.into_iter().zip([2.8, 10.0, 50.0]) {
            let questions = self.boxes_of(side_m);
            let title = format!("sequences touching a box of {width}");
            self.add(title, Asked::Sequences, questions, Bar::faster(faster));
        }
    }

    fn polygons(&mut self) {
        for (vertices, faster) in [(20, 4.5), (100, 15.0), (300, 30.0)] {
            let questions = self.questions.polygons(self.count, vertices);
            let title = format!("polygon of {vertices} vertices with a hole, 2 km");
            self.add(title, Asked::Ids, questions, Bar::faster(faster));
        }
    }

    /// The bar of this row stands beside `DuckDB`; peers in Rust have none.
    fn years(&mut self) {
        let questions = self.boxes_of(20_000.0);
        let title = "box 20 km, counts by year".to_owned();
        self.add(title, Asked::Years, questions, Bar::faster(1.0));
    }
}
