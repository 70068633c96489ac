"""How many steps a denoising strength leaves, and how image to image comes apart into single pictures."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import pytest

from models.errors import UserError
from pipelines.requests.request import CURVES, SEEDS, ImageToImage, Inpaint, Outpaint, PictureUse, TextToImage, unroll
from pipelines.requests.steps import MOST_PLANNED, Steps, steps_at, steps_in_all, steps_of

STRENGTHS = [share / 100 for share in range(1, 101)] + [1e-9, 0.0001, 0.9989, 0.999, 0.9991]
A, B = "a" * 64, "b" * 64


def a1111_steps(steps: int, strength: float, exact: bool) -> tuple[int, int]:
    """Planned and run: `setup_img2img_steps` of A1111 1.10, and the slice of the noise levels that its samplers take."""
    if exact:
        planned, position = int(steps / min(strength, 0.999)), steps - 1
    else:
        planned, position = steps, int(min(strength, 0.999) * steps)
    levels = range(planned + 1)[planned - position - 1 :]
    return planned, len(levels) - 1


def a1111_strength(first: float, final: float, loops: int, loop: int, curve: str) -> float:
    """`calculate_denoising_strength` of A1111 1.10, scripts/loopback.py."""
    if loops == 1:
        return first
    progress = loop / (loops - 1)
    if curve == "Aggressive":
        progress = math.sin(progress * math.pi * 0.5)
    elif curve == "Lazy":
        progress = 1 - math.cos(progress * math.pi * 0.5)
    return first + (final - first) * progress


@pytest.mark.parametrize(("strength", "run"), [(0.75, 16), (0.5, 11), (0.1, 3), (1.0, 20), (0.0, 0)])
def test_of_twenty_steps_as_many_run_as_with_a1111(strength: float, run: int) -> None:
    assert steps_at(20, strength).run == run


def test_any_number_of_steps_at_any_strength_runs_as_many_as_with_a1111() -> None:
    for steps, strength in product(range(1, 151), STRENGTHS):
        found = steps_at(steps, strength)
        assert (found.planned, found.run) == a1111_steps(steps, strength, exact=False), (steps, strength)


def test_exact_steps_always_run_all_and_only_the_plan_grows() -> None:
    for steps, strength in product(range(1, 151), STRENGTHS):
        found = steps_at(steps, strength, exact=True)
        planned, run = a1111_steps(steps, strength, exact=True)
        assert found.run == run == steps
        assert found.planned == max(steps, min(planned, MOST_PLANNED)), (steps, strength)


def test_b13_some_step_runs_at_any_strength_above_zero_and_none_at_zero() -> None:
    for steps, exact in product(range(1, 21), (False, True)):
        assert all(1 <= steps_at(steps, strength, exact).run <= steps for strength in (1e-12, 0.01, 0.05, 0.1, 1))
        assert steps_at(steps, 0, exact).run == 0


@pytest.mark.parametrize("strength", [float("nan"), 1.5, -0.01, float("inf"), "0.5", None, True])
def test_b13_a_strength_that_is_none_is_refused_with_a_sentence(strength: Any) -> None:
    for kind in (ImageToImage, Inpaint, Outpaint):
        with pytest.raises(UserError, match=r"^Denoising strength must be .+\.$"):
            kind.admit({"denoising_strength": strength})


def test_words_alone_run_every_step() -> None:
    assert steps_of(TextToImage(steps=7)) == Steps(7)
    assert steps_of(ImageToImage(steps=20, denoising_strength=0.5)).run == 11


@pytest.mark.parametrize("curve", CURVES)
def test_loopback_goes_from_strength_to_strength_as_with_a1111(curve: str) -> None:
    for loops, (first, final) in product((1, 2, 3, 8, 32), ((0.75, 0.5), (0.2, 1.0), (0.6, 0.6), (1.0, 0.0))):
        request = ImageToImage(loops=loops, denoising_strength=first, final_strength=final, strength_curve=curve)
        for turn in range(loops):
            assert request.strength_of(turn) == pytest.approx(a1111_strength(first, final, loops, turn, curve), abs=5e-5)


def test_the_steps_of_all_rounds_are_those_of_its_pictures() -> None:
    request = ImageToImage(steps=20, loops=3, denoising_strength=0.75, final_strength=0.25, batch_count=2)
    assert steps_in_all(request) == 16 + 11 + 6
    assert sum(steps_of(single).run for single in unroll(request)) == 2 * steps_in_all(request)


def test_pictures_come_first_then_batches_then_rounds_and_those_of_a_batch_side_by_side() -> None:
    uses = (PictureUse(id=A), PictureUse(id=B))
    request = ImageToImage(images=uses, batch_count=2, loops=3, batch_size=2, denoising_strength=0.8, final_strength=0.2, seed=100)
    singles = unroll(request)
    assert len(singles) == request.picture_count == 2 * 2 * 3 * 2
    expected = [(image, strength) for image, _, strength, _ in product((A, B), range(2), (0.8, 0.5, 0.2), range(2))]
    assert [(single.image, single.denoising_strength) for single in singles] == expected
    assert all((single.images, single.loops, single.batch_count, single.batch_size) == ((), 1, 1, 1) for single in singles)


def test_each_round_has_the_next_seed_and_so_has_each_picture() -> None:
    """In rounds of one batch the seed grows by one a round, as A1111's loopback has it."""
    rounds = unroll(ImageToImage(image=A, loops=3, batch_size=2, seed=100))
    assert [single.seed for single in rounds] == [100, 101, 101, 102, 102, 103]
    assert [single.seed for single in unroll(ImageToImage(image=A, batch_count=2, batch_size=2, seed=SEEDS - 2))] == [
        SEEDS - 2, SEEDS - 1, 0, 1,
    ]  # fmt: skip
    plain = unroll(ImageToImage(images=(PictureUse(id=A), PictureUse(id=B)), batch_count=2, seed=7))
    assert [single.seed for single in plain] == [7, 8, 9, 10]


def test_with_a_variation_the_seed_stays_and_the_variation_seed_counts() -> None:
    singles = unroll(ImageToImage(image=A, batch_count=3, seed=5, variation_strength=0.2, variation_seed=40))
    assert [(single.seed, single.variation_seed) for single in singles] == [(5, 40), (5, 41), (5, 42)]


def test_a_single_picture_comes_apart_into_itself() -> None:
    single = unroll(ImageToImage(images=(PictureUse(id=A),), loops=2, final_strength=0.3, seed=3))[1]
    assert unroll(single) == [single]
