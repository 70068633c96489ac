"""The Video tab in a real browser: a picture in, a clip that forms, its frames one by one, on into other tabs, and in the library."""

from __future__ import annotations

import json
import threading
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, expect

from pipelines.images.clip_file import frames_in
from tests.support.drawing import blots
from tests.support.page_fixtures import House, Visit, browser, house, house_with, visit, wait_for

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]
open_house = house_with("video", "img2img", "gallery")
FRAMES = 4


def file_of(image: Image.Image) -> FilePayload:
    stream = BytesIO()
    image.save(stream, "png")
    return FilePayload(name="blots.png", mimeType="image/png", buffer=stream.getvalue())


def put_model(house: House) -> None:
    folder = house.models / "checkpoints" / "svd_xt"
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableVideoDiffusionPipeline"}))
    (folder / "unet" / "config.json").write_text(json.dumps({"num_frames": 25}))
    assert house.studio
    house.studio.library.rescan()


def plan(visit: Visit) -> str:
    return visit.page.locator("#video-plan").inner_text()


def test_a_clip_is_made_looked_at_sent_on_and_found_again(house: House, visit: Visit) -> None:
    page, gate = visit.page, threading.Semaphore(0)
    visit.open_tab("Video")
    wait_for(page, lambda: "There is no video model yet" in plan(visit))
    put_model(house)
    wait_for(page, lambda: "25 frames of 1,024 × 576, 3.6 seconds at 7 a second." in plan(visit))
    with page.expect_file_chooser() as chooser:
        page.locator("#video-image [data-part=drop]").click()
    chooser.value.set_files([file_of(blots((64, 128)))])
    wait_for(page, lambda: "576 × 1,024" in plan(visit))  # it stands, and so does the clip
    for name, value in (("frames", FRAMES), ("width", 128), ("height", 64), ("seed", 7)):
        page.locator(f"#video-{name} :is(input, textarea)").first.fill(str(value))
        page.keyboard.press("Tab")
    wait_for(page, lambda: "4 frames of 128 × 64" in plan(visit) and "the middle is used" in plan(visit))
    house.runner.gate = gate
    page.locator("#video-generate").click()
    gate.release()
    expect(page.locator(".clip-strip")).to_be_visible()
    before = visit.part("preview").get_attribute("src")
    page.wait_for_function("before => document.querySelector('#stage [data-part=preview]').src !== before", arg=before)  # it plays
    for _ in range(40):
        gate.release()
    house.runner.gate = None
    visit.finished()
    expect(page.locator(".clip-strip")).to_be_hidden()
    assert house.studio
    [row] = house.studio.book._all("select id from picture order by number desc limit 1", ())
    record = house.studio.picture(row["id"])
    assert record
    frames = [np.asarray(frame) for frame in frames_in(record.path, 7)]
    assert record.path.suffix == ".webp" and len(frames) == FRAMES
    page.locator(".clip-frame").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".clip-figure")).to_have_text("3 / 4")
    page.get_by_role("button", name="Send this frame to").click()
    page.locator(".clip-frames .menu").get_by_role("button", name="Image to image").click()
    page.wait_for_function("() => inside.page.open.tab === 'img2img' && inside.page.forms.img2img.image")
    sent = page.evaluate("() => inside.page.forms.img2img.image")
    np.testing.assert_array_equal(np.asarray(house.studio.uploads.inputs.open(sent)), frames[2])
    page.get_by_role("button", name="Go on from the last frame").click()
    page.wait_for_function("sent => inside.page.open.tab === 'video' && inside.page.forms.video.image !== sent", arg=sent)
    last = page.evaluate("() => inside.page.forms.video.image")
    wait_for(page, lambda: (np.asarray(house.studio.uploads.inputs.open(last)) == frames[-1]).all() if house.studio else False)
    visit.open_tab("Library")
    square = page.locator(".tile.clip").first
    expect(square.locator(".tile-length")).to_have_text("0.6 s")
    square.hover()
    expect(square.locator(".tile-moving")).to_be_visible()
    page.mouse.move(2, 2)
    expect(square.locator(".tile-moving")).to_have_count(0)
