"""The door against a real Chromium (cases H13, H19, H21, H22): pages of another site, and text that would like to be markup."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.doors import PASSWORD, RunningDoor

pytest_plugins = ("tests.support.door_fixtures",)
pytestmark = pytest.mark.browser

MARKUP = (
    "<img src=x onerror=\"window.__xss=1;fetch('http://evil.test:{evil}/beacon')\">",
    "<svg onload=window.__xss=1><image href=http://evil.test:{evil}/beacon></svg>",
    "<script>window.__xss=1</script>",
    '<iframe srcdoc="<script>parent.__xss=1</script>"></iframe>',
    '<a id=trap href="javascript:window.__xss=1">click</a>',
    "<style>*{{background:url(http://evil.test:{evil}/beacon)}}</style>",
    "<math><mtext></form><form><mglyph><style></math><img src=x onerror=window.__xss=1>",
    "</textarea></script><script>window.__xss=1</script>",
    "[link](javascript:window.__xss=1) ![i](http://evil.test:{evil}/beacon)",
    "data:text/html,<script>window.__xss=1</script>",
    "${{window.__xss=1}} {{{{constructor.constructor('window.__xss=1')()}}}} #{{window.__xss=1}}",
    "\u202e<\u200bimg src=x onerror=window.__xss=1>\u2028<body onload=window.__xss=1>",
)


class EvilSite:
    """Serves whatever page a test wrote, under any name, and notes what it was asked for."""

    def __init__(self) -> None:
        site = self
        self.page = ""
        self.asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(site.page.encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def evil() -> Iterator[EvilSite]:
    site = EvilSite()
    yield site
    site.server.shutdown()
    site.server.server_close()


@pytest.fixture(scope="module")
def window(chromium: Any) -> Iterator[Any]:
    """One for all tests, so that the scripts of the page are fetched once."""
    context = chromium.new_context()
    yield context
    context.close()


@pytest.fixture
def tab(window: Any) -> Iterator[Any]:
    """Of somebody who was not here before."""
    yield window.new_page()
    for page in window.pages:
        for frame in page.frames:
            frame.evaluate("() => { try { localStorage.clear(); sessionStorage.clear() } catch { /* none here */ } }")
        page.close()
    window.clear_cookies()


def cookie(letter: str, **more: str) -> dict[str, str]:
    pairs = {"atelier_user": letter * 22} | more
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in pairs.items())}


def be(tab: Any, door: RunningDoor, letter: str) -> dict[str, str]:
    """Makes the tab a user of its own, and returns that user's cookie for plain requests."""
    tab.context.add_cookies([{"name": "atelier_user", "value": letter * 22, "url": door.url}])
    return cookie(letter)


@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
def test_h13_text_is_never_markup_on_the_real_page(studio_door: RunningDoor, tab: Any, evil: EvilSite, field: str) -> None:
    me = be(tab, studio_door, "x" if field == "prompt" else "y")
    for text in MARKUP:
        outcome, said = studio_door.run({field: text.format(evil=evil.port), "steps": 1, "width": 64, "height": 64}, me)
        assert outcome == "complete"
        studio_door.finish(said[0], me)
    evil.asked.clear()
    tab.goto(studio_door.url)
    tab.wait_for_selector("#txt2img-prompt textarea")
    tab.locator("#txt2img-prompt textarea").fill("\n".join(MARKUP).format(evil=evil.port))
    tab.wait_for_timeout(1500)
    for _ in range(3):
        tab.keyboard.press("Tab")
    assert unharmed(tab, evil)


def test_h13_text_in_the_address_and_the_error_stays_text(studio_door: RunningDoor, tab: Any, evil: EvilSite) -> None:
    evil.asked.clear()
    texts = [quote(text.format(evil=evil.port)) for text in MARKUP]
    for path in (
        f"/?prompt={texts[0]}&__theme={texts[1]}",
        f"/?view={texts[2]}#{texts[0]}",
        f"/picture/{texts[3]}.png",
        f"/live/{texts[0]}?after={texts[1]}",
    ):
        tab.goto(studio_door.url + path)
        tab.wait_for_timeout(200)
        assert unharmed(tab, evil)


def test_h13_even_raw_html_runs_no_attribute_and_calls_nobody(example_door: RunningDoor, tab: Any, evil: EvilSite) -> None:
    evil.asked.clear()
    tab.goto(example_door.url)
    tab.wait_for_selector("#raw")
    for text in MARKUP:
        tab.evaluate("text => { document.querySelector('#raw').innerHTML = text }", text.format(evil=evil.port))
        tab.wait_for_timeout(60)
        if "trap" in text:
            tab.locator("#trap").click()
    assert tab.evaluate("window.__xss") is None
    assert not [path for path in evil.asked if "beacon" in path]


def unharmed(tab: Any, evil: EvilSite) -> bool:
    """No script of the text ran, no element took an event attribute from it, nobody was called."""
    assert tab.evaluate("window.__xss") is None
    attributes = "[...document.querySelectorAll('*')].flatMap(element => [...element.attributes])"
    live = "/^on|^srcdoc$/i.test(attribute.name) || /^\\s*javascript:/i.test(attribute.value)"
    assert tab.evaluate(f"{attributes}.filter(attribute => {live}).map(attribute => attribute.name)") == []
    assert not [path for path in evil.asked if "beacon" in path]
    return True


