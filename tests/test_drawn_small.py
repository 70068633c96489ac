"""Pictures that are drawn small and enlarged at once: their pixels, their records, their texts there and back, and what goes wrong."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from models.errors import UserError
from models.library.catalog import Catalog
from models.library.checkpoint import STARTER, STARTER_UPSCALER
from models.memory.forecast import Machine
from models.tensors.header import read_header
from models.upscalers.architectures import recognised
from pipelines import Studio
from pipelines.images.store import Inputs
from pipelines.job_book.book import JobBook
from pipelines.jobs.events import Picture
from pipelines.jobs.outputs import Outputs
from pipelines.metadata.picture_settings import inspect, of_pasted
from pipelines.requests.request import (
    Controlled,
    Details,
    Drawing,
    Enlarge,
    ImageToImage,
    Inpaint,
    Outpaint,
    Request,
    SecondPass,
    TextToImage,
    describe,
    limits,
    restore,
)  # fmt: skip
from pipelines.resolving.details import details, picture_facts
from pipelines.resolving.model_names import ModelNames
from pipelines.resolving.rebind import rebind
from pipelines.resolving.resolve import resolve
from pipelines.runtime.runner import OWN, ModelRunner
from pipelines.services.guests import room_of, work_of
from pipelines.services.preflight import preflight
from pipelines.services.uploads import Taken
from pipelines.tasks import drawn_small
from tests.support.toy_weights import CPU, write_toy_model
from tests.support.toys import ToyPainter
from tests.support.upscaler_toys import picture
from ui.parts.choices import choices
from ui.parts.controls import starting_values
from ui.parts.form import Form
from ui.parts.sent import as_picture, as_second_pass

NAME = "Starter x4"
PLAIN = TextToImage(prompt="a red house", seed=5, steps=2, width=72, height=64, checkpoint=STARTER)
SMALL = replace(PLAIN, enlarged_by=STARTER_UPSCALER)
LARGE = (288, 256)


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_toy_model(tmp_path_factory.mktemp("starter"))
    shutil.copy(OWN / "upscaler.safetensors", folder)
    return folder


@pytest.fixture(scope="module")
def runner(starter: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelRunner:
    return opened(starter, tmp_path_factory.mktemp("room"))


@pytest.fixture(scope="module")
def drawn(runner: ModelRunner) -> Picture:
    return made(runner, SMALL)[0]


def opened(starter: Path, folder: Path) -> ModelRunner:
    catalog = Catalog(starter, [folder])
    catalog.rescan(wait=True)
    return ModelRunner(catalog, CPU, Machine(host=10**9), Inputs(folder / "inputs"))


def made(runner: ModelRunner, request: Request) -> list[Picture]:
    return list(events(runner, request))


def events(runner: ModelRunner, request: Request) -> Iterator[Picture]:
    for batch in runner.batches(resolve(request, runner.catalog)):
        yield from (event for event in batch if isinstance(event, Picture))


def saved(found: Picture, folder: Path) -> Path:
    return Outputs(folder).save(found.image, found.request, found.made_with)


def as_drawn(runner: ModelRunner, found: Picture) -> Image.Image:
    assert isinstance(found.request, TextToImage | ImageToImage | Controlled)
    return runner.inputs.open(found.request.as_drawn)


def test_it_is_what_enlarge_makes_of_the_same_drawing_which_is_kept(runner: ModelRunner, drawn: Picture) -> None:
    [plain] = made(runner, PLAIN)
    assert as_drawn(runner, drawn).tobytes() == plain.image.tobytes() and plain.image.size == (72, 64)
    enlarge = Enlarge(image=runner.inputs.keep(plain.image), upscaler=STARTER_UPSCALER, factor=4)
    assert drawn.image.size == LARGE and drawn.image.tobytes() == made(runner, enlarge)[0].image.tobytes()
    assert {line.kind: line.leases for line in runner.ledger} == {"checkpoint": 0, "upscaler": 0}


def test_its_file_makes_it_again_wherever_the_upscaler_lies(drawn: Picture, starter: Path, tmp_path: Path) -> None:
    path = saved(drawn, tmp_path)
    other = shutil.copytree(starter, tmp_path / "starter")
    (tmp_path / "upscalers").mkdir()
    (other / "upscaler.safetensors").rename(tmp_path / "upscalers" / "another name.safetensors")
    moved, reading = opened(other, tmp_path), inspect(path)
    found = rebind(reading.request, reading.made_with, moved.catalog)
    assert found.notes == () and isinstance(found.request, TextToImage)
    assert found.request.enlarged_by not in ("", STARTER_UPSCALER) and found.request.enlarged_tile >= 72
    assert found.request.as_drawn == "", "that comes of it anew, and need not be there"
    assert made(moved, found.request)[0].image.tobytes() == drawn.image.tobytes()
    assert resolve(replace(found.request, prompt="a blue house"), moved.catalog).enlarged_tile == 0


def test_a_record_from_before_is_of_a_picture_that_is_kept_as_it_is_drawn() -> None:
    told = describe(PLAIN)
    before = {name: value for name, value in told.items() if name not in ("enlarged_by", "enlarged_tile", "as_drawn")}
    assert len(before) == len(told) - 3 and restore(before) == PLAIN


def test_its_text_names_the_upscaler_and_brings_it_back(runner: ModelRunner, drawn: Picture, tmp_path: Path) -> None:
    with Image.open(saved(drawn, tmp_path)) as file:
        text: str = file.text["parameters"]  # pyright: ignore[reportAttributeAccessIssue]
    assert "Size: 72x64, " in text and f"Enlarged by: {NAME}, " in text and "Enlarged by hash: " in text
    reading = of_pasted(text)
    found = rebind(reading.request, reading.made_with, runner.catalog, reading.ids)
    assert isinstance(found.request, TextToImage) and found.request.enlarged_by == STARTER_UPSCALER
    assert (found.notes, reading.unknown) == ((), {})


def test_a_second_pass_takes_its_place(runner: ModelRunner) -> None:
    [first] = made(runner, replace(SMALL, hires=True))
    assert first.image.size == (72, 64) and "Enlarged by" not in first.made_with


def test_rounds_of_a_loopback_go_on_from_what_was_drawn(runner: ModelRunner) -> None:
    begins = runner.inputs.keep(picture(72, 64))
    asked = ImageToImage(prompt="a house", seed=5, steps=2, width=72, height=64, image=begins, loops=2, enlarged_by=STARTER_UPSCALER)
    first, second = made(runner, asked)
    assert first.image.size == second.image.size == LARGE
    assert isinstance(first.request, ImageToImage) and isinstance(second.request, ImageToImage)
    assert second.request.image == first.request.as_drawn


def test_where_it_cannot_be_enlarged_it_is_kept_as_it_was_drawn(runner: ModelRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> object:
        raise UserError("There is no memory.")

    monkeypatch.setattr(drawn_small, "upscaled", full)
    found = events(runner, SMALL)
    kept = next(found)
    assert kept.image.size == (72, 64) and isinstance(kept.request, TextToImage) and kept.request.enlarged_by == ""
    with pytest.raises(UserError, match="kept as it was drawn; it could not be enlarged"):
        next(found)


def test_what_cannot_be_is_said_before_anything_is_drawn(runner: ModelRunner) -> None:
    for other, why in ((STARTER, "is not an upscaler"), ("gone", "not in the models folders any more")):
        with pytest.raises(UserError, match=why):
            resolve(replace(PLAIN, enlarged_by=other), runner.catalog)
    huge = ImageToImage(width=4096, height=4096, tiling="Windows", enlarged_by=STARTER_UPSCALER)
    with pytest.raises(UserError, match="would become 16,384 × 16,384; 100 megapixels are the most"):
        resolve(huge, runner.catalog)


def test_both_sizes_are_said_before_it_and_after_it(runner: ModelRunner, drawn: Picture) -> None:
    entry = runner.catalog.model(STARTER_UPSCALER)
    asked = ImageToImage(width=72, height=64, enlarged_by=STARTER_UPSCALER)
    assert f"Drawn at 72 × 64, then enlarged to 288 × 256 by “{NAME}”." in preflight(asked, (72, 64), None, entry).lines
    facts = picture_facts("today", (72, 64), LARGE, "", TextToImage.title, NAME)
    groups = details(drawn.request, drawn.made_with, ModelNames(runner.catalog, drawn.made_with), facts)
    told = {value.title: value for values in groups.values() for value in values}
    assert told["Size of the picture"].text == f"72 × 64, enlarged to 288 × 256 by {NAME}"
    assert told["Enlarged by"].text == NAME and len(told["Enlarged by"].digest) == 10
    assert isinstance(drawn.request, TextToImage) and told["As drawn"].pictures == (drawn.request.as_drawn,)


def test_a_guest_is_counted_the_work_and_the_room_of_the_large_picture() -> None:
    pixels: Drawing = SMALL
    assert work_of(pixels) == pytest.approx(work_of(PLAIN) + 16 * 20 * 72 * 64 / 1e6)
    assert room_of(pixels) == room_of(PLAIN) + 16 * 3 * 72 * 64


def test_the_starters_forms_begin_with_it_and_no_other_checkpoints(tmp_path: Path) -> None:
    catalog, book = Catalog(OWN), JobBook(tmp_path / "studio.db", tmp_path)
    catalog.rescan(wait=True)
    studio = Studio(catalog, Outputs(tmp_path), book, ToyPainter)
    [entry] = studio.checkpoints(TextToImage.kind)
    for kind in (TextToImage, ImageToImage, Controlled):
        assert starting_values(kind, entry)["enlarged_by"] == STARTER_UPSCALER
        assert starting_values(kind, replace(entry, defaults={}))["enlarged_by"] == ""
    assert choices(studio, TextToImage, "enlarged_by", entry.id) == [("None: as it is drawn", ""), (NAME, STARTER_UPSCALER)]
    book.close()


def test_the_starters_upscaler_is_there_from_the_first_moment_and_is_what_spandrel_would_say() -> None:
    """Whoever presses Generate at once is not told that it is missing."""
    told = Catalog(OWN).model(STARTER_UPSCALER)
    path = OWN / "upscaler.safetensors"
    assert (told.name, told.usable) == (NAME, True) and told.identity == recognised(path, read_header(path))


ENLARGED, DRAWN = "e" * 64, "d" * 64


def sent(kind: type[Request]) -> dict[str, Any]:
    """What the form of a tab is filled with when an enlarged picture is sent there."""
    checkpoint = SimpleNamespace(id=STARTER, native_size=128, family_key="sd1", variant="")
    uploads = SimpleNamespace(
        adopt=lambda record, user, transparent=False: Taken(ENLARGED, 768, 512), find=lambda own, user: own, size=lambda own: (192, 128)
    )
    house: Any = SimpleNamespace(uploads=uploads, checkpoints=lambda kind="": [checkpoint], first_pass=lambda record, image: ())
    form: Any = object.__new__(Form)
    object.__setattr__(form, "kind", kind)
    object.__setattr__(form, "inputs", {name: name for name in ("image", "width", "height") if name in limits(kind)})
    request = TextToImage(width=192, height=128, enlarged_by=STARTER_UPSCALER, as_drawn=DRAWN)
    record: Any = SimpleNamespace(request=request)
    updates: Any = (as_second_pass if kind is SecondPass else as_picture)(house, form, record, "me")
    return {str(name): update["value"] for name, update in updates.items()}


@pytest.mark.parametrize(
    ("kind", "image"), [(Inpaint, ENLARGED), (Details, ENLARGED), (ImageToImage, ENLARGED), (SecondPass, DRAWN), (Outpaint, DRAWN)]
)
def test_what_goes_on_from_the_drawing_is_sent_it_and_what_changes_the_picture_is_sent_that(kind: type[Request], image: str) -> None:
    assert sent(kind)["image"] == image


def test_it_is_drawn_over_at_the_size_at_which_it_was_drawn() -> None:
    assert (sent(ImageToImage)["width"], sent(ImageToImage)["height"]) == (192, 128)
