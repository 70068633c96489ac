"""LoRAs and their relatives, laid on a model's weights for the length of a `with` block.

New weights lie beside the old ones and take their place; the old ones are put back as they were, so nothing is ever subtracted and
nothing rounded twice. All that can be wrong with a file is found before the first weight changes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from models.errors import UserError
from models.networks.eight_bits import raised_at
from models.patches.blocks import BASE, block_weights
from models.patches.deltas import check_shapes, weight_delta
from models.patches.lora_files import Lora
from models.patches.targets import block_of, encoder_targets, unet_targets
from models.tensors.lora_names import FACTORS, is_known

if TYPE_CHECKING:
    from models.diffusion_model import DiffusionModel

log = logging.getLogger(__name__)

ENCODER_PARTS = {"clip_l": "te", "clip_h": "te", "clip_g": "te2"}  # a text encoder's key -> what LoRA files call it
STRANGERS = 0.25  # the share of a file's modules that a model may lack: files for another architecture share some names, not most


@dataclass(frozen=True)
class _Change:
    """The change of one parameter by one entry of a file."""

    lora: Lora
    name: str  # of the module
    module: nn.Module
    parameter: nn.Parameter
    matrices: Mapping[str, Tensor]
    strength: float
    pace: Factor | None = None

    def strength_at(self, index: int, run: int) -> float:
        return self.strength * self.pace(index, run) if self.pace else self.strength

    def check(self) -> None:
        try:
            check_shapes(self.matrices, self.parameter)
        except (RuntimeError, ValueError, IndexError) as error:
            raise UserError(f"{self.lora.title} was made for another model: its matrices are of another shape at {self.name}.") from error

    def delta(self, before: Tensor) -> Tensor:
        return weight_delta(self.matrices, before)


@dataclass
class _Patch:
    """All that happens to one parameter."""

    parameter: nn.Parameter
    module: nn.Module  # that has it
    dtype: torch.dtype  # of the numbers that are computed with
    changes: list[_Change] = field(default_factory=list[_Change])

    def weight(self, before: Tensor, index: int = 0, run: int = 1) -> Tensor:
        """W + the sum of strength * delta, rounded once, in the memory layout of W, which is `before`; at a step, from 0, of a run.

        A W in eight bits is raised first: the sum has the numbers that are computed with.
        """
        before = raised_at(self.module, before, self.dtype)
        after = before
        for change in self.changes:
            after = torch.add(after, change.delta(before), alpha=change.strength_at(index, run))
        after = after.to(before.dtype)
        return after if after.stride() == before.stride() else torch.empty_like(before).copy_(after)


Parts = Mapping[str, tuple[nn.Module, Mapping[str, str]]]  # part -> its network, and its modules by what LoRA files call them
Factor = Callable[[int, int], float]  # a step, from 0, and how many run -> by what a strength is multiplied
Use = tuple[Lora, float, float, str]  # a LoRA, its strength on the UNet and on the text encoders, block weights
Paceable = tuple[Use, Factor | None]  # with what its strength on the UNet is multiplied by at a step


class Paced:
    """LoRAs whose strength changes from step to step: their weights are made anew where it is another than at the step before.

    A step with the strength s has the weights that a LoRA of that strength has, bit for bit.
    """

    def __init__(self, patches: Sequence[tuple[_Patch, Tensor]]) -> None:
        """`patches`: with the weight as it is without any."""
        self.patches = [(patch, base) for patch, base in patches if any(change.pace for change in patch.changes)]
        self._paces = list(dict.fromkeys(change.pace for patch, _ in self.patches for change in patch.changes if change.pace))
        self._now = self._factors(0, 1)
        self.bring_home: Callable[[], None] = lambda: None  # where networks move, before their weights change

    def _factors(self, index: int, run: int) -> list[float]:
        return [pace(index, run) for pace in self._paces]

    def turn(self, index: int, run: int) -> None:
        """To a step, from 0, of those that run."""
        factors = self._factors(index, run)
        if factors == self._now:
            return
        self.bring_home()
        with torch.inference_mode(False), torch.no_grad():
            for patch, base in self.patches:
                patch.parameter.data = patch.weight(base, index, run)
        self._now = factors


class Dressed:
    """The weights of a model with further LoRAs, put in for the length of a block; made from its weights without any."""

    def __init__(self, patches: Sequence[_Patch]) -> None:
        self._patches = patches
        self._bases = [patch.parameter.data for patch in patches]
        self._paces: list[Factor] = [*dict.fromkeys(change.pace for patch in patches for change in patch.changes if change.pace)]
        self._now: list[float] = self._factors(0, 1)
        self._made = self._weights(0, 1)
        _check_finite(patches, self._made)
        self.bring_home: Callable[[], None] = lambda: None  # as of `Paced`

    def _factors(self, index: int, run: int) -> list[float]:
        return [pace(index, run) for pace in self._paces]

    def _weights(self, index: int, run: int) -> list[Tensor]:
        with torch.inference_mode(False), torch.no_grad():
            return [patch.weight(base, index, run) for patch, base in zip(self._patches, self._bases, strict=True)]

    def turn(self, index: int, run: int) -> None:
        """To a step, from 0, of those that run."""
        factors = self._factors(index, run)
        if factors != self._now:
            self._now, self._made = factors, self._weights(index, run)

    @contextmanager
    def worn(self) -> Generator[None]:
        """Networks that move are in the host's memory where their weights are exchanged."""
        self.bring_home()
        before = self._exchange(self._made)
        try:
            yield
        finally:
            self.bring_home()
            self._exchange(before)

    def _exchange(self, weights: Sequence[Tensor]) -> list[Tensor]:
        with torch.inference_mode(False), torch.no_grad():
            before = [patch.parameter.data for patch in self._patches]
            for patch, weight in zip(self._patches, weights, strict=True):
                patch.parameter.data = weight
        return before


