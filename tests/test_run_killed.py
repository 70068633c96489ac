"""The set-up killed at any moment: nothing that it started writes on beside the next start, and what is half-written is noticed."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import run
from packages import children, small_files
from tests.support.toys import wait_until

ROOT = Path(run.__file__).parent
pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills by signals, and runs shell scripts")

BEGUN = "import os; open('begun', 'w').write(str(os.getpid())); "
SLOW = f"{BEGUN}import time; time.sleep(60)"
GRANDCHILD = "import subprocess, sys; subprocess.check_output([sys.executable, '-c', sys.argv[1]])"  # as venv starts ensurepip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / ".venv").mkdir()
    return tmp_path


@contextmanager
def killed(root: Path, act: str, sign: Path) -> Iterator[None]:
    """A start that does `act` under the lock and is killed when the file `sign` is there. What is left behind ends with the block."""
    code = f"import run, sys, pathlib\nroot = pathlib.Path('.')\nwith run.locked(root / 'lock') as lock: {act}"
    start = subprocess.Popen([sys.executable, "-c", code], cwd=root, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        wait_until(lambda: sign.exists() and sign.read_text(), 20)
        start.kill()
        start.wait()
        yield
    finally:
        start.kill()
        with suppress(OSError, ValueError):
            os.kill(int((root / "begun").read_text()), signal.SIGKILL)


def is_held(root: Path) -> bool:
    with (root / "lock").open("a+") as file:
        return not small_files._try_lock(file.fileno())


def is_at_work(root: Path) -> bool:
    """Whether what wrote its number into `begun` still runs; a killed one may wait for somebody to take its exit code."""
    try:
        state = Path(f"/proc/{(root / 'begun').read_text()}/stat").read_text()
    except FileNotFoundError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc")


@on_linux
def test_what_was_started_under_the_lock_is_killed_with_its_start(root: Path) -> None:
    with killed(root, f"run.run_logged(root, [sys.executable, '-c', {SLOW!r}], lock)", root / "begun"):
        wait_until(lambda: not is_at_work(root), 5)
        assert not is_held(root)


def test_what_outlives_its_start_holds_the_lock_until_it_ends(root: Path) -> None:
    with killed(root, f"run.run_logged(root, [sys.executable, '-c', {GRANDCHILD!r}, {SLOW!r}], lock)", root / "begun"):
        time.sleep(0.3)
        assert is_held(root)
        os.kill(int((root / "begun").read_text()), signal.SIGKILL)
        wait_until(lambda: not is_held(root), 5)


def test_an_installation_in_the_system_goes_on_to_its_end_and_holds_no_lock_of_ours(root: Path) -> None:
    work = f"{BEGUN}import time; time.sleep(0.5); print('words for nobody', flush=True); open('done', 'w').close()"
    with killed(root, f"run.run_logged(root, [sys.executable, '-c', {work!r}])", root / "begun"):
        assert not is_held(root)
        wait_until((root / "done").exists, 5)


@pytest.mark.parametrize(
    ("said", "half"),
    [
        ("Collecting torch", False),
        ("Downloading torch-2.13.0-cp311-manylinux.whl (531.5 MB)", False),
        ("Installing collected packages: torch", True),
        ("Installing collected packages: torch\nSuccessfully installed torch-2.13.0", False),
    ],
)
def test_a_pip_that_was_killed_has_left_a_half_only_if_it_had_begun_to_write(root: Path, said: str, half: bool) -> None:
    fake_python(root, f"echo $$ > begun; echo '{said}'; exec sleep 60")
    run.log_file(root).write_text("Installing collected packages: of an earlier time\n")
    with killed(root, "run.run_pip(root, ['torch'], lock)", root / "begun"):
        last = said.split("\n")[-1]
        wait_until(lambda: last in run.log_file(root).read_text(), 5)
        assert run.is_half_written(root) is half


def fake_python(root: Path, script: str) -> None:
    python = run.venv_python(root)
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)


def test_a_log_that_is_gone_says_nothing_so_the_venv_is_made_anew(root: Path) -> None:
    run.unfinished(root).write_text("1000")
    assert run.is_half_written(root)


def test_being_killed_while_an_old_venv_is_taken_away_is_remembered(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_folder: Path, keep: set[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "empty", die)
    monkeypatch.setattr(run.shutil, "disk_usage", lambda _root: SimpleNamespace(free=100e9))
    with pytest.raises(KeyboardInterrupt), run.locked(root / "lock") as lock:
        run.make_venv(root, lock)
    assert run.is_half_written(root)


# ------------------------------------------------------------------------------------------------ Windows, by its own description


class Basic(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION as winnt.h has it, in 64 bits."""

    _fields_ = [
        ("per_process_time", ctypes.c_int64), ("per_job_time", ctypes.c_int64), ("flags", ctypes.c_uint32), ("least", ctypes.c_size_t),
        ("most", ctypes.c_size_t), ("processes", ctypes.c_uint32), ("affinity", ctypes.c_size_t), ("priority", ctypes.c_uint32),
        ("scheduling", ctypes.c_uint32),
    ]  # fmt: skip


class Extended(ctypes.Structure):
    _fields_ = [("basic", Basic), ("counters", ctypes.c_uint64 * 6), ("memory", ctypes.c_size_t * 4)]


class FakeKernel:
    """kernel32, as far as jobs are concerned."""

    def __init__(self) -> None:
        self.open: set[int] = set()
        self.flags, self.inside = 0, 0
        self.CreateJobObjectW: Any = lambda _security, _name: self.open.add(7) or 7

    def SetInformationJobObject(self, job: Any, what: int, limits: Any, size: int) -> None:
        assert (job.value, what, size) == (7, 9, ctypes.sizeof(Extended))
        self.flags = Extended.from_buffer(limits).basic.flags

    def AssignProcessToJobObject(self, job: Any, process: Any) -> None:
        self.inside = process.value

    def CloseHandle(self, job: Any) -> None:
        self.open.discard(job.value)


def test_on_windows_a_job_that_ends_with_its_last_handle_holds_the_child() -> None:
    kernel, child = FakeKernel(), SimpleNamespace(_handle=44)
    with children.in_a_job(child, kernel):  # type: ignore[arg-type]
        assert (kernel.open, kernel.flags, kernel.inside) == ({7}, 0x2000, 44)
    assert not kernel.open
