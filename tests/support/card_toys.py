"""A library of toys with everything that a drawing can name, and a table of drawings of every kind and with each of these things."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from models.diffusion_model import DiffusionModel
from models.families import SD1, SDXL, SDXL_REFINER, X4_UPSCALER
from models.library.catalog import Catalog
from models.memory.device import Device
from models.memory.forecast import Machine
from models.tensors.embedded_sizes import OWN_SIZES
from pipelines.images.store import Inputs
from pipelines.preprocessors.annotators import Annotators
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.details import DetailBox
from pipelines.requests.region import Region
from pipelines.requests.request import (  # fmt: skip
    Controlled,
    Depth,
    Details,
    Drawing,
    EmbeddingUse,
    HypernetworkUse,
    ImageToImage,
    Inpaint,
    LoraUse,
    Outpaint,
    PictureUse,
    SecondPass,
    TextToImage,
    Upscale,
)
from pipelines.runtime.runner import OWN, ModelRunner
from tests.support.controls import mask_of, net_of
from tests.support.drawing import blots
from tests.support.toy_controls import shaken, sizes_of, write
from tests.support.toy_weights import load_toy_model, toy_networks, write_toy_model
from tests.test_ip_adapter import VISION, drawn, plain

GB = 10**9
SIDE = 64
SAME: dict[str, Any] = {
    "prompt": "a red house", "negative_prompt": "mountains", "steps": 3, "seed": 5, "width": SIDE, "height": SIDE,
}  # fmt: skip
BLOCK = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"


@dataclass(frozen=True)
class Library:
    """The starter, and a folder of models."""

    root: Path

    def runner(self, device: Device, machine: Machine) -> ModelRunner:
        models = self.root / "models"
        catalog = Catalog(self.root / "starter", [models])
        catalog.rescan(wait=True)
        return ModelRunner(catalog, device, machine, Inputs(self.root / "inputs"), Annotators([models], OWN))


def write_library(root: Path) -> Library:
    library, checkpoints = write_small_library(root), root / "models" / "checkpoints"
    write_toy_model(checkpoints / "painting", channels_in=9)
    write_toy_model(checkpoints / "deep", channels_in=5)
    write_toy_model(checkpoints / "large", family=SDXL)
    write_toy_model(checkpoints / "refiner", family=SDXL_REFINER, seed=1)
    write_toy_model(checkpoints / "larger", "v_prediction", family=X4_UPSCALER)
    return library


def write_small_library(root: Path) -> Library:
    """The starter, one checkpoint, and what may be named beside it."""
    write_toy_model(root / "starter")
    write_toy_model(root / "models" / "checkpoints" / "other", seed=1)
    _write_added(root / "models")
    _write_controls(root / "models", load_toy_model(root / "starter"))
    return Library(root)


def _write_added(models: Path) -> None:
    vae = toy_networks(SD1, 100, seed=3).vae
    write(models / "vae" / "soft.safetensors", vae.half().state_dict(), {OWN_SIZES: json.dumps({"vae": dict(vae.config)}, default=str)})
    torch.manual_seed(2)
    lora = {f"{BLOCK}.lora_down.weight": torch.randn(4, 32), f"{BLOCK}.lora_up.weight": torch.randn(32, 4)}
    write(models / "loras" / "ink.safetensors", lora, {})
    write(models / "embeddings" / "snowy.safetensors", {"emb_params": torch.randn(2, 32)}, {})
    write(models / "hypernetworks" / "odd.safetensors", {f"32.{side}.linear.0.weight": torch.randn(32, 32) for side in (0, 1)}, {})


def _write_controls(models: Path, model: DiffusionModel) -> None:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    net = net_of(model, 0)
    write(models / "controlnet" / "lines.safetensors", net.half().state_dict(), sizes_of(net))
    write(models / "controlnet" / "eye.safetensors", drawn(plain(model.unet), 0), {})
    eye = shaken(CLIPVisionModelWithProjection(CLIPVisionConfig(**VISION)))  # pyright: ignore[reportArgumentType]
    write(models / "clip_vision" / "eye.safetensors", eye.state_dict(), {OWN_SIZES: json.dumps({"vision": VISION})})


class Workshop:
    """What a drawing is made of: ids of the library's files by name, and pictures to begin with."""

    def __init__(self, runner: ModelRunner) -> None:
        self.ids = {file.called: file.id for file in runner.catalog.models()}
        self.picture, self.other, self.mask = map(runner.inputs.keep, (blots((SIDE, SIDE)), blots((SIDE, SIDE), 2), mask_of()))

    @property
    def over(self) -> dict[str, Any]:
        return given(image=self.picture, denoising_strength=0.9)

    @property
    def masked(self) -> dict[str, Any]:
        return self.over | {"mask": self.mask}

    @property
    def tiled(self) -> dict[str, Any]:
        """A picture of two parts, with what is cut for each."""
        parts = {"width": 2 * SIDE, "tile_size": SIDE, "tile_overlap": 16, "tile_padding": 0, "tile_blur": 2}
        return (
            self.over
            | parts
            | {"controls": (self.unit(mask=self.mask), self.unit(id=self.ids["eye"], preprocessor="None", mask=self.mask))}
        )

    def lora(self, **changes: Any) -> LoraUse:
        return replace(LoraUse(id=self.ids["ink"], unet=0.7, pace="0@0, 1@1"), **changes)

    @property
    def regions(self) -> tuple[Region, ...]:
        """A rectangle, whose words change, and what is painted."""
        return Region(prompt="[a red house:a boat:0.5]", right=0.5), Region(prompt="a blue tree", mask=self.mask, weight=0.7)

    def unit(self, **changes: Any) -> ControlUse:
        return replace(ControlUse(id=self.ids["lines"], image=self.other, preprocessor="Canny"), **changes)

    @property
    def added(self) -> dict[str, Any]:
        """All that may be named beside a checkpoint."""
        return {
            "loras": (self.lora(),),
            "hypernetworks": (HypernetworkUse(id=self.ids["odd"], strength=0.3),),
            "embeddings": (EmbeddingUse(id=self.ids["snowy"], word="snowy"),),
            "vae": self.ids["soft"],
            "refiner": self.ids["other"],
            "refiner_start": 0.5,
            "variation_strength": 0.3,
            "guidance_rescale": 0.7,
            "clip_skip": 2,
        }


