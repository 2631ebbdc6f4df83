"""The functions of mapillary-python-sdk beside the SDK's own, on the same service.

Both are called alike, through ``interface``. Where the SDK is right the answers are equal; where it
is not, a test shows what it does, and what is done in its place (docs/compatibility.md).
"""

import base64
import concurrent.futures
import contextlib
import csv
import datetime
import gzip
import http.server
import inspect
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import mapbox_vector_tile
import mapillary.interface as theirs
import mercantile
import pytest
import requests
from conftest import BOX, DOOR, TOWN
from mapillary.models.exceptions import InvalidKwargError, InvalidOptionError, InvalidTokenError

import tilesight
from tilesight import mapillary as mly
from tilesight.mapillary import interface as ours
from tilesight.mapillary.models.geojson import Coordinates, Feature, GeoJSON

pytestmark = [
    # Connections of the SDK are never closed, and it reads tiles with what its reader gave up.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*signature has changed:DeprecationWarning"),
]

BBOX = dict(zip(("west", "south", "east", "north"), BOX))
AT = dict(zip(("lng", "lat"), DOOR))
HERE = {"longitude": DOOR[0], "latitude": DOOR[1]}
NEW_YEAR = "2022-01-01T00:00:00+00:00"
TRIANGLE = {
    "type": "Polygon",
    "coordinates": [[[24.937, 60.164], [24.962, 60.166], [24.95, 60.173], [24.937, 60.164]]],
}
SHAPE = {
    "type": "FeatureCollection",
    "features": [{"type": "Feature", "properties": {}, "geometry": TRIANGLE}],
}

IMAGE, FEATURE, UNKNOWN = "17", "18", "19"
POINT = {"type": "Point", "coordinates": [24.94, 60.17]}
PICTURE = "http://127.0.0.1/17.jpg?oh=1&oe=7FFFFFFF"
OUTLINE = [[0, 0], [1024, 0], [1024, 2048], [0, 0]]
ENTITIES = {
    IMAGE: {"id": IMAGE, "captured_at": 1672531200000, "geometry": POINT, "make": "none"},
    FEATURE: {"id": FEATURE, "object_value": "object--bench", "geometry": POINT},
}
FAR_TILES = {mercantile.tile(lon, 10.01, 14): id for id, lon in ((31, 179.99), (32, -179.99))}
ONLY_IMAGES_HAVE = {"make", "thumb_1024_url"}


def encoded(name, geometry, properties):
    """A tile of one feature; the SDK's own encoder makes it."""
    layer = {"name": name, "features": [{"geometry": geometry, "properties": properties}]}
    return mapbox_vector_tile.encode(layer, default_options={"y_coord_down": True})


def outline():
    """An outline as the service writes it."""
    polygon = {"type": "Polygon", "coordinates": [OUTLINE]}
    return base64.b64encode(encoded("mpy-or", polygon, {})).decode()


def detections():
    image = {"id": IMAGE, "geometry": POINT}
    of = {"created_at": "2021-05-20T17:49:01+0000", "image": image, "value": "object--bench"}
    return [{"id": "20", "geometry": outline(), **of}, {"id": "21", "geometry": outline(), **of}]


class Mapillary(http.server.BaseHTTPRequestHandler):
    """Serves tiles of the town, nothing around it, and a few entities, as the service does."""

    def do_GET(self):
        address = urllib.parse.urlsplit(self.path)
        self.server.asked.append(address.path)
        query = urllib.parse.parse_qs(address.query)
        status, body = self.answer(address.path.strip("/"), query)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, path, query):
        if "expired" in self.headers.get("Authorization", str(query.get("access_token"))):
            return 401, refusal(190)
        if path.startswith("maps/vtp/"):
            return 200, tile(path.removeprefix("maps/vtp/").replace("/2/", "/", 1))
        ids = query.get("ids", [path.partition("/")[0]])
        fields = set(query.get("fields", [""])[0].split(","))
        found = {id: entity(id, fields) for id in ids}
        if None in found.values():
            return 400, refusal(100)
        if path.endswith("/detections"):
            found = {"": {"data": detections()}}
        elif "ids" in query:
            found = {"": found}
        (body,) = found.values()
        return 200, json.dumps(body).encode()

    def log_message(self, *_):
        pass


