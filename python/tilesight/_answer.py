"""Answers, in the formats of those who read them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Literal

from . import _picture, _tilesight
from .errors import NotHeldError

if TYPE_CHECKING:
    import geopandas
    import pandas
    import polars
    import pyarrow

Format = Literal["geojson", "geojsonseq", "csv", "parquet", "arrow", "ids", "table"]
"""The formats in which an answer is written."""

_ROWS_SHOWN = 10


class Answer:
    """The rows that a question found, in answer order.

    Nothing is computed until it is read, and any number of times may it be. It is an Arrow stream
    to whatever takes one (``__arrow_c_stream__``): geometry is WKB as ``geoarrow.wkb`` with its
    coordinate reference system OGC:CRS84, ids are 64-bit integers, times are timestamps in UTC,
    texts that repeat are dictionaries.

    >>> import tilesight
    >>> import pyarrow
    >>> seen = tilesight.open("fixtures/town").images(looking_at=(24.95238, 60.17075))
    >>> pyarrow.table(seen).num_rows == len(seen) == 16
    True
    """

    def __init__(self, native: _tilesight.Answer) -> None:
        self._native = native

    def __len__(self) -> int:
        return len(self._native)

    def __repr__(self) -> str:
        return self._native.table(_ROWS_SHOWN).rstrip("\n")

    def _repr_html_(self) -> str:
        return _picture.html(self._native.sketch(_picture.MOST), repr(self))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Gives the rows as a capsule with a stream of Arrow record batches.

        Another schema than its own is not made: whoever asks for one converts what comes.
        """
        return self._native.stream()

    @property
    def __geo_interface__(self) -> dict[str, Any]:
        """A GeoJSON ``FeatureCollection``, with ids as texts."""
        collection: dict[str, Any] = json.loads(self.to_geojson())
        return collection

    @property
    def missing(self) -> NotHeldError | None:
        """What is not held of the place, where ``allow_partial`` let it be missing."""
        return self._native.missing()

    def ids(self) -> list[int] | list[str]:
        """The ids in answer order: integers, and texts of sequences.

        >>> import tilesight
        >>> town = tilesight.open("fixtures/town")
        >>> town.images(near=(24.95238, 60.17075), nearest=1).ids()
        [...]
        """
        return self._native.ids()

    def to_arrow(self) -> pyarrow.Table:
        """Makes a ``pyarrow.Table``."""
        import pyarrow

        reader = pyarrow.RecordBatchReader.from_stream(self)
        # One by one, so that Ctrl-C is heeded in between.
        batches = [batch for batch in reader]
        return pyarrow.Table.from_batches(batches, reader.schema)

    def to_pandas(self) -> pandas.DataFrame:
        """Makes a ``pandas.DataFrame``; geometry stays WKB.

        Columns of integers that lack some are ``Int64`` of pandas: ids are no doubles, which round
        them.
        """
        import pandas
        import pyarrow

        exact = {pyarrow.int64(): pandas.Int64Dtype(), pyarrow.bool_(): pandas.BooleanDtype()}
        frame: pandas.DataFrame = self.to_arrow().to_pandas(types_mapper=exact.get)
        return frame

    def to_geopandas(self) -> geopandas.GeoDataFrame:
        """Makes a ``geopandas.GeoDataFrame`` in OGC:CRS84.

        >>> import tilesight
        >>> frame = tilesight.open("fixtures/town").images(limit=3).to_geopandas()
        >>> frame.crs.to_authority(), frame.geom_type.tolist()
        (('OGC', 'CRS84'), ['Point', 'Point', 'Point'])
        """
        import geopandas

        frame = self.to_pandas()
        if "geometry" not in frame:
            raise TypeError("a GeoDataFrame needs the field geometry: fields=['id', 'geometry']")
        geometry = geopandas.GeoSeries.from_wkb(frame["geometry"], crs="OGC:CRS84")
        return geopandas.GeoDataFrame(frame, geometry=geometry)

    def to_polars(self) -> polars.DataFrame:
        """Makes a ``polars.DataFrame``; geometry is WKB."""
        import polars

        return polars.DataFrame(self)

    def to_geojson(self) -> str:
        """Makes the text of a GeoJSON ``FeatureCollection`` (RFC 7946), with ids as texts."""
        return self._native.text("geojson")

    def write(
        self,
        path: str | os.PathLike[str],
        format: Format | None = None,
        *,
        overwrite: bool = False,
    ) -> None:
        """Writes a file, which appears whole or not at all.

        The extension tells the format where none is given: ``.geojson``, ``.geojsonl``, ``.csv``,
        ``.parquet``, ``.arrow``, ``.ids`` or ``.txt``.

        >>> import tempfile, tilesight
        >>> town = tilesight.open("fixtures/town")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     town.images(pano=True).write(f"{folder}/panoramas.parquet")
        """
        self._native.write(path, format, overwrite)
