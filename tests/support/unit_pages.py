"""What tests of control units in a browser share: ControlNets on the shelf, pictures to put in, and the way to a card's parts."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import FilePayload, Locator

from pipelines import ControlUse
from tests.support.library_files import write_file
from tests.support.page_fixtures import House, Visit, one_page, still_well, wait_for
from tests.support.toys import wait_until

__all__ = ["one_page"]
ATTENTION = "controlnet_down_blocks.0.attn2.to_k.weight"
CONTROLNETS: dict[str, dict[str, tuple[int, ...]]] = {  # in diffusers' names
    "small canny": {"controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3), ATTENTION: (320, 768)},
    "union of all": {"controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3), "task_embedding": (6, 320), ATTENTION: (320, 768)},
    "large canny": {"controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3), ATTENTION: (320, 2048)},
}
TOO_LARGE = "It was made for a larger model."
HOSTILE = '"><img src=x onerror=window.hurt=1>'


class Shelf:
    """The library, where every ControlNet fits but the large one."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self.refused = {"large canny"}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def fits(self, model_id: str, checkpoint_id: str) -> str:
        entry = self._library.model(model_id)
        if entry.identity.kind != "controlnet":
            return self._library.fits(model_id, checkpoint_id)
        return TOO_LARGE if entry.name in self.refused else ""

    def misfit(self, model_id: str, checkpoint_id: str) -> str:
        return "made for SDXL"


@pytest.fixture(scope="module", autouse=True)
def shelf(open_house: House) -> Generator[None]:
    """Three ControlNets in the folder of models, with nothing in them."""
    assert open_house.studio
    for name, shapes in CONTROLNETS.items():
        write_file(open_house.models / "controlnet" / f"{name}.safetensors", shapes)
    write_file(open_house.models / "controlnet" / f"{HOSTILE.replace('/', '')}.safetensors", CONTROLNETS["small canny"])
    studio = open_house.studio
    studio.library.rescan()
    studio.library = Shelf(studio.library)  # pyright: ignore[reportAttributeAccessIssue]
    wait_until(lambda: len(studio.library.models("controlnet")) == 4, 30)
    yield


def drawing(width: int = 128, height: int = 128, faint: bool = True) -> FilePayload:
    """A black circle, and a square that is hardly lighter than what it lies on."""
    image = Image.new("RGB", (width, height), "#808080")
    draw = ImageDraw.Draw(image)
    draw.ellipse((20, 20, 60, 60), fill="black")
    if faint:
        draw.rectangle((70, 70, 110, 110), fill="#a0a0a0")
    stream = BytesIO()
    image.save(stream, "png")
    return FilePayload(name="drawing.png", mimeType="image/png", buffer=stream.getvalue())


def room(visit: Visit, kind: str = "controlnet") -> Locator:
    return visit.page.locator(f"#{kind}-controls")


def card(visit: Visit, place: int = 0, kind: str = "controlnet") -> Locator:
    return room(visit, kind).locator(".unit").nth(place)


def control(visit: Visit, words: str, kind: str = "controlnet") -> Locator:
    return room(visit, kind).get_by_label(words, exact=True)


def units(visit: Visit, kind: str = "controlnet") -> Any:
    return visit.page.evaluate("kind => inside.page.forms[kind].controls", kind)


def put(visit: Visit, file: FilePayload, place: int = 0, kind: str = "controlnet") -> str:
    """Puts a picture into a unit; its id."""
    before = [unit["image"] for unit in units(visit, kind)]
    card(visit, place, kind).locator("[data-part=file]").set_input_files([file])
    wait_for(visit.page, lambda: units(visit, kind)[place]["image"] not in ("", before[place]))
    return units(visit, kind)[place]["image"]


def map_of(visit: Visit, place: int = 0, kind: str = "controlnet") -> str:
    """The address of the map that a unit shows, once it is there."""
    seen = card(visit, place, kind).locator(".unit-seen[data-state=done] img")
    seen.wait_for()
    return seen.get_attribute("src") or ""


def pixels(visit: Visit, house: House, address: str) -> Image.Image:
    return Image.open(BytesIO(visit.context.request.get(house.url + address).body())).convert("L")


@pytest.fixture
def visit(house: House, one_page: Visit) -> Generator[Visit]:
    """The page of all tests of a module, whose list of units begins anew for each: to load a page takes longer than most of them."""
    begin_anew(one_page)
    with still_well(one_page) as visit:
        yield visit


def begin_anew(visit: Visit) -> None:
    """One unit as the tab begins with, with its folds shut, at the size that the form begins with."""
    visit.open_tab("ControlNet")
    for left in reversed(range(len(units(visit)))):
        control(visit, "Remove unit 1").click()
        wait_for(visit.page, lambda left=left: len(units(visit)) == left)
    visit.page.evaluate("() => inside.folds.keep('controlnet-units-more', false)")
    room(visit).locator("[data-part=add]").click()
    for side in ("width", "height"):
        visit.page.evaluate("name => inside.dom.enter(name, 128)", f"#controlnet-{side}")
    wait_for(visit.page, lambda: units(visit) == [asdict(ControlUse())])


@pytest.fixture
def first(visit: Visit) -> Locator:
    """The card that the tab begins with."""
    visit.open_tab("ControlNet")
    card(visit).wait_for()
    wait_for(visit.page, lambda: visit.page.evaluate("(inside.page.told.preprocessors ?? []).length > 0"))
    return card(visit)
