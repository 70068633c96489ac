"""Prompts that change from step to step, drawn: bit for bit what the same steps give when prompts are switched by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models.diffusion_model import DiffusionModel
from models.families import SDXL
from pipelines.control.units import Controls
from pipelines.denoising.stepped import Masked
from pipelines.denoising.tiled import Tiled
from pipelines.images.masking import Box
from pipelines.images.store import Inputs
from pipelines.job_book.pace import work_of
from pipelines.prompts.asked import share_of_work
from pipelines.prompts.encode import Encodings, encode_prompts
from pipelines.requests.request import WEIGHTS_ALONE, Controlled, FirstPass, SecondPass, TextToImage
from pipelines.requests.steps import Steps
from pipelines.samplers import SAMPLERS, plan, sample
from pipelines.samplers.noise import ImageNoise
from pipelines.services.guests import work_of as guest_work
from pipelines.tasks.conditioning import Denoisers
from tests.support.controls import SIDE, holding, net_of, unit
from tests.support.drawing import SAMPLER_KINDS, pixels
from tests.support.toy_weights import load_toy_model, write_toy_model

pytestmark = pytest.mark.smoke

STEPS = 6
HOUSE, TREE = "a red house", "a green tree"
REQUEST = TextToImage(prompt=HOUSE, negative_prompt="mountains", steps=STEPS, seed=5, width=64, height=64)
Denoise = Callable[[Tensor, Tensor], Tensor]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("sd1")))


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("sdxl"), family=SDXL), family=SDXL)


def denoiser(request: TextToImage, model: DiffusionModel) -> Any:
    return Denoisers(request, model).whole()


class ByHand:
    """Asks another denoiser at each call, in the order of a list."""

    def __init__(self, calls: Sequence[Denoise]) -> None:
        self.left = list(calls)
        self.schedule: Any = None

    def begin(self, index: int, steps: Steps) -> None:
        """Nobody has to tell it."""

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self.left.pop(0)(x, sigma)

    def both(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        return self.left.pop(0).both(x, sigma)  # pyright: ignore[reportFunctionMemberAccess]  # a denoiser of ours


def sampled(request: TextToImage, denoise: Any, model: DiffusionModel) -> Tensor:
    """The clean latents, sampled without anything of ours but the sampler."""
    noise = ImageNoise([request.seed], (4, request.height // 8, request.width // 8), model.device.torch_device)
    sigmas = plan(request.sampler, request.schedule, request.steps, denoiser(REQUEST, model).schedule)
    x = noise.first() * sigmas[0]
    with torch.inference_mode():
        steps = Steps(request.steps)
        denoise.begin(0, steps)
        for moment in sample(request.sampler, denoise, x, sigmas, noise, trained=denoiser(REQUEST, model).schedule):
            denoise.begin(moment.index + 1, steps)
            x = moment.x
    return x


def calls_of(names: str, request: TextToImage, model: DiffusionModel) -> list[Denoise]:
    """h: a house, t: a tree."""
    with torch.inference_mode():
        known = {name: denoiser(replace(request, prompt=prompt), model) for name, prompt in (("h", HOUSE), ("t", TREE))}
    return [known[name] for name in names]


@pytest.mark.parametrize("sampler", SAMPLER_KINDS)
@pytest.mark.parametrize(
    ("prompt", "calls", "calls_of_two"),
    [
        (f"[{HOUSE}:{TREE}:3]", "hhhhtt", "hhhhttttttt"),  # the first call has number 0
        (f"[{HOUSE}:{TREE}:0.5]", "hhhhtt", "hhhhhhhtttt"),
        (f"[{HOUSE}|{TREE}]", "hhthth", "hhththththt"),
    ],
)  # fmt: skip
def test_a_schedule_draws_what_prompts_switched_by_hand_draw(
    sampler: str, prompt: str, calls: str, calls_of_two: str, model: DiffusionModel
) -> None:
    """Samplers with two calls a step count calls, and make one in the last step."""
    request = replace(REQUEST, sampler=sampler)
    spec = SAMPLERS[sampler]
    told = calls_of_two if spec.calls_per_step == 2 else calls
    if spec.more_calls:  # in the first step, of which the second stands where the next step begins
        told = calls[:2] + calls[1:]
    theirs = sampled(request, ByHand(calls_of(told, request, model)), model)
    with torch.inference_mode():
        ours = sampled(request, denoiser(replace(request, prompt=prompt), model), model)
    assert torch.equal(ours, theirs)


def test_a_recipe_draws_what_its_denoiser_gives_and_batches_are_the_same_one_by_one(model: DiffusionModel) -> None:
    request = replace(REQUEST, prompt=f"[{HOUSE}:{TREE}:3]")
    drawn = pixels(replace(request, batch_count=2, batch_size=2), model)
    assert drawn == [pixels(replace(request, seed=5 + index), model)[0] for index in range(4)]
    assert drawn[0] not in (pixels(REQUEST, model)[0], pixels(replace(REQUEST, prompt=TREE), model)[0])


@pytest.mark.parametrize(
    ("prompt", "plain"),
    [(f"[{HOUSE}:{TREE}:1.0]", HOUSE), (f"[{HOUSE}:{TREE}:0]", TREE), (f"{HOUSE} # no, {TREE}", HOUSE), (f"{HOUSE}, ~~{TREE}~~", HOUSE)],
)
def test_what_does_not_change_is_the_plain_prompt_bit_for_bit(prompt: str, plain: str, model: DiffusionModel) -> None:
    assert pixels(replace(REQUEST, prompt=prompt), model) == pixels(replace(REQUEST, prompt=plain), model)


def test_the_negative_prompt_and_a_refiner_change_along(model: DiffusionModel) -> None:
    changing = replace(REQUEST, negative_prompt=f"[{TREE}:snow:3]")
    plain = [denoiser(replace(REQUEST, negative_prompt=negative), model) for negative in (TREE, "snow")]
    theirs = sampled(REQUEST, ByHand([plain[place] for place in (0, 0, 0, 0, 1, 1)]), model)
    assert torch.equal(sampled(REQUEST, denoiser(changing, model), model), theirs)
    refined = replace(model, refiner=model)
    request = replace(REQUEST, prompt=f"[{HOUSE}:{TREE}:3]", refiner="same", refiner_start=0.3)
    assert pixels(request, refined) == pixels(replace(request, refiner=""), model)


def test_windows_and_masks_count_a_call_once(model: DiffusionModel) -> None:
    windows: list[Box] = [(0, 0, 8, 8), (4, 0, 12, 8)]
    request = replace(REQUEST, width=96, prompt=f"[{HOUSE}:{TREE}:3]")
    with torch.inference_mode():
        ours = sampled(request, Tiled(denoiser(request, model), windows), model)
        theirs = sampled(request, Tiled(ByHand(calls_of("hhhhtt", request, model)), windows), model)
        picture, mask = torch.zeros(1, 4, 8, 12), torch.ones(1, 1, 8, 12)
        masked = sampled(request, Masked(denoiser(request, model), picture, mask), model)
        by_hand = sampled(request, Masked(ByHand(calls_of("hhhhtt", request, model)), picture, mask), model)
    assert torch.equal(ours, theirs) and torch.equal(masked, by_hand)


# AND


def joined(weights: tuple[float, float], scale: float, model: DiffusionModel) -> tuple[Tensor, Tensor]:
    """The predicted latents of two joined prompts, and the closed form of each one's own: u + scale * sum of w (c - u)."""
    x, sigma = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1)), torch.tensor([3.0])
    text = " AND ".join(f"{prompt} :{weight}" for prompt, weight in zip((HOUSE, TREE), weights, strict=True))
    with torch.inference_mode():
        ours = denoiser(replace(REQUEST, prompt=text, guidance_scale=scale), model)(x, sigma)
        plain = [denoiser(replace(REQUEST, prompt=prompt, guidance_scale=1), model)(x, sigma) for prompt in (HOUSE, TREE, "mountains")]
    house, tree, against = plain
    return ours, against + scale * (weights[0] * (house - against) + weights[1] * (tree - against))


