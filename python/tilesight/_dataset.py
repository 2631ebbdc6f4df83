"""Datasets and the questions they answer."""

from __future__ import annotations

import json
import os
import warnings
from typing import TYPE_CHECKING, Any, Literal

from . import _arguments, _tilesight
from ._answer import Answer
from ._progress import Progress, shown
from .errors import PartialAnswerWarning

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._arguments import FeatureWords, ImageWords

By = Literal["day", "month", "year", "organization", "creator", "kind"]
"""What images can be counted by."""


def open(
    path: str | os.PathLike[str], *, mapped: bool = True, progress: Progress = None
) -> Dataset:
    """Opens a source: a dataset file, an archive of tiles, or a folder of tiles.

    A dataset file (``.tsight``, see :func:`build`) is mapped and takes microseconds; anything else
    is read whole and indexed in memory, some microseconds an image. A folder holds files
    ``{z}/{x}/{y}.mvt`` (or ``.pbf``), or subfolders of such that are named after their tilesets; an
    archive is ``.mbtiles`` or ``.pmtiles``.

    ``mapped=False`` reads a dataset file instead of mapping it, which is safer where files are
    changed under their readers. ``progress`` is True for a bar (tqdm), a function of tiles read and
    tiles in all, or False for nothing; None shows a bar where there is a terminal and tqdm.

    Raises :class:`SourceError` for what is no source, :class:`DamagedError` for a dataset file that
    is not as it was written.

    >>> import tilesight
    >>> tilesight.open("fixtures/town")
    <tilesight.Dataset fixtures/town>
    """
    with shown(progress, "tile") as on_progress:
        native = _tilesight.Dataset.open(path, mapped, on_progress)
    return Dataset(native, path, mapped)


