"""Partitioned datasets on a Dask cluster (`pip install "tilesight[dask]"`).

:func:`build` has the workers decode tiles and write a folder of GeoParquet files; :func:`images` asks
such a folder, as a lazy frame of dask-geopandas. Source and folder lie where all workers have them,
under the same paths: on one machine anywhere, on several on a file system that they share.

>>> from distributed import Client
>>> import tilesight.dask
>>> def stops(door):
...     with Client("tcp://scheduler:8786"):
...         tilesight.dask.build("/data/country.mbtiles", "/data/country")
...         seen = tilesight.dask.images("/data/country", looking_at=door, since="2023")
...         return seen.compute()

A worker that dies is no loss: what it was doing is done again by another, and gives the same.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _arguments, partitions
from .partitions import Partitioned

if TYPE_CHECKING:
    import dask_geopandas
    import distributed
    import geopandas
    from typing_extensions import Unpack

    from ._arguments import ImageWords


def build(
    source: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    *,
    partition_zoom: int = 8,
    client: distributed.Client | None = None,
    overwrite: bool = False,
    **question: Unpack[ImageWords],
) -> Partitioned:
    """Writes the images of a source into a new folder, as :func:`tilesight.partitions.build` does.

    The workers of ``client``, else of the client that was made last, do a partition each at a time.
    Raises ``ImportError`` where a package is missing, and ``ValueError`` where there is no client.

    >>> import tempfile, distributed
    >>> def panoramas(folder):
    ...     with distributed.Client(processes=False):
    ...         return build("fixtures/town", folder, partition_zoom=13, pano=True)
    """
    cluster = client or _module("distributed").default_client()

    def map(function: Any, arguments: Any) -> Any:
        return cluster.gather(cluster.map(function, list(arguments), pure=False))

    return partitions.build(
        source,
        directory,
        partition_zoom=partition_zoom,
        map=map,
        overwrite=overwrite,
        **question,
    )


def images(
    directory: str | os.PathLike[str], **question: Unpack[ImageWords]
) -> dask_geopandas.GeoDataFrame:
    """Finds the images of a partitioned dataset: a lazy frame, a partition for each file.

    Files whose tiles the place does not touch are left out before anything is read; the others are
    asked where they are read, by the engine. Keywords and columns are those of
    :meth:`tilesight.Dataset.images`, but for ``nearest``, ``limit`` and ``allow_partial``: they are of all
    images at once. Ask with ``radius_m`` and sort by ``distance_m`` instead. Rows come file by file;
    ``sequence_id`` is text.

    Raises ``ImportError`` where a package is missing, ``FileNotFoundError`` where there is no
    folder, and :class:`~tilesight.QuestionError` for what cannot be asked, all at once.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = partitions.build("fixtures/town", f"{folder}/town", partition_zoom=14)
    ...     seen = images(f"{folder}/town", looking_at=(24.95238, 60.17075))
    ...     seen.npartitions, len(seen.compute(scheduler="synchronous"))
    (1, 16)
    """
    dask_geopandas = _module("dask_geopandas")
    partitions._refuse(question, "nearest", "limit", "allow_partial")
    words: dict[str, Any] = {name: value for name, value in question.items() if value is not None}
    meta = _read(words, None)
    of_place = {name: words[name] for name in _arguments.PlaceWords.__optional_keys__ & words.keys()}
    found = partitions.files(os.path.abspath(directory), **of_place)
    if not found:
        return dask_geopandas.from_geopandas(meta, npartitions=1)
    frame = _module("dask.dataframe").from_map(
        _Read(words), found, meta=meta, enforce_metadata=False
    )
    return frame


class _Read:
    """Asks a file."""

    def __init__(self, question: dict[str, Any]) -> None:
        self.question = question

    def __call__(self, path: Path) -> geopandas.GeoDataFrame:
        return _read(self.question, path)


def _read(question: dict[str, Any], path: Path | None) -> geopandas.GeoDataFrame:
    """The images of a file, or of none."""
    frame = partitions.read([] if path is None else [path], **question).to_geopandas()
    # Files have categories of their own.
    texts = frame.columns.intersection(["sequence_id"])
    return frame.astype(dict.fromkeys(texts, "string[pyarrow]"))


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        problem = f"tilesight.dask needs {name}: pip install 'tilesight[dask]'"
        raise ImportError(problem) from error
