"""A virtual environment of our own under target/, made once."""

import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parents[1] / "target")) / "bars" / "python"


def enter() -> None:
    """Runs the calling script again inside the environment, unless it is there already."""
    if Path(sys.prefix).resolve() == FOLDER.resolve():
        return
    python = FOLDER / "bin" / "python"
    if not python.exists():
        venv.create(FOLDER, with_pip=True)
    install(python)
    os.execv(python, [str(python), *sys.argv])


def install(python: Path) -> None:
    """Installs each requirement by itself; what fails is found missing when it is imported."""
    installed = FOLDER / "installed.txt"
    wanted = (HERE / "requirements.txt").read_text()
    if installed.exists() and installed.read_text() == wanted:
        return
    for line in wanted.splitlines():
        if line and not line.startswith("#"):
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, line], check=False)
    installed.write_text(wanted)


def install_ours() -> None:
    """Builds the wheel of the package `tilesight` as it ships, and installs it."""
    root, wheels = HERE.parents[1], FOLDER / "wheels"
    for wheel in wheels.glob("*.whl"):
        wheel.unlink()
    os.environ["CARGO_TARGET_DIR"] = str(FOLDER.parents[1])
    # Where pip finds the programs that it runs to build a wheel.
    os.environ["PATH"] = os.pathsep.join([str(FOLDER / "bin"), os.environ["PATH"]])
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, root / "python"]
    pip(build)
    pip(["install", "--no-deps", "--force-reinstall", *wheels.glob("*.whl")])


def pip(words: list) -> None:
    quiet = ["--quiet", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", *words, *quiet], check=True)
