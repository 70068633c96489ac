"""Prompts while the studio draws: how long a key takes to its frame in the real page, and how long bad prompts keep the studio.

A key is pressed in a prompt of 2,000 characters and in an empty one while the starter draws job after job; the time is from the key to the
end of the frame that shows it, so it holds the wait for the screen. Bad prompts go to the route that reads one for its tokens, one after
another, while /healthz is asked every 50 ms.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, sync_playwright

from bench.paired import NotHere, Row
from bench.served import Person, Served
from bench.soak import PRELOAD
from packages.browsers import chromium_here
from pipelines.requests.request import TextToImage, describe
from tests.support.one_chromium import SWITCHES

FRAME = 0.033  # seconds that a key may take
ANSWER = 0.25  # seconds that a bad prompt may take, and that /healthz may be late
LONG = 2_000  # characters
EACH = "a (red:1.2) house, [day:night:0.5], {snow|grass}, ~~rain~~, "
KEYS = 40  # of each turn
CIRCLE = 10_000  # wildcards, each of which names the next
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
# From a key to the frame that shows it.
WATCH = """(selector) => {
  const field = document.querySelector(selector);
  window.late = [];
  field.addEventListener("keydown", () => {
    const pressed = performance.now();
    requestAnimationFrame(() => setTimeout(() => window.late.push((performance.now() - pressed) / 1000)));
  });
  field.focus();
}"""


def measure(rounds: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "models" / "wildcards").mkdir(parents=True)
        lines = "".join(f"w{place}: [__w{(place + 1) % CIRCLE}__]\n" for place in range(CIRCLE))
        (folder / "models" / "wildcards" / "circle.yaml").write_text(lines, "utf-8")
        (folder / "models" / "wildcards" / "bomb.yaml").write_text(BOMB, "utf-8")
        served = Served(folder / "outputs", preload=PRELOAD, more=["--models-dir", str(folder / "models")])
        person = Person(served.url)
        try:
            person.finish(person.submit())  # torch and the starter are there
            bad = list(bad_prompts(served.url, person))
            return [*typed(served.url, person, min(rounds, 5)), *bad]
        finally:
            person.close()
            served.kill()


# ---- typing ----------------------------------------------------------------------------------------------------------------------


def typed(url: str, person: Person, rounds: int) -> list[Row]:
    chromium = chromium_here()
    if not chromium:
        raise NotHere("it needs Chromium; the variable CHROMIUM names one")
    with sync_playwright() as playwright, drawing(person):
        page = playwright.chromium.launch(executable_path=chromium, args=list(SWITCHES)).new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        page.wait_for_selector("#txt2img-prompt textarea", timeout=120_000)
        page.evaluate(WATCH, "#txt2img-prompt textarea")
        found = {
            name: [keys(page, text) for _ in range(rounds)] for name, text in (("long", EACH * (LONG // len(EACH) + 1)), ("empty", ""))
        }
    every = {name: sorted(late for turn in turns for late in turn) for name, turns in found.items()}
    middles = {name: [statistics.median(turn) for turn in turns] for name, turns in found.items()}
    late, empty = (every[name][int(0.95 * len(every[name]))] for name in ("long", "empty"))
    middle = statistics.median(every["long"])
    return [
        Row(f"key to frame, {LONG:,} characters, median / 33 ms", [each / FRAME for each in middles["long"]], 1.0, middle),
        Row(f"key to frame, {LONG:,} characters, 95th percentile / 33 ms", [late / FRAME], 1.0, late),
        Row("median / that of an empty field", [a / b for a, b in zip(middles["long"], middles["empty"], strict=True)], None, middle),
        Row("95th percentile / that of an empty field", [late / empty], None, late),
    ]


def keys(page: Page, text: str) -> list[float]:
    """Seconds of each key that is pressed in a field that holds this text."""
    page.locator("#txt2img-prompt textarea").fill(text[:LONG])
    page.wait_for_timeout(1500)  # it is read, and its colours are there
    page.locator("#txt2img-prompt textarea").press("End")
    page.evaluate("() => { window.late = []; }")
    for number in range(KEYS):
        page.keyboard.press("abcde, "[number % 7])
        page.wait_for_timeout(60)
    return page.evaluate("() => window.late")


@contextmanager
def drawing(person: Person) -> Generator[None]:
    """The studio draws all the while."""
    over = threading.Event()

    def on_and_on() -> None:
        while not over.is_set():
            person.finish(person.submit(steps=20, width=256, height=256))

    thread = threading.Thread(target=on_and_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(60)


# ---- bad prompts -----------------------------------------------------------------------------------------------------------------

BAD = {
    "100,000 brackets": "[" * 100_000,
    "brackets in brackets": "([" * 50_000,
    "wildcards in a circle": "a __w0__",
    "a YAML bomb": "__i__ and __a__",
    "tags of 190 letters": f"<lora:{'x' * 190}:1>" * 500,
    "from right to left": "שלום (עולם:1.3) [א:ב:0.5] {ג|ד} " * 300,
    "joined emoji": "👩\u200d👩\u200d👧\u200d👦" * 14_000,
    "unclosed choices": "{a|" * 30_000,
    "changes that only some end": "[a:" * 33_000 + "]" * 1_000,
    "turns that only some end": "[a|" * 33_000 + "]" * 1_000,
}


def bad_prompts(url: str, person: Person) -> Iterator[Row]:
    """The longest of three, and how late /healthz was meanwhile. Every answer is read tokens or a sentence."""
    late: list[float] = []
    with asked_always(url, late):
        for name, text in BAD.items():
            seconds = [answered(url, person, text) for _ in range(3)][1:]  # the first may read files
            yield Row(f"{name} / 250 ms", [each / ANSWER for each in seconds], 1.0, max(seconds))
    yield Row("/healthz, the latest answer meanwhile / 250 ms", [max(late) / ANSWER], 1.0, max(late))


def answered(url: str, person: Person, text: str) -> float:
    values: dict[str, Any] = {**describe(TextToImage()), "prompt": text}
    del values["kind"]
    asked = {"kind": "txt2img", "field": "prompt", "values": values}
    begun = time.perf_counter()
    answer = httpx.post(f"{url}/tokens", json=asked, timeout=30, trust_env=False, cookies={"atelier_user": person.name})
    took = time.perf_counter() - begun
    told = answer.json()
    if not (answer.status_code == 200 and told["chunks"]) and not (answer.status_code == 422 and told["message"].endswith((".", "”"))):
        raise RuntimeError(f"no sentence: {answer.status_code} {answer.text[:200]}")
    return took


@contextmanager
def asked_always(url: str, late: list[float]) -> Generator[None]:
    """/healthz every 50 ms."""
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
            while not over.wait(0.05):
                begun = time.perf_counter()
                http.get("/healthz").raise_for_status()
                late.append(time.perf_counter() - begun)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)
