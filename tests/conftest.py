"""What holds for all tests."""

from __future__ import annotations

import compileall
import gc
import importlib
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.app_fixtures import RunningStudio
    from tests.support.one_chromium import OneChromium

ROOT = Path(__file__).resolve().parent.parent
COMPILED = "models", "pipelines", "ui", "bench", "docs", "packages", "tests/support"
# What takes longest, by processor time. Workers take files in this order, then those of many tests, so that none works on alone at the end.
LONG = (
    "test_types", "test_acceptance", "test_door_browser", "test_page_pictures", "test_on_a_card", "test_page_afternoon", "test_page_form",
    "test_page_access", "test_door_proxy", "test_models_acceptance", "test_canvas", "test_page", "test_page_gallery",
    "test_page_unit_regions", "test_every_role", "test_page_depth", "test_memory_mid_job", "test_going_on", "test_page_enlarge",
    "test_page_queue", "test_page_library", "test_page_reading", "test_pictures_starter", "test_page_unit_weights", "test_page_firefox",
    "test_page_unit_tabs", "test_page_webkit", "test_branches", "test_txt2img", "test_full_size", "test_page_details", "test_page_together",
    "test_page_inspector", "test_canvas_reload", "test_page_models", "test_annotators", "test_page_comments", "test_kills",
    "test_page_sharing", "test_page_sizes", "test_remake", "test_page_windows", "test_page_scripts", "test_page_inside",
    "test_starter_extras", "test_page_people", "test_control_files", "test_stops", "test_families", "test_convert", "test_annotators_large",
    "test_apart", "test_door_https", "test_page_unit_list", "test_control", "test_inpaint",
)  # fmt: skip

# Files whose tests share a server that takes seconds to start: one worker has all of these.
TOGETHER = {
    "the studio": ("test_acceptance", "test_control_acceptance", "test_page_finishing", "test_pictures_acceptance"),
    "the doors": (
        "test_door_browser", "test_door_calls", "test_door_hostile", "test_door_login", "test_door_roles", "test_door_routes",
        "test_input_door", "test_depth_page",
    ),
}  # fmt: skip

# Seconds that an answer waits for what is found and read in the background.
PATIENCES = (
    "models.library.passes.FIRST_WAIT", "models.library.passes.WAIT", "pipelines.resolving.model_names.PATIENCE",
    "pipelines.resolving.model_search.PATIENCE",
)  # fmt: skip

for told in ("page_fixtures", "unit_pages", "other_browsers", "browser_round"):
    pytest.register_assert_rewrite(f"tests.support.{told}")  # their asserts tell values


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--smoke", action="store_true", help="only the tests marked smoke: a minute that finds what is broken altogether")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--smoke"):
        config.option.markexpr = "smoke"


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Before several workers start, what they and hundreds of other processes import is compiled once, and not by each."""
    if getattr(session.config.option, "numprocesses", None) and not sys.dont_write_bytecode:
        for folder in COMPILED:
            compileall.compile_dir(ROOT / folder, quiet=2, workers=0)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """The asserts of test files are rewritten once: each worker begins with other files, and finds those of the others done.

    Nothing is thrown away until all libraries are imported, and looking for garbage among them was a third of the work.
    """
    gc.disable()
    told = getattr(session.config, "workerinput", None)
    if not told or sys.dont_write_bytecode or [Path(each).name for each in session.config.args] != ["tests"]:
        return
    names = sorted(path.stem for path in (ROOT / "tests").glob("test_*.py"))
    first = len(names) * int(told["workerid"].removeprefix("gw")) // told["workercount"]
    for name in (*names[first:], *names[:first]):
        with suppress(Exception, pytest.skip.Exception):  # what is wrong with a file, its own collection says
            importlib.import_module(f"tests.{name}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file at a time, as `--dist loadfile` does, but for those of `TOGETHER`."""
    from xdist.scheduler import LoadFileScheduling

    class Files(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return next((name for name, files in TOGETHER.items() if Path(file).stem in files), file)

    return Files(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The order in which xdist hands out files (`--no-loadscope-reorder`); within a file the order stays."""
    if not hasattr(config, "workerinput"):
        return
    tests = Counter(item.path.stem for item in items)
    place = {name: number for number, name in enumerate(LONG)}
    place |= {each: min(place.get(each, len(LONG)) for each in files) for files in TOGETHER.values() for each in files}
    items.sort(key=lambda item: (place.get(item.path.stem, len(LONG)), -tests[item.path.stem]))


def pytest_collection_finish(session: pytest.Session) -> None:
    """The libraries are left out of every later collection of garbage, which then takes milliseconds and not a third of a second."""
    gc.enable()
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def patient() -> Generator[None]:
    """What nobody at a page would wait for is waited for here: beside the other tests a small file may take seconds to be read.

    A test of how long something is waited for sets its own time.
    """
    with pytest.MonkeyPatch.context() as constants:
        for name in PATIENCES:
            constants.setattr(name, 60.0)
        yield


@pytest.fixture(scope="session")
def one_chromium() -> Generator[OneChromium]:
    """For the modules that look at pages; it starts when the first of them asks."""
    from tests.support.one_chromium import OneChromium

    with closing(OneChromium()) as chromium:
        yield chromium


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, one_chromium: OneChromium) -> Generator[RunningStudio]:
    """`python app.py` as a newcomer starts it, for all who draw with the starter as people do."""
    from tests.support.app_fixtures import running_studio

    with running_studio(tmp_path_factory.mktemp("studio"), one_chromium.port) as studio:
        yield studio
