//! An embedded spatial query engine over the vector tiles of street-level imagery.
