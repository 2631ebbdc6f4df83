"""What answers are made of, where the SDK has it."""

from . import geojson

__all__ = ["geojson"]
