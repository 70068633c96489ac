"""Noise that belongs to an image: repeatable, the same in any batch, of unit variance."""

from __future__ import annotations

import pytest
import torch

from pipelines.samplers.noise import ImageNoise
from tests.support import kdiffusion

SHAPE = (4, 16, 12)
LEVELS = torch.tensor([14.6146, 5.0, 1.2, 0.4, 0.0292, 0.0])
PAIRS = [(14.6146, 5.0), (5.0, 1.2), (1.2, 0.4), (0.4, 0.0292)]


@pytest.mark.parametrize("kind", ["fresh", "brownian"])
def test_an_image_gets_the_noise_in_a_batch_that_it_gets_alone(kind: str) -> None:
    together = draws([3, 2**63 - 1, 0], kind)
    for place, seed in enumerate([3, 2**63 - 1, 0]):
        for batch, alone in zip(together, draws([seed], kind), strict=True):
            assert torch.equal(batch[place : place + 1], alone)


@pytest.mark.parametrize("kind", ["fresh", "brownian"])
def test_the_same_seed_gives_the_same_noise_and_another_seed_another(kind: str) -> None:
    for once, again, other in zip(draws([5], kind), draws([5], kind), draws([6], kind), strict=True):
        assert torch.equal(once, again)
        assert not torch.equal(once, other)


@pytest.mark.parametrize("kind", ["fresh", "brownian"])
def test_no_draw_repeats_another(kind: str) -> None:
    drawn = torch.stack([draw.flatten() for draw in draws([5], kind)])
    correlation = torch.corrcoef(drawn) - torch.eye(len(drawn))
    assert correlation.abs().max() < 0.15


@pytest.mark.parametrize("kind", ["fresh", "brownian"])
def test_noise_has_unit_variance_between_any_two_levels(kind: str) -> None:
    for drawn in draws([8, 9], kind, (4, 64, 64)):
        assert abs(drawn.std().item() - 1) < 0.02
        assert abs(drawn.mean().item()) < 0.02


def draws(seeds: list[int], kind: str, shape: tuple[int, ...] = SHAPE) -> list[torch.Tensor]:
    noise = ImageNoise(seeds, shape)
    first = noise.first()
    source = noise.source(kind, LEVELS)  # pyright: ignore[reportArgumentType]
    return [first, *(source(*pair) for pair in PAIRS)]


def test_brownian_noise_is_that_of_k_diffusion() -> None:
    seeds = [1, 2, 12345678901]
    noise = ImageNoise(seeds, SHAPE)
    noise.first()
    ours = noise.brownian(0.0292, 14.6146)
    theirs = kdiffusion.sampling().BrownianTreeNoiseSampler(torch.zeros(3, *SHAPE), 0.0292, 14.6146, seed=seeds)
    for pair in [(14.6, 5.0), (5.0, 1.2), (1.2, 0.4), (0.4, 0.03)]:
        expected = theirs(*(torch.tensor(level, dtype=torch.float64) for level in pair))
        torch.testing.assert_close(ours(*pair), expected.float(), rtol=1e-6, atol=1e-6)


def test_brownian_noise_does_not_depend_on_what_was_asked_before() -> None:
    """So a job that goes on from step k draws what it would have drawn, and both stages of DPM++ SDE agree."""
    asked, fresh = (ImageNoise([4], SHAPE).brownian(0.0292, 14.6146) for _ in range(2))
    for pair in PAIRS[:3]:
        asked(*pair)
    torch.testing.assert_close(asked(*PAIRS[3]), fresh(*PAIRS[3]))


def test_brownian_increments_add_up() -> None:
    path = ImageNoise([4], SHAPE).brownian(0.0292, 14.6146)
    parts = path(9.0, 4.0) * 5**0.5 + path(4.0, 1.0) * 3**0.5
    torch.testing.assert_close(path(9.0, 1.0) * 8**0.5, parts, rtol=1e-4, atol=1e-4)


def test_brownian_noise_is_not_the_noise_the_picture_began_with() -> None:
    noise = ImageNoise([4], (4, 64, 64))
    first = noise.first().flatten()
    along = noise.brownian(0.0292, 14.6146)(14.6146, 5.0).flatten()
    assert torch.corrcoef(torch.stack([first, along]))[0, 1].abs() < 0.05


@pytest.mark.filterwarnings("error")
def test_brownian_noise_reaches_both_ends_in_silence() -> None:
    """Levels that came through float32 lie a little beyond what torchsde keeps of them."""
    levels = torch.tensor([14.614643, 3.0, 0.029167])
    path = ImageNoise([4], SHAPE).source("brownian", levels)
    for low, high in ((3.0, levels[0].item()), (levels[2].item(), 3.0)):
        assert torch.isfinite(path(high, low)).all()


def test_the_first_noise_is_torchs_own_for_the_seed() -> None:
    """What other programs draw on the CPU: one generator an image, one call for all its channels."""
    expected = torch.randn(SHAPE, generator=torch.Generator("cpu").manual_seed(42))
    assert torch.equal(ImageNoise([42], SHAPE).first()[0], expected)


def test_asking_for_the_first_noise_starts_the_sequence_anew() -> None:
    noise = ImageNoise([42], SHAPE)
    first, second = noise.first(), noise(2.0, 1.0)
    assert torch.equal(noise.first(), first)
    assert torch.equal(noise(2.0, 1.0), second)


def test_each_image_has_its_own_sequence_from_the_start() -> None:
    one, other = ImageNoise([1, 2], SHAPE)(2.0, 1.0)
    assert torch.equal(one, ImageNoise([1], SHAPE).first()[0])
    assert torch.equal(other, ImageNoise([2], SHAPE).first()[0])


def test_the_noise_is_drawn_in_float32_and_only_then_made_coarser() -> None:
    fine, coarse = ImageNoise([1], SHAPE).first(), ImageNoise([1], SHAPE, dtype=torch.float16).first()
    assert torch.equal(coarse, fine.half())


def test_a_brownian_path_says_the_same_bits_whatever_it_was_asked_before() -> None:
    """So a run that goes on needs nothing of it but the seed."""
    pairs = [(14.6146, 8.4), (14.6146, 5.0), (5.0, 2.4), (5.0, 1.2), (1.2, 0.7), (1.2, 0.4), (0.4, 0.0292)]
    whole = [ImageNoise([5, 6], SHAPE).source("brownian", LEVELS)] * len(pairs)
    said = [path(*pair) for path, pair in zip(whole, pairs, strict=True)]
    for begin in range(len(pairs)):
        fresh = ImageNoise([5, 6], SHAPE).source("brownian", LEVELS, begin)
        for pair, expected in reversed(list(zip(pairs, said, strict=True))[begin:]):
            assert torch.equal(fresh(*pair), expected)


def test_fresh_noise_goes_on_after_as_many_draws() -> None:
    noise = ImageNoise([5, 6], SHAPE)
    noise.first()
    said = [noise(1, 0) for _ in range(5)]
    for draws in range(5):
        assert torch.equal(ImageNoise([5, 6], SHAPE).source("fresh", LEVELS, draws)(1, 0), said[draws])
