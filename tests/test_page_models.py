"""The Models tab and the LoRA rack in a real Chromium: what lies in the folders appears, acts, and can do no harm."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect
from safetensors.numpy import save_file

from models.memory.manager import Key
from pipelines.jobs.sending import SENDING
from pipelines.requests.request import LoraUse, TextToImage
from tests.support.page_fixtures import House, Visit, browser, house, house_with, visit, wait_for
from tests.support.toys import toy_studio
from ui.door.roles import declared
from ui.parts.library import LibraryHandlers

__all__ = ["browser", "house", "open_house", "visit"]
open_house = house_with("models")
MODULE = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
HOSTILE = '"><img src=x onerror=alert(1)>'


def write_lora(folder: Path, name: str, metadata: dict[str, str] | None = None, width: int = 768) -> Path:
    tensors = {f"{MODULE}.lora_down.weight": np.zeros((4, width), np.float16), f"{MODULE}.lora_up.weight": np.zeros((320, 4), np.float16)}
    file = folder / "loras" / f"{name}.safetensors"
    file.parent.mkdir(exist_ok=True)
    save_file(tensors, file, metadata=metadata)
    return file


def open_models(visit: Visit) -> None:
    visit.open_tab("Models")


def soon(visit: Visit, condition: Callable[[], bool]) -> None:
    """Waits for what comes with the next look at the studio, which is asked for again and again."""

    def looked() -> bool:
        visit.page.evaluate("() => window.dispatchEvent(new Event('atelier:look'))")
        visit.page.wait_for_timeout(100)
        return condition()

    wait_for(visit.page, looked)


def names(visit: Visit) -> list[str]:
    return visit.page.locator(".library-list strong").all_text_contents()


@pytest.fixture
def lora(house: House) -> Generator[str]:
    """A LoRA that fits the checkpoint; taken away again afterwards."""
    file = write_lora(house.models, "ink wash", {"modelspec.trigger_phrase": "inkwash, thick (lines)"})
    assert house.studio
    house.studio.library.rescan()
    yield "ink wash"
    file.unlink()
    house.studio.library.rescan()


@pytest.mark.browser
def test_a_file_that_is_put_into_the_folder_appears_without_a_reload_and_brings_what_suits_it(house: House, visit: Visit) -> None:
    """One for few steps: what was changed by hand stays."""
    fast = "snow lightning 8step"
    open_models(visit)
    assert fast not in names(visit)
    file = write_lora(house.models, fast)
    wait_for(visit.page, lambda: fast in names(visit))
    visit.open_tab("Text to image")
    offered = visit.page.locator("#txt2img-loras option")
    wait_for(visit.page, lambda: fast in offered.all_text_contents())
    visit.set("guidance_scale", "4")
    visit.page.locator("#txt2img-loras select").select_option(label=fast)
    expect(visit.control("steps")).to_have_value("8")
    expect(visit.page.locator("#txt2img-sampling .row-value")).to_have_text("Euler SGM Uniform")
    expect(visit.control("guidance_scale")).to_have_value("4")
    expect(visit.page.locator("#txt2img-notes [data-part=said]")).to_contain_text("a guidance of 4 is more than it bears")
    file.unlink()
    soon(visit, lambda: fast not in offered.all_text_contents())


@pytest.mark.browser
def test_a_lora_from_the_rack_is_in_the_request_with_its_strengths_of_which_each_is_a_number(house: House, visit: Visit, lora: str) -> None:
    rack = visit.page.locator("#txt2img-loras")
    soon(visit, lambda: lora in rack.locator("option").all_text_contents())
    rack.locator("select").select_option(label=lora)
    number = rack.locator("input[type=number]").first
    for typed, former in (("", "0.6"), ("-", "0.7"), ("1e", "0.8"), ("abc", "0.9")):
        number.fill(former)
        number.press("Tab")
        number.press("Control+a")
        number.press("Delete")
        number.type(typed)
        number.press("Tab")
        expect(number).to_have_value(former)
        assert [entry["unet"] for entry in visit.page.evaluate("() => inside.page.forms.txt2img.loras")] == [float(former)], typed
    numbers = rack.locator("input[type=number]")
    numbers.nth(0).fill("0.6")
    numbers.nth(0).press("Tab")
    numbers.nth(1).fill("-9")
    numbers.nth(1).press("Tab")
    visit.generate("a house")
    visit.finished()
    [use] = house.runner.drawn[-1].loras
    assert (use.name, use.unet, use.text_encoder) == (lora, 0.6, -4.0)
    visit.reload()
    wait_for(visit.page, lambda: rack.locator("li strong").all_text_contents() == [lora])
    rack.get_by_role("button", name=f"Remove {lora}").click()
    visit.generate("a tree")
    wait_for(visit.page, lambda: house.runner.drawn[-1].prompt == "a tree")
    assert house.runner.drawn[-1].loras == ()


@pytest.mark.browser
def test_a_tag_does_the_same_and_settings_come_back_as_a_rack(house: House, visit: Visit, lora: str) -> None:
    visit.generate(f"a boat <lora:{lora}:0.5>")
    visit.finished()
    wait_for(visit.page, lambda: house.runner.drawn[-1].prompt == "a boat")
    assert [(use.name, use.unet) for use in house.runner.drawn[-1].loras] == [(lora, 0.5)]
    visit.part("settings").click()
    wait_for(visit.page, lambda: visit.page.locator("#txt2img-loras li strong").all_text_contents() == [lora])
    assert visit.control("prompt").input_value() == "a boat"
    visit.page.locator(".rack-remove").first.click()


@pytest.mark.browser
def test_a_trigger_word_goes_into_the_prompt_once_by_a_click_as_it_must_be_written(visit: Visit, lora: str) -> None:
    visit.control("prompt").fill("an inkwashed house")
    open_models(visit)
    wait_for(visit.page, lambda: lora in names(visit))
    visit.page.locator(".library-list button", has_text=lora).click()
    for word in ("inkwash", "thick (lines)", "thick (lines)"):
        visit.page.locator(".library-card button.rack-word", has_text=word).click()
    visit.open_tab("Text to image")
    wait_for(visit.page, lambda: visit.control("prompt").input_value() == r"an inkwashed house, inkwash, thick \(lines\)")


@pytest.mark.browser
def test_what_does_not_fit_is_greyed_with_its_reason(house: House, visit: Visit) -> None:
    file = write_lora(house.models, "for sdxl", width=2048)
    option = visit.page.locator("#txt2img-loras option", has_text="for sdxl")
    soon(visit, lambda: option.count() == 1)
    assert option.is_disabled() and "SDXL" in (option.get_attribute("title") or "")
    assert option.text_content() == "for sdxl (made for SDXL)"
    visit.generate("a house <lora:for sdxl:1>")
    visit.page.get_by_text("was made for SDXL").first.wait_for()
    file.unlink()


@pytest.mark.browser
def test_a14_what_a_file_says_of_itself_is_text_and_never_markup(house: House, visit: Visit) -> None:
    hostile = HOSTILE.replace("/", "")
    file = write_lora(house.models, hostile, {"modelspec.title": HOSTILE, "modelspec.trigger_phrase": HOSTILE, HOSTILE: HOSTILE})
    open_models(visit)
    wait_for(visit.page, lambda: hostile in names(visit))
    visit.page.locator(".library-list button", has_text="img src=x").first.click()
    visit.page.locator(".library-card summary", has_text="Metadata").click()
    visit.page.get_by_text("modelspec.title").wait_for()
    assert visit.page.locator(".library img, .rack img").count() == 0
    file.unlink()


@pytest.mark.browser
def test_an_empty_library_says_what_to_do_next_and_its_owner_pauses_a_device_and_lets_it_go_on(house: House, visit: Visit) -> None:
    open_models(visit)
    visit.page.locator(".library-bar input").fill("nothing is called this")
    visit.page.get_by_text("Nothing here has that").wait_for()
    visit.page.get_by_text("No model yet. The first picture loads its checkpoint").wait_for()
    visit.page.get_by_role("button", name="Pause: toy").click()
    visit.page.get_by_text("Paused: it takes no jobs.").wait_for()
    assert house.studio and [device.paused for device in house.studio.devices.all()] == [True]
    visit.page.get_by_role("button", name="Let go on: toy").click()
    visit.page.get_by_text("Free", exact=True).wait_for()
    assert not house.studio.devices.all()[0].paused
    house.runner.gate, house.runner.reading = threading.Semaphore(0), Key(SENDING, "toy", "34 %")
    job = house.studio.submit(TextToImage(prompt="a red house", steps=1, width=64, height=64), "ada")
    visit.page.get_by_text("Gets models for “a red house” · 34 %").wait_for()
    house.runner.reading, gate = None, house.runner.gate
    house.runner.gate = None
    gate.release(9)
    wait_for(visit.page, lambda: house.studio and house.studio.job(job, "ada").state == "done")


def test_only_the_owner_changes_anything(tmp_path: Path) -> None:
    studio = toy_studio(tmp_path, start=False)
    roles = {function.__name__: declared(function) for function in LibraryHandlers(studio).functions}
    assert {name for name, role in roles.items() if role == "viewer"} == {"listed", "details", "devices"}
    assert {name for name, role in roles.items() if role == "artist"} == {"rescan"}
    changing = {"override", "convert", "download", "downloads", "cancel", "unload", "pause", "hash"}
    assert {name for name, role in roles.items() if role == "owner"} == changing
    studio.close()


def test_a_lora_use_has_every_field_that_the_rack_shows() -> None:
    beside = {"pace", "region"}  # which words of prompts say
    assert {"id", "name", "unet", "text_encoder", "blocks", *beside} == set(LoraUse.__dataclass_fields__)
