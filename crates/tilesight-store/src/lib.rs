//! Reads tile stores: folders and MBTiles archives.
