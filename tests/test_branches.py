"""Branches: a drawing goes on from any step of a picture, bit for bit, whether its steps were kept or are drawn once more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from models.errors import UserError
from models.memory.forecast import Machine
from pipelines.denoising.stepped import Masked
from pipelines.requests.branch import DEEPEST, Branch
from pipelines.requests.request import Drawing, Inpaint, LoraUse, TextToImage, describe, input_ids, restore
from pipelines.requests.steps import Steps
from pipelines.resolving.resolve import resolve
from pipelines.runtime.trunks import BEFORE
from pipelines.samplers import SAMPLERS
from pipelines.tasks.recipes import DRAWN
from tests.support.card_toys import DRAWINGS, GB, Workshop, given, write_library
from tests.support.drawing import SAMPLER_KINDS
from tests.support.kept import Drawings, branched, runner_with
from tests.support.toy_weights import CPU


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drawings]:
    folder = tmp_path_factory.mktemp("branches")
    yield Drawings(runner_with(write_library(folder).runner(CPU, Machine(host=GB)), folder / "outputs"))


@pytest.fixture(scope="module")
def workshop(drawings: Drawings) -> Workshop:
    return Workshop(drawings.runner)


def asked(name: str, workshop: Workshop, drawings: Drawings) -> Drawing:
    return resolve(DRAWINGS[name](workshop), drawings.runner.catalog)


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_branch_with_nothing_changed_is_the_picture_bit_for_bit(name: str, drawings: Drawings, workshop: Workshop) -> None:
    """Of every kind, from its kept steps: the last picture of the batch, alone, from where its first and its last run begin and end."""
    drawings.forget()
    *_, picture = drawings.of(asked(name, workshop, drawings))
    legs = drawings.steps_made
    runs = [[each for each in legs if each[0] == leg] for leg in sorted({0, max(leg for leg, _ in legs)})]
    for leg, index in [each for run in runs for each in run[:: max(1, len(run) - 1)]]:
        [again] = drawings.of(resolve(branched(picture, index + 1, leg), drawings.runner.catalog))
        assert again.image.tobytes() == picture.image.tobytes(), (leg, index)
        assert not [step for step in drawings.before if step.index == 0], "the steps were kept"
        assert drawings.steps_made == [each for each in legs if each > (leg, index)][: len(drawings.steps_made)]


def test_every_recipe_is_among_them(workshop: Workshop) -> None:
    assert {drawing(workshop).kind for drawing in DRAWINGS.values()} == {*DRAWN}


@pytest.mark.parametrize("sampler", SAMPLER_KINDS)
def test_every_kind_of_sampler_goes_on_from_every_step_in_a_batch(sampler: str, drawings: Drawings) -> None:
    drawings.forget()
    _, picture = drawings.of(TextToImage(**given(sampler=sampler, steps=4, batch_size=2)))  # whose noise is not the first of the batch
    for step in range(1, 5):
        [again] = drawings.of(resolve(branched(picture, step), drawings.runner.catalog), keep=False)
        assert again.image.tobytes() == picture.image.tobytes(), step
        assert len(drawings.steps_made) == 4 - step or step == 4


# One step at a time, with noise, with two calls each: kept or drawn once more. How each sampler goes on is asked above.
SAID = [("DPM++ 2M", True), ("DPM++ 2M", False), ("Euler a", True), ("DPM++ 2S a", True), ("DPM++ 2S a", False)]


@pytest.mark.parametrize(("sampler", "kept"), SAID)
def test_what_is_said_from_a_step_on_is_what_a_schedule_says(sampler: str, kept: bool, drawings: Drawings) -> None:
    drawings.forget()
    calls = SAMPLERS[sampler].calls_per_step
    [day] = drawings.of(TextToImage(**given(sampler=sampler, steps=6, prompt="a red house")), keep=kept)
    for step in (2, 4):
        both = f"[a red house:a blue ball:{calls * step - 1}]"
        [whole] = drawings.of(TextToImage(**given(sampler=sampler, steps=6, prompt=both)), keep=False)
        [night] = drawings.of(resolve(branched(day, step, prompt="a blue ball"), drawings.runner.catalog), keep=False)
        assert night.image.tobytes() == whole.image.tobytes() != day.image.tobytes()
        assert bool([event for event in drawings.before if event.index == 0]) is not kept


@pytest.mark.parametrize("what", ["LoRA", "control"])
def test_what_acts_from_a_step_on_is_as_if_it_had_been_told_to(what: str, drawings: Drawings, workshop: Workshop) -> None:
    drawings.forget()
    asked = TextToImage(**given(steps=6))
    late: dict[str, Any]
    if what == "LoRA":
        use = LoraUse(id=workshop.ids["ink"], unet=0.7, text_encoder=0.0)
        late, timed = {"loras": (use,)}, {"loras": (replace(use, pace="0@0, 0@2, 1@3"),)}
    else:
        late, timed = {"controls": (workshop.unit(),)}, {"controls": (workshop.unit(start=0.5),)}
    [plain] = drawings.of(asked)
    [whole] = drawings.of(resolve(replace(asked, **timed), drawings.runner.catalog), keep=False)
    [branch] = drawings.of(resolve(branched(plain, 3, **late), drawings.runner.catalog), keep=False)
    assert branch.image.tobytes() == whole.image.tobytes() != plain.image.tobytes()


def test_a_control_strength_that_changes_at_a_step_is_that_of_two_units_one_behind_the_other(
    drawings: Drawings, workshop: Workshop
) -> None:
    """A full run: one unit of the weight of before that ends there, and one of the new weight that begins there."""
    drawings.forget()
    asked = TextToImage(**given(steps=6, controls=(workshop.unit(weight=0.4),)))
    both = (workshop.unit(weight=0.4, end=0.5), workshop.unit(weight=1.3, start=0.5))
    [before] = drawings.of(resolve(asked, drawings.runner.catalog))
    [whole] = drawings.of(resolve(replace(asked, controls=both), drawings.runner.catalog), keep=False)
    [branch] = drawings.of(resolve(branched(before, 3, controls=(workshop.unit(weight=1.3),)), drawings.runner.catalog), keep=False)
    assert branch.image.tobytes() == whole.image.tobytes() != before.image.tobytes()


def test_a_mask_that_changes_at_a_step_is_that_of_a_run_whose_mask_changes_there(
    drawings: Drawings, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No request can say so, so the run is driven here: by the other mask, with that of before put in its place for three steps."""
    drawings.forget()
    asked = Inpaint(**workshop.masked | {"steps": 6})
    other = replace(asked, inverted=True)
    begin, masks = Masked.begin, list[Any]()

    def hear(self: Masked, index: int, steps: Steps) -> None:
        begin(self, index, steps)
        masks.append(self._mask)

    with monkeypatch.context() as patch:
        patch.setattr(Masked, "begin", hear)
        [before] = drawings.of(resolve(asked, drawings.runner.catalog))
    first = masks[0]

    def turn(self: Masked, index: int, steps: Steps) -> None:
        begin(self, index, steps)
        now = index - steps.skipped
        own.setdefault(id(self), self._mask)
        self._mask = first if now < 3 else own[id(self)]

    own: dict[int, Any] = {}
    with monkeypatch.context() as patch:
        patch.setattr(Masked, "begin", turn)
        [whole] = drawings.of(resolve(other, drawings.runner.catalog), keep=False)
    [plain] = drawings.of(resolve(other, drawings.runner.catalog), keep=False)
    [branch] = drawings.of(resolve(branched(before, 3, inverted=True), drawings.runner.catalog), keep=False)
    assert branch.image.tobytes() == whole.image.tobytes() not in (before.image.tobytes(), plain.image.tobytes())


