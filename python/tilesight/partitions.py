"""Images as a folder of GeoParquet files, one or more for each tile of a zoom.

:func:`build` writes what ``tilesight export`` writes, its work cut into shares that any number of
processes do side by side; :func:`files` and :func:`read` ask such a folder file by file. What does
the shares is any function that works like :func:`map`: a pool of processes, or a cluster, as
:mod:`tilesight.dask` has it.

Files are called ``z=8/tile=145-74/part-0.parquet``, which other engines read as Hive's partitions, with
columns ``z`` and ``tile``. Each image is in one of them. The folder does not say which tiles were held
when it was written: what is in no file is taken for not there.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _arguments, _tilesight
from ._dataset import _answer
from .errors import QuestionError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._answer import Answer
    from ._arguments import ImageWords

Map = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]
"""What calls a function with each of some arguments, and gives the results in their order, as
:func:`map` does. Function and arguments can be pickled; to call again what was called before, in
part or twice at a time, changes nothing."""

_Tile = tuple[int, int]

_PART = re.compile(r"z=(\d+)/tile=(\d+)-(\d+)/part-(\d+)\.parquet")

_MOST_REMAINDERS = 64
_SHARES_A_REMAINDER = 16


class Partitioned(NamedTuple):
    """What :func:`build` wrote."""

    tiles: int
    """Tiles that have images."""
    files: int
    """Files."""
    rows: int
    """Rows in all."""


def build(
    source: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    *,
    partition_zoom: int = 8,
    map: Map = map,
    overwrite: bool = False,
    **question: Unpack[ImageWords],
) -> Partitioned:
    """Writes the images of a source into a new folder as a partitioned GeoParquet dataset.

    The source is what :func:`tilesight.open` takes. Tiles are decoded and files written in shares of
    one partition each, by ``map``; whoever does a share reads the source and writes the folder under
    the same paths as the caller, so both lie where all have them. Shares that turn out to have an
    image in common, because it moved between two tiles, are done again together, so that it is
    there once and where the tile that was fetched last has it. Sequences that were imported lie
    across tiles: a source that has such is one share.

    The files of a dataset file are those of ``tilesight export``, byte for byte; those of tiles have
    the same rows, in another order within the tile. The folder appears when it is whole.

    ``question`` says what the images must be like and which ``fields`` they have, not where they
    are. Raises :class:`NotHeldError` where tiles could not be fetched, unless ``allow_partial``;
    ``FileExistsError`` where the folder is, unless ``overwrite``.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     build("fixtures/town", f"{folder}/panoramas", partition_zoom=13, pano=True)
    Partitioned(tiles=..., files=..., rows=1152)
    """
    directory = Path(directory).absolute()
    if directory.exists() and not overwrite:
        raise FileExistsError(f"{directory} exists; say overwrite=True to replace it")
    _refuse(question, "bbox", "within", "near", "looking_at", "nearest", "limit")
    words: dict[str, Any] = dict(question)
    work = _Work(os.path.abspath(source), _beside(directory), words, partition_zoom)
    try:
        done = _do(work, map)
        if directory.exists():
            replaced = directory.rename(_beside(directory))
            shutil.rmtree(replaced)
        work.folder.rename(directory)
    finally:
        shutil.rmtree(work.folder, ignore_errors=True)
    return done


def files(
    directory: str | os.PathLike[str], **question: Unpack[_arguments.PlaceWords]
) -> list[Path]:
    """Lists the files of a partitioned dataset in which the images of a place may be.

    No file is read: the tiles in their names tell.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = build("fixtures/town", f"{folder}/town", partition_zoom=14)
    ...     all = files(f"{folder}/town")
    ...     here = files(f"{folder}/town", looking_at=(24.95238, 60.17075))
    >>> len(all), len(here)
    (13, 1)
    """
    root = Path(directory)
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is no folder of partitions")
    parts: dict[tuple[int, ...], Path] = {}
    for path in root.glob("z=*/tile=*/part-*.parquet"):
        named = _PART.fullmatch(path.relative_to(root).as_posix())
        if named:
            parts[tuple(int(number) for number in named.groups())] = path
    place = _arguments.place(**question) if question else None
    touched = {zoom: _touched(place, zoom, parts) for zoom in {zoom for zoom, *_ in parts}}
    return [parts[part] for part in sorted(parts) if part[1:3] in touched[part[0]]]


def read(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    **question: Unpack[ImageWords],
) -> Answer:
    """Finds the images of some files of a partitioned dataset, as :meth:`Dataset.images` does.

    The files are read whole, and need the fields ``lon``, ``lat`` and ``id``.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = build("fixtures/town", f"{folder}/town")
    ...     len(read(files(f"{folder}/town"), looking_at=(24.95238, 60.17075)))
    16
    """
    paths = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    words: dict[str, Any] = dict(question)
    fields = _arguments.fields(words)
    data = _tilesight.open_parts(paths)
    return _answer(data.images(_arguments.image_words(words), fields))


class _Work(NamedTuple):
    """What all shares have in common."""

    source: str
    folder: Path
    question: dict[str, Any]
    zoom: int

    @property
    def ids(self) -> Path:
        """Where shares leave the ids of their images: beside the partitions until all are there."""
        return self.folder / ".ids"


class _Share(NamedTuple):
    """A share of the work."""

    work: _Work
    number: int
    tiles: list[_Tile]
    remainders: int


class _Written(NamedTuple):
    """What became of a share."""

    tiles: list[_Tile]
    rows: int
    files: int


def _do(work: _Work, map: Map) -> Partitioned:
    """Does all shares, then those again that have to be done together."""
    tiles = _tilesight.shares(work.source, _words(work.question), work.zoom)
    work.folder.mkdir(parents=True)
    remainders = min(_MOST_REMAINDERS, 1 + len(tiles) // _SHARES_A_REMAINDER)
    for remainder in range(remainders):
        (work.ids / str(remainder)).mkdir(parents=True)
    shares = [_Share(work, number, of, remainders) for number, of in enumerate(tiles)]
    written = dict(enumerate(map(_write, shares)))
    in_common = functools.partial(_in_common, work, len(shares))
    several = [set for sets in map(in_common, list(range(remainders))) for set in sets]
    joint = []
    for numbers in _joined([*several, *_same_tile(written)]):
        for number in numbers:
            for x, y in written.pop(number).tiles:
                shutil.rmtree(_folder(work, x, y), ignore_errors=True)
        together = [tile for number in numbers for tile in tiles[number]]
        joint.append(_Share(work, numbers[0], together, remainders))
    every = [*written.values(), *map(_write, joint)]
    shutil.rmtree(work.ids)
    return Partitioned(
        tiles=sum(len(share.tiles) for share in every),
        files=sum(share.files for share in every),
        rows=sum(share.rows for share in every),
    )


def _write(share: _Share) -> _Written:
    """Writes a share, and which ids it has, by their remainder."""
    work, words = share.work, dict(share.work.question)
    fields = _arguments.fields(words)
    tiles, rows, files, ids = _tilesight.write_share(
        work.source,
        share.tiles,
        work.folder,
        _arguments.image_words(words),
        work.zoom,
        fields,
        share.remainders,
    )
    for remainder, some in enumerate(ids):
        path = work.ids / str(remainder) / str(share.number)
        whole = path.with_name(f".{share.number}.{uuid.uuid4().hex}")
        whole.write_bytes(some)
        whole.replace(path)
    return _Written(tiles, rows, files)


def _in_common(work: _Work, shares: int, remainder: int) -> list[list[int]]:
    """Shares that have ids of this remainder in common."""
    folder = work.ids / str(remainder)
    return _tilesight.in_common([folder / str(number) for number in range(shares)])


def _same_tile(written: dict[int, _Written]) -> list[list[int]]:
    """Shares that wrote one tile: the images of one of them lie beyond their tiles."""
    writers: dict[_Tile, list[int]] = {}
    for number, share in written.items():
        for tile in share.tiles:
            writers.setdefault(tile, []).append(number)
    return [numbers for numbers in writers.values() if len(numbers) > 1]


def _joined(sets: Iterable[Sequence[int]]) -> list[list[int]]:
    """Sets that have a member in common, as one.

    >>> _joined([[1, 2], [5, 6], [4, 2]])
    [[5, 6], [1, 2, 4]]
    """
    disjoint: list[set[int]] = []
    for members in map(set, sets):
        overlapping = [other for other in disjoint if other & members]
        disjoint = [other for other in disjoint if not other & members]
        disjoint.append(members.union(*overlapping))
    return [sorted(members) for members in disjoint]


def _touched(
    place: _tilesight.Place | None, zoom: int, parts: Iterable[tuple[int, ...]]
) -> set[tuple[int, ...]]:
    """The tiles of a zoom that a place touches, of those that there are."""
    tiles = sorted({(x, y) for z, x, y, _ in parts if z == zoom})
    touches = [True] * len(tiles) if place is None else place.touches(zoom, tiles)
    return {tile for tile, is_touched in zip(tiles, touches) if is_touched}


def _folder(work: _Work, x: int, y: int) -> Path:
    return work.folder / f"z={work.zoom}" / f"tile={x}-{y}"


def _beside(directory: Path) -> Path:
    """A path beside another, which nothing has."""
    return directory.with_name(f".{directory.name}.{uuid.uuid4().hex}.part")


def _words(question: Mapping[str, Any]) -> dict[str, Any]:
    return _arguments.image_words({**question, "fields": None})


def _refuse(question: Mapping[str, object], *names: str) -> None:
    """Refuses what a question about files one by one cannot ask."""
    for name in names:
        if question.get(name) is not None:
            raise QuestionError(
                f"{name} is of all images at once, and files are asked one by one: leave it out, as in "
                "pano=True, since='2023'"
            )
