"""Start Atelier: `python run.py`. The first start sets everything up, the later ones only start.

    python run.py [arguments of app.py]      the studio; `python run.py --help` lists them
    python run.py test [arguments of pytest] the tests
    python run.py bench [names]              what it costs; `python run.py bench --help` lists the names

Needs nothing but Python itself. Everything it installs goes to the folder `.venv` beside this file; delete that folder to
begin again. What pip says is kept in `.venv/setup.log`.
"""

from __future__ import annotations  # Does Python stop at this line? Atelier needs Python 3.11 or newer, from python.org

import errno
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent
OLDEST, NEWEST = (3, 11), (3, 14)  # that every pinned package has a build for
SPACE = 3 * 10**9  # bytes: the packages, and what pip unpacks on the way
WRITING = "Installing collected packages"  # what pip says when all is fetched and it begins to write
WRITTEN = "Successfully installed"  # and when it has
FULL = 1_000_000  # bytes: with less than this left, nothing more can be written, not even what went wrong
STUDIO, TESTS = "packages/studio.lock", "packages/tests.lock"  # lists of packages: all that is needed, by version and hash
# PyTorch is asked for by name, as its build depends on the machine: pip takes the one for the CPU alone where the machine offers that.
STEPS = {  # list -> the arguments of each `pip install`, in order
    STUDIO: (("--no-deps", "--require-hashes", "-r", STUDIO), ("torch", "torchvision", "-c", "packages/torch.lock")),
    TESTS: (("--no-deps", "--require-hashes", "-r", TESTS),),
}

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


def main(arguments: list[str]) -> int:  # Does Python stop at this line? Atelier needs Python 3.11 or newer, from python.org
    try:
        if not suits(sys.version_info[:2]):
            return become([other_python(shutil.which), str(ROOT / "run.py"), *arguments], dict(os.environ))
        if arguments[:1] == ["test"]:
            return test(arguments[1:])
        if arguments[:1] == ["bench"]:
            return bench(arguments[1:])
        prepare(ROOT, [STUDIO])
        return become([str(venv_python(ROOT)), str(ROOT / "app.py"), *arguments], dict(os.environ))
    except SetupError as error:
        say(f"\n{error}")
        return 1
    except KeyboardInterrupt:
        say("\nStopped. Start again to go on.")
        return 130


def test(arguments: list[str]) -> int:
    prepare(ROOT, [STUDIO, TESTS])
    chromium = find_chromium(os.environ, sys.platform, shutil.which) or install_chromium()
    if not arguments:
        install_other_browsers()
    environment = {**os.environ, **({"CHROMIUM": chromium} if chromium else {})}
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
    return bool(version) and all(_read(stamp_file(root, name)) == stamp(root, name, version) for name in files)


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
    begun = _read(unfinished(root))
    if not begun.isdecimal() or int(begun) > _size(log_file(root)):
        return True
    said = log_file(root).read_bytes()[int(begun) :].decode("utf-8", "replace") if log_file(root).exists() else ""
    return WRITING in said and WRITTEN not in said


def log_file(root: Path) -> Path:
    return root / ".venv" / "setup.log"


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


def base_python() -> str:
    """The Python that this one is a venv of, or this one: it is still there when the `.venv` has gone."""
    return getattr(sys, "_base_executable", "") or sys.executable


def is_sound(root: Path) -> bool:
    """Not half-written, its Python runs, and is of the version that the packages in it were made for."""
    version = _version_of(venv_python(root))
    made_for = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+)", _read(root / ".venv" / "pyvenv.cfg"), re.MULTILINE)
    pip = list((root / ".venv").glob("**/site-packages/pip/__main__.py"))
    return bool(version and made_for and made_for[1] == version and pip) and not is_half_written(root)


def install(root: Path, name: str, lock: IO[str]) -> None:
    """Install what one list names, then leave its stamp."""
    say("Fetching what the tests need..." if name == TESTS else "Fetching the parts...")
    for step in STEPS[name]:
        run_pip(root, [str(root / item) if is_list(item) else item for item in step], lock)
    _write_whole(stamp_file(root, name), stamp(root, name, _version_of(venv_python(root))))


