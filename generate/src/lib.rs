//! Makes realistic tiles of street-level imagery from a seed.
