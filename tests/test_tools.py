"""The tools of makers say what they need and how they are used, in a line each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import bench.__main__ as benches
import run
from tests.support import toy_files


class Lacks:
    """An import system that knows no package of these names."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def find_spec(self, name: str, *_where: Any) -> None:
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.mark.parametrize(("name", "package"), [("canvas", "playwright"), ("start", "gradio")])
def test_a_bench_without_its_packages_says_the_one_command_that_installs_them(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for known in [known for known in sys.modules if known.partition(".")[0] == package or known == f"bench.{name}"]:
        monkeypatch.delitem(sys.modules, known)
    monkeypatch.setattr(sys, "meta_path", [Lacks(package), *sys.meta_path])
    assert benches.main([name]) == 1
    [line] = capsys.readouterr().out.splitlines()
    assert package in line and line.endswith(f"python run.py bench {name}")


def test_a_module_of_our_own_that_is_missing_is_no_package_to_install() -> None:
    with pytest.raises(ModuleNotFoundError):
        benches.lacking(ModuleNotFoundError(name="bench.nothing"), "engine")


def test_every_bench_is_in_the_table_and_in_its_help() -> None:
    folder = Path(benches.__file__).parent
    files = {path.stem for path in folder.glob("*.py") if "def measure(" in path.read_text("utf-8")}
    assert files == set(benches.BENCHES)
    assert all(name in str(benches.__doc__) for name in files)


def test_run_installs_what_the_benches_need_before_it_starts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []
    monkeypatch.setattr(run, "prepare", lambda _root, files: done.extend(files))
    monkeypatch.setattr(run, "become", lambda command, _environment: done.append(command[1:]) or 0)
    monkeypatch.chdir(run.ROOT)
    assert run.main(["bench", "scan"]) == 0
    assert done == [run.STUDIO, run.TESTS, ["-m", "bench", "scan"]]


@pytest.mark.parametrize(("arguments", "code", "words"), [(["--help"], 0, "every layout"), ([], 2, "folder"), (["a file"], 2, "a file")])
def test_toy_files_say_how_they_are_written(
    arguments: list[str], code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a file").touch()
    with pytest.raises(SystemExit) as end:
        toy_files.main(arguments)
    said = capsys.readouterr()
    assert end.value.code == code
    assert words in said.out + said.err
