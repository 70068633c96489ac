"""Pictures of the real page for README and docs: a studio on the starter model, a Chromium in front of it, a WebP for each scene.

    .venv/bin/python -m docs.pictures.make                all of them, about two minutes; `python run.py test` has set up what it needs
    .venv/bin/python -m docs.pictures.make inpaint phone  some

Each scene leaves the page as it is to be seen. It goes by what a person sees and by the ids of the form, and by nothing that scripts keep.
The seeds are settled, so the same code makes the same drawings.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from packages.browsers import chromium_here

HERE = Path(__file__).parent
DESK, PHONE = (1440, 900), (390, 844)  # pixels of the page
QUALITY = 84  # of WebP, 0 to 100: letters stay sharp
PATIENCE = 120_000  # milliseconds: the first job also waits for torch
HOUSES = "a red house on the left and a blue house on the right on grass at sunset, with mountains"
DRAWN = (  # (prompt, seed), all 192 x 128; the last one is the one that is seen
    ("a big pink flower on the left and a yellow flower on the right on grass at dawn, with mountains", 2),
    ("a big orange tower on the right on sand at sunset, with mountains", 4),
    ("a red house and a yellow house in the snow at dawn, with mountains", 1),
    ("a white boat on the left and a red boat on the right on the sea at dawn, with mountains", 4),
    ("a big red house on the left in the snow at night, with mountains", 2),
    (HOUSES, 2),
)


@dataclass(frozen=True)
class Picture:
    """One file: what leads to it, and how the page is looked at. Pixels are those of the page; a phone has two a page pixel."""

    scene: Callable[[Page], None]
    dark: bool = False
    phone: bool = False


# ------------------------------------------------------------------------------------------------ what a person does


def part(page: Page, tab: str, name: str) -> Locator:
    return page.locator(f"#stage [data-part={name}]")


def fill(page: Page, tab: str, **values: object) -> None:
    for name, value in values.items():
        field = page.locator(f"#{tab}-{name} :is(textarea, input)").first
        if not field.is_visible():  # on a phone, in the sheet
            page.locator("button.sheet-more:visible").click()
        field.fill(str(value))
        field.press("Tab")


def draw(page: Page, tab: str, **values: object) -> None:
    """Fills the form, generates, and waits until another picture than before is shown whole."""
    fill(page, tab, **values)
    before = part(page, tab, "picture").get_attribute("src") or "nothing"
    page.locator(f"#{tab}-generate").click()
    expect(part(page, tab, "picture")).not_to_have_attribute("src", before, timeout=PATIENCE)
    expect(part(page, tab, "frame")).to_have_attribute("data-showing", "picture", timeout=PATIENCE)


def open_tab(page: Page, title: str) -> None:
    page.get_by_role("tab", name=title, exact=True).click()
    page.wait_for_timeout(500)


def unfold(page: Page, title: str) -> None:
    page.locator(".form-side:visible").get_by_role("button", name=title).click()
    page.wait_for_timeout(500)


def send(page: Page, to: str) -> None:
    """Sends the houses to another tab."""
    open_tab(page, "Text to image")
    houses = part(page, "txt2img", "strip").locator(f'button[title="{HOUSES}"]').last
    if houses.get_attribute("aria-current") is None:  # a second press would enlarge it
        houses.click()
    part(page, "txt2img", "send").click()
    part(page, "txt2img", f"to-{to}").click()
    page.locator(f"#{to}-generate").wait_for(timeout=PATIENCE)
    page.wait_for_timeout(1500)


ON_CANVAS = """async (tab) => {
  const { page } = await import(document.getElementById("atelier-script").src);
  const { view } = page.canvases[tab];
  const { left, top } = view.canvas.getBoundingClientRect();
  const css = (length) => length / view.dpr;
  const { width, height } = view.picture;
  return [left + css(view.x), top + css(view.y), css(width * view.scale), css(height * view.scale)];
}"""


def paint(page: Page, tab: str, strokes: Iterable[tuple[float, float]]) -> None:
    """A stroke of the brush through places of the picture on the canvas, as shares of its sides."""
    left, top, width, height = page.evaluate(ON_CANVAS, tab)
    places = [(left + x * width, top + y * height) for x, y in strokes]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=12)
    page.mouse.up()


# ------------------------------------------------------------------------------------------------ the scenes


def studio(page: Page) -> None:
    if part(page, "txt2img", "picture").get_attribute("src"):  # drawn for a scene before
        return
    fill(page, "txt2img", width=192, height=128)
    for prompt, seed in DRAWN:
        draw(page, "txt2img", prompt=prompt, seed=seed)


def forming(page: Page) -> None:
    studio(page)
    unfold(page, "Sampling")
    fill(page, "txt2img", prompt=DRAWN[1][0], seed=1, steps=150)
    page.locator("#txt2img-generate").click()
    expect(part(page, "txt2img", "status")).to_have_text(re.compile(r"Step [3-9]\d"), timeout=PATIENCE)


def inpaint(page: Page) -> None:
    studio(page)
    send(page, "inpaint")
    page.locator("#inpaint-image [data-part=size]").fill("176")
    paint(page, "inpaint", [(x, y) for y in (0.55, 0.63, 0.70) for x in (0.40, 0.56)])  # over the house in the middle
    page.locator("#inpaint-area input").click()
    page.get_by_role("option", name="Only masked").click()
    words = "a big green tree in the middle on grass at sunset, with mountains"
    draw(page, "inpaint", width=128, height=128, prompt=words, denoising_strength=1, seed=2)
    page.get_by_role("button", name="Show the original").click()


def outpaint(page: Page) -> None:
    studio(page)
    send(page, "outpaint")
    draw(page, "outpaint", left=64, right=64, seed=3)


def control(page: Page) -> None:
    studio(page)
    send(page, "controlnet")
    page.get_by_label("Preprocessor of unit 1", exact=True).select_option("Canny")
    page.wait_for_timeout(2500)
    draw(page, "controlnet", prompt=HOUSES.replace("on grass at sunset", "in the snow at night"), seed=2)


def depth(page: Page) -> None:
    studio(page)
    send(page, "depth")
    page.get_by_role("button", name="Estimate depth").first.click()
    page.wait_for_timeout(3000)
    draw(page, "depth", prompt=HOUSES.replace("on grass at sunset", "on sand by day"), seed=2)


def regions(page: Page) -> None:
    """Two columns, drawn, and the sheet over what came of them."""
    fill(page, "txt2img", width=192, height=128)
    unfold(page, "Regions")
    rows = page.locator("#txt2img-regions")
    rows.get_by_role("button", name="Two columns").click()
    for place, words in enumerate(("a red house", "a blue tree")):
        rows.locator("textarea").nth(place).fill(words)
    draw(page, "txt2img", prompt="", seed=2, guidance_scale=7.5)
    rows.get_by_role("button", name="Paint regions").last.click()
    page.wait_for_timeout(1500)


def grid(page: Page) -> None:
    """A colour that is replaced across, guidance down, and one cell chosen."""
    fill(page, "txt2img", width=192, height=128, steps=8, prompt="a red house on grass by day", seed=5)
    page.locator(".grid-sign:visible").click()
    room = page.locator(".grid-room")
    for place, (what, values) in enumerate((("Search and replace", "red, blue, yellow, white"), ("Guidance", "1, 4, 9"))):
        axis = room.locator(".grid-axis").nth(place)
        axis.get_by_role("combobox").fill(what)
        axis.get_by_role("option", name=what, exact=True).first.click()
        axis.locator(".grid-values").fill(values)
    room.get_by_role("button", name="Draw the grid").click()
    expect(room.locator(".grid-plan")).to_contain_text("12 of 12", timeout=PATIENCE)
    room.locator(".grid-cell").nth(5).click()
    page.wait_for_timeout(1500)


def video(page: Page) -> None:
    """A boat at dawn, as a clip of which one frame is looked at."""
    draw(page, "txt2img", width=128, height=128, prompt="a red boat on the left on the sea at dawn", seed=4)
    part(page, "txt2img", "send").click()
    part(page, "txt2img", "to-video").click()
    page.locator("#video-generate").wait_for(timeout=PATIENCE)
    draw(page, "video", seed=3)
    page.locator(".clip-frame").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(1000)


def turn(page: Page) -> None:
    """A house, and a sheet of six views from above."""
    open_tab(page, "Turn")
    with page.expect_file_chooser() as chooser:
        page.locator("#turn-image [data-part=open]").click()
    chooser.value.set_files(HERE.parent.parent / "models" / "starter" / "turn" / "house.png")
    page.locator("#turn-dial [data-part=seen]").wait_for()
    fill(page, "turn", azimuth=40, elevation=10, views=6, seed=1)
    page.locator("#turn-generate").click()
    expect(part(page, "turn", "facts")).to_have_text(re.compile("^384 × 256"), timeout=PATIENCE)
    page.wait_for_timeout(1000)


def models(page: Page) -> None:
    studio(page)
    open_tab(page, "Models")
    page.get_by_role("button", name="ink").first.click()
    page.wait_for_timeout(1000)


def phone(page: Page) -> None:
    studio(page)


def library(page: Page) -> None:
    studio(page)
    open_tab(page, "Library")
    page.wait_for_timeout(2500)


def inside(page: Page) -> None:
    studio(page)
    open_tab(page, "Inside")
    page.locator(".inside-tabs").get_by_role("tab", name="Attention").click()
    page.get_by_role("button", name="Draw it once more and watch").click()
    expect(page.locator(".inside-body")).to_contain_text("Drawn once more", timeout=PATIENCE)
    page.locator(".inside-words").get_by_role("button", name="house").first.click()
    page.locator(".inside-frame canvas").click(position={"x": 265, "y": 275})
    expect(page.locator(".inside-bar").first).to_be_visible()


def steps(page: Page) -> None:
    """A branch that is about to be drawn."""
    draw(page, "txt2img", prompt="a red house on the left in the snow at day, with mountains", seed=3)
    if not page.locator(".film:visible").count():  # open from a scene before
        page.locator("#stage [data-part=steps]").click()
    expect(page.locator(".film-cell img")).to_have_count(20)
    page.get_by_role("slider", name="Step").focus()
    for key in ("Home", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    page.get_by_role("button", name="Branch from here").click()
    page.get_by_text("The form was filled anew.").first.wait_for()
    fill(page, "txt2img", prompt="a red house on the left in the snow at night, with mountains")


def lineage(page: Page) -> None:
    """The family of a branch."""
    steps(page)
    shown = page.locator("#stage [data-part=picture]")
    before = shown.get_attribute("src") or ""
    page.get_by_role("button", name="Draw the branch").click()
    expect(shown).not_to_have_attribute("src", before, timeout=PATIENCE)
    page.locator(".inspector [data-part=all]").click()
    page.wait_for_timeout(1500)  # until the form is filled, with the same words
    draw(page, "txt2img", prompt="a blue house on the left in the snow at night, with mountains")
    tidy(page, to_top=False)  # while nothing lies over the notes
    page.locator(".inspector [data-part=lineage]").click()
    expect(page.locator(".lineage-row").nth(2)).to_be_visible()


def people(page: Page) -> None:
    page.get_by_role("button", name="People").click()
    page.get_by_text("Name and bounds").click()
    page.locator("#people").get_by_label("Name", exact=True).fill("The evening class")
    page.get_by_role("button", name="Make a link").click()
    page.get_by_role("button", name="Copy").wait_for()
    page.locator(".masthead .engine:empty").wait_for(state="attached", timeout=120_000)  # it is warm
    page.wait_for_timeout(1000)


PICTURES = {
    "studio-light": Picture(studio),
    "studio-dark": Picture(studio, dark=True),
    "models": Picture(models),
    "library": Picture(library),
    "inpaint": Picture(inpaint),
    "regions": Picture(regions),
    "grid": Picture(grid),
    "control": Picture(control, dark=True),
    "outpaint": Picture(outpaint),
    "depth": Picture(depth, dark=True),
    "video": Picture(video),
    "turn": Picture(turn),
    "forming": Picture(forming),
    "phone": Picture(phone, phone=True),
    "inside": Picture(inside),
    "steps": Picture(steps),
    "lineage": Picture(lineage),
    "people": Picture(people),
}


# ------------------------------------------------------------------------------------------------ the studio and the camera


@contextmanager
def open_studio(outputs: Path) -> Generator[str]:
    """The address of a studio that keeps its pictures in `outputs` and ends with the block."""
    command = [sys.executable, str(HERE.parent.parent / "app.py"), "--port", "0", "--no-browser", "--outputs-dir", str(outputs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            lines = iter(server.stdout or ())
            yield next(found[0] for line in lines if (found := re.search(r"http://\S+", line)))
        finally:
            server.terminate()


@contextmanager
def open_page(browser: Browser, address: str, is_phone: bool) -> Generator[Page]:
    width, height = PHONE if is_phone else DESK
    scale = 2 if is_phone else 1
    size = {"width": width, "height": height}
    with browser.new_context(viewport=size, device_scale_factor=scale, is_mobile=is_phone, has_touch=is_phone) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(address)
        expect(page.get_by_text(re.compile(r"^\d+ / \d+$")).first).to_be_attached(timeout=PATIENCE)
        page.wait_for_timeout(1000)
        yield page


def photograph(page: Page, picture: Picture, file: Path) -> None:
    page.emulate_media(color_scheme="dark" if picture.dark else "light")
    open_tab(page, "Text to image")
    picture.scene(page)
    tidy(page, to_top=not picture.phone)
    image = Image.open(io.BytesIO(page.screenshot()))
    image.convert("RGB").save(file, "WEBP", quality=QUALITY, method=6)
    print(f"{file.name}: {image.width} x {image.height}, {file.stat().st_size // 1000} kB", flush=True)


def tidy(page: Page, to_top: bool) -> None:
    """Nothing pops up, nothing is pointed at, and a large page stands at its beginning."""
    for close in page.get_by_role("button", name="Close this note").all():
        close.click()
    page.mouse.move(0, 0)
    page.evaluate("top => { document.activeElement?.blur(); if (top) scrollTo(0, 0); }", to_top)
    page.wait_for_timeout(700)


def make(names: list[str]) -> None:
    chromium = chromium_here()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, open_studio(Path(folder)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for is_phone in (False, True):
            with open_page(browser, address, is_phone) as page:
                for name in [name for name in names if PICTURES[name].phone == is_phone]:
                    photograph(page, PICTURES[name], HERE / f"{name}.webp")
        browser.close()
    print(f"{time.monotonic() - start:.0f} seconds; all pictures: {sum(file.stat().st_size for file in HERE.glob('*.webp')) // 1000} kB")


if __name__ == "__main__":
    unknown = set(sys.argv[1:]) - set(PICTURES)
    if unknown:
        sys.exit(f"There is no picture called {', '.join(sorted(unknown))}. There are {', '.join(PICTURES)}.")
    make(sys.argv[1:] or list(PICTURES))
