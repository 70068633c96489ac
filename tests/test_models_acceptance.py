"""A folder with a file in every format: each is listed for what it is, those that are supported draw, and pictures name them by hash.

Then two people in two browsers, in turn: other checkpoints, VAEs and LoRAs, and neither ever gets the other's.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser

from models import families
from models.errors import UserError
from models.library.catalog import Catalog
from models.memory.device import choose, read_machine
from pipelines import TextToImage
from pipelines.images.store import Inputs
from pipelines.jobs.outputs import inspect
from pipelines.resolving.resolve import resolve
from pipelines.runtime.runner import ModelRunner
from tests.support.drawing import finished
from tests.support.one_chromium import OneChromium
from tests.support.page_fixtures import Visit, browser, shared_page, visiting, wait_for
from tests.support.toy_files import write_every_format

__all__ = ["browser"]

ROOT = Path(__file__).resolve().parent.parent
STARTER = ROOT / "models" / "starter"
FAMILIES = {family.name: key for key, family in families.FAMILIES.items()}
# Layouts that hold only a part of a model: they are listed, and say what is missing.
PARTS = {"without VAE": "checkpoint", "without text encoder": "unet", "only EMA": "checkpoint"}


@dataclass(frozen=True)
class Shop:
    """The folder, and what each file in it was made as."""

    folder: Path
    made: dict[str, Path]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("models")
    return Shop(folder, write_every_format(folder))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def expected(name: str) -> tuple[str, str]:
    """(kind, family) of a file, by the description it was made under."""
    if name.startswith("VAE "):
        return "vae", ""
    if name.startswith("UNet "):
        return "unet", "sd1"
    family, _, layout = name.partition(", ")
    return PARTS.get(layout, "checkpoint"), FAMILIES[family]


def test_every_file_is_listed_for_what_it_is(shop: Shop) -> None:
    catalog = Catalog(STARTER, [shop.folder])
    catalog.rescan(wait=True)
    listed = {entry.path: entry for entry in catalog.models()}
    for name, path in shop.made.items():
        entry = listed[path]
        assert (entry.identity.kind, entry.identity.family, entry.problem) == (*expected(name), ""), name
    assert len(shop.made) >= 15


def test_every_whole_checkpoint_draws_and_its_picture_names_it_by_hash(shop: Shop) -> None:
    catalog = Catalog(STARTER, [shop.folder])
    catalog.rescan(wait=True)
    device = choose("cpu")
    runner = ModelRunner(catalog, device, read_machine(device), Inputs(shop.folder / "inputs"))
    drawn, refused = [], []
    for entry in catalog.models("checkpoint"):
        if not entry.path.is_relative_to(shop.folder) or entry.identity.variant == "upscale":  # reads a picture
            continue
        request = resolve(TextToImage(checkpoint=entry.id, prompt="a tree", steps=1, width=64, height=64, seed=1), catalog)
        try:
            [picture] = finished(runner.batches(request))
        except UserError as error:
            refused.append((entry.name, str(error)))
            continue
        assert picture.made_with["Model hash"] == digest(entry.path)[:10]
        drawn.append(entry.name)
    assert {name for name, _ in refused} <= {name for name in (path.stem for path in shop.made.values()) if "without VAE" in name}
    assert all("holds no VAE" in sentence for _, sentence in refused)
    assert len(drawn) >= 12


@dataclass
class Running:
    url: str
    outputs: Path


@pytest.fixture(scope="module")
def running(shop: Shop, tmp_path_factory: pytest.TempPathFactory, one_chromium: OneChromium) -> Generator[Running]:
    folder = tmp_path_factory.mktemp("studio")
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LANG", "HOME") if name in os.environ}
    command = [sys.executable, str(ROOT / "app.py"), "--no-browser", "--port", str(one_chromium.port), "--outputs-dir", str(folder)]
    command += ["--models-dir", str(shop.folder)]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, env=kept, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout
        address = next((line.split()[-1] for line in process.stdout if "http://" in line), None)
        assert address, (folder / "log.txt").read_text()
        yield Running(address + "/", folder)
    finally:
        process.terminate()
        process.wait(15)


def choose_in(visit: Visit, name: str, words: str) -> None:
    """Takes the first entry of a dropdown that begins with these words."""
    visit.page.locator(f"#txt2img-{name} input").first.click()
    visit.page.locator("ul[role=listbox] li").filter(has_text=words).first.click()


def picture_of(visit: Visit, running: Running, before: str | None) -> tuple[dict[str, Any], Image.Image]:
    """What the newest picture says of itself, once it is another one than before."""
    wait_for(visit.page, lambda: visit.finished() != before, 120)
    data = visit.context.request.get(running.url + visit.finished()).body()
    picture = Image.open(io.BytesIO(data))
    return json.loads(picture.info["atelier"])["made_with"] | {"request": inspect(data).request}, picture.convert("RGB")


@pytest.mark.browser
def test_two_people_swap_checkpoint_vae_and_lora_in_turn(running: Running, shop: Shop, browser: Browser) -> None:
    other = next(path for name, path in shop.made.items() if name.startswith("Stable Diffusion 1, "))
    lora, vae = STARTER / "loras" / "ink.safetensors", STARTER / "vae" / "warm-print.safetensors"
    shared = shared_page(browser, running.url)
    with visiting(running, browser, shared) as ada, visiting(running, browser) as ben:  # type: ignore[arg-type]
        for visit in (ada, ben):
            visit.page.set_default_timeout(120_000)
        ada.set("seed", "3")
        ben.set("seed", "3")
        ada.unfold()
        ada.set("steps", "3")
        ada.generate("a blue boat on the sea at day")
        plain, first = picture_of(ada, running, None)

        choose_in(ben, "checkpoint", other.stem)
        ben.unfold()
        ben.set("steps", "2")
        ben.set("width", "64")
        ben.set("height", "64")
        ben.generate("a tree")
        others, _ = picture_of(ben, running, None)

        before = ada.finished()
        ada.page.locator("#txt2img-loras select").select_option(label="ink")
        ada.page.wait_for_timeout(300)
        ada.generate()
        inked, second = picture_of(ada, running, before)

        before = ada.finished()
        ada.page.locator(".rack-remove").first.click()
        ada.unfold("VAE, refiner and add-ons")
        choose_in(ada, "vae", "warm-print")
        ada.page.wait_for_timeout(300)
        ada.generate()
        printed, third = picture_of(ada, running, before)

        before = ada.finished()
        choose_in(ada, "vae", "The checkpoint's own")
        ada.page.wait_for_timeout(300)
        ada.generate()
        again, fourth = picture_of(ada, running, before)

    assert plain["Model"] == inked["Model"] == "Starter"
    assert others["Model"] == other.stem and others["Model hash"] == digest(other)[:10]
    assert inked["Lora hashes"] == f"ink: {digest(lora)[:12]}"
    assert printed["VAE"] == "warm-print" and printed["VAE hash"] == digest(vae)[:10]
    assert "Lora hashes" not in printed and "VAE" not in again
    assert first.tobytes() == fourth.tobytes(), "after all the swaps the first picture comes back, bit for bit"
    assert len({picture.tobytes() for picture in (first, second, third)}) == 3


@pytest.mark.browser
def test_the_models_tab_lists_the_folder_and_says_what_does_not_fit(running: Running, shop: Shop, browser: Browser) -> None:
    with visiting(running, browser, shared_page(browser, running.url)) as visit:  # type: ignore[arg-type]
        visit.open_tab("Models")
        wait_for(visit.page, lambda: visit.page.locator(".library-list li").count() >= len(shop.made))
        names = set(visit.page.locator(".library-list strong").all_text_contents())
        assert {path.stem for path in shop.made.values()} <= names
        visit.page.locator(".library-bar input").fill("ink")
        wait_for(visit.page, lambda: visit.page.locator(".library-list li").count() == 1)
        visit.page.locator(".library-list button").first.click()
        wait_for(visit.page, lambda: "LoRA" in (visit.page.locator("[data-part=details]").text_content() or ""))
        assert visit.complaints == []
