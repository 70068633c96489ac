"""Twelve people in browsers of their own at one shared board: who is here, what forms, after how long a picture has come to whom, and what
each role is offered and refused.

    python -m bench.soak --people 12 --kills 0 --jobs 0 --watches 0 --clients 0

Real Chromium contexts on the real studio with its starter model: one owner, and the others by links of each role in turn. `--pictures`
takes pictures of what they see.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.served import Served
from packages.browsers import chromium_here
from pipelines.people.roles import RANK, Role
from tests.support.one_chromium import SWITCHES

PATIENCE = 120_000  # milliseconds for one thing to show
SOON = 8000  # milliseconds; twelve browsers share the cores of the studio, so most of it is theirs. `bench together` has the studio's own
ROUND: tuple[Role, ...] = ("artist", "commenter", "viewer", "co-owner")  # after the owner
NAMES = ("Ada", "Ben", "Cora", "Dee", "Eli", "Fay", "Gus", "Hal", "Ivy", "Jo", "Kim", "Lou", "Mia", "Ned", "Ona", "Pip")
# In the page: when which picture was first there, and how many previews of others were seen.
WATCHING = """() => {
  const seen = (window.seen = { came: {}, previews: new Set(), of: new Set() });
  const look = () => {
    for (const tile of document.querySelectorAll("#gallery .tile[data-picture]")) seen.came[tile.dataset.picture] ??= Date.now();
    for (const image of document.querySelectorAll("#gallery [data-part=drawing] img[src^='data:']"))
      if (!seen.previews.has(image.src)) (seen.previews.add(image.src), seen.of.add(image.closest("li").querySelector("b").textContent));
  };
  new MutationObserver(look).observe(document.querySelector("#gallery"), { subtree: true, childList: true, attributes: true });
  look();
}"""
COUNTED = """(all) => document.querySelectorAll("#gallery [data-part=here] :is([data-seat], [data-you])").length === all"""
ASKS = """async ([path, body]) => (await fetch(path, body === null ? {} : {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).status"""
TELLS = "async (path) => (await fetch(path)).json()"


@dataclass
class Somebody:
    """One of them. `page`: theirs."""

    name: str
    role: Role
    page: Any  # Any: Playwright's Page, which is imported only when it is there
    wrong: list[str] = field(default_factory=list[str])
    delays: list[float] = field(default_factory=list[float])  # milliseconds

    def part(self, name: str) -> Any:  # Any: Playwright's Locator
        return self.page.locator(f"#gallery [data-part={name}]")

    def may(self, least: Role) -> bool:
        return RANK[self.role] >= RANK[least]

    def posts(self, path: str, body: dict[str, Any]) -> int:
        return self.page.evaluate(ASKS, [path, body])

    def check(self, what: str, found: bool, expected: bool) -> None:
        if found != expected:
            self.wrong.append(f"{self.name} ({self.role}): {what} is {found}, not {expected}")


def people(server: Served, password: str, count: int, pictures: str) -> list[str]:
    """What of it was not as it should be."""
    program = chromium_here()
    if not program:
        return ["there is no Chromium here, so nobody came to the board"]
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=SWITCHES)
        owner = _owner(browser, server.url, password)
        everybody = [owner, *_guests(browser, owner, count - 1)]
        _is_here(everybody)
        drawn = [picture for each in everybody if each.may("artist") for picture in _draws(each, everybody)]
        wrong = _told(everybody, drawn)
        for each in everybody:
            _offered(each, drawn[0])
            wrong += each.wrong
        if pictures:
            for each in everybody:
                each.page.screenshot(path=f"{pictures}/{each.name}_{each.role}.png")
        browser.close()
    return wrong


def _window(browser: Any, width: int = 1440, height: int = 900) -> Any:  # Any: of Playwright
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    page.set_default_timeout(PATIENCE)
    return page


def _owner(browser: Any, url: str, password: str) -> Somebody:  # Any: of Playwright
    """Has made a board, shared it, and draws onto it."""
    owner = Somebody("The owner", "owner", _window(browser))
    owner.page.goto(url)
    owner.page.locator("#password").fill(password)
    owner.page.keyboard.press("Enter")
    owner.page.get_by_role("tab", name="Library", exact=True).click()
    owner.page.get_by_role("button", name="New board").click()
    owner.page.get_by_label("Name of the board").fill("Sea")
    owner.page.keyboard.press("Enter")
    owner.page.locator(".gallery-board .gallery-place").click()
    owner.part("share").click()
    owner.part("desk").click()
    owner.page.locator("#gallery [data-part=desk][aria-pressed=true]").wait_for()
    return owner


def _guests(browser: Any, owner: Somebody, count: int) -> Iterator[Somebody]:  # Any: of Playwright
    """By a link each to the board; every second viewer and artist with a phone."""
    board = owner.page.evaluate(TELLS, "library/boards")["boards"][0]["id"]
    for number in range(count):
        role = ROUND[number % len(ROUND)]
        order = {"role": role, "board": board}
        made = owner.page.evaluate(
            "async (order) => (await fetch('people/links', { method: 'POST', headers: { 'Content-Type': 'application/json' }, "
            "body: JSON.stringify(order) })).json()",
            order,
        )
        guest = Somebody(NAMES[number % len(NAMES)], role, _window(browser, *((390, 844) if number % 8 in (4, 6) else (1280, 800))))
        guest.page.goto(made["address"])
        guest.page.get_by_label("What is your name?").fill(guest.name)
        guest.page.get_by_role("button", name="Come in").click()
        _at_the_board(guest)
        yield guest


def _at_the_board(guest: Somebody) -> None:
    """The library opens there by itself for who may not draw; others press."""
    guest.page.locator(".masthead [data-part=board-here]").wait_for(state="attached")
    tab = guest.page.get_by_role("tab", name="Library", exact=True)
    if tab.get_attribute("aria-selected") != "true":
        tab.click()
    board = guest.page.locator(".gallery-board .gallery-place")
    board.wait_for()
    if guest.part("here").is_hidden():
        board.click()
    guest.part("here").locator("li").first.wait_for()


def _is_here(everybody: list[Somebody]) -> None:
    """Everybody is told of all others, and sees them after a press at most."""
    for each in everybody:
        each.page.wait_for_function(COUNTED, arg=len(everybody))
        more = each.part("here").locator(".together-more")
        folded = more.is_visible()
        if folded:
            more.click()
        seen = each.part("here").locator("[data-seat]:visible b").all_inner_texts()
        each.check("who is here", sorted(seen) == sorted(other.name for other in everybody if other is not each), True)
        if folded:
            more.click()
        wide = each.part("here").evaluate("(row) => row.scrollWidth > row.clientWidth")
        each.check("a row of names that scrolls", wide, False)
        each.page.evaluate(WATCHING)


def _draws(artist: Somebody, everybody: list[Somebody]) -> list[str]:
    """One picture, from the press on. The ids of what came of it."""
    others = [each for each in everybody if each is not artist]
    before = {picture["id"] for picture in artist.page.evaluate(TELLS, "library?query=")["pictures"]}
    artist.page.get_by_role("tab", name="Text to image", exact=True).click()
    artist.page.locator("#txt2img-prompt textarea").first.fill(f"a red house by {artist.name}")
    artist.page.locator("#txt2img-generate").click()
    for each in others:
        each.page.wait_for_function("(had) => Object.keys(window.seen.came).some((id) => !had.includes(id))", arg=sorted(before))
    artist.page.get_by_role("tab", name="Library", exact=True).click()
    found = [picture for picture in artist.page.evaluate(TELLS, "library?query=")["pictures"] if picture["id"] not in before]
    made = {picture["id"]: picture["created"] * 1000 for picture in found}
    for each in others:
        came = each.page.evaluate("window.seen.came")
        each.delays += [came[picture] - at for picture, at in made.items() if picture in came]
        each.check(f"a preview of {artist.name}'s picture", artist.name in each.page.evaluate("[...window.seen.of]"), True)
    return list(made)


def _told(everybody: list[Somebody], drawn: list[str]) -> list[str]:
    """Prints what each saw. Returns what came late."""
    print(f"{len(everybody)} people at one board, {len(drawn)} pictures drawn by {sum(each.may('artist') for each in everybody)} of them")
    for each in everybody:
        previews = each.page.evaluate("window.seen.previews.size")
        middle, last = statistics.median(each.delays), max(each.delays)
        print(f"  {each.name:10} {each.role:10} saw {previews:3} previews; a picture came after {middle:4.0f} ms, {last:4.0f} at most")
    delays = [delay for each in everybody for delay in each.delays]
    late = statistics.quantiles(delays, n=20)[-1]
    print(f"  95 of a hundred arrivals within {late:.0f} ms, the median {statistics.median(delays):.0f} ms ({len(delays)} arrivals)")
    return [f"a picture came after {late:.0f} ms for 95 of a hundred, not {SOON}"] if late > SOON else []


def _offered(each: Somebody, picture: str) -> None:
    """What the page shows somebody to press, and what the studio answers when it is asked past the page."""
    head: dict[str, Role] = {"desk": "artist", "invite": "co-owner", "share": "owner"}
    for name, least in head.items():
        each.check(f"the button “{name}”", each.part(name).is_visible(), each.may(least))
    asked: tuple[tuple[Role, str, dict[str, Any]], ...] = (
        ("commenter", f"picture/{picture}/comments", {"text": f"{each.name} was here"}),
        ("artist", "gradio_api/call/v2/txt2img", {"prompt": "x", "steps": 1, "width": 64, "height": 64}),
        ("artist", "library/boards", {"name": each.name}),
        ("co-owner", "people/links", {"role": "viewer", "board": each.page.evaluate(TELLS, "current")["you"]["board"]}),
        ("owner", "people/hold", {"held": False}),
    )
    statuses = {path: each.posts(path, body) for _, path, body in asked}
    for least, path, _ in asked:
        each.check(path, statuses[path] == 200, each.may(least))
    refused = [path for path, status in statuses.items() if status == 403]
    print(f"  {each.name:10} {each.role:10} refused: {json.dumps(refused) if refused else 'nothing'}")
