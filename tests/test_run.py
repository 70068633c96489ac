"""The first thing anybody starts: set up once, notice what is half done, start without a network, say what is wrong."""

from __future__ import annotations

import ast
import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import run
from packages import browsers, children, small_files

ROOT = Path(run.__file__).parent
HASHED = ["--no-deps", "--require-hashes", "-r"]


class FakePip:
    """In the place of `run_logged`: keeps the commands, and does to the folder what they would do."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.before: Callable[[list[str]], None] = lambda _command: None

    def __call__(self, root: Path, command: list[str], lock: object = None) -> None:
        self.commands.append(command)
        self.before(command)
        if "venv" in command:
            make_fake_venv(root)

    @property
    def installs(self) -> list[list[str]]:
        return [command[command.index("--disable-pip-version-check") + 1 :] for command in self.commands if "pip" in command]


def make_fake_venv(root: Path, version: str = f"3.{sys.version_info.minor}") -> None:
    python = run.venv_python(root)
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (root / ".venv" / "pyvenv.cfg").write_text(f"home = somewhere\nversion = {version}.7\n")
    pip = root / ".venv" / "lib" / "site-packages" / "pip" / "__main__.py"
    pip.parent.mkdir(parents=True, exist_ok=True)
    pip.touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "packages").mkdir()
    for name in ("studio", "torch", "tests"):
        (tmp_path / f"packages/{name}.lock").write_text(f"# what the {name} needs\n{name}==1.0\n")
    return tmp_path


def steps(root: Path, *names: str) -> list[list[str]]:
    """What pip is told for these lists."""
    torch = ["torch", "torchvision", "-c", str(root / "packages/torch.lock")]
    return [step for name in names for step in ([*HASHED, str(root / name)], *([torch] if name == run.STUDIO else []))]


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> FakePip:
    fake = FakePip()
    monkeypatch.setattr(run, "run_logged", fake)
    monkeypatch.setattr(browsers, "run_logged", fake)
    monkeypatch.setattr(run.shutil, "disk_usage", lambda _root: SimpleNamespace(free=100e9))
    return fake


posix = pytest.mark.skipif(os.name == "nt", reason="the fake Python is a shell script")

# ------------------------------------------------------------------------------------------------ the set-up


@posix
def test_the_first_start_makes_a_venv_and_installs(root: Path, pip: FakePip) -> None:
    run.prepare(root, [run.STUDIO])
    assert pip.commands[0][1:3] == ["-m", "venv"]
    assert pip.installs == steps(root, run.STUDIO)


@posix
def test_the_second_start_installs_nothing(root: Path, pip: FakePip) -> None:
    run.prepare(root, [run.STUDIO])
    pip.commands.clear()
    run.prepare(root, [run.STUDIO])
    assert pip.commands == []


@posix
@pytest.mark.parametrize("name", ["studio", "torch"])
def test_a_new_list_is_installed_into_the_same_venv(root: Path, pip: FakePip, name: str) -> None:
    run.prepare(root, [run.STUDIO])
    pip.commands.clear()
    (root / f"packages/{name}.lock").write_text("gradio==7.0.0\n")
    run.prepare(root, [run.STUDIO])
    assert pip.installs == steps(root, run.STUDIO)
    assert len(pip.commands) == 2


@posix
def test_the_tests_add_only_what_is_missing(root: Path, pip: FakePip) -> None:
    run.prepare(root, [run.STUDIO])
    pip.commands.clear()
    run.prepare(root, [run.STUDIO, run.TESTS])
    assert pip.installs == steps(root, run.TESTS)
    assert run.is_ready(root, [run.STUDIO])


@posix
def test_other_line_ends_are_no_new_list(root: Path, pip: FakePip) -> None:
    run.prepare(root, [run.STUDIO])
    file = root / run.STUDIO
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert run.is_ready(root, [run.STUDIO])


@posix
def test_an_installation_that_was_cut_short_is_made_anew(root: Path, pip: FakePip) -> None:
    def die(command: list[str]) -> None:
        if "torchvision" in command:
            run.log_file(root).write_text("Installing collected packages: gradio\n")
            raise KeyboardInterrupt

    pip.before = die
    with pytest.raises(KeyboardInterrupt):
        run.prepare(root, [run.STUDIO])
    (root / ".venv" / "half a package").mkdir()
    assert not run.is_ready(root, [run.STUDIO])

    pip.commands.clear()
    pip.before = lambda _command: None
    run.prepare(root, [run.STUDIO])
    assert pip.commands[0][1:3] == ["-m", "venv"]
    assert not (root / ".venv" / "half a package").exists()
    assert run.is_ready(root, [run.STUDIO])


@posix
def test_a_failed_download_costs_neither_the_venv_nor_the_studio(root: Path, pip: FakePip) -> None:
    run.prepare(root, [run.STUDIO])

    def no_network(command: list[str]) -> None:
        raise run.SetupError("no network")

    pip.before = no_network
    with pytest.raises(run.SetupError):
        run.prepare(root, [run.STUDIO, run.TESTS])
    assert run.is_ready(root, [run.STUDIO])
    assert run.is_sound(root)


@posix
@pytest.mark.parametrize("damage", ["no python", "no pip", "another python", "no configuration"])
def test_a_venv_that_does_not_work_any_more_is_made_anew(root: Path, pip: FakePip, damage: str) -> None:
    run.prepare(root, [run.STUDIO])
    if damage == "no python":
        run.venv_python(root).unlink()
    elif damage == "no pip":
        (root / ".venv/lib/site-packages/pip/__main__.py").unlink()
    elif damage == "another python":
        make_fake_venv(root, version="3.9")
    else:
        (root / ".venv/pyvenv.cfg").unlink()
    assert not run.is_sound(root)
    run.stamp_file(root, run.STUDIO).unlink(missing_ok=True)
    pip.commands.clear()
    run.prepare(root, [run.STUDIO])
    assert pip.commands[0][1:3] == ["-m", "venv"]


@posix
def test_two_starts_at_once_set_up_once(root: Path, pip: FakePip) -> None:
    pip.before = lambda _command: time.sleep(0.2)
    starts = [threading.Thread(target=run.prepare, args=(root, [run.STUDIO])) for _ in range(2)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert len(pip.installs) == 2  # torch and the rest, of one set-up
    assert run.is_ready(root, [run.STUDIO])


def test_too_little_space_is_told_before_anything_is_fetched(root: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.shutil, "disk_usage", lambda _root: SimpleNamespace(free=1.2e9))
    with pytest.raises(run.SetupError, match=r"1\.2 GB left"):
        run.prepare(root, [run.STUDIO])
    assert pip.commands == []


def test_a_folder_that_cannot_be_written_is_told(root: Path, pip: FakePip) -> None:
    (root / ".venv").write_text("a file where the folder should be")
    with pytest.raises(run.SetupError, match="did not work"):
        run.prepare(root, [run.STUDIO])


# ------------------------------------------------------------------------------------------------ what pip says


def running(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_what_is_said_goes_to_the_log_and_large_steps_to_the_screen(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / ".venv").mkdir()
    run.run_logged(root, running("print('Downloading torch-2.13.0-cp311-manylinux.whl (531.5 MB)'); print('small talk')"))
    assert capsys.readouterr().out == "  torch, 531 MB\n"
    assert "small talk" in run.log_file(root).read_text()


def test_ctrl_c_ends_the_command_before_the_lock_is_let_go(tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt), children.ended(running("import time; time.sleep(60)"), tmp_path / "log") as child:
        raise KeyboardInterrupt
    assert child.returncode
    assert time.monotonic() - start < 30


def test_words_without_an_end_of_line_are_heard(root: Path) -> None:
    (root / ".venv").mkdir()
    with pytest.raises(run.SetupError, match="cannot be reached"):
        run.run_logged(root, running("import sys; sys.stdout.write('ERROR: Temporary failure in name resolution'); sys.exit(1)"))


def test_a_full_disk_that_takes_no_word_any_more_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / ".venv").mkdir()
    monkeypatch.setattr(run.shutil, "disk_usage", lambda _root: SimpleNamespace(free=4096))
    with pytest.raises(run.SetupError, match="The disk is full"):
        run.run_logged(root, running("raise SystemExit(1)"))


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("The virtual environment was not created successfully because ensurepip is not available.", "python3-venv"),
        ("/usr/bin/python3: No module named venv", "python3-venv"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("Failed to establish a new connection: [Errno -3] Temporary failure in name resolution", "internet"),
        ("ERROR: Could not find a version that satisfies X (getaddrinfo failed)\nERROR: No matching distribution found for X", "internet"),
        ("ERROR: No matching distribution found for torch==2.13.0", "64-bit Python"),
        ("ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from versions: none)", "internet"),
        ("ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from versions: 2.1.0, 2.2.2)", "lines above"),
        ("ERROR: [Errno 13] Permission denied: 'x'", "cannot be written"),
        ("ERROR: something else", "lines above"),
    ],
)
def test_a_failure_comes_with_what_to_do(line: str, advice: str) -> None:
    told = run.explain(["Collecting torch", *line.split("\n")], Path(".venv/setup.log"))
    assert advice in told
    assert "setup.log" in told
    assert line.split("\n")[-1] in told


def test_a_failure_shows_few_lines() -> None:
    assert len(run.explain([f"ERROR: {number}" * 100 for number in range(1000)], Path("log")).splitlines()) < 12


@pytest.mark.parametrize(
    "line", ["Downloading small-1.0-py3-none-any.whl (1.2 MB)", "Collecting torch==2.13.0", "Downloading x-1.whl.metadata (30 kB)"]
)
def test_small_steps_are_not_shown(line: str) -> None:
    assert children.progress(line) == ""


# ------------------------------------------------------------------------------------------------ which Python, which browser


@pytest.mark.parametrize("file", ["run.py", "packages/browsers.py", "packages/children.py", "packages/small_files.py"])
def test_the_script_is_readable_for_an_old_python_and_needs_nothing_but_the_standard_library(file: str) -> None:
    tree = ast.parse((ROOT / file).read_text("utf-8"), feature_version=(3, 7))
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    taken = {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {"packages.browsers", "packages.children", "packages.small_files"}
    assert {name.split(".")[0] for name in (plain | taken) - ours} <= set(sys.stdlib_module_names)


@pytest.mark.parametrize(
    ("arguments", "lists", "started"),
    [
        (["--port", "80"], [run.STUDIO], [str(ROOT / "app.py"), "--port", "80"]),
        (["--ray", "local"], [run.STUDIO, run.RAY], [str(ROOT / "app.py"), "--ray", "local"]),
        (["--ray=attic:6379"], [run.STUDIO, run.RAY], [str(ROOT / "app.py"), "--ray=attic:6379"]),
        (["worker", "--help"], [run.STUDIO], ["-P", "-m", "pipelines.cluster.worker", "--help"]),
        (["worker", "--ray", "attic"], [run.STUDIO, run.RAY], ["-P", "-m", "pipelines.cluster.worker", "--ray", "attic"]),
    ],
)
def test_ray_is_fetched_for_who_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], lists: list[str], started: list[str]
) -> None:
    prepared: list[list[str]] = []
    monkeypatch.setattr(run, "prepare", lambda _root, files: prepared.append(files))
    monkeypatch.setattr(run, "become", lambda command, _environment: prepared.append(command[1:]) or 0)
    monkeypatch.chdir(ROOT)
    assert run.main(arguments) == 0 and prepared == [lists, started]


def test_an_old_python_says_which_one_is_needed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(run, "suits", lambda _version: False)
    monkeypatch.setattr(run.shutil, "which", lambda _name: None)
    assert run.main([]) == 1
    assert "Atelier needs a 64-bit Python 3.11 to 3.14" in capsys.readouterr().out


def test_a_newer_python_on_the_machine_is_used_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(run, "suits", lambda _version: False)
    monkeypatch.setattr(run, "_version_of", lambda python: "3.12" if python == "/opt/python3.12" else "")
    monkeypatch.setattr(run.shutil, "which", lambda name: f"/opt/{name}")
    monkeypatch.setattr(run, "become", lambda command, _environment: started.append(command) or 5)
    assert run.main(["--port", "80"]) == 5
    assert started == [["/opt/python3.12", str(ROOT / "run.py"), "--port", "80"]]


@pytest.mark.parametrize(("version", "fits"), [((3, 10), False), ((3, 11), True), ((3, 14), True), ((3, 15), False), ((2, 7), False)])
def test_which_pythons_fit(version: tuple[int, int], fits: bool) -> None:
    assert run.suits(version) is fits


def test_the_python_of_the_venv_is_found_on_every_system() -> None:
    assert run.venv_python(Path("a"), windows=True) == Path("a/.venv/Scripts/python.exe")
    assert run.venv_python(Path("a"), windows=False) == Path("a/.venv/bin/python")


def test_a_browser_is_looked_for_by_name_then_at_the_usual_places(tmp_path: Path) -> None:
    chrome = tmp_path / "Google/Chrome/Application/chrome.exe"
    chrome.parent.mkdir(parents=True)
    chrome.touch()
    assert browsers.find_chromium({"CHROMIUM": "/my/own"}, "linux", lambda _name: "/usr/bin/x") == "/my/own"
    assert browsers.find_chromium({}, "linux", lambda name: "/usr/bin/g" if name == "google-chrome" else None) == "/usr/bin/g"
    assert browsers.find_chromium({"PROGRAMFILES": str(tmp_path)}, "win32", lambda _name: None) == str(chrome)
    assert browsers.find_chromium({}, "linux", lambda _name: None) is None
    both = {"chromium": "/usr/bin/chromium", "chromium-headless-shell": "/usr/bin/shell"}
    assert browsers.find_chromium({}, "linux", both.get) == "/usr/bin/shell", "it costs less"


def test_a_browser_in_the_home_of_a_mac_is_found(tmp_path: Path) -> None:
    chrome = tmp_path / "Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
    chrome.parent.mkdir(parents=True)
    chrome.touch()
    assert browsers.find_chromium({"HOME": str(tmp_path)}, "darwin", lambda _name: None) == str(chrome)


@pytest.mark.parametrize(("platform", "command"), [("darwin", "brew"), ("win32", "winget"), ("linux", "apt")])
def test_without_a_browser_one_command_is_given(platform: str, command: str) -> None:
    assert browsers.chromium_command(platform).split()[0 if command != "apt" else 1] == command


def test_missing_browsers_are_said_aloud(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(run.shutil, "which", lambda _name: None)
    monkeypatch.setattr(browsers, "usual_browsers", lambda _environment, _platform: [])
    monkeypatch.delenv("CHROMIUM", raising=False)
    assert run.install_chromium() is None
    assert "THE BROWSER TESTS ARE SKIPPED" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------------ locks and processes


def test_a_lock_is_free_again_after_its_holder_was_killed(tmp_path: Path) -> None:
    hold = "import run, time, pathlib\nwith run.locked(pathlib.Path('lock')): print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen(running(hold), cwd=tmp_path, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert holder.stdout
    holder.stdout.readline()
    with (tmp_path / "lock").open("a+") as file:
        assert not small_files._try_lock(file.fileno())
        holder.kill()
        holder.communicate()
        assert small_files._try_lock(file.fileno())


@posix
def test_a_disk_without_locks_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def refuse(_handle: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with run.locked(tmp_path / "lock"):
        pass


def test_the_exit_code_of_the_studio_is_the_exit_code() -> None:
    assert children._wait(running("raise SystemExit(7)")) == 7


def test_root_on_debian_gets_the_other_browsers_that_are_missing(root: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> None:
    present = {"apt-get", "Xvfb"}
    monkeypatch.setattr(run.shutil, "which", lambda name: f"/usr/bin/{name}" if name in present else None)
    monkeypatch.setattr(run.os, "geteuid", lambda: 1000, raising=False)
    run.install_other_browsers()
    assert pip.commands == []
    monkeypatch.setattr(run.os, "geteuid", lambda: 0)
    run.install_other_browsers()
    assert [command[3:] for command in pip.commands] == [
        ["update"],
        ["install", "-y", "--no-install-recommends", "firefox-esr", "webkit2gtk-driver"],
    ]
    present |= {"firefox-esr", "WebKitWebDriver"}
    run.install_other_browsers()
    assert len(pip.commands) == 2


def test_an_apt_that_was_left_at_work_is_waited_for(root: Path, pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt-get)", "E: Unable to lock directory", ""]

    def answer(_command: list[str]) -> None:
        if words := answers.pop(0):
            raise run.SetupError(words)

    pip.before = answer
    browsers.apt("install", "-y", "chromium", pause=0)
    assert answers == []
    answers += ["E: Unable to locate package chromium"]
    with pytest.raises(run.SetupError, match="locate"):
        browsers.apt("install", "-y", "chromium", pause=0)


# ------------------------------------------------------------------------------------------------ the packages themselves


def test_only_one_opencv_is_locked() -> None:
    lines = [line for name in ("studio", "tests") for line in (ROOT / f"packages/{name}.lock").read_text("utf-8").splitlines()]
    assert [line.split()[0] for line in lines if line.startswith("opencv")] == ["opencv-python-headless==5.0.0.93"]


PACKAGES = {
    "sd_parsers": "sd-parsers",  # where import and package differ
    "PIL": "pillow", "cv2": "opencv-python-headless", "k_diffusion": "k-diffusion", "controlnet_aux": "controlnet-aux",
    "argon2": "argon2-cffi", "xdist": "pytest-xdist",
    "skimage": "scikit-image", "yaml": "pyyaml", "huggingface_hub": "huggingface-hub", "gradio_client": "gradio-client",
}  # fmt: skip


def test_every_package_that_is_imported_is_listed() -> None:
    folders = ("models", "pipelines", "ui", "bench", "packages", "docs", "tests")
    files = [ROOT / "app.py", *(path for folder in folders for path in (ROOT / folder).rglob("*.py"))]
    own = {path.stem for path in [*ROOT.iterdir(), *(ROOT / "tests").iterdir()]}
    of_the_checker = {"_typeshed"}  # never imported when it runs
    names = {name for path in files for name in top_level_imports(path)} - own - set(sys.stdlib_module_names) - of_the_checker
    text = "".join((ROOT / name).read_text("utf-8") for name in ("requirements.txt", "requirements-test.txt"))
    assert {name for name in names if f"\n{PACKAGES.get(name, name)}==" not in text} == set()


def top_level_imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    taken = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.split(".")[0] for name in plain | taken}


def test_the_files_that_several_workers_begin_with_are_there() -> None:
    from tests.conftest import LONG

    assert [name for name in LONG if not (ROOT / "tests" / f"{name}.py").exists()] == []


def test_every_argument_of_the_studio_is_in_the_docs() -> None:
    import app

    told = (ROOT / "docs/setting-up.md").read_text("utf-8")
    options = {name for action in app.parser()._actions for name in action.option_strings if name.startswith("--")}
    assert {name for name in options - {"--help"} if f"`{name}" not in told} == set()
