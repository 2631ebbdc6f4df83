//! Which columns are written, and in which order.

use std::fmt;

use tilesight_query::{Image, MapFeature, Place};

use super::join::JoinedImage;
use super::record::{Column, Context, Record, SequenceRecord};
use super::roads::RoadRecord;
use super::sightings::SightingRecord;

/// What the geometry is called among the columns.
pub(super) const GEOMETRY: &str = "geometry";

/// A column of an answer, or where its rows lie.
pub(super) enum Field<R> {
    Geometry,
    Column(Column<R>),
}

impl<R> Clone for Field<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Field<R> {}

/// The columns that a format writes where none are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Geometry apart from the columns, which do not repeat it.
    Properties,
    /// Longitude and latitude for points, geometry for the rest.
    Cells,
    /// Geometry for all.
    CellsWithGeometry,
    /// Longitude and latitude where there are such, no geometry.
    NoGeometry,
    /// Everything.
    #[cfg(feature = "arrow")]
    Table,
}

impl Layout {
    fn fields<R: Record>(self, columns: Vec<Column<R>>) -> Vec<Field<R>> {
        let places = if R::IS_POINT { 2 } else { 0 };
        let columns = columns.into_iter().map(Field::Column);
        let geometry = || std::iter::once(Field::Geometry);
        match self {
            Self::Properties => columns.skip(places).collect(),
            Self::Cells if R::IS_POINT => columns.collect(),
            Self::Cells | Self::CellsWithGeometry => {
                geometry().chain(columns.skip(places)).collect()
            }
            Self::NoGeometry => columns.collect(),
            #[cfg(feature = "arrow")]
            Self::Table => columns.chain(geometry()).collect(),
        }
    }
}

/// The rows that an answer can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Images.
    Images,
    /// Sequences.
    Sequences,
    /// Map features.
    Features,
    /// Images that look at targets.
    Sightings,
    /// Roads and how much of them is covered.
    Roads,
    /// Images with the number of the target that they were found for.
    JoinedImages,
}

/// Why columns cannot be chosen like that.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldError {
    /// There is no such column in this answer.
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// A column is asked for twice.
    Twice(String),
    /// None is asked for.
    None,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, known } => {
                let known = known.join(", ");
                write!(f, "there is no field {name:?} here: there are {known}")
            }
            Self::Twice(name) => write!(f, "the field {name:?} is named twice"),
            Self::None => write!(f, "no field is named: id,captured_at"),
        }
    }
}

impl std::error::Error for FieldError {}

/// Checks names of columns before anything is asked.
///
/// `place` is that of the question, which decides whether `distance_m`, `bearing_deg` and
/// `offset_deg` are among the columns.
///
/// # Errors
///
/// [`FieldError`] when a name is not that of a column, is there twice, or there is none.
///
/// ```
/// use tilesight::Place;
/// use tilesight::formats::{Rows, check_fields};
///
/// let fields = ["id", "lon", "lat"].map(str::to_owned);
/// assert_eq!(check_fields(&fields, Rows::Images, &Place::Everywhere), Ok(()));
/// let error = check_fields(&fields, Rows::Sequences, &Place::Everywhere).unwrap_err();
/// assert!(error.to_string().contains("length_m"));
/// ```
pub fn check_fields(names: &[String], rows: Rows, place: &Place) -> Result<(), FieldError> {
    let context = Context::new(place, None);
    match rows {
        Rows::Images => chosen::<Image<'_>>(names, &context).map(drop),
        Rows::Sequences => chosen::<SequenceRecord<'_>>(names, &context).map(drop),
        Rows::Features => chosen::<MapFeature<'_>>(names, &context).map(drop),
        Rows::Sightings => chosen::<SightingRecord<'_>>(names, &context).map(drop),
        Rows::Roads => chosen::<RoadRecord<'_>>(names, &context).map(drop),
        Rows::JoinedImages => chosen::<JoinedImage<'_>>(names, &context).map(drop),
    }
}

/// The columns of some names, or those of a layout.
pub(super) fn fields<R: Record>(
    names: Option<&[String]>,
    layout: Layout,
    context: &Context<'_>,
) -> Result<Vec<Field<R>>, FieldError> {
    match names {
        Some(names) => chosen(names, context),
        None => Ok(layout.fields(R::columns(context))),
    }
}

fn chosen<R: Record>(names: &[String], context: &Context<'_>) -> Result<Vec<Field<R>>, FieldError> {
    let columns = R::columns(context);
    if names.is_empty() {
        return Err(FieldError::None);
    }
    for (i, name) in names.iter().enumerate() {
        if names[..i].contains(name) {
            return Err(FieldError::Twice(name.clone()));
        }
    }
    names.iter().map(|name| field(name, &columns)).collect()
}

fn field<R>(name: &str, columns: &[Column<R>]) -> Result<Field<R>, FieldError> {
    if name == GEOMETRY {
        return Ok(Field::Geometry);
    }
    let column = columns.iter().find(|column| column.name == name);
    let column = column.map(|&column| Field::Column(column));
    column.ok_or_else(|| FieldError::Unknown {
        name: name.to_owned(),
        known: columns
            .iter()
            .map(|column| column.name)
            .chain([GEOMETRY])
            .collect(),
    })
}