def tile(path):
    """A tile of the town or at the antimeridian, or an empty one."""
    tileset, *address = path.split("/")
    z, x, y = map(int, address)
    far = FAR_TILES.get(mercantile.Tile(x, y, z))
    if far:
        middle = {"type": "Point", "coordinates": [2048, 2048]}
        return encoded("image", middle, {"id": far, "captured_at": 1, "is_pano": False})
    file = TOWN / f"{path}.mvt"
    body = file.read_bytes() if file.exists() else b""
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def refusal(code):
    error = {"message": "Unsupported", "type": "OAuthException", "code": code, "fbtrace_id": "x"}
    return json.dumps({"error": error}).encode()


def entity(id, fields):
    """What the service says of an entity: none where it has no such fields."""
    if id not in ENTITIES or (id == FEATURE and fields & ONLY_IMAGES_HAVE):
        return None
    known = {**ENTITIES[id], "thumb_1024_url": PICTURE}
    return {name: value for name, value in known.items() if name in fields | {"id"}}


@pytest.fixture(scope="module", autouse=True)
def mapillary(tmp_path_factory):
    """The service on loopback, for both; the SDK has its addresses built in."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mapillary) as server:
        server.asked = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        store = tmp_path_factory.mktemp("store") / "tiles.mbtiles"
        with pytest.MonkeyPatch.context() as patch:
            send = requests.adapters.HTTPAdapter.send

            def redirected(adapter, request, **options):
                for host in ("tiles", "graph"):
                    origin = f"https://{host}.mapillary.com"
                    request.url = request.url.replace(origin, server.url)
                return send(adapter, request, **options)

            patch.setattr(requests.adapters.HTTPAdapter, "send", redirected)
            begin_anew(patch, server.url, store)
            assert ours.set_access_token("MLY|1|2") == theirs.set_access_token("MLY|1|2")
            yield server
        ours._begin.cache_clear()
        server.shutdown()


def begin_anew(patch, url, store):
    """Makes a client for other variables of the environment."""
    patch.delenv("MAPILLARY_ACCESS_TOKEN", raising=False)
    patch.setenv("TILESIGHT_TILE_URL", url)
    patch.setenv("TILESIGHT_GRAPH_URL", url)
    patch.setenv("TILESIGHT_STORE", str(store))
    patch.setenv("TILESIGHT_RATE", "off")
    ours._begin.cache_clear()


def parsed(answer):
    """A text, or an object of the SDK or ours, as a dictionary."""
    document = json.loads(answer) if isinstance(answer, str) else answer.to_dict()
    assert document["type"] == "FeatureCollection"
    return document


def by_id(answer):
    return {feature["properties"]["id"]: feature for feature in parsed(answer)["features"]}


NOT_PASSED_ON = {"creator_id", "quality_score"}
UNKNOWN_IS = {"captured_at": 0, "compass_angle": -1}


def known(properties):
    """Properties of the SDK as ours: what is not known is null."""
    passed_on = {name: value for name, value in properties.items() if name not in NOT_PASSED_ON}
    unknown = {name for name in UNKNOWN_IS if properties.get(name) == UNKNOWN_IS[name]}
    return {**passed_on, **dict.fromkeys(unknown)}


def assert_same(our_answer, their_answer):
    """Both have the same features; properties that tiles lack are missing in theirs and null in ours."""
    mine, right = by_id(our_answer), by_id(their_answer)
    assert mine.keys() == right.keys()
    for id, feature in mine.items():
        other = right[id]
        assert feature["properties"] == {
            **dict.fromkeys(feature["properties"]),
            **known(other["properties"]),
        }
        assert feature["geometry"] == {
            "type": "Point",
            "coordinates": pytest.approx(other["geometry"]["coordinates"], abs=1e-8),
        }


EQUAL = [
    ("images_in_bbox", [BBOX], {"image_type": "flat"}),
    ("images_in_bbox", [BBOX], {"image_type": "pano"}),
    ("images_in_bbox", [BBOX], {"image_type": "flat", "min_captured_at": NEW_YEAR}),
    ("images_in_bbox", [BBOX], {"image_type": "pano", "max_captured_at": NEW_YEAR}),
    ("images_in_bbox", [BBOX], {"image_type": "pano", "organization_id": 315428353019816}),
    ("images_in_bbox", [BBOX], {"image_type": "pano", "sequence_id": "7kSNARGNfzvZrO9_90IPuO"}),
    ("images_in_shape", [SHAPE], {}),
    ("images_in_shape", [SHAPE], {"image_type": "pano"}),
    ("images_in_shape", [SHAPE], {"zoom": 14, "max_captured_at": NEW_YEAR}),
    ("get_image_close_to", [], HERE),
    ("get_image_close_to", [], {**HERE, "radius": 50, "fields": ["all"]}),
    ("get_image_close_to", [], {**HERE, "radius": 80.5, "image_type": "flat"}),
    ("get_image_looking_at", [AT], {"radius": 50}),
    ("get_image_looking_at", [list(DOOR)], {"radius": 50, "image_type": "pano"}),
    ("get_image_looking_at", [AT], {"radius": 50, "min_captured_at": NEW_YEAR}),
    ("map_feature_points_in_bbox", [BBOX], {}),
    ("map_feature_points_in_bbox", [BBOX, ["object--bench"]], {"existed_at": NEW_YEAR}),
    ("traffic_signs_in_bbox", [BBOX], {"existed_before": NEW_YEAR}),
    ("traffic_signs_in_bbox", [BBOX], {"filter_values": ["warning--pedestrians-crossing--g4"]}),
    ("map_features_in_shape", [SHAPE], {}),
]


@pytest.mark.parametrize(("name", "arguments", "words"), EQUAL)
def test_answers_are_equal(name, arguments, words):
    mine = getattr(ours, name)(*arguments, **words)
    right = getattr(theirs, name)(*arguments, **dict(words))
    assert type(mine).__name__ == type(right).__name__
    assert len(by_id(mine)) > 0
    assert_same(mine, right)


def test_every_function_is_there_as_it_is_called():
    names = set(mly.__all__) - {"interface", "models"}
    assert len(names) == 18
    for name in names:
        assert getattr(mly, name) is getattr(ours, name)
        mine = inspect.signature(getattr(ours, name)).parameters
        right = inspect.signature(getattr(theirs, name)).parameters
        assert list(mine) == list(right)
        assert [word.kind for word in mine.values()] == [word.kind for word in right.values()]


@pytest.mark.parametrize(("radius", "is_seen"), [(50, True), (0.5, False)])
def test_an_image_looks_at_a_position_or_none_does(radius, is_seen):
    assert theirs.is_image_being_looked_at(AT, radius=radius) is is_seen
    for at in (AT, list(DOOR), Coordinates(*DOOR)):
        assert ours.is_image_being_looked_at(at, radius=radius) is is_seen


def test_headings_that_are_not_known_are_no_errors():
    for call in (theirs.get_image_looking_at, theirs.is_image_being_looked_at):
        with pytest.raises(KeyError, match="compass_angle"):
            call(AT)
    with pytest.raises(KeyError, match="compass_angle"):
        theirs.images_in_bbox(BBOX, compass_angle=(0, 90))
    # Without a radius within 50 m.
    assert_same(ours.get_image_looking_at(AT), theirs.get_image_looking_at(AT, radius=50))
    east = by_id(ours.images_in_bbox(BBOX, compass_angle=(45, 135)))
    assert all(45 <= image["properties"]["compass_angle"] <= 135 for image in east.values())
    known = by_id(ours.images_in_bbox(BBOX, compass_angle=(0, 360)))
    assert len(east) < len(known) < len(by_id(ours.images_in_bbox(BBOX)))
    other = by_id(ours.images_in_bbox(BBOX, compass_angle=(135, 45)))
    assert east.keys() | other.keys() == known.keys()


def test_a_range_of_headings_is_theirs_where_all_are_known():
    words = {"image_type": "pano", "sequence_id": "7kSNARGNfzvZrO9_90IPuO"}
    for angles in ((0, 360), (80, 90)):
        mine = ours.images_in_bbox(BBOX, compass_angle=angles, **words)
        assert len(by_id(mine)) > 0
        assert_same(mine, theirs.images_in_bbox(BBOX, compass_angle=angles, **words))


def test_all_images_have_panoramas_among_them():
    panoramas, flat = (
        by_id(theirs.images_in_bbox(BBOX, image_type=kind)).keys() for kind in ("pano", "flat")
    )
    for words in ({}, {"image_type": "all"}):
        assert by_id(theirs.images_in_bbox(BBOX, **words)).keys() == flat
        assert by_id(ours.images_in_bbox(BBOX, **words)).keys() == panoramas | flat


def test_images_come_nearest_first():
    found = ours.get_image_close_to(**HERE, radius=50)
    assert [image.properties.id for image in found.features] == tilesight.open(TOWN).images(
        near=DOOR, radius_m=50
    ).ids()


def test_dates_are_utc_whatever_the_zone_of_the_machine(monkeypatch):
    images = by_id(ours.images_in_bbox(BBOX, image_type="pano")).values()
    times = sorted(image["properties"]["captured_at"] for image in images)
    middle = datetime.datetime.fromtimestamp(times[len(times) // 2] // 1000, datetime.timezone.utc)
    words = {"image_type": "pano", "min_captured_at": middle.strftime("%Y-%m-%dT%H:%M:%S")}
    mine = ours.images_in_bbox(BBOX, **words)
    with zone_of_the_machine(monkeypatch, "UTC"):
        assert_same(mine, theirs.images_in_bbox(BBOX, **words))
    with zone_of_the_machine(monkeypatch, "FAR+23"):
        assert by_id(theirs.images_in_bbox(BBOX, **words)).keys() < by_id(mine).keys()
        assert ours.images_in_bbox(BBOX, **words) == mine
    for date in (middle, middle.replace(tzinfo=None)):
        assert ours.images_in_bbox(BBOX, image_type="pano", min_captured_at=date) == mine


@contextlib.contextmanager
def zone_of_the_machine(monkeypatch, name):
    with monkeypatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        yield
    time.tzset()


def test_a_year_is_a_date_and_ends_with_its_end():
    with pytest.raises(ValueError):
        theirs.images_in_bbox(BBOX, max_captured_at="2022")
    mine = by_id(ours.images_in_bbox(BBOX, image_type="flat", max_captured_at="2022"))
    until = "2022-12-31T23:59:59.999+00:00"
    right = by_id(theirs.images_in_bbox(BBOX, image_type="flat", max_captured_at=until))
    times = {id: image["properties"]["captured_at"] for id, image in right.items()}
    assert 0 in times.values(), "theirs takes what is not known for 1970"
    assert mine.keys() == {id for id, time in times.items() if time > 0}


def test_organizations_and_sequences_are_exact():
    organization, sequence = "315428353019816", "7kSNARGNfzvZrO9_90IPuO"
    assert by_id(theirs.images_in_bbox(BBOX, image_type="pano", organization_id=organization)) == {}
    expected = theirs.images_in_bbox(BBOX, image_type="pano", organization_id=int(organization))
    for words in ({"organization_id": organization}, {"org_id": [int(organization)]}):
        assert_same(ours.images_in_bbox(BBOX, image_type="pano", **words), expected)
    longer = f"{sequence}-and-more"
    assert by_id(theirs.images_in_bbox(BBOX, image_type="pano", sequence_id=longer)) != {}
    assert by_id(ours.images_in_bbox(BBOX, image_type="pano", sequence_id=longer)) == {}


def test_shapes_are_geojson():
    in_shape = ours.images_in_shape(SHAPE)
    for name in ("images_in_geojson", "map_features_in_geojson"):
        with pytest.raises(IndexError):
            getattr(theirs, name)(SHAPE)
    for shape in (SHAPE, TRIANGLE, json.dumps(SHAPE), GeoJSON(SHAPE)):
        assert ours.images_in_geojson(shape).encode() == in_shape.encode()
    several = {"type": "MultiPolygon", "coordinates": [TRIANGLE["coordinates"]]}
    with pytest.raises(KeyError):
        theirs.images_in_shape(several)
    assert ours.images_in_shape(several).encode() == in_shape.encode()


def test_signs_in_a_shape_can_be_asked_for():
    with pytest.raises(InvalidKwargError, match="feature_type"):
        theirs.map_features_in_shape(SHAPE, feature_type="traffic_signs")
    signs = by_id(ours.map_features_in_shape(SHAPE, feature_type="traffic_signs"))
    points = by_id(ours.map_features_in_geojson(SHAPE))
    every = by_id(ours.map_features_in_shape(SHAPE, feature_type="all"))
    assert signs and signs.keys() < by_id(ours.traffic_signs_in_bbox(BBOX)).keys()
    assert signs.keys() | points.keys() == every.keys()


def test_values_may_end_with_a_star():
    warnings = by_id(ours.traffic_signs_in_bbox(BBOX, ["warning--*"]))
    right = {
        id
        for id, sign in by_id(theirs.traffic_signs_in_bbox(BBOX)).items()
        if sign["properties"]["value"].startswith("warning--")
    }
    assert warnings.keys() == right != set()
    assert by_id(theirs.traffic_signs_in_bbox(BBOX, ["warning--*"])) == {}


def test_sequences_are_whole_and_in_the_box():
    """Theirs are pieces, one a tile, of all sequences in the tiles; without a type, flat ones."""
    pieces = [
        piece
        for kind in ("pano", "flat")
        for piece in parsed(theirs.sequences_in_bbox(BBOX, image_type=kind))["features"]
    ]
    whole = parsed(ours.sequences_in_bbox(BBOX))["features"]
    ids = [sequence["properties"]["id"] for sequence in whole]
    of_pieces = [piece["properties"]["id"] for piece in pieces]
    assert len(ids) == len(set(ids)) and len(of_pieces) > len(set(of_pieces))
    assert set(of_pieces) - set(ids), "theirs are not filtered by the box"
    single = [sequence for sequence in whole if sequence["properties"]["id"] not in of_pieces]
    assert {sequence["geometry"]["type"] for sequence in single} == {"Point"}
    town = tilesight.open(TOWN)
    assert set(ids) == set(town.sequences(bbox=BOX, allow_partial=True).ids())
    for sequence in whole:
        assert sequence["properties"].keys() - {"organization_id"} == {
            "captured_at",
            "id",
            "image_id",
            "is_pano",
        }


def test_boxes_cross_the_antimeridian():
    around = {"west": 179.98, "south": 10.0, "east": -179.98, "north": 10.02}
    assert by_id(theirs.images_in_bbox(around, image_type="flat")) == {}
    assert by_id(ours.images_in_bbox(around)).keys() == set(FAR_TILES.values())


@pytest.mark.parametrize(("name", "key"), [("image_from_key", IMAGE), ("feature_from_key", FEATURE)])
def test_an_entity_has_its_geometry(name, key):
    fields = ["captured_at", "make"] if key == IMAGE else ["object_value"]
    right = parsed(getattr(theirs, name)(key, list(fields)))["features"]
    (mine,) = parsed(getattr(ours, name)(key, fields))["features"]
    assert mine["properties"] == right["properties"]
    assert (mine["geometry"], right["geometry"]) == (POINT, {})
    assert parsed(getattr(ours, name)(int(key)))["features"][0]["geometry"] == POINT


@pytest.mark.parametrize(
    ("name", "key"),
    [("get_detections_with_image_id", IMAGE), ("get_detections_with_map_feature_id", FEATURE)],
)
def test_detections_have_their_image_and_their_outline(name, key):
    right = getattr(theirs, name)(key, ["created_at", "geometry", "image", "value"])
    mine = getattr(ours, name)(key)
    assert type(mine) is GeoJSON and len(mine.features) == 2
    for detection, other in zip(mine.to_dict()["features"], right.to_dict()["features"]):
        properties = detection["properties"]
        assert properties.pop("image_id") == IMAGE
        polygon = properties.pop("pixel_geometry")
        assert base64.b64decode(other["properties"].pop("pixel_geometry"))
        assert detection == other
        assert polygon["type"] == "Polygon"
        assert sorted(polygon["coordinates"][0][:-1]) == [[0, 0], [0.25, 0], [0.25, 0.5]]


def test_pictures_have_addresses():
    assert ours.image_thumbnail(IMAGE) == theirs.image_thumbnail(IMAGE) == PICTURE
    with pytest.raises(InvalidOptionError):
        theirs.image_thumbnail(IMAGE, resolution=512)
    with pytest.raises(tilesight.QuestionError, match="512.*2048"):
        ours.image_thumbnail(IMAGE, resolution=512)
    with pytest.raises(tilesight.NotFoundError, match="original"):
        ours.image_thumbnail(IMAGE, resolution="original")


def test_answers_are_saved(tmp_path, capsys):
    found = ours.images_in_bbox(BBOX, image_type="pano")
    for extension in ("geojson", "csv"):
        assert ours.save_locally(found, tmp_path, "ours", extension) is None
        assert theirs.save_locally(found, str(tmp_path), "theirs", extension) is None
    files = [json.loads((tmp_path / f"{name}.geojson").read_text()) for name in ("ours", "theirs")]
    assert files[0]["features"] == files[1]["features"]
    rows, fewer = (read_csv(tmp_path / f"{name}.csv") for name in ("ours", "theirs"))
    assert "An error occurred" not in capsys.readouterr().out
    assert [row["ID"] for row in rows] == [row["ID"] for row in fewer] == list(map(str, by_id(found)))
    assert {row["organization_id"] for row in fewer} - {"NULL"} <= {row["organization_id"] for row in rows}
    ours.save_locally(ours.images_in_shape(SHAPE), tmp_path, "images", "parquet")
    assert (tmp_path / "images.parquet").read_bytes().startswith(b"PAR1")
    with pytest.raises(tilesight.QuestionError, match="geojson"):
        ours.save_locally(found, tmp_path, "images", "doc")
    with pytest.raises(tilesight.WriteError):
        ours.save_locally("{", tmp_path, "broken")
    assert not (tmp_path / "broken.geojson").exists()


def test_rows_that_differ_are_all_saved(tmp_path, capsys):
    some = [{"id": 1}, {"id": 2, "value": "object--bench"}, {"id": 3}]
    data = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "geometry": POINT, "properties": of} for of in some],
    }
    ours.save_locally(data, tmp_path, "ours", "csv")
    theirs.save_locally(json.dumps(data), str(tmp_path), "theirs", "csv")
    assert "An error occurred" in capsys.readouterr().out
    assert [row["ID"] for row in read_csv(tmp_path / "theirs.csv")] == ["1"]
    assert [row["ID"] for row in read_csv(tmp_path / "ours.csv")] == ["1", "2", "3"]


def read_csv(file):
    with open(file, newline="") as lines:
        return list(csv.DictReader(lines))


def test_answers_are_encoded():
    """Theirs cannot be, unless they are empty."""
    with pytest.raises(TypeError, match="Feature"):
        theirs.images_in_shape(SHAPE).encode()
    found = ours.images_in_shape(SHAPE)
    assert json.loads(found.encode()) == found.to_dict()
    again = GeoJSON(found.to_dict())
    first = again.features[0].to_dict()
    again.append_features([first, {**first, "geometry": None}])
    assert len(again.features) == len(found.features) + 1
    assert json.loads(again.encode()) == again.to_dict() != found.to_dict()
    assert Feature(again.to_dict()["features"][-1]).geometry is None
    assert repr(found) == str(found.to_dict())


def test_what_was_fetched_is_kept(mapillary):
    first = ours.images_in_bbox(BBOX)
    mapillary.asked.clear()
    assert ours.images_in_bbox(BBOX) == first
    smaller = tuple(edge + inset for edge, inset in zip(BOX, (0.001, 0.001, -0.001, -0.001)))
    assert 0 < len(by_id(ours.images_in_bbox(smaller))) < len(by_id(first))
    assert mapillary.asked == []
    # By another process, too, and without a token.
    count = f"import tilesight.mapillary as m; print(len(m.images_in_bbox({BBOX})))"
    assert int(run(count)) == len(first)
    assert mapillary.asked == []


def test_a_store_that_is_off_leaves_nothing(mapillary, tmp_path):
    environment = {"TILESIGHT_STORE": "off", "TMPDIR": str(tmp_path), "MAPILLARY_ACCESS_TOKEN": "MLY|1|2"}
    mapillary.asked.clear()
    script = f"import tilesight.mapillary as m; print(m.is_image_being_looked_at({AT}))"
    assert run(script, **environment) == "True\n"
    assert len(mapillary.asked) > 0 and list(tmp_path.iterdir()) == []


def run(script, **environment):
    command = [sys.executable, "-c", script]
    return subprocess.run(
        command, env={**os.environ, **environment}, check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: ours.images_in_bbox(BBOX, radius=5), tilesight.QuestionError, "image_type"),
        (lambda: ours.images_in_bbox({"west": 1}), tilesight.QuestionError, "south"),
        (lambda: ours.images_in_bbox(BBOX, image_type="round"), tilesight.QuestionError, "pano"),
        (lambda: ours.images_in_bbox(BBOX, sequence_id=[]), tilesight.QuestionError, "not empty"),
        (lambda: ours.images_in_bbox(BBOX, min_captured_at="soon"), tilesight.QuestionError, "2023-05"),
        (lambda: ours.get_image_close_to(90.5, 0.0), tilesight.QuestionError, "-90 to 90"),
        (lambda: ours.images_in_shape(POINT), tilesight.QuestionError, "no area"),
        (lambda: ours.image_from_key("x"), tilesight.QuestionError, "1805883732926354"),
        (lambda: ours.image_from_key(UNKNOWN), tilesight.NotFoundError, "Unsupported"),
        (lambda: ours.image_from_key(UNKNOWN), LookupError, "Unsupported"),
        (lambda: ours.set_access_token("two words"), tilesight.TokenError, "token"),
    ],
)
def test_mistakes_are_answered_with_a_right_one(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_fetching_takes_a_token_and_a_service(mapillary, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        begin_anew(patch, mapillary.url, tmp_path / "new" / "tiles.mbtiles")
        calls = (lambda: ours.images_in_bbox(BBOX), lambda: ours.image_from_key(IMAGE))
        for call in calls:
            with pytest.raises(tilesight.TokenError, match="set_access_token"):
                call()
        with pytest.raises(InvalidTokenError):
            theirs.set_access_token("MLY|expired")
        ours.set_access_token("MLY|expired")
        for call in calls:
            with pytest.raises(tilesight.TokenError, match="refuse"):
                call()
        patch.setenv("TILESIGHT_TILE_URL", "nowhere")
        ours._begin.cache_clear()
        with pytest.raises(tilesight.QuestionError, match="TILESIGHT_TILE_URL"):
            ours.images_in_bbox(BBOX)
        begin_anew(patch, mapillary.url, tmp_path / "new" / "tiles.mbtiles")
        patch.setenv("TILESIGHT_RATE", "fast")
        with pytest.raises(tilesight.QuestionError, match="TILESIGHT_RATE"):
            ours.images_in_bbox(BBOX)
    ours._begin.cache_clear()


@pytest.mark.parametrize("call", [lambda: ours.images_in_bbox(BBOX), lambda: ours.image_from_key(IMAGE)])
def test_ctrl_c_ends_a_call(call, tmp_path):
    """The service never answers; the signal comes from a thread, which shows that others run."""
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.MonkeyPatch.context() as patch:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        begin_anew(patch, url, tmp_path / "tiles.mbtiles")
        ended = threading.Event()

        def interrupt():
            with mute.accept()[0]:
                os.kill(os.getpid(), signal.SIGINT)
                ended.wait()

        ours.set_access_token("MLY|1|2")
        interrupting = threading.Thread(target=interrupt)
        interrupting.start()
        with pytest.raises(KeyboardInterrupt):
            call()
        ended.set()
        interrupting.join()
    ours._begin.cache_clear()


def test_many_threads_ask_one_client(monkeypatch):
    monkeypatch.setenv("MAPILLARY_ACCESS_TOKEN", "MLY|1|2")
    ours._begin.cache_clear()
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        answers = set(threads.map(ours.images_in_bbox, [BBOX] * 8))
    assert len(answers) == 1
    assert ours._begin.cache_info().misses == 1
