"""Steps that cells share: what is drawn on from another picture's steps is what would be drawn alone, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from models.memory.forecast import Machine
from pipelines.jobs.events import Picture
from pipelines.requests.remaining import Progress
from pipelines.requests.request import ControlUse, Drawing, Inpaint, LoraUse, TextToImage
from pipelines.resolving.resolve import resolve
from pipelines.runtime.sharing import BEFORE, Sharing
from pipelines.steps.alike import RULES, shared_steps
from tests.support.card_toys import GB, Workshop, given, write_library
from tests.support.kept import Drawings, runner_with
from tests.support.toy_weights import CPU


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drawings]:
    folder = tmp_path_factory.mktemp("sharing")
    yield Drawings(runner_with(write_library(folder).runner(CPU, Machine(host=GB)), folder / "outputs"))


def drawn(asked: Drawing, drawings: Drawings, shares: bool) -> Picture:
    """One picture, as a cell or alone."""
    drawings.steps_made, drawings.before, drawings._picture = [], [], -1
    found: list[Picture] = []
    for batch in drawings.runner.batches(resolve(asked, drawings.runner.catalog), Progress(shares=shares)):
        for event in batch:
            if event is not None:
                drawings._hear(event, keep=shares)
            found += [event] if isinstance(event, Picture) else []
    return found[0]


ASKED = {
    "words that change": ("prompt", "a [red:green:0.5] house", "a [red:blue:0.5] house", 4),  # A1111 counts calls from 0
    "words taken away": ("negative_prompt", "[a::0.5]", "[a:night:0.5]", 4),
    "guidance ends earlier": ("guidance_until", 1.0, 0.5, 3),
    "a third look where guidance begins": ("third_look", "None", "PAG", 3),
    "another VAE": ("vae", "", "flat", 6),
    "a unit that ends earlier": ("controls", 1.0, 0.5, 3),
    "the refiner comes earlier": ("refiner_start", 0.9, 0.7, 5),
}


def asked(name: str, which: int, workshop: Workshop, **more: Any) -> TextToImage:
    field, value = ASKED[name][0], ASKED[name][1 + which]
    if field == "controls":
        value = (replace(ControlUse(id=workshop.ids["lines"], image=workshop.other, preprocessor="Canny"), end=float(value)),)
    if field == "vae" and value:
        value = workshop.ids["soft"]
    refiner = {"refiner": workshop.ids["other"]} if field == "refiner_start" else {}
    late = {"guidance_from": 0.5} if field == "third_look" else {}
    return TextToImage(**given(steps=6, **{"prompt": "a red house"} | {field: value} | refiner | late | more))


@pytest.mark.parametrize("name", ASKED)
def test_a_cell_that_goes_on_from_shared_steps_is_the_picture_that_is_drawn_alone(name: str, drawings: Drawings) -> None:
    drawings.forget()
    drawings.runner.sharing = Sharing()
    workshop = Workshop(drawings.runner)
    one, other = (asked(name, which, workshop) for which in (0, 1))
    alone = drawn(other, drawings, shares=False)
    first = drawn(one, drawings, shares=True)
    again = drawn(other, drawings, shares=True)
    assert [step.before for step in drawings.before] == [BEFORE] * ASKED[name][3]
    assert len(drawings.steps_made) == 6 - ASKED[name][3]
    assert again.image.tobytes() == alone.image.tobytes() != first.image.tobytes()
    assert again.request == alone.request  # an ordinary picture with an ordinary record
    assert drawings.kept_of(again).places.keys() == {(0, index) for index in range(6)}, "it has all of its steps"


@pytest.mark.parametrize("sampler", ["Euler a", "DPM++ 2M SDE", "Heun", "UniPC"])
def test_every_sort_of_sampler_goes_on_as_it_would_alone(sampler: str, drawings: Drawings) -> None:
    drawings.forget()
    drawings.runner.sharing = Sharing()
    workshop = Workshop(drawings.runner)
    one, other = (asked("words that change", which, workshop, sampler=sampler) for which in (0, 1))
    alone = drawn(other, drawings, shares=False)
    drawn(one, drawings, shares=True)
    assert drawn(other, drawings, shares=True).image.tobytes() == alone.image.tobytes()
    assert len(drawings.before) in (3, 4)


def test_what_no_cell_is_shares_nothing_and_steps_that_are_gone_are_drawn(drawings: Drawings) -> None:
    drawings.forget()
    drawings.runner.sharing = Sharing()
    workshop = Workshop(drawings.runner)
    one, other = (asked("words that change", which, workshop) for which in (0, 1))
    drawn(one, drawings, shares=True)
    drawn(other, drawings, shares=False)
    assert drawings.before == []
    drawings.forget()
    drawn(other, drawings, shares=True)
    assert drawings.before == [] and len(drawings.steps_made) == 6


@contextmanager
def counted() -> Iterator[list[int]]:
    """How often the UNet is asked. Not by a hook, as what is listened to is asked every time."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    calls, forward = [0], UNet2DConditionModel.forward

    def called(*given: Any, **named: Any) -> Any:
        calls[0] += 1
        return forward(*given, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UNet2DConditionModel, "forward", called)
        yield calls


