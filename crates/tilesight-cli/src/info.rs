//! What a source holds, as text or JSON.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;
use tilesight::formats::{ATTRIBUTION, LICENSE};
use tilesight::{Dataset, Info, TileCount, TilesetInfo, rfc3339};

use crate::args;
use crate::ask;
use crate::failure::Failure;
use crate::output::{self, Voice};
use crate::plan::{self, Target};

/// Prints what a source holds.
pub(crate) fn show(typed: &args::Info, voice: Voice) -> Result<(), Failure> {
    if let Some(zoom) = typed.heatmap {
        return show_heatmap(zoom, typed, voice);
    }
    let path = &typed.source.path;
    let data = ask::open(&typed.source, voice)?;
    let text = if typed.json {
        format!("{:#}\n", as_json(path, &data)?)
    } else {
        as_text(path, &data, &data.info()?)
    };
    output::write(&Target::Stdout, |out| Ok(out.write_all(text.as_bytes())?))
}

/// Prints how many images lie in each tile of a zoom.
fn show_heatmap(zoom: u8, typed: &args::Info, voice: Voice) -> Result<(), Failure> {
    let query = plan::heatmap(typed)?;
    let tiles = ask::open(&typed.source, voice)?.density(zoom, &query)?;
    output::write(&Target::Stdout, |out| {
        writeln!(out, "z,x,y,images,west,south,east,north")?;
        for TileCount { tile, images } in tiles {
            let (z, x, y) = (tile.z(), tile.x(), tile.y());
            let [west, south, east, north] = tile.edges_deg();
            writeln!(
                out,
                "{z},{x},{y},{images},{west:.7},{south:.7},{east:.7},{north:.7}"
            )?;
        }
        Ok(())
    })
}

fn as_json(path: &Path, data: &Dataset) -> Result<Value, Failure> {
    let mut info = data.info_json()?;
    info["source"] = path.display().to_string().into();
    Ok(info)
}

fn as_text(path: &Path, data: &Dataset, info: &Info) -> String {
    let source = data.source();
    let mut lines = Lines::default();
    lines.add("source", path.display());
    if let Some(name) = &source.name {
        lines.add("name", name.escape_debug());
    }
    if !source.tilesets.is_empty() {
        lines.add("read", source.tilesets.join(", "));
    }
    if !source.ignored.is_empty() {
        let ignored = source.ignored.join(", ");
        lines.add(
            "not read",
            format_args!("{ignored}, which has the same images; open it itself"),
        );
    }
    lines.add(
        "size",
        format_args!("{} bytes of tiles", grouped(source.bytes)),
    );
    if !source.imported.is_empty() {
        let imported = grouped(source.imported.len() as u64);
        lines.add("imported", format_args!("{imported} sequences"));
    }
    add_rows(&mut lines, info);
    for held in &info.tilesets {
        let TilesetInfo {
            tileset,
            tiles,
            area_m2,
            failed,
            ..
        } = held;
        let area = format_args!("{} tiles, {:.1} km²", grouped(*tiles), area_m2 / 1e6).to_string();
        let failed = if failed.is_empty() {
            String::new()
        } else {
            format!(", {} failed", failed.len())
        };
        lines.add(
            &format!("held of {}", tileset.option_name()),
            area + &failed,
        );
    }
    if let Some(attribution) = &source.attribution {
        lines.add("attribution", attribution.escape_debug());
    }
    lines.add("licence", format_args!("{LICENSE}, {ATTRIBUTION}"));
    lines.text
}

fn add_rows(lines: &mut Lines, info: &Info) {
    lines.add(
        "images",
        format_args!(
            "{}: {} flat, {} panoramas, {} of unknown kind",
            grouped(info.images),
            grouped(info.flat_images),
            grouped(info.panoramas),
            grouped(info.images - info.flat_images - info.panoramas),
        ),
    );
    if let (Some(first), Some(last)) = (info.first_captured_at_ms, info.last_captured_at_ms) {
        lines.add(
            "captured",
            format_args!("{} to {}", rfc3339(first), rfc3339(last)),
        );
    }
    if info.undated_images > 0 {
        lines.add(
            "undated",
            format_args!("{} images", grouped(info.undated_images)),
        );
    }
    if info.inexact_ids > 0 {
        lines.add(
            "rounded ids",
            format_args!("{} images", grouped(info.inexact_ids)),
        );
    }
    let km = info.length_m / 1_000.0;
    lines.add(
        "sequences",
        format_args!("{}, {km:.1} km", grouped(info.sequences)),
    );
    lines.add("organizations", grouped(info.organizations));
    lines.add("creators", grouped(info.creators));
    lines.add("objects", grouped(info.points));
    lines.add("traffic signs", grouped(info.traffic_signs));
    if info.overview_points > 0 {
        lines.add(
            "overview",
            format_args!("{} points", grouped(info.overview_points)),
        );
    }
    if let Some([west, south, east, north]) = info.bounds {
        lines.add(
            "bounds",
            format_args!("{west:.6},{south:.6},{east:.6},{north:.6}"),
        );
    }
}

/// Lines of a name and a value, aligned.
#[derive(Default)]
struct Lines {
    text: String,
}

impl Lines {
    fn add(&mut self, name: &str, value: impl std::fmt::Display) {
        // Writing to memory does not fail.
        let _ = writeln!(self.text, "{name:<14} {value}");
    }
}

/// A number with its digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_in_groups() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(12_345_678), "12,345,678");
    }
}
