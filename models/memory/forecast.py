"""The memory forecast of a picture, and what "out of memory" looks like. No torch: the page asks this before a run.

The figures of a family are counted, not guessed: the most bytes of tensors that are alive at one moment of a forward pass of the
network in its published shape, with attention that does not hold its matrix (tests/test_memory.py counts again, on meta tensors).
What a library takes beside them, and what lies between allocations unused, is a guess: SLACK, and GAPS on a card, where the libraries
have memory of their own kept free for them (`MARGIN` in device.py). `python run.py bench memory` holds forecasts against counts.
"""

from __future__ import annotations

import math
import traceback
from dataclasses import dataclass, replace

from models.families import FAMILIES, PIXELS_PER_LATENT

SLACK = 1.5
GAPS = 1.1
TILE = 96  # latents along the side of the largest piece that the VAE decodes at once
DECODED = 768  # numbers alive at the peak of decoding, for each pixel
STEERING = 1_640  # numbers that control networks add to the UNet's, for each latent pixel of each picture and branch, in every family
MOST_IN_EIGHT_BITS = 1.5  # bytes a number; a file whose UNet is in eight bits and whose encoders are in 16 has up to 1.3
PATCHED = 0.8  # share of a model's weights that LoRAs usually change; the changed ones lie beside the originals
SMALLEST = 256  # pixels; a smaller picture is not offered


@dataclass(frozen=True, slots=True)
class Needs:
    """Memory that one family takes in its published size."""

    unet: int  # weights, in numbers
    encoders: int
    activations: int  # numbers alive at the peak of the UNet, for each latent pixel of each picture and branch
    vae: int = 83_653_863

    @property
    def weights(self) -> int:
        return self.unet + self.encoders + self.vae


NEEDS = {
    "sd1": Needs(859_520_964, 123_060_480, 8_340),
    "sd2": Needs(865_910_724, 340_387_840, 8_340),
    "sdxl": Needs(2_567_463_684, 817_720_320, 5_090),
    "sdxl-refiner": Needs(2_259_526_660, 694_659_840, 6_080),
    "x4-upscaler": Needs(473_398_020, 340_387_840, 3_930, 55_325_927),
}


