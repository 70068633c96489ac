"""What the page loads of ours: one script and one style sheet, as files, and the modules in them mean what they mean alone."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import brotli
import httpx
import pytest
from playwright.sync_api import Browser, Page, Route

from tests.support.page_fixtures import House, Visit, browser, house, open_house, visit, wait_for
from ui.parts.scripts import LATER, SCRIPT_ID, first_script, joined, later_script, modules

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]
OURS = re.compile(r"\./static/atelier\.([0-9a-f]{16})\.(js|css)")
GRADIO_S = re.compile(r"/(assets|gradio_api)/|/theme\.css|/iframeResizer|/favicon\.ico")
OWN_REQUESTS = 12  # at a first visit, at most
# Counts the handlers that Gradio watches for changes, and the frames that are asked for.
WATCHED = """window.watched = window.frames_asked = 0;
const frame = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (draw) => (window.frames_asked += 1, frame(draw));
window.Proxy = new Proxy(Proxy, {
  construct(watch, [what, ...how]) {
    if ("targets" in what) window.watched += 1;
    return new watch(what, ...how);
  },
});"""
FRAMES_ASKED = "() => new Promise((done) => (window.frames_asked = 0, setTimeout(() => done(window.frames_asked), 200)))"
FIRST_VISIT = 614_000  # bytes as Chromium counts them, at most, with all that Gradio loads; 86 kB are the two typefaces

# Each export of each module, as it is written; the comments of a joined one have stayed at home, and what its lines are indented by.
SAID = r"""async ([names, joined]) => {
  const [comments, indents] = [/^[ \t]*(?:\/\/.*|\/\*\*[^]*?\*\/)\n/gm, /^[ \t]+/gm];
  const said = (value) => (typeof value === "function" ? String(value).replace(comments, "").replace(indents, "") : JSON.stringify(value));
  const all = joined ? await import("/joined.js") : null;
  const found = {};
  for (const name of names) {
    const module = all?.[name] ?? (await import(`/${name}.js`));
    found[name] = Object.fromEntries(Object.keys(module).sort().map((key) => [key, [typeof module[key], said(module[key])]]));
  }
  return found;
}"""
# Some that are pure, with what they say to some.
ACTS = """async (joined) => {
  const all = joined ? await import("/joined.js") : null;
  const of = async (name) => all?.[name] ?? (await import(`/${name}.js`));
  const [{ reweigh }, { typedNumber }, { weights }] = [await of("weights"), await of("numbers"), await of("unit_plot")];
  const [{ Layer }, { Stroke }, { make }, { size, kind }] = await Promise.all(["layer", "stroke", "dom", "library_card"].map(of));
  const layer = new Layer(40, 30);
  new Stroke(layer, { hardness: 0.5 }).to(12.5, 9, 7);
  return [
    reweigh("a red house", 2, 5, 1), [...layer.bytes], reweigh("(a:1.05)", 3, 3, -1), make("p", { id: "x" }, "one", "").outerHTML,
    weights({ weight: 1, start: 0.2, end: 0.9, curve: "in" }, 9, { in: [0, 0.5, 1] }), size(3e9), kind("text_encoder"),
    typedNumber(make("input", { value: "99.4" }), 1, { high: 20, step: 1, snap: true }),
  ];
}"""


@pytest.fixture
def bare(browser: Browser) -> Generator[Page]:
    """A page of a site that has nothing but the modules, as files of their own and joined."""
    files = modules() | {"joined": joined(modules()), "first": first_script(), "later": later_script()}

    def answer(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        module = files.get(name.removesuffix(".js"))
        route.fulfill(content_type="text/javascript", body=module) if module else route.fulfill(content_type="text/html", body="<body>")

    with closing(browser.new_context()) as window:
        page = window.new_page()
        page.route("**", answer)
        page.goto("http://modules.test/")
        yield page


def test_joined_modules_are_what_they_are_alone(bare: Page) -> None:
    names = sorted(modules())
    alone, together = (bare.evaluate(SAID, [names, whether]) for whether in (False, True))
    assert {name: set(found) for name, found in together.items()} == {name: set(found) for name, found in alone.items()}
    assert together == alone
    assert sum(map(len, alone.values())) > 100


def test_the_second_script_has_the_rest_and_the_very_modules_of_the_first(bare: Page) -> None:
    bare.evaluate(f"""() => document.body.append(Object.assign(document.createElement("i"), {{ id: "{SCRIPT_ID}", src: "/first.js" }}))""")
    first, later, same = bare.evaluate("""async () => {
      const [first, later] = [await import("/first.js"), await import("/later.js")];
      return [Object.keys(first), Object.keys(later), later.preset_form.placed("ink, {prompt}", "behind", 0)];
    }""")
    assert sorted((*first, *later)) == sorted(modules()) and set(later) == set(LATER) and same == "ink"


def test_joined_modules_do_what_they_do_alone(bare: Page) -> None:
    alone, together = (bare.evaluate(ACTS, whether) for whether in (False, True))
    assert together == alone
    assert alone[0] == {"text": "a (red:1.1) house", "start": 3, "end": 6} and any(alone[1])


def test_nothing_of_ours_is_written_into_the_page_or_hung_on_its_window(visit: Visit, house: House) -> None:
    page = httpx.get(house.url).text
    gradio = (Path(pytest.importorskip("gradio").__file__).parent / "templates" / "frontend" / "index.html").read_text("utf-8")
    inline = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>")
    assert len(inline.findall(page)) == len(inline.findall(gradio))
    assert {kind for _, kind in OURS.findall(page)} == {"js", "css"}
    assert visit.page.evaluate("Object.keys(window).filter((name) => /atelier/i.test(name))") == []


def test_files_are_named_by_their_content_and_kept_for_good(house: House) -> None:
    page = httpx.get(house.url).text
    found = OURS.findall(page)
    assert len(found) == 2
    for digest, kind in found:
        path = f"{house.url}static/atelier.{digest}.{kind}"
        plain = httpx.get(path, headers={"Accept-Encoding": "identity"})
        assert hashlib.sha256(plain.content).hexdigest().startswith(digest)
        assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert plain.headers["content-type"].startswith({"js": "text/javascript", "css": "text/css"}[kind])
        assert "content-encoding" not in plain.headers and plain.headers["vary"] == "Accept-Encoding"
        sizes = [len(plain.content)]
        for coding in ("gzip", "br"):
            with httpx.stream("GET", path, headers={"Accept-Encoding": f"{coding};q=0.5, other"}) as answer:
                assert answer.headers["content-encoding"] == coding
                raw = b"".join(answer.iter_raw())
            sizes.append(len(raw))
            assert coding != "br" or brotli.decompress(raw) == plain.content
        assert sizes == sorted(sizes, reverse=True)
        assert httpx.get(path.replace(digest, digest[::-1])).status_code == 404
    assert httpx.get(f"{house.url}static/atelier.js").status_code == 404


def test_a_first_visit_asks_little_of_ours_stays_small_and_is_then_at_rest(house: House, browser: Browser) -> None:
    with closing(browser.new_context()) as window:
        page = window.new_page()
        page.add_init_script(WATCHED)
        wire = page.context.new_cdp_session(page)
        wire.send("Network.enable")
        asked: dict[str, str] = {}
        sizes: Counter[str] = Counter()
        wire.on("Network.requestWillBeSent", lambda told: asked.update({told["requestId"]: told["request"]["url"]}))
        wire.on("Network.loadingFinished", lambda told: sizes.update({told["requestId"]: int(told["encodedDataLength"])}))
        page.goto(house.url)
        page.wait_for_function("() => /\\d+ \\/ \\d+/.test(document.querySelector('[data-part=figure]')?.textContent)")
        page.wait_for_timeout(1000)
        watched = page.evaluate("() => window.watched")
        wait_for(page, lambda: page.evaluate(FRAMES_ASKED) == 0)  # a page that is open and left alone is at rest
    own = [url for url in asked.values() if url.startswith(house.url) and not GRADIO_S.search(url)]
    assert len(OURS.findall(" ".join(f".{url[len(house.url) - 1 :]}" for url in own))) == 2
    assert len(own) <= OWN_REQUESTS, own
    assert sizes.total() <= FIRST_VISIT, sizes.total()
    assert watched == 0
