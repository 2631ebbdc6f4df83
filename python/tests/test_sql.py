"""A partitioned dataset asked by SQL, as docs/scaling.md has it: the rows are those of the engine."""

import re

import duckdb
import pyarrow
import pytest
from conftest import BOX, TOWN

from tilesight import partitions

WEST, SOUTH, EAST, NORTH = BOX
IN_BOX = f"lon BETWEEN {WEST} AND {EAST} AND lat BETWEEN {SOUTH} AND {NORTH}"
FILES = 13


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("partitions") / "town"
    assert partitions.build(TOWN, folder, partition_zoom=14).files == FILES
    return folder


@pytest.fixture(scope="module")
def expected(town):
    return sorted(town.images(bbox=BOX).ids())


def a_tile(folder):
    """The tile of the largest file."""
    largest = max(partitions.files(folder), key=lambda path: path.stat().st_size)
    return re.search(r"tile=(\d+-\d+)", str(largest))[1]


def test_duckdb_finds_the_images_of_a_box(folder, expected):
    images = f"read_parquet('{folder}/**/*.parquet', hive_partitioning = true)"
    found = duckdb.sql(f"SELECT id FROM {images} WHERE {IN_BOX} ORDER BY id").fetchall()
    assert [id for (id,) in found] == expected


def test_duckdb_leaves_out_files_of_other_tiles(folder):
    images = f"read_parquet('{folder}/**/*.parquet', hive_partitioning = true)"
    query = f"SELECT max(lon) FROM {images} WHERE tile = '{a_tile(folder)}'"
    ((_, plan),) = duckdb.sql(f"EXPLAIN ANALYZE {query}").fetchall()
    assert f"Scanning Files: 1/{FILES}" in plan


@pytest.fixture(scope="module")
def context(folder):
    datafusion = pytest.importorskip("datafusion")
    context = datafusion.SessionContext()
    columns = [("z", pyarrow.string()), ("tile", pyarrow.string())]
    context.register_listing_table("images", str(folder), columns, ".parquet")
    return context


def test_datafusion_finds_the_images_of_a_box(context, expected):
    found = context.sql(f"SELECT id FROM images WHERE {IN_BOX} ORDER BY id").to_pydict()
    assert found["id"] == expected


def test_datafusion_leaves_out_files_of_other_tiles(context, folder):
    def files(where):
        plan = str(context.sql(f"SELECT lon FROM images {where}").execution_plan())
        return re.findall(r"tile=(\d+-\d+)/part-\d+\.parquet", plan)

    assert files(f"WHERE tile = '{a_tile(folder)}'") == [a_tile(folder)]
    assert len(files("")) > 1