@dataclass(frozen=True, slots=True)
class Machine:
    """Memory that there is to work with, in bytes, read once or given."""

    host: int  # of weights in the host's memory
    device: int | None = None  # of the device's own memory, for weights and for pictures; None: the host computes
    element_size: int = 4  # of one number of the weights
    one_by_one: bool = True  # the pictures of a batch go through the network one after another
    eight_bits: bool = False  # a UNet that a file holds in eight bits stays so

    def of_several(self, host: int, device: int, devices: int, sharers: int) -> Machine:
        """As one of several devices has it. `host`, `device`: bytes that there are instead of those found, 0 for these. `devices` share the
        host's memory, and `sharers` of them the device's own.
        """
        own = self.device if self.device is None else (device or self.device) // max(1, sharers)
        return replace(self, host=(host or self.host) // max(1, devices), device=own)


@dataclass(frozen=True, slots=True)
class Work:
    """One request in the terms that decide over memory."""

    family: str
    weights: int  # bytes of everything that it names, in memory
    width: int  # pixels
    height: int
    batch_size: int = 1
    guided: bool = True  # two branches, with and without the prompt
    patched: int = 0  # bytes of the weights that LoRAs may change
    steered: bool = False  # by control networks, whose answers lie there while the UNet runs
    part: int = 0  # pixels along a side of what the UNet reads at once, where it draws in parts; 0: all of the picture
    parts_a_call: int = 1  # of these, whatever the batch size is, where several go through the network at once
    slimness: float = 1.0  # channels of the networks as a share of those in the family's published size


@dataclass(frozen=True, slots=True)
class Forecast:
    """Bytes. The UNet and the VAE run one after the other, so what counts is the larger of `activations` and `decode`."""

    weights: int
    activations: int  # at the peak of the UNet
    decode: int  # at the peak of the VAE
    available: int
    fits: bool
    advice: str = ""  # when it does not fit: what will happen, and what would

    @property
    def work(self) -> int:
        return max(self.activations, self.decode)


def weights_of(family: str, file_size: int, machine: Machine) -> int:
    """Bytes that a checkpoint takes in memory, from the size of its file.

    Files hold half or full precision, averages beside the weights, or only a part; in memory a full-size model takes what its
    family takes. A file too small for one (the starter, say) is taken to be in half precision.
    """
    if family not in NEEDS or slimness_of(family, file_size) < 1:
        return file_size * machine.element_size // 2
    needs = NEEDS[family]
    stays = machine.eight_bits and file_size < MOST_IN_EIGHT_BITS * needs.weights
    return needs.weights * machine.element_size - (needs.unet * (machine.element_size - 1) if stays else 0)


def slimness_of(family: str, file_size: int) -> float:
    """Weights grow with the square of the channels, activations with the channels."""
    numbers = NEEDS[family].weights if family in NEEDS else 0
    full_size = file_size >= 0.9 * numbers  # 1 byte a number is the least a file can hold
    return 1.0 if full_size else math.sqrt(file_size / 2 / numbers)


def vae_weights(file_size: int, machine: Machine) -> int:
    """The same of a VAE with a file of its own, which may be a whole checkpoint's."""
    numbers = NEEDS["sd1"].vae
    return (numbers if file_size >= 0.9 * numbers else file_size // 2) * machine.element_size


def forecast(work: Work, machine: Machine, available: int) -> Forecast:
    """`available`: bytes that weights and pictures may take together, those of what is idle in memory included."""
    predicted = _predict(work, machine, available)
    return predicted if predicted.fits else replace(predicted, advice=_advice(work, machine, predicted))


def working_memory(work: Work, machine: Machine) -> int:
    """Bytes that the run needs on the device beside the weights that it leases."""
    return _predict(work, machine, 0).work + int(work.patched * PATCHED)


@dataclass(frozen=True, slots=True)
class Lying:
    """Bytes of weights that lie on the device at once, when they come there in turn: while pictures are drawn, while they are decoded, and
    while what is small runs.
    """

    drawing: int
    decoding: int
    beside: int = 0


def peak_in_turn(work: Work, machine: Machine, lying: Lying) -> int:
    """Bytes on the device at the peak, where networks or layers come to it one at a time."""
    own = _predict(work, machine, 0)
    return max(lying.drawing + own.activations, lying.decoding + own.decode, lying.beside)


def _predict(work: Work, machine: Machine, available: int) -> Forecast:
    unet, decode = _activations(work, machine), _decode(work, machine)
    weights = work.weights + int(work.patched * PATCHED)
    return Forecast(weights, unet, decode, available, weights + max(unet, decode) <= available)


def _activations(work: Work, machine: Machine) -> int:
    pictures = 1 if machine.one_by_one else work.batch_size
    width, height = (min(work.part or side, side) for side in (work.width, work.height))
    if (width, height) != (work.width, work.height) and not machine.one_by_one:
        pictures = work.parts_a_call
    samples = pictures * (2 if work.guided else 1)
    numbers = NEEDS.get(work.family, NEEDS["sd1"]).activations + (STEERING if work.steered else 0)
    latents = (width // pixels_per_latent(work)) * (height // pixels_per_latent(work))
    return int(numbers * work.slimness * samples * latents * machine.element_size * _slack(work, machine))


def pixels_per_latent(work: Work) -> int:
    return FAMILIES[work.family].latent.pixels if work.family in FAMILIES else PIXELS_PER_LATENT


def _slack(work: Work, machine: Machine) -> float:
    """The figures of a slimmer model are worked out, not counted."""
    return SLACK if machine.device is None or work.slimness < 1 else GAPS


def _decode(work: Work, machine: Machine) -> int:
    width, height = (min(side // pixels_per_latent(work), TILE) for side in (work.width, work.height))
    area = width * height * pixels_per_latent(work) ** 2
    return int(DECODED * work.slimness * area * machine.element_size * _slack(work, machine))


def _advice(work: Work, machine: Machine, predicted: Forecast) -> str:
    need, free = gigabytes(predicted.weights + predicted.work), gigabytes(predicted.available)
    if machine.device is None:
        what = f"This needs about {need} GB of memory and {free} GB are free, so it may be slow or fail."
    else:
        what = f"This needs about {need} GB on the device and {free} GB are free, so it is drawn part by part, which is slower."
    return f"{what} {_offer(work, machine, predicted.available)}"


def _offer(work: Work, machine: Machine, available: int) -> str:
    """The nearest thing that would fit whole, in the order in which it hurts least."""
    for size in range(work.batch_size - 1, 0, -1):
        if _predict(replace(work, batch_size=size), machine, available).fits:
            return f"A batch size of {size} would fit."
    smaller = _smaller(replace(work, batch_size=1), machine, available)
    if smaller:
        return f"{smaller.width} x {smaller.height} would fit{', one picture at a time' if work.batch_size > 1 else ''}."
    if work.patched and _predict(replace(work, patched=0), machine, available).fits:
        return "Without LoRAs it would fit."
    return "A smaller checkpoint would fit, or close other programs that use this memory."


def _smaller(work: Work, machine: Machine, available: int) -> Work | None:
    """The same shape of picture in the largest size that fits."""
    for percent in range(95, 5, -5):
        width, height = (int(side * percent / 100) // PIXELS_PER_LATENT * PIXELS_PER_LATENT for side in (work.width, work.height))
        if min(width, height) < min(SMALLEST, work.width, work.height):
            return None
        shrunk = replace(work, width=width, height=height)
        if _predict(shrunk, machine, available).fits:
            return shrunk
    return None


def gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f}"


# ------------------------------------------------------------------------------------------------ when there was none left

SPELLINGS = (
    "out of memory",  # CUDA, HIP, MPS, XPU
    "cudnn_status_alloc_failed",
    "cublas_status_alloc_failed",
    "out_of_device_memory",  # level zero
    "can't allocate memory",  # torch's own allocator on a CPU
)  # fmt: skip


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a library ran out of memory, in any of the ways in which they say so."""
    if isinstance(error, MemoryError) or any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(spelling in text for spelling in SPELLINGS)


def drop_frames(error: BaseException) -> str:
    """The text of an exception, which afterwards holds on to nothing: its frames would keep every tensor alive that they name."""
    text = str(error)
    chain: list[BaseException | None] = [error]
    while chain:
        link = chain.pop()
        if link is not None:
            traceback.clear_frames(link.__traceback__)
            chain += [link.__cause__, link.__context__]
            link.__traceback__ = link.__cause__ = link.__context__ = None
    return text


def exhausted(work: Work, machine: Machine) -> str:
    """What a person is told when the smaller way did not help either."""
    fewer = "fewer pictures side by side, " if work.batch_size > 1 and not machine.one_by_one else ""
    lighter = "fewer LoRAs, " if work.patched else ""
    what = "There was not enough memory for this picture, not even in the sparing way."
    return f"{what} Try {fewer}a smaller size than {work.width} x {work.height}, {lighter}or close other programs that use this memory."
