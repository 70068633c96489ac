"""Weights of preprocessors, downloaded from the page in a real browser: the button, its progress, what goes wrong, the map after it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect

from pipelines.preprocessors import depth, hed, openpose
from pipelines.preprocessors.annotators import ANNOTATORS, Annotators
from tests.support.hub_server import Hub, running_hub
from tests.support.one_chromium import OneChromium
from tests.support.page_fixtures import House, Visit, browser, house, opened, visit, visiting, wait_for
from tests.support.toys import ToyPainter
from tests.support.unit_pages import card, control, drawing, first, map_of, pixels, put
from ui.door import roles

pytestmark = pytest.mark.browser
__all__ = ["browser", "first", "house", "visit"]

REPO = "lllyasviel/Annotators"
FETCH = "[data-part=fetch]"


class Runner(ToyPainter):
    """Lends something in place of each annotator."""

    def annotator(self, key: str) -> AbstractContextManager[Any]:
        return nullcontext(key)


@pytest.fixture(scope="module")
def open_hub() -> Iterator[Hub]:
    with pytest.MonkeyPatch.context() as patch, running_hub() as hub:
        patch.setenv("no_proxy", "127.0.0.1")
        yield hub


@pytest.fixture
def hub(open_hub: Hub) -> Iterator[Hub]:
    """It has every file of the table, in a megabyte each."""
    for file in (file for kind in ANNOTATORS.values() for file in kind.files):
        open_hub.offer(file.repo, file.path, file.path.encode() + bytes(1_000_000))
    yield open_hub
    open_hub.status, open_hub.before_pause = 302, 0
    open_hub.pause.set()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory, one_chromium: OneChromium, open_hub: Hub, weights: Path) -> Generator[House]:
    """A studio whose hub is on this computer, and whose preprocessors need their files but not what is in them."""
    more = {"weights": weights, "annotators": Annotators([weights], weights / "starter"), "hub": open_hub.address}
    tabs = ("txt2img", "controlnet", "depth", "models")
    house = House(tmp_path_factory.mktemp("house"), one_chromium.port, Runner(), more=more, tabs=tabs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hed, "soft_edges", lambda pixels, steps, annotator: 255 - pixels)
        patch.setattr(openpose, "everything", lambda pixels, annotator: 255 - pixels)
        patch.setattr(depth, "estimate_depth", lambda annotator, picture: np.asarray(picture.convert("L"), np.float32) / 255)
        with opened(house):
            yield house


def choose(visit: Visit, name: str) -> Locator:
    """The button that downloads what the first unit's preprocessor lacks."""
    control(visit, "Preprocessor of unit 1").select_option(value=name)
    return card(visit).locator(FETCH)


def test_one_press_brings_the_weights_and_then_the_map(visit: Visit, house: House, first: Locator, hub: Hub, weights: Path) -> None:
    put(visit, drawing())
    button = choose(visit, "HED")
    assert first.get_by_text("Put ControlNetHED.pth of lllyasviel/Annotators into").is_visible()
    assert button.inner_text() == f"Download (1 file, from {REPO})"
    button.click()
    wait_for(visit.page, lambda: pixels(visit, house, map_of(visit)).getpixel((40, 40)) == 255)
    assert (weights / "annotators" / "hed" / "ControlNetHED.pth").stat().st_size > 1_000_000
    expect(first.get_by_text("Put ControlNetHED.pth")).to_have_count(0)
    assert not first.locator(".unit-weights").is_visible()
    option = control(visit, "Preprocessor of unit 1").locator("option", has_text="HED").first
    assert option.get_attribute("class") == ""


def test_three_files_are_one_download_which_can_be_stopped_and_gone_on_with(visit: Visit, first: Locator, hub: Hub) -> None:
    hub.before_pause = 400_000
    hub.pause.clear()
    put(visit, drawing())
    button = choose(visit, "OpenPose full")
    assert button.inner_text() == f"Download (3 files, from {REPO})"
    button.click()
    first.get_by_text("0.8 MB · 0 of 3 files").wait_for()
    visit.open_tab("Models")
    listed = visit.page.locator(".library-downloads")
    for name in ("body_pose_model.pth", "hand_pose_model.pth", "facenet.pth"):
        listed.get_by_text(f"openpose/{name}").wait_for()
    visit.open_tab("ControlNet")
    with visit.page.expect_response(lambda answer: "stop_weights" in (answer.request.post_data or "")):
        first.locator("[data-part=stop-fetch]").click()
    hub.pause.set()  # only now: the transfer would be whole before the studio hears that it is to stop
    button.wait_for()
    button.click()
    assert map_of(visit)
    assert any(asked == "bytes=400000-" for _, _, asked in hub.asked)