@pytest.mark.parametrize("weights", [(1, 1), (0.7, 0.3), (1.5, -0.5), (0, 2)])
@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_joined_prompts_push_away_from_the_negative_one_by_their_weights(
    weights: tuple[float, float], scale: float, model: DiffusionModel
) -> None:
    ours, closed_form = joined(weights, scale, model)
    torch.testing.assert_close(ours, closed_form, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("prompt", "scale"), [("a", 5.0), ("a AND b", 5.0), ("a AND b AND c :0.3", 5.0), ("a AND b", 1.0), ("[a:b:3] AND c", 5.0)]
)
def test_work_and_memory_count_the_samples_that_the_network_reads(prompt: str, scale: float, model: DiffusionModel) -> None:
    request = replace(REQUEST, prompt=prompt, guidance_scale=scale)
    read: list[int] = []
    hook = model.unet.register_forward_pre_hook(lambda _, given: read.append(len(given[0])))
    try:
        sampled(request, denoiser(request, model), model)
    finally:
        hook.remove()
    assert sum(read) == 2 * STEPS * share_of_work(request)
    plain = replace(request, prompt="a", guidance_scale=5.0)
    assert work_of(request) / work_of(plain) == guest_work(request) / guest_work(plain) == share_of_work(request)


def test_what_weighs_nothing_says_nothing_and_guidance_rescale_goes_by_all_that_is_joined(model: DiffusionModel) -> None:
    x, sigma = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1)), torch.tensor([3.0])

    def answer(prompt: str, rescale: float = 0.0) -> Tensor:
        with torch.inference_mode():
            return denoiser(replace(REQUEST, prompt=prompt, guidance_rescale=rescale), model)(x, sigma)

    torch.testing.assert_close(answer(f"{HOUSE} AND {TREE} :0"), answer(HOUSE), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(answer(f"{HOUSE} :0.5 AND {HOUSE} :0.5", 0.7), answer(HOUSE, 0.7), rtol=1e-4, atol=1e-4)


def test_joined_prompts_of_sdxl_in_windows_draw(sdxl: DiffusionModel) -> None:
    assert len(set(pixels(replace(REQUEST, steps=2, prompt=f"{HOUSE} AND [{TREE}|snow]:0.5"), sdxl))) == 1


# A second prompt for the second encoder


def test_the_second_encoder_of_sdxl_reads_the_second_prompt(sdxl: DiffusionModel) -> None:
    [both], [one], [other] = (encode_prompts(sdxl, [texts]) for texts in ((HOUSE, TREE), HOUSE, TREE))
    assert torch.equal(both.vectors[..., :32], one.vectors[..., :32]) and torch.equal(both.vectors[..., 32:], other.vectors[..., 32:])
    assert both.pooled is not None and other.pooled is not None and torch.equal(both.pooled, other.pooled)
    request = replace(REQUEST, steps=2)
    assert pixels(replace(request, second_prompt=HOUSE), sdxl) == pixels(request, sdxl)
    assert pixels(replace(request, second_prompt=f"[{TREE}:snow:1]"), sdxl) != pixels(request, sdxl)


def test_a_model_with_one_encoder_reads_the_prompt_alone(model: DiffusionModel) -> None:
    request = replace(REQUEST, steps=2)
    assert pixels(replace(request, second_prompt=TREE), model) == pixels(request, model)


# What did not change is not encoded again


def counted(model: DiffusionModel, draw: Callable[[DiffusionModel], object]) -> int:
    """How often text encoders were asked."""
    calls: list[object] = []
    with ExitStack() as stack:
        for encoder in model.text_encoders:
            hook = encoder.network.register_forward_hook(lambda *_: calls.append(None))
            stack.callback(hook.remove)
        draw(model)
    return len(calls)


def test_each_text_is_encoded_once_over_steps_batches_passes_and_jobs(model: DiffusionModel) -> None:
    keeping = replace(model, encodings=Encodings())
    request = replace(REQUEST, prompt=f"[{HOUSE}|{TREE}]", batch_count=2, batch_size=2)
    assert counted(keeping, lambda own: pixels(request, own)) == 3, "the negative prompt, and two others however often they take turns"
    assert counted(keeping, lambda own: pixels(replace(request, seed=99, guidance_scale=7), own)) == 0, "another job"
    assert counted(keeping, lambda own: pixels(replace(REQUEST, prompt="snow"), own)) == 1
    second = SecondPass(prompt=request.prompt, negative_prompt=request.negative_prompt, steps=STEPS, first=(FirstPass(steps=STEPS),))
    with torch.inference_mode():
        assert counted(keeping, lambda own: Denoisers(second, own)) == 0, "its second pass"


def test_whatever_changes_what_an_encoder_says_is_encoded_again(model: DiffusionModel) -> None:
    kept = Encodings()
    keeping = replace(model, encodings=kept)
    states: list[dict[str, Any]] = [{}, {"encoder_state": (("lora", "a", 0.5),)}, {"encoder_state": (("lora", "a", 0.6),)}]
    assert [counted(replace(keeping, **state), lambda own: encode_prompts(own, [HOUSE])) for state in states] == [1, 1, 1]
    assert counted(keeping, lambda own: encode_prompts(own, [HOUSE], clip_skip=2)) == 1
    assert counted(keeping, lambda own: encode_prompts(own, [f"({HOUSE}:1.2)"])) == 1
    assert counted(keeping, lambda own: encode_prompts(own, [HOUSE, "a BREAK b"])) == 2, "filled up to the length of the other"
    assert counted(keeping, lambda own: encode_prompts(own, [HOUSE])) == 0


def test_what_is_kept_is_bounded_and_ends_with_its_encoder(tmp_path: Path) -> None:
    own = replace(load_toy_model(write_toy_model(tmp_path)), encodings=Encodings(most=25_000))
    for word in ("a", "b", "c", "d"):
        encode_prompts(own, [word])
    known = own.encodings._known[own.text_encoder]
    assert 1 <= len(known) < 4 and sum(each.bytes for each in known.values()) <= 25_000
    assert counted(own, lambda model: encode_prompts(model, ["d"])) == 0 and counted(own, lambda model: encode_prompts(model, ["a"])) == 1


# Older pictures, and control


def test_an_older_picture_is_drawn_from_its_words_as_they_were_read(model: DiffusionModel) -> None:
    written = f"[{HOUSE}:{TREE}:3] AND snow"
    old = pixels(replace(REQUEST, steps=2, prompt=written, language=WEIGHTS_ALONE), model)
    assert old != pixels(replace(REQUEST, steps=2, prompt=written), model)
    weighed = f"({HOUSE}\\:{TREE}\\:3:{1 / 1.1}) and snow"  # the same words, as weak as square brackets make them
    assert old == pixels(replace(REQUEST, steps=2, prompt=weighed), model)


def test_control_units_steer_each_of_the_joined_prompts(model: DiffusionModel, tmp_path: Path) -> None:
    inputs = Inputs(tmp_path / "inputs")
    held = holding(model, net_of(model, 0))
    asked = Controlled(prompt=f"{HOUSE} AND {TREE} :0.5", negative_prompt="mountains", width=SIDE, height=SIDE, controls=(unit(inputs),))
    x, sigma = torch.randn(1, 4, SIDE // 8, SIDE // 8, generator=torch.Generator().manual_seed(1)), torch.tensor([3.0])

    def answer(request: Controlled) -> Tensor:
        with torch.inference_mode():
            denoise = Denoisers(request, held, Controls(request, held, inputs)).whole()
            denoise.begin(0, Steps(STEPS))
            return denoise(x, sigma)

    house, tree, against = (answer(replace(asked, prompt=prompt, guidance_scale=1)) for prompt in (HOUSE, TREE, "mountains"))
    closed_form = against + 5 * ((house - against) + 0.5 * (tree - against))
    torch.testing.assert_close(answer(asked), closed_form, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(answer(asked), answer(replace(asked, controls=())), rtol=1e-2, atol=1e-2), "the unit does something"
