"""LoRAs whose strength changes over the steps: as they are written elsewhere, and bit for bit what each strength by itself gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from models.patches import applied
from pipelines.prompts.tags import Tag, take_tags, write_tags
from pipelines.requests.pace import read_pace, shared, weights
from pipelines.requests.request import LoraUse, TextToImage
from pipelines.requests.steps import Steps
from pipelines.samplers import plan, sample
from pipelines.samplers.noise import ImageNoise
from pipelines.tasks.conditioning import Denoisers
from tests.support.lora_fixtures import nothing_is_left_changed, sd1
from tests.support.lora_kinds import lora_of, low_rank

__all__ = ["nothing_is_left_changed", "sd1"]
pytestmark = pytest.mark.smoke

REQUEST = TextToImage(prompt="a red house", negative_prompt="snow", sampler="Euler", steps=5, seed=5, width=64, height=64)


@pytest.mark.parametrize(
    ("text", "unet", "text_encoder", "pace"),
    [
        ("<lora:ink:0@0,0.8@0.5>", 0.8, 0.8, "0@0, 1@0.5"), ("<lora:ink:0.5:0@0;1@1>", 1, 0.5, "0@0, 1@1"),
        ("<lora:ink:unet=1~0,-2~8:te=0.3>", -2, 0.3, "-0.5@0, 1@8"), ("<lora:ink:0.7@0.3>", 0.7, 0.7, ""),
        ("<lora:ink:1,0@0>", 1, 1, "0@0, 1@1"),
    ],
)  # fmt: skip
def test_weights_over_the_steps_are_read_as_sd_next_writes_them(text: str, unet: float, text_encoder: float, pace: str) -> None:
    assert take_tags(text) == ("", [Tag("lora", "ink", unet, text_encoder, "", pace)])


@pytest.mark.parametrize("text", ["0@0,much@1", "1@", "@1", "1@-1", "1@0,,2@1", "nan@0", "1@1e5", "0@0," * 30 + "1@1"])
def test_what_is_no_weight_over_the_steps_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UserError, match=r"like 0@0, 1@0\.5"):
        take_tags(f"<lora:ink:{text}@1>" if "@" not in text else f"<lora:ink:{text}>")
    with pytest.raises(UserError, match="4 times"):
        read_pace("5@0, 1@1")


@given(st.lists(st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.integers(-20, 20).map(lambda n: n / 10)), min_size=2, max_size=6))
def test_a_tag_that_is_written_again_says_the_same(points: list[tuple[float, float]]) -> None:
    unique = sorted(dict(points).items())
    strength, pace = shared(unique)
    use = LoraUse(name="ink", unet=strength, text_encoder=0.25, pace=pace)
    _, [tag] = take_tags(write_tags([use]))
    assert (tag.unet, tag.text_encoder, tag.pace) == (pytest.approx(strength), 0.25, pace)
    if pace:
        assert weights(strength, pace).count("@") == len(unique)


def test_between_two_places_the_strength_goes_in_a_straight_line() -> None:
    rising = read_pace("0@0, 1@0.5")
    assert rising and [rising.at(index, 5) for index in range(5)] == [0, 0.5, 1, 1, 1]
    steps = read_pace("1@0, 1@2, 0@3")
    assert steps and [steps.at(index, 20) for index in range(5)] == [1, 1, 1, 0, 0]
    late = read_pace("0.5@0.8, 1@1")
    assert late and (late.at(0, 11), late.at(9, 11), late.at(0, 1)) == (0.5, pytest.approx(0.75), 0.5)


def sampled(model: DiffusionModel, around: Callable[[Callable[[], Tensor], int], Tensor]) -> Tensor:
    """`around` is given each call of the network, and its step."""
    noise = ImageNoise([REQUEST.seed], (4, 8, 8), model.device.torch_device)
    denoise = Denoisers(REQUEST, model).whole()
    sigmas = plan(REQUEST.sampler, REQUEST.schedule, REQUEST.steps, denoise.schedule)
    x, steps, made = noise.first() * sigmas[0], Steps(REQUEST.steps), [0]

    def watched(x: Tensor, sigma: Tensor) -> Tensor:
        made.append(made[-1] + 1)
        return around(lambda: denoise(x, sigma), made[-2])

    denoise.begin(0, steps)
    for moment in sample(REQUEST.sampler, watched, x, sigmas, noise):
        denoise.begin(moment.index + 1, steps)
        x = moment.x
    return x


def test_each_step_is_drawn_with_the_weights_of_its_own_strength(sd1: DiffusionModel) -> None:
    lora, _ = lora_of(sd1, low_rank)
    pace = read_pace("0@0, 1@0.5")
    assert pace
    strengths = [0, 0.4, 0.8, 0.8, 0.8]

    def by_hand(call: Callable[[], Tensor], step: int) -> Tensor:
        with applied(sd1, [(lora, strengths[step], 0, "")]):
            return call()

    with torch.inference_mode():
        theirs = sampled(sd1, by_hand)
        with torch.inference_mode(False):
            block = applied(sd1, [(lora, 0.8, 0, "")], [pace.at])
        with block as paced:
            ours = sampled(replace(sd1, paced=paced), lambda call, _: call())
            again = sampled(replace(sd1, paced=paced), lambda call, _: call())
    assert torch.equal(ours, theirs) and torch.equal(again, ours), "and so it is in the next batch"


def test_a_pace_that_never_changes_is_the_plain_lora(sd1: DiffusionModel) -> None:
    lora, _ = lora_of(sd1, low_rank)
    with torch.no_grad(), applied(sd1, [(lora, 0.8, 0.5, "")]):
        theirs = sampled(sd1, lambda call, _: call())
    with torch.no_grad(), applied(sd1, [(lora, 0.8, 0.5, "")], [lambda index, run: 1.0]) as paced:
        ours = sampled(replace(sd1, paced=paced), lambda call, _: call())
    assert torch.equal(ours, theirs)
    with torch.no_grad(), applied(sd1, [(lora, 0.8, 0.5, "")]) as plain:
        assert not plain.patches