def test_the_owner_reaches_what_others_do_not(visit: Visit, first: Locator, hub: Hub) -> None:
    assert [ask(visit, name) for name in ("stop_weights", "weights_state")] == [200, 200]


def test_a_download_goes_on_through_a_reload(visit: Visit, first: Locator, hub: Hub) -> None:
    hub.before_pause = 400_000
    hub.pause.clear()
    choose(visit, "PidiNet").click()
    first.get_by_text("0.4 of 1.0 MB").wait_for()
    visit.reload()
    visit.open_tab("ControlNet")
    first.get_by_text("0.4 of 1.0 MB").wait_for()
    hub.pause.set()
    expect(first.locator(".unit-weights")).not_to_be_visible()


def test_a_hub_that_refuses_is_a_sentence_under_the_button(visit: Visit, first: Locator, hub: Hub) -> None:
    hub.status = 404
    button = choose(visit, "MLSD")
    button.click()
    first.get_by_role("alert").get_by_text("There is no such repository or file on the hub").wait_for()
    assert button.is_visible()
    choose(visit, "Normal BAE")
    assert not first.get_by_text("There is no such repository").is_visible()  # it belonged to the other one


def test_others_than_the_owner_see_the_sentence_only(
    house: House, browser: Browser, hub: Hub, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = roles.visitor_of
    monkeypatch.setattr(roles, "visitor_of", lambda request: replace(seen(request), role="artist"))
    with visiting(house, browser) as visit:
        visit.open_tab("ControlNet")
        card(visit).wait_for()
        wait_for(visit.page, lambda: visit.page.evaluate("(inside.page.told.preprocessors ?? []).length > 0"))
        button = choose(visit, "TEED")
        card(visit).get_by_text("Put 5_model.pth of fal-ai/teed into").wait_for()
        assert not button.is_visible()
        before = len(hub.asked)
        assert [ask(visit, name) for name in ("fetch_weights", "stop_weights", "weights_state")] == [422, 422, 422]
        visit.page.wait_for_timeout(300)
        assert len(hub.asked) == before and not (weights / "annotators" / "teed").exists()


def ask(visit: Visit, function: str) -> int:
    """How the server answers, as a number, to somebody who calls a function of the units although the page shows no button."""
    return visit.page.evaluate(
        """async (name) => {
          const units = gradio_config.components.find((part) => part.props.elem_id === "controlnet-controls");
          const body = JSON.stringify({ session_hash: "x", component_id: units.id, fn_name: name, data: { name: "TEED" } });
          const headers = { "Content-Type": "application/json" };
          return (await fetch("gradio_api/component_server", { method: "POST", headers, body })).status;
        }""",
        function,
    )


def test_the_depth_tab_estimates_as_soon_as_its_estimator_is_there(visit: Visit, hub: Hub) -> None:
    visit.open_tab("Depth")
    visit.page.wait_for_function("() => document.querySelector('#depth-map select')?.options.length && inside.page.forms.depth")
    room = visit.page.locator("#depth-map")
    room.locator("[data-part=file]").set_input_files([drawing()])
    visit.page.wait_for_function("() => inside.page.forms.depth.image")
    room.locator("[data-part=estimator]").select_option(value="Depth Anything v2")
    room.get_by_text("Put config.json, preprocessor_config.json and model.safetensors").wait_for()
    button = room.locator(FETCH)
    assert button.inner_text() == "Download (3 files, from depth-anything/Depth-Anything-V2-Small-hf)"
    button.click()
    visit.page.wait_for_function("() => inside.page.forms.depth.map")
    assert not room.locator(".unit-weights").is_visible()
