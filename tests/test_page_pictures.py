"""The tabs that begin with a picture, in a real browser on the toy studio: putting pictures in, sending, keeping, undoing, batches."""

from __future__ import annotations

import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload

from pipelines import ImageToImage, Inpaint, Outpaint
from tests.support.page_fixtures import House, Visit, browser, house, house_with, visit, wait_for, without_a_page
from tests.support.toys import wait_until

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]
open_house = house_with("img2img", "inpaint", "outpaint")

PAINTED = "kind => inside.page.canvases[kind].layer.bounds()"


def picture(width: int = 96, height: int = 64, colour: str = "teal") -> FilePayload:
    stream = BytesIO()
    Image.new("RGB", (width, height), colour).save(stream, "png")
    return FilePayload(name=f"{colour}.png", mimeType="image/png", buffer=stream.getvalue())


def put(visit: Visit, kind: str, file: FilePayload) -> None:
    before = visit.page.evaluate("kind => inside.page.forms[kind]?.image ?? ''", kind)
    visit.page.locator(f"#{kind}-image [data-part=file]").set_input_files([file])
    visit.page.wait_for_function("([kind, before]) => (inside.page.forms[kind]?.image ?? '') !== before", arg=[kind, before])


def paint(visit: Visit, kind: str) -> Any:
    """One dab in the middle of the canvas; the bounds of what is painted then."""
    box = visit.page.locator(f"#{kind}-image [data-part=canvas]").bounding_box()
    assert box
    visit.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    visit.page.wait_for_function(f"kind => ({PAINTED})(kind) !== null", arg=kind)
    return visit.page.evaluate(PAINTED, kind)


def draw(visit: Visit, kind: str, prompt: str) -> None:
    visit.page.locator(f"#{kind}-prompt textarea").fill(prompt)
    visit.page.locator(f"#{kind}-generate").click()


def requests(house: House) -> list[Any]:
    return house.runner.drawn


def count(house: House, kind: type[Any]) -> int:
    return sum(isinstance(request, kind) for request in requests(house))


def test_a_picture_that_is_put_in_is_what_the_job_begins_with(visit: Visit, house: House) -> None:
    assert house.studio
    visit.open_tab("Image to image")
    put(visit, "img2img", picture(144, 112))
    wait_for(visit.page, lambda: visit.page.locator("#img2img-width input").input_value() == "144")
    assert visit.page.locator("#img2img-height input").input_value() == "112"
    assert "16 of 20 steps will run" in visit.page.locator("#img2img-plan").inner_text()
    draw(visit, "img2img", "a ball")
    wait_until(lambda: count(house, ImageToImage) == 1, 30)
    request = requests(house)[-1]
    assert house.studio.uploads.inputs.open(request.image).getpixel((0, 0)) == (0, 128, 128)
    assert (request.width, request.height, request.prompt) == (144, 112, "a ball")


# Frames come when they are let go, as on a machine that is busy; a file is put in at the moment at which a tab's canvas is there.
AT_ONCE = """([kind, bytes]) => {
  const [frame, held] = [window.requestAnimationFrame, []];
  window.requestAnimationFrame = (act) => held.push(act);
  window.letGo = () => (held.forEach((act) => frame(act)), (window.requestAnimationFrame = frame));
  const put = () => {
    const carried = new DataTransfer();
    carried.items.add(new File([Uint8Array.from(bytes)], "picture.png", { type: "image/png" }));
    const input = document.querySelector(`#${kind}-image [data-part=file]`);
    input.files = carried.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const look = new MutationObserver(() => inside.page.canvases[kind] && (look.disconnect(), put()));
  look.observe(document, { subtree: true, childList: true, attributes: true });
  [...document.querySelectorAll("[role=tab]")].find((tab) => tab.id.includes(kind) && tab.checkVisibility()).click();
}"""
FRAMES = "async () => { for (let turn = 0; turn < 4; turn += 1) await new Promise(requestAnimationFrame); }"


