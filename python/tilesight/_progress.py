"""How far long work has come: a bar where tqdm is installed, or what the caller does about it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Union

Progress = Union[bool, Callable[[int, int], object], None]
"""Whether to show a bar, or what to call with how much is done of how much.

None shows a bar where tqdm is installed and somebody looks at standard error."""

OnProgress = Callable[[int, int], object]


@contextlib.contextmanager
def shown(progress: Progress, unit: str) -> Iterator[OnProgress | None]:
    """What is to be called as work goes on, if anything is."""
    if callable(progress):
        yield progress
        return
    if progress is False or (progress is None and not sys.stderr.isatty()):
        yield None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        if progress:
            raise
        yield None
        return
    with tqdm(unit=unit) as bar:

        def update(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield update
