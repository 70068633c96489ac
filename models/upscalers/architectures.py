"""Architectures of upscalers, as spandrel's registry knows them: what a file is, by names and shapes of its tensors alone.

spandrel (https://github.com/chaiNNer-org/spandrel) tells an architecture by the names in a table of tensors, and builds its network by
their shapes. Here the table has shapes and no numbers, and the network no memory. Its rules are wide: ask it about what nothing else knows.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from models.errors import UserError
from models.files import Identity
from models.memory.alive import most_alive
from models.memory.device import mend_torchvision
from models.tensors.header import Header
from models.tensors.reading import DTYPES, TensorFormat, read_tensors

if TYPE_CHECKING:
    from spandrel import Architecture, ImageModelDescriptor, MaskedImageModelDescriptor

    # Any: spandrel's descriptors are generic over the class of their network, which nothing here needs to know
    Described = ImageModelDescriptor[Any] | MaskedImageModelDescriptor[Any]

log = logging.getLogger(__name__)

SAMPLE = 64  # pixels of a side of the square with which memory is counted
MAPS = 6 * 64  # numbers alive for each pixel that comes out, where they cannot be counted: a guess, for six maps of 64 channels
WRAPPERS = ("params_ema.", "params.", "state_dict.", "model_state_dict.", "module.", "netG.")  # before every name of some files
MOST_LAYERS = 1000  # of anything that is counted in a name: more would be an attack on memory
LONGEST = 2**20  # of any side of a tensor
FEW = 8192  # numbers of a tensor that is no weight and may be read to tell sizes
CHANNELS = (1, 3, 4)  # of pictures that a network may read
SCALES = range(1, 17)
NOT_BUILT = (ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, ArithmeticError, RuntimeError)
OTHERS = {"FaceSR": "mends faces", "Inpainting": "fills in parts of a picture"}  # purposes that are not enlarging


class Fits(UserError):
    """Tensors that have the names of an architecture and not its shapes."""


class _WithoutMemory(TorchFunctionMode):
    """What layers are begun with takes no memory. All else is computed: networks read numbers of small tensors while they are built."""

    # Any: as torch calls it
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.empty:
            return func(*args, **{**(kwargs or {}), "device": "meta"})
        if func is Tensor.copy_ and args[1].is_meta:
            return args[0]  # no numbers to put in
        return func(*args, **(kwargs or {}))


def recognised(file: Path, header: Header) -> Identity | None:
    """What spandrel knows of a file; None when it does not know it. Raises nothing that the file could cause.

    `family` is the architecture's name, `variant` its scale: "x4".
    """
    names = bare_names(header)
    if not _is_sane(names, header):
        return None
    outline = {name: torch.empty(header.tensors[own].shape, device="meta") for name, own in names.items()}
    if (architecture := architecture_of(outline)) is None:
        return None
    try:
        described = outlined(architecture, {**outline, **_small(file, header, names)})
    except UserError as error:
        return Identity("upscaler", architecture.name, supported=False, note=str(error))
    if note := unusable(described):
        return Identity("upscaler", architecture.name, supported=False, note=note)
    return Identity("upscaler", architecture.name, f"x{described.scale}", bytes_a_pixel=bytes_a_pixel(described))


def bare_names(header: Header) -> dict[str, str]:
    """Names within the network -> in the file, without what stands before all of them."""
    names = {name: name for name, info in header.tensors.items() if info.dtype in DTYPES}
    for wrapper in WRAPPERS:
        inner = {name.removeprefix(wrapper): own for name, own in names.items() if name.startswith(wrapper)}
        if inner and (len(inner) == len(names) or wrapper == "params_ema."):  # beside the average, some files have what it is one of
            names = inner
    return names


def architecture_of(tensors: Mapping[str, Tensor]) -> Architecture[Any] | None:  # Any: as above
    """The first of spandrel's architectures whose rule the names satisfy."""
    mend_torchvision()
    from spandrel import MAIN_REGISTRY

    return next((entry.architecture for entry in MAIN_REGISTRY.architectures("detection") if entry.detect(dict(tensors))), None)


def described(architecture: Architecture[Any], tensors: Mapping[str, Tensor]) -> Described:  # Any: as above
    """The network with these weights. Raises `Fits` when they are not of this architecture."""
    try:
        return architecture.load(dict(tensors)).eval()
    except NOT_BUILT as error:
        what = f"This looks like an upscaler of the architecture {architecture.name}, but its weights do not fit one"
        raise Fits(f"{what}. Copy or download it again.") from error


def outlined(architecture: Architecture[Any], tensors: Mapping[str, Tensor]) -> Described:  # Any: as above
    """The network without the memory of its weights, and without their numbers. Raises `Fits` like `described`."""
    without = {name: tensor.to("meta") if _is_weight(name) else tensor for name, tensor in tensors.items()}
    with _WithoutMemory():
        return described(architecture, without)


def bytes_a_pixel(outline: Described, dtype: torch.dtype = torch.float32) -> int:
    """Bytes alive at the peak for each pixel that the network sees, counted on tensors without numbers. The outline is used up."""
    network, channels = outline.model.to("meta", dtype), outline.input_channels
    side = max(SAMPLE, outline.size_requirements.minimum, outline.size_requirements.multiple_of)
    picture = torch.empty(1, channels, side, side, dtype=dtype, device="meta")
    try:
        with torch.inference_mode(False):  # in it, a weight on meta cannot be exchanged, which some networks do while they run
            return most_alive(network, lambda: network(picture)) // side**2
    except NOT_BUILT as error:  # it asks for numbers while it runs
        log.info("the memory of a %s cannot be counted: %s", outline.architecture.name, error)
        return MAPS * outline.scale**2 * dtype.itemsize


def _is_sane(names: Mapping[str, str], header: Header) -> bool:
    """Whether a network that is built after them has a size that networks have."""
    numbers = (int(number) for name in names for number in re.findall(r"(?<![^.])\d{1,18}(?![^.])", name))
    sides = (side for own in names.values() for side in header.tensors[own].shape)
    return bool(names) and all(number < MOST_LAYERS for number in numbers) and all(0 <= side <= LONGEST for side in sides)


def _is_weight(name: str) -> bool:
    return name.endswith(("weight", "bias"))


def _small(file: Path, header: Header, names: Mapping[str, str]) -> dict[str, Tensor]:
    """Numbers that are no weights: positions, windows, by which some networks know how they are built."""
    kinds = {name: header.tensors[own] for name, own in names.items() if not _is_weight(name)}
    few = {name: names[name] for name, info in kinds.items() if torch.Size(info.shape).numel() <= FEW}
    read = read_tensors(file, header, list(few.values()), TensorFormat())
    return {name: read[own] for name, own in few.items()}


def enlarging(described: Described) -> ImageModelDescriptor[Any]:  # Any: as above
    """The same. Raises `UserError` for a network that does something else than enlarging."""
    from spandrel import ImageModelDescriptor

    if isinstance(described, ImageModelDescriptor) and not unusable(described):
        return described
    raise UserError(unusable(described))


def unusable(described: Described) -> str:
    """Why a network of another purpose or of other pictures cannot enlarge; "" for one that can."""
    what = f"This is {described.architecture.name}"
    if described.purpose in OTHERS:
        return f"{what}, which {OTHERS[described.purpose]}. Atelier cannot use it to enlarge pictures."
    if described.input_channels not in CHANNELS or described.input_channels != described.output_channels:
        return f"{what} for pictures of {described.input_channels} channels, which Atelier cannot use."
    return "" if described.scale in SCALES else f"{what} with a scale of {described.scale}, which is more than Atelier uses."