def given(**changes: Any) -> dict[str, Any]:
    """What is the same in all drawings, with changes."""
    return SAME | changes


GUIDED: dict[str, Any] = {
    "guidance_from": 0.25, "guidance_curve": "Linear", "guidance_end": 9.0, "third_look": "PAG", "projection": 0.5,
    "push_limit": 20.0, "momentum": -0.5, "contrast_as": 5.0, "zero_star": True, "perp_negative": 0.5, "free_u": 0.5,
    "guidance_rescale": 0.3,
}  # fmt: skip
DRAWINGS: Mapping[str, Callable[[Workshop], Drawing]] = {
    "text": lambda workshop: TextToImage(**SAME, batch_size=2),
    "text, with all that is added": lambda workshop: TextToImage(**given(prompt="a snowy house", **workshop.added)),
    "text, guided in every way": lambda workshop: TextToImage(
        **given(prompt="a red house AND snow :0.5", steps=4, controls=(workshop.unit(mode="Control"),), **GUIDED)
    ),
    "text, tile by tile": lambda workshop: TextToImage(**given(width=832, steps=2)),
    "text, in regions": lambda workshop: TextToImage(
        **given(prompt="", batch_size=2, refiner=workshop.ids["other"], refiner_start=0.5), regions=workshop.regions
    ),
    "text, in regions with LoRAs": lambda workshop: TextToImage(
        **given(regions=workshop.regions, loras=tuple(workshop.lora(region=region, pace="") for region in range(3)))
    ),
    "SDXL in regions": lambda workshop: TextToImage(**given(checkpoint=workshop.ids["large"]), regions=workshop.regions),
    "SDXL with its refiner": lambda workshop: TextToImage(
        **given(prompt="a (red:1.3) house", checkpoint=workshop.ids["large"], refiner=workshop.ids["refiner"], refiner_start=0.5)
    ),
    "picture": lambda workshop: ImageToImage(**workshop.over, batch_size=2, resize_mode="Stretch latents"),
    "picture, again": lambda workshop: ImageToImage(**workshop.over, loops=2, images=(PictureUse(id=workshop.picture),)),
    "picture, in windows": lambda workshop: ImageToImage(**workshop.tiled, tiling="Windows", batch_size=2, regions=workshop.regions),
    "picture, tile by tile": lambda workshop: ImageToImage(
        **workshop.tiled, tiling="Tile by tile", seam_pass="Band", regions=workshop.regions
    ),
    "second pass": lambda workshop: SecondPass(
        **given(
            image=workshop.picture, width=96, batch_size=2, hires_upscaler="Latent (bicubic antialiased)", hires_width=96, hires_height=64
        )
    ),
    "enlarging": lambda workshop: Upscale(
        **given(image=workshop.picture, checkpoint=workshop.ids["larger"], width=4 * SIDE, height=4 * SIDE, steps=2, tile_size=192)
    ),
    "inpainting": lambda workshop: Inpaint(**workshop.masked, masked_content="Latent noise"),
    "inpainting, soft": lambda workshop: Inpaint(**workshop.masked, soft=True, area="Only masked", padding=4, masked_content="Fill"),
    "inpainting model": lambda workshop: Inpaint(**workshop.masked, checkpoint=workshop.ids["painting"]),
    "details": lambda workshop: Details(
        **workshop.over, boxes=(DetailBox(right=40, bottom=40), DetailBox(left=20, top=10, right=60, bottom=60, prompt="snow")), padding=4
    ),
    "outpainting": lambda workshop: Outpaint(**workshop.over, right=40),
    "control": lambda workshop: Controlled(
        **SAME, controls=(workshop.unit(mask=workshop.mask), workshop.unit(mode="Prompt", image=workshop.picture))
    ),
    "control by what is seen": lambda workshop: Controlled(
        **SAME, controls=(workshop.unit(), workshop.unit(id=workshop.ids["eye"], preprocessor="None")), regions=workshop.regions
    ),
    "control of the picture": lambda workshop: ImageToImage(
        **workshop.over, batch_size=2, controls=(workshop.unit(image="", mode="Control"),)
    ),
    "control, seamless": lambda workshop: Controlled(**SAME, seamless="Both", third_look="SEG", controls=(workshop.unit(),)),
    "depth": lambda workshop: Depth(**workshop.over, checkpoint=workshop.ids["deep"], estimator="Starter depth"),
    "depth, drawn": lambda workshop: Depth(**workshop.over, map=workshop.other, controls=(workshop.unit(image="", preprocessor="None"),)),
}


def networks_of(model: DiffusionModel) -> list[Any]:
    """All that run in a drawing."""
    refiner = networks_of(model.refiner) if model.refiner else []
    controls = [control.ready(model.unet) for control in model.controls.values()]
    return [model.unet, model.vae, *(encoder.network for encoder in model.text_encoders), *controls, *refiner]
