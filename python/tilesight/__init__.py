"""An embedded query engine over the vector tiles of street-level imagery.

Open a folder of tiles, an archive, or a dataset file that was built of these, and ask:

>>> import tilesight
>>> town = tilesight.open("fixtures/town")
>>> seen = town.images(looking_at=(24.95238, 60.17075), since="2023", pano=True)
>>> len(seen)
6
>>> print(seen.to_geopandas()["distance_m"].max().round(1))
41.5

An answer is an Arrow table to everything that reads such: GeoPandas, pandas, Polars, DuckDB and
pyarrow. Longitude comes before latitude everywhere; boxes, radii and dates include their ends; what
is not known matches no filter. A place that is not wholly held raises :class:`NotHeldError` rather
than giving a short answer.

:mod:`tilesight.partitions` and :mod:`tilesight.dask` spread work over processes and machines,
:mod:`tilesight.mapillary` stands in for mapillary-python-sdk.
"""

from ._answer import Answer
from ._arguments import FeatureWords, ImageWords, PlaceWords
from ._dataset import Dataset, open
from ._making import Built, FetchReport, build, fetch
from ._tilesight import __version__
from .errors import (
    BannedError,
    DamagedError,
    FetchError,
    LimitError,
    NotFoundError,
    NotHeldError,
    PartialAnswerWarning,
    QuestionError,
    SourceError,
    TilesightError,
    TokenError,
    WriteError,
)

__all__ = [
    "Answer",
    "BannedError",
    "Built",
    "DamagedError",
    "Dataset",
    "FeatureWords",
    "FetchError",
    "FetchReport",
    "ImageWords",
    "LimitError",
    "NotFoundError",
    "NotHeldError",
    "PartialAnswerWarning",
    "PlaceWords",
    "QuestionError",
    "SourceError",
    "TilesightError",
    "TokenError",
    "WriteError",
    "__version__",
    "build",
    "fetch",
    "open",
]