ONCE_MORE = (
    "text, with all that is added",
    "picture, tile by tile",
    "inpainting, soft",
    "outpainting",
    "details",
    "control",
    "depth",
    "second pass",
)


@pytest.mark.parametrize("name", ONCE_MORE)
def test_without_its_steps_they_are_drawn_once_more_which_is_told(name: str, drawings: Drawings, workshop: Workshop) -> None:
    drawings.forget()
    *_, picture = drawings.of(asked(name, workshop, drawings), keep=False)
    legs = drawings.steps_made
    for leg, index in (legs[1], legs[-2]):
        [again] = drawings.of(resolve(branched(picture, index + 1, leg), drawings.runner.catalog), keep=False)
        assert again.image.tobytes() == picture.image.tobytes()
        assert {event.before for event in drawings.before} == {BEFORE}
        assert len([event for event in drawings.before if event.state]) == legs.index((leg, index)) + 1, "and not one step more"


def test_a_branch_of_a_branch_is_drawn_from_its_record_alone(drawings: Drawings) -> None:
    drawings.forget()
    catalog = drawings.runner.catalog
    [day] = drawings.of(TextToImage(**given(steps=6)))
    [dusk] = drawings.of(resolve(branched(day, 2, prompt="a blue ball"), catalog))
    for step in (1, 2, 4):
        drawings.forget()
        night = resolve(branched(dusk, step, prompt="snow"), catalog)
        [alone] = drawings.of(restore(describe(night)), keep=False)
        drawings.of(TextToImage(**given(steps=6)))
        drawings.of(resolve(branched(day, 2, prompt="a blue ball"), catalog))
        [from_kept] = drawings.of(night, keep=False)
        assert alone.image.tobytes() == from_kept.image.tobytes() != dusk.image.tobytes()
    assert len(drawings.kept_of(dusk).places) == 6, "with those before the branch"


