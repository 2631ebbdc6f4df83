"""Asks peers that are called from Python the questions that the program `bars` has exported.

    python3 peers.py EXPORTED RECORD.json [SECONDS]

Every answer is a list of ids (or counts by year) and its length is compared with what Tilesight
found before anything is timed. A question's time is the best of its turns, as in Rust; each kind
of question has SECONDS.
"""

import environment

environment.enter()

import atexit
import importlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

EARTH_RADIUS_M = 6_371_008.8
TURNS = 3
FEWEST = 10
COLUMNS = {
    "id": "i64",
    "lon": "f64",
    "lat": "f64",
    "captured_at": "i64",
    "heading": "f64",
    "organization": "i64",
    "pano": "i64",
}


def read_columns(folder):
    """The exported columns, ordered along a curve through space: rows near each other on the
    ground are near each other in memory, which helps every peer."""
    columns = {
        name: np.fromfile(folder / f"{name}.{kind}", dtype={"i64": "<i8", "f64": "<f8"}[kind])
        for name, kind in COLUMNS.items()
    }
    order = np.argsort(z_order(columns["lon"], columns["lat"]), kind="stable")
    return {name: column[order] for name, column in columns.items()}


def z_order(lon, lat):
    """Numbers of the cells of a fine grid whose bits interleave those of column and row."""

    def spread(values):
        low, high = values.min(), values.max()
        bits = ((values - low) / (high - low) * 0xFFFF).astype(np.uint64)
        for shift, mask in [(8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)]:
            bits = (bits | (bits << np.uint64(shift))) & np.uint64(mask)
        return bits

    return spread(lon) | (spread(lat) << np.uint64(1))


def box_around(question):
    """The box in degrees around whatever is asked for."""
    if "bbox" in question:
        return question["bbox"]
    if "polygon" in question:
        shell = np.array(question["polygon"][0])
        return [*shell.min(axis=0), *shell.max(axis=0)]
    # A hair wider than the circle, and never narrower anywhere near it.
    north = math.degrees(question["radius_m"] / EARTH_RADIUS_M) * (1 + 1e-9)
    east = north / math.cos(math.radians(abs(question["lat"]) + north))
    lon, lat = question["lon"], question["lat"]
    return [lon - east, lat - north, lon + east, lat + north]


