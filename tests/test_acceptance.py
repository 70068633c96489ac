"""The whole studio as a newcomer meets it: app.py on the starter model, and a real Chromium in front of it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Generator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from pipelines import Clip, TextToImage, Turn
from pipelines.images.clip_file import frames_in
from pipelines.jobs.outputs import read
from tests.support.app_fixtures import ROOT, RunningStudio, reading_of
from tests.support.page_fixtures import Visit, browser, shared_page, visiting, wait_for

pytestmark = pytest.mark.browser
__all__ = ["browser"]

PROMPT = "a red house on the left in the snow at night, with mountains"
COUNT_FRAMES = """() => {
  window.frames_seen = new Set();
  const preview = document.querySelector('[data-part=preview]');
  new MutationObserver(() => window.frames_seen.add(preview.src)).observe(preview, { attributes: true, attributeFilter: ['src'] });
}"""


@pytest.fixture
def visit(running: RunningStudio, browser: Browser) -> Generator[Visit]:
    with visiting(running, browser, shared_page(browser, running.url)) as visit:  # type: ignore[arg-type]
        visit.page.set_default_timeout(120_000)
        yield visit
        assert visit.complaints == []
        assert visit.hosts <= {running.url.split("/")[2], "inline"}


def right_share(picture: Image.Image, prompt: str) -> float:
    from models.starter.recipe.captions import attributes_of
    from models.starter.recipe.judge import agreement

    right, total = agreement(reading_of(picture), attributes_of(prompt))
    return right / total


@pytest.mark.smoke
def test_the_prompt_is_watched_as_it_forms_into_a_picture_that_shows_just_that(visit: Visit) -> None:
    visit.generate("a ball")  # the first job also waits for torch and the model
    visit.finished()
    visit.page.evaluate(COUNT_FRAMES)
    visit.set("seed", "7")
    first = visit.part("picture").get_attribute("src")
    visit.generate(PROMPT)
    wait_for(visit.page, lambda: visit.part("frame").get_attribute("data-showing") != "picture", 60)
    wait_for(visit.page, lambda: visit.finished() != first, 120)
    assert visit.page.evaluate("window.frames_seen.size") >= 15
    with visit.page.expect_download() as downloading:
        visit.part("download").click()
        visit.part("ways").get_by_text("As it was saved").click()
    data = Path(downloading.value.path()).read_bytes()
    picture = Image.open(io.BytesIO(data))
    assert right_share(picture.convert("RGB"), PROMPT) == 1, "the judge sees the house, its colour, its place, snow, night and mountains"
    request = read(data)
    assert isinstance(request, TextToImage) and (request.prompt, request.seed) == (PROMPT, 7)
    assert "Seed: 7" in picture.info["parameters"] and json.loads(picture.info["atelier"])["made_with"]["Model"] == "Starter"


def test_the_same_settings_give_the_same_pixels(visit: Visit, running: RunningStudio) -> None:
    taken = []
    for _ in range(2):
        visit.set("seed", "11")
        visit.generate("a blue boat on the sea at day")
        wait_for(visit.page, lambda: visit.part("frame").get_attribute("data-showing") == "preview", 60)
        taken.append(visit.context.request.get(running.url + visit.finished()).body())
    assert timeless(taken[0]) == timeless(taken[1])


def timeless(data: bytes) -> tuple[bytes, dict[str, str]]:
    """The pixels of a picture and its texts, but for how long they took."""
    picture = Image.open(io.BytesIO(data))
    texts = {str(name): re.sub(r'(?:, )?"(?:Drawing|Loading) time": "[\d.]+ s"', "", str(text)) for name, text in picture.info.items()}
    assert texts["atelier"] != picture.info["atelier"]
    return picture.tobytes(), texts


def test_two_painted_regions_are_drawn_where_they_lie_and_the_record_makes_the_same_picture(visit: Visit, running: RunningStudio) -> None:
    page, dialog = visit.page, visit.page.locator("dialog.region-dialog[open]")
    visit.unfold("Regions")
    page.locator("#txt2img-regions [data-part=paint]").click()
    dialog.locator("[data-part=hardness]").fill("100")
    for number, (words, left) in enumerate((("a red house", 0.05), ("a blue tree", 0.65))):
        if number:
            dialog.get_by_role("button", name="Add a region").click()
        dialog.locator("textarea").nth(number).fill(words)
        paint(dialog.locator("[data-part=canvas]"), left, left + 0.3)
    chosen = dialog.locator("li.chosen .regions-dot")
    dialog.get_by_role("button", name="Paint region 1").click()
    expect(chosen).to_have_text("1")
    dialog.locator("[data-part=undo]").click()
    expect(chosen).to_have_text("2")  # the last stroke was there
    dialog.locator("[data-part=redo]").click()
    dialog.get_by_label("Weight of region 2").fill("0.9")
    dialog.get_by_label("Weight of region 2").press("Tab")
    dialog.get_by_role("button", name="Use these regions").click()
    expect(page.locator("#txt2img-regions textarea")).to_have_count(2)
    expect(page.get_by_label("Weight of region 2").and_(page.locator(":visible"))).to_have_value("0.9")
    page.get_by_role("button", name="Show on the picture").and_(page.locator(":visible")).click()
    visit.set("guidance_scale", "7.5")
    visit.set("seed", "2")
    with visit.another_picture():
        visit.generate("")
    reading = reading_of(opened(visit, running))
    assert [f"a {thing.colour} {thing.kind}" for thing in (reading.things[0], reading.things[2]) if thing] == ["a red house", "a blue tree"]
    expect(page.locator(".regions-over")).to_be_visible()
    first = visit.context.request.get(running.url + visit.finished()).body()
    assert [region.prompt for region in read(first).regions] == ["a red house", "a blue tree"]  # type: ignore[union-attr]
    page.locator("#txt2img-regions").get_by_role("button", name="Remove all").click()
    visit.part("settings").click()
    expect(page.locator("#txt2img-regions textarea")).to_have_count(2)
    with visit.another_picture():
        visit.generate()
    again = visit.context.request.get(running.url + visit.finished()).body()
    assert timeless(again)[0] == timeless(first)[0] and read(again) == read(first)  # its record says besides whose settings it has


def paint(canvas: Locator, left: float, right: float) -> None:
    """Strokes from the top to the bottom of a square sheet, in shares of its width."""
    box = canvas.bounding_box()
    assert box
    side = min(box["width"], box["height"]) - 16
    across, down = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - side) / 2
    for stroke in range(7):
        x = across + side * (left + (right - left) * stroke / 6)
        canvas.page.mouse.move(x, down + side * 0.03)
        canvas.page.mouse.down()
        canvas.page.mouse.move(x, down + side * 0.97, steps=3)
        canvas.page.mouse.up()


def test_a_reload_in_mid_job_attaches_again_and_another_job_stops_within_a_step(visit: Visit) -> None:
    visit.unfold()
    visit.set("steps", "150")
    visit.set("width", "256")  # so that it takes longer than a reload on a busy machine
    visit.generate("a green tree")
    visit.wait_for_step(2)
    visit.reload()
    visit.wait_for_step(3)
    visit.part("stop").click()
    wait_for(visit.page, lambda: "Stopped" in (visit.part("status").text_content() or ""), 20)
    visit.unfold()
    visit.set("steps", "20")
    visit.set("width", "128")
    visit.generate("a yellow ball")
    visit.finished()


def test_one_goes_back_in_the_steps_of_a_picture_and_branches_from_day_to_night(visit: Visit, running: RunningStudio) -> None:
    """With levels that are even, so that much of the way is spent where day and night are decided: of 24 seeds all come out so."""
    page, film = visit.page, visit.page.locator(".film")
    visit.set("seed", "3")
    visit.unfold()
    visit.control("schedule").click()
    page.get_by_role("option", name="Karras", exact=True).click()
    visit.unfold("Options")
    expect(page.locator("#txt2img-eta")).to_be_hidden()
    visit.set("rho", "1")
    visit.set("sigma_min", "0.1")
    expect(page.locator("#txt2img-options .row-value")).to_have_text("min 0.1, rho 1")
    with visit.another_picture():
        visit.generate("a red house on the left in the snow at day, with mountains")
    by_day = reading_of(opened(visit, running))
    visit.part("steps").click()
    track = film.get_by_role("slider", name="Step")
    expect(film.locator(".film-cell img")).to_have_count(20)
    room = track.bounding_box()
    assert room
    page.mouse.move(room["x"] + 0.9 * room["width"], room["y"] + 9)
    page.mouse.down()
    page.mouse.move(room["x"] + 0.43 * room["width"], room["y"] + 9, steps=4)
    page.mouse.up()
    expect(film.locator(".film-where")).to_contain_text("Step 9 of 20 · noise")
    expect(page.locator(".film-frame")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(track).to_have_attribute("aria-valuenow", "8")
    film.get_by_role("button", name="Branch from here").click()
    page.get_by_text("The form was filled anew.").wait_for()
    visit.control("prompt").fill("a red house on the left in the snow at night, with mountains")
    expect(film.locator(".film-plan")).to_contain_text("after step 8 of 20")
    with visit.another_picture():
        film.get_by_role("button", name="Draw the branch").click()
    by_night = reading_of(opened(visit, running))
    assert (by_day.time, by_night.time) == ("day", "night")
    assert (by_night.things, by_night.ground, by_night.mountains) == (by_day.things, by_day.ground, by_day.mountains)
    page.locator("#inspector [data-part=lineage]").click()
    expect(page.locator('.lineage-row[aria-current="true"]')).to_contain_text("Branch after step 8")
    page.keyboard.press("Escape")


def opened(visit: Visit, running: RunningStudio) -> Image.Image:
    """The finished picture in the frame."""
    answer = visit.context.request.get(running.url + visit.finished(), max_retries=2)  # a connection that was kept may have ended
    return Image.open(io.BytesIO(answer.body())).convert("RGB")


def test_a_word_that_the_starter_does_not_know_is_named(visit: Visit) -> None:
    visit.control("prompt").fill("an astronaut in the snow")
    expect(visit.page.locator("#txt2img-notes")).to_contain_text("does not know: astronaut")


EVERY = (
    "(a red house:1.1) [on the left:on the right:0.5], {in the snow|on grass}, [day|night], ~~with mountains~~, moonpeak"
    " <lora:ink:0@0,0.7@0.5> BREAK [[a tree]:5] AND a [blue::4] ball :0.5\n# a note"
)
CONSTRUCTS = ("strong", "weak", "schedule", "alternation", "choice", "off", "tag", "join", "comment")


def test_a_prompt_with_every_construct_is_seen_dragged_drawn_and_made_again_from_its_record(visit: Visit, running: RunningStudio) -> None:
    page, field = visit.page, visit.control("prompt")
    visit.unfold()
    for name, value in (("width", "128"), ("height", "128"), ("steps", "6"), ("seed", "3")):
        visit.set(name, value)
    visit.control("negative_prompt").fill("[rain:text:0.5]")
    field.click()
    page.keyboard.insert_text(EVERY)
    for kind in CONSTRUCTS:
        expect(page.locator(f"#txt2img-prompt .layer-words .is-{kind}").first).to_be_attached()
    lines = page.locator("#txt2img-notes .time-line")
    expect(lines.locator(".time-title")).to_have_text(["Prompt", "Negative prompt"])
    expect(lines.first.locator(".time-lane")).to_have_attribute("title", re.compile("LoRA ink"))
    place, track = lines.first.locator(".time-edge").first.bounding_box(), lines.first.locator(".time-track").bounding_box()
    assert place and track
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] / 3, place["y"] + 9, steps=4)
    page.mouse.up()
    written = EVERY.replace(":0.5]", ":0.2]", 1)
    assert field.input_value() == written, "of six steps the second half begins at the third"
    expect(page.locator("#txt2img-notes [data-part=drawn]")).to_contain_text("on the left for steps 1–2, on the right for steps 3–6")
    visit.generate()
    first = visit.context.request.get(running.url + visit.finished()).body()
    request = read(first)
    assert isinstance(request, TextToImage)
    assert request.prompt_template == written and "{" not in request.prompt and "[on the left:on the right:0.2]" in request.prompt
    assert [(use.name, use.pace) for use in request.loras] == [("ink", "0@0, 1@0.5")] and [use.word for use in request.embeddings] == [
        "moonpeak"
    ]
    expect(page.locator("#inspector .time-line .time-title")).to_have_text(["Prompt", "Negative prompt"])
    field.fill("something else")
    page.locator("#inspector [data-part=all]").click()
    wait_for(page, lambda: field.input_value() == request.prompt)
    with visit.another_picture():
        visit.generate()
    again = visit.context.request.get(running.url + visit.finished()).body()
    assert Image.open(io.BytesIO(again)).tobytes() == Image.open(io.BytesIO(first)).tobytes()
    assert read(again) == request


def test_a_grid_of_three_axes_is_stopped_goes_on_after_a_reload_and_a_cell_of_it_is_opened(visit: Visit) -> None:
    page, room = visit.page, visit.page.locator(".grid-room")
    visit.unfold()
    visit.set("width", "128")
    visit.set("height", "128")
    visit.control("prompt").fill("a red house on the left, snow")
    visit.control("prompt").blur()
    page.get_by_role("button", name="Grid", exact=True).click()
    axis(page, 0, "Guidance", "2, 4, 40")
    expect(room.locator(".grid-wrong:not([hidden])")).to_have_text("Guidance goes from 0 to 30; 40 is not in there.")
    axis(page, 0, "Guidance", "2, 6")
    axis(page, 1, "Steps", "3-5")
    room.get_by_role("button", name="Add an axis").click()
    axis(page, 2, "Search and replace", "red, blue")
    expect(room.locator(".grid-plan")).to_contain_text("12 pictures")
    expect(room.locator(".grid-cell")).to_have_count(6)
    room.get_by_role("button", name="Draw the grid").click()
    expect(room.locator('.grid-cell[data-state="drawn"]').first).to_be_visible()
    room.get_by_role("button", name="Stop", exact=True).click()
    expect(room.locator(".grid-plan")).to_contain_text("Stopped")
    drawn = int((room.locator(".grid-plan").text_content() or "").split(" of ")[0])
    assert 0 < drawn < 12
    visit.reload()
    page.get_by_role("button", name="Grid", exact=True).click()
    expect(room.locator(".grid-plan")).to_contain_text(f"{drawn} of 12 pictures · Stopped")
    room.get_by_role("button", name="Go on").click()
    expect(room.locator(".grid-plan")).to_contain_text("12 of 12 pictures · All drawn")
    room.get_by_role("tab", name="blue").click()
    expect(room.locator('.grid-cell[data-state="drawn"]')).to_have_count(6)
    page.locator(".grid-axis").nth(1).get_by_role("button", name="Take this axis away").click()
    expect(room.locator(".grid-plan")).to_contain_text("4 pictures")
    room.get_by_role("button", name="Draw what is new").click()
    expect(room.locator(".grid-plan")).to_contain_text("0 pictures of 12 stay on it, 12 pictures stay in the library alone")
    room.get_by_role("button", name="Leave it").click()
    expect(room.locator(".grid-plan")).to_contain_text("12 of 12 pictures · All drawn")
    room.get_by_role("tab", name="blue").click()
    room.get_by_role("button", name="Guidance 6 · Steps 4 · Search and replace blue. Drawn").click()
    compare = room.get_by_role("button", name="Compare", exact=True)
    compare.click()
    expect(room.get_by_text("Choose the cell to compare it with")).to_be_visible()
    page.keyboard.press("Escape")
    expect(room.get_by_text("Choose the cell to compare it with")).to_be_hidden()
    expect(compare).to_be_focused()  # and the room stays
    room.get_by_role("button", name="Open", exact=True).click()
    expect(page.locator("#inspector [data-part=prompt]")).to_have_text("a blue house on the left, snow")
    expect(visit.part("picture")).to_be_visible()


def axis(page: Page, place: int, field: str, values: str) -> None:
    """Fills one axis of the room of grids."""
    row = page.locator(".grid-axis").nth(place)
    row.get_by_role("combobox").fill(field)
    row.get_by_role("option", name=field, exact=True).first.click()
    row.locator(".grid-values").fill(values)


def test_a_picture_begins_to_move_its_file_makes_it_again_and_a_thing_is_turned_into_a_sheet(visit: Visit, running: RunningStudio) -> None:
    page = visit.page
    for name, value in (("steps", "4"), ("seed", "5")):
        visit.set(name, value)
    with visit.another_picture():
        visit.generate("a red boat on the sea at dawn")
    visit.send_to("video")
    numbers(page, "video", frames=4, steps=40, seed=7)  # as quick as it is, a strip has to be seen
    page.evaluate(COUNT_FRAMES)
    with visit.another_picture():
        page.locator("#video-generate").click()
        expect(page.locator(".clip-strip img")).to_have_count(4)
        wait_for(page, lambda: page.evaluate("window.frames_seen.size") >= 4)  # it plays while it forms
    with page.expect_download() as downloading:
        visit.part("download").click()
        visit.part("ways").get_by_text("As it was saved").click()
    data = Path(downloading.value.path()).read_bytes()
    request = read(data)
    assert isinstance(request, Clip) and (request.frames, request.seed, len([*frames_in(data, request.frames_a_second)])) == (4, 7, 4)
    assert [path.read_bytes() for path in running.outputs.glob(f"*/{downloading.value.suggested_filename}")] == [data]
    page.locator("#inspector [data-part=again]").click()
    expect(page.locator("#inspector [data-part=remade]")).to_contain_text("Made again bit for bit")

    visit.open_tab("Turn")
    with page.expect_file_chooser() as chooser:
        page.locator("#turn-image [data-part=open]").click()
    chooser.value.set_files(ROOT / "models" / "starter" / "turn" / "cube.png")
    page.locator("#turn-dial [data-part=seen]").wait_for()
    dial = page.locator("#turn-dial svg").bounding_box()
    assert dial
    page.mouse.move(dial["x"] + dial["width"] / 2, dial["y"] + dial["height"] / 2)
    page.mouse.down()
    page.mouse.move(dial["x"] + dial["width"] * 0.75, dial["y"] + dial["height"] / 2, steps=4)
    page.mouse.up()
    numbers(page, "turn", views=2, steps=3, seed=7)
    with visit.another_picture():
        page.locator("#turn-generate").click()
    expect(visit.part("facts")).to_contain_text("256 × 128")
    sheet = read(max(running.outputs.glob("20*/*turned-2-views*")).read_bytes())
    assert isinstance(sheet, Turn) and (sheet.views, sheet.object_size) == (2, 0.68) and 20 < sheet.azimuth < 60


def numbers(page: Page, tab: str, **values: int) -> None:
    for name, value in values.items():
        field = page.locator(f"#{tab}-{name} :is(textarea, input[type=number], input:not([type]), input[type=text])").first
        field.fill(str(value))
        field.press("Tab")
