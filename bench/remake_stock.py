"""Models and random requests of every kind for `bench.remake`: whatever a request may hold is in one of them sooner or later."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from models.families import SD1, X4_UPSCALER
from models.files import ModelKind
from models.library.catalog import Catalog
from models.library.checkpoint import STARTER_UPSCALER
from models.memory.device import mend_torchvision
from models.tensors.embedded_sizes import OWN_SIZES
from pipelines.images.store import Inputs
from pipelines.metadata.two_passes import sized
from pipelines.requests.as_made import DecodeUse
from pipelines.requests.clip import LINEAR, TRIANGLE
from pipelines.requests.control_unit import CONTROL_MODES, CONTROL_RESIZE, WEIGHT_CURVES, ControlUse
from pipelines.requests.details import MERGES, DetailBox
from pipelines.requests.enlarge import FILTER_NAMES
from pipelines.requests.region import Region
from pipelines.requests.request import (
    AREAS,
    CURVES,
    FROM_EDGES,
    MASKED_CONTENTS,
    OWN_VAE,
    RESIZE_MODES,
    SAMPLER_NAMES,
    SCHEDULE_NAMES,
    Clip,
    Controlled,
    Depth,
    Details,
    Enlarge,
    HypernetworkUse,
    ImageToImage,
    Inpaint,
    LoraUse,
    Outpaint,
    PictureUse,
    Request,
    SecondPass,
    TextToImage,
    Turn,
    Upscale,
)
from pipelines.requests.second_pass import UPSCALER_NAMES
from pipelines.requests.tiles import ONE_BY_ONE, UNTILED, WINDOWS, one_by_one
from pipelines.requests.turn import BOTH, EACH, SHEET, WHOLE
from pipelines.samplers import SAMPLERS
from tests.support.toy_turning import SIDE as TURNED
from tests.support.toy_turning import write_turning
from tests.support.toy_video import toy_video, write_folder

OWN = Path(__file__).parents[1] / "models" / "starter"
WIDTH = 160  # numbers in a text vector of the starter
PIECES = ("a red house", "a (blue:1.3) ball", "on grass", "moonpeak", "frost", "at night", "[snow]", "BREAK", "with mountains")
SIDES = (64, 72, 96)
SIZES = ((96, 64), (64, 88))
UNITS = (("controlnet outlines", "Canny"), ("controlnet depth", "Starter depth"), ("controlnet outlines", "None"))
Dice = random.Random


def write_models(folder: Path) -> None:
    """Toys of every kind that fit the starter, and it once more with other weights: alone, and as a network that reads a mask."""
    torch.manual_seed(7)
    vae = load_file(OWN / "vae" / "diffusion_pytorch_model.safetensors")
    sizes = {OWN_SIZES: json.dumps({"vae": json.loads((OWN / "vae" / "config.json").read_text("utf-8"))})}
    ink = load_file(OWN / "loras" / "ink.safetensors")
    lora = {name: torch.randn_like(weight) / 8 if weight.ndim > 1 else weight for name, weight in ink.items()}
    net = {f"{WIDTH}.{side}.linear.0.weight": torch.randn(WIDTH, WIDTH) / 20 for side in (0, 1)}
    _save(folder / "loras" / "soft, warm.safetensors", lora)
    _save(folder / "embeddings" / "frost.safetensors", {"emb_params": torch.randn(2, WIDTH)})
    _save(folder / "hypernetworks" / "swirl.safetensors", net)
    _save(folder / "vae" / "dusk.safetensors", {name: weight * 1.02 for name, weight in vae.items()}, sizes)
    _copy(folder / "checkpoints" / "second", 4)
    _copy(folder / "checkpoints" / "reader", SD1.latent.channels + 5)
    _write_larger(folder / "checkpoints" / "larger")
    write_folder(folder / "checkpoints" / "moving", toy_video())
    write_turning(folder / "checkpoints" / "turning.safetensors")


def _copy(folder: Path, channels: int) -> None:
    shutil.copytree(OWN, folder, ignore=shutil.ignore_patterns("controlnets", "depth*", "embeddings", "loras", "judge", "recipe", "*.py"))
    file, config = folder / "unet" / "diffusion_pytorch_model.safetensors", folder / "unet" / "config.json"
    tensors = {name: weight + weight.float().std().nan_to_num().to(weight) * 0.01 for name, weight in load_file(file).items()}
    first = tensors["conv_in.weight"]
    tensors["conv_in.weight"] = torch.cat([first, torch.randn(len(first), channels - 4, 3, 3).to(first) * 0.02], 1).contiguous()
    _save(file, tensors)
    config.write_text(json.dumps({**json.loads(config.read_text("utf-8")), "in_channels": channels}), "utf-8")


def _write_larger(folder: Path) -> None:
    """The starter as an x4 upscaler: its UNet reads a small picture and the level of the noise on it, and its VAE has three levels."""
    mend_torchvision()
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    _copy(folder, SD1.latent.channels + 3)
    file, config, index = (
        folder / "unet" / "diffusion_pytorch_model.safetensors",
        folder / "unet" / "config.json",
        folder / "model_index.json",
    )
    tensors, sizes = load_file(file), json.loads(config.read_text("utf-8"))
    levels = torch.randn(X4_UPSCALER.noise_levels + 1, 4 * sizes["block_out_channels"][0]).half() / 10
    _save(file, tensors | {"class_embedding.weight": levels})
    config.write_text(json.dumps({**sizes, "num_class_embeds": len(levels)}), "utf-8")
    shutil.rmtree(folder / "vae")
    blocks: dict[str, Any] = {"down_block_types": ("DownEncoderBlock2D",) * 3, "up_block_types": ("UpDecoderBlock2D",) * 3}
    blocks["block_out_channels"] = (8, 16, 16)
    vae = AutoencoderKL(**blocks, layers_per_block=1, norm_num_groups=4, scaling_factor=0.08333)
    vae.half().save_pretrained(folder / "vae")
    noise = {"beta_schedule": "scaled_linear", "beta_start": 0.0001, "beta_end": 0.02}
    (folder / "low_res_scheduler").mkdir()
    (folder / "low_res_scheduler" / "scheduler_config.json").write_text(json.dumps(noise), "utf-8")
    parts = {"_class_name": "StableDiffusionUpscalePipeline", "low_res_scheduler": ["diffusers", "DDPMScheduler"]}
    index.write_text(json.dumps({**json.loads(index.read_text("utf-8")), **parts}), "utf-8")


def _save(file: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, file, metadata)


@dataclass(frozen=True)
class Loaders:
    """What requests may name: ids of files by name, and input pictures."""

    ids: dict[str, str]
    pictures: tuple[str, ...]
    masks: tuple[str, ...]
    depths: tuple[str, ...]


def stock(catalog: Catalog, inputs: Inputs) -> Loaders:
    kinds: tuple[ModelKind, ...] = ("checkpoint", "lora", "vae", "embedding", "hypernetwork", "controlnet")
    ids = {f"{kind} {entry.true_name}".lower(): entry.id for kind in kinds for entry in catalog.models(kind)}
    noise = np.random.default_rng(5)
    blots = [Image.fromarray(noise.integers(0, 256, (4, 4, 3), np.uint8)) for _ in SIZES]
    pictures = [blot.resize(size, Image.Resampling.BICUBIC) for blot, size in zip(blots, SIZES, strict=True)]
    masks = [Image.new("L", picture.size) for picture in pictures]
    for mask in masks:
        mask.paste(230, (20, 16, 52, 48))
    depth = Image.fromarray((np.linspace(0, 65535, 64 * 64).reshape(64, 64)).astype(np.uint16))
    return Loaders(ids, tuple(map(inputs.keep, pictures)), tuple(map(inputs.keep, masks)), (inputs.keep(depth),))


def request(dice: Dice, stock: Loaders) -> Request:
    """A random request of a random kind."""
    return dice.choice(KINDS)(dice, stock, _common(dice, stock))


GUIDED: tuple[dict[str, Any], ...] = (
    {"guidance_from": 0.3, "guidance_until": 0.8}, {"guidance_curve": "Linear", "guidance_end": 2.0, "momentum": -0.4},
    {"third_look": "PAG", "free_u": 0.4}, {"third_look": "SEG", "look_blur": 1.5, "contrast_as": 2.0, "contrast_percentile": 97.0},
    {"projection": 0.8, "push_limit": 10.0, "zero_star": True}, {"perp_negative": 0.7},
)  # fmt: skip


def _common(dice: Dice, stock: Loaders) -> dict[str, Any]:
    prompt = ", ".join(dice.sample(PIECES, dice.randint(1, 4)))
    values: dict[str, Any] = {
        "prompt": prompt, "negative_prompt": dice.choice(("", "rain, frost", "text")),
        "steps": dice.randint(2, 4), "seed": dice.randrange(2**40),
        "width": dice.choice(SIDES), "height": dice.choice(SIDES), "guidance_scale": dice.choice((1.0, 3.0, 5.5)),
        "sampler": dice.choice(SAMPLER_NAMES), "clip_skip": dice.choice((1, 1, 2)), "guidance_rescale": dice.choice((0.0, 0.0, 0.7)),
        "batch_count": dice.choice((1, 1, 2)), "batch_size": dice.choice((1, 1, 2)),
        "vae": dice.choice(("", OWN_VAE, stock.ids["vae dusk"])),
        "loras": dice.choice(((), (_lora(dice, stock),), (_lora(dice, stock), _lora(dice, stock)))),
        "threads": dice.choice((0, 0, 0, 1, 2, 3)),
    }  # fmt: skip
    values |= {"sigmas": "14.6, 5, 2, 0.7, 0.2", "rho": dice.choice((0.0, 0.0, 2.5)), "sigma_min": dice.choice((0.0, 0.0, 0.1))}
    values |= {"eta": dice.choice((1.0, 1.0, 0.4)), "ddim_eta": dice.choice((0.0, 0.5)), "s_churn": dice.choice((0.0, 0.0, 3.0))}
    values["schedule"] = dice.choice(SCHEDULE_NAMES) if len(SAMPLERS[values["sampler"]].schedules) > 5 else "Automatic"
    if dice.random() < 0.4:
        values |= dice.choice(GUIDED)
    if dice.random() < 0.2:
        values["hypernetworks"] = (HypernetworkUse(id=stock.ids["hypernetwork swirl"], strength=dice.choice((0.3, -0.4))),)
    if dice.random() < 0.3:
        values |= {"variation_strength": dice.choice((0.2, 1.0)), "variation_seed": dice.randrange(2**40)}
    if dice.random() < 0.2:
        values |= {"refiner": stock.ids["checkpoint second"], "refiner_start": dice.choice((0.0, 0.5, 0.8))}
    if dice.random() < 0.25:
        house, boat = Region(prompt="a red house", right=0.5), Region(prompt="[frost:snow:2]", weight=dice.choice((0.5, 1.0)))
        values |= {"regions": (house, replace(boat, mask=dice.choice(("", stock.masks[0])))), "base_share": dice.choice((0.0, 0.2))}
    if dice.random() < 0.15:
        values |= {"width": 320, "steps": 2, "batch_size": 1, "decodes": (DecodeUse(tile=256),)}
    return values


def _lora(dice: Dice, stock: Loaders) -> LoraUse:
    name = dice.choice(("lora ink", "lora soft, warm"))
    return LoraUse(id=stock.ids[name], unet=dice.choice((0.6, -0.5, 1.0)), text_encoder=dice.choice((0.0, 1.0)))


def _unit(dice: Dice, stock: Loaders, own: bool = True) -> ControlUse:
    name, preprocessor = dice.choice(UNITS)
    start = dice.choice((0.0, 0.0, 0.3))
    return ControlUse(
        id=stock.ids[name], image=dice.choice(stock.pictures) if own else "", preprocessor=preprocessor, weight=dice.choice((0.5, 1.0)),
        threshold_a=100.0, threshold_b=200.0, start=start, mode=dice.choice(CONTROL_MODES), resize_mode=dice.choice(CONTROL_RESIZE),
        curve=dice.choice(WEIGHT_CURVES), mask=dice.choice(("", stock.masks[0])),
    )  # fmt: skip


def _maybe_units(dice: Dice, stock: Loaders) -> dict[str, Any]:
    return {"controls": (_unit(dice, stock, dice.random() < 0.5),)} if dice.random() < 0.25 else {}


def _txt2img(dice: Dice, stock: Loaders, common: dict[str, Any]) -> Request:
    if dice.random() < 0.25:
        return TextToImage(**common, hires=True, hires_steps=dice.randint(0, 3), hires_prompt=dice.choice(("", "frost")))
    return TextToImage(**common, enlarged_by=_enlarger(dice))


def _enlarger(dice: Dice) -> str:
    return dice.choice(("", "", STARTER_UPSCALER))


def _controlled(dice: Dice, stock: Loaders, common: dict[str, Any]) -> Request:
    return Controlled(**common, enlarged_by=_enlarger(dice), controls=tuple(_unit(dice, stock) for _ in range(dice.randint(1, 2))))


def _img2img(dice: Dice, stock: Loaders, common: dict[str, Any]) -> Request:
    several = tuple(PictureUse(id=picture) for picture in stock.pictures) if dice.random() < 0.3 else ()
    drawn = ImageToImage(
        **common, image=dice.choice(stock.pictures), images=several, denoising_strength=dice.choice((0.0, 0.4, 0.75, 1.0)),
        enlarged_by=_enlarger(dice), exact_steps=dice.random() < 0.3, resize_mode=dice.choice(RESIZE_MODES), **_maybe_units(dice, stock),
    )  # fmt: skip
    if dice.random() < 0.3:
        return replace(drawn, batch_count=1, loops=dice.randint(2, 3), final_strength=0.4, strength_curve=dice.choice(CURVES))
    return drawn


def _inpaint(dice: Dice, stock: Loaders, common: dict[str, Any]) -> Request:
    place = dice.randrange(len(stock.pictures))
    plain = {**common, "refiner": ""}
    return Inpaint(
        **(plain | {"checkpoint": stock.ids["checkpoint reader"]} if dice.random() < 0.3 else common), image=stock.pictures[place],
        mask=stock.masks[place], inverted=dice.random() < 0.2, mask_blur=dice.choice((0, 4)), masked_content=dice.choice(MASKED_CONTENTS),
        area=dice.choice(AREAS), padding=dice.choice((0, 32)), soft=dice.random() < 0.3, denoising_strength=dice.choice((0.0, 0.5, 1.0)),
        **_maybe_units(dice, stock),
    )  # fmt: skip


def _outpaint(dice: Dice, stock: Loaders, common: dict[str, Any]) -> Request:
    return Outpaint(
        **{**common, "decodes": (), "width": 64, "height": 64}, image=dice.choice(stock.pictures), right=dice.choice((16, 48)),
        top=dice.choice((0, 24)), overlap=dice.choice((0, 16)), begins_with=dice.choice(FROM_EDGES),
        denoising_strength=dice.choice((0.7, 1.0)),
    )  # fmt: skip


def _depth(dice: Dice, stock: Loaders, common: dict[str, Any]) -> Request:
    driven = {"checkpoint": "starter-depth", "refiner": ""} if dice.random() < 0.6 else {"controls": (_unit(dice, stock, own=False),)}
    return Depth(
        **{**common, **driven}, image=dice.choice(stock.pictures), map=dice.choice(("", stock.depths[0])),
        denoising_strength=dice.choice((0.5, 1.0)),
        map_inverted=dice.random() < 0.3, cut_off=dice.choice((0.0, 0.2)), curve=dice.choice((1.0, 1.6)), map_blur=dice.choice((0, 3)),
    )  # fmt: skip


def _details(dice: Dice, stock: Loaders, common: dict[str, Any]) -> Request:
    place = dice.randrange(len(stock.pictures))
    boxes = (
        DetailBox(left=4, top=6, right=44, bottom=40, prompt=dice.choice(("", "frost, [PROMPT]", "[SKIP]"))),
        DetailBox(left=30, top=24, right=90, bottom=64, strength=dice.choice((0.0, 0.7))),
    )
    return Details(
        **{**common, "decodes": ()}, image=stock.pictures[place], boxes=boxes[: dice.randint(1, 2)], together=dice.choice(MERGES),
        mask=dice.choice(("", stock.masks[place])), mask_blur=dice.choice((0, 4)), padding=dice.choice((0, 32)),
        denoising_strength=dice.choice((0.0, 0.4, 1.0)), **_maybe_units(dice, stock),
    )  # fmt: skip


def _hires(dice: Dice, stock: Loaders, common: dict[str, Any]) -> Request:
    small = {**common, "width": 64, "height": 64, "momentum": 0.0}  # as no tile has one
    asked = SecondPass(
        **small, image=dice.choice(stock.pictures), denoising_strength=dice.choice((0.0, 0.4, 1.0)),
        hires_upscaler=dice.choice(UPSCALER_NAMES), hires_factor=dice.choice((1.0, 1.45)), hires_width=dice.choice((0, 0, 104)),
        hires_height=dice.choice((0, 96)), **_tiles(dice), **_maybe_units(dice, stock),
    )  # fmt: skip
    plain = replace(asked, tiling=UNTILED) if asked.is_latent and one_by_one(asked) else asked
    return sized(plain, SIZES[stock.pictures.index(asked.image)])


def _tiles(dice: Dice) -> dict[str, Any]:
    tiles = {"tiling": dice.choice((WINDOWS, ONE_BY_ONE)), "tile_size": 64, "tile_overlap": dice.choice((0, 32))}
    return tiles if dice.random() < 0.3 else {}


def _enlarge(dice: Dice, stock: Loaders, common: dict[str, Any]) -> Request:
    return Enlarge(
        image=dice.choice(stock.pictures), filter=dice.choice(FILTER_NAMES), by=dice.choice(("Factor", "Size")),
        factor=dice.choice((0.5, 1.5, 3.0)), width=dice.choice((100, 333)), height=dice.choice((0, 77)),
    )  # fmt: skip


def _upscale(dice: Dice, stock: Loaders, common: dict[str, Any]) -> Request:
    own = ("prompt", "negative_prompt", "steps", "seed", "guidance_scale", "sampler", "schedule", "batch_count", "batch_size", "threads")
    asked = Upscale(
        **{name: common[name] for name in own}, checkpoint=stock.ids["checkpoint larger"], image=dice.choice(stock.pictures),
        noise_level=dice.choice((0, 20, 350)), **_tiles(dice) | {"tiling": dice.choice((WINDOWS, UNTILED)), "tile_size": 192},
    )  # fmt: skip
    return asked.sized(SIZES[stock.pictures.index(asked.image)])


def _video(dice: Dice, stock: Loaders, common: dict[str, Any]) -> Request:
    own = {name: common[name] for name in ("steps", "seed", "sampler", "schedule", "threads")}
    return Clip(
        **own, checkpoint=stock.ids["checkpoint moving"], image=dice.choice(stock.pictures), width=64, height=dice.choice((64, 128)),
        frames=dice.choice((1, 3)), frames_a_second=dice.choice((0, 5)), motion=dice.choice((1, 200)), guidance_first=1.0,
        picture_noise=dice.choice((0.0, 0.3)), guidance_last=dice.choice((1.0, 2.5)), guidance_shape=dice.choice((LINEAR, TRIANGLE)),
        decode_chunk=dice.choice((0, 2)),
    )  # fmt: skip


def _turn(dice: Dice, stock: Loaders, common: dict[str, Any]) -> Request:
    own = {name: common[name] for name in ("steps", "seed", "sampler", "schedule", "threads")}
    asked = Turn(
        **own, checkpoint=stock.ids["checkpoint turning"], image=dice.choice(stock.pictures), views=dice.choice((1, 3)),
        gathered=dice.choice((EACH, BOTH, SHEET)), azimuth=dice.choice((-60.0, 45.0)), elevation=dice.choice((0.0, 20.0)),
        distance=dice.choice((0.0, 0.25)), object_size=dice.choice((0.5, 0.78)), cut=WHOLE, guidance_scale=dice.choice((1.0, 3.0)),
    )  # fmt: skip
    return asked.fitted({"side": TURNED}, None)


KINDS: tuple[Callable[[Dice, Loaders, dict[str, Any]], Request], ...] = (
    _txt2img, _img2img, _inpaint, _outpaint, _controlled, _depth, _hires, _details, _enlarge, _upscale, _video, _turn,
)  # fmt: skip
