#!/usr/bin/env python3
"""Reads what the program writes with pyarrow, GeoPandas, GDAL and DuckDB.

    python3 tests/python/read_back.py [PROGRAM]

Builds the program where none is given. `environment.py` says where it runs, and when it does not.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import environment
from environment import ROOT, TARGET

TOWN = ROOT / "fixtures" / "town"
DOOR = "24.95238,60.17075"
BOX = (24.935, 60.163, 24.965, 60.174)
BOX_OPTION = "--bbox=" + ",".join(map(str, BOX))


def main():
    environment.enter()
    check_all(program())


def program():
    if len(sys.argv) > 1:
        return str(Path(sys.argv[1]).resolve())
    subprocess.run(["cargo", "build", "-q", "-p", "tilesight-cli"], cwd=ROOT, check=True)
    return str(TARGET / "debug" / "tilesight")


def check_all(tilesight):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)

        def run(command, *options):
            words = [tilesight, "-q", command, str(TOWN), *options]
            return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout

        for check in (check_images, check_boxes, check_measured, check_sequences, check_features,
                      check_geojson, check_csv, check_flatgeobuf, check_fields, check_partitions):
            check(run, folder)
            print(f"{check.__name__[6:]}: as they should be")


def texts(run, command, *options):
    """The rows as CSV has them, each a text."""
    import io

    import pandas

    text = run(command, *options, "-f", "csv")
    return pandas.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)


def equal(column, texts, convert):
    """Compares a column of Arrow with texts, of which the empty ones are nulls."""
    expected = [convert(text) if text else None for text in texts]
    assert column.to_pylist() == expected, column


def instant(text):
    import datetime

    return datetime.datetime.fromisoformat(text)


def check_images(run, folder):
    import pyarrow
    import pyarrow.parquet

    parquet, arrow = folder / "images.parquet", folder / "images.arrow"
    run("images", "-o", str(parquet))
    run("images", "-o", str(arrow))
    rows = texts(run, "images")
    of_parquet = pyarrow.parquet.read_table(parquet)
    of_arrow = pyarrow.ipc.open_stream(arrow).read_all()
    assert of_parquet.drop_columns(["bbox"]).schema.names == of_arrow.schema.names
    for table in (of_parquet, of_arrow):
        assert table.num_rows == 6000
        for name in ("id", "organization_id", "creator_id"):
            equal(table[name], rows[name], int)
        equal(table["captured_at"], rows["captured_at"], instant)
        equal(table["compass_angle"], rows["compass_angle"], float)
        equal(table["sequence_id"], rows["sequence_id"], str)
        equal(table["is_pano"], rows["is_pano"], lambda text: text == "true")
        for name in ("lon", "lat"):
            written = zip(table[name].to_pylist(), map(float, rows[name]))
            assert all(abs(exact - text) < 1e-9 for exact, text in written)
    extension = of_arrow.schema.field("geometry").metadata
    assert extension[b"ARROW:extension:name"] == b"geoarrow.wkb"
    metadata = pyarrow.parquet.read_schema(parquet).metadata
    assert metadata[b"license"] == b"CC BY-SA 4.0" and b"mly1_public" in metadata[b"tilesets"]


def check_boxes(run, folder):
    import duckdb
    import geopandas

    parquet = folder / "images.parquet"
    inside = int(run("images", BOX_OPTION, "--count"))
    frame = geopandas.read_parquet(parquet)
    assert frame.crs.to_authority() == ("OGC", "CRS84"), frame.crs
    assert (frame.geometry.x == frame["lon"]).all() and (frame.geometry.y == frame["lat"]).all()
    some = geopandas.read_parquet(parquet, bbox=BOX)
    west, south, east, north = BOX
    of_geopandas = some.cx[west:east, south:north]
    assert len(of_geopandas) == inside and len(some) < len(frame)
    where = f"lon BETWEEN {west} AND {east} AND lat BETWEEN {south} AND {north}"
    of_duckdb = duckdb.sql(f"SELECT count(*) FROM '{parquet}' WHERE {where}").fetchall()
    covered = duckdb.sql(
        f"SELECT count(*) FROM '{parquet}' WHERE bbox.xmax >= {west} AND bbox.xmin <= {east} "
        f"AND bbox.ymax >= {south} AND bbox.ymin <= {north}").fetchall()
    assert of_duckdb == [(inside,)] and covered[0][0] >= inside


def check_measured(run, folder):
    """What a question measures, in all formats."""
    import geopandas
    import pyarrow
    import pyarrow.parquet

    place = [f"--looking-at={DOOR}", "--radius", "100"]
    rows = texts(run, "images", *place)
    assert len(rows) > 10
    for extension in ("parquet", "arrow", "geojson"):
        path = folder / f"looking.{extension}"
        run("images", *place, "-o", str(path))
        if extension == "geojson":
            columns = geopandas.read_file(path)
        elif extension == "arrow":
            columns = pyarrow.ipc.open_stream(path).read_all().to_pandas()
        else:
            columns = pyarrow.parquet.read_table(path).to_pandas()
        assert list(columns["id"].astype(str)) == list(rows["id"]), "nearest first"
        for name in ("distance_m", "bearing_deg", "offset_deg"):
            for value, text in zip(columns[name], rows[name]):
                assert abs(value - float(text)) < 1e-5 if text else value != value, name


def check_sequences(run, folder):
    import geopandas
    import pyarrow
    import pyogrio

    paths = {name: folder / f"sequences.{name}" for name in ("parquet", "arrow", "geojson", "csv")}
    for path in paths.values():
        run("sequences", "-o", str(path))
    rows = texts(run, "sequences")
    expected = geopandas.GeoSeries.from_wkt(rows["WKT"])
    of_arrow = pyarrow.ipc.open_stream(paths["arrow"]).read_all()
    frames = {
        "parquet": geopandas.read_parquet(paths["parquet"]),
        "arrow": geopandas.GeoDataFrame.from_arrow(of_arrow),
        "geojson": geopandas.read_file(paths["geojson"]),
        "csv": pyogrio.read_dataframe(paths["csv"], AUTODETECT_TYPE="YES"),
    }
    for name, frame in frames.items():
        frame = frame.sort_values("id").reset_index(drop=True)
        assert list(frame["id"]) == list(rows["id"]), name
        assert frame.geometry.is_valid.all(), name
        geometry = frame.geometry.set_crs(None, allow_override=True)
        assert geometry.geom_equals_exact(expected, 1e-8).all(), name
        assert (abs(frame["length_m"] - rows["length_m"].astype(float)) < 1e-5).all(), name
        for count in ("line_parts", "image_count", "tiles_missing"):
            assert (frame[count].astype(int) == rows[count].astype(int)).all(), (name, count)
    for name in ("first_captured_at", "last_captured_at"):
        equal(of_arrow[name], rows[name], instant)


def check_features(run, folder):
    import duckdb
    import geopandas
    import pyarrow

    paths = {name: folder / f"features.{name}" for name in ("parquet", "arrow", "geojson")}
    for path in paths.values():
        run("features", "-o", str(path))
    rows = texts(run, "features")
    assert len(rows) > 100
    found = duckdb.sql(f"SELECT id::VARCHAR, value, kind FROM '{paths['parquet']}'").fetchall()
    assert found == list(zip(rows["id"], rows["value"], rows["kind"]))
    of_arrow = pyarrow.ipc.open_stream(paths["arrow"]).read_all()
    equal(of_arrow["id"], rows["id"], int)
    for name in ("value", "kind"):
        equal(of_arrow[name], rows[name], str)
    for name in ("first_seen_at", "last_seen_at"):
        equal(of_arrow[name], rows[name], instant)
    frame = geopandas.read_file(paths["geojson"])
    for name in ("id", "value", "kind"):
        assert list(frame[name]) == list(rows[name]), name
    for position, name in ((frame.geometry.x, "lon"), (frame.geometry.y, "lat")):
        assert (abs(position - rows[name].astype(float)) < 1e-12).all(), name


def check_geojson(run, folder):
    import geopandas

    rows = texts(run, "images")
    for name in ("images.geojson", "images.geojsonl"):
        run("images", "-o", str(folder / name))
        frame = geopandas.read_file(folder / name)
        assert list(frame["id"]) == list(rows["id"])
        assert (abs(frame.geometry.x - rows["lon"].astype(float)) < 1e-12).all()


def check_csv(run, folder):
    """GDAL finds geometry in both kinds of CSV."""
    import pyogrio

    rows = texts(run, "images")
    plain, wkt = folder / "images.csv", folder / "images-wkt.csv"
    run("images", "-o", str(plain))
    run("images", "--wkt", "-o", str(wkt))
    for path, options in ((plain, {"X_POSSIBLE_NAMES": "lon", "Y_POSSIBLE_NAMES": "lat"}), (wkt, {})):
        frame = pyogrio.read_dataframe(path, **options)
        assert list(frame["id"]) == list(rows["id"])
        for position, name in ((frame.geometry.x, "lon"), (frame.geometry.y, "lat")):
            assert (abs(position - rows[name].astype(float)) < 1e-12).all(), name


def check_flatgeobuf(run, folder):
    """What `tilesight::formats` says of FlatGeobuf."""
    import geopandas
    import pyarrow
    import pyogrio

    arrow, flatgeobuf = folder / "images.arrow", folder / "images.fgb"
    with pyarrow.ipc.open_stream(arrow) as stream:
        pyogrio.write_arrow(stream, flatgeobuf, geometry_name="geometry", geometry_type="Point",
                            crs="OGC:CRS84")
    frame, rows = geopandas.read_file(flatgeobuf), texts(run, "images")
    assert sorted(frame["id"]) == sorted(rows["id"].astype("int64"))


def check_fields(run, folder):
    import pyarrow.parquet

    path = folder / "fields.parquet"
    run("images", "-o", str(path), "--fields", "captured_at,id")
    table = pyarrow.parquet.read_table(path)
    assert table.schema.names == ["captured_at", "id"]
    assert b"geo" not in (pyarrow.parquet.read_schema(path).metadata or {})


def check_partitions(run, folder):
    from collections import Counter

    import duckdb
    import geopandas

    dataset = folder / "dataset"
    run("export", "-o", str(dataset), "--partition-zoom", "13")
    files = f"read_parquet('{dataset}/**/*.parquet', hive_partitioning = true)"
    of_duckdb = dict(duckdb.sql(f"SELECT tile, count(*) FROM {files} GROUP BY tile").fetchall())
    frame = geopandas.read_parquet(dataset)
    assert Counter(frame["tile"].astype(str)) == of_duckdb and sum(of_duckdb.values()) == 6000
    assert set(frame["z"].astype(int)) == {13}
    west, south, east, north = BOX
    where = f"lon BETWEEN {west} AND {east} AND lat BETWEEN {south} AND {north}"
    found = duckdb.sql(f"SELECT id::VARCHAR FROM {files} WHERE {where}").fetchall()
    of_program = run("images", BOX_OPTION, "-f", "ids").split()
    of_geopandas = geopandas.read_parquet(dataset, bbox=BOX).cx[west:east, south:north]
    assert sorted(id for (id,) in found) == sorted(of_program)
    assert sorted(map(str, of_geopandas["id"])) == sorted(of_program)


if __name__ == "__main__":
    main()
