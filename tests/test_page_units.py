"""Control units in a real browser on the toy studio: pictures in, maps out, models that fit or do not, and what is kept."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import asdict, fields
from io import BytesIO
from typing import Any

import pytest
from library_files import write_file
from page_fixtures import House, Visit, browser, house, open_house, visit, visiting, wait_for
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, FilePayload, Locator
from toys import wait_until

from pipelines import MOST_UNITS, Controlled, ControlUse, TextToImage
from pipelines.control_use import WEIGHT_CURVES

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]

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

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def fits(self, model_id: str, checkpoint_id: str) -> str:
        entry = self._library.model(model_id)
        if entry.identity.kind != "controlnet":
            return self._library.fits(model_id, checkpoint_id)
        return TOO_LARGE if entry.name == "large canny" else ""


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


def open_tab(visit: Visit, name: str) -> None:
    visit.page.get_by_role("tab", name=name, exact=True).click()


def room(visit: Visit, kind: str = "controlnet") -> Locator:
    return visit.page.locator(f"#{kind}-controls")


def card(visit: Visit, place: int = 0, kind: str = "controlnet") -> Locator:
    return room(visit, kind).locator(".unit").nth(place)


def control(visit: Visit, words: str, kind: str = "controlnet") -> Locator:
    return room(visit, kind).get_by_label(words, exact=True)


def units(visit: Visit, kind: str = "controlnet") -> Any:
    return visit.page.evaluate("kind => atelier.forms[kind].controls", kind)


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
def first(visit: Visit) -> Locator:
    """The card that the tab begins with."""
    open_tab(visit, "ControlNet")
    card(visit).wait_for()
    wait_for(visit.page, lambda: visit.page.evaluate("(atelier.preprocessors ?? []).length > 0"))
    return card(visit)


# ---- picture and map --------------------------------------------------------------------------------------------------------------


def test_the_first_unit_is_open_and_says_what_to_do(visit: Visit, first: Locator) -> None:
    assert first.get_by_text("Drop a picture here").is_visible()
    assert first.get_by_text("Its map appears here once there is a picture").is_visible()


def test_every_field_of_a_unit_is_shown(visit: Visit, first: Locator) -> None:
    shown = set(first.locator("[data-field]").evaluate_all("parts => parts.map((part) => part.dataset.field)"))
    assert shown == {item.name for item in fields(ControlUse) if not item.metadata["derived"]}


def test_a_picture_becomes_the_map_that_the_model_will_see(visit: Visit, house: House, first: Locator) -> None:
    put(visit, drawing())
    plain = map_of(visit)
    control(visit, "Preprocessor of unit 1").select_option("Canny")
    wait_for(visit.page, lambda: map_of(visit) != plain)
    outlines = pixels(visit, house, map_of(visit))
    assert outlines.size == (128, 128) and outlines.getpixel((40, 40)) == 0 and outlines.crop((16, 30, 26, 50)).getextrema()[1] == 255
    assert first.get_by_text("128 × 128").is_visible()
    first.locator("[data-part=map]").click()
    large = room(visit).get_by_role("dialog")
    assert "What the model of unit 1 will see: Canny" in large.inner_text()
    visit.page.keyboard.press("Escape")
    assert not large.is_visible()


def test_a_preprocessor_brings_its_thresholds_and_a_change_of_one_makes_another_map(visit: Visit, house: House, first: Locator) -> None:
    put(visit, drawing())
    control(visit, "Preprocessor of unit 1").select_option("Canny")
    low, high = control(visit, "Low threshold of unit 1").last, control(visit, "High threshold of unit 1").last
    wait_for(visit.page, lambda: (low.input_value(), high.input_value()) == ("100", "200"))
    assert (units(visit)[0]["threshold_a"], units(visit)[0]["threshold_b"]) == (100, 200)
    for value in ("20", "40"):
        (low if value == "20" else high).fill(value)
        (low if value == "20" else high).press("Tab")
    square = (65, 65, 115, 115)
    wait_for(visit.page, lambda: pixels(visit, house, map_of(visit)).crop(square).getextrema()[1] == 255)
    control(visit, "Low threshold of unit 1").first.fill("200")
    wait_for(visit.page, lambda: pixels(visit, house, map_of(visit)).crop(square).getextrema()[1] == 0)
    control(visit, "Preprocessor of unit 1").select_option("Shuffle")
    wait_for(visit.page, lambda: units(visit)[0]["threshold_a"] == 0)
    assert not low.is_visible()


def test_the_map_follows_the_size_of_the_drawing_and_not_the_weight(visit: Visit, first: Locator) -> None:
    put(visit, drawing())
    before = map_of(visit)
    asked = len(visit.posts)
    control(visit, "Weight of unit 1").last.fill("0.5")
    control(visit, "Weight of unit 1").last.press("Tab")
    wait_for(visit.page, lambda: units(visit)[0]["weight"] == 0.5)
    visit.page.wait_for_timeout(700)
    assert len(visit.posts) == asked
    visit.page.evaluate("atelier.enter('#controlnet-width', 192)")
    wait_for(visit.page, lambda: map_of(visit) != before)
    assert first.get_by_text("192 × 128").is_visible()


def test_the_drawing_takes_the_shape_of_the_picture_with_one_press(visit: Visit, first: Locator) -> None:
    put(visit, drawing(144, 96))
    first.get_by_role("button", name="Draw in its shape").click()
    wait_for(visit.page, lambda: visit.page.locator("#controlnet-width input").input_value() == "144")
    assert visit.page.locator("#controlnet-height input").input_value() == "96"


def test_a_preprocessor_whose_weights_are_missing_is_grey_and_says_what_to_do(visit: Visit, first: Locator) -> None:
    put(visit, drawing())
    grey = control(visit, "Preprocessor of unit 1").locator("option.grey").first
    sentence = grey.get_attribute("title") or ""
    assert sentence.endswith(".")
    control(visit, "Preprocessor of unit 1").select_option(grey.get_attribute("value") or "")
    first.locator(".unit-problem", has_text=sentence).wait_for()
    assert first.get_by_text("No map without the weights").is_visible()


def test_a_preview_that_fails_is_a_sentence_with_another_try(
    visit: Visit, house: House, first: Locator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        from pipelines import UserError

        raise UserError("The preview waits for the picture that is being drawn.")

    with monkeypatch.context() as patch:
        patch.setattr(house.studio, "control_preview", refuse)
        put(visit, drawing())
        first.get_by_role("alert").get_by_text("The preview waits").wait_for()
    first.get_by_role("button", name="Try again").click()
    assert map_of(visit)


def test_pixel_perfect_needs_no_resolution(visit: Visit, first: Locator) -> None:
    assert not control(visit, "Pixel perfect of unit 1").is_visible()  # nothing is made of the picture yet
    control(visit, "Preprocessor of unit 1").select_option("Canny")
    assert not control(visit, "Resolution of unit 1").last.is_visible()
    control(visit, "Pixel perfect of unit 1").uncheck()
    control(visit, "Resolution of unit 1").last.fill("259")
    control(visit, "Resolution of unit 1").last.press("Tab")
    wait_for(visit.page, lambda: units(visit)[0]["resolution"] == 256)


def test_a_picture_can_be_dropped_and_pasted(visit: Visit, first: Locator) -> None:
    hand_over = """([type, target, text]) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(text, (letter) => letter.charCodeAt(0))], "a.png", { type: "image/png" }));
      const options = { bubbles: true, cancelable: true };
      const given = type === "drop" ? { dataTransfer: data } : { clipboardData: data };
      document.querySelector(target).dispatchEvent(new (type === "drop" ? DragEvent : ClipboardEvent)(type, { ...options, ...given }));
    }"""
    body = drawing()["buffer"].decode("latin-1")
    visit.page.evaluate(hand_over, ["drop", "#controlnet-controls .unit-tile", body])
    wait_for(visit.page, lambda: units(visit)[0]["image"])
    room(visit).locator("[data-part=add]").click()
    visit.page.evaluate(hand_over, ["paste", "body", drawing(96, 96)["buffer"].decode("latin-1")])
    wait_for(visit.page, lambda: units(visit)[1]["image"])
    assert units(visit)[0]["image"] != units(visit)[1]["image"]


def test_a_region_takes_the_size_of_the_picture_and_goes_with_another_one(visit: Visit, house: House, first: Locator) -> None:
    assert house.studio
    first.locator("summary").click()
    assert first.locator("[data-part=mask]").is_disabled()
    put(visit, drawing(160, 96))
    wait_for(visit.page, lambda: first.locator("[data-part=mask]").is_enabled())
    wait_for(visit.page, lambda: visit.page.evaluate("document.querySelector('#controlnet-controls .unit-drop img').naturalWidth === 160"))
    first.locator("[data-part=mask-file]").set_input_files([drawing(80, 48)])
    wait_for(visit.page, lambda: units(visit)[0]["mask"])
    assert house.studio.intake.size(units(visit)[0]["mask"]) == (160, 96)
    assert first.locator(".unit-region img").is_visible()
    put(visit, drawing(64, 64))
    first.get_by_text("The region belonged to a picture of another size").wait_for()
    assert units(visit)[0]["mask"] == ""


# ---- models -----------------------------------------------------------------------------------------------------------------------


def test_the_map_is_named_for_a_union_model_alone(visit: Visit, first: Locator) -> None:
    wait_for(visit.page, lambda: control(visit, "Model of unit 1").locator("option").count() == 1 + 4)
    for model, shown in (("small canny", False), ("union of all", True)):
        control(visit, "Model of unit 1").select_option(label=model)
        wait_for(visit.page, lambda model=model: units(visit)[0]["name"] == model)
        assert control(visit, "Map shows of unit 1").is_visible() == shown
    control(visit, "Map shows of unit 1").select_option("Depth")
    wait_for(visit.page, lambda: units(visit)[0]["union_kind"] == "Depth")


def test_a_model_that_does_not_fit_is_grey_and_says_why(visit: Visit, first: Locator) -> None:
    grey = control(visit, "Model of unit 1").locator("option", has_text="large canny")
    grey.wait_for(state="attached")
    assert (grey.get_attribute("class"), grey.get_attribute("title")) == ("grey", TOO_LARGE)
    control(visit, "Model of unit 1").select_option(label="large canny (does not fit)")
    first.locator(".unit-problem", has_text=TOO_LARGE).wait_for()


def test_a_preprocessor_brings_a_model_of_its_name_where_none_is_chosen(visit: Visit, first: Locator) -> None:
    wait_for(visit.page, lambda: control(visit, "Model of unit 1").locator("option").count() == 1 + 4)
    control(visit, "Preprocessor of unit 1").select_option("Canny")
    wait_for(visit.page, lambda: units(visit)[0]["name"] == "small canny")
    control(visit, "Model of unit 1").select_option(label="union of all")
    control(visit, "Preprocessor of unit 1").select_option("Tile")
    wait_for(visit.page, lambda: units(visit)[0]["preprocessor"] == "Tile")
    assert units(visit)[0]["name"] == "union of all"


def test_markup_in_the_name_of_a_model_stays_text(visit: Visit, first: Locator) -> None:
    visit.page.evaluate("window.hurt = 0")
    name = HOSTILE.replace("/", "")
    wait_for(visit.page, lambda: control(visit, "Model of unit 1").locator("option").count() == 1 + 4)
    [label] = [label for label in control(visit, "Model of unit 1").locator("option").all_text_contents() if "onerror" in label]
    control(visit, "Model of unit 1").select_option(label=label)
    wait_for(visit.page, lambda: "onerror" in first.locator(".unit-sub").inner_text())
    assert visit.page.evaluate("window.hurt") == 0 and units(visit)[0]["name"] in (name, label)


# ---- the list ---------------------------------------------------------------------------------------------------------------------


def test_units_are_added_moved_duplicated_switched_off_and_removed(visit: Visit, first: Locator) -> None:
    put(visit, drawing())
    room(visit).locator("[data-part=add]").click()
    assert card(visit, 1).locator("[data-part=open]").get_attribute("aria-expanded") == "true"
    assert first.locator("[data-part=open]").get_attribute("aria-expanded") == "false"
    control(visit, "Preprocessor of unit 2").select_option("Invert")
    wait_for(visit.page, lambda: [unit["preprocessor"] for unit in units(visit)] == ["None", "Invert"])
    card(visit, 1).locator("[data-part=up]").click()
    wait_for(visit.page, lambda: [unit["preprocessor"] for unit in units(visit)] == ["Invert", "None"])
    assert "Unit 1 – Invert" in card(visit, 0).inner_text() and card(visit, 0).locator("[data-part=file]").count() == 1
    card(visit, 0).locator("[data-part=copy]").click()
    wait_for(visit.page, lambda: [unit["preprocessor"] for unit in units(visit)] == ["Invert", "Invert", "None"])
    control(visit, "unit 3 acts").click()
    wait_for(visit.page, lambda: [unit["weight"] for unit in units(visit)] == [1, 1, 0])
    assert control(visit, "unit 3 acts").get_attribute("aria-checked") == "false"
    control(visit, "unit 3 acts").click()
    wait_for(visit.page, lambda: units(visit)[2]["weight"] == 1)
    control(visit, "Remove unit 1").click()
    wait_for(visit.page, lambda: [unit["preprocessor"] for unit in units(visit)] == ["Invert", "None"])
    assert units(visit)[1]["image"]


def test_the_list_goes_by_keyboard(visit: Visit, first: Locator) -> None:
    room(visit).locator("[data-part=add]").focus()
    visit.page.keyboard.press("Enter")
    wait_for(visit.page, lambda: len(units(visit)) == 2)
    focused = "document.activeElement.closest('.unit')?.querySelector('.unit-title').textContent"
    assert visit.page.evaluate(focused) == "Unit 2"
    visit.page.keyboard.press("Enter")
    assert card(visit, 1).locator("[data-part=open]").get_attribute("aria-expanded") == "false"
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Space")
    wait_for(visit.page, lambda: units(visit)[1]["weight"] == 0)
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Enter")
    wait_for(visit.page, lambda: len(units(visit)) == 1)
    assert visit.page.evaluate(focused) == "Unit 1"


def test_ten_is_the_most(visit: Visit, first: Locator) -> None:
    add = room(visit).locator("[data-part=add]")
    for count in range(2, MOST_UNITS + 1):
        add.click()
        wait_for(visit.page, lambda count=count: len(units(visit)) == count)
    assert add.is_disabled() and room(visit).get_by_text(f"{MOST_UNITS} is the most").is_visible()
    assert card(visit, MOST_UNITS - 1).locator("[data-part=copy]").is_disabled()
    heights = room(visit).locator(".unit").evaluate_all("cards => cards.map((card) => card.getBoundingClientRect().height)")
    assert max(heights[:-1]) < 70  # a closed one is a line


def test_units_are_there_after_a_reload_and_so_are_their_maps(visit: Visit, first: Locator) -> None:
    put(visit, drawing())
    control(visit, "Preprocessor of unit 1").select_option("Canny")
    first.locator("summary").click()
    control(visit, "Weight curve of unit 1").select_option("Rising")
    before = units(visit)
    shown = map_of(visit)
    visit.reload()
    open_tab(visit, "ControlNet")
    wait_for(visit.page, lambda: units(visit) == before)
    assert map_of(visit) == shown
    assert first.locator(".unit-folded").text_content() == "0 % to 100 % · Rising · Balanced · Crop"


def test_kept_units_of_another_version_are_read_as_far_as_they_are_known(visit: Visit) -> None:
    kept = '{"controls": [{"preprocessor": "Canny", "former": 3}]}'
    visit.page.evaluate("kept => localStorage.setItem('atelier.form.controlnet', kept)", kept)
    visit.reload()
    open_tab(visit, "ControlNet")
    card(visit).wait_for()
    wait_for(visit.page, lambda: units(visit) == [asdict(ControlUse(preprocessor="Canny"))])


def test_every_control_of_a_unit_has_a_name(visit: Visit, first: Locator) -> None:
    control(visit, "Preprocessor of unit 1").select_option("Canny")
    first.locator("summary").click()
    unnamed = room(visit).evaluate(
        """room => [...room.querySelectorAll('input:not([type=file]), select, button, svg')].filter((part) => part.getClientRects().length)
          .filter((part) => !(part.labels?.length || part.getAttribute('aria-label') || part.textContent.trim()))
          .map((part) => part.outerHTML.slice(0, 200))"""
    )
    assert unnamed == []


def test_a_phone_needs_no_sideways_scrolling(house: House, browser: Browser) -> None:
    with visiting(house, browser, viewport={"width": 390, "height": 844}) as visit:
        visit.page.locator("#tabs .overflow-menu > button").click()
        visit.page.locator("#tabs .overflow-dropdown button", has_text="ControlNet").click()
        card(visit).wait_for()
        put(visit, drawing())
        control(visit, "Preprocessor of unit 1").select_option("Line art")
        card(visit).locator("summary").click()
        assert map_of(visit)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        wide = card(visit).evaluate(
            "card => [...card.querySelectorAll('*')].filter((part) => part.getBoundingClientRect().right > 391).length"
        )
        assert wide == 0


@pytest.mark.parametrize("curve", WEIGHT_CURVES)
def test_the_drawn_weights_are_those_that_the_steps_take(visit: Visit, first: Locator, curve: str) -> None:
    points = visit.page.evaluate(
        """([uses, steps]) => {
          const curves = { Flat: [1, 1], Falling: [1, 0], Rising: [0, 1] };
          const fine = (act) => Array.from({ length: 1001 }, (_, place) => act(place / 1000));
          Object.assign(curves, { Early: fine((x) => Math.cos(x * Math.PI / 2) ** 2), Late: fine((x) => Math.sin(x * Math.PI / 2) ** 2) });
          Object.assign(curves, { Middle: fine((x) => Math.sin(x * Math.PI)) });
          return uses.flatMap((use) => steps.map((count) => atelier.unitPlot.weights(use, count, curves)));
        }""",
        [[asdict(use) for use in uses_of(curve)], [1, 7, 20]],
    )
    expected = [[use.weight_at(index, steps) for index in range(steps)] for use in uses_of(curve) for steps in (1, 7, 20)]
    for drawn, taken in zip(points, expected, strict=True):
        assert all(math.isclose(one, other, abs_tol=1e-4) for one, other in zip(drawn, taken, strict=True)), (drawn, taken)


def uses_of(curve: str) -> list[ControlUse]:
    spans = ((0.0, 1.0), (0.2, 0.8), (0.33, 0.34), (0.7, 0.3), (0.5, 1.0))
    return [ControlUse(curve=curve, weight=0.8, start=start, end=end) for start, end in spans]


# ---- the other tabs ---------------------------------------------------------------------------------------------------------------


def test_a_unit_of_a_tab_that_begins_with_a_picture_takes_that_picture(visit: Visit, house: House) -> None:
    open_tab(visit, "Image to image")
    visit.page.locator("#img2img-image [data-part=file]").set_input_files([drawing()])
    wait_for(visit.page, lambda: visit.page.evaluate("atelier.forms.img2img?.image"))
    room(visit, "img2img").locator("[data-part=fold]").click()
    room(visit, "img2img").locator("[data-part=add]").click()
    control(visit, "Preprocessor of unit 1", "img2img").select_option("Invert")
    assert pixels(visit, house, map_of(visit, 0, "img2img")).getpixel((40, 40)) == 255
    assert units(visit, "img2img")[0]["image"] == ""
    assert card(visit, 0, "img2img").get_by_text("The picture of this tab").is_visible()
    own = put(visit, drawing(64, 64, faint=False), 0, "img2img")
    card(visit, 0, "img2img").locator("[data-part=out]").click()
    wait_for(visit.page, lambda: units(visit, "img2img")[0]["image"] == "" and own)


def test_a_paste_beside_the_units_still_goes_to_the_canvas(visit: Visit) -> None:
    open_tab(visit, "Image to image")
    room(visit, "img2img").locator("[data-part=fold]").click()
    room(visit, "img2img").locator("[data-part=add]").click()
    paste = """text => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(text, (letter) => letter.charCodeAt(0))], "a.png", { type: "image/png" }));
      document.body.dispatchEvent(new ClipboardEvent("paste", { bubbles: true, cancelable: true, clipboardData: data }));
    }"""
    visit.page.mouse.move(5, 5)
    visit.page.evaluate("document.activeElement.blur()")
    visit.page.evaluate(paste, drawing()["buffer"].decode("latin-1"))
    wait_for(visit.page, lambda: visit.page.evaluate("atelier.forms.img2img?.image"))
    assert units(visit, "img2img")[0]["image"] == ""


def job_of(visit: Visit, house: House, request: Any) -> None:
    """A finished picture of the visitor, made with a request as the worker gets it."""
    assert house.studio
    visit.generate("who am I")
    visit.finished()
    user = next(record.user for record in [house.studio.picture(visit.part("picture").get_attribute("src").split("/")[1][:-4])] if record)  # pyright: ignore[reportOptionalMemberAccess]
    before = len(house.painter.drawn)
    house.studio._engine.submit(request, user)
    wait_until(lambda: len(house.painter.drawn) > before, 30)
    wait_until(lambda: house.studio and house.studio.recent(user)[0].request.prompt == request.prompt, 30)
    visit.reload()


def use_of(visit: Visit, house: House) -> ControlUse:
    assert house.studio
    [entry] = [entry for entry in house.studio.library.models("controlnet") if entry.name == "small canny"]
    return ControlUse(id=entry.id, name=entry.name, preprocessor="Canny", threshold_a=20, threshold_b=40, weight=0.7)


def test_use_these_settings_fills_units_that_were_never_opened(visit: Visit, house: House) -> None:
    use = use_of(visit, house)
    job_of(visit, house, TextToImage(prompt="with a unit", width=128, height=128, controls=(use,)))
    assert units(visit, "txt2img") == []
    visit.part("settings").click()
    wait_for(visit.page, lambda: visit.control("prompt").input_value() == "with a unit")
    wait_for(visit.page, lambda: units(visit, "txt2img") == [asdict(use)])
    assert room(visit, "txt2img").locator("[data-part=sum]").inner_text() == "none on"  # it has no picture
    visit.page.locator(".page-note button.quiet").click()
    wait_for(visit.page, lambda: units(visit, "txt2img") == [])


def test_settings_of_a_picture_of_this_tab_go_back_to_it(visit: Visit, house: House) -> None:
    use = use_of(visit, house)
    job_of(visit, house, Controlled(prompt="held by outlines", width=128, height=128, controls=(use,)))
    visit.part("settings").click()
    card(visit).wait_for()
    assert visit.page.get_by_role("tab", name="ControlNet", exact=True).get_attribute("aria-selected") == "true"
    wait_for(visit.page, lambda: units(visit) == [asdict(use)])
    assert visit.page.locator("#controlnet-prompt textarea").input_value() == "held by outlines"


@pytest.mark.parametrize("opened", [True, False], ids=["opened before", "never opened"])
def test_a_result_that_is_sent_becomes_the_picture_of_the_first_unit_and_one_undo_takes_it_back(visit: Visit, opened: bool) -> None:
    if opened:
        open_tab(visit, "ControlNet")
        card(visit).wait_for()
        control(visit, "Weight of unit 1").last.fill("0.6")
        control(visit, "Weight of unit 1").last.press("Tab")
        wait_for(visit.page, lambda: units(visit)[0]["weight"] == 0.6)
        open_tab(visit, "Text to image")
    before = units(visit)
    visit.generate("a house in the snow")
    visit.finished()
    visit.part("to-controlnet").click()
    wait_for(visit.page, lambda: units(visit)[0]["image"] != "")
    assert units(visit) == [before[0] | {"image": units(visit)[0]["image"]}]
    assert visit.page.locator("#controlnet-prompt textarea").input_value() == "a house in the snow"
    card(visit).locator(".unit-drop").first.wait_for()
    assert map_of(visit)
    visit.page.locator(".page-note button.quiet").click()
    wait_for(visit.page, lambda: units(visit) == before)
    assert visit.page.locator("#txt2img-generate").is_visible()
