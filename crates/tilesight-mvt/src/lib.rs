//! Decodes Mapbox Vector Tiles into typed columns.
