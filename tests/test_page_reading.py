"""Readings in a real browser on the toy studio: a foreign picture that is dropped, settings that are pasted, and folders of pictures.

What is dropped and pasted is told to the page as a browser tells it: events with files, on whatever lies there.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator

from pipelines.services.folder_files import FileLooker
from tests.support.foreign_files import A1111, NEGATIVE, SEED, WORDS, comfy_graph, png, told
from tests.support.page_fixtures import House, Visit, browser, house, house_with, visit, wait_for
from tests.test_page_compare import user_of
from tests.test_page_inspector import changed, values

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]
open_house = house_with("img2img", "details")
# ComfyUI's graph with a sampler that is not here, small enough for the toy.
GRAPH = comfy_graph(sampler_name="seeds_3")
GRAPH["5"]["inputs"] |= {"width": 64, "height": 96}
FOREIGN = png({"prompt": told(GRAPH)}, (64, 96))
TEXT = f"{A1111}v1.10.1, Face restoration: CodeFormer <b>"
# An event with a file or a text on what a selector means; whether something took it.
TELLS = """([selector, name, data, text]) => {
  const carried = new DataTransfer();
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  if (data) carried.items.add(new File([bytes], "lighthouse.png", { type: "image/png" }));
  if (text) carried.setData("text/plain", text);
  const paste = () => new ClipboardEvent("paste", { bubbles: true, cancelable: true, clipboardData: carried });
  const event = name === "paste" ? paste() : new DragEvent(name, { bubbles: true, cancelable: true, dataTransfer: carried });
  return !document.querySelector(selector).dispatchEvent(event);
}"""


def tell(visit: Visit, name: str, data: bytes = b"", text: str = "", on: str = "body") -> bool:
    return visit.page.evaluate(TELLS, [on, name, base64.b64encode(data).decode(), text])


def card(visit: Visit) -> Locator:
    return visit.page.locator("#reading dialog")


def group(visit: Visit, how: str) -> str:
    return card(visit).locator(f'[data-how="{how}"]').inner_text()


def read(visit: Visit, act: Callable[[], Any]) -> None:
    """Until what is dropped or pasted has been read."""
    with visit.page.expect_response("**/reading"):
        act()
    wait_for(visit.page, lambda: card(visit).locator("[data-part=foot]").is_visible())


def refused(visit: Visit) -> None:
    """Takes out the browser's own line for an answer that was meant."""
    visit.complaints[:] = [line for line in visit.complaints if "422" not in line]


def test_a_foreign_picture_is_dropped_anywhere_read_taken_over_and_drawn_from(visit: Visit, house: House) -> None:
    page = visit.page
    tell(visit, "dragover", FOREIGN)
    assert page.get_by_text("Drop to read how it was made").is_visible()
    read(visit, lambda: tell(visit, "drop", FOREIGN))
    assert not page.get_by_text("Drop to read how it was made").is_visible()
    assert "ComfyUI" in card(visit).locator("[data-part=about]").inner_text() and card(visit).locator("img").is_visible()
    assert WORDS in group(visit, "read") and "Sampler" not in group(visit, "read")
    assert "DPM++ 3M SDE" in group(visit, "guessed") and "comes nearest" in group(visit, "guessed")
    assert re.search(r"meadow\s+Missing", group(visit, "models"))

    before = values(visit)
    card(visit).get_by_role("button", name="Take over: Sampler").click()
    wait_for(page, lambda: values(visit)["sampler"] == "DPM++ 3M SDE")
    page.wait_for_timeout(300)
    assert changed(before, values(visit)) == {"sampler"} and card(visit).is_visible()
    page.locator(".page-note").get_by_role("button", name="Undo").click()
    wait_for(page, lambda: values(visit) == before)

    card(visit).get_by_role("button", name="Take over all", exact=True).click()
    wait_for(page, lambda: values(visit)["seed"] == str(SEED))
    now = values(visit)
    assert not card(visit).is_visible() and now["checkpoint"] == before["checkpoint"], "a model that is missing stays the form's own"
    assert (now["prompt"], now["negative_prompt"], now["width"], now["height"]) == (WORDS, NEGATIVE, 64, 96)
    visit.generate()
    visit.finished()
    request = house.studio and house.studio.recent(user_of(visit))[0].request
    assert request and (request.words, getattr(request, "sampler", ""), getattr(request, "seed", 0)) == (WORDS, "DPM++ 3M SDE", SEED)


def test_settings_are_pasted_beside_a_field_and_a_prompt_keeps_what_is_pasted_into_it(visit: Visit) -> None:
    page = visit.page
    read(visit, lambda: tell(visit, "paste", text=TEXT))
    assert "AUTOMATIC1111" in card(visit).inner_text() and "4711" in group(visit, "read")
    assert "CodeFormer <b>" in group(visit, "unknown") and card(visit).locator("dd b").count() == 0
    assert not card(visit).locator("[data-part=use]").is_visible(), "a text has no picture to use"
    stops = [page.evaluate("document.activeElement.closest('#reading') !== null") for _ in range(60) if page.keyboard.press("Tab") is None]
    assert all(stops), "the focus stays in the card"
    page.keyboard.press("Escape")
    assert not card(visit).is_visible()

    assert not tell(visit, "paste", text=TEXT, on="#txt2img-prompt textarea"), "the prompt takes it as any text"
    read(visit, page.locator(".page-note").get_by_role("button", name="Read them").click)
    card(visit).get_by_role("button", name="Take over the group: Words").click()
    wait_for(page, lambda: values(visit)["prompt"] == WORDS)
    assert values(visit)["steps"] == 20
    assert not tell(visit, "paste", text="a plain prompt", on="#txt2img-negative_prompt textarea")
    page.keyboard.press("Escape")
    assert not card(visit).is_visible()


