"""Enlarging by an upscaler as a job: leased, blended, recorded, made again from its file, found again by content, refused, stopped."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from models.errors import UserError
from models.library.catalog import Catalog
from models.memory.forecast import Machine
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture, Step
from pipelines.jobs.outputs import Outputs, read
from pipelines.metadata.picture_settings import inspect, of_pasted
from pipelines.requests.enlarge import BY_SIZE, THE_FILTER
from pipelines.requests.request import Enlarge
from pipelines.resolving.details import details
from pipelines.resolving.forecast import forecast_of_tiles
from pipelines.resolving.model_names import ModelNames
from pipelines.resolving.rebind import rebind
from pipelines.resolving.resolve import resolve
from pipelines.runtime.runner import ModelRunner
from tests.support.toy_weights import CPU
from tests.support.toys import toy_model_folder
from tests.support.upscaled import own_call
from tests.support.upscaler_toys import picture, write


@dataclass
class Room:
    folder: Path
    catalog: Catalog
    runner: ModelRunner
    inputs: Inputs

    def entry(self, name: str) -> str:
        found = self.catalog.find("upscaler", name)
        assert found
        return found.id

    def events(self, request: Enlarge) -> list[Any]:
        return [event for batch in self.runner.batches(resolve(request, self.catalog)) for event in batch]

    def made(self, request: Enlarge) -> Picture:
        [found] = [event for event in self.events(request) if isinstance(event, Picture)]
        return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "upscalers"
    write(folder / "sharp.safetensors", "SPAN")
    write(folder / "soft.safetensors", "RealESRGAN Compact", scale=2)
    write(folder / "broken.safetensors", change=not_finite)
    write(folder / "liar.safetensors", change=lambda tensors: tensors.update({"body.2.weight": tensors["body.2.weight"][:, :4]}))
    return folder


def not_finite(tensors: dict[str, Tensor]) -> None:
    tensors["body.0.bias"].fill_(3e38)
    tensors["body.0.weight"].fill_(3e38)


@pytest.fixture
def room(tmp_path: Path, files: Path) -> Room:
    shutil.copytree(files, tmp_path / "models" / "upscalers")
    catalog, inputs = Catalog(toy_model_folder(tmp_path / "toy"), [tmp_path / "models"]), Inputs(tmp_path / "inputs")
    catalog.rescan(wait=True)
    return Room(tmp_path, catalog, ModelRunner(catalog, CPU, Machine(host=10**9), inputs), inputs)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.int16)


def test_a_job_leases_its_upscaler_and_nothing_else(room: Room) -> None:
    image = picture(20, 16)
    made = room.made(Enlarge(image=room.inputs.keep(image), upscaler=room.entry("sharp"), factor=4.0))
    assert np.array_equal(pixels(made.image), own_call(room.folder / "models/upscalers/sharp.safetensors", image))
    assert [line.kind for line in room.runner.ledger] == ["upscaler"] and room.runner.ledger[0].leases == 0


@pytest.mark.parametrize("second", ["filter", "soft"])
def test_two_are_blended_by_their_share(room: Room, second: str) -> None:
    image = room.inputs.keep(picture(20, 16))
    sharp = Enlarge(image=image, upscaler=room.entry("sharp"), factor=4.0)
    other = Enlarge(image=image, factor=4.0) if second == "filter" else replace(sharp, upscaler=room.entry("soft"))
    both = replace(sharp, second_upscaler=THE_FILTER if second == "filter" else room.entry("soft"), blend=0.25)
    wanted = Image.blend(room.made(sharp).image, room.made(other).image, 0.25)
    events = room.events(both)
    assert next(event for event in events if isinstance(event, Picture)).image.tobytes() == wanted.tobytes()
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.index for step in steps] == sorted(step.index for step in steps) and steps[-1].index == steps[-1].count


def test_its_file_makes_it_again_bit_for_bit_wherever_the_upscaler_lies(room: Room) -> None:
    """Made in tiles that memory chose; then the upscaler is renamed, and the file alone says what to do."""
    request = Enlarge(image=room.inputs.keep(picture(70, 60, "RGBA")), upscaler=room.entry("sharp"), factor=3.0, upscaler_tile=48)
    made = room.made(request)
    path = Outputs(room.folder / "outputs").save(made.image, made.request, made.made_with)
    assert made.request.upscaler_tile == 48 and made.request.threads > 0  # pyright: ignore[reportAttributeAccessIssue]
    file = room.folder / "models" / "upscalers" / "sharp.safetensors"
    file.rename(file.with_name("another name.safetensors"))
    room.catalog.rescan(wait=True)
    reading = inspect(path.read_bytes())
    found = rebind(reading.request, reading.made_with, room.catalog, reading.ids)
    assert isinstance(found.request, Enlarge) and found.request.upscaler == room.entry("another name") and found.notes == ()
    assert room.made(found.request).image.tobytes() == made.image.tobytes()
    assert read(path) == made.request


def test_the_tile_that_memory_chose_is_in_the_record(room: Room) -> None:
    made = room.made(Enlarge(image=room.inputs.keep(picture(20, 16)), upscaler=room.entry("sharp")))
    assert isinstance(made.request, Enlarge) and made.request.upscaler_tile >= 128


def test_its_text_says_what_a1111_says_and_brings_it_back(room: Room) -> None:
    request = Enlarge(
        image=room.inputs.keep(picture(20, 16)), upscaler=room.entry("sharp"), second_upscaler=THE_FILTER, filter="Bicubic", blend=0.25
    )
    made = room.made(request)
    path = Outputs(room.folder / "outputs").save(made.image, made.request, made.made_with)
    with Image.open(path) as file:
        text: str = file.text["parameters"]  # pyright: ignore[reportAttributeAccessIssue]
    assert "Postprocess upscaler: sharp," in text and "Postprocess upscaler 2: Bicubic" in text
    assert "Postprocess upscale by: 2," in text and "Postprocess upscaler hash: " in text
    reading = of_pasted(text)
    found = rebind(reading.request, reading.made_with, room.catalog, reading.ids).request
    assert replace(found, image=request.image, threads=0) == replace(made.request, threads=0)  # pyright: ignore[reportCallIssue]


def test_a_text_of_a1111_names_an_upscaler_that_is_here_or_not(room: Room) -> None:
    here = "Postprocess upscale to: 512x384, Postprocess upscaler: sharp, Postprocess upscaler 2: None"
    reading = of_pasted(here)
    found = rebind(reading.request, reading.made_with, room.catalog, reading.ids)
    assert found.request == Enlarge(by=BY_SIZE, width=512, height=384, upscaler=room.entry("sharp"))
    reading = of_pasted(here.replace("sharp", "R-ESRGAN 4x+"))
    found = rebind(reading.request, reading.made_with, room.catalog, reading.ids)
    assert found.request == Enlarge(by=BY_SIZE, width=512, height=384)
    assert any("The upscaler “R-ESRGAN 4x+” is not in the models folders; the filter stands in for it." in note for note in found.notes)


def test_its_details_name_the_upscaler(room: Room) -> None:
    made = room.made(Enlarge(image=room.inputs.keep(picture(20, 16)), upscaler=room.entry("sharp")))
    values = [
        value for group in details(made.request, made.made_with, ModelNames(room.catalog, made.made_with), {}).values() for value in group
    ]
    [upscaler] = [value for value in values if value.title == "Upscaler"]
    assert upscaler.text == "sharp" and len(upscaler.digest) == 10 and upscaler.note == ""


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda room: "gone", "not in the models folders any more"),
        (lambda room: room.entry("liar"), "“liar” cannot be used: This looks like an upscaler"),
        (lambda room: room.entry("broken"), "“broken” made numbers that are no colours"),
    ],
)
def test_what_cannot_be_made_is_a_sentence_and_the_next_job_works(room: Room, change: Callable[[Room], str], sentence: str) -> None:
    image = room.inputs.keep(picture(20, 16))
    with pytest.raises(UserError, match=sentence):
        room.made(Enlarge(image=image, upscaler=change(room)))
    assert room.made(Enlarge(image=image, upscaler=room.entry("soft"))).image.size == (40, 32)


def test_it_is_stopped_between_two_tiles_and_gives_its_upscaler_back(room: Room) -> None:
    request = Enlarge(image=room.inputs.keep(picture(200, 200)), upscaler=room.entry("soft"), upscaler_tile=48)
    [batch] = room.runner.batches(request)
    steps = 0
    for event in batch:
        steps += isinstance(event, Step)
        if steps == 3:
            assert [line.leases for line in room.runner.ledger] == [1]
            batch.close()
            break
    assert [line.leases for line in room.runner.ledger] == [0]


def test_memory_is_forecast_with_the_smallest_tile(room: Room) -> None:
    request = Enlarge(image=room.inputs.keep(picture(20, 16)), upscaler=room.entry("sharp"))
    roomy, poor = (forecast_of_tiles(request, room.catalog, Machine(host=10**9, device=device), ()) for device in (10**9, 10**5))
    assert roomy.fits and roomy.activations == 1.5 * 32**2 * room.catalog.model(request.upscaler).identity.bytes_a_pixel > 10**5
    assert not poor.fits and "Choose a smaller upscaler" in poor.advice
