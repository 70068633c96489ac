"""Programs that the set-up starts: pip and its like, logged, ended with us, and what went wrong told in the words of a person."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

from packages.small_files import size

WRITING = "Installing collected packages"  # what pip says when all is fetched and it begins to write
WRITTEN = "Successfully installed"  # and when it has
FULL = 1_000_000  # bytes: with less than this left, nothing more can be written, not even what went wrong

# What stands in a failed set-up, and what to do about it. The first match counts.
ADVICE = (
    (r"ensurepip is not|No module named '?(venv|ensurepip)",
     "This Python comes without its venv part. On Debian and Ubuntu, this adds it:\n    sudo apt install python3-venv"),
    (r"No space left|Errno 28\b|not enough space|disk full",
     "The disk is full. Atelier needs about 3 GB (8 GB with an NVIDIA card). Make room, then start again."),
    (r"name resolution|getaddrinfo|Name or service not known|unreachable|Failed to establish|NewConnection|timed out|ProxyError|SSLError"
     r"|Connection(Reset|Refused|Aborted)?Error|from versions: none",
     "The package server cannot be reached. The first start needs the internet: check the connection (and the proxy, if there is\n"
     "one), then start again. Later starts need no connection."),
    (r"No matching distribution|is not a supported wheel|requires a different Python",
     "One of the parts has no build for this Python or this machine. A 64-bit Python 3.12 from python.org works on Windows,\n"
     "Linux and Macs with an M chip."),
    (r"Permission denied|Access is denied|Errno 13\b|Read-only file system",
     "The folder of Atelier cannot be written. Move it to a folder of your own, or close the program that uses it, then start again."),
)  # fmt: skip


class SetupError(Exception):
    """The set-up cannot go on. Its text is for the person who started it."""


def log_file(root: Path) -> Path:
    return root / ".venv" / "setup.log"


def base_python() -> str:
    """The Python that this one is a venv of, or this one: it is still there when the `.venv` has gone."""
    return getattr(sys, "_base_executable", "") or sys.executable


def run_logged(root: Path, command: list[str], lock: IO[str] | None = None) -> None:
    """Run a part of the set-up: its words go to the log, the large steps to the screen. Raises `SetupError`.

    With the lock it ends when this program does, however that ends, or holds the lock for as long as it goes on (see `ended`).
    """
    with log_file(root).open("a", encoding="utf-8") as log:
        log.write(f"\n$ {' '.join(command)}\n")
    begun = size(log_file(root))
    with ended(command, log_file(root), lock) as child:
        lines = shown(words(log_file(root), begun, child))
    if child.returncode:
        full = ["ERROR: No space left on device"] if shutil.disk_usage(root).free < FULL else []
        raise SetupError(explain([*lines, *full], log_file(root)))


def words(log: Path, begun: int, child: subprocess.Popen[bytes]) -> Iterator[str]:
    """The lines that a child adds to the log, as they come, until it has ended.

    They go by the file, not by a pipe: nobody reads a pipe any more when this program was killed, and the child dies of its next word.
    """
    rest = b""
    with log.open("rb") as file:
        file.seek(begun)
        over = False
        while not over:
            over = child.poll() is not None  # asked before reading, so that its last words are read
            *lines, rest = (rest + file.read()).split(b"\n")
            yield from (line.decode("utf-8", "replace").rstrip() for line in lines)
            time.sleep(0 if over else 0.1)
    if rest:
        yield rest.decode("utf-8", "replace").rstrip()


def shown(lines: Iterable[str]) -> list[str]:
    """All of them, after the large steps have been shown."""
    heard: list[str] = []
    for line in lines:
        heard.append(line)
        if progress(line):
            say(progress(line))
    return heard


@contextmanager
def ended(command: list[str], log: Path, lock: IO[str] | None = None) -> Generator[subprocess.Popen[bytes]]:
    """A running command that has ended when the block has, also when the block is left by Ctrl+C.

    When this program is killed, what was given the lock is killed with it (Linux, Windows). Where that is not so (macOS, and what it
    has started itself), it holds the lock as its standard input until it ends, so the next start waits. Without the lock it goes
    on to its end: half an installation in the system would be worse than a whole one.
    """
    stdin = subprocess.DEVNULL if lock is None or os.name == "nt" else lock
    with log.open("ab") as out:
        child = subprocess.Popen(
            tied(command) if lock else command, env=pip_environment(), stdin=stdin, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        with in_a_job(child) if lock and os.name == "nt" else nullcontext():
            yield child
    except BaseException:
        child.terminate()
        raise
    finally:
        child.wait()


TIED = """
import os, sys
try:
    import ctypes
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL; it lasts over execv
except Exception:
    pass  # no ctypes in this Python: the lock must do
