"""A short round through the studio in any browser. A module of tests imports these and gives them its `driven`."""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from io import BytesIO

import pytest
from PIL import Image

from pipelines import Inpaint
from tests.support.other_browsers import Driven, until
from tests.support.page_fixtures import House

# Where things are on the page.
STAGE = "#stage"
FRAME, STATUS, PICTURE = f"{STAGE} [data-part=frame]", f"{STAGE} [data-part=status]", f"{STAGE} [data-part=picture]"
CANVAS, FILE = "#inpaint-image [data-part=canvas]", "#inpaint-image [data-part=file]"
TAB = "[role=tab]"

PLACE = """(selector, words) => {
  const named = (element) => !words || element.textContent.trim() === words;
  const found = [...document.querySelectorAll(selector)].find((element) => element.checkVisibility() && named(element));
  if (!found) return null;
  found.scrollIntoView({ block: "nearest", behavior: "instant" });
  const { left, top, width, height } = found.getBoundingClientRect();
  return { left, top, width, height };
}"""
READ = "(selector, name) => { const found = document.querySelector(selector); return found && (found[name] ?? found.getAttribute(name)); }"
SETTLED = """async () => {
  const script = document.getElementById("atelier-script");
  if (!script || !/\\d+ \\/ \\d+/.test(document.querySelector("[data-part=figure]")?.textContent)) return false;
  window.inside ??= await import(script.src);
  return Boolean(window.inside.page.forms.txt2img);
}"""
# Gradio gives new components their values once more soon after they are seen: until the page has been idle for a while.
REST = """async () => {
  for (let quiet = 0, turn = 0; quiet < 4 && turn < 60; turn += 1) {
    const before = performance.now();
    await new Promise((done) => setTimeout(done, 50));
    quiet = performance.now() - before < 75 ? quiet + 1 : 0;
  }
}"""
FORGET = """async () => {
  localStorage.clear();
  sessionStorage.clear();
  const gone = (name) => new Promise((done) => Object.assign(indexedDB.deleteDatabase(name), { onsuccess: done, onerror: done }));
  await Promise.all((await indexedDB.databases()).map(({ name }) => gone(name)));
}"""
PUT = """(selector, text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], "picture.png", { type: "image/png" }));
  const input = document.querySelector(selector);
  input.files = carried.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}"""
LOADED = "(selector) => document.querySelector(selector).naturalWidth > 1"
OPENED = """async () => {
  const opened = () => Boolean(inside.page.forms.inpaint?.image && inside.page.canvases.inpaint?.layer);
  const pause = () => new Promise((done) => setTimeout(done, 100));
  for (let turn = 0; turn < 200 && !opened(); turn += 1) await pause();
  return opened();
}"""
ON_PICTURE = """(x, y) => {
  const { canvas, picture, dpr, scale, ...corner } = inside.page.canvases.inpaint.view;
  const { left, top } = canvas.getBoundingClientRect();
  return [left + (corner.x + x * picture.width * scale) / dpr, top + (corner.y + y * picture.height * scale) / dpr];
}"""
PAINTED = "() => !inside.page.canvases.inpaint.view.painting && inside.page.canvases.inpaint.layer.bounds()"