def dressed(model: DiffusionModel, everywhere: Sequence[Paceable], own: Sequence[Paceable]) -> Dressed:
    """The model with LoRAs that act everywhere and with its own, before the first are applied to it. Raises `UserError` as `applied`."""
    changed = {id(patch.parameter) for patch in _patches(model, *_apart(own))}
    return Dressed([patch for patch in _patches(model, *_apart([*everywhere, *own])) if id(patch.parameter) in changed])


def _apart(uses: Sequence[Paceable]) -> tuple[list[Use], list[Factor | None]]:
    return [use for use, _ in uses], [pace for _, pace in uses]


@contextmanager
def applied(model: DiffusionModel, uses: Sequence[Use], paces: Sequence[Factor | None] = ()) -> Generator[Paced]:
    """The model's UNet and text encoders with these LoRAs, for the length of the block. They add up, in any order.

    `paces`: of each LoRA, by what its strength on the UNet is multiplied at a step; they begin at the first one.
    Takes as much memory again as the weights that change. Raises `UserError`, with every weight as it was, when a LoRA does not fit.
    """
    patches = _patches(model, uses, paces or [None] * len(uses))
    old = [patch.parameter.data for patch in patches]
    with torch.no_grad():
        new = [patch.weight(before) for patch, before in zip(patches, old, strict=True)]
    _check_finite(patches, new)
    try:
        for patch in patches:
            patch.parameter.data = new.pop(0)
        yield Paced(list(zip(patches, old, strict=True)))
    finally:
        for patch, weight in zip(patches, old, strict=True):
            patch.parameter.data = weight


def _patches(model: DiffusionModel, uses: Sequence[Use], paces: Sequence[Factor | None]) -> list[_Patch]:
    patches: dict[int, _Patch] = {}
    names: Parts = _names(model) if uses else {}
    for use, pace in zip(uses, paces, strict=True):
        for change in _changes(model, names, *use, pace=pace):
            change.check()
            patches.setdefault(id(change.parameter), _Patch(change.parameter, change.module, model.device.dtype)).changes.append(change)
    return list(patches.values())


def _names(model: DiffusionModel) -> Parts:
    encoders = {ENCODER_PARTS[encoder.key]: (encoder.network, encoder_targets(encoder.network)) for encoder in model.text_encoders}
    return {"unet": (model.unet, unet_targets(model.unet)), **encoders}


def _changes(
    model: DiffusionModel, names: Parts, lora: Lora, unet: float, text_encoder: float, blocks: str, pace: Factor | None = None
) -> Iterator[_Change]:
    _check_family(model, names, lora)
    weights = block_weights(blocks, model.unet)
    for target, matrices in lora.modules.items():
        if target.part not in names or (name := names[target.part][1].get(target.name)) is None:
            continue
        block = block_of(name, model.unet) if target.part == "unet" else ""
        strength = (unet if target.part == "unet" else text_encoder) * weights.get(block or BASE, 1.0)
        if strength:
            own = pace if target.part == "unet" else None
            module = names[target.part][0].get_submodule(name)
            yield from (replace(change, pace=own) for change in _of_module(lora, name, module, matrices, strength))


def _of_module(lora: Lora, name: str, module: nn.Module, matrices: Mapping[str, Tensor], strength: float) -> Iterator[_Change]:
    """A difference may come for the weight, for the bias, or for both."""
    of_weight = {role: tensor for role, tensor in matrices.items() if role != "diff_b"}
    if of_weight.keys() - FACTORS:
        yield _Change(lora, name, module, _parameter(lora, name, module, "weight"), of_weight, strength)
    if "diff_b" in matrices:
        yield _Change(lora, name, module, _parameter(lora, name, module, "bias"), {"diff": matrices["diff_b"]}, strength)


def _parameter(lora: Lora, name: str, module: nn.Module, kind: str) -> nn.Parameter:
    parameter = getattr(module, kind, None)
    if not isinstance(parameter, nn.Parameter):
        raise UserError(f"{lora.title} was made for another model: there is no {kind} to change at {name}. Choose another one.")
    return parameter


def _check_family(model: DiffusionModel, names: Parts, lora: Lora) -> None:
    missing = [target for target in lora.modules if target.part not in names or target.name not in names[target.part][1]]
    strange = [target for target in missing if not is_known(target)]
    if len(missing) > STRANGERS * len(lora.modules) and 2 * len(strange) > len(missing):
        first = f"{strange[0].name[:120]} among them"
        raise UserError(f"{lora.title} names its layers in a way that Atelier does not know, {first}. Look for the file in kohya's names.")
    if len(missing) > STRANGERS * len(lora.modules):
        first = f"“{model.checkpoint.name}” has no {missing[0].part} {missing[0].name[:120]}"
        raise UserError(f"{lora.title} was made for another kind of model: {first}. Choose a LoRA for {model.family.name}.")
    if missing:
        log.warning("%d modules of %s are not in this model, the first is %.120r", len(missing), lora.title, missing[0].name)


def _check_finite(patches: Sequence[_Patch], weights: Sequence[Tensor]) -> None:
    """One look at the end, so that a graphics card is not waited for at each weight."""
    sums = [weight.sum(dtype=torch.float32) for weight in weights]
    finite = cast("list[bool]", torch.stack(sums).isfinite().tolist()) if sums else []  # pyright: ignore[reportUnknownMemberType]
    for patch, is_finite in zip(patches, finite, strict=True):
        if not is_finite:
            change = patch.changes[-1]
            raise UserError(f"{change.lora.title} is too strong at {change.name}: the weight is no finite number. Lower its strength.")
