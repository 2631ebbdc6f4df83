//! Building and every kind of question on a million images: ours against the rivals.

use std::fmt::Debug;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tilesight_benches::query::{
    Condition, Engine, Feature, Image, KdTree, MadeWorld, PackedTree, PointIndex, Question,
    Questions, RStar, Rival, Segments, Tilesight, build_dataset,
};
use tilesight_tile::Bbox;

/// Images of the world.
const IMAGES: u64 = 1_000_000;

/// Questions of a row that is answered in microseconds, in a fraction of a millisecond, and in
/// more: each round of a measurement asks all of them.
const MANY: usize = 512;
const SOME: usize = 64;
const FEW: usize = 8;

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800));
    targets = query
}
criterion_main!(benches);

fn query(criterion: &mut Criterion) {
    let world = MadeWorld::new(IMAGES);
    let mut table = Table { criterion, rows: 0 };
    table.build(&world);
    let engines: [Box<dyn Engine>; 4] = [
        Box::new(Tilesight::new(&world)),
        Box::new(Rival::<PackedTree<Image>, PackedTree<Feature>>::new(
            "geo-index R-tree",
            &world,
            None,
        )),
        Box::new(Rival::<KdTree<Image>, KdTree<Feature>>::new(
            "geo-index k-d tree",
            &world,
            None,
        )),
        Box::new(Rival::<RStar<Image>, RStar<Feature>>::new(
            "rstar",
            &world,
            Some(Box::new(Segments::of(&world))),
        )),
    ];
    let questions = Questions::new(&world);
    boxes(&mut table, &engines, &questions);
    conditions(&mut table, &engines, &world, &questions);
    polygons(&mut table, &engines, &questions);
    targets(&mut table, &engines, &world, &questions);
    others(&mut table, &engines, &questions);
}

/// Widths of boxes, and how many of each to ask for.
const WIDTHS: [(&str, f64, usize); 3] = [
    ("200 m", 200.0, MANY),
    ("2 km", 2_000.0, SOME),
    ("20 km", 20_000.0, FEW),
];

fn boxes(table: &mut Table<'_>, engines: &[Box<dyn Engine>], questions: &Questions<'_>) {
    for (width, side_m, count) in WIDTHS {
        let asked = questions.boxes(count, side_m, Condition::Any);
        table.row(
            &format!("box {width}, ids"),
            engines,
            &asked,
            images,
            sorted,
        );
    }
    for (width, side_m, count) in WIDTHS {
        let asked = questions.boxes(count, side_m, Condition::Any);
        let count = |engine: &dyn Engine, question: &Question| engine.image_count(question);
        table.row(&format!("box {width}, count"), engines, &asked, count, same);
    }
}

fn conditions(
    table: &mut Table<'_>,
    engines: &[Box<dyn Engine>],
    world: &MadeWorld,
    questions: &Questions<'_>,
) {
    let organizations = world.organizations();
    let conditions = [
        ("since 2023", Condition::SINCE_2023),
        ("panoramas", Condition::Pano),
        (
            "an organization",
            Condition::Organization(organizations[0].0),
        ),
        ("a heading", Condition::Heading(80.0, 100.0)),
    ];
    for (name, condition) in conditions {
        let asked = questions.boxes(SOME, 2_000.0, condition);
        table.row(
            &format!("box 2 km, {name}"),
            engines,
            &asked,
            images,
            sorted,
        );
    }
}

fn polygons(table: &mut Table<'_>, engines: &[Box<dyn Engine>], questions: &Questions<'_>) {
    for vertices in [20, 100, 300] {
        let title = format!("polygon 2 km, {vertices} vertices");
        let asked = questions.polygons(SOME, vertices);
        table.row(&title, engines, &asked, images, sorted);
    }
}

fn targets(
    table: &mut Table<'_>,
    engines: &[Box<dyn Engine>],
    world: &MadeWorld,
    questions: &Questions<'_>,
) {
    for (radius, radius_m, count) in [
        ("20 m", 20.0, MANY),
        ("200 m", 200.0, MANY),
        ("2 km", 2_000.0, SOME),
    ] {
        let asked = questions.circles(count, radius_m);
        table.row(&format!("radius {radius}"), engines, &asked, images, same);
    }
    let asked = questions.looking_at(MANY);
    table.row("looking at, 50 m", engines, &asked, images, same);
    for k in [1, 10, 100] {
        let asked = questions.nearest(MANY, k, Condition::Any);
        table.row(&format!("nearest {k}"), engines, &asked, images, same);
    }
    let rarest = world.organizations().last().map_or(0, |&(id, _)| id);
    let conditions = [
        ("since 2023", Condition::SINCE_2023),
        ("panoramas", Condition::Pano),
        ("a rare organization", Condition::Organization(rarest)),
    ];
    for (name, condition) in conditions {
        let asked = questions.nearest(SOME, 10, condition);
        table.row(
            &format!("nearest 10, {name}"),
            engines,
            &asked,
            images,
            same,
        );
    }
}

