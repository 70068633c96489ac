"""Start Atelier: `python run.py`. The first start sets everything up, the later ones only start.

    python run.py [arguments of app.py]      the studio; `python run.py --help` lists them
    python run.py worker --ray ADDRESS       this computer draws for a studio on another one
    python run.py test [arguments of pytest] the tests
    python run.py bench [names]              what it costs; `python run.py bench --help` lists the names

Needs nothing but Python itself. Everything it installs goes to the folder `.venv` beside this file; delete that folder to
begin again. What pip says is kept in `.venv/setup.log`.
"""

from __future__ import annotations  # Does Python stop at this line? Atelier needs Python 3.11 or newer, from python.org

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from packages.browsers import chromium_here, install_chromium, install_other_browsers
from packages.children import WRITING, WRITTEN, SetupError, base_python, become, explain, log_file, run_logged, say
from packages.small_files import empty, locked, read, size, write_whole

ROOT = Path(__file__).resolve().parent
OLDEST, NEWEST = (3, 11), (3, 14)  # that every pinned package has a build for
SPACE = 3 * 10**9  # bytes: the packages, and what pip unpacks on the way
STUDIO, TESTS = "packages/studio.lock", "packages/tests.lock"  # lists of packages: all that is needed, by version and hash
RAY = "packages/ray.lock"  # further computers, for who asks for them
# PyTorch is asked for by name, as its build depends on the machine: pip takes the one for the CPU alone where the machine offers that.
STEPS = {  # list -> the arguments of each `pip install`, in order
    STUDIO: (("--no-deps", "--require-hashes", "-r", STUDIO), ("torch", "torchvision", "-c", "packages/torch.lock")),
    TESTS: (("--no-deps", "--require-hashes", "-r", TESTS),),
    RAY: (("--no-deps", "--require-hashes", "-r", RAY),),
}


def main(arguments: list[str]) -> int:  # Does Python stop at this line? Atelier needs Python 3.11 or newer, from python.org
    try:
        if not suits(sys.version_info[:2]):
            return become([other_python(shutil.which), str(ROOT / "run.py"), *arguments], dict(os.environ))
        if arguments[:1] == ["test"]:
            return test(arguments[1:])
        if arguments[:1] == ["bench"]:
            return bench(arguments[1:])
        if arguments[:1] == ["worker"]:
            return worker(arguments[1:])
        asked = any(argument.partition("=")[0] == "--ray" for argument in arguments)
        prepare(ROOT, [STUDIO, *([RAY] if asked else [])])
        return become([str(venv_python(ROOT)), str(ROOT / "app.py"), *arguments], dict(os.environ))
    except SetupError as error:
        say(f"\n{error}")
        return 1
    except KeyboardInterrupt:
        say("\nStopped. Start again to go on.")
        return 130


def worker(arguments: list[str]) -> int:
    """Files and folders are named from where somebody stands, as for the studio."""
    prepare(ROOT, [STUDIO, *([] if {"-h", "--help"} & {*arguments} else [RAY])])
    return become([str(venv_python(ROOT)), "-P", "-m", "pipelines.cluster.worker", *arguments], {**os.environ, "PYTHONPATH": str(ROOT)})


def test(arguments: list[str]) -> int:
    prepare(ROOT, [STUDIO, TESTS])
    chromium = chromium_here() or install_chromium()
    if not arguments:
        install_other_browsers()
    environment = {**os.environ, **({"CHROMIUM": chromium} if chromium else {})}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # each worker, and each studio that a test starts, would compile all anew
    if arguments in (
        [],
        ["--smoke"],
    ):  # many: a file at a time, with one thread each; one more than there are cores, as tests of the page wait half of their time
        environment.setdefault("OMP_NUM_THREADS", "1")
        arguments = [*arguments, "-n", str(min((os.cpu_count() or 1) + 1, 4)), "--dist", "loadfile", "--no-loadscope-reorder"]
    os.chdir(ROOT)
    return become([str(venv_python(ROOT)), "-m", "pytest", *arguments], environment)


def bench(arguments: list[str]) -> int:
    prepare(ROOT, [STUDIO, TESTS])
    os.chdir(ROOT)
    return become([str(venv_python(ROOT)), "-m", "bench", *arguments], dict(os.environ))


# ------------------------------------------------------------------------------------------------ which Python


def suits(version: tuple[int, ...]) -> bool:
    return OLDEST <= tuple(version[:2]) <= NEWEST and sys.maxsize > 2**32


def other_python(which: Callable[[str], str | None]) -> str:
    """A fitting Python elsewhere on this machine. Raises `SetupError` when there is none."""
    for minor in (13, 12, 11, 14):
        found = which(f"python3.{minor}")
        if found and _version_of(found) == f"3.{minor}":
            return found
    here, bits = ".".join(map(str, sys.version_info[:2])), "" if sys.maxsize > 2**32 else ", 32 bit"
    raise SetupError(
        f"Atelier needs a 64-bit Python 3.{OLDEST[1]} to 3.{NEWEST[1]}; this one is {here}{bits}.\n"
        "Get Python 3.12 from https://www.python.org/downloads/, then start again with it."
    )