def run_pip(root: Path, step: list[str], lock: IO[str]) -> None:
    _write_whole(unfinished(root), str(_size(log_file(root))))
    try:
        run_logged(root, [str(venv_python(root)), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", *step], lock)
    finally:
        if not is_half_written(root):
            unfinished(root).unlink(missing_ok=True)


def run_logged(root: Path, command: list[str], lock: IO[str] | None = None) -> None:
    """Run a part of the set-up: its words go to the log, the large steps to the screen. Raises `SetupError`.

    With the lock it ends when this program does, however that ends, or holds the lock for as long as it goes on (see `ended`).
    """
    with log_file(root).open("a", encoding="utf-8") as log:
        log.write(f"\n$ {' '.join(command)}\n")
    begun = _size(log_file(root))
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
def ended(command: list[str], log: Path, lock: IO[str] | None = None) -> Generator["subprocess.Popen[bytes]"]:
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
def in_a_job(child: "subprocess.Popen[bytes]", kernel: Any = None) -> Generator[None]:  # Any: a library in C
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


# ------------------------------------------------------------------------------------------------ a browser for the tests


OTHER_BROWSERS = {"firefox-esr": "firefox-esr", "WebKitWebDriver": "webkit2gtk-driver", "Xvfb": "xvfb"}  # program -> its package in Debian


def find_chromium(environment: Mapping[str, str], platform: str, which: Callable[[str], str | None]) -> str | None:
    """The path of a Chromium, Chrome or Edge; the variable CHROMIUM names one outright."""
    if environment.get("CHROMIUM"):
        return environment["CHROMIUM"]
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge", "chrome", "msedge")
    found = (which(name) for name in names)
    usual = (str(path) for path in usual_browsers(environment, platform) if path.is_file())
    return next(filter(None, found), None) or next(usual, None)


def usual_browsers(environment: Mapping[str, str], platform: str) -> list[Path]:
    if platform == "darwin":
        names = ("Chromium", "Google Chrome", "Microsoft Edge")
        homes = (Path("/"), Path(environment.get("HOME", "/")))
        return [home / f"Applications/{name}.app/Contents/MacOS/{name}" for home in homes for name in names]
    if platform == "win32":
        folders = [environment[name] for name in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA") if name in environment]
        programs = ("Google/Chrome/Application/chrome.exe", "Chromium/Application/chrome.exe", "Microsoft/Edge/Application/msedge.exe")
        return [Path(folder) / program for folder in folders for program in programs]
    return []


def install_chromium() -> str | None:
    """Install one where that is ours to do (root on Debian); elsewhere say how, and go on without."""
    install_browsers("Chromium", "chromium")
    found = find_chromium(os.environ, sys.platform, shutil.which)
    if not found:
        say(f"No Chromium or Chrome was found: THE BROWSER TESTS ARE SKIPPED. This installs one:\n    {chromium_command(sys.platform)}")
    return found


def install_other_browsers() -> None:
    """Those that a run of all tests tries as well (20 s, 0.5 GB). Where it is not ours to install them, their tests say how."""
    missing = [package for program, package in OTHER_BROWSERS.items() if not shutil.which(program)]
    if missing:
        install_browsers("Firefox and WebKit", "--no-install-recommends", *missing)


def install_browsers(names: str, *packages: str) -> None:
    """Does nothing but for root on Debian. What goes wrong is said: the tests can do without."""
    if not (shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0):
        return
    say(f"Fetching {names} for the browser tests...")
    try:
        apt("update")
        apt("install", "-y", *packages)
    except SetupError as error:
        say(str(error))


def apt(*arguments: str, patience: int = 600, pause: float = 1.0) -> None:
    """Waits up to `patience` times for another that installs: an earlier start that was killed has left its apt at work."""
    for turn in range(patience + 1):
        try:
            return run_logged(ROOT, ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *arguments])
        except SetupError as error:
            if turn == patience or not re.search(r"Could not get lock|Unable to lock", str(error)):
                raise
            if not turn:
                say("Another program is installing. Waiting for it...")
            time.sleep(pause)
    return None


def chromium_command(platform: str) -> str:
    commands = {"darwin": "brew install --cask google-chrome", "win32": "winget install Google.Chrome"}
    return commands.get(platform, "sudo apt install chromium")


# ------------------------------------------------------------------------------------------------ files and processes


@contextmanager
def locked(path: Path) -> Generator[IO[str]]:
    """Only one set-up at a time; the system lets go of the lock when its holder ends, however it ends."""
    with path.open("a+") as file:
        if not _try_lock(file.fileno()):
            say("Another start is setting Atelier up. Waiting for it...")
            while not _try_lock(file.fileno()):
                time.sleep(0.5)
        yield file


def _try_lock(handle: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(handle, 0, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK)  # else this disk knows no locks: go on without
    return True


def empty(folder: Path, keep: set[str]) -> None:
    for path in folder.iterdir():
        if path.name in keep:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _write_whole(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
