"""What can go wrong, as a hierarchy of exceptions.

Each is a :class:`TilesightError`, and of the built-in kind that callers would expect: a wrong
question is a ``ValueError``, a source that cannot be read an ``OSError``.
"""

from __future__ import annotations

import datetime


class TilesightError(Exception):
    """Anything that Tilesight raises of its own."""

    is_retryable: bool = False
    """Whether the same call may succeed later without any change."""


class QuestionError(TilesightError, ValueError):
    """A box, region, date, heading or column that is none; the message shows a right one."""


class NotHeldError(TilesightError, LookupError):
    """The place touches tiles that the dataset does not hold: its answer would be too short.

    >>> import tilesight
    >>> town = tilesight.open("fixtures/town")
    >>> try:
    ...     town.images(bbox=(24.9, 60.1, 25.1, 60.3))
    ... except tilesight.NotHeldError as error:
    ...     print(error.missing, "of", error.wanted)
    174 of 190
    """

    tileset: str | None = None
    """The tileset that lacks them."""
    missing: int | None = None
    """How many tiles are missing; None where there is none of the tileset at all."""
    failed: int | None = None
    """How many of these were there and could not be read."""
    wanted: int | None = None
    """How many tiles the place touches."""
    example: tuple[int, int, int] | None = None
    """Zoom, column and row of the first missing tile."""
    bounds: tuple[float, float, float, float] | None = None
    """West, south, east and north of the place: what to fetch."""


class SourceError(TilesightError, OSError):
    """A source that is not there, is none, or cannot be read."""


class DamagedError(SourceError):
    """A dataset file that is not as it was written: build it anew from its tiles."""


class WriteError(TilesightError, OSError):
    """A file that cannot be written."""


class FetchError(TilesightError, OSError):
    """Fetching ended early. What had come is stored, and the same call goes on from there."""


class BannedError(FetchError):
    """The service turned this address away for a while."""


class TokenError(FetchError):
    """There is no access token, or the service refuses it."""


class NotFoundError(FetchError, LookupError):
    """The service has no such image or map feature, or does not show it with this token."""


class LimitError(FetchError):
    """The limit of requests is reached."""

    until_ms: int = 0
    """When to go on, in milliseconds since 1970, UTC."""

    @property
    def until(self) -> datetime.datetime:
        """When to go on."""
        return datetime.datetime.fromtimestamp(self.until_ms / 1000, datetime.timezone.utc)


class PartialAnswerWarning(UserWarning):
    """Something of the place is not held, and ``allow_partial`` let it be missing."""
