"""Writes files beside the program `exports`, which tells it what to write and times both in turns.

    python3 exports.py ROWS.arrow FORMAT

Reads the rows that Tilesight wrote, has each peer that writes the format hold them as it likes them
best, and prints who these are, as JSON. Then it does as the lines say that it is given, and answers
each with JSON:

    ["write", PEER, PATH]     how many seconds it took
    ["check", PATH]           count, sum of the ids, and some rows, in one form for all formats
"""

import environment

environment.enter()

import json
import math
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.ipc

# What the files are checked for: each of these rows, and the sum of all ids.
SAMPLE = 10_007
GRID_SIDE = 2**32
LEVEL = 1
COLUMNS = ["lon", "lat", "id", "captured_at", "compass_angle", "is_pano", "sequence_id",
           "organization_id", "creator_id"]
PROPERTIES = COLUMNS[2:]


class DuckDb:
    """A table of its own. GeoJSON is JSON that is made up by hand, which is its fastest way."""

    formats = ("geojson", "csv", "parquet")

    def __init__(self, table):
        import duckdb_extension_spatial

        package = Path(duckdb_extension_spatial.__file__).parent
        spatial = next(package.rglob("spatial.duckdb_extension"))
        self.connection = duckdb.connect()
        self.connection.execute(f"LOAD '{spatial}'")
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.register("given", table)
        self.connection.execute(
            "CREATE TABLE images AS SELECT * REPLACE (ST_Point(lon, lat) AS geometry),"
            " {'xmin': lon::FLOAT, 'ymin': lat::FLOAT, 'xmax': lon::FLOAT, 'ymax': lat::FLOAT}"
            " AS bbox FROM given")
        self.connection.unregister("given")

    def writers(self):
        plain = ", ".join(COLUMNS)
        properties = ", ".join(f"'{name}': {self.json_value(name)}" for name in PROPERTIES)
        feature = (
            "SELECT 'Feature' AS type, {'type': 'Point', 'coordinates': [lon, lat]} AS geometry, "
            f"{{{properties}}} AS properties FROM images")
        zstd = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {LEVEL}"
        copy = self.copy
        return {
            ("geojson", "DuckDB"): copy(feature, "FORMAT json"),
            ("csv", "DuckDB"): copy(f"SELECT {plain} FROM images", "FORMAT csv, HEADER"),
            ("parquet", "DuckDB"): copy("FROM images", zstd),
            ("parquet", "DuckDB, version 2"): copy("FROM images", f"{zstd}, PARQUET_VERSION v2"),
        }

    def json_value(self, name):
        if name.endswith("id") and name != "sequence_id":
            return f"{name}::VARCHAR"
        if name == "captured_at":
            return "strftime(captured_at, '%Y-%m-%dT%H:%M:%S.%gZ')"
        return name

    def copy(self, query, options):
        return lambda path: self.connection.execute(f"COPY ({query}) TO '{path}' ({options})")


class Pyogrio:
    """GDAL, out of Arrow."""

    formats = ("geojson", "csv")

    def __init__(self, table):
        # GDAL takes texts rather than dictionaries of them.
        texts = table["sequence_id"].cast(pyarrow.string())
        at = table.schema.get_field_index("sequence_id")
        self.table = table.set_column(at, "sequence_id", texts)

    def writers(self):
        return {("geojson", "pyogrio"): self.geojson, ("csv", "pyogrio"): self.csv}

    def geojson(self, path):
        import pyogrio

        columns = [*PROPERTIES, "geometry"]
        pyogrio.write_arrow(
            self.table.select(columns), path, driver="GeoJSON", geometry_name="geometry",
            geometry_type="Point", crs="OGC:CRS84", COORDINATE_PRECISION="9")

    def csv(self, path):
        import pyogrio

        pyogrio.write_arrow(self.table.select(COLUMNS), path, driver="CSV")


