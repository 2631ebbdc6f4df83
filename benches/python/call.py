"""Asks the small questions that were asked in Rust, and keeps what the calls take beyond those.

    python3 call.py DATASET.tsight RECORD.json IN_RUST

IN_RUST is JSON: where to ask, and for each question its time in nanoseconds and how many images it
found. Each time is the best of some turns of many calls.
"""

import environment

environment.enter()
environment.install_ours()

import json
import sys
import timeit
import warnings
from pathlib import Path

import tilesight

# As in Rust.
CALLS, TURNS = 2_000, 9
AT_MOST_US = 20.0


def main():
    dataset, record, in_rust = sys.argv[1:]
    warnings.simplefilter("ignore", tilesight.PartialAnswerWarning)
    data, in_rust = tilesight.open(dataset), json.loads(in_rust)
    box = {"bbox": in_rust["bbox"], "allow_partial": True}
    looking = {"looking_at": in_rust["door"], "allow_partial": True}
    asked = {
        "count(bbox=…)": lambda: data.count(**box),
        "images(bbox=…).ids()": lambda: data.images(**box).ids(),
        "images(looking_at=…).ids()": lambda: data.images(**looking).ids(),
    }
    limits = [limit(question, asked[question["name"]]) for question in in_rust["questions"]]
    Path(record).parent.mkdir(parents=True, exist_ok=True)
    Path(record).write_text(json.dumps({"limits": limits}, indent=2))


def limit(question, ask):
    name, images, ns = question["name"], question["images"], question["ns"]
    answer = ask()
    found = answer if isinstance(answer, int) else len(answer)
    assert found == images, f"{name}: {found} images, {images} in Rust"
    took_ns = min(timeit.repeat(ask, number=CALLS, repeat=TURNS)) / CALLS * 1e9
    return {
        "title": f"a call of `{name}` ({images} images, {ns / 1e3:.2f} µs in Rust), beyond Rust",
        "value": (took_ns - ns) / 1e3,
        "at_most": AT_MOST_US,
        "unit": "µs",
    }


main()