def test_what_says_nothing_is_told_in_a_sentence_and_its_picture_can_still_be_used(visit: Visit) -> None:
    page = visit.page
    page.locator("#header [data-part=reading]").click()
    assert page.evaluate("document.activeElement.dataset.part") == "choose"
    read(visit, lambda: tell(visit, "drop", b"\x89PNG\r\n\x1a\nnot a picture"))
    assert "cannot be read as a picture" in card(visit).get_by_role("alert").inner_text()
    assert not card(visit).get_by_role("button", name="Take over all", exact=True).is_visible()
    assert not card(visit).get_by_role("button", name="Use the picture").is_visible()
    page.route("**/reading", lambda route: route.abort())
    tell(visit, "drop", FOREIGN)
    card(visit).get_by_text("The server did not answer").wait_for()
    page.unroute("**/reading")
    read(visit, lambda: tell(visit, "drop", png({}, (64, 96))))
    assert "no settings" in card(visit).get_by_role("alert").inner_text()
    for width, height in ((390, 844), (900, 420), (1280, 720)):
        page.set_viewport_size({"width": width, "height": height})
        card(visit).get_by_role("button", name="Use the picture").click()
        box = card(visit).get_by_role("menu").bounding_box()
        assert box and box["y"] >= 0 and box["y"] + box["height"] <= height, "the menu opens where there is room for it"
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
        page.keyboard.press("Escape")
    card(visit).get_by_role("button", name="Use the picture").click()
    card(visit).get_by_role("menuitem", name="Image to image").click()
    page.wait_for_function("() => inside.page.painted.img2img?.width === 64 && inside.page.painted.img2img.height === 96")
    assert tell(visit, "drop", FOREIGN, on="#tab-img2img .surface-canvas"), "a canvas takes pictures as pictures"
    assert not card(visit).is_visible()
    visit.complaints[:] = [line for line in visit.complaints if "ERR_FAILED" not in line]
    refused(visit)


def test_detailers_of_another_studio_go_into_details_with_the_picture(visit: Visit) -> None:
    page = visit.page
    text = f"{A1111}v1.10.1, ADetailer model: face_yolov8n.pt, ADetailer confidence: 0.45, ADetailer inpaint padding: 48"
    read(visit, lambda: tell(visit, "drop", png({"parameters": text}, (64, 96))))
    card(visit).get_by_role("button", name="Put its detailer into Details").click()
    page.wait_for_function("() => inside.page.painted.details?.width === 64 && inside.page.forms.details?.padding === 48")
    assert [(each["detector"], each["confidence"]) for each in values(visit, "details")["detailers"]] == [("face_yolov8n.pt", 0.45)]
    assert (values(visit, "details")["prompt"], values(visit, "txt2img")["prompt"]) == (WORDS, "")
    page.locator("#tab-details").get_by_text("face_yolov8n.pt (not here)").wait_for(state="attached")


def test_a_folder_is_brought_in_with_progress_stopped_and_gone_on_with(
    visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, album = visit.page, tmp_path / "album"
    album.mkdir()
    for number in range(60):
        (album / f"{number:02}.png").write_bytes(png({"parameters": f"{A1111}{number}"} if number % 2 else {}, (16 + number, 24)))
    look = FileLooker.look
    monkeypatch.setattr(FileLooker, "look", lambda *given: (time.sleep(0.04), look(*given))[1])  # a folder on a slow drive
    page.locator("#header [data-part=reading]").click()
    card(visit).get_by_role("button", name="Bring in a whole folder").click()
    dialog = page.get_by_role("dialog", name="Bring in a folder")
    page.keyboard.type("pictures")
    page.keyboard.press("Enter")
    dialog.get_by_role("alert").get_by_text("There is no such folder").wait_for()
    dialog.get_by_label("Its whole path").fill(str(album))
    page.keyboard.press("Enter")
    dialog.get_by_text(re.compile(r"[1-9]\d* of 60 · ")).wait_for()
    dialog.get_by_role("button", name="Stop: album").click()
    dialog.get_by_text("Stopped", exact=True).wait_for()
    dialog.get_by_role("button", name="Go on: album").click()
    dialog.get_by_text("Brought in", exact=True).wait_for()
    assert "60 of 60 · 30 with settings · 30 without" in dialog.inner_text()
    assert str(tmp_path) not in page.content()
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    refused(visit)


def test_a_picture_is_checked_by_dropping_it_and_its_settings_are_read_from_there(visit: Visit) -> None:
    page, dialog = visit.page, visit.page.locator(".check-dialog")
    page.locator(".masthead [data-part=reading]").click()
    card(visit).get_by_role("button", name="Check a picture").click()
    dialog.get_by_text("Where does a picture come from?").wait_for()
    assert not card(visit).is_visible()

    def check(data: bytes) -> None:
        with page.expect_response("**/check"):
            tell(visit, "drop", data, on=".check-dialog")

    check(b"no picture")
    dialog.get_by_text("cannot be read as a picture").wait_for()
    refused(visit)
    check(FOREIGN)
    dialog.get_by_role("button", name="Read its settings").wait_for()
    assert dialog.locator("[data-part=verdict]").inner_text() == "It has settings of ComfyUI"
    said = dialog.locator("[data-part=found]").inner_text()
    assert WORDS in said and "no label" in said and "no content credential" in said and "cannot be read" not in dialog.inner_text()
    assert dialog.get_by_text("What is missing proves nothing").is_visible()
    read(visit, dialog.get_by_role("button", name="Read its settings").click)
    assert not dialog.is_visible() and "ComfyUI" in card(visit).locator("[data-part=about]").inner_text()