fn others(table: &mut Table<'_>, engines: &[Box<dyn Engine>], questions: &Questions<'_>) {
    for (width, side_m, count) in WIDTHS {
        let asked = questions.boxes(count, side_m, Condition::Any);
        let asked: Vec<Bbox> = asked.iter().filter_map(bbox_of).collect();
        let title = format!("sequences in a box of {width}");
        let sequences = |engine: &dyn Engine, bbox: &Bbox| {
            let ids = engine.sequences(bbox)?;
            // Owned, for the answer outlives the question here; a few bytes among microseconds.
            Some(ids.into_iter().map(str::to_owned).collect::<Vec<_>>())
        };
        table.row(&title, engines, &asked, sequences, same);
    }
    let asked = questions.features(SOME, "object--bench");
    let features = |engine: &dyn Engine, question: &Question| engine.features(question);
    table.row(
        "benches in a polygon of 2 km",
        engines,
        &asked,
        features,
        sorted,
    );
    let asked = questions.boxes(FEW, 20_000.0, Condition::Any);
    let years = |engine: &dyn Engine, question: &Question| engine.images_by_year(question);
    table.row("box 20 km, counts by year", engines, &asked, years, same);
    let asked = [questions.boxes(1_000, 200.0, Condition::Any)];
    let each = |engine: &dyn Engine, questions: &Vec<Question>| engine.images_each(questions);
    let all_sorted = |answers: Vec<Vec<i64>>| answers.into_iter().map(sorted).collect();
    table.row(
        "1,000 boxes of 200 m at once",
        engines,
        &asked,
        each,
        all_sorted,
    );
}

fn images(engine: &dyn Engine, question: &Question) -> Option<Vec<i64>> {
    engine.images(question)
}

fn sorted(mut ids: Vec<i64>) -> Vec<i64> {
    ids.sort_unstable();
    ids
}

fn same<T>(answer: T) -> T {
    answer
}

fn bbox_of(question: &Question) -> Option<Bbox> {
    match question.query.place {
        tilesight_query::Place::Bbox(bbox) => Some(bbox),
        _ => None,
    }
}

/// Measures the rows of the table, numbered in their order.
struct Table<'a> {
    criterion: &'a mut Criterion,
    rows: usize,
}

impl Table<'_> {
    fn next_title(&mut self, title: &str) -> String {
        self.rows += 1;
        format!("query/{:02} {title}", self.rows)
    }

    /// Times building from rows that are ready to be indexed.
    fn build(&mut self, world: &MadeWorld) {
        let title = self.next_title("build");
        let mut group = self.criterion.benchmark_group(title);
        let images = world.plain_images();
        group.bench_function("tilesight", |bencher| {
            bencher.iter_batched(
                || world.image_parts(),
                build_dataset,
                BatchSize::PerIteration,
            );
        });
        let rows = || images.clone();
        group.bench_function("geo-index R-tree", |bencher| {
            bencher.iter_batched(rows, PackedTree::build, BatchSize::PerIteration);
        });
        group.bench_function("geo-index k-d tree", |bencher| {
            bencher.iter_batched(rows, KdTree::build, BatchSize::PerIteration);
        });
        group.bench_function("rstar", |bencher| {
            bencher.iter_batched(rows, RStar::build, BatchSize::PerIteration);
        });
    }

    /// Times one kind of question, once all engines that can have given the same answers.
    fn row<Q, A: PartialEq + Debug>(
        &mut self,
        title: &str,
        engines: &[Box<dyn Engine>],
        questions: &[Q],
        ask: impl Fn(&dyn Engine, &Q) -> Option<A>,
        canonical: impl Fn(A) -> A,
    ) {
        let able: Vec<&dyn Engine> = engines
            .iter()
            .map(|engine| &**engine)
            .filter(|engine| ask(*engine, &questions[0]).is_some())
            .collect();
        assert_eq!(able[0].name(), "tilesight", "{title}");
        for question in questions {
            let expected = ask(able[0], question).map(&canonical);
            for rival in &able[1..] {
                let found = ask(*rival, question).map(&canonical);
                assert!(found == expected, "{} differs: {title}", rival.name());
            }
        }
        let title = self.next_title(title);
        let mut group = self.criterion.benchmark_group(title);
        group.throughput(Throughput::Elements(questions.len() as u64));
        for engine in able {
            group.bench_function(engine.name(), |bencher| {
                bencher.iter(|| {
                    for question in questions {
                        black_box(ask(engine, black_box(question)));
                    }
                });
            });
        }
    }
}
