"""Prints the images and the sequences of a Tilesight dataset file.

    python3 read_dataset.py town.tsight

Written from docs/format.md with nothing but Python's standard library, which has no XXH3:
checksums are left alone, so this reader believes what it reads. `tilesight verify` does not.
"""

import mmap
import struct
import sys

HEADER = struct.Struct("<8sIIQQQQQQ")
TABLE = struct.Struct("<16sIIQQQQ")
COLUMN = struct.Struct("<QQ")


def check(holds, problem):
    if not holds:
        sys.exit(f"{sys.argv[1]}: {problem}")


def read_directory(file):
    """The columns of each table by (name, number), as bytes, and its number of rows."""
    check(len(file) >= HEADER.size, "too short")
    magic, version, tables, file_len, at, length, *_ = HEADER.unpack_from(file)
    check(magic == b"\x89TSIGHT\n", "not a dataset file")
    check(version == 1, f"version {version}")
    check(file_len == len(file) == at + length, "cut short, or grown")
    directory, sums, end = {}, [], HEADER.size
    for _ in range(tables):
        name, number, columns, rows, block_rows, checksums, _ = TABLE.unpack_from(file, at)
        at += TABLE.size
        parts = [COLUMN.unpack_from(file, at + i * COLUMN.size) for i in range(columns)]
        at += columns * COLUMN.size
        for width, offset in parts:
            check(offset == (end + 63) // 64 * 64, "a column lies elsewhere")
            end = offset + width * rows
        sums.append((checksums, 8 * -(-rows // block_rows)))
        key = name.rstrip(b"\0").decode(), number
        directory[key] = rows, [file[o : o + w * rows] for w, o in parts]
    for offset, length in sums:
        check(offset == (end + 63) // 64 * 64, "checksums lie elsewhere")
        end = offset + length
    check(at == file_len, "the directory is not as long as its tables")
    return directory


def values(letter, column):
    size = struct.calcsize("<" + letter)
    return struct.unpack(f"<{len(column) // size}{letter}", column)


def main():
    with open(sys.argv[1], "rb") as opened:
        file = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    directory = read_directory(file)
    _, (xs, ys, ids, *_) = directory["image", 0]
    for x, y, image in zip(values("I", xs), values("I", ys), values("q", ids)):
        print("image", image, x, y)
    _, (starts,) = directory["text start", 0]
    _, (text,) = directory["text byte", 0]
    starts = values("Q", starts)
    names = [text[a:b].decode() for a, b in zip(starts, starts[1:])]
    _, (order,) = directory["sequence order", 0]
    for sequence in sorted(values("I", order)):
        print("sequence", names[sequence])


main()
