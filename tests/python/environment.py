"""The virtual environment in which tests in Python run, made once under target/.

Without packages to install there are no tests: that is told and ends well, so that a build without
a network goes on, but where `CI` is set it is a failure.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
FOLDER = TARGET / "python"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
OLDEST = (3, 10)


def enter():
    """Runs the calling script again inside of the environment, unless it is there already."""
    if Path(sys.prefix).resolve() == FOLDER:
        return
    if sys.version_info < OLDEST:
        skip(f"Python {sys.version.split()[0]} is older than {OLDEST[0]}.{OLDEST[1]}")
    python = FOLDER / "bin" / "python"
    try:
        make(python)
    except (OSError, subprocess.CalledProcessError) as error:
        skip(f"packages cannot be installed: {error}")
    # Where pip finds the programs that it runs to build a wheel.
    os.environ["PATH"] = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    os.execv(python, [str(python), *sys.argv])


def make(python):
    """Makes the environment anew where its requirements are not what was installed."""
    stamp, wanted = FOLDER / "installed.txt", REQUIREMENTS.read_text() + sys.version
    if stamp.exists() and stamp.read_text() == wanted:
        return
    venv.create(FOLDER, clear=True, with_pip=True)
    pip(python, "install", "-r", REQUIREMENTS)
    stamp.write_text(wanted)


def pip(python, command, *arguments):
    """Runs pip without what it says when all is well."""
    quiet = ["--quiet", "--disable-pip-version-check"]
    subprocess.run([python, "-m", "pip", command, *quiet, *arguments], check=True)


def skip(why):
    """Ends without a test: in continuous integration as a failure."""
    print(f"SKIPPED: {Path(sys.argv[0]).name} did nothing: {why}", file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") else 0)
