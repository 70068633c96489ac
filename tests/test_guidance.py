"""Guidance from step to step: each technique against its closed form, at neutral values the very bits, and what it costs as it is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from models.memory.forecast import Machine
from pipelines.denoising.guidance import Guidance
from pipelines.inside.watch import Watch
from pipelines.job_book.pace import work_of
from pipelines.prompts.asked import is_guided, share_of_work
from pipelines.prompts.grammar import parse
from pipelines.requests.guidance import scale_at
from pipelines.requests.request import Drawing, TextToImage
from pipelines.requests.steps import Steps
from pipelines.resolving.resolve import resolve
from pipelines.services.time_lanes import lanes_of
from pipelines.tasks import conditioning
from pipelines.tasks.conditioning import Denoisers
from tests.support.card_toys import GB, given, write_library
from tests.support.kept import Drawings, branched, runner_with
from tests.support.toy_weights import CPU

STEPS = 6
REQUEST = TextToImage(prompt="a red house", negative_prompt="mountains", steps=STEPS, seed=5, width=64, height=64)


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drawings]:
    folder = tmp_path_factory.mktemp("guidance")
    yield Drawings(runner_with(write_library(folder).runner(CPU, Machine(host=GB)), folder / "outputs"))


@pytest.fixture(scope="module")
def model(drawings: Drawings) -> Iterator[DiffusionModel]:
    with drawings.runner.lent(TextToImage()) as lent:
        yield lent


def answer(request: Drawing, model: DiffusionModel, index: int = 0) -> Tensor:
    """The clean latents that are predicted at a step."""
    x, sigma = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1)), torch.tensor([3.0])
    denoise = Denoisers(request, model).whole()
    denoise.begin(index, Steps(request.steps))
    with torch.inference_mode():
        return denoise(x, sigma)


def drawn(request: TextToImage, drawings: Drawings) -> bytes:
    [picture] = drawings.of(request, keep=False)
    return picture.image.tobytes()


# ---- interval and curve --------------------------------------------------------------------------------------------------------


def test_the_curve_goes_from_the_first_guided_step_to_the_last() -> None:
    asked = replace(REQUEST, guidance_scale=8.0, guidance_end=2.0, guidance_from=0.2, guidance_until=0.7)

    def scales(curve: str) -> list[float | None]:
        return [scale_at(replace(asked, guidance_curve=curve), index, 10) for index in range(10)]

    around = [None, None], [None, None, None]
    assert scales("Steady") == [*around[0], 8.0, 8.0, 8.0, 8.0, 8.0, *around[1]]
    assert scales("Linear") == [*around[0], 8.0, 6.5, 5.0, 3.5, 2.0, *around[1]]
    assert scales("Late") == [*around[0], 8.0, 8 - 6 / 16, 6.5, 8 - 6 * 9 / 16, 2.0, *around[1]]
    assert scales("Cosine")[2:7] == pytest.approx([8.0, 5 + 3 * 0.5**0.5, 5.0, 5 - 3 * 0.5**0.5, 2.0])
    assert scales("Early")[2:7] == pytest.approx([8.0, 5.0, 8 - 6 * 0.5**0.5, 8 - 6 * 0.75**0.5, 2.0])
    assert scale_at(replace(asked, guidance_from=0.8, guidance_until=0.2), 5, 10) is None


@pytest.mark.parametrize("prompt", ["a red house", "a red house AND a green tree", "[a red house:a blue ball:3]"])
def test_outside_the_interval_the_prompt_is_alone_and_inside_all_is_as_ever(prompt: str, model: DiffusionModel) -> None:
    request = replace(REQUEST, prompt=prompt, guidance_from=0.34, guidance_until=0.67)
    plain = replace(REQUEST, prompt=prompt)
    for index in range(STEPS):
        alone = index not in (3,)
        expected = answer(replace(plain, guidance_scale=1.0) if alone else plain, model, index)
        assert torch.equal(answer(request, model, index), expected), index


def test_neutral_values_are_the_very_picture(drawings: Drawings) -> None:
    plain = drawn(REQUEST, drawings)
    assert drawn(replace(REQUEST, guidance_curve="Cosine", guidance_end=REQUEST.guidance_scale), drawings) == plain
    assert drawn(replace(REQUEST, guidance_from=0.5), drawings) != plain != drawn(replace(REQUEST, guidance_curve="Late"), drawings)


COSTS: dict[str, dict[str, Any]] = {
    "as ever": {},
    "guidance 1": {"guidance_scale": 1.0},
    "in the middle": {"guidance_from": 0.34, "guidance_until": 0.84},
    "nowhere": {"guidance_from": 1.0},
    "up from 1": {"guidance_scale": 1.0, "guidance_curve": "Linear", "guidance_end": 6.0},
    "joined": {"prompt": "a AND b", "guidance_until": 0.5},
    "a sampler of two calls": {"sampler": "Heun", "guidance_from": 0.5},
}


@pytest.mark.parametrize("name", COSTS)
def test_what_it_costs_is_counted_before_as_the_network_counts_it(name: str, drawings: Drawings, model: DiffusionModel) -> None:
    request = replace(REQUEST, **COSTS[name])
    rows: list[int] = []
    hook = model.unet.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
    try:
        drawn(request, drawings)
    finally:
        hook.remove()
    work = share_of_work(request) * 2 * STEPS
    assert sum(rows) == (2 * work - 2 if request.sampler == "Heun" else work), "the last step makes one call"
    assert is_guided(request) is (max(rows) > 1 or "AND" in request.prompt)
    assert work_of(request) / work_of(REQUEST) == share_of_work(request)


def test_the_time_line_and_the_film_tell_how_guidance_goes(drawings: Drawings) -> None:
    request = replace(REQUEST, guidance_scale=7.0, guidance_curve="Linear", guidance_end=2.0, guidance_from=0.17)
    [lane] = lanes_of(request, parse(request.prompt), drawings.runner.catalog)
    assert (lane.sort, lane.name, lane.strengths) == ("Guidance", "guidance", (0.0, 0.0, 7.0, *lane.strengths[3:5], 2.0))
    assert not lanes_of(REQUEST, parse(REQUEST.prompt), drawings.runner.catalog)


# ---- through the hook ----------------------------------------------------------------------------------------------------------


class Changing(Guidance):
    """Another guidance from a step on."""

    def scale(self, index: int, run: int) -> float | None:
        return 3.0 if index < 2 else 9.0


@pytest.mark.parametrize("sampler", ["Euler", "Heun", "DPM++ 2M SDE"])
def test_a_branch_with_another_guidance_is_the_whole_run_whose_guidance_changes_there(
    sampler: str, drawings: Drawings, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = TextToImage(**given(sampler=sampler, steps=5, guidance_scale=3.0))
    [trunk] = drawings.of(request)
    [branch] = drawings.of(resolve(branched(trunk, 2, guidance_scale=9.0), drawings.runner.catalog), keep=False)
    monkeypatch.setattr(conditioning, "Guidance", Changing)
    assert drawn(request, drawings) == branch.image.tobytes() != trunk.image.tobytes()


def test_a_branch_that_begins_to_guide_is_the_picture_whose_interval_begins_there(drawings: Drawings) -> None:
    request = TextToImage(**given(steps=6, guidance_scale=1.0))
    [trunk] = drawings.of(request)
    [branch] = drawings.of(resolve(branched(trunk, 3, guidance_scale=6.0), drawings.runner.catalog), keep=False)
    assert branch.image.tobytes() == drawn(replace(request, guidance_scale=6.0, guidance_from=0.5), drawings)


@pytest.mark.parametrize("sampler", ["Euler", "Heun"])
def test_what_goes_on_from_a_step_has_the_momentum_of_then(sampler: str, drawings: Drawings) -> None:
    request = TextToImage(**given(sampler=sampler, steps=5, guidance_scale=6.0, momentum=-0.7))
    [trunk] = drawings.of(request)
    again = resolve(branched(trunk, 3), drawings.runner.catalog)
    [branch] = drawings.of(again, keep=False)
    assert branch.image.tobytes() == trunk.image.tobytes() != drawn(replace(request, momentum=0.0), drawings)
    without = resolve(branched(trunk, 3, momentum=0.0), drawings.runner.catalog)
    assert drawn(without, drawings) != trunk.image.tobytes()  # type: ignore[arg-type]


def test_momentum_is_of_what_is_drawn_whole() -> None:
    with pytest.raises(UserError, match="APG momentum"):
        TextToImage(momentum=0.5, hires=True, hires_tiling="Windows").check()
    TextToImage(momentum=0.5, hires=True).check()


# ---- both branches -------------------------------------------------------------------------------------------------------------


def test_a_denoiser_offers_what_is_predicted_without_the_prompt(model: DiffusionModel) -> None:
    x, sigma = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1)), torch.tensor([3.0, 0.7])
    wide = replace(REQUEST, width=96)
    for request in (REQUEST, replace(REQUEST, guidance_scale=1.0), wide):
        latents = x.repeat(1, 1, 1, 2)[..., : request.width // 8]
        with torch.inference_mode():
            combined, without = Denoisers(request, model).whole().both(latents, sigma)
            said = replace(request, prompt=request.negative_prompt, guidance_scale=1.0)
            expected = Denoisers(said, model).whole()(latents, sigma)
            assert torch.equal(combined, Denoisers(request, model).whole()(latents, sigma))
        torch.testing.assert_close(without, combined if request.guidance_scale == 1 else expected, rtol=1e-4, atol=1e-4)


# ---- seen from inside ----------------------------------------------------------------------------------------------------------


def test_inside_sees_at_each_step_whether_the_negative_prompt_was_asked(model: DiffusionModel) -> None:
    request = replace(REQUEST, prompt="a red house AND a green tree", guidance_from=0.5)
    alone = replace(request, prompt="a red house")
    for each, guided in ((request, [True] * STEPS), (alone, [False] * 3 + [True] * 3)):
        watch = Watch(each)
        with watch.watching(model):
            for index in range(STEPS):
                answer(each, model, index)
                watch.made(index + 1)
        assert [seen.negative is not None for seen in watch.steps.values()] == guided
        assert len(watch.steps) == STEPS