@dataclass
class Guest:
    """A person in front of a browser."""

    driven: Driven
    house: House

    def go(self) -> None:
        self.driven.go(self.house.url)
        until(lambda: self.driven.js(SETTLED))
        self.driven.js(REST)

    def read(self, selector: str, name: str) -> str:
        return self.driven.js(READ, selector, name) or ""

    def place(self, selector: str, words: str = "") -> dict[str, float]:
        """Where something is seen and stays, in CSS pixels of the window."""
        places: list[dict[str, float] | None] = [None, None]
        until(lambda: places.append(self.driven.js(PLACE, selector, words)) or (places[-1] and places[-1] == places[-2]))
        return places[-1] or {}

    def click(self, selector: str, words: str = "") -> None:
        box = self.place(selector, words)
        self.driven.click(box["left"] + box["width"] / 2, box["top"] + box["height"] / 2)

    def open_tab(self, name: str, seen: str) -> None:
        """Opens a tab by its name, until something in it is seen and it is at rest."""
        self.click(TAB, name)
        self.place(seen)
        self.driven.js(REST)

    def draw(self, kind: str, prompt: str) -> None:
        self.click(f"#{kind}-prompt textarea")
        self.driven.type(prompt)
        until(lambda: self.read(f"#{kind}-prompt textarea", "value") == prompt)
        self.click(f"#{kind}-generate")

    def put(self, image: Image.Image) -> None:
        """Opens a picture on the canvas of Inpaint."""
        stream = BytesIO()
        image.save(stream, "png")
        text = base64.b64encode(stream.getvalue()).decode()
        self.driven.js(PUT, FILE, text)
        assert self.driven.js(OPENED)

    def stroke(self, *across: float) -> None:
        """A level stroke through the middle of the picture on the canvas, by parts of its width."""
        self.place(CANVAS)
        until(lambda: self.is_still(0.5, 0.5))
        self.driven.drag(*(tuple(self.driven.js(ON_PICTURE, part, 0.5)) for part in across))
        until(lambda: self.driven.js(PAINTED))  # WebKit answers before the page has heard of all moves

    def is_still(self, across: float, down: float) -> bool:
        """Whether a place of the picture stays where it is on the screen for a second: the canvas is fitted anew when the room around it
        changes, as when pictures of before come into the strip.
        """
        before = self.driven.js(ON_PICTURE, across, down)
        for _ in range(5):
            time.sleep(0.2)
            if self.driven.js(ON_PICTURE, across, down) != before:
                return False
        return True

    def step(self) -> int:
        shown = re.match(r"Step (\d+)", self.read(STATUS, "textContent"))
        return int(shown[1]) if shown else 0

    def finished(self, before: str) -> None:
        """Until another picture than before is seen."""
        until(lambda: self.read(FRAME, "data-showing") == "picture" and self.read(PICTURE, "src") != before)
        until(lambda: self.driven.js(LOADED, PICTURE))


@pytest.fixture
def guest(driven: Driven, house: House) -> Generator[Guest]:
    """One who comes for the first time, and whose page must never complain."""
    driven.go(f"{house.url}healthz")  # behind the last page, which writes in its last moment
    driven.js(FORGET)
    left = len(driven.complaints())  # a page that is left in the middle of an answer says so
    guest = Guest(driven, house)
    guest.go()
    yield guest
    assert driven.complaints()[left:] == []


def test_what_is_typed_is_drawn_and_seen(guest: Guest) -> None:
    before = guest.read(PICTURE, "src")
    guest.draw("txt2img", "a red house, at night")
    guest.finished(before)
    assert guest.house.runner.drawn[-1].prompt == "a red house, at night"


def test_a_page_that_is_loaded_again_in_mid_job_follows_the_job_on(guest: Guest) -> None:
    gate = guest.house.runner.gate = threading.Semaphore(0)
    before = guest.read(PICTURE, "src")
    guest.draw("txt2img", "a ball")
    gate.release(5)
    until(lambda: guest.step() >= 5)
    guest.go()
    until(lambda: guest.step() >= 5)
    gate.release(3)
    until(lambda: guest.step() >= 8)
    gate.release(12)
    guest.finished(before)


def test_a_stroke_of_the_pointer_is_the_mask_of_the_job(guest: Guest) -> None:
    guest.open_tab("Inpaint", CANVAS)
    guest.put(Image.new("RGB", (512, 384), "teal"))
    guest.stroke(0.4, 0.5, 0.6)
    guest.draw("inpaint", "a car")
    request = until(lambda: next((one for one in guest.house.runner.drawn if isinstance(one, Inpaint)), None))
    assert guest.house.studio
    painted = guest.house.studio.uploads.inputs.open(request.mask).convert("L").getbbox()
    assert painted
    left, top, right, bottom = painted
    assert abs((left + right) / 2 - 512 / 2) < 8 and abs((top + bottom) / 2 - 384 / 2) < 8
    assert right - left > 1.5 * (bottom - top)
