"""Whatever reads Arrow reads an answer, with geometry and coordinate reference system."""

import json

import duckdb
import geopandas
import pandas
import polars
import pyarrow
import pytest
import shapely
from conftest import BOX, DOOR


@pytest.fixture(scope="module")
def seen(town):
    return town.images(looking_at=DOOR)


@pytest.fixture(scope="module")
def expected(seen):
    """The rows as GeoJSON has them, which no Arrow has touched."""
    return json.loads(seen.to_geojson())["features"]


def wkb_of(expected):
    return [shapely.to_wkb(shapely.geometry.shape(row["geometry"])) for row in expected]


def places(geometries):
    return [[round(x, 9), round(y, 9)] for x, y in shapely.get_coordinates(geometries)]


def places_of(expected):
    return [row["geometry"]["coordinates"] for row in expected]


def test_pyarrow_has_the_extension_type_in_its_metadata(seen, expected):
    table = pyarrow.table(seen)
    field = table.schema.field("geometry").metadata
    assert field[b"ARROW:extension:name"] == b"geoarrow.wkb"
    crs = json.loads(field[b"ARROW:extension:metadata"])["crs"]
    assert crs["id"] == {"authority": "OGC", "code": "CRS84"}
    assert places(shapely.from_wkb(table["geometry"])) == places_of(expected)
    assert [str(id) for id in table["id"].to_pylist()] == [row["properties"]["id"] for row in expected]
    assert table.schema.metadata[b"license"] == b"CC BY-SA 4.0"
    assert table == seen.to_arrow()


def test_geopandas_has_geometry_and_crs(seen, expected):
    for frame in (geopandas.GeoDataFrame.from_arrow(seen), seen.to_geopandas()):
        assert frame.crs.to_authority() == ("OGC", "CRS84")
        assert places(frame.geometry) == places_of(expected)
        assert frame["distance_m"].is_monotonic_increasing
        assert (frame.geometry.x == frame["lon"]).all()


def test_geopandas_has_lines(town):
    frame = town.sequences(bbox=BOX).to_geopandas()
    assert frame.crs.to_authority() == ("OGC", "CRS84")
    assert frame.geometry.is_valid.all()
    lengths = frame.geometry.to_crs(frame.estimate_utm_crs()).length
    assert ((lengths - frame["length_m"]).abs() <= 0.01 * frame["length_m"] + 0.1).all()


def test_pandas_keeps_ids_that_doubles_round(town):
    frame = town.images().to_pandas()
    ids = [row["properties"]["organization_id"] for row in town.images().__geo_interface__["features"]]
    assert frame["organization_id"].dtype == "Int64"
    assert [None if pandas.isna(id) else str(id) for id in frame["organization_id"]] == ids
    assert frame["captured_at"].dt.tz is not None


def test_polars_has_geometry_as_wkb(seen, expected):
    for frame in (polars.DataFrame(seen), seen.to_polars()):
        # Of versions that know extension types.
        if frame["geometry"].dtype != polars.Binary:
            assert "geoarrow.wkb" in str(frame["geometry"].dtype)
            assert "CRS84" in str(frame["geometry"].dtype)
        assert places(shapely.from_wkb(frame["geometry"].to_list())) == places_of(expected)
        assert frame["captured_at"].dtype.time_zone == "UTC"
        assert frame["sequence_id"].cast(polars.String).to_list() == [
            row["properties"]["sequence_id"] for row in expected
        ]


def test_duckdb_asks_by_name(seen, expected):
    answer = seen
    found = duckdb.sql("SELECT id::VARCHAR, lon FROM answer ORDER BY distance_m").fetchall()
    assert [id for id, _ in found] == [row["properties"]["id"] for row in expected]
    assert answer is seen


def test_duckdb_passes_geometry_on(seen, expected):
    answer = seen
    (type_,) = duckdb.sql("SELECT geometry FROM answer").types
    assert str(type_) == "GEOMETRY('OGC:CRS84')"
    table = duckdb.sql("SELECT geometry FROM answer ORDER BY distance_m").to_arrow_table()
    assert places(shapely.from_wkb(table["geometry"].to_pylist())) == places_of(expected)
    field = table.schema.field("geometry")
    assert field.metadata[b"ARROW:extension:name"] == b"geoarrow.wkb"
    assert b"CRS84" in field.metadata[b"ARROW:extension:metadata"]
    assert answer is seen


def test_shapely_reads_the_geo_interface(seen, expected):
    features = seen.__geo_interface__["features"]
    shapes = [shapely.geometry.shape(feature["geometry"]) for feature in features]
    assert places(shapes) == places_of(expected)


def test_an_answer_of_many_batches_is_whole(town):
    # More rows than a batch has.
    doors = [DOOR] * 2_000
    join = town.images_each(looking_at=doors)
    table = join.to_arrow()
    assert table["geometry"].num_chunks > 1
    assert table.num_rows == len(join) == 16 * len(doors)
    assert join.to_geopandas()["target"].value_counts().eq(16).all()
    assert polars.DataFrame(join).height == table.num_rows


def test_an_empty_answer_has_columns(town):
    nothing = town.images(id=1)
    assert len(nothing) == 0 and not nothing
    assert pyarrow.table(nothing).schema.equals(pyarrow.table(town.images(limit=1)).schema)
    assert nothing.to_geopandas().crs.to_authority() == ("OGC", "CRS84")
    assert nothing.to_polars().is_empty()
    assert "svg" in nothing._repr_html_()


def test_an_answer_outlives_its_dataset():
    import tilesight

    answer = tilesight.open("fixtures/town").images(limit=5)
    stream = answer.__arrow_c_stream__()
    ids = answer.ids()
    del answer
    assert stream is not None and len(ids) == 5


def test_notebooks_show_a_picture_and_a_table(seen, town):
    html = seen._repr_html_()
    assert html.count("<circle") == 16 and "captured_at" in html
    assert town.sequences(bbox=BOX)._repr_html_().count("<polyline") > 1
    assert town.images()._repr_html_().count("<circle") <= 1_000


def test_columns_are_chosen(town):
    table = town.images(fields=["captured_at", "id"]).to_arrow()
    assert table.column_names == ["captured_at", "id"]
    with pytest.raises(ValueError, match="captured_at"):
        town.images(fields=["colour"])
    with pytest.raises(TypeError, match="geometry"):
        town.images(fields="id").to_geopandas()


def test_files_are_read_back(town, tmp_path):
    path = tmp_path / "images.parquet"
    town.images(bbox=BOX).write(path)
    assert len(geopandas.read_parquet(path)) == town.count(bbox=BOX)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        town.images().write(path)
    town.images(pano=True).write(path, overwrite=True)
    assert len(geopandas.read_parquet(path)) == town.count(pano=True)
    with pytest.raises(ValueError, match="format="):
        town.images().write(tmp_path / "images")