def test_what_was_predicted_at_a_step_becomes_a_picture(drawings: Drawings) -> None:
    drawings.forget()
    [picture] = drawings.of(TextToImage(**given(steps=6, sampler="Heun")))
    shown = {step: resolve(branched(picture, step, shown=True), drawings.runner.catalog) for step in (1, 3, 6)}
    kept = {step: drawings.of(request, keep=False)[0] for step, request in shown.items()}
    assert drawings.steps_made == []
    drawings.forget()
    for step, early in kept.items():
        for request in (shown[step], early.request):  # and by its own record
            [again] = drawings.of(request, keep=False)
            assert again.image.tobytes() == early.image.tobytes()
    assert kept[6].image.tobytes() == picture.image.tobytes()
    assert len({early.image.tobytes() for early in kept.values()}) == 3


# ---- what cannot be ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"steps": 7}, "Steps"),
        ({"seed": 6}, "Seed"),
        ({"width": 72}, "Width"),
        ({"sampler": "Euler"}, "Sampler"),
        ({"schedule": "Karras"}, "Schedule"),
        ({"variation_strength": 0.3}, "Variation"),
        ({"batch_size": 2}, "one picture"),
    ],
)
def test_what_the_noise_comes_of_stays_as_it_is(changes: dict[str, Any], named: str, drawings: Drawings) -> None:
    [picture] = drawings.of(TextToImage(**given(steps=3)), keep=False)
    with pytest.raises(UserError, match=named):
        resolve(branched(picture, 1, **changes), drawings.runner.catalog)


def test_there_is_no_branch_after_the_last_step_nor_from_another_kind_nor_family(drawings: Drawings, workshop: Workshop) -> None:
    [picture] = drawings.of(TextToImage(**given(steps=3)), keep=False)
    catalog = drawings.runner.catalog
    with pytest.raises(UserError, match="There is no step 4"):
        resolve(branched(picture, 4), catalog)
    with pytest.raises(UserError, match="SDXL"):
        resolve(branched(picture, 1, checkpoint=workshop.ids["large"]), catalog)
    use = branched(picture, 1).branch
    with pytest.raises(UserError, match="Text to image"):
        resolve(Inpaint(**workshop.masked, branch=use), catalog)


def test_branches_of_branches_end_somewhere(drawings: Drawings) -> None:
    request: Drawing = TextToImage(**given(steps=3))
    for _ in range(DEEPEST + 1):
        request = replace(request, branch=(Branch(of=request, step=1),))
    with pytest.raises(UserError, match="branch of a branch"):
        resolve(request, drawings.runner.catalog)
    with pytest.raises(UserError, match="branch of a branch"):
        restore(describe(request))


def test_a_branch_whose_model_is_gone_says_so_unless_its_steps_are_kept(drawings: Drawings) -> None:
    drawings.forget()
    catalog = drawings.runner.catalog
    [picture] = drawings.of(TextToImage(**given(steps=3)))
    wanted = branched(picture, 2)
    gone = replace(wanted.branch[0], made_with=wanted.branch[0].made_with.replace('"Model hash": "', '"Model hash": "0'))
    assert len(drawings.of(resolve(wanted, catalog), keep=False)) == 1
    with pytest.raises(UserError, match="to draw them once more"):
        drawings.of(resolve(replace(wanted, branch=(gone,)), catalog))


def test_the_pictures_that_what_it_branches_from_names_are_its_own_too(workshop: Workshop) -> None:
    trunk = Inpaint(**workshop.masked)
    assert input_ids(TextToImage(branch=(Branch(of=trunk, step=1),))) == {workshop.picture, workshop.mask}


@pytest.mark.parametrize("damage", ["cut", "other version", "noise", "empty"])
def test_steps_that_cannot_be_read_are_drawn_once_more(damage: str, drawings: Drawings) -> None:
    drawings.forget()
    [picture] = drawings.of(TextToImage(**given(steps=4)))
    [file] = drawings.kept.folder.glob("*.steps")
    data = file.read_bytes()
    at = len(data) - 300  # within the numbers of the last step
    changed = {
        "cut": data[:-2000],
        "other version": data[:8] + b"\xff" + data[9:],
        "noise": data[:at] + bytes(byte ^ 255 for byte in data[at : at + 100]) + data[at + 100 :],
        "empty": b"",
    }
    file.write_bytes(changed[damage])
    [again] = drawings.of(resolve(branched(picture, 4), drawings.runner.catalog), keep=False)
    assert again.image.tobytes() == picture.image.tobytes()
    assert [event for event in drawings.before if event.index == 0], "drawn once more"
