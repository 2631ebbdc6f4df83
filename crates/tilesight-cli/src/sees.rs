//! Finding the images that look at the targets of a file.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use tilesight::Place;
use tilesight::formats::{Export, Format, Options, Rows};
use tilesight::shapes::Feature;
use tilesight::sight::{Occluders, SightOrder, SightQuery};

use crate::args;
use crate::ask;
use crate::failure::Failure;
use crate::output::{self, Voice};
use crate::plan::{self, Answer};

/// What looks at which target.
#[derive(Debug, Args)]
#[command(next_help_heading = "Targets")]
pub(crate) struct Sees {
    /// Images that look at the points, lines or polygons of a GeoJSON or GeoParquet file: a row for
    /// each target and image, target by target
    ///
    /// An image looks at a polygon when any part of it within --radius is in its field of view; the
    /// nearest such point is what the distance, the bearing and the offset belong to.
    #[arg(long = "sees", id = "sees", value_name = "FILE", group = "place")]
    pub(crate) targets: Option<PathBuf>,

    /// The property or column that names the targets, instead of their ids or numbers from 0
    #[arg(long, value_name = "NAME", requires = "sees")]
    pub(crate) target_id: Option<String>,

    /// At most this many images a target
    #[arg(long, value_name = "K", requires = "sees")]
    pub(crate) per_target: Option<usize>,

    /// Which images of a target come first: the nearest, or those that have it most in the middle
    #[arg(
        long,
        value_name = "ORDER",
        default_value = "nearest",
        requires = "sees"
    )]
    pub(crate) target_order: TargetOrder,

    /// Leave out images of which a footprint in a GeoJSON or GeoParquet file hides the point seen
    ///
    /// A footprint hides what is more than half a metre behind its wall, unless it holds the image,
    /// or is the target or holds it.
    #[arg(long, value_name = "FILE", requires = "sees")]
    pub(crate) occluders: Option<PathBuf>,
}

/// Which images of a target come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TargetOrder {
    /// By distance
    Nearest,
    /// By how far the target lies from the middle of the picture
    Central,
}

/// Answers `images --sees`, of which the file of targets is given apart.
pub(crate) fn answer(
    targets: &Path,
    typed: args::Images,
    on_terminal: bool,
    voice: Voice,
) -> Result<(), Failure> {
    check_companions(&typed)?;
    let args::Images {
        source,
        place,
        sees,
        filter,
        output,
        ..
    } = typed;
    let answer = plan::answer(&output, on_terminal)?;
    plan::check_columns(&output.columns, answer, Rows::Sightings, &Place::Everywhere)?;
    let target = plan::target(&output);
    output::check(&target)?;
    let targets = Feature::read(targets, sees.target_id.as_deref());
    let targets = targets.map_err(tilesight::Error::from)?;
    let occluders = occluders(&sees)?;
    let data = ask::open(&source, voice)?;
    let query = SightQuery {
        radius_m: place.radius.unwrap_or(Place::DEFAULT_RADIUS_M),
        fov_deg: place.fov.unwrap_or(Place::DEFAULT_FOV_DEG),
        filter: plan::filter(filter),
        order: match sees.target_order {
            TargetOrder::Nearest => SightOrder::Nearest,
            TargetOrder::Central => SightOrder::Central,
        },
        per_target: sees.per_target,
        limit: output.limit,
        occluders: occluders.as_ref(),
        allow_partial: output.partial,
    };
    let found = data.sees(&targets, &query)?;
    ask::voice_missing(found.missing(), voice);
    let Answer::Rows(format) = answer else {
        return output::write(&target, |out| Ok(writeln!(out, "{}", found.len())?));
    };
    let options = Options {
        fields: output.columns.fields.as_deref(),
        wkt: output.columns.wkt,
        data: Some(&data),
        ..Options::new(format, &Place::Everywhere)
    };
    let written = output::write(&target, |out| Ok(found.write_with(&options, out)?))?;
    if !matches!(format, Format::Ids | Format::Table { .. }) {
        voice.tell(format_args!(
            "{} rows of {} targets",
            written.rows,
            targets.len()
        ));
    }
    ask::voice_inexact(written, voice);
    Ok(())
}

/// Refuses options that would silently have no effect.
fn check_companions(typed: &args::Images) -> Result<(), Failure> {
    let problem = if typed.count_by.is_some() {
        "--count-by counts images, not pairs of a target and an image: leave out --sees"
    } else if typed.place.nearest.is_some() {
        "--nearest belongs to --near; for each target of --sees it is --per-target 10"
    } else {
        return Ok(());
    };
    Err(Failure::usage(problem))
}

fn occluders(sees: &Sees) -> Result<Option<Occluders>, Failure> {
    let Some(path) = &sees.occluders else {
        return Ok(None);
    };
    let read = || Occluders::new(Feature::read(path, None)?).map_err(|error| error.in_file(path));
    Ok(Some(read().map_err(tilesight::Error::from)?))
}
