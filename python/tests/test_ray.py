"""Ray does the shares of a partitioned dataset, as docs/scaling.md has it."""

import os
import signal

import pytest
from conftest import TOWN

from tilesight import partitions

ray = pytest.importorskip("ray", reason="SKIPPED: Ray is not installed (about 250 MB): pip install ray")

pytestmark = pytest.mark.filterwarnings("default")


def by_ray(function, arguments):
    task = ray.remote(function)
    return ray.get([task.remote(argument) for argument in arguments])


def test_ray_writes_the_same_files_though_a_worker_is_killed(tmp_path):
    marker = tmp_path / "killed"

    def dying(function, arguments):
        def and_die_once(argument):
            done = function(argument)
            try:
                os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return done
            os.kill(os.getpid(), signal.SIGKILL)

        return by_ray(and_die_once, arguments)

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        for name, map_ in (("whole", map), ("shares", dying)):
            partitions.build(TOWN, tmp_path / name, partition_zoom=14, map=map_)
    finally:
        ray.shutdown()
    assert marker.exists()
    whole, shares = (
        {path.relative_to(of): path.read_bytes() for path in partitions.files(of)}
        for of in (tmp_path / "whole", tmp_path / "shares")
    )
    assert whole == shares and len(whole) == 13