ATTACK = (Path(__file__).parent / "attack.js").read_text(encoding="utf-8")


def attack_page(target: str) -> str:
    return f"<!doctype html><body><iframe name=frame></iframe><script>const target = '{target}';\n{ATTACK}</script>"


def attack(tab: Any, evil: EvilSite, page: str, target: str) -> list[Any]:
    """Lets a page of another site try everything against `target`. Returns what it could read."""
    evil.page = attack_page(target)
    tab.goto(page)
    tab.wait_for_function("window.results !== undefined", timeout=30_000)
    return [result for result in tab.evaluate("window.results") if result[3]]


def traces(door: RunningDoor) -> list[str]:
    """What an attack would leave: uploads and jobs."""
    saved = [path.name for path in (door.folder / "outputs").rglob("*.png")]
    return sorted(saved + [path.name for path in door.uploads.rglob("*")])


@pytest.mark.parametrize("name", ["127.0.0.1", "lan.test"])
def test_h19_a_page_of_another_site_starts_and_reads_nothing(locked_door: RunningDoor, tab: Any, evil: EvilSite, name: str) -> None:
    target = f"http://{name}:{locked_door.port}"
    before = traces(locked_door)
    assert attack(tab, evil, f"http://evil.test:{evil.port}/", target) == []
    log_in(tab, target)
    assert attack(tab, evil, f"http://evil.test:{evil.port}/", target) == []
    assert traces(locked_door) == before
    tab.goto(target)
    assert tab.url == f"{target}/"  # still logged in: nobody logged us out
    locked_door.check()


def log_in(tab: Any, target: str) -> None:
    tab.goto(target)
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Enter").click()
    tab.wait_for_selector("#echo")


def test_h19_a_neighbour_on_another_port_of_this_machine_is_another_site(example_door: RunningDoor, tab: Any, evil: EvilSite) -> None:
    before = traces(example_door)
    be(tab, example_door, "z")
    assert attack(tab, evil, f"http://127.0.0.1:{evil.port}/", example_door.url) == []
    assert traces(example_door) == before


def test_h20_a_page_without_an_origin_starts_nothing(example_door: RunningDoor, tab: Any, evil: EvilSite) -> None:
    before = traces(example_door)
    evil.page = f"<!doctype html><iframe sandbox='allow-scripts allow-forms' srcdoc='{escape(attack_page(example_door.url))}'></iframe>"
    tab.goto(f"http://evil.test:{evil.port}/")
    tab.wait_for_timeout(1500)
    assert traces(example_door) == before


def test_h21_a_name_that_was_pointed_here_gets_nothing(example_door: RunningDoor, tab: Any) -> None:
    answer = tab.goto(f"http://rebind.test:{example_door.port}/config")
    assert answer.status == 421
    assert "components" not in tab.content()
    post = "{method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'}"
    told = tab.evaluate(f"fetch('/gradio_api/call/echo', {post}).then(answer => answer.status)")
    assert told == 421


# A browser says where a request comes from only to names it trusts, loopback among them; lan.test is framed without a word.
@pytest.mark.parametrize("name", ["127.0.0.1", "lan.test"])
def test_h22_no_page_of_ours_shows_inside_another(example_door: RunningDoor, tab: Any, evil: EvilSite, name: str) -> None:
    for path in ("/", "/login", "/healthz"):
        url = f"http://{name}:{example_door.port}{path}"
        evil.page = f"<!doctype html><iframe src='{url}'></iframe><object data='{url}'></object><embed src='{url}'>"
        tab.goto(f"http://evil.test:{evil.port}/")
        tab.wait_for_timeout(400)
        for frame in tab.frames[1:]:
            assert not frame.url.startswith(f"http://{name}") or frame.locator("body").inner_text(timeout=1000) == ""


def test_the_page_works_under_the_policy_without_a_complaint(example_door: RunningDoor, tab: Any) -> None:
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(example_door.url)
    tab.locator("#text textarea").fill("hello")
    tab.locator("#echo").click()
    tab.wait_for_function("document.querySelector('#output textarea').value === 'hello'")
    tab.locator("#picture input[type=file]").set_input_files({"name": "a.gif", "mimeType": "image/gif", "buffer": GIF})
    tab.wait_for_function("document.querySelector('#picture img')?.naturalWidth === 1")
    tab.locator("#show").click()
    tab.wait_for_function("document.querySelector('#output textarea').value.endsWith('a.gif')")
    assert tab.evaluate("window.server.served('x')").endswith(" x")
    assert complaints == []
    assert not [url for url in asked if not url.startswith((example_door.url, "data:", "blob:"))]


GIF = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"


def test_a_link_from_another_site_finds_the_same_user_again(example_door: RunningDoor, tab: Any, evil: EvilSite) -> None:
    tab.goto(example_door.url)
    tab.wait_for_selector("#echo")
    before = user_cookie(tab)
    evil.page = f"<!doctype html><a href='{example_door.url}/'>to the studio</a>"
    tab.goto(f"http://evil.test:{evil.port}/")
    tab.get_by_text("to the studio").click()
    tab.wait_for_selector("#echo")
    assert user_cookie(tab) == before
    assert tab.evaluate("document.cookie") == ""


def user_cookie(tab: Any) -> str:
    return next(entry["value"] for entry in tab.context.cookies() if entry["name"] == "atelier_user")