def test_a_picture_that_is_put_in_before_gradio_gives_the_first_value_again_stays(visit: Visit) -> None:
    visit.page.evaluate(AT_ONCE, ["inpaint", list(picture(colour="teal")["buffer"])])
    wait_for(visit.page, lambda: visit.page.evaluate("inside.page.forms.inpaint.image"))
    visit.page.evaluate(f"async () => {{ letGo(); await ({FRAMES})(); await inside.page.canvases.inpaint.idle(); }}")
    assert visit.page.evaluate("[Boolean(inside.page.forms.inpaint.image), inside.page.canvases.inpaint.layer?.width]") == [True, 96]


def test_a_drawing_on_an_empty_canvas_is_a_picture(visit: Visit, house: House) -> None:
    assert house.studio
    visit.open_tab("Image to image")
    visit.page.locator("#img2img-image [data-part=start]").click()
    paint(visit, "img2img")
    before = count(house, ImageToImage)
    draw(visit, "img2img", "a tree")
    wait_until(lambda: count(house, ImageToImage) == before + 1, 30)
    image = house.studio.uploads.inputs.open(requests(house)[-1].image)
    colours = {colour for _, colour in image.getcolors(100_000) or []}
    assert (255, 255, 255) in colours and len(colours) > 1


def test_generate_without_a_picture_says_what_to_do_and_what_is_none_is_refused_and_nothing_lost(visit: Visit, house: House) -> None:
    before = len(requests(house))
    visit.open_tab("Inpaint")
    draw(visit, "inpaint", "a ball")
    visit.page.get_by_text("Put a picture on the canvas first").wait_for()
    put(visit, "inpaint", picture(colour="olive"))
    draw(visit, "inpaint", "a ball")
    visit.page.get_by_text("Nothing is masked yet").wait_for()
    assert len(requests(house)) == before
    kept = visit.page.evaluate("inside.page.forms.inpaint.image")
    page_of_html = FilePayload(name="picture.png", mimeType="image/png", buffer=b"<!doctype html><title>x</title>")
    visit.page.locator("#inpaint-image [data-part=file]").set_input_files([page_of_html])
    alert = visit.page.locator("#inpaint-image [data-part=alert]")
    alert.get_by_text("not a picture").wait_for()
    assert visit.page.evaluate("inside.page.forms.inpaint.image") == kept
    visit.complaints[:] = [line for line in visit.complaints if "422" not in line]  # the browser's own line for the refusal


def test_a_mask_goes_with_the_job_and_its_results_stand_on_the_canvas_until_one_is_kept(visit: Visit, house: House) -> None:
    visit.open_tab("Inpaint")
    put(visit, "inpaint", picture(128, 128, "maroon"))
    bounds = paint(visit, "inpaint")
    visit.unfold()
    visit.page.locator("#inpaint-batch_size input").fill("2")
    visit.page.locator("#inpaint-batch_size input").press("Tab")
    before = visit.page.evaluate("inside.page.forms.inpaint.image")
    draw(visit, "inpaint", "a car")
    visit.page.locator("#inpaint-image [data-part=thumbs] button").nth(1).click()
    request = requests(house)[-1]
    assert isinstance(request, Inpaint) and house.studio
    assert house.studio.uploads.inputs.open(request.mask, "L").getbbox() == tuple(bounds)
    visit.page.locator("#inpaint-image [data-part=keep]").click()
    visit.page.wait_for_function("before => inside.page.forms.inpaint.image !== before", arg=before)
    assert visit.page.evaluate(PAINTED, "inpaint") is None
    visit.page.locator("#inpaint-image [data-part=undo]").click()
    visit.page.wait_for_function("before => inside.page.forms.inpaint.image === before", arg=before)
    assert visit.page.evaluate(PAINTED, "inpaint") == bounds


