#!/usr/bin/env python3
"""Builds the wheel of the package `tilesight`, installs it, and runs its tests.

    python3 tests/python/wheel.py [PYTEST'S OPTIONS]
"""

import os
import subprocess
import sys

import environment
from environment import FOLDER, ROOT, TARGET

PACKAGE = ROOT / "python"
WHEELS = FOLDER / "wheels"


def main():
    environment.enter()
    build()
    (wheel,) = WHEELS.glob("*.whl")
    environment.pip(sys.executable, "install", "--no-deps", "--force-reinstall", wheel)
    pages = [ROOT / "docs" / name for name in ("python.md", "scaling.md")]
    tests = [PACKAGE / "tests", "--pyargs", "tilesight", *pages]
    # What is skipped is told.
    options = ["-q", "-rs", "-c", PACKAGE / "pyproject.toml", *sys.argv[1:]]
    sys.exit(subprocess.run([sys.executable, "-m", "pytest", *options, *tests], cwd=ROOT).returncode)


def build():
    """Builds it as it ships, in the folder that has what `cargo build --release` compiled."""
    for wheel in WHEELS.glob("*.whl"):
        wheel.unlink()
    os.environ["CARGO_TARGET_DIR"] = str(TARGET)
    options = ["--no-deps", "--no-build-isolation", "--wheel-dir", WHEELS]
    environment.pip(sys.executable, "wheel", *options, PACKAGE)


if __name__ == "__main__":
    main()
