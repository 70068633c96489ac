"""Control units made ready: their pictures turned to maps at the size that is drawn, and joined with their networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from models.patches.ip_adapter import EncodedImagePrompt
from pipelines.control.control_map import control_mask, control_picture
from pipelines.control.view import NO_LENDER, Lender, View, seen, source
from pipelines.denoising.control_residuals import UNION_PLACES, Control, ControlResiduals
from pipelines.denoising.vae_encode import mask_latents
from pipelines.images.store import Inputs
from pipelines.preprocessors import PREPROCESSORS
from pipelines.preprocessors.inpaint_mask import inpaint_tensor
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.request import Drawing

if TYPE_CHECKING:
    from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel

    from pipelines.preprocessors.annotators import Annotator

INPAINT = "Inpaint mask"


class Controls:
    """The units of one request. `at` makes them ready for what is drawn; the maps of units with pictures of their own are made once."""

    def __init__(
        self, request: Drawing, model: DiffusionModel, inputs: Inputs, lender: Lender = NO_LENDER, taken: Image.Image | None = None
    ) -> None:
        """`taken`: what units without a picture of their own take, where that is not what the drawing begins with: a depth map."""
        self._uses = [use for use in request.controls if use.weight]
        self._size = request.width, request.height
        self._model = model
        self._inputs = inputs
        self._lender = lender
        self._taken = taken
        self._made: dict[tuple[object, ...], Tensor] = {}
        self._looked: dict[tuple[object, ...], EncodedImagePrompt] = {}

    @property
    def take_picture(self) -> bool:
        """Some unit has no picture of its own."""
        return any(not use.image for use in self._uses)

    @property
    def follow_picture(self) -> bool:
        """Some unit takes what the drawing begins with."""
        return self.take_picture and self._taken is None

    def everywhere(self, pictures: Sequence[Image.Image] = ()) -> ControlResiduals:
        """For whole pictures. `pictures`: what the drawings of a batch begin with, or one for all, at the size that is drawn."""
        if self._taken:
            pictures = [self._taken]
        if not pictures:
            return self.at([View(self._size, (0, 0, *self._size), self._size)])
        return self.at([View(self._size, (0, 0, *self._size), self._size, picture) for picture in pictures])

    def at(self, views: Sequence[View]) -> ControlResiduals:
        maps = [use for use in self._uses if use.id in self._model.controls]
        pictures = [use for use in self._uses if use.id not in self._model.controls]
        looked_at = [(use, [self._picture(use, view) for view in _own(use, views)]) for use in pictures]
        return ControlResiduals([self._control(use, views) for use in maps], looked_at)

    def _picture(self, use: ControlUse, view: View) -> EncodedImagePrompt:
        """What an IP-Adapter sees."""
        known = (use, view.whole, view.box, view.size)
        if not use.image or known not in self._looked:
            picture, _ = source(use, view, self._inputs)
            with self._lender.image_prompt_networks(use.id, self._model.family.key) as (adapter, vision):
                self._looked[known] = adapter.see(vision, [picture], self._region(use, view))
        return self._looked[known]

    def _control(self, use: ControlUse, views: Sequence[View]) -> Control:
        loaded = self._model.controls[use.id]
        hints = [self._hint(use, view) for view in _own(use, views)]
        device = self._model.device
        hint = torch.cat(hints).to(device.torch_device, device.dtype)
        use = replace(use, union_kind=use.union_kind or PREPROCESSORS[use.preprocessor].union_kind)
        network = loaded.ready(self._model.unet)
        if loaded.kind == "union":
            _check_union(use, loaded.name, cast("ControlNetUnionModel", network))
        return Control(use, _ways(loaded.kind), network, _in_channels(hint, network), self._region(use, views[0]))

    def _hint(self, use: ControlUse, view: View) -> Tensor:
        """(1, 3, H, W), 0 .. 1."""
        known = (use, view.whole, view.box, view.size)
        if not use.image or known not in self._made:
            with self._lender.annotator(PREPROCESSORS[use.preprocessor].weights) as annotator:
                hint = hint_of(use, view, self._inputs, annotator)
            if not use.image:
                return hint
            self._made[known] = hint
        return self._made[known]

    def _region(self, use: ControlUse, view: View) -> Tensor | None:
        if not use.mask:
            return None
        mask = seen(self._inputs.open(use.mask, "L"), view, use.resize_mode)
        scale = self._model.family.latent.pixels
        return mask_latents(mask, view.size[1] // scale, view.size[0] // scale).to(self._model.device.torch_device)


def _own(use: ControlUse, views: Sequence[View]) -> Sequence[View]:
    """Those that it sees something else in: a unit with a picture of its own sees one for all."""
    return views[:1] if use.image else views


def hint_of(use: ControlUse, view: View, inputs: Inputs, annotator: Annotator | None = None) -> Tensor:
    """What the unit's network reads, (1, 3, H, W): 0 .. 1, and -1 where an inpainting map is masked."""
    picture, mask = source(use, view, inputs)
    if use.preprocessor == INPAINT:
        taken_out = control_mask(use, mask or Image.new("L", picture.size), view.size)
        return inpaint_tensor(control_picture(use, picture, view.size, mask=mask), taken_out)
    return to_hint(control_picture(use, picture, view.size, annotator, mask))


def to_hint(picture: Image.Image) -> Tensor:
    return torch.as_tensor(np.asarray(picture.convert("RGB"), np.float32) / 255).permute(2, 0, 1)[None]


def _ways(kind: str) -> str:
    return "controlnet" if kind == "control-lora" else kind


def _in_channels(hint: Tensor, network: nn.Module) -> Tensor:
    """Some adapters read a grey map: one channel."""
    channels = getattr(network, "config", {}).get("in_channels", 3) if type(network).__name__ == "T2IAdapter" else 3
    return hint.mean(1, keepdim=True) if channels == 1 else hint


def _check_union(use: ControlUse, name: str, network: ControlNetUnionModel) -> None:
    if not use.union_kind:
        raise UserError(f"“{name}” reads maps of several kinds. Choose what yours shows under “Map shows”.")
    if UNION_PLACES[use.union_kind] >= network.config["num_control_type"]:
        raise UserError(f"“{name}” does not know maps of the kind “{use.union_kind}”. Choose another kind of map, or its ProMax edition.")