def test_the_box_of_only_masked_is_shown_before_the_run_and_a_mask_that_has_not_changed_is_posted_once(visit: Visit, house: House) -> None:
    visit.open_tab("Inpaint")
    put(visit, "inpaint", picture(128, 128, "indigo"))
    paint(visit, "inpaint")
    visit.page.locator("#inpaint-area input").click()
    visit.page.get_by_role("option", name="Only masked").click()
    visit.page.locator("#inpaint-image [data-part=preflight]").get_by_text("drawn at").wait_for()
    for number in (1, 2):
        before = count(house, Inpaint)
        draw(visit, "inpaint", f"car {number}")
        wait_until(lambda before=before: count(house, Inpaint) == before + 1, 30)
        # A press is taken when the last one has been answered.
        visit.page.locator(":is(#stage, #stage *)[data-state=done]").wait_for(state="attached")
    assert sum("as=mask" in address for address in visit.posts) == 1


def test_a_picture_goes_to_another_tab_with_its_words_and_one_undo_brings_the_old_form_back(visit: Visit) -> None:
    visit.open_tab("Inpaint")
    put(visit, "inpaint", picture(128, 128, "gold"))
    bounds = paint(visit, "inpaint")
    visit.page.locator("#inpaint-prompt textarea").fill("what I was writing")
    old = visit.page.evaluate("inside.page.forms.inpaint.image")
    visit.open_tab("Text to image")
    visit.generate("a house in the snow")
    visit.finished()
    visit.send_to("inpaint")
    visit.page.wait_for_function("old => inside.page.forms.inpaint.image !== old", arg=old)
    assert visit.page.locator("#inpaint-prompt textarea").input_value() == "a house in the snow"
    assert visit.page.locator("#inpaint-image").is_visible()
    visit.page.wait_for_function(f"() => ({PAINTED})('inpaint') === null")
    visit.page.locator(".page-note button.quiet").click()
    visit.page.wait_for_function("old => inside.page.forms.inpaint.image === old", arg=old)
    wait_for(visit.page, lambda: visit.page.locator("#inpaint-prompt textarea").input_value() == "what I was writing")
    visit.page.wait_for_function(f"() => ({PAINTED})('inpaint') !== null")
    assert visit.page.evaluate(PAINTED, "inpaint") == bounds
    assert visit.page.locator("#txt2img-generate").is_visible()


def test_a_result_can_be_sent_to_every_tab(visit: Visit) -> None:
    visit.generate("a ball")
    visit.finished()
    tabs = {"img2img": "Image to image", "inpaint": "Inpaint", "outpaint": "Outpaint", "txt2img": "Text to image"}
    for kind, tab in tabs.items():
        visit.open_tab("Text to image")
        visit.page.locator("#txt2img-prompt textarea").fill("something else")
        visit.send_to(kind)
        wait_for(visit.page, lambda kind=kind: visit.page.locator(f"#{kind}-prompt textarea").input_value() == "a ball")
        assert visit.page.get_by_role("tab", name=tab, exact=True).get_attribute("aria-selected") == "true"
        if kind != "txt2img":
            visit.page.wait_for_function("kind => inside.page.painted[kind]?.width > 0", arg=kind)


def test_use_these_settings_brings_picture_and_mask_back_into_their_own_tab(visit: Visit, house: House) -> None:
    visit.open_tab("Inpaint")
    put(visit, "inpaint", picture(128, 128, "purple"))
    bounds = paint(visit, "inpaint")
    before = count(house, Inpaint)
    draw(visit, "inpaint", "a boat")
    wait_until(lambda: count(house, Inpaint) == before + 1, 30)
    request = requests(house)[-1]
    visit.page.locator("#inpaint-image [data-part=dismiss]").click()
    visit.page.locator("#inpaint-image [data-part=remove]").click()
    visit.page.wait_for_function("() => inside.page.forms.inpaint.image === ''")
    visit.reload()
    visit.part("settings").click()
    visit.page.wait_for_function("id => inside.page.forms.inpaint?.image === id", arg=request.image)
    visit.page.wait_for_function(f"() => inside.page.canvases.inpaint?.layer && ({PAINTED})('inpaint') !== null")
    assert visit.page.evaluate(PAINTED, "inpaint") == bounds
    assert visit.page.evaluate("inside.page.forms.inpaint.mask") == request.mask