class PyArrow:
    """Arrow's own writers."""

    formats = ("csv", "parquet", "arrow")

    def __init__(self, table):
        self.table = table

    def writers(self):
        return {
            ("csv", "pyarrow"): self.csv,
            ("parquet", "pyarrow"): self.parquet,
            ("arrow", "pyarrow"): self.stream,
        }

    def csv(self, path):
        import pyarrow.csv

        pyarrow.csv.write_csv(self.table.select(COLUMNS), path)

    def parquet(self, path):
        import pyarrow.parquet

        pyarrow.parquet.write_table(
            self.table, path, compression="zstd", compression_level=LEVEL)

    def stream(self, path):
        with pyarrow.ipc.new_stream(path, self.table.schema) as stream:
            stream.write_table(self.table)


def summary(format, path):
    """What a file says: how many rows, the sum of their ids, and some rows in one form."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    if format == "arrow":
        given = pyarrow.ipc.open_stream(path).read_all().select(COLUMNS)
        connection.register("given", given)
    source = {
        "arrow": "given",
        "parquet": f"read_parquet('{path}')",
        "csv": f"read_csv('{path}', all_varchar = true, header = true)",
        "geojson": features(path),
    }[format]
    count, ids = connection.execute(
        f"SELECT count(*), sum(id::HUGEINT)::VARCHAR FROM {source}").fetchone()
    texts = ", ".join(f"{name}::VARCHAR" for name in COLUMNS)
    sample = connection.execute(
        f"SELECT {texts} FROM {source} WHERE id::BIGINT % {SAMPLE} = 0 ORDER BY id::BIGINT")
    return {"count": count, "ids": ids, "rows": [normal(row) for row in sample.fetchall()]}


def features(path):
    """Features, of which each stands on a line, as columns."""
    properties = ", ".join(f"feature->'properties'->>'{name}' AS {name}" for name in PROPERTIES)
    return (
        "(SELECT feature->'geometry'->'coordinates'->>0 AS lon,"
        f" feature->'geometry'->'coordinates'->>1 AS lat, {properties}"
        " FROM (SELECT rtrim(line, ',')::JSON AS feature"
        f" FROM read_csv('{path}', columns = {{'line': 'VARCHAR'}}, delim = '\x01', quote = '',"
        " escape = '', header = false, auto_detect = false)"
        " WHERE line LIKE '%\"Feature\"%'))")


def normal(row):
    """Texts of a row as numbers, as far as the formats can agree on them."""
    lon, lat, id, captured_at, compass_angle, is_pano, sequence_id, *others = row
    return [
        *on_the_grid(float(lon), float(lat)),
        int(id),
        captured_at and milliseconds(captured_at),
        compass_angle and round(float(compass_angle), 9),
        is_pano and is_pano.lower() in ("true", "1"),
        sequence_id or None,
        *(int(other) if other else None for other in others),
    ]


def on_the_grid(lon, lat):
    """Column and row of the world grid, to which nine decimals lead back."""
    mercator = math.asinh(math.tan(math.radians(lat))) / math.pi
    return round((lon + 180) / 360 * GRID_SIDE), round((1 - mercator) / 2 * GRID_SIDE)


def milliseconds(text):
    at = datetime.fromisoformat(text.replace("/", "-"))
    return round(at.replace(tzinfo=at.tzinfo or timezone.utc).timestamp() * 1000)


def main():
    rows, format = sys.argv[1:]
    with pyarrow.OSFile(rows) as file:
        table = pyarrow.ipc.open_stream(file.read()).read_all()
    writers, notes = {}, []
    for peer in (Pyogrio, DuckDb, PyArrow):
        if format not in peer.formats:
            continue
        try:
            of_peer = peer(table).writers().items()
            writers |= {name: write for (of, name), write in of_peer if of == format}
        except Exception as error:  # Whatever keeps a peer out is told in the table.
            notes.append(f"{peer.__name__} could not take part: {type(error).__name__}: {error}.")
    say({"peers": list(writers), "notes": notes})
    for line in sys.stdin:
        what, *words = json.loads(line)
        try:
            say(write(writers, *words) if what == "write" else summary(format, *words))
        except Exception as error:
            say({"problem": f"{type(error).__name__}: {error}"})


def write(writers, peer, path):
    begun = time.perf_counter()
    writers[peer](path)
    return {"seconds": time.perf_counter() - begun}


def say(answer):
    print(json.dumps(answer), flush=True)


main()
