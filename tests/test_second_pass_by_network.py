"""The second pass by an upscaler as a job: its pixels, its record, its text there and back, made again by content, and what is missing."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image

from models.errors import UserError
from models.library.catalog import Catalog
from models.library.checkpoint import STARTER, STARTER_UPSCALER
from models.memory.forecast import Machine
from pipelines import Studio
from pipelines.images.store import Inputs
from pipelines.job_book.book import JobBook
from pipelines.jobs.events import Picture, Step
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.progress import JobProgress
from pipelines.metadata.picture_settings import Reading, inspect, of_pasted
from pipelines.metadata.two_passes import second_pass, sized
from pipelines.requests.request import Enlarge, ImageToImage, Request, SecondPass, TextToImage
from pipelines.requests.second_pass import LANCZOS, USUAL
from pipelines.resolving.details import details
from pipelines.resolving.forecast import forecast_of
from pipelines.resolving.model_names import ModelNames
from pipelines.resolving.rebind import Rebound, rebind
from pipelines.resolving.resolve import resolve
from pipelines.runtime.runner import OWN, ModelRunner
from pipelines.services.guests import work_of
from pipelines.services.preflight import preflight
from pipelines.services.reading_news import news_of
from tests.support.toy_weights import CPU, write_toy_model
from tests.support.toys import ToyPainter
from tests.support.upscaler_toys import picture
from ui.parts.choices import choices
from ui.parts.controls import starting_values, starts

NAME = "Starter x4"
SIZE = (72, 64)
MACHINE = Machine(host=10**9)
FIRST = TextToImage(
    prompt="a red house", seed=5, steps=2, width=72, height=64, checkpoint=STARTER, hires=True, hires_upscaler=STARTER_UPSCALER,
    hires_factor=1.5,
)  # fmt: skip


@dataclass
class Room:
    catalog: Catalog
    runner: ModelRunner
    inputs: Inputs
    outputs: Outputs

    def made(self, request: Request) -> Picture:
        resolved = resolve(request, self.catalog)
        [found] = [event for batch in self.runner.batches(resolved) for event in batch if isinstance(event, Picture)]
        return found

    def asked(self, **changes: Any) -> SecondPass:
        request = SecondPass(
            prompt="a red house", seed=5, steps=2, checkpoint=STARTER, image=self.inputs.keep(picture(*SIZE)),
            hires_upscaler=STARTER_UPSCALER, hires_factor=1.5, denoising_strength=0.5,
        )  # fmt: skip
        return sized(replace(request, **changes), SIZE)

    def saved(self, made: Picture) -> Path:
        return self.outputs.save(made.image, made.request, made.made_with)

    def rebound(self, reading: Reading) -> Rebound:
        return rebind(reading.request, reading.made_with, self.catalog, reading.ids)


def opened(starter: Path, folder: Path, *models: Path) -> Room:
    catalog, inputs = Catalog(starter, list(models)), Inputs(folder / "inputs")
    catalog.rescan(wait=True)
    return Room(catalog, ModelRunner(catalog, CPU, MACHINE, inputs), inputs, Outputs(folder / "outputs"))


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_toy_model(tmp_path_factory.mktemp("starter"))
    shutil.copy(OWN / "upscaler.safetensors", folder)
    return folder


@pytest.fixture(scope="module")
def room(starter: Path, tmp_path_factory: pytest.TempPathFactory) -> Room:
    return opened(starter, tmp_path_factory.mktemp("room"))


@pytest.fixture(scope="module")
def drawn(room: Room) -> Picture:
    return room.made(room.asked())


@pytest.fixture
def without(starter: Path, tmp_path: Path) -> Iterator[tuple[Room, Path]]:
    """A library whose starter has no upscaler, and a folder for models."""
    other = shutil.copytree(starter, tmp_path / "starter")
    (other / "upscaler.safetensors").unlink()
    (tmp_path / "models" / "upscalers").mkdir(parents=True)
    yield opened(other, tmp_path, tmp_path / "models"), tmp_path / "models" / "upscalers"


def test_it_is_image_to_image_of_the_picture_that_enlarge_makes(room: Room, drawn: Picture) -> None:
    enlarged = room.made(Enlarge(image=room.inputs.keep(picture(*SIZE)), upscaler=STARTER_UPSCALER, factor=1.5)).image
    assert enlarged.size == (108, 96) and enlarged != picture(*SIZE).resize((108, 96), Image.Resampling.LANCZOS)
    over = ImageToImage(
        prompt="a red house", seed=5, steps=2, checkpoint=STARTER, image=room.inputs.keep(enlarged.crop((0, 0, 104, 96))), width=104,
        height=96, denoising_strength=0.5, exact_steps=True,
    )  # fmt: skip
    assert drawn.image.tobytes() == room.made(over).image.tobytes()
    assert {line.kind: line.leases for line in room.runner.ledger} == {"checkpoint": 0, "upscaler": 0}


def test_its_tiles_are_told_before_its_steps_and_as_what_they_are(room: Room) -> None:
    request = resolve(room.asked(hires_tile=32, batch_count=2), room.catalog)
    told = [event for batch in room.runner.batches(request) for event in batch if isinstance(event, Step)]
    assert [(step.before, step.index, step.count, step.batch, step.batches) for step in told] == [
        ("Enlarging", 0, 1, 0, 2), *(("Enlarging", index, 12, 0, 2) for index in range(1, 13)),
        *(("", index, 2, batch, 2) for batch in (0, 1) for index in (1, 2)),
    ]  # fmt: skip
    assert told[8].preview().startswith(b"\x89PNG")


def test_what_goes_before_the_drawing_is_no_part_of_its_pace() -> None:
    live = JobProgress(cast(Any, None), 0, started=time.monotonic() - 1000)
    live.advance(Step(9, 10, 0, 1, before="Enlarging"), 1)
    assert live.eta() is None
    live.advance(Step(1, 4, 0, 1), 2)
    live.advance(Step(2, 4, 0, 1), 3)
    left = live.eta()
    assert left is not None and left < 10


def test_its_file_makes_it_again_wherever_the_upscaler_lies(room: Room, drawn: Picture, without: tuple[Room, Path]) -> None:
    """The tile that memory chose is in the record, and so are the name and the hash by which the same file is found."""
    assert isinstance(drawn.request, SecondPass) and drawn.request.hires_tile >= 128
    assert drawn.made_with["Hires upscaler"] == NAME and len(drawn.made_with["Hires upscaler hash"]) == 10
    path = room.saved(drawn)
    other, folder = without
    shutil.copy(OWN / "upscaler.safetensors", folder / "another name.safetensors")
    other.catalog.rescan(wait=True)
    found = other.rebound(inspect(path.read_bytes()))
    entry = other.catalog.find("upscaler", "another name")
    assert entry and isinstance(found.request, SecondPass) and found.request.hires_upscaler == entry.id and found.notes == ()
    assert found.request.hires_tile == drawn.request.hires_tile
    again = replace(found.request, image=other.inputs.keep(picture(*SIZE)))
    assert other.made(again).image.tobytes() == drawn.image.tobytes()


def test_other_settings_are_not_bound_to_the_tile_of_a_picture(room: Room, drawn: Picture) -> None:
    found = room.rebound(inspect(room.saved(drawn).read_bytes())).request
    assert isinstance(found, SecondPass) and resolve(found, room.catalog).hires_tile == found.hires_tile > 0
    assert resolve(replace(found, prompt="a blue house"), room.catalog).hires_tile == 0


def test_the_text_of_either_pass_names_it_and_brings_it_back(room: Room) -> None:
    first = room.made(FIRST)
    second = room.made(second_pass(FIRST, room.inputs.keep(first.image), first.image.size, first.made_with))
    for made in (first, second):
        with Image.open(room.saved(made)) as file:
            text: str = file.text["parameters"]  # pyright: ignore[reportAttributeAccessIssue]
        assert f"Hires upscaler: {NAME}," in text and "Hires upscaler hash: " in text
        reading = of_pasted(text)
        found = room.rebound(reading)
        assert isinstance(found.request, TextToImage) and found.request.hires and found.notes == () and reading.unknown == {}
        assert found.request.hires_upscaler == STARTER_UPSCALER
        told = {value["name"]: value["shown"] for value in news_of("x", reading, found)["values"]}
        assert told["hires_upscaler"] == NAME


A1111 = "a castle\nSteps: 20, Sampler: Euler, Seed: 4, Size: 512x768, Denoising strength: 0.4, Hires upscale: 2, Hires upscaler: {}"


@pytest.mark.parametrize(
    ("name", "here", "note"),
    [
        (NAME, STARTER_UPSCALER, ""),
        ("None", LANCZOS, ""),
        ("R-ESRGAN 4x+", LANCZOS, "The upscaler “R-ESRGAN 4x+” is not in the models folders; Lanczos stands in for it."),
    ],
)
def test_a_text_of_a1111_names_one_that_is_here_or_not(room: Room, name: str, here: str, note: str) -> None:
    reading = of_pasted(A1111.format(name))
    found = room.rebound(reading)
    assert isinstance(found.request, TextToImage)
    assert (found.request.hires, found.request.hires_factor, found.request.hires_upscaler) == (True, 2.0, here)
    assert [said for said in found.notes if "upscaler" in said] == ([note] if note else [])


def test_where_it_is_missing_a_sentence_says_so_before_the_first_pass(without: tuple[Room, Path]) -> None:
    other, _ = without
    for request in (FIRST, other.asked()):
        with pytest.raises(UserError, match="not in the models folders any more"):
            resolve(request, other.catalog)
    with pytest.raises(UserError, match="is not an upscaler"):
        resolve(replace(FIRST, hires_upscaler=STARTER), other.catalog)
    off = replace(FIRST, hires=False)
    assert resolve(off, other.catalog).hires_upscaler == STARTER_UPSCALER
    found = rebind(off, {}, other.catalog)
    assert isinstance(found.request, TextToImage) and found.request.hires_upscaler == LANCZOS
    assert not any("upscaler" in note for note in found.notes)


def test_what_it_takes_is_said_before(room: Room) -> None:
    request, plain = room.asked(), room.asked(hires_upscaler=LANCZOS)
    entry = room.catalog.model(STARTER_UPSCALER)
    line = f"“{NAME}” (× 4) is run once, then Lanczos brings it to the size."
    assert line in preflight(request, SIZE, None, entry).lines and line in preflight(FIRST, None, None, entry).lines
    needs, less = (forecast_of(each, room.catalog, MACHINE, ()) for each in (request, plain))
    assert needs.weights - less.weights > 2 * entry.size
    assert work_of(request) == pytest.approx(work_of(plain) + 20 * request.width * request.height / 1e6)


def test_the_form_offers_it_beside_the_filters_and_begins_with_the_starters_own(tmp_path: Path) -> None:
    catalog, book = Catalog(OWN), JobBook(tmp_path / "studio.db", tmp_path)
    catalog.rescan(wait=True)
    studio = Studio(catalog, Outputs(tmp_path), book, ToyPainter)
    [entry] = studio.checkpoints(TextToImage.kind)
    offered = choices(studio, TextToImage, "hires_upscaler", entry.id)
    assert (LANCZOS, LANCZOS) in offered and offered[-1] == (NAME, STARTER_UPSCALER)
    assert starting_values(TextToImage, entry)["hires_upscaler"] == STARTER_UPSCALER
    assert starting_values(SecondPass, entry)["denoising_strength"] == starting_values(TextToImage, entry)["hires_strength"] != USUAL
    assert STARTER_UPSCALER not in starts(TextToImage, [entry])["unnamed"]["hires_upscaler"]
    book.close()


def test_its_details_name_the_upscaler_and_a_filter_by_its_own_name(room: Room, drawn: Picture) -> None:
    for request, text, digits in ((drawn.request, NAME, 10), (room.asked(hires_upscaler="Latent"), "Latent", 0)):
        names = ModelNames(room.catalog, drawn.made_with)
        values = [value for group in details(request, drawn.made_with, names, {}).values() for value in group]
        [upscaler] = [value for value in values if value.fields == ("hires_upscaler",)]
        assert (upscaler.text, len(upscaler.digest)) == (text, digits)
