//! Measures how long it takes to join targets with the images that look at them, and to measure how
//! much of roads is covered, on all threads:
//!
//! ```sh
//! tilesight-generate tiles --images 1000000 --gzip -o city.mbtiles
//! tilesight build city.mbtiles -o city.tsight
//! cargo run --release -p tilesight --example sight -- city.tsight
//! ```
//!
//! Doors lie 10 m beside images, houses are squares of 10 m around doors, and roads are the lines
//! of sequences, cut where there would be fewer than 100,000 of them.

#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

use std::error::Error;
use std::time::Instant;

use tilesight::roads::RoadQuery;
use tilesight::shapes::{Feature, Geometry, Position, Shape};
use tilesight::sight::{Occluders, SightQuery};
use tilesight::{Dataset, ImageQuery, LonLat, SequenceQuery};

const DOORS: usize = 100_000;
const HOUSES: usize = 100_000;
const ROADS: usize = 100_000;

/// Metres in a degree of latitude.
const DEGREE_M: f64 = 111_195.08;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args()
        .nth(1)
        .ok_or("name a dataset: city.tsight")?;
    let data = Dataset::open(path)?;
    println!("{} images", data.len());
    let everything = data.images(&ImageQuery::default())?;
    let places: Vec<LonLat> = everything
        .positions()
        .map(tilesight::GridPoint::to_lon_lat)
        .collect();
    let doors = doors(&places, DOORS)?;
    let houses = doors.iter().step_by(DOORS / HOUSES).map(house);
    let houses = houses.collect::<Result<Vec<Feature>, _>>()?;
    let roads = roads(&data)?;

    let nearest = SightQuery {
        per_target: Some(3),
        allow_partial: true,
        ..SightQuery::default()
    };
    measure("doors", &doors, || Ok(data.sees(&doors, &nearest)?.len()))?;
    measure("houses", &houses, || {
        Ok(data.sees(&houses, &nearest)?.len())
    })?;
    let begun = Instant::now();
    let occluders = Occluders::new(houses.clone())?;
    println!(
        "{} footprints indexed in {:.2} s",
        occluders.len(),
        begun.elapsed().as_secs_f64()
    );
    let visible = SightQuery {
        occluders: Some(&occluders),
        ..nearest
    };
    measure("doors, with footprints", &doors, || {
        Ok(data.sees(&doors, &visible)?.len())
    })?;
    measure("houses, with footprints", &houses, || {
        Ok(data.sees(&houses, &visible)?.len())
    })?;
    let query = RoadQuery {
        heading_aware: true,
        allow_partial: true,
        ..RoadQuery::default()
    };
    let mut total = None;
    measure("roads", &roads, || {
        let found = data.road_coverage(&roads, &query)?;
        total = Some(found.total());
        Ok(found.len())
    })?;
    if let Some(total) = total {
        let covered = total.covered.by_any_m;
        println!(
            "{:.0} of {:.0} km of road covered",
            covered / 1e3,
            total.length_m / 1e3
        );
    }
    Ok(())
}

fn measure(
    name: &str,
    shapes: &[Feature],
    ask: impl FnOnce() -> Result<usize, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let rows = ask()?;
    let seconds = begun.elapsed().as_secs_f64();
    println!("{} {name}: {rows} rows in {seconds:.2} s", shapes.len());
    Ok(())
}

/// Doors 10 m to the north and to the south of images in turn.
fn doors(places: &[LonLat], count: usize) -> Result<Vec<Feature>, tilesight_tile::Error> {
    let beside = |number: usize| {
        let place = places[number * places.len() / count];
        let north_m = if number.is_multiple_of(2) {
            10.0
        } else {
            -10.0
        };
        Ok(Feature::at(
            number.to_string(),
            LonLat::new(place.lon(), place.lat() + north_m / DEGREE_M)?,
        ))
    };
    (0..count).map(beside).collect()
}

/// A square of 10 m around a door.
fn house(door: &Feature) -> Result<Feature, Box<dyn Error>> {
    let [lon, lat, ..] = door.shape.bounds();
    let (tall, wide) = (5.0 / DEGREE_M, 5.0 / DEGREE_M / lat.to_radians().cos());
    let corners = [
        [-wide, -tall],
        [wide, -tall],
        [wide, tall],
        [-wide, tall],
        [-wide, -tall],
    ];
    let ring = corners.map(|[east, north]| [lon + east, lat + north]);
    Ok(Feature {
        id: door.id.clone(),
        shape: Shape::new(Geometry::Polygons(vec![vec![ring.to_vec()]]))?,
    })
}

/// The lines of sequences, in so many parts that there are [`ROADS`].
fn roads(data: &Dataset) -> Result<Vec<Feature>, Box<dyn Error>> {
    let query = SequenceQuery {
        allow_partial: true,
        ..SequenceQuery::default()
    };
    let found = data.sequences(&query)?;
    let lines = found.tracks().flat_map(|track| {
        let parts = track.line();
        let parts = parts.map(|part| part.map(|at| [at.lon(), at.lat()]).collect());
        parts.collect::<Vec<Vec<Position>>>()
    });
    let lines: Vec<Vec<Position>> = lines.collect();
    let edges: usize = lines.iter().map(|line| line.len() - 1).sum();
    let edges_a_road = (edges / ROADS).max(1);
    let mut roads = Vec::new();
    for line in &lines {
        for start in (0..line.len() - 1).step_by(edges_a_road) {
            let end = (start + edges_a_road).min(line.len() - 1);
            let geometry = Geometry::Lines(vec![line[start..=end].to_vec()]);
            roads.push(Feature {
                id: roads.len().to_string(),
                shape: Shape::new(geometry)?,
            });
        }
    }
    Ok(roads)
}