@pytest.mark.parametrize(
    ("changes", "spared"),
    [
        ({"guidance_scale": 3.0}, 1),
        ({"steps": 5, "sampler": "Heun", "schedule": "Karras"}, 1),
        ({"projection": 0.5, "guidance_curve": "Linear"}, 1),
        ({"seed": 8}, 0),
        ({"sigma_max": 8.0}, 0),
        ({"guidance_scale": 1.0}, 0),
        ({"negative_prompt": "blue"}, 0),
        ({"free_u": 1.0}, 0),
        ({"third_look": "SAG"}, 0),
        ({"loras": "ink"}, 0),
    ],
)
def test_cells_that_begin_with_the_same_question_are_answered_once(changes: dict[str, Any], spared: int, drawings: Drawings) -> None:
    drawings.forget()
    drawings.runner.sharing = Sharing()
    if "loras" in changes:
        changes = {"loras": (LoraUse(id=Workshop(drawings.runner).ids["ink"], unet=0.7),)}
    one = TextToImage(**given(steps=3, prompt="a red house", sampler="Euler"))
    other = replace(one, **changes)
    with counted() as calls:
        alone, asked = drawn(other, drawings, shares=False), calls[0]
    first = drawn(one, drawings, shares=True)
    with counted() as calls:
        again = drawn(other, drawings, shares=True)
    assert calls[0] == asked - spared
    assert again.image.tobytes() == alone.image.tobytes() != first.image.tobytes()
    assert again.request == alone.request


def test_how_many_steps_two_requests_share() -> None:
    base = TextToImage(steps=10, prompt="a [b:c:0.5]")
    for changes, steps in (
        ({"prompt": "a [b:d:0.5]"}, 6),
        ({"prompt": "a  [b:c:0.5]"}, 0),
        ({"prompt": "a [b:c:5]"}, 10),  # another way of saying the same
        ({"prompt": "a [b:c:7]"}, 6),
        ({"steps": 11}, 0),
        ({"guidance_scale": 6.0}, 0),
        ({"guidance_until": 0.7}, 7),
        ({"guidance_curve": "Linear", "guidance_end": 9.0}, 1),
        ({"guidance_scale": 1.0}, 0),
        ({"zero_star": True}, 0),
        ({"free_u": 0.5}, 0),
        ({"seed": 4}, 0),
        ({"vae": "x"}, 10),
        ({"hires": True, "hires_steps": 4, "enlarged_by": "x"}, 10),
        ({"refiner": "x", "refiner_start": 0.7}, 7),
        ({"vae": "x", "prompt": "a [b:d:0.5]"}, 6),
        ({"batch_size": 2}, 0),
        ({"prompt": "a [b:c:0.5] AND d"}, 0),
    ):
        assert shared_steps(base, replace(base, **changes)) == steps == shared_steps(replace(base, **changes), base), changes  # type: ignore[arg-type]
    assert shared_steps(Inpaint(image="a" * 64), Inpaint(image="a" * 64, vae="x")) == 0, "it reads the picture, too"
    assert all(name in base.__dataclass_fields__ for name in RULES)
