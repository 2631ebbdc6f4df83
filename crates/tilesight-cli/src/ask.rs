//! Asking a source, and writing what it answers.

use std::time::Instant;

use tilesight::formats::{Export, Format, Options, Written};
use tilesight::{Dataset, GroupBy, ImageQuery, NotHeld, Place};

use crate::args::Source;
use crate::failure::Failure;
use crate::output::{self, Voice};
use crate::plan::{Answer, Plan, Question, Target};

/// Opens the source of a plan, asks its question and writes the answer.
pub(crate) fn answer(plan: &Plan, voice: Voice) -> Result<(), Failure> {
    output::check(&plan.target)?;
    let data = open(&plan.source, voice)?;
    let begun = Instant::now();
    match &plan.question {
        Question::Images(query) => answer_images(&data, query, plan, voice)?,
        Question::Sequences(query) => {
            let found = data.sequences(query)?;
            voice_missing(found.missing(), voice);
            if let Answer::Shape { shape, as_lines } = plan.answer {
                let written = output::write(&plan.target, |out| {
                    Ok(shape.write_of(&data, &found, as_lines, out)?)
                })?;
                voice_written(written, plan, voice);
            } else {
                write(&found, found.len(), (&data, &query.place), plan, voice)?;
            }
        }
        Question::Features(query) => {
            let found = data.features(query)?;
            voice_missing(found.missing(), voice);
            write(&found, found.len(), (&data, &query.place), plan, voice)?;
        }
    }
    voice.tell(format_args!("answered in {:.1?}", begun.elapsed()));
    Ok(())
}

/// Opens a source, saying how far it is and what is wrong with it.
pub(crate) fn open(source: &Source, voice: Voice) -> Result<Dataset, Failure> {
    let Source { path, io } = source;
    let begun = Instant::now();
    let bar = voice.reading_bar();
    let data = Dataset::open_with(path, (*io).into(), &|progress| bar.update(progress));
    bar.finish();
    let data = data?;
    voice.tell(format_args!(
        "read {} in {:.1?}",
        path.display(),
        begun.elapsed()
    ));
    voice_damage(&data, voice);
    Ok(data)
}

fn answer_images(
    data: &Dataset,
    query: &ImageQuery,
    plan: &Plan,
    voice: Voice,
) -> Result<(), Failure> {
    // Counting need not list, but only a list knows what is missing of it.
    if plan.answer == Answer::Count && !query.allow_partial {
        return write_count(data.count_images(query)?, &plan.target);
    }
    let found = data.images(query)?;
    voice_missing(found.missing(), voice);
    match plan.answer {
        Answer::Groups { by, as_csv } => write_groups(data, query, by, as_csv, &plan.target),
        _ => write(&found, found.len(), (data, &query.place), plan, voice),
    }
}

/// Writes the rows of an answer to a question about a place, or their number.
fn write(
    found: &impl Export,
    len: usize,
    (data, place): (&Dataset, &Place),
    plan: &Plan,
    voice: Voice,
) -> Result<(), Failure> {
    let Answer::Rows(format) = plan.answer else {
        return write_count(len as u64, &plan.target);
    };
    let options = Options {
        fields: plan.columns.fields.as_deref(),
        wkt: plan.columns.wkt,
        data: Some(data),
        ..Options::new(format, place)
    };
    let written = output::write(&plan.target, |out| Ok(found.write_with(&options, out)?))?;
    if !matches!(format, Format::Ids | Format::Table { .. }) {
        voice_written(written, plan, voice);
    }
    voice_inexact(written, voice);
    Ok(())
}

fn voice_written(written: Written, plan: &Plan, voice: Voice) {
    if let Target::File { path, .. } = &plan.target {
        voice.tell(format_args!("{} rows in {}", written.rows, path.display()));
    }
}

/// Warns of ids that may be wrong.
pub(crate) fn voice_inexact(written: Written, voice: Voice) {
    if written.inexact_ids > 0 {
        voice.warn(format_args!(
            "{} of the ids were rounded before they came into the tiles and may be wrong",
            written.inexact_ids
        ));
    }
}

fn write_count(count: u64, target: &Target) -> Result<(), Failure> {
    output::write(target, |out| Ok(writeln!(out, "{count}")?))
}

fn write_groups(
    data: &Dataset,
    query: &ImageQuery,
    by: GroupBy,
    as_csv: bool,
    target: &Target,
) -> Result<(), Failure> {
    let groups = data.count_images_by(query, by)?;
    let name = |unknown: &str| {
        groups
            .iter()
            .map(|group| group.key.map_or(unknown.to_owned(), |key| key.to_string()))
            .collect::<Vec<_>>()
    };
    output::write(target, |out| {
        if as_csv {
            writeln!(out, "{},images", column_name(by))?;
            for (name, group) in name("").iter().zip(&groups) {
                writeln!(out, "{name},{}", group.images)?;
            }
            return Ok(());
        }
        let names = name("unknown");
        let width = names.iter().map(String::len).max().unwrap_or(0);
        for (name, group) in names.iter().zip(&groups) {
            writeln!(out, "{name:<width$}  {:>10}", group.images)?;
        }
        Ok(())
    })
}

const fn column_name(by: GroupBy) -> &'static str {
    match by {
        GroupBy::Day => "day",
        GroupBy::Month => "month",
        GroupBy::Year => "year",
        GroupBy::Organization => "organization_id",
        GroupBy::Creator => "creator_id",
        GroupBy::Kind => "kind",
    }
}

/// Warns of a partial answer.
pub(crate) fn voice_missing(missing: Option<&NotHeld>, voice: Voice) {
    if let Some(missing) = missing {
        voice.warn(format_args!("the answer is partial: {missing}"));
    }
}

/// Warns of tiles and rows that could not be read.
fn voice_damage(data: &Dataset, voice: Voice) {
    for held in data.tilesets() {
        if let [first, rest @ ..] = &held.failed[..] {
            voice.warn(format_args!(
                "{} tiles of {} could not be read and count as not held; the first is {}: {}",
                rest.len() + 1,
                held.tileset.option_name(),
                first.tile,
                first.reason
            ));
        }
    }
    let source = data.source();
    if let Some(first) = source.left_out_first {
        voice.warn(format_args!(
            "{} rows break the tile specification or have no id, and were left out; the first is \
             in tile {first}",
            source.left_out
        ));
    }
}
