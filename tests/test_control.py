"""Control units on toy weights: against diffusers' own pipelines, one unit and several, in every way of drawing that they have."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pipelines import Controlled, ImageToImage, Inpaint
from pipelines.images.store import Inputs
from tests.support.controls import (  # fmt: skip
    HALF,
    SAME,
    SIDE,
    THEIRS,
    drawn,
    far,
    folder,
    holding,
    inputs,
    map_of,
    mask_of,
    model,
    models_of,
    net_of,
    off,
    pipeline,
    several,
    sizes,
    unit,
    xl,
    xl_folder,
    xl_of,
)
from tests.support.drawing import blots, first_noise, latents_of

__all__ = ["folder", "inputs", "model", "xl", "xl_folder"]

UNITS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {  # ours, and what diffusers calls it
    "one": ([{}], {}),
    "half weight": ([{"weight": 0.5}], {"controlnet_conditioning_scale": 0.5}),
    "the middle steps": ([{"start": 0.25, "end": 0.75}], {"control_guidance_start": 0.25, "control_guidance_end": 0.75}),
    "control counts more": ([{"mode": "Control"}], {"guess_mode": True}),
    "two": ([{"weight": 0.8}, {"weight": 0.4, "start": 0.3}], {
        "controlnet_conditioning_scale": [0.8, 0.4], "control_guidance_start": [0.0, 0.3], "control_guidance_end": [1.0, 1.0],
    }),
}  # fmt: skip


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("size", ["sd1", "xl"])
def test_text_to_image_equals_diffusers(units: str, size: str, inputs: Inputs, request: pytest.FixtureRequest) -> None:
    model, folder = models_of(size, request)
    ours, settings = UNITS[units]
    nets = [net_of(model, seed) for seed in range(len(ours))]
    theirs = pipeline(f"StableDiffusion{xl_of(size)}ControlNetPipeline", folder, controlnet=several(nets))
    maps = several([map_of(seed) for seed in range(len(ours))])
    expected = theirs(image=maps, latents=first_noise(5, SIDE, SIDE), **THEIRS, **settings, **sizes(folder)).images[0]
    asked = Controlled(**SAME, controls=tuple(unit(inputs, place, **changes) for place, changes in enumerate(ours)))
    assert off(drawn(asked, holding(model, *nets), inputs), expected) <= 1
    assert far(drawn(replace(asked, controls=()), model, inputs), expected), "the units do something"


@pytest.mark.parametrize("units", ["one", "two", "control counts more"])
@pytest.mark.parametrize("size", ["sd1", "xl"])
def test_image_to_image_equals_diffusers(units: str, size: str, inputs: Inputs, request: pytest.FixtureRequest) -> None:
    model, folder = models_of(size, request)
    ours, settings = UNITS[units]
    nets = [net_of(model, seed) for seed in range(len(ours))]
    theirs = pipeline(f"StableDiffusion{xl_of(size)}ControlNetImg2ImgPipeline", folder, controlnet=several(nets))
    maps = several([map_of(seed) for seed in range(len(ours))])
    settings = {"generator": torch.Generator().manual_seed(5), "controlnet_conditioning_scale": 1.0} | settings
    begin = {"image": latents_of(model, blots((SIDE, SIDE))), "control_image": maps, "height": SIDE, "width": SIDE}
    expected = theirs(**begin, **THEIRS, **HALF, **settings, **sizes(folder)).images[0]
    asked = ImageToImage(
        **SAME, image=inputs.keep(blots((SIDE, SIDE))), denoising_strength=0.55,
        controls=tuple(unit(inputs, place, **changes) for place, changes in enumerate(ours)),
    )  # fmt: skip
    assert off(drawn(asked, holding(model, *nets), inputs), expected) <= 1
    assert far(drawn(replace(asked, controls=()), model, inputs), expected)


@pytest.mark.parametrize("units", ["one", "two"])
@pytest.mark.parametrize("size", ["sd1", "xl"])
def test_inpainting_equals_diffusers_under_the_mask(units: str, size: str, inputs: Inputs, request: pytest.FixtureRequest) -> None:
    model, folder = models_of(size, request)
    ours, settings = UNITS[units]
    nets = [net_of(model, seed) for seed in range(len(ours))]
    theirs = pipeline(f"StableDiffusion{xl_of(size)}ControlNetInpaintPipeline", folder, controlnet=several(nets))
    image, mask = blots((SIDE, SIDE)), mask_of()
    theirs._encode_vae_image = lambda *_, **__: latents_of(model, image)  # without a draw from the VAE's distribution
    settings = {"generator": torch.Generator().manual_seed(5), "controlnet_conditioning_scale": 1.0} | settings
    settings |= {"height": SIDE, "width": SIDE}
    maps = several([map_of(seed) for seed in range(len(ours))])
    expected = theirs(image=image, mask_image=mask, control_image=maps, **THEIRS, **HALF, **settings, **sizes(folder)).images[0]
    asked = Inpaint(
        **SAME, image=inputs.keep(image), mask=inputs.keep(mask), denoising_strength=0.55, mask_blur=0,
        controls=tuple(unit(inputs, place, **changes) for place, changes in enumerate(ours)),
    )  # fmt: skip
    inside = np.asarray(mask) == 255
    found, plain = (np.asarray(drawn(each, holding(model, *nets), inputs), int) for each in (asked, replace(asked, controls=())))
    assert np.abs(found - np.asarray(expected))[inside].max() <= 1
    assert np.abs(plain - np.asarray(expected))[inside].max() > 5


@pytest.mark.parametrize("size", ["sd1", "xl"])
@pytest.mark.parametrize("count", [1, 2])
def test_adapters_equal_diffusers(size: str, count: int, inputs: Inputs, request: pytest.FixtureRequest) -> None:
    from diffusers import MultiAdapter, T2IAdapter

    model, folder = models_of(size, request)
    torch.manual_seed(3)
    # Two levels, as the toy's UNet has; the public ones have four. SDXL's UNet takes them after its first level has halved the size.
    sort: dict[str, Any] = {"adapter_type": "full_adapter_xl", "downscale_factor": 16} if size == "xl" else {"downscale_factor": 8}
    adapters = [T2IAdapter(channels=[32, 64], num_res_blocks=1, **sort).eval() for _ in range(count)]
    given = adapters[0] if count == 1 else MultiAdapter([copy.deepcopy(adapter) for adapter in adapters])
    theirs = pipeline(f"StableDiffusion{xl_of(size)}AdapterPipeline", folder, adapter=given)
    maps = several([map_of(place) for place in range(count)])
    weights = several([0.8, 0.6][:count])
    expected = theirs(image=maps, latents=first_noise(5, SIDE, SIDE), adapter_conditioning_scale=weights, **THEIRS, **sizes(folder)).images[
        0
    ]
    units = tuple(unit(inputs, place, weight=[0.8, 0.6][place]) for place in range(count))
    held = holding(model, *adapters, kind="t2i-adapter")
    assert off(drawn(Controlled(**SAME, controls=units), held, inputs), expected) <= 1
    assert far(drawn(Controlled(**SAME), model, inputs), expected)
