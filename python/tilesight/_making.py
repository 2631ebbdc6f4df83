"""Fetching tiles and building dataset files."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from . import _arguments, _tilesight
from ._progress import Progress, shown
from .errors import QuestionError, TokenError

Tileset = Literal["images", "computed", "points", "signs"]
"""What can be fetched: images with their sequences, the same where reconstruction puts them,
objects, and traffic signs."""


@dataclass(frozen=True)
class Built:
    """What was built."""

    images: int
    """How many images there are, each once."""
    bytes: int
    """How long the file is."""


@dataclass(frozen=True)
class FetchReport:
    """What became of the tiles that were asked for."""

    held: int
    """Tiles that were there and needed no request."""
    stored: int
    """Tiles stored."""
    unchanged: int
    """Tiles that were asked for again and had not changed."""
    empty: int
    """Tiles that hold nothing."""
    failed: list[tuple[str, str]]
    """Tiles that could not be fetched, and why; the same call tries them again."""
    left_out: int
    """Tiles that were not asked for, since no line comes near to them (``sparse=True``)."""
    requests: int
    """Requests made."""
    bytes: int
    """Bytes stored."""

    @property
    def is_complete(self) -> bool:
        """Whether no tile failed."""
        return not self.failed


def build(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    file: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    memory_bytes: int | None = None,
    progress: Progress = None,
) -> Built:
    """Builds a dataset file (``.tsight``) of one source or several, whatever their size.

    It takes about ``memory_bytes`` of memory, a gibibyte where nothing is said; the rest goes to
    temporary files beside the target. The file appears whole or not at all. The same tiles give the
    same bytes.

    >>> import tempfile, tilesight
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     built = tilesight.build("fixtures/town", f"{folder}/town.tsight")
    ...     tilesight.open(f"{folder}/town.tsight").count() == built.images == 6000
    True
    """
    paths = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    with shown(progress, "tile") as on_progress:
        return Built(*_tilesight.build(paths, file, overwrite, memory_bytes, on_progress))


def fetch(
    store: str | os.PathLike[str],
    *,
    bbox: _arguments.Box = None,
    within: _arguments.Region = None,
    tilesets: Tileset | Iterable[Tileset] = "images",
    token: str | None = None,
    tile_url: str | None = None,
    rate: float | None = 5.0,
    jobs: int = 4,
    daily_limit: int = 50_000,
    refresh: datetime.timedelta | None = None,
    sparse: bool = False,
    max_tiles: int = 20_000,
    progress: Progress = None,
) -> FetchReport:
    """Fetches what a store (``.mbtiles``) lacks of a place, once and politely.

    The place is a ``bbox`` or the polygons ``within``. ``token`` is an access token of Mapillary;
    where it is not given, ``MAPILLARY_ACCESS_TOKEN`` has it. ``tile_url`` is another origin than the
    service's, as ``TILESIGHT_TILE_URL``. ``rate`` is requests a second, None for no limit,
    ``daily_limit`` those of a day. ``refresh`` asks again for tiles that are older, ``sparse`` leaves
    out those that no line of a sequence comes near to, and ``max_tiles`` guards against a place that
    was meant to be smaller.

    Stopped at any moment, the same call goes on from there. What cannot be fetched is in the report;
    what ends the run early raises :class:`FetchError`, of which :class:`BannedError`,
    :class:`TokenError` and :class:`LimitError` are kinds.

    >>> import tilesight
    >>> tilesight.fetch("town.mbtiles", bbox=(24.9, 60.1, 25.0, 60.2), token="MLY|1|2",
    ...                 tile_url="nowhere")
    Traceback (most recent call last):
    ValueError: ...
    """
    place = _arguments.place(bbox=bbox, within=within)
    if place is None:
        raise QuestionError("a place is needed: bbox=(24.92, 60.16, 24.95, 60.18), or within=")
    words = {
        "token": token or os.environ.get("MAPILLARY_ACCESS_TOKEN") or _no_token(),
        "tile_url": tile_url or os.environ.get("TILESIGHT_TILE_URL") or None,
        "rate": rate,
        "jobs": jobs,
        "daily_limit": daily_limit,
        "refresh_s": None if refresh is None else refresh.total_seconds(),
        "sparse": sparse,
        "max_tiles": max_tiles,
    }
    with shown(progress, "tile") as on_progress:
        names = _arguments.texts(tilesets)
        return FetchReport(**_tilesight.fetch(store, place, names, words, on_progress))


def _no_token() -> str:
    raise TokenError("there is no access token: set MAPILLARY_ACCESS_TOKEN, or say token='MLY|…'")
