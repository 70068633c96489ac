"""What is done to a file in the Models tab, in a real Chromium: what came of it stands on the file's card until the next act on it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Generator

import pytest
import torch
from playwright.sync_api import Locator, expect

from tests.support.one_chromium import OneChromium
from tests.support.page_fixtures import House, Visit, browser, house, opened, visit, wait_for

__all__ = ["browser", "house", "visit"]
pytestmark = pytest.mark.browser


class Program:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("echo this must never run",)


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory, one_chromium: OneChromium) -> Generator[House]:
    """A studio that converts, with an old file that is sound, one with a program in it, and a copy of that under another name."""
    house = House(tmp_path_factory.mktemp("house"), one_chromium.port, tabs=("txt2img", "models"))
    house.more = {"weights": house.models}
    folder = house.models / "checkpoints"
    folder.mkdir()
    torch.save({"some.weight": torch.zeros(3)}, folder / "sound.ckpt")
    torch.save({"some.weight": torch.zeros(3), "more": Program()}, folder / "evil.ckpt")
    shutil.copy2(folder / "evil.ckpt", folder / "twin.ckpt")
    with opened(house):
        yield house


def open_models(visit: Visit) -> None:
    visit.open_tab("Models")


def row(visit: Visit, name: str) -> Locator:
    return visit.page.locator(".library-list button").filter(has=visit.page.locator("strong", has_text=name))


def card(visit: Visit) -> Locator:
    return visit.page.get_by_role("region", name="The chosen model")


def look_again(visit: Visit, last: str = "listed") -> None:
    """The list is asked for anew, as whenever anything changes in the folders, and then the details of a file that was chosen."""
    with visit.page.expect_response(lambda answer: f'"{last}"' in (answer.request.post_data or "")):
        visit.page.evaluate("() => window.dispatchEvent(new Event('atelier:library'))")
    visit.page.wait_for_timeout(500)


def test_a_hash_is_shown_and_one_that_cannot_be_computed_leaves_no_card_waiting(house: House, visit: Visit) -> None:
    """The folder of the toy that the studio starts with holds no network to read."""
    open_models(visit)
    row(visit, "sound").click()
    card(visit).get_by_role("button", name="Compute").click()
    digest = hashlib.sha256((house.models / "checkpoints" / "sound.ckpt").read_bytes()).hexdigest()
    expect(card(visit).get_by_title(digest)).to_have_text(digest[:10])
    assert house.studio
    starter = house.studio.checkpoints()[0].name
    row(visit, starter).click()
    card(visit).get_by_role("button", name="Compute").click()
    expect(card(visit).get_by_role("alert")).to_contain_text("no weights of a UNet")
    expect(card(visit).get_by_role("button", name="Compute")).to_be_enabled()


def test_a_warning_stands_on_the_card_of_the_file_that_was_asked_for_until_the_next_act(house: House, visit: Visit) -> None:
    open_models(visit)
    for name in ("twin", "evil"):
        row(visit, name).click()
        expect(card(visit).get_by_role("heading")).to_have_text(name)
        card(visit).get_by_role("button", name="Convert").click()
        expect(card(visit).get_by_role("alert")).to_contain_text(f"“{name}.ckpt” asks for posix.system")
    (house.models / "checkpoints" / "new.safetensors").write_bytes(b"<html>")
    look_again(visit)
    for name in ("twin", "evil"):
        expect(row(visit, name)).to_contain_text("loading it would run somebody's program")
        row(visit, name).click()
        expect(card(visit).get_by_role("alert")).to_contain_text(f"“{name}.ckpt” asks for posix.system")
    card(visit).get_by_role("button", name="Convert").click()
    expect(card(visit).get_by_role("alert")).to_have_count(0)  # the next act has begun
    row(visit, "twin").click()  # before the answer comes
    look_again(visit)
    for name in ("evil", "twin"):
        expect(row(visit, name)).to_contain_text("loading it would run somebody's program")
        row(visit, name).click()
        expect(card(visit).get_by_role("alert")).to_contain_text(f"“{name}.ckpt” asks for posix.system")


def test_what_was_converted_is_no_longer_offered_in_red(visit: Visit) -> None:
    open_models(visit)
    row(visit, "sound").click()
    expect(row(visit, "sound").locator(".library-problem")).to_have_count(1)
    card(visit).get_by_role("button", name="Convert").click()
    expect(card(visit).get_by_role("status")).to_contain_text("It was made of “sound”")
    old = row(visit, "sound").filter(has_text=re.compile(r"Converted: “sound.*” came of it\."))
    expect(old).to_have_count(1)
    expect(old.locator(".library-problem")).to_have_count(0)
    old.click()
    expect(card(visit).get_by_role("button", name="Convert")).to_have_count(0)
    expect(card(visit)).to_contain_text("came of it")


def test_a_decision_shows_on_the_card_at_once_and_what_is_typed_survives_a_look_at_the_library(visit: Visit) -> None:
    open_models(visit)
    visit.page.locator(".library-list button", has_text="checkpoint").first.click()
    card(visit).get_by_text("Use it differently").click()
    card(visit).get_by_label("Predicts").select_option(label="v")
    card(visit).get_by_label("Steps", exact=True).fill("7")
    look_again(visit)
    expect(card(visit).get_by_label("Steps", exact=True)).to_have_value("7")
    card(visit).get_by_role("button", name="Keep").click()
    expect(card(visit)).to_contain_text("v (your choice)", timeout=3000)
    expect(card(visit)).to_contain_text("steps 7 (your choice)", timeout=500)
    expect(card(visit).get_by_label("Steps", exact=True)).to_be_visible()
    card(visit).get_by_label("Steps", exact=True).fill("")
    card(visit).get_by_label("Predicts").select_option(label="as found")
    card(visit).get_by_role("button", name="Keep").click()
    expect(card(visit)).not_to_contain_text("your choice")


def test_a_decision_that_could_not_be_kept_says_so_and_keeps_what_was_typed(visit: Visit) -> None:
    open_models(visit)
    visit.page.locator(".library-list button", has_text="checkpoint").first.click()
    card(visit).get_by_text("Use it differently").click()
    card(visit).get_by_label("Steps", exact=True).fill("9")
    visit.page.route("**/component_server**", lambda route: route.abort())
    card(visit).get_by_role("button", name="Keep").click()
    expect(card(visit).get_by_role("alert").filter(has_text="did not answer").last).to_be_visible()
    visit.page.unroute_all()
    look_again(visit, "details")
    expect(card(visit).get_by_role("alert").last).to_contain_text("did not answer")
    card(visit).get_by_role("button", name="Compute").click()  # draws the card anew
    expect(card(visit).get_by_role("alert")).to_have_count(0)
    expect(card(visit).get_by_label("Steps", exact=True)).to_have_value("9")
    visit.complaints.clear()  # of the answer that did not come


def test_what_went_wrong_with_a_download_stays_beside_the_downloads(visit: Visit) -> None:
    open_models(visit)
    visit.page.get_by_label("Repository").fill("no owner")
    visit.page.get_by_label("File", exact=True).fill("model.safetensors")
    visit.page.get_by_role("button", name="Download", exact=True).first.click()
    note = visit.page.locator(".library [data-part=get-note]")
    expect(note).not_to_be_empty()
    look_again(visit)
    wait_for(visit.page, lambda: note.is_visible())