def test_several_pictures_are_one_job(visit: Visit, house: House, tmp_path: Path) -> None:
    visit.open_tab("Image to image")
    visit.page.get_by_role("button", name="Several pictures").click()
    files = [picture(64, 64, colour) for colour in ("red", "lime", "blue")]
    visit.page.locator("#img2img-images [data-part=files]").set_input_files(files)
    visit.page.wait_for_function("() => inside.page.forms.img2img.images.length === 3")
    Image.new("RGB", (64, 64), "white").save(tmp_path / "white.png")
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    visit.page.locator("#img2img-images [data-part=path]").fill(str(tmp_path))
    visit.page.locator("#img2img-images [data-part=take]").click()
    visit.page.wait_for_function("() => inside.page.forms.img2img.images.length === 4")
    visit.page.get_by_text("broken.png:").wait_for()
    before = count(house, ImageToImage)
    draw(visit, "img2img", "a tree")
    wait_until(lambda: count(house, ImageToImage) == before + 4, 30)
    assert house.studio
    drawn = [house.studio.uploads.inputs.open(request.image).getpixel((0, 0)) for request in requests(house)[-4:]]
    assert drawn == [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]


def test_a_frame_that_is_typed_says_the_size_of_the_result(visit: Visit, house: House) -> None:
    visit.open_tab("Outpaint")
    put(visit, "outpaint", picture(128, 128, "tan"))
    visit.page.evaluate("inside.dom.enter('#outpaint-right', 128)")
    visit.page.locator("#outpaint-plan").get_by_text("From 128 × 128 to 256 × 128").wait_for()
    before = count(house, Outpaint)
    draw(visit, "outpaint", "a field")
    wait_until(lambda: count(house, Outpaint) == before + 1, 30)
    assert requests(house)[-1].right == 128


def test_what_tiles_cost_is_said_before_they_are_asked_for(visit: Visit, house: House) -> None:
    visit.open_tab("Image to image")
    row = visit.page.get_by_role("button", name="Tiles off")
    row.click()
    visit.page.locator("#img2img-tiling input").click()
    visit.page.get_by_role("option", name="Windows").click()
    put(visit, "img2img", picture(1536, 1024, "olive"))
    visit.page.wait_for_function("() => inside.page.forms.img2img.width === 1536")
    visit.page.locator("#img2img-plan").get_by_text("calls of the network").wait_for()
    shown = [visit.page.locator(f"#img2img-{name}").is_visible() for name in ("tile_size", "tile_overlap", "tile_padding", "seam_pass")]
    assert shown == [True, True, False, False], "what does nothing in windows is out of sight"
    side = visit.page.evaluate("inside.page.forms.img2img.tile_size")
    visit.page.get_by_role("button", name=f"Tiles Windows, {side}").wait_for()
    before = count(house, ImageToImage)
    draw(visit, "img2img", "a hill")
    wait_until(lambda: count(house, ImageToImage) == before + 1, 30)
    assert (requests(house)[-1].tiling, requests(house)[-1].tile_overlap) == ("Windows", side // 2)


def test_nobody_can_name_the_picture_of_another_person(visit: Visit, house: House, browser: Browser) -> None:
    visit.open_tab("Image to image")
    put(visit, "img2img", picture(64, 64, "crimson"))
    theirs = visit.page.evaluate("inside.page.forms.img2img.image")
    address = f"{house.url}input/{theirs}.png"
    assert visit.context.request.get(address).status == 200
    with without_a_page(browser) as other:
        other.get(house.url)
        assert other.get(address).status == 404
    assert house.studio
    with pytest.raises(Exception, match="not stored here"):
        house.studio.submit(ImageToImage(prompt="x", image=theirs), "somebody else")


def test_a_stage_follows_jobs_of_its_own_kind(visit: Visit, house: House) -> None:
    house.runner.gate = threading.Semaphore(1)
    visit.generate("a slow ball")
    visit.wait_for_step(1)
    shown = visit.page.evaluate("[...document.querySelectorAll('[data-part=stop]')].filter((button) => !button.hidden).length")
    assert shown == 1
