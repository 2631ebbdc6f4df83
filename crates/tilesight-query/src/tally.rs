//! Running counts of images by kind and by year, so that a range of rows is counted without being
//! read.

use std::io::{self, Seek, Write};
use std::ops::Range;

use rayon::prelude::*;

use crate::date::{FIRST_YEAR, LAST_YEAR, YEARS, year_index};
use crate::error::Error;
use crate::images::ImageColumns;
use crate::index::{FANOUT, LEAF_ROWS};
use crate::query::Kind;
use crate::scratch::{Scratch, Spool};
use crate::storage::{
    Columns, Damage, FileReader, FileWriter, Limits, Sound, Table, Touch, columns,
};

/// Rows between two running counts: as many as lie below a node of level 1.
const BLOCK_ROWS: usize = FANOUT * LEAF_ROWS;

/// Most years that are counted. Pictures are taken in fewer; cameras whose clocks are wrong may
/// name any, and the counts would then outgrow the rows.
const MAX_YEARS: usize = 64;

/// The counts that come before those of years: flat images, panoramas, unknown dates.
const FLAT: usize = 0;
const PANO: usize = 1;
const UNDATED: usize = 2;
const FIRST_OF_YEARS: usize = 3;

columns! {
    /// The years of capture that are counted, ascending: all that occur, or none where these are
    /// more than [`MAX_YEARS`].
    struct TallyYears = "tally year", MAX_YEARS;
    year: u16,
}

impl Sound for TallyYears {
    fn is_sound(&self, rows: Range<usize>, _: &Limits) -> bool {
        let is_year = |&year: &u16| (FIRST_YEAR..=LAST_YEAR).contains(&i64::from(year));
        let years = &self.year[rows];
        years.iter().all(is_year) && years.is_sorted_by(|a, b| a < b)
    }
}

columns! {
    /// For each block of [`BLOCK_ROWS`] rows how many images come before it, and last how many
    /// there are: flat images, panoramas, images of unknown date, images of each year.
    struct TallyCounts = "tally", 4096;
    images: u32,
}

impl Sound for TallyCounts {
    fn is_sound(&self, rows: Range<usize>, limits: &Limits) -> bool {
        let is_count = |&count: &u32| count as usize <= limits.images;
        self.images[rows].iter().all(is_count)
    }
}

/// Running counts over the images of a dataset.
#[derive(Debug, Clone)]
pub(crate) struct Tallies {
    /// How many images there are.
    rows: usize,
    years: Table<TallyYears>,
    counts: Table<TallyCounts>,
}

impl Tallies {
    /// Counts images in their last order.
    ///
    /// # Errors
    ///
    /// [`Error::Scratch`] when a temporary file cannot be written.
    pub(crate) fn over(columns: &ImageColumns, scratch: &Scratch) -> Result<Self, Error> {
        let years = years_of(columns);
        let counts = TallyCounts {
            images: running_counts(columns, &years, scratch)?.finish()?,
        };
        Ok(Self {
            rows: columns.len(),
            years: TallyYears { year: years.into() }.into(),
            counts: counts.into(),
        })
    }

    /// The counts over `rows` images that a file holds.
    ///
    /// # Errors
    ///
    /// [`Damage::Table`] when they are not there, or not as many as they should be.
    pub(crate) fn open(file: &FileReader, rows: usize) -> Result<Self, Damage> {
        let tallies = Self {
            rows,
            years: file.table(0)?,
            counts: file.table(0)?,
        };
        let expected = || (tallies.blocks() + 1) * tallies.width();
        if tallies.years.len() > MAX_YEARS || tallies.counts.len() != expected() {
            return Err(Damage::Table {
                table: TallyCounts::NAME.to_owned(),
                problem: "has another number of counts than its rows need",
            });
        }
        Ok(tallies)
    }

    pub(crate) fn write<W: Write + Seek>(&self, file: &mut FileWriter<W>) -> io::Result<()> {
        file.table(0, self.years.columns())?;
        file.table(0, self.counts.columns())
    }

    /// The blocks of a file that are not what was written.
    pub(crate) fn damaged(&self) -> impl Iterator<Item = Damage> {
        self.years
            .damaged()
            .into_iter()
            .chain(self.counts.damaged())
    }

    /// How many blocks of rows there are.
    pub(crate) fn blocks(&self) -> usize {
        self.rows.div_ceil(BLOCK_ROWS)
    }

    /// The blocks that lie wholly within some rows; an empty range where none does.
    pub(crate) fn blocks_within(&self, rows: &Range<usize>) -> Range<usize> {
        let first = rows.start.div_ceil(BLOCK_ROWS);
        let beyond = if rows.end == self.rows {
            self.blocks()
        } else {
            rows.end / BLOCK_ROWS
        };
        first..beyond.max(first)
    }

    /// The rows of some blocks.
    pub(crate) fn rows_of(&self, blocks: &Range<usize>) -> Range<usize> {
        let row = |block: usize| (block * BLOCK_ROWS).min(self.rows);
        row(blocks.start)..row(blocks.end)
    }

    /// How many images of some blocks are flat, and how many panoramas.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] when the counts are not what was written; so with the next two.
    pub(crate) fn kinds(&self, blocks: &Range<usize>) -> Result<(u64, u64), Error> {
        let counts = self.between(blocks)?;
        Ok((counts.of(FLAT), counts.of(PANO)))
    }