def _version_of(python: str | Path) -> str:
    """Like "3.12"; "" when it does not run."""
    try:
        command = [str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout.decode().strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def venv_python(root: Path, windows: bool = os.name == "nt") -> Path:
    return root / ".venv" / ("Scripts/python.exe" if windows else "bin/python")


# ------------------------------------------------------------------------------------------------ the set-up


def prepare(root: Path, files: list[str]) -> None:
    """Have a `.venv` with everything that these lists name. Does nothing, and needs no network, when it is there already."""
    if is_ready(root, files):
        return
    try:
        (root / ".venv").mkdir(exist_ok=True)
        with locked(root / ".venv" / "setup.lock") as lock:
            set_up(root, files, lock)
    except OSError as error:
        raise SetupError(explain([f"ERROR: {error}"], log_file(root))) from error


def set_up(root: Path, files: list[str], lock: IO[str]) -> None:
    if is_ready(root, files):  # another start has just done it
        return
    start = time.monotonic()
    make_venv(root, lock)
    for name in files:
        if not is_ready(root, [name]):
            install(root, name, lock)
    say(f"Ready after {time.monotonic() - start:.0f} seconds.")


def is_ready(root: Path, files: list[str]) -> bool:
    if is_half_written(root):
        return False
    version = _version_of(venv_python(root))
    return bool(version) and all(read(stamp_file(root, name)) == stamp(root, name, version) for name in files)


def stamp(root: Path, name: str, version: str) -> str:
    """What a finished installation of a list leaves behind: it changes when the list, what stands with it in `STEPS` or the Python does."""
    files = [item for step in STEPS[name] for item in step if is_list(item)]
    lines = [line for file in files for line in (root / file).read_text("utf-8").splitlines()]
    return json.dumps({"python": version, "packages": hashlib.sha256("\n".join(lines).encode()).hexdigest()})


def is_list(argument: str) -> bool:
    return argument.endswith(".lock")


def stamp_file(root: Path, name: str) -> Path:
    return root / ".venv" / f"installed-{Path(name).stem}.json"


def unfinished(root: Path) -> Path:
    """This file is there while something may write into `.venv`. Found at a start, it says that this was cut short.

    It holds where in the log the words of pip begin, and nothing while the `.venv` itself is made.
    """
    return root / ".venv" / "unfinished"


def is_half_written(root: Path) -> bool:
    """What was cut short had begun to write. A pip that was still fetching has changed nothing, so its `.venv` is as good as before."""
    if not unfinished(root).exists():
        return False
    begun = read(unfinished(root))
    if not begun.isdecimal() or int(begun) > size(log_file(root)):
        return True
    said = log_file(root).read_bytes()[int(begun) :].decode("utf-8", "replace") if log_file(root).exists() else ""
    return WRITING in said and WRITTEN not in said


def make_venv(root: Path, lock: IO[str]) -> None:
    """A `.venv` to install into: the one that is there if it is sound, else a new one."""
    if is_sound(root):
        return
    free = shutil.disk_usage(root).free
    if free < SPACE:
        raise SetupError(f"Setting up needs about 3 GB; this disk has {free / 1e9:.1f} GB left. Make room, then start again.")
    say("Setting up Atelier (once; some minutes, depending on your connection)...")
    unfinished(root).write_text("")  # before anything is taken away: what is half gone must not pass for whole either
    empty(root / ".venv", keep={"setup.lock", "setup.log", "unfinished"})
    run_logged(root, [base_python(), "-m", "venv", str(root / ".venv")], lock)
    unfinished(root).unlink()


def is_sound(root: Path) -> bool:
    """Not half-written, its Python runs, and is of the version that the packages in it were made for."""
    version = _version_of(venv_python(root))
    made_for = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+)", read(root / ".venv" / "pyvenv.cfg"), re.MULTILINE)
    pip = list((root / ".venv").glob("**/site-packages/pip/__main__.py"))
    return bool(version and made_for and made_for[1] == version and pip) and not is_half_written(root)


def install(root: Path, name: str, lock: IO[str]) -> None:
    """Install what one list names, then leave its stamp."""
    say({TESTS: "Fetching what the tests need...", RAY: "Fetching Ray..."}.get(name, "Fetching the parts..."))
    for step in STEPS[name]:
        run_pip(root, [str(root / item) if is_list(item) else item for item in step], lock)
    write_whole(stamp_file(root, name), stamp(root, name, _version_of(venv_python(root))))


def run_pip(root: Path, step: list[str], lock: IO[str]) -> None:
    write_whole(unfinished(root), str(size(log_file(root))))
    try:
        run_logged(root, [str(venv_python(root)), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", *step], lock)
    finally:
        if not is_half_written(root):
            unfinished(root).unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
