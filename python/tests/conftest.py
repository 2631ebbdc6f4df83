"""What the tests share: the town, and a stand-in for the service."""

import http.server
import os
import signal
import threading
from pathlib import Path

import pytest

import tilesight

ROOT = Path(__file__).resolve().parents[2]
TOWN = ROOT / "fixtures" / "town"
DOOR = (24.95238, 60.17075)
BOX = (24.935, 60.163, 24.965, 60.174)


@pytest.fixture(scope="session", autouse=True)
def ctrl_c():
    """Ctrl-C is heeded, also where the tests run in the background, which ignores it."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.fixture(autouse=True, scope="session")
def at_the_root():
    """Examples name files as from the root of the repository."""
    os.chdir(ROOT)


@pytest.fixture(scope="session")
def town():
    return tilesight.open(TOWN)


class Tiles(http.server.BaseHTTPRequestHandler):
    """Serves the town's tiles at the service's paths."""

    def do_GET(self):
        path = self.path.partition("?")[0].removeprefix("/maps/vtp/").replace("/2/", "/", 1)
        tile = TOWN / f"{path}.mvt"
        self.server.asked.append(self.path)
        self.send_response(200 if tile.exists() else 404)
        body = tile.read_bytes() if tile.exists() else b""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def service():
    """A service on loopback; `url` is its origin, `asked` what it was asked."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tiles) as server:
        server.asked = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        yield server
        server.shutdown()
