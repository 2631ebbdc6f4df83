"""Partitioned datasets on a cluster of two processes, one of which is killed, against one process."""

import functools
import logging
import os
import signal
import subprocess
import sys

import cloudpickle
import geopandas
import mapbox_vector_tile
import pytest
from conftest import BOX, DOOR, TOWN

import tilesight
import tilesight.dask
from tilesight import partitions

pytestmark = pytest.mark.filterwarnings("default")

TRIANGLE = {
    "type": "Polygon",
    "coordinates": [[[24.937, 60.164], [24.962, 60.166], [24.95, 60.173], [24.937, 60.164]]],
}
QUESTIONS = [
    {},
    {"bbox": BOX, "since": "2022", "pano": True},
    {"within": TRIANGLE, "heading": (350, 90)},
    {"near": DOOR, "radius_m": 100.0},
    {"looking_at": DOOR},
    {"looking_at": DOOR, "fields": ["id", "distance_m", "geometry"]},
    {"bbox": (10, 10, 11, 11)},
]


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    # Workers know this module by what is in it: they cannot import it.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
    )
    with cluster, distributed.Client(cluster) as client:
        yield client
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The town in partitions, written by this process."""
    folder = tmp_path_factory.mktemp("partitions") / "town"
    done = partitions.build(TOWN, folder, partition_zoom=14)
    assert done.rows == 6_000 and done.tiles == done.files == 13
    return folder


def die_once(marker, value):
    """Kills the process that comes here first, when its work is done and not told yet."""
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return value
    os.kill(os.getpid(), signal.SIGKILL)


def and_die_once(marker, function, argument):
    return die_once(marker, function(argument))


class Deadly:
    """A client one of whose workers is killed."""

    def __init__(self, client, marker):
        self.client, self.marker = client, marker

    def map(self, function, arguments, **words):
        deadly = functools.partial(and_die_once, self.marker, function)
        return self.client.map(deadly, arguments, **words)

    def gather(self, futures):
        return self.client.gather(futures)


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}


def test_a_cluster_writes_the_same_files_though_a_worker_is_killed(client, folder, tmp_path):
    marker = tmp_path / "killed"
    done = tilesight.dask.build(
        TOWN, tmp_path / "town", partition_zoom=14, client=Deadly(client, marker)
    )
    assert marker.exists() and done.rows == 6_000
    assert contents(tmp_path / "town") == contents(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "town"]


def test_the_files_of_a_dataset_are_those_of_its_tiles(client, folder, tmp_path):
    tilesight.build([TOWN], tmp_path / "town.tsight")
    tilesight.dask.build(tmp_path / "town.tsight", tmp_path / "town", partition_zoom=14)
    mine, right = (geopandas.read_parquet(of).sort_values("id") for of in (tmp_path / "town", folder))
    assert mine.reset_index(drop=True).equals(right.reset_index(drop=True))


def table(frame):
    """Rows in the order of their ids, as plain values."""
    plain = frame.to_wkb().sort_values("id", ignore_index=True).astype("object")
    return plain.where(plain.notna(), None).to_dict("records")


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_a_lazy_frame_has_the_rows_of_the_dataset(client, folder, town, tmp_path, question):
    marker = str(tmp_path / "killed")
    lazy = tilesight.dask.images(folder, **question)
    if question == {}:
        lazy = lazy.map_partitions(functools.partial(die_once, marker), meta=lazy._meta)
    found = lazy.compute()
    assert os.path.exists(marker) == (question == {})
    assert isinstance(found, geopandas.GeoDataFrame) and found.crs == "OGC:CRS84"
    expected = town.images(**{**question, "allow_partial": True}).to_geopandas()
    assert list(found.columns) == list(expected.columns)
    assert table(found) == table(expected)
    assert dict(lazy.dtypes) == dict(found.dtypes)


def test_files_beyond_the_place_are_not_read(folder, tmp_path):
    here = partitions.files(folder, looking_at=DOOR)
    assert len(here) == 1 < len(partitions.files(folder))
    copy = tmp_path / "town"
    for path in partitions.files(folder):
        to = copy / path.relative_to(folder)
        to.parent.mkdir(parents=True)
        to.write_bytes(path.read_bytes() if path in here else b"not read")
    found = tilesight.dask.images(copy, looking_at=DOOR).compute(scheduler="synchronous")
    assert len(found) == 16
    with pytest.raises(tilesight.SourceError, match="part-0.parquet"):
        tilesight.dask.images(copy).compute(scheduler="synchronous")


def backwards(function, arguments):
    """Does the last first."""
    return [function(argument) for argument in reversed(list(arguments))][::-1]


def tile(*points):
    features = [
        {"geometry": {"type": "Point", "coordinates": at}, "properties": {"id": id}}
        for id, at in points
    ]
    return mapbox_vector_tile.encode(
        {"name": "image", "features": features}, default_options={"y_coord_down": True}
    )


def test_an_image_that_moved_is_there_once(tmp_path):
    """Image 1 is on two tiles, image 2 on a third and beyond it; the rest stays where it is."""
    tiles = {
        (9326, 4742): tile((1, (10, 10)), (11, (20, 20))),
        (9327, 4742): tile((1, (30, 30)), (12, (40, 40))),
        (9328, 4742): tile((2, (5000, 50)), (13, (60, 60))),
        (9329, 4742): tile((14, (70, 70))),
        (9330, 4742): tile((15, (80, 80))),
    }
    for (x, y), body in tiles.items():
        path = tmp_path / "store" / "14" / str(x) / f"{y}.mvt"
        path.parent.mkdir(parents=True)
        path.write_bytes(body)
    expected = tilesight.open(tmp_path / "store").images().to_geopandas()
    for name, map_ in (("forth", map), ("back", backwards)):
        done = partitions.build(tmp_path / "store", tmp_path / name, partition_zoom=14, map=map_)
        assert done.rows == 7 and done.tiles == 5
        found = partitions.read(partitions.files(tmp_path / name)).to_geopandas()
        assert table(found) == table(expected)


def test_what_cannot_be_asked_is_refused(folder, tmp_path):
    for wrong in ({"near": DOOR, "nearest": 3}, {"limit": 3}, {"allow_partial": True}):
        with pytest.raises(tilesight.QuestionError, match="of all images at once"):
            tilesight.dask.images(folder, **wrong)
    with pytest.raises(tilesight.QuestionError, match="bbox"):
        partitions.build(TOWN, tmp_path / "new", bbox=BOX)
    with pytest.raises(FileNotFoundError):
        tilesight.dask.images(tmp_path / "nothing")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        partitions.build(TOWN, folder)
    with pytest.raises(tilesight.SourceError):
        partitions.build(tmp_path / "nothing", tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_replaced_when_asked_for(tmp_path):
    partitions.build(TOWN, tmp_path / "town", partition_zoom=14)
    done = partitions.build(TOWN, tmp_path / "town", partition_zoom=10, pano=True, overwrite=True)
    assert done.rows == 1_152
    assert {path.name for path in (tmp_path / "town").iterdir()} == {"z=10"}
    assert [path.name for path in tmp_path.iterdir()] == ["town"]


def test_dask_is_imported_when_it_is_used(monkeypatch):
    script = (
        "import sys, tilesight, tilesight.dask, tilesight.partitions; "
        "print({'dask', 'distributed', 'geopandas', 'numpy'} & sys.modules.keys())"
    )
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert told.stdout == "set()\n"
    monkeypatch.setitem(sys.modules, "dask_geopandas", None)
    with pytest.raises(ImportError, match=r"pip install 'tilesight\[dask\]'"):
        tilesight.dask.images("town")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"pip install 'tilesight\[dask\]'"):
        tilesight.dask.build(TOWN, "town")
