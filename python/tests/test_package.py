"""The package itself: what it imports, how it is pickled, what type checkers and Ctrl-C make of it."""

import concurrent.futures
import multiprocessing
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading

import pytest
from conftest import BOX, DOOR, ROOT, TOWN

import tilesight


def run(*arguments, **options):
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_importing_it_imports_no_other_package():
    script = "import sys, tilesight; print({'numpy', 'pandas', 'pyarrow', 'tqdm'} & sys.modules.keys())"
    assert run("-c", script).strip() == "set()"


def test_its_types_are_right():
    package = ROOT / "python"
    options = ["--config-file", package / "pyproject.toml", "--cache-dir", os.devnull]
    run("-m", "mypy", *options, package / "tilesight")
    run("-m", "mypy.stubtest", "--ignore-disjoint-bases", "tilesight._tilesight")


def test_a_dataset_is_pickled_as_its_path(town, tmp_path, monkeypatch):
    tilesight.build(TOWN, tmp_path / "town.tsight")
    monkeypatch.chdir(tmp_path)
    data = tilesight.open("town.tsight")
    monkeypatch.chdir("/")
    copy = pickle.loads(pickle.dumps(data))
    assert copy.images(looking_at=DOOR).ids() == town.images(looking_at=DOOR).ids()


def count(data, question):
    return data.count(**question)


def test_other_processes_ask_it(town):
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=spawn) as processes:
        counts = processes.map(count, [town] * 2, [{"bbox": BOX}, {"pano": True}])
        assert list(counts) == [town.count(bbox=BOX), town.count(pano=True)]


def test_progress_is_told(tmp_path):
    told = []
    tilesight.open(TOWN, progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] > 16
    tilesight.build(TOWN, tmp_path / "town.tsight", progress=lambda *progress: told.append(progress))
    assert told[-1][0] == told[-1][1]


def test_what_progress_raises_ends_the_work(tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tilesight.open(TOWN, progress=stop)
    with pytest.raises(KeyboardInterrupt):
        tilesight.build(TOWN, tmp_path / "town.tsight", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_the_same_tiles_give_the_same_bytes(tmp_path):
    files = [tmp_path / "a.tsight", tmp_path / "b.tsight"]
    built = [tilesight.build(TOWN, file, memory_bytes=size) for file, size in zip(files, (None, 1 << 20))]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert built[0] == built[1] == tilesight.Built(6000, files[0].stat().st_size)
    with pytest.raises(FileExistsError):
        tilesight.build(TOWN, files[0])


def test_fetching_fills_a_store_once(service, town, tmp_path):
    store = tmp_path / "town.mbtiles"
    options = {"bbox": BOX, "token": "MLY|1|2", "tile_url": service.url, "rate": None}
    told = []
    report = tilesight.fetch(store, progress=lambda *progress: told.append(progress), **options)
    assert report.is_complete and report.stored > 0 and report.requests == len(service.asked)
    assert told[-1] == (report.requests, report.requests)
    assert sorted(tilesight.open(store).images(bbox=BOX).ids()) == sorted(town.images(bbox=BOX).ids())
    again = tilesight.fetch(store, **options)
    assert (again.requests, again.held) == (0, report.stored + report.empty)


def test_fetching_takes_a_token_and_a_place(tmp_path, monkeypatch):
    monkeypatch.delenv("MAPILLARY_ACCESS_TOKEN", raising=False)
    with pytest.raises(tilesight.TokenError, match="MAPILLARY_ACCESS_TOKEN"):
        tilesight.fetch(tmp_path / "town.mbtiles", bbox=BOX)
    with pytest.raises(tilesight.QuestionError, match="within="):
        tilesight.fetch(tmp_path / "town.mbtiles", token="MLY|1|2")
    with pytest.raises(ValueError, match="signs"):
        tilesight.fetch(tmp_path / "town.mbtiles", bbox=BOX, token="MLY|1|2", tilesets="cars")
    with pytest.raises(tilesight.QuestionError):
        tilesight.fetch(tmp_path / "town.mbtiles", bbox=(0, 0, 20, 20), token="MLY|1|2")


def test_ctrl_c_ends_a_long_call(tmp_path):
    """A service that never answers; the signal comes from a thread, which shows that others run."""
    with socket.create_server(("127.0.0.1", 0)) as mute:

        def interrupt():
            with mute.accept()[0]:
                os.kill(os.getpid(), signal.SIGINT)
                ended.wait()

        ended = threading.Event()
        interrupting = threading.Thread(target=interrupt)
        interrupting.start()
        with pytest.raises(KeyboardInterrupt):
            tilesight.fetch(
                tmp_path / "town.mbtiles",
                bbox=BOX,
                token="MLY|1|2",
                tile_url=f"http://127.0.0.1:{mute.getsockname()[1]}",
            )
        ended.set()
        interrupting.join()


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("coverage_by_year", "all      6,000"),
        ("every_stop_sign", "stop signs: 1"),
        ("which_pictures_see_this_door", "6.7 m away"),
    ],
)
def test_examples_run(script, expected, tmp_path):
    said = run(ROOT / "python" / "examples" / f"{script}.py", TOWN, cwd=tmp_path)
    assert expected in said
    assert script == "coverage_by_year" or "pKey=" in said
    assert said.count("panorama") == (6 if script == "which_pictures_see_this_door" else 0)


def test_every_example_is_run():
    (marker,) = [mark for mark in test_examples_run.pytestmark if mark.name == "parametrize"]
    there = {path.stem for path in (ROOT / "python" / "examples").glob("*.py")}
    assert {script for script, _ in marker.args[1]} == there
