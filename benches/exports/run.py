#!/usr/bin/env python3
"""Exports of the same images by Tilesight, DuckDB, pyogrio (GDAL) and pyarrow, side by side.

    python3 benches/exports/run.py [--rows 10000000] [--pyogrio-rows 1000000]

Makes its own virtual environment under target/ and needs nothing but Python 3.10. Rivals start
from the rows that Tilesight wrote, in memory as they like them best, which is not timed. Times are
the medians of three runs, of pyogrio one; pyogrio writes fewer rows, since it takes long, and its
time is that for as many. Figures go to target/criterion in the form that the program `table` reads.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
VENV = TARGET / "python-exports"
FOLDER = TARGET / "exports"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--pyogrio-rows", type=int, default=1_000_000)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.inside:
        return enter_environment()
    FOLDER.mkdir(parents=True, exist_ok=True)
    ours = run_ours(arguments.rows)
    theirs = run_rivals(arguments.rows, min(arguments.rows, arguments.pyogrio_rows))
    report(arguments.rows, ours, theirs)


def enter_environment():
    python = VENV / "bin" / "python"
    if not python.exists():
        venv.create(VENV, with_pip=True)
    requirements = Path(__file__).with_name("requirements.txt")
    subprocess.run([python, "-m", "pip", "install", "-q", "-r", requirements], check=True)
    os.execv(python, [python, __file__, *sys.argv[1:], "--inside"])


def run_ours(rows):
    command = ["cargo", "run", "-q", "--release", "-p", "tilesight-benches", "--bin", "exports"]
    lines = subprocess.run(
        [*command, "--", str(rows), str(FOLDER)],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
    ).stdout.splitlines()
    figures = [json.loads(line) for line in lines]
    return {f["format"]: (f["seconds"], f["bytes"]) for f in figures}


def median_seconds(write, runs=3):
    def seconds():
        begun = time.perf_counter()
        write()
        return time.perf_counter() - begun

    return statistics.median(seconds() for _ in range(runs))


def run_rivals(rows, few):
    import duckdb
    import geopandas
    import pyarrow
    import pyarrow.feather
    import pyarrow.parquet
    import pyogrio

    table = pyarrow.parquet.read_table(FOLDER / "rows.parquet")
    assert table.num_rows == rows
    out = lambda name: str(FOLDER / name)
    figures = {}

    def measure(format, engine, name, write, runs=3, scale=1.0):
        seconds = median_seconds(write, runs) * scale
        figures.setdefault(format, {})[engine] = (seconds, os.path.getsize(out(name)) * scale)

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("arrow_rows", table.drop_columns(["geometry", "bbox"]))
    connection.execute("CREATE TABLE plain AS SELECT * FROM arrow_rows")
    connection.register("arrow_rows", table)
    connection.execute("CREATE TABLE whole AS SELECT * FROM arrow_rows")
    copy = lambda rows, name, options: lambda: connection.execute(
        f"COPY {rows} TO '{out(name)}' ({options})"
    )
    measure("csv", "duckdb", "duckdb.csv", copy("plain", "duckdb.csv", "FORMAT csv, HEADER"))
    # Without the extension for geometry, the text of features is made by hand, as in the field.
    features = """(SELECT 'Feature' AS type,
        {'type': 'Point', 'coordinates': [lon, lat]} AS geometry,
        {'id': id::VARCHAR, 'captured_at': captured_at, 'compass_angle': compass_angle,
         'is_pano': is_pano, 'sequence_id': sequence_id,
         'organization_id': organization_id::VARCHAR, 'creator_id': creator_id::VARCHAR}
        AS properties FROM plain)"""
    measure("geojsonl", "duckdb", "duckdb.geojsonl", copy(features, "duckdb.geojsonl", "FORMAT json"))
    measure("parquet", "duckdb", "duckdb.parquet",
            copy("whole", "duckdb.parquet", "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1"))
    measure("parquet", "pyarrow", "pyarrow.parquet", lambda: pyarrow.parquet.write_table(
        table, out("pyarrow.parquet"), compression="zstd", compression_level=1))
    measure("arrow", "pyarrow", "pyarrow.arrow", lambda: write_stream(table, out("pyarrow.arrow")))
    connection.close()

    frame = geopandas.GeoDataFrame(
        (some := table.slice(0, few).drop_columns(["bbox"]).to_pandas()).drop(columns="geometry"),
        geometry=geopandas.points_from_xy(some["lon"], some["lat"]), crs="OGC:CRS84")
    frame["sequence_id"] = frame["sequence_id"].astype(str)
    scale = rows / few
    points = frame.drop(columns=["lon", "lat"])
    table = frame.drop(columns="geometry")
    for format, driver, layer, options in [
        ("geojson", "GeoJSON", points, {"COORDINATE_PRECISION": "9"}),
        ("geojsonl", "GeoJSONSeq", points, {"COORDINATE_PRECISION": "9"}),
        ("csv", "CSV", table, {}),
    ]:
        path = out(f"pyogrio.{format}")
        measure(format, "pyogrio", f"pyogrio.{format}", lambda: pyogrio.write_dataframe(
            layer, path, driver=driver, layer_options=options), 1, scale)
    return figures


def write_stream(table, path):
    import pyarrow

    with pyarrow.ipc.new_stream(path, table.schema) as stream:
        stream.write_table(table)


def report(rows, ours, theirs):
    for number, (format, (seconds, size)) in enumerate(ours.items(), 1):
        engines = {"tilesight": (seconds, size), **theirs.get(format, {})}
        for engine, (seconds_of, size_of) in engines.items():
            leave_figures(f"export/{number} {format}", engine, seconds_of, rows)
            print(f"{format:9} {engine:9} {seconds_of:8.2f} s  {size_of / 1e6:8.0f} MB  "
                  f"{seconds_of / seconds:6.2f}x")


def leave_figures(group, engine, seconds, rows):
    folder = TARGET / "criterion" / group.replace("/", "_") / engine / "new"
    folder.mkdir(parents=True, exist_ok=True)
    benchmark = {"group_id": group, "function_id": engine, "throughput": {"Elements": rows}}
    (folder / "benchmark.json").write_text(json.dumps(benchmark))
    estimates = {"median": {"point_estimate": seconds * 1e9}}
    (folder / "estimates.json").write_text(json.dumps(estimates))


if __name__ == "__main__":
    main()
