"""The memory forecast of a clip, in the phases in which it is made, each of which needs networks of its own. No torch.

The picture is seen by its encoder, read by the VAE, the frames are denoised together, then decoded some at a time. As in
`models.memory.forecast` the figures are counted on the network in its published shape (tests/test_clip_memory.py counts again).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from models.families import SVD
from models.memory.forecast import GAPS, SLACK, Machine, gigabytes

UNET, VAE, VISION = 1_524_623_082, 97_742_847, 632_076_800  # weights, in numbers
ACTIVE = 8_650  # numbers alive at the peak of the UNet, for each latent of each frame, one branch at a time
ACTIVE_TOGETHER = 9_042  # the same for each branch, both at once
READ = 643  # numbers alive at the peak of reading the picture, for each pixel, in full precision
DECODED = 1_024  # numbers alive at the peak of decoding, for each pixel of each frame of a chunk
FULL = 4  # bytes of a number in full precision


@dataclass(frozen=True, slots=True)
class ClipWork:
    """One clip in the terms that decide over memory."""

    frames: int
    width: int  # pixels
    height: int
    guided: bool = True  # two branches, with and without the picture
    one_by_one: bool = False  # these one after the other, whatever there is room for
    slimness: float = 1.0  # channels of the networks as a share of those in the published size

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def latents(self) -> int:
        """Of all frames."""
        return self.frames * self.pixels // SVD.latent.pixels**2

    def weights(self, numbers: int) -> int:
        """Of a network that has so many in its published size."""
        return int(numbers * self.slimness**2)

    def alive(self, numbers: int) -> int:
        """At the peak of one, likewise."""
        return int(numbers * self.slimness)


@dataclass(frozen=True, slots=True)
class ClipForecast:
    """Bytes of each phase, weights and work. They follow each other, so what counts is the largest."""

    seeing: int
    reading: int
    denoising: int
    decoding: int
    available: int
    one_by_one: bool  # the branches go one after the other
    chunk: int  # frames that are decoded together
    work: int  # of denoising and decoding, the larger, beside the weights
    advice: str = ""  # when it does not fit: what will happen, and what would fit

    @property
    def fits(self) -> bool:
        return max(self.seeing, self.reading, self.denoising, self.decoding) <= self.available


def slimness_of_video(file_size: int) -> float:
    """Of a model whose file has so many bytes, which holds at least one byte a number; a smaller one is taken to be in half precision."""
    numbers = UNET + VAE + VISION
    return 1.0 if file_size >= 0.9 * numbers else math.sqrt(file_size / 2 / numbers)


def forecast_clip(work: ClipWork, machine: Machine, available: int) -> ClipForecast:
    """`available`: bytes that weights and work may take together. The largest chunk is taken that there is room for, as frames that are
    decoded together fit together.
    """
    found = _predicted(work, machine, available)
    return found if found.fits else replace(found, advice=_advice(work, machine, found))


def _predicted(work: ClipWork, machine: Machine, available: int) -> ClipForecast:
    size, together = machine.element_size, _denoising(work, machine, one_by_one=False)
    one_by_one = work.guided and (work.one_by_one or machine.one_by_one or together > available)
    reading = work.weights(VAE) * FULL + _with_gaps(work.alive(READ * work.pixels) * FULL, machine)
    chunk = next((chunk for chunk in range(work.frames, 1, -1) if _decoding(work, machine, chunk) <= available), 1)
    denoising = _denoising(work, machine, one_by_one)
    decoding = _decoding(work, machine, chunk)
    beside = max(denoising - work.weights(UNET) * size, decoding - work.weights(VAE) * size)
    return ClipForecast(work.weights(VISION) * size, reading, denoising, decoding, available, one_by_one, chunk, beside)


def _denoising(work: ClipWork, machine: Machine, one_by_one: bool) -> int:
    numbers = ACTIVE_TOGETHER * 2 if work.guided and not one_by_one else ACTIVE
    return work.weights(UNET) * machine.element_size + _with_gaps(work.alive(numbers * work.latents) * machine.element_size, machine)


def _decoding(work: ClipWork, machine: Machine, chunk: int) -> int:
    alive = work.alive(DECODED * work.pixels * chunk)
    return work.weights(VAE) * machine.element_size + _with_gaps(alive * machine.element_size, machine)


def _with_gaps(count: int, machine: Machine) -> int:
    return int(count * (SLACK if machine.device is None else GAPS))


def _advice(work: ClipWork, machine: Machine, found: ClipForecast) -> str:
    need, free = max(found.seeing, found.reading, found.denoising, found.decoding), found.available
    what = (
        f"A clip of {work.frames} frames at {work.width} x {work.height} needs about {gigabytes(need)} GB and {gigabytes(free)} GB are free"
    )
    slower = "so it may be slow or fail" if machine.device is None else "so it is made part by part, which is slower"
    return f"{what}, {slower}. {_offer(work, machine, free)}"


def _offer(work: ClipWork, machine: Machine, available: int) -> str:
    """The nearest thing that would fit whole: first fewer frames, then a smaller size."""
    for frames in range(work.frames - 1, work.frames // 2, -1):
        if _predicted(replace(work, frames=frames), machine, available).fits:
            return f"{frames} frames would fit."
    for percent in range(95, 25, -5):
        width, height = (int(side * percent / 100) // 64 * 64 for side in (work.width, work.height))
        if width and height and _predicted(replace(work, width=width, height=height), machine, available).fits:
            return f"{width} x {height} would fit."
    return "Close other programs that use this memory."