    /// How many images of some blocks have no known date.
    pub(crate) fn undated(&self, blocks: &Range<usize>) -> Result<u64, Error> {
        Ok(self.between(blocks)?.of(UNDATED))
    }

    /// How many images of some blocks are of each year, given as the number of years after 1970;
    /// nothing where years are not counted.
    pub(crate) fn years(
        &self,
        blocks: &Range<usize>,
    ) -> Result<Option<impl Iterator<Item = (usize, u64)> + '_>, Error> {
        if self.years.len() == 0 {
            return Ok(None);
        }
        let years = &self.years.touch_all()?.year;
        let counts = self.between(blocks)?;
        let counted = move |(i, &year): (usize, &u16)| {
            let index = usize::from(year) - FIRST_YEAR as usize;
            (index, counts.of(FIRST_OF_YEARS + i))
        };
        Ok(Some(years.iter().enumerate().map(counted)))
    }

    fn between(&self, blocks: &Range<usize>) -> Result<Between<'_>, Error> {
        Ok(Between {
            before: self.before(blocks.start)?,
            through: self.before(blocks.end)?,
        })
    }

    /// What was counted before a block.
    fn before(&self, block: usize) -> Result<&[u32], Error> {
        let counts = block * self.width()..(block + 1) * self.width();
        self.counts.touch(counts.clone())?;
        Ok(&self.counts.columns().images[counts])
    }

    /// Counts for each block.
    fn width(&self) -> usize {
        FIRST_OF_YEARS + self.years.len()
    }
}

/// What was counted before some blocks, and with them.
#[derive(Clone, Copy)]
struct Between<'a> {
    before: &'a [u32],
    through: &'a [u32],
}

impl Between<'_> {
    fn of(&self, count: usize) -> u64 {
        // A file may have been made to say that counts fall.
        u64::from(self.through[count].saturating_sub(self.before[count]))
    }
}

/// The rows of each block.
fn blocks(columns: &ImageColumns) -> impl IndexedParallelIterator<Item = Range<usize>> + '_ {
    let blocks = 0..columns.len().div_ceil(BLOCK_ROWS);
    blocks.into_par_iter().map(|block| {
        let first = block * BLOCK_ROWS;
        first..(first + BLOCK_ROWS).min(columns.len())
    })
}

/// The years to count: all that occur, or none where these are too many.
fn years_of(columns: &ImageColumns) -> Vec<u16> {
    let none = || vec![false; YEARS];
    let occurs = blocks(columns)
        .fold(none, |mut occurs, rows| {
            let times = rows.filter_map(|row| columns.captured_at_ms(row));
            times.for_each(|ms| occurs[year_index(ms)] = true);
            occurs
        })
        .reduce(none, |a, b| a.iter().zip(&b).map(|(a, b)| a | b).collect());
    let years = (FIRST_YEAR as u16..).zip(occurs);
    let mut years: Vec<u16> = years
        .filter_map(|(year, occurs)| occurs.then_some(year))
        .collect();
    if years.len() > MAX_YEARS {
        years.clear();
    }
    years
}

fn running_counts(
    columns: &ImageColumns,
    years: &[u16],
    scratch: &Scratch,
) -> Result<Spool<u32>, Error> {
    /// Blocks that are counted at a time, on all threads.
    const AT_A_TIME: usize = 1 << 10;
    let width = FIRST_OF_YEARS + years.len();
    let places = places_of(years);
    let mut spool = Spool::new(scratch);
    let mut running = vec![0; width];
    let blocks = columns.len().div_ceil(BLOCK_ROWS);
    for first in (0..blocks).step_by(AT_A_TIME) {
        let counted: Vec<Vec<u32>> = self::blocks(columns)
            .skip(first)
            .take(AT_A_TIME)
            .map(|rows| counts_of(columns, rows, &places, width))
            .collect();
        for counts in counted {
            spool.extend(running.iter().copied())?;
            running
                .iter_mut()
                .zip(counts)
                .for_each(|(sum, n)| *sum += n);
        }
    }
    spool.extend(running)?;
    Ok(spool)
}

/// Where among the counts of a block each year after 1970 stands; nothing where years are not
/// counted.
fn places_of(years: &[u16]) -> Vec<usize> {
    let Some(&last) = years.last() else {
        return Vec::new();
    };
    let all = FIRST_YEAR as u16..=last;
    all.map(|year| FIRST_OF_YEARS + years.partition_point(|&other| other < year))
        .collect()
}

fn counts_of(
    columns: &ImageColumns,
    rows: Range<usize>,
    places: &[usize],
    width: usize,
) -> Vec<u32> {
    let mut counts = vec![0; width];
    for row in rows {
        match columns.kind(row) {
            Some(Kind::Flat) => counts[FLAT] += 1,
            Some(Kind::Pano) => counts[PANO] += 1,
            None => {}
        }
        let place = columns
            .captured_at_ms(row)
            .map_or(Some(&UNDATED), |ms| places.get(year_index(ms)));
        if let Some(&place) = place {
            counts[place] += 1;
        }
    }
    counts
}
