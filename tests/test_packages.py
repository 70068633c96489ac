"""Locks and table of packages, against the requirements and against what is installed where the tests run."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import Distribution, distributions

import pytest

from packages.entries import LOCKS, NAMES, OPTIONAL, Entry, locked, read
from packages.lock import Solver, make
from packages.table import PAGE, page, stated

ROOT = LOCKS.parent
OF_PYTHON = {"pip", "wheel"}  # come with a venv
ROW = re.compile(r"^\| ([\w.-]+) \| (\S+) \| ([^|]+) \|", re.MULTILINE)
PIN = re.compile(r"^([\w.-]+)==([^\s#;]+)", re.MULTILINE)
LOCKED = {entry.name: entry for entry in locked(*NAMES, *OPTIONAL)}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed() -> dict[str, Distribution]:
    found = {plain(package.name): package for package in distributions()}
    return {name: package for name, package in found.items() if name not in OF_PYTHON}


def test_what_is_installed_is_what_the_locks_say() -> None:
    here = {name: package.version.partition("+")[0] for name, package in installed().items()}
    assert here.items() <= {name: entry.version for name, entry in LOCKED.items()}.items()
    assert [entry.name for entry in locked() if not entry.marker and entry.name not in here] == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-test.txt", "requirements-ray.txt"])
def test_every_requirement_is_pinned_has_its_reason_and_is_in_a_lock(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+ +# \S.*", line)] == []
    assert {(plain(package), version) for package, version in PIN.findall(text)} <= {
        (entry.name, entry.version) for entry in LOCKED.values()
    }


def test_every_file_is_known_by_its_hash_but_those_of_torch() -> None:
    assert [entry.name for entry in locked("studio", "tests", "ray") if not entry.hashes] == []
    assert {"torch", "torchvision"} <= {entry.name for entry in locked("torch")}
    assert [entry.name for entry in locked("torch") if entry.hashes] == []
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for entry in locked() for value in entry.hashes)


def test_each_package_has_one_version_and_stands_in_one_lock() -> None:
    names = [entry.name for entry in locked(*NAMES, *OPTIONAL)]
    assert sorted(names) == sorted(set(names))


def test_nothing_that_a_package_asks_for_is_missing() -> None:
    """pip itself looks; two are installed without what they ask for, on purpose."""
    said = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False).stdout
    missing = [line for line in said.splitlines() if "requires" in line or "has requirement" in line]
    assert [line for line in missing if not line.startswith(("k-diffusion", "c2pa-python"))] == []


def test_a_lock_reads_as_it_was_written() -> None:
    for name in (*NAMES, *OPTIONAL):
        text = (LOCKS / f"{name}.lock").read_text("utf-8").partition("\n")[2]
        assert "".join(entry.text for entry in read(text)) == text


# ------------------------------------------------------------------------------------------------ the maker


class FakeSolver(Solver):
    """Knows what each asks for; keeps what it was asked."""

    def __init__(self, answers: dict[str, list[Entry]]) -> None:
        self.answers, self.asked = answers, list[tuple[str, ...]]()

    def solve(self, asked: str, within: str = "", *more: str) -> list[Entry]:
        self.asked.append((asked, within, *more))
        return self.answers[asked]


def test_torch_and_what_only_cards_need_go_without_hashes_and_the_tests_add_what_is_new() -> None:
    torch, card = Entry("torch", "2", hashes=("a",)), Entry("nvidia-cublas", "13", "linux", ("b",))
    numpy = Entry("numpy", "3", hashes=("c",))
    runner, samplers = Entry("pytest", "9", hashes=("d",)), Entry("k-diffusion", "0", hashes=("e",))
    actors = Entry("ray", "2", hashes=("f",))
    answers = {
        "studio": [card, numpy, torch],
        "pytest": [numpy, runner],
        "k-diffusion": [samplers],
        "ray": [replace(numpy, marker="old"), actors],
    }
    locks = make(solver := FakeSolver(answers), "studio", "pytest\n# --no-deps\nk-diffusion", "ray")
    base = "nvidia-cublas==13 ; linux\nnumpy==3\ntorch==2\n"
    assert (
        {*locks} == {*NAMES, *OPTIONAL} and locks["studio"] == [numpy] and locks["tests"] == [samplers, runner] and locks["ray"] == [actors]
    )
    assert locks["torch"] == [card.without_hashes(), torch.without_hashes()]
    assert solver.asked[1:] == [("pytest", base), ("ray", base), ("k-diffusion", "", "--no-deps")]


# ------------------------------------------------------------------------------------------------ the table


def test_the_table_is_that_of_today() -> None:
    assert PAGE.read_text("utf-8") == page(), "python -m packages.table makes it anew"


def test_the_table_says_of_what_is_installed_which_version_and_licence_it_states() -> None:
    rows = {name: (version, licence) for name, version, licence in ROW.findall(PAGE.read_text("utf-8"))}
    assert rows.keys() - {"Package", "---"} == LOCKED.keys()
    for name, package in installed().items():
        version, licence = rows[name]
        assert version == package.version.partition("+")[0], name
        assert licence in (package.metadata.get_all("License-Expression") or [licence]), name
        assert not (said := stated(package.metadata)) or said[:3].upper() in licence.upper(), name  # older spellings
