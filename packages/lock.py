"""Lock files: every package of every system that Atelier runs on, by version and by the hashes of its files.

    python -m packages.lock           after a change of the requirements; all else keeps its version
    python -m packages.lock --newer   takes the newest versions of what the requirements do not name

    studio.lock   what requirements.txt asks for, and what that asks for in turn, but for torch
    torch.lock    torch and what only its builds for cards ask for, by version alone: each machine has another build, of other files
    tests.lock    what requirements-test.txt adds
    ray.lock      what requirements-ray.txt adds, for who asks for it

uv solves them for Linux, macOS, Windows and all Pythons at once. It is fetched into a folder that is thrown away: nothing else needs it.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from packages.entries import LOCKS, NAMES, OPTIONAL, Entry, locked, read

ROOT = LOCKS.parent
UV = "uv==0.13.9"
OLDEST = "3.11"  # Python
NO_SYSTEM_OF_OURS = "== 'emscripten'"  # in a marker: Python in a browser, which uv thinks of too
ALONE = "\n# --no-deps\n"  # what follows this line in a requirements file is locked without what it asks for
TORCH = re.compile(r"(torch|torchvision|triton)$|nvidia-|cuda-")
OPTIONS = ("--universal", "--python-version", OLDEST, "--fork-strategy", "fewest", "--generate-hashes", "--no-header", "--no-annotate")


class Solver:
    """uv in a folder of its own. `kept`: the text of locks whose versions are taken where they still do."""

    def __init__(self, room: Path, kept: str) -> None:
        self.room, self.kept = room, kept
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(room / "uv"), UV], check=True)

    def solve(self, asked: str, within: str = "", *more: str) -> list[Entry]:
        """What a text of requirements asks for, and what that asks for in turn. `within`: versions to stay at, as requirements."""
        lock = self.room / "lock"
        for name, text in (("asked", asked), ("within", within), ("lock", self.kept)):  # uv keeps to the lock that it writes over
            (self.room / name).write_text(text, "utf-8")
        command = ["-m", "uv", "--quiet", "pip", "compile", *OPTIONS, *more, "asked", "--constraints", "within", "--output-file", "lock"]
        environment = {**os.environ, "PYTHONPATH": str(self.room / "uv")}
        subprocess.run([sys.executable, *command], cwd=self.room, env=environment, check=True)
        return [entry for entry in read(lock.read_text("utf-8")) if NO_SYSTEM_OF_OURS not in entry.marker]


def make(solver: Solver, studio: str, tests: str, ray: str) -> dict[str, list[Entry]]:
    """Lock by lock what belongs into it, out of the texts of the requirements files."""
    plain, _, alone = tests.partition(ALONE)
    base = solver.solve(studio)
    within = "".join(entry.pin for entry in base)
    added, further = solver.solve(plain, within), solver.solve(ray, within)
    return {
        "studio": [entry for entry in base if not TORCH.match(entry.name)],
        "torch": [entry.without_hashes() for entry in base if TORCH.match(entry.name)],
        "tests": sorted({*added, *solver.solve(alone, "", "--no-deps")} - {*base}, key=lambda entry: entry.name),
        "ray": [entry for entry in further if entry.name not in {each.name for each in base}],
    }


def write(name: str, lock: list[Entry]) -> None:
    head = "# Made by `python -m packages.lock`, out of the requirements files. Not to be edited.\n"
    (LOCKS / f"{name}.lock").write_text(head + "".join(entry.text for entry in lock), "utf-8")
    print(f"{name}.lock: {len(lock)} packages")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m packages.lock", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--newer", action="store_true", help="take the newest versions of what the requirements do not name")
    kept = "" if parser.parse_args(arguments).newer else "".join(entry.text for entry in locked(*NAMES, *OPTIONAL))
    asked = [(ROOT / name).read_text("utf-8") for name in ("requirements.txt", "requirements-test.txt", "requirements-ray.txt")]
    with tempfile.TemporaryDirectory() as room:
        locks = make(Solver(Path(room), kept), *asked)
    for name, lock in locks.items():
        write(name, lock)


if __name__ == "__main__":
    main(sys.argv[1:])
