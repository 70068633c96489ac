"""The Enlarge tab in a real browser on the toy studio, where enlarging is real: put in, make, stop, send to and fro, take up again."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FilePayload

from models.memory.device import choose as device
from models.upscalers.upscaler import Upscaler, load_upscaler
from pipelines import Enlarge, PictureRecord, Studio
from pipelines.control.view import NO_LENDER, NoLender
from pipelines.tasks import enlarge
from tests.support.page_fixtures import House, Visit, browser, house, house_with, visit, wait_for
from tests.support.upscaled import own_call, pixels
from tests.support.upscaler_toys import write

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]
open_house = house_with("enlarge", "upscale", "img2img")


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    return Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, len(mode)), np.uint8))


def file_of(image: Image.Image) -> FilePayload:
    stream = BytesIO()
    image.save(stream, "png")
    return FilePayload(name="noise.png", mimeType="image/png", buffer=stream.getvalue())


def put(visit: Visit, image: Image.Image) -> None:
    """By the button, as a hand would."""
    before = visit.page.evaluate("() => inside.page.forms.enlarge?.image ?? ''")
    with visit.page.expect_file_chooser() as chooser:
        visit.page.locator("#enlarge-image [data-part=drop]").click()
    chooser.value.set_files([file_of(image)])
    visit.page.wait_for_function("before => (inside.page.forms.enlarge?.image ?? '') !== before", arg=before)


def plan(visit: Visit) -> str:
    return visit.page.locator("#enlarge-plan").inner_text()


def stage(visit: Visit, name: str) -> str:
    return visit.page.locator(f"#stage [data-part={name}]").inner_text()


def choose(visit: Visit, name: str, option: str) -> None:
    visit.page.locator(f"#enlarge-{name} input").click()
    visit.page.get_by_role("option", name=option, exact=True).click()


def newest(house: House) -> PictureRecord:
    """Of everybody: there is one visitor a test."""
    assert house.studio
    [row] = house.studio.book._all("select id from picture order by number desc limit 1", ())
    record = house.studio.picture(row["id"])
    assert record
    return record


def enlarged(visit: Visit, image: Image.Image, words: str) -> None:
    """Until the stage shows what came of it."""
    visit.page.locator("#enlarge-generate").click()
    wait_for(visit.page, lambda: stage(visit, "facts").startswith(words))


class Upscalers(NoLender):
    """Lends upscalers of a folder."""

    def __init__(self, studio: Studio) -> None:
        self._library = studio.library

    @contextmanager
    def upscaler(self, upscaler_id: str) -> Generator[Upscaler]:
        entry = self._library.model(upscaler_id)
        yield load_upscaler(entry.path, entry.name, device("cpu"))


@pytest.fixture
def studio(house: House) -> Generator[Studio]:
    assert house.studio
    yield house.studio


def test_a_transparent_picture_is_put_in_and_comes_out_larger(visit: Visit, house: House) -> None:
    image = noise(40, 30, "RGBA")
    visit.open_tab("Enlarge")
    wait_for(visit.page, lambda: plan(visit) == "Put a picture in.")
    put(visit, image)
    wait_for(visit.page, lambda: "From 40 × 30 to 80 × 60" in plan(visit))
    choose(visit, "filter", "Bicubic")
    enlarged(visit, image, "80 × 60")
    with Image.open(newest(house).path) as file:
        assert file.tobytes() == image.resize((80, 60), Image.Resampling.BICUBIC).tobytes()
    assert "seed" not in stage(visit, "facts") and stage(visit, "prompt") == "Enlarged, Bicubic"
    assert not visit.page.locator("#stage [data-part=seed]").is_visible()


def test_a_size_is_typed_and_what_cannot_be_made_is_said_at_once(visit: Visit, house: House) -> None:
    image = noise(60, 20)
    visit.open_tab("Enlarge")
    put(visit, image)
    choose(visit, "by", "Size")
    wait_for(visit.page, lambda: "Type a width or a height" in plan(visit))
    visit.page.locator("#enlarge-width input").fill("30000")
    visit.page.keyboard.press("Tab")
    wait_for(visit.page, lambda: "300.0 megapixels; 100 are the most" in plan(visit))
    visit.page.locator("#enlarge-width input").fill("90")
    visit.page.keyboard.press("Tab")
    wait_for(visit.page, lambda: "to 90 × 30" in plan(visit))
    enlarged(visit, image, "90 × 30")
    assert newest(house).request == Enlarge(image=newest(house).request.image, by="Size", width=90)  # pyright: ignore[reportAttributeAccessIssue]


def test_it_is_stopped(visit: Visit, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enlarge, "BAND", 400)
    visit.open_tab("Enlarge")
    put(visit, noise(500, 500))
    visit.page.locator("#enlarge-factor input[type=number]").fill("8")
    visit.page.keyboard.press("Tab")
    wait_for(visit.page, lambda: "to 4,000 × 4,000" in plan(visit))
    visit.page.locator("#enlarge-generate").click()
    wait_for(visit.page, lambda: stage(visit, "status").startswith("Step "))
    with visit.told("stop"):
        visit.page.locator("#stage [data-part=stop]").click()
    wait_for(visit.page, lambda: "Stopped" in stage(visit, "status"))
    assert not visit.page.locator("#stage [data-part=strip] [data-picture]").count()


def test_a_drawing_is_sent_here_and_what_came_of_it_is_sent_on(visit: Visit, house: House) -> None:
    visit.generate("a red house")
    visit.finished()
    visit.send_to("enlarge")
    wait_for(visit.page, lambda: visit.page.locator("#enlarge-generate").is_visible() and "to 256 × 256" in plan(visit))
    visit.page.locator("#enlarge-generate").click()
    wait_for(visit.page, lambda: stage(visit, "facts") == "256 × 256")
    assert newest(house).request.kind == "enlarge"
    visit.send_to("img2img")
    wait_for(visit.page, lambda: visit.page.evaluate("() => !!inside.page.canvases.img2img?.layer"))
    wait_for(visit.page, lambda: visit.page.locator("#img2img-generate").is_visible())


def test_its_settings_come_back_with_its_picture_and_go_with_one_undo(visit: Visit, house: House) -> None:
    image = noise(50, 40)
    visit.open_tab("Enlarge")
    put(visit, image)
    wait_for(visit.page, lambda: "to 100 × 80" in plan(visit))
    choose(visit, "filter", "Nearest")
    enlarged(visit, image, "100 × 80")
    choose(visit, "filter", "Box")
    visit.page.locator("#enlarge-image [data-part=out]").click()
    wait_for(visit.page, lambda: plan(visit) == "Put a picture in.")
    visit.page.locator("#stage [data-part=settings]").click()
    wait_for(visit.page, lambda: "to 100 × 80" in plan(visit))
    wait_for(visit.page, lambda: visit.page.locator("#enlarge-filter input").input_value() == "Nearest")
    visit.page.locator(".page-note").get_by_role("button", name="Undo").click()
    wait_for(visit.page, lambda: visit.page.locator("#enlarge-filter input").input_value() == "Box")


def test_an_upscaler_is_chosen_by_mouse_and_makes_what_it_makes_alone(visit: Visit, house: House, studio: Studio) -> None:
    (house.models / "upscalers").mkdir(exist_ok=True)
    file, image = write(house.models / "upscalers" / "toy-4x.safetensors"), noise(20, 12)
    studio.library.rescan()
    wait_for(visit.page, lambda: [entry.usable for entry in studio.library.models("upscaler")] == [True])
    house.runner.lender = Upscalers(studio)
    try:
        visit.open_tab("Enlarge")
        put(visit, image)
        choose(visit, "upscaler", "toy-4x")
        wait_for(visit.page, lambda: "“toy-4x” (× 4) is run once, then Lanczos brings it to the size." in plan(visit))
        visit.page.locator("#enlarge-factor input[type=number]").fill("4")
        visit.page.locator("#enlarge-factor input[type=number]").press("Tab")
        enlarged(visit, image, "80 × 48")
        made = newest(house)
    finally:
        house.runner.lender = NO_LENDER
    assert isinstance(made.request, Enlarge) and studio.library.model(made.request.upscaler).path == file
    with Image.open(made.path) as picture:
        assert (pixels(picture) == own_call(file, image)).all()


def test_several_files_are_enlarged_one_after_another(visit: Visit, house: House, studio: Studio) -> None:
    visit.open_tab("Enlarge")
    visit.unfold("Several pictures")
    with visit.page.expect_file_chooser() as chooser:
        visit.page.locator("#enlarge-images [data-part=add]").click()
    images = [noise(14, 10, "RGBA"), noise(10, 14)]
    chooser.value.set_files([{**file_of(each), "name": f"{each.width}.png"} for each in images])
    wait_for(visit.page, lambda: plan(visit) == "2 pictures, one after another, each by 2.")
    with visit.another_picture():
        visit.page.locator("#enlarge-generate").click()
    wait_for(visit.page, lambda: newest(house).width == 20)
    first, second = studio.book.pictures_of(newest(house).job_id)
    for record, image in ((first, images[0]), (second, images[1])):
        with Image.open(record.path) as file:
            assert file.tobytes() == image.resize((image.width * 2, image.height * 2), Image.Resampling.LANCZOS).tobytes()


def test_the_way_that_draws_takes_the_picture_along_and_says_which_model_it_needs(visit: Visit, house: House) -> None:
    visit.open_tab("Enlarge")
    put(visit, noise(48, 32))
    image = visit.page.evaluate("inside.page.forms.enlarge.image")
    visit.page.get_by_role("button", name="Diffusion", exact=True).click()
    visit.page.wait_for_function("inside.page.open.tab === 'upscale'")
    visit.page.locator(f"#upscale-image [data-part=image][src*='{image}']").wait_for()
    wait_for(visit.page, lambda: "From 48 × 32 to 192 × 128. 30 steps will run." in visit.page.locator("#upscale-plan").inner_text())
    assert "needs Stability’s x4 upscaler" in visit.page.locator("#upscale-plan").inner_text()
    before = len(house.runner.drawn)
    visit.page.locator("#upscale-generate").click()
    visit.page.get_by_text("needs Stability’s x4 upscaler").nth(1).wait_for()
    assert len(house.runner.drawn) == before
    visit.page.locator("#tab-upscale").get_by_role("button", name="Filter or upscaler").click()
    visit.page.wait_for_function("inside.page.open.tab === 'enlarge'")
