"""Control residuals: what control networks add to the UNet at a step, weighted, masked and summed over all units.

A ControlNet (Zhang et al. 2023, arXiv:2302.05543) reads the noisy latents and a map and adds to the UNet's skip connections; a
T2I-Adapter (Mou et al. 2023, arXiv:2302.08453) reads the map alone, once, and adds inside the UNet's encoder.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from models.patches.ip_adapter import EncodedImagePrompt, each_its_own, shown
from pipelines.denoising.samples import Samples, cut, stacked
from pipelines.images.masking import Box
from pipelines.requests.control_unit import UNION_KINDS, ControlUse
from pipelines.requests.steps import Steps

if TYPE_CHECKING:
    from diffusers.models.controlnets.controlnet import ControlNetModel
    from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

FIRST_LAYERS = "controlnet_cond_embedding"  # of a ControlNet: those that read the map
# The place of each kind of map among the tasks of a union network (SDXL union and its ProMax edition).
UNION_PLACES = {"Pose": 0, "Depth": 1, "Soft edge": 2, "Hard edge": 3, "Normal": 4, "Segments": 5, "Tile": 6, "Repaint": 7}
assert set(UNION_PLACES) == set(filter(None, UNION_KINDS))
SOFT_ADAPTER = (0.25, 0.62, 0.825, 1.0)  # of the weight, from the outermost feature inwards, where the prompt counts more (A1111)


@dataclass(frozen=True)
class Control:
    """One unit with its network and the map that it reads."""

    use: ControlUse
    kind: str  # "controlnet", "union" or "t2i-adapter"
    network: nn.Module
    hint: Tensor  # (n or 1, channels, H, W), 0 .. 1: the map at the size of the picture
    region: Tensor | None = None  # (1 or one a window, 1, h, w), 0 .. 1: where it acts; None: everywhere

    def windowed(self, windows: Sequence[Box], scale: int) -> Control:
        """As its network reads and acts in each of the windows."""
        region = None if self.region is None else stacked(self.region, windows)
        return replace(self, hint=stacked(self.hint, windows, scale), region=region)

    @property
    def group(self) -> tuple[object, ...]:
        """Units of one union network that act alike are read by it in one call."""
        return (id(self.network), self.use.mode, id(self.region)) if self.kind == "union" else (id(self),)

    @cached_property
    def features(self) -> tuple[Tensor, ...]:
        """What is read off the map alone, so only once for all steps: all that an adapter does, the first layers of a ControlNet."""
        if self.kind == "t2i-adapter":
            each = [self.network(hint) for hint in self.hint.chunk(len(self.hint))]
            return tuple(torch.cat(feature) * 1.0 for feature in zip(*each, strict=True))
        network = cast("ControlNetModel", self.network)
        is_bgr = network.config.get("controlnet_conditioning_channel_order") == "bgr"  # it turns round whatever it is given
        turned = self.hint.flip(1) if is_bgr else self.hint
        read = torch.cat([network.controlnet_cond_embedding(hint) for hint in turned.chunk(len(turned))])
        return (read.flip(1) if is_bgr else read,)


@dataclass(frozen=True)
class Call:
    """One call of the UNet: what it is given, and so the networks beside it."""

    latents: Tensor  # (branches * n, 4, h, w), scaled for the network; the negative branch first
    timesteps: Tensor
    context: Tensor
    added: dict[str, Tensor] | None
    branches: int
    samples: Samples  # which of the batch
    held: bool = True  # the last branch has the prompt; else all are without it


class ControlResiduals:
    """The units of one run. `begin` says which step comes next; `residuals` is what they add at it."""

    def __init__(self, controls: Sequence[Control] = (), pictures: Sequence[tuple[ControlUse, Sequence[EncodedImagePrompt]]] = ()) -> None:
        """`pictures`: what IP-Adapters see, each one thing for all or one for each picture of the batch; the UNet attends to it beside
        the words.
        """
        self._controls = tuple(controls)
        self._pictures = tuple(pictures)
        self._now: list[tuple[Control, float]] = []
        self._looked_at: list[tuple[Sequence[EncodedImagePrompt], float]] = []

    def begin(self, index: int, steps: Steps) -> None:
        """A unit's range and curve are over the steps that run, as in A1111 and diffusers."""
        place = index - steps.skipped
        weighed = [(control, control.use.weight_at(place, steps.run)) for control in self._controls] if place < steps.run else []
        self._now = [(control, weight) for control, weight in weighed if weight]
        looked_at = [(seen, use.weight_at(place, steps.run)) for use, seen in self._pictures] if place < steps.run else []
        self._looked_at = [(seen, weight) for seen, weight in looked_at if weight]

    def windowed(self, windows: Sequence[Box], scale: int) -> ControlResiduals:
        """The same units in windows, which are in latents. `scale`: pixels along the side of a latent."""
        if len(windows) == 1:
            return self
        controls = [control.windowed(windows, scale) for control in self._controls]
        return ControlResiduals(controls, [(use, _in_windows(seen, windows)) for use, seen in self._pictures])

    def with_image_prompts(self, unet: UNet2DConditionModel, branches: int, samples: Samples) -> AbstractContextManager[object]:
        """The UNet sees what belongs to these samples of the batch at this step, for the length of the block."""
        if not self._looked_at:
            return nullcontext()
        seen = [each_its_own(all_seen if len(all_seen) == 1 else samples.of(all_seen)) for all_seen, _ in self._looked_at]
        return shown(unet, seen, [weight for _, weight in self._looked_at], branches)

    def residuals(self, call: Call) -> dict[str, object]:
        """Arguments of the UNet's call; none where no unit acts."""
        nets = [(control, weight) for control, weight in self._now if control.kind != "t2i-adapter"]
        adapters = [(control, weight) for control, weight in self._now if control.kind == "t2i-adapter"]
        found: dict[str, object] = {}
        if nets:
            *down, mid = _summed(_answer(group, call) for group in _grouped(nets))
            found = {"down_block_additional_residuals": tuple(down), "mid_block_additional_residual": mid}
        if adapters:
            found["down_intrablock_additional_residuals"] = _summed(_adapted(*one, call) for one in adapters)
        return found