def haversine_m(lon, lat, question):
    to_lon, to_lat = math.radians(question["lon"]), math.radians(question["lat"])
    lon, lat = np.radians(lon), np.radians(lat)
    half = (
        np.sin((lat - to_lat) / 2) ** 2
        + np.cos(lat) * math.cos(to_lat) * np.sin((lon - to_lon) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(half))


def passing(columns, rows, condition):
    """Those of some rows that are as a condition says."""
    if condition is None:
        return rows
    values = columns[condition["column"]][rows]
    passes = values >= condition["from"]
    if "to" in condition:
        passes &= values <= condition["to"]
    return rows[passes]


def wkt(question):
    if "polygon" in question:
        rings = question["polygon"]
    else:
        west, south, east, north = question["bbox"]
        rings = [[[west, south], [east, south], [east, north], [west, north], [west, south]]]
    texts = ("(" + ", ".join(f"{x!r} {y!r}" for x, y in ring) + ")" for ring in rings)
    return f"POLYGON ({', '.join(texts)})"


class Peer:
    """One way to answer. `asks` tells the kinds of question it takes part in."""

    needs = ()
    faster = 50.0

    def bar(self, kind):
        return self.faster

    def asks(self, kind):
        return not kind["by_year"]

    def count(self, kind, question):
        return len(self.ids(kind, question))


class Sql(Peer):
    """One that is asked in SQL, about a table `images` of the columns."""

    point, power = "ST_Point(lon, lat)", "**"

    def where(self, kind, question):
        west, south, east, north = map(float, box_around(question))
        where = f"lon BETWEEN {west!r} AND {east!r} AND lat BETWEEN {south!r} AND {north!r}"
        condition = kind["condition"]
        if condition:
            where += f" AND {condition['column']} >= {condition['from']}"
            if "to" in condition:
                where += f" AND {condition['column']} <= {condition['to']}"
        if "polygon" in question:
            polygon = f"ST_GeomFromText('{wkt(question)}')"
            where += f" AND ST_Intersects({polygon}, {self.point})"
        if "radius_m" in question:
            lon, lat = question["lon"], question["lat"]
            where += (
                f" AND 2 * {EARTH_RADIUS_M} * asin(sqrt(sin(radians(lat - {lat!r}) / 2) {self.power} 2"
                f" + cos(radians(lat)) * cos(radians({lat!r}))"
                f" * sin(radians(lon - {lon!r}) / 2) {self.power} 2)) <= {question['radius_m']!r}"
            )
        return where


class DuckDb(Sql):
    """Rows in spatial order, so that whole row groups are skipped; one thread."""

    name, needs = "DuckDB", ("duckdb", "duckdb_extension_spatial")

    def __init__(self, columns):
        import duckdb
        import duckdb_extension_spatial

        package = Path(duckdb_extension_spatial.__file__).parent
        spatial = next(package.rglob("spatial.duckdb_extension"))
        self.connection = duckdb.connect()
        self.connection.execute(f"LOAD '{spatial}'")
        self.connection.execute("SET threads = 1")
        self.connection.register("columns", columns_as_arrow(columns))
        self.connection.execute("CREATE TABLE images AS SELECT * FROM columns")

    def asks(self, kind):
        return True

    def bar(self, kind):
        return 25.0 if kind["by_year"] else 50.0

    def ids(self, kind, question):
        where = self.where(kind, question)
        return self.connection.execute(f"SELECT id FROM images WHERE {where}").fetchnumpy()["id"]

    def years(self, kind, question):
        # Times of 0 and beyond year 9999 are unknown.
        counts = self.connection.execute(
            "SELECT CASE WHEN captured_at BETWEEN 1 AND 253402300799999"
            " THEN year(make_timestamp(captured_at * 1000)) END AS year, count(*)"
            f" FROM images WHERE {self.where(kind, question)} GROUP BY year ORDER BY year"
        ).fetchall()
        return [f"{'unknown' if year is None else year}: {count}" for year, count in counts]


class PostGis(Sql):
    """A table in spatial order with a GiST index; a server of its own, and one process of it."""

    name, needs = "PostGIS", ("psycopg", "pyarrow.csv")
    point, power = "geometry", "^"

    def __init__(self, columns):
        import psycopg

        socket = start_postgres()
        self.connection = psycopg.connect(host=str(socket), user="bars", dbname="postgres", autocommit=True)
        self.cursor = self.connection.cursor(binary=True)
        self.cursor.execute("CREATE EXTENSION postgis")
        self.load(columns)

    def load(self, columns):
        from pyarrow import csv

        types = {"i64": "bigint", "f64": "double precision"}
        declared = ", ".join(f"{name} {types[kind]}" for name, kind in COLUMNS.items())
        self.cursor.execute(f"CREATE UNLOGGED TABLE rows ({declared})")
        with self.cursor.copy(f"COPY rows ({', '.join(COLUMNS)}) FROM STDIN (FORMAT csv)") as copy:
            options = csv.WriteOptions(include_header=False)
            csv.write_csv(columns_as_arrow(columns).select(list(COLUMNS)), CopySink(copy), options)
        self.cursor.execute("CREATE UNLOGGED TABLE images AS SELECT *, ST_Point(lon, lat) AS geometry FROM rows")
        self.cursor.execute("DROP TABLE rows")
        self.cursor.execute("CREATE INDEX ON images USING gist (geometry)")
        self.cursor.execute("VACUUM (FREEZE, ANALYZE) images")

    def where(self, kind, question):
        # The index holds boxes as floats, a little too large; the numbers beside it decide.
        corners = ", ".join(repr(float(edge)) for edge in box_around(question))
        return f"geometry && ST_MakeEnvelope({corners}) AND {super().where(kind, question)}"

    def ids(self, kind, question):
        found = self.cursor.execute(f"SELECT id FROM images WHERE {self.where(kind, question)}")
        return found.fetchall()


class CopySink:
    """A file, as pyarrow writes to one, that is a COPY of PostgreSQL's."""

    closed = False

    def __init__(self, copy):
        self.write = copy.write

    def flush(self):
        pass


def start_postgres():
    """Starts a server in a folder of its own, which ends with this program.

    Returns the folder of its socket.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [Path(shutil.which("initdb") or "initdb").parent]
    folder = Path(tempfile.mkdtemp(prefix="bars-"))
    # PostgreSQL does not run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    # Memory for the whole table, and one process a question, like all others.
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": folder,
        "shared_buffers": "4GB",
        "maintenance_work_mem": "1GB",
        "max_parallel_workers_per_gather": 0,
        "jit": "off",
        "fsync": "off",
    }

    def run(program, *words):
        subprocess.run([found[-1] / program, *words], check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

    def stop():
        run("pg_ctl", "stop", "--mode=immediate", f"--pgdata={folder / 'data'}")
        shutil.rmtree(folder)

    run("initdb", "--username=bars", "--auth=trust", "--encoding=UTF8", "--no-sync", f"--pgdata={folder / 'data'}")
    options = " ".join(f"-c {name}={str(value)!r}" for name, value in settings.items())
    run("pg_ctl", "start", "--wait", f"--log={folder / 'log'}", f"--pgdata={folder / 'data'}", f"--options={options}")
    atexit.register(stop)
    return folder


class SedonaDb(Peer):
    name, needs = "SedonaDB", ("sedonadb", "geoarrow.pyarrow")

    def __init__(self, columns):
        import sedonadb

        self.session = sedonadb.connect()
        self.session.create_data_frame(columns_as_arrow(columns)).to_view("columns")
        view = self.session.sql("SELECT *, ST_Point(lon, lat) AS geometry FROM columns")
        view.to_memtable().to_view("images")

    def asks(self, kind):
        return not kind["by_year"] and "radius_m" not in kind["questions"][0]

    def ids(self, kind, question):
        west, south, east, north = map(float, box_around(question))
        where = f"lon BETWEEN {west!r} AND {east!r} AND lat BETWEEN {south!r} AND {north!r}"
        if "polygon" in question:
            where += f" AND ST_Intersects(geometry, ST_GeomFromText('{wkt(question)}'))"
        condition = kind["condition"]
        if condition:
            where += f" AND {condition['column']} >= {condition['from']}"
            if "to" in condition:
                where += f" AND {condition['column']} <= {condition['to']}"
        return self.session.sql(f"SELECT id FROM images WHERE {where}").to_arrow_table()["id"]


class GeoPandas(Peer):
    """A GeoDataFrame, its spatial index, and a look at the column asked for."""

    name, needs = "GeoPandas", ("geopandas",)

    def __init__(self, columns):
        import geopandas

        points = geopandas.points_from_xy(columns["lon"], columns["lat"])
        self.frame = geopandas.GeoDataFrame(columns, geometry=points)
        self.columns = columns
        self.frame.sindex.query(self.frame.geometry.iloc[0])

    def rows(self, kind, question):
        return self.frame.sindex.query(shape(question), predicate="intersects")

    def ids(self, kind, question):
        rows = self.rows(kind, question)
        if "radius_m" in question:
            rows = within(self.columns, rows, question)
        rows = passing(self.columns, rows, kind["condition"])
        return self.frame["id"].take(rows)


class StrTree(Peer):
    """shapely's tree of points, and the columns beside it."""

    name, needs, faster = "shapely STRtree", ("shapely",), 5.0

    def __init__(self, columns):
        import shapely

        self.columns = columns
        self.tree = shapely.STRtree(shapely.points(columns["lon"], columns["lat"]))
        self.tree.query(shapely.Point(0, 0))

    def asks(self, kind):
        question = kind["questions"][0]
        is_plain = kind["condition"] is None and not kind["by_year"]
        return is_plain and "polygon" not in question

    def ids(self, kind, question):
        import shapely

        # The box of a point is the point: no further test is needed.
        rows = self.tree.query(shapely.box(*box_around(question)))
        if "radius_m" in question:
            rows = within(self.columns, rows, question)
        return self.columns["id"][rows]


class KdTree(Peer):
    """scipy's tree of directions from the centre of the Earth."""

    name, needs, faster = "scipy cKDTree", ("scipy.spatial",), 5.0

    def __init__(self, columns):
        from scipy.spatial import cKDTree

        self.columns = columns
        self.tree = cKDTree(directions(columns["lon"], columns["lat"]))

    def asks(self, kind):
        return "radius_m" in kind["questions"][0]

    def ids(self, kind, question):
        chord = 2 * math.sin(question["radius_m"] / EARTH_RADIUS_M / 2)
        at = directions(np.array([question["lon"]]), np.array([question["lat"]]))[0]
        rows = np.array(self.tree.query_ball_point(at, chord * (1 + 1e-9)), dtype=np.int64)
        return self.columns["id"][within(self.columns, rows, question)]


class Polars(Peer):
    """A scan of columns in spatial order."""

    name, needs = "Polars", ("polars",)

    def __init__(self, columns):
        import polars

        self.polars = polars
        self.frame = polars.DataFrame(columns)

    def asks(self, kind):
        return not kind["by_year"] and "bbox" in kind["questions"][0]

    def ids(self, kind, question):
        column = self.polars.col
        west, south, east, north = question["bbox"]
        wanted = column("lon").is_between(west, east) & column("lat").is_between(south, north)
        condition = kind["condition"]
        if condition:
            value = column(condition["column"])
            # Polars holds that NaN is greater than all numbers.
            wanted &= (value >= condition["from"]) & value.cast(float).is_not_nan()
            if "to" in condition:
                wanted &= value <= condition["to"]
        return self.frame.lazy().filter(wanted).select("id").collect()["id"]


def columns_as_arrow(columns):
    import pyarrow

    return pyarrow.table(columns)


def shape(question):
    import shapely

    if "polygon" in question:
        shell, *holes = question["polygon"]
        return shapely.Polygon(shell, holes)
    return shapely.box(*box_around(question))


def within(columns, rows, question):
    """Those of some rows that lie within the radius."""
    far = haversine_m(columns["lon"][rows], columns["lat"][rows], question)
    return rows[far <= question["radius_m"]]


def directions(lon, lat):
    lon, lat = np.radians(lon), np.radians(lat)
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


PEERS = [DuckDb, PostGis, SedonaDb, GeoPandas, StrTree, KdTree, Polars]


def check(peer, kind, seconds):
    """Compares answers, and returns how many there was time for."""
    start = time.perf_counter()
    for asked, (question, expected) in enumerate(zip(kind["questions"], kind["expected"])):
        if asked >= FEWEST and time.perf_counter() - start > seconds:
            return asked
        found = (peer.years if kind["by_year"] else peer.count)(kind, question)
        if found != expected:
            raise ValueError(f"question {asked}: {found} instead of {expected}")
    return len(kind["questions"])


def measure(peer, kind, asked, seconds):
    """Nanoseconds of each question: the best of its turns."""
    ask = peer.years if kind["by_year"] else peer.ids
    best = np.full(asked, np.iinfo(np.int64).max)
    begin = time.perf_counter()
    for turn in range(TURNS):
        if turn and time.perf_counter() - begin > seconds:
            break
        for i, question in enumerate(kind["questions"][:asked]):
            start = time.perf_counter_ns()
            ask(kind, question)
            best[i] = min(best[i], time.perf_counter_ns() - start)
    return {
        "mean_ns": float(best.mean()),
        "p50_ns": float(np.quantile(best, 0.5)),
        "p99_ns": float(np.quantile(best, 0.99)),
    }


def compare(peer, kinds, seconds, record):
    for kind in filter(peer.asks, kinds):
        try:
            asked = check(peer, kind, seconds)
        except ValueError as difference:
            record["notes"].append(f"{peer.name} differs, and was not timed: {kind['title']}, {difference}.")
            continue
        record["comparisons"].append(
            {
                "number": kind["number"],
                "title": kind["title"],
                "peer": peer.name,
                "questions": asked,
                "ours": kind["ours"],
                "theirs": measure(peer, kind, asked, seconds),
                "bar": {"faster": peer.bar(kind)},
            }
        )


def main():
    folder, target = Path(sys.argv[1]), Path(sys.argv[2])
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 6.0
    kinds = json.loads((folder / "questions.json").read_text())
    columns = read_columns(folder)
    record = {"comparisons": [], "limits": [], "notes": []}
    for make in PEERS:
        try:
            for module in make.needs:
                importlib.import_module(module)
            peer = make(columns)
        except Exception as error:  # Whatever keeps a peer out is told in the table.
            record["notes"].append(f"{make.name} could not be asked: {type(error).__name__}: {error}.")
            continue
        print(f"{peer.name} …", file=sys.stderr)
        compare(peer, kinds, seconds, record)
        del peer
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(record, indent=2))


main()
