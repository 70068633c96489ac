"""Unions of ControlNets as control units: against diffusers' own pipelines, with one map and with two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from pipelines import Controlled, ControlUse, ImageToImage, Inpaint
from pipelines.images.store import Inputs
from tests.support.controls import (
    HALF,
    SAME,
    SIDE,
    THEIRS,
    drawn,
    far,
    holding,
    inputs,
    map_of,
    mask_of,
    off,
    pipeline,
    sizes,
    stirred,
    unit,
    xl,
    xl_folder,
)
from tests.support.drawing import blots, first_noise, latents_of

__all__ = ["inputs", "xl", "xl_folder"]

ALL = pytest.mark.parametrize("places", [(3,), (1, 3)])
NAMES = {1: "Depth", 3: "Hard edge"}
WEIGHTS = (0.7, 0.5)


@ALL
@pytest.mark.parametrize(("mode", "guidance"), [("Balanced", 6.5), ("Control", 1.0)])  # with guidance, diffusers' own guess mode fails
def test_text_to_image_equals_diffusers(
    places: tuple[int, ...], mode: str, guidance: float, xl: DiffusionModel, xl_folder: Path, inputs: Inputs
) -> None:
    net = union_of(xl)
    theirs = pipeline("StableDiffusionXLControlNetUnionPipeline", xl_folder, controlnet=net)
    settings = maps_of(places) | {"guess_mode": mode == "Control", "guidance_scale": guidance}
    expected = theirs(latents=first_noise(5, SIDE, SIDE), **THEIRS | settings, **sizes(xl_folder)).images[0]
    same: dict[str, Any] = SAME | {"guidance_scale": guidance}
    asked = Controlled(**same, controls=units_of(inputs, places, mode=mode))
    assert off(drawn(asked, holding(xl, net, kind="union"), inputs), expected) <= 1


@ALL
def test_image_to_image_equals_diffusers(places: tuple[int, ...], xl: DiffusionModel, xl_folder: Path, inputs: Inputs) -> None:
    net = union_of(xl)
    theirs = pipeline("StableDiffusionXLControlNetUnionImg2ImgPipeline", xl_folder, controlnet=net)
    begin = {"image": latents_of(xl, blots((SIDE, SIDE))), "generator": torch.Generator().manual_seed(5), "height": SIDE, "width": SIDE}
    expected = theirs(**begin, **THEIRS, **HALF, **maps_of(places), **sizes(xl_folder)).images[0]
    image = inputs.keep(blots((SIDE, SIDE)))
    asked = ImageToImage(**SAME, image=image, denoising_strength=0.55, controls=units_of(inputs, places))
    assert off(drawn(asked, holding(xl, net, kind="union"), inputs), expected) <= 1
    assert far(drawn(replace(asked, controls=()), xl, inputs), expected)


@ALL
def test_inpainting_equals_diffusers_under_the_mask(places: tuple[int, ...], xl: DiffusionModel, xl_folder: Path, inputs: Inputs) -> None:
    net, image, mask = union_of(xl), blots((SIDE, SIDE)), mask_of()
    theirs = pipeline("StableDiffusionXLControlNetUnionInpaintPipeline", xl_folder, controlnet=net)
    theirs._encode_vae_image = lambda *_, **__: latents_of(xl, image)  # without a draw from the VAE's distribution
    begin = {"image": image, "mask_image": mask, "generator": torch.Generator().manual_seed(5), "height": SIDE, "width": SIDE}
    expected = theirs(**begin, **THEIRS, **HALF, **maps_of(places), **sizes(xl_folder)).images[0]
    asked = Inpaint(
        **SAME, image=inputs.keep(image), mask=inputs.keep(mask), denoising_strength=0.55, mask_blur=0, controls=units_of(inputs, places)
    )
    inside = np.asarray(mask) == 255
    found, plain = (np.asarray(drawn(each, holding(xl, net, kind="union"), inputs), int) for each in (asked, replace(asked, controls=())))
    assert np.abs(found - np.asarray(expected))[inside].max() <= 1
    assert np.abs(plain - np.asarray(expected))[inside].max() > 5


def maps_of(places: tuple[int, ...]) -> dict[str, Any]:
    """As diffusers takes them."""
    maps = [map_of(order) for order in range(len(places))]
    return {"control_image": maps, "control_mode": list(places), "controlnet_conditioning_scale": list(WEIGHTS[: len(places)])}


def units_of(inputs: Inputs, places: tuple[int, ...], **changes: Any) -> tuple[ControlUse, ...]:
    """All of the one network."""
    own: list[dict[str, Any]] = [{"weight": WEIGHTS[order], "union_kind": NAMES[place], **changes} for order, place in enumerate(places)]
    return tuple(replace(unit(inputs, order, **given), id="0") for order, given in enumerate(own))


def union_of(model: DiffusionModel) -> Any:
    from diffusers import ControlNetUnionModel

    # The width of the first block is hard-wired in the embedding of the tasks, so a toy's UNet has to have it too.
    wanted = {name: model.unet.config[name] for name in SHARED}
    channels = model.unet.config["block_out_channels"][0]
    own = {"num_trans_channel": channels, "num_proj_channel": channels, "conditioning_embedding_out_channels": (8, 8, 16, 16)}
    torch.manual_seed(9)
    return stirred(ControlNetUnionModel(**wanted, **own), 9)


SHARED = (
    "block_out_channels", "down_block_types", "layers_per_block", "cross_attention_dim", "attention_head_dim", "norm_num_groups",
    "transformer_layers_per_block", "use_linear_projection", "addition_embed_type", "addition_time_embed_dim",
    "projection_class_embeddings_input_dim",
)  # fmt: skip


def test_a_union_network_is_told_what_the_map_shows(xl: DiffusionModel, inputs: Inputs) -> None:
    held = holding(xl, union_of(xl), kind="union")
    with pytest.raises(UserError, match="Map shows"):
        drawn(Controlled(**SAME, controls=(unit(inputs),)), held, inputs)
    with pytest.raises(UserError, match="Tile"):
        drawn(Controlled(**SAME, controls=(unit(inputs, union_kind="Tile"),)), held, inputs)
