"""Draws what the program `scaling` measured: python3 plot_scaling.py SIZES.json PICTURE.png"""

import environment

environment.enter()

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

PANELS = [
    ("Build time", "s", lambda size: size["build_s"]),
    ("Build memory, peak", "MB", lambda size: size["build_peak_bytes"] / 1e6),
    ("The 100 nearest", "µs", lambda size: size["nearest_us"]),
    ("Box of 200 m", "µs", lambda size: size["box_us"]),
]


def main():
    sizes = json.loads(Path(sys.argv[1]).read_text())
    images = [size["images"] for size in sizes]
    figure, panels = pyplot.subplots(2, 2, figsize=(9, 6), layout="constrained")
    for panel, (title, unit, value) in zip(panels.flat, PANELS):
        values = [value(size) for size in sizes]
        panel.plot(images, values, marker="o")
        panel.set(title=title, xlabel="images", ylabel=unit, xscale="log")
        panel.set_ylim(0, 1.1 * max(values))
        panel.grid(visible=True, alpha=0.3)
    # Growth in proportion is a straight line here; the other panels are to stay flat.
    build = panels.flat[0]
    build.set_ylim(auto=True, bottom=min(size["build_s"] for size in sizes) / 2)
    build.set_yscale("log")
    figure.savefig(sys.argv[2], dpi=120)


main()
