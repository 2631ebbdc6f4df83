//! The world grid, tile ids, boxes, regions and tile cover of Tilesight.