class Dataset:
    """The images, sequences and map features of a source; :func:`tilesight.open` makes one.

    Questions are keywords, of which all that are given must hold: where to look, and what the rows
    must be like. :class:`ImageWords` and :class:`FeatureWords` have all of them. A keyword that is
    None counts as not given.

    Many threads may ask one dataset at a time. Pickled, it is the path of its source, which is
    opened again where it is unpickled.
    """

    def __init__(
        self, native: _tilesight.Dataset, path: str | os.PathLike[str], mapped: bool
    ) -> None:
        self._native = native
        self._path = os.fspath(path)
        self._absolute_path = os.path.abspath(path)
        self._mapped = mapped

    def __repr__(self) -> str:
        return f"<tilesight.Dataset {self._path}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self._absolute_path, self._mapped)

    def images(self, **question: Unpack[ImageWords]) -> Answer:
        """Finds images: by id within boxes and regions, nearest first around a position.

        Columns are ``lon``, ``lat``, ``id``, ``captured_at``, ``compass_angle``, ``is_pano``,
        ``sequence_id``, ``organization_id``, ``creator_id``, ``geometry``; around a position also
        ``distance_m``, and with ``looking_at`` ``bearing_deg`` (from the image to the target) and
        ``offset_deg`` (how far that is off the camera's heading).

        Raises :class:`NotHeldError` where tiles of the place are not held, unless
        ``allow_partial=True``; :class:`QuestionError` for what cannot be asked.

        >>> import tilesight
        >>> town = tilesight.open("fixtures/town")
        >>> len(town.images(bbox=(24.94, 60.165, 24.95, 60.17), since="2022", until="2023"))
        300
        >>> nearest = town.images(near=(24.95238, 60.17075), nearest=3)
        >>> [round(metres) for metres in nearest.to_pandas().distance_m]
        [6, 7, 8]
        """
        words: dict[str, Any] = dict(question)
        fields = _arguments.fields(words)
        return _answer(self._native.images(_arguments.image_words(words), fields))

    def sequences(self, **question: Unpack[ImageWords]) -> Answer:
        """Finds sequences, whole: those with any part in the place, and an image that passes.

        Columns are ``id``, ``image_count``, ``first_captured_at``, ``last_captured_at``,
        ``is_pano``, ``organization_id``, ``creator_id``, ``length_m``, ``line_parts``,
        ``tiles_missing`` and ``geometry``, a line that is broken where tiles are not held.

        >>> import tilesight
        >>> town = tilesight.open("fixtures/town")
        >>> frame = town.sequences(looking_at=(24.95238, 60.17075)).to_geopandas()
        >>> set(frame.geom_type)
        {'LineString'}
        """
        words: dict[str, Any] = dict(question)
        fields = _arguments.fields(words)
        return _answer(self._native.sequences(_arguments.image_words(words), fields))

    def features(self, **question: Unpack[FeatureWords]) -> Answer:
        """Finds map features: traffic signs and objects.

        Columns are ``lon``, ``lat``, ``id``, ``value``, ``kind`` (``point`` or ``traffic_sign``),
        ``first_seen_at``, ``last_seen_at``, ``geometry``, and around a position ``distance_m``.

        >>> import tilesight
        >>> town = tilesight.open("fixtures/town")
        >>> stops = town.features(value="regulatory--stop--*")
        >>> set(stops.to_pandas().kind)
        {'traffic_sign'}
        """
        words: dict[str, Any] = dict(question)
        fields = _arguments.fields(words)
        return _answer(self._native.features(_arguments.feature_words(words), fields))

    def images_each(self, **question: Unpack[ImageWords]) -> Answer:
        """Finds the images of each of many places at once: a join of targets with images.

        The place is worded as for :meth:`images`, with many positions, boxes or regions in the
        place of one: a list, a GeoSeries or GeoDataFrame, or an array of two columns, longitude and
        latitude. What else is asked is the same for all of them; ``limit`` is that of each.

        The answer has a column ``target`` beside those of images: the number of the place, from 0.
        Rows come by target, then as :meth:`images` orders them; a place without images has none.

        >>> import tilesight
        >>> town = tilesight.open("fixtures/town")
        >>> doors = [(24.95238, 60.17075), (24.94, 60.168)]
        >>> join = town.images_each(looking_at=doors, limit=2).to_pandas()
        >>> join.target.tolist()
        [0, 0, 1, 1]
        """
        words: dict[str, Any] = dict(question)
        fields = _arguments.fields(words)
        of_place = _arguments.PlaceWords.__optional_keys__
        places = _arguments.places({name: words.pop(name) for name in of_place & words.keys()})
        image_words = _arguments.image_words(words)
        if isinstance(places, list):
            return _answer(self._native.images_each(places, image_words, fields))
        image_words["place"], positions = places
        return _answer(self._native.images_at_each(positions, image_words, fields))

    def count(self, **question: Unpack[ImageWords]) -> int:
        """Counts the images that :meth:`images` would find, without making them.

        >>> import tilesight
        >>> tilesight.open("fixtures/town").count(pano=True)
        1152
        """
        return self._native.count(_counted(question))

    def stats(self, by: By, **question: Unpack[ImageWords]) -> dict[str | int | None, int]:
        """Counts the images that :meth:`images` would find by what they have in common.

        The keys are dates as ``2023-05``, ids, or ``flat`` and ``pano``, in their order; None, the
        last, stands for images of which it is not known.

        >>> import tilesight
        >>> tilesight.open("fixtures/town").stats("kind")
        {'flat': 4848, 'pano': 1152}
        """
        return dict(self._native.stats(_counted(question), by))

    def density(
        self, zoom: int, **question: Unpack[ImageWords]
    ) -> list[tuple[int, int, int, int]]:
        """Counts the images that :meth:`images` would find by tile: zoom, column, row and number.

        Tiles come by row, then by column; those without images do not.

        >>> import tilesight
        >>> tilesight.open("fixtures/town").density(10)
        [(10, 582, 296, 5374), (10, 583, 296, 626)]
        """
        return self._native.density(_counted(question), zoom)

    def info(self) -> dict[str, Any]:
        """Sums up what the dataset holds: tiles, counts, dates, bounds, licence.

        >>> import tilesight
        >>> info = tilesight.open("fixtures/town").info()
        >>> info["images"], info["license"]
        (6000, 'CC BY-SA 4.0')
        """
        info: dict[str, Any] = json.loads(self._native.info())
        return info


def _reopen(path: str, mapped: bool) -> Dataset:
    return open(path, mapped=mapped, progress=False)


def _counted(question: Any) -> dict[str, Any]:
    words = dict(question)
    if words.pop("fields", None) is not None:
        raise TypeError("counts have no fields: ask images(fields=…)")
    return _arguments.image_words(words)


def _answer(native: _tilesight.Answer) -> Answer:
    missing = native.missing()
    if missing is not None:
        warnings.warn(PartialAnswerWarning(str(missing)), stacklevel=3)
    return Answer(native)