if os.getppid() == int(sys.argv[1]):  # else the parent was killed before the line above
    os.execv(sys.argv[2], sys.argv[2:])
"""


def tied(command: list[str], platform: str = sys.platform) -> list[str]:
    """The command as one that Linux kills as soon as this program has ended."""
    return [base_python(), "-I", "-S", "-c", TIED, str(os.getpid()), *command] if platform.startswith("linux") else command


KILL_ON_CLOSE, EXTENDED_LIMITS = 0x2000, 9  # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JobObjectExtendedLimitInformation
LIMITS_SIZE, LIMITS_FLAGS = 144, 16  # bytes of JOBOBJECT_EXTENDED_LIMIT_INFORMATION in 64 bits, and where its LimitFlags stand


@contextmanager
def in_a_job(child: subprocess.Popen[bytes], kernel: Any = None) -> Generator[None]:  # Any: a library in C
    """Windows ends the child and all that it starts with the last handle of their job: after the block, or when this program is killed."""
    import ctypes

    kernel = kernel or _windows()
    kernel.CreateJobObjectW.restype = ctypes.c_void_p
    job = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
    limits = ctypes.create_string_buffer(LIMITS_SIZE)
    struct.pack_into("<I", limits, LIMITS_FLAGS, KILL_ON_CLOSE)
    kernel.SetInformationJobObject(job, EXTENDED_LIMITS, limits, LIMITS_SIZE)
    kernel.AssignProcessToJobObject(job, ctypes.c_void_p(int(child._handle)))  # type: ignore[attr-defined]
    try:
        yield
    finally:
        kernel.CloseHandle(job)


def _windows() -> Any:  # Any: a library in C
    import ctypes

    return ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]


def pip_environment() -> dict[str, str]:
    """Ours, without what would send packages elsewhere; and every line at once, not when some kilobytes have come together."""
    ours = {"PIP_USER": "0", "PYTHONNOUSERSITE": "1", "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET")} | ours


def progress(line: str) -> str:
    """What to show of a line of pip's: large downloads and the unpacking, else ""."""
    large = re.match(r"\s*Downloading (?:\S+/)?([A-Za-z0-9_.]+?)-\d\S* \((\d+)(?:\.\d+)? MB\)", line)
    if large and int(large[2]) >= 40:
        return f"  {large[1]}, {large[2]} MB"
    return "  unpacking" if line.startswith(WRITING) else ""


def explain(lines: list[str], log: Path) -> str:
    """What went wrong, in the words of a person, and the lines that say so."""
    text = "\n".join(lines)
    advice = next((advice for pattern, advice in ADVICE if re.search(pattern, text, re.IGNORECASE)), "The reason is in the lines above.")
    errors = [line for line in lines if re.match(r"\s*(ERROR|error|OSError|E:)", line)] or [line for line in lines if line]
    shown = "\n".join(f"    {line.strip()[:200]}" for line in errors[-4:])
    return f"Setting up did not work.\n{shown}\n\n{advice}\nEverything that was said: {log}"


def become(command: list[str], environment: dict[str, str]) -> int:
    """Go on as another program. On Windows, where that cannot be done, run it and return its exit code."""
    sys.stdout.flush()
    if os.name != "nt":
        os.execve(command[0], command, environment)
    return _wait(command, environment)


def _wait(command: list[str], environment: dict[str, str] | None = None) -> int:
    child = subprocess.Popen(command, env=environment)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:  # the child has heard it too, and ends in its own way
            continue


def say(text: str) -> None:
    print(text, flush=True)