def _in_windows(seen: Sequence[EncodedImagePrompt], windows: Sequence[Box]) -> Sequence[EncodedImagePrompt]:
    """What is seen is the same in all windows; where it acts is cut."""
    if len(seen) == 1 and seen[0].region is None:
        return seen
    return [replace(one, region=None if one.region is None else cut(one.region, window)) for window in windows for one in seen]


def _adapted(control: Control, weight: float, call: Call) -> list[Tensor]:
    own = _of_call(control, call)
    size = len(call.latents) // call.branches
    soft = SOFT_ADAPTER if control.use.mode == "Prompt" and len(own) == len(SOFT_ADAPTER) else [1.0] * len(own)
    whole = [(feature * (weight * share)).expand(size, -1, -1, -1) for feature, share in zip(own, soft, strict=True)]
    return _in_region(control, _both(whole, control, call) if call.branches > 1 or not call.held else whole, call)


def _of_call(control: Control, call: Call) -> list[Tensor]:
    """The features of the samples of this call."""
    return [call.samples.rows(feature) for feature in control.features]


def _grouped(nets: Sequence[tuple[Control, float]]) -> Iterator[list[tuple[Control, float]]]:
    """Neighbours of one group together."""
    for _, group in groupby(nets, key=lambda one: one[0].group):
        yield list(group)


def _answer(group: Sequence[tuple[Control, float]], call: Call) -> list[Tensor]:
    """Of one network: its residuals from the outermost to the middle one, for all branches."""
    control = group[0][0]
    pooled = getattr(control.network, "config", {}).get("global_pool_conditions", False)  # as of shuffle models
    alone = (control.use.mode == "Control" or pooled) and (call.branches > 1 or not call.held)  # only the branch with the prompt is held
    begin = len(call.latents) // call.branches * (call.branches - 1) if alone and call.held else 0
    latents = call.latents[begin:]
    added = {name: value[begin:] for name, value in call.added.items()} if call.added else None
    maps = [_map(one, call, len(latents)) for one, _ in group]
    weights = [weight for _, weight in group]
    given = _maps(control, [one for one, _ in group], maps, weights, latents)
    with _reading_features(control.network):
        down, mid = control.network(
            latents,
            call.timesteps[begin:],
            encoder_hidden_states=call.context[begin:],
            guess_mode=control.use.mode != "Balanced",  # softer the further a layer is from the middle: 10 % to 100 %
            added_cond_kwargs=added,
            return_dict=False,
            **given,
        )
    answer = [*down, mid]
    if alone:
        answer = [
            torch.cat([torch.zeros_like(part).repeat(call.branches - 1, 1, 1, 1), part]) if call.held else torch.zeros_like(part)
            for part in answer
        ]
    return _in_region(control, answer, call)


@contextmanager
def _reading_features(network: nn.Module) -> Generator[None]:
    """Within, the network takes what its first layers made of a map in the map's place."""
    first_layers = network.get_submodule(FIRST_LAYERS)
    setattr(network, FIRST_LAYERS, nn.Identity())
    try:
        yield
    finally:
        setattr(network, FIRST_LAYERS, first_layers)


def _maps(
    control: Control, units: Sequence[Control], maps: Sequence[Tensor], weights: Sequence[float], latents: Tensor
) -> dict[str, object]:
    if control.kind != "union":
        return {"controlnet_cond": maps[0], "conditioning_scale": weights[0]}
    places = [UNION_PLACES[one.use.union_kind] for one in units]
    tasks = cast("ControlNetUnionModel", control.network).config
    shown = torch.zeros(tasks["num_control_type"], device=latents.device, dtype=latents.dtype)
    for place in places:  # all at once, a list of them would be sent to the device, and waited for
        shown[place] = 1
    return {
        "controlnet_cond": list(maps),
        "control_type": shown.expand(len(latents), -1),
        "control_type_idx": places,
        "conditioning_scale": list(weights),
    }


def _map(control: Control, call: Call, count: int) -> Tensor:
    """What the network reads of the maps of the samples of this call, for each branch."""
    [read] = _of_call(control, call)
    return read.repeat(count // len(read), 1, 1, 1)


def _both(features: Sequence[Tensor], control: Control, call: Call) -> list[Tensor]:
    last = call.branches - 1 if call.held else call.branches
    held = [1.0 if branch == last or control.use.mode != "Control" else 0.0 for branch in range(call.branches)]
    return [torch.cat([feature * share for share in held]) for feature in features]


def _in_region(control: Control, parts: Sequence[Tensor], call: Call) -> list[Tensor]:
    if control.region is None:
        return list(parts)
    region = call.samples.rows(control.region)
    return [part * _for_rows(torch.nn.functional.interpolate(region, size=part.shape[2:], mode="area"), part) for part in parts]


def _for_rows(region: Tensor, part: Tensor) -> Tensor:
    """For each branch, where each sample has its own."""
    return (region if len(region) == 1 else region.repeat(len(part) // len(region), 1, 1, 1)).to(part)


def _summed(answers: Iterator[list[Tensor]]) -> list[Tensor]:
    total = next(answers)
    for answer in answers:
        total = [one + other for one, other in zip(total, answer, strict=True)]
    return total
