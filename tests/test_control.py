"""Control units on toy weights: against diffusers' own pipelines, one unit and several, in every way of drawing that they have."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from models.control import ControlNetwork
from models.families import SDXL
from models.loading import DiffusionModel
from pipelines import Controlled, ControlUse, ImageToImage, Inpaint, Outpaint, TextToImage, img2img, inpaint, outpaint, txt2img
from pipelines.inputs import Inputs
from pipelines.request import Request
from tests.drawing import blots, finished, first_noise, latents_of, levels
from tests.toy_weights import load_toy_model, write_toy_model

SIDE = 64
SAME: dict[str, Any] = {
    "prompt": "a red house", "negative_prompt": "mountains", "steps": 8, "seed": 5, "width": SIDE, "height": SIDE, "sampler": "Euler",
    "guidance_scale": 6.5,
}  # fmt: skip
THEIRS: dict[str, Any] = {
    "prompt": "a red house", "negative_prompt": "mountains", "num_inference_steps": 8, "guidance_scale": 6.5, "output_type": "pil",
}  # fmt: skip
NONE: dict[str, Any] = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
RECIPES: dict[str, Any] = {"txt2img": txt2img, "controlnet": txt2img, "img2img": img2img, "inpaint": inpaint, "outpaint": outpaint}
HALF = {"strength": 0.625}  # five of eight steps: there int(8 * 0.625), here int(8 * 0.55) + 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_model(tmp_path_factory.mktemp("sd1"))


@pytest.fixture(scope="module")
def xl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_model(tmp_path_factory.mktemp("xl"), family=SDXL)


@pytest.fixture(scope="module")
def model(folder: Path) -> DiffusionModel:
    return load_toy_model(folder)


@pytest.fixture(scope="module")
def xl(xl_folder: Path) -> DiffusionModel:
    return load_toy_model(xl_folder, family=SDXL)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return Inputs(tmp_path_factory.mktemp("inputs"))


def net_of(model: DiffusionModel, seed: int) -> Any:
    """A ControlNet of the model's own sizes whose last layers are not zero, as those of a new one would be."""
    from diffusers import ControlNetModel

    net = ControlNetModel.from_unet(model.unet, conditioning_embedding_out_channels=(8, 8, 16, 16))
    return stirred(net, seed)


def stirred(network: Any, seed: int, size: float = 0.2) -> Any:
    torch.manual_seed(seed)
    for weight in network.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=size)
    return network.eval().requires_grad_(False)


def map_of(seed: int) -> Image.Image:
    """White lines on black."""
    chance, image = np.random.default_rng(seed), Image.new("RGB", (SIDE, SIDE))
    for _ in range(6):
        ImageDraw.Draw(image).line([tuple(map(int, point)) for point in chance.integers(0, SIDE, (2, 2))], "white", 2)
    return image


def holding(model: DiffusionModel, *networks: Any, kind: str = "controlnet") -> DiffusionModel:
    """The model with networks under the ids 0, 1, 2 …"""
    return replace(model, controls={str(place): ControlNetwork(kind, network, f"net {place}", 0) for place, network in enumerate(networks)})


def unit(inputs: Inputs, place: int = 0, **changes: Any) -> ControlUse:
    return ControlUse(id=str(place), image=inputs.keep(map_of(place)), **changes)


def drawn(request: Request, model: DiffusionModel, inputs: Inputs) -> Image.Image:
    [picture] = finished(RECIPES[request.kind].batches(request, model, inputs))
    return picture.image


def off(ours: Image.Image, theirs: Image.Image) -> int:
    """The largest difference in levels of 255."""
    assert len(ours.getcolors(100_000) or []) > 10, "not a picture of one colour"
    return int((levels(ours) - levels(theirs)).abs().max())


def far(one: Image.Image, other: Image.Image) -> bool:
    """Several times as far apart as two that count as equal."""
    return int((levels(one) - levels(other)).abs().max()) > 5


def pipeline(name: str, folder: Path, **parts: Any) -> Any:
    import diffusers

    more = NONE if "XL" not in name else {"feature_extractor": None, "image_encoder": None} if "ControlNet" in name else {}
    given = more | parts
    found = getattr(diffusers, name).from_pretrained(folder, torch_dtype=torch.float32, local_files_only=True, **given)
    found.set_progress_bar_config(disable=True)
    return found


def sizes(folder: Path) -> dict[str, Any]:
    return {"original_size": (SIDE, SIDE), "target_size": (SIDE, SIDE)} if "xl" in folder.name else {}


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


# ---- what diffusers does not have --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def held(model: DiffusionModel) -> DiffusionModel:
    return holding(model, net_of(model, 0), net_of(model, 1))


def test_weight_nought_takes_a_unit_out_and_calls_nothing(model: DiffusionModel, held: DiffusionModel, inputs: Inputs) -> None:
    calls: list[int] = []
    hook = held.controls["0"].network.register_forward_hook(lambda *_: calls.append(1))
    plain = drawn(Controlled(**SAME), model, inputs)
    assert drawn(Controlled(**SAME, controls=(unit(inputs, weight=0.0),)), held, inputs).tobytes() == plain.tobytes()
    assert calls == []
    drawn(Controlled(**SAME, controls=(unit(inputs, start=0.5),)), held, inputs)
    hook.remove()
    assert len(calls) == 4, "only in its own half of the steps"


def test_the_first_layers_read_a_map_once_for_all_steps(model: DiffusionModel, inputs: Inputs) -> None:
    net, calls = net_of(model, 0), list[torch.Size]()
    net.controlnet_cond_embedding.register_forward_pre_hook(lambda _, given: calls.append(given[0].shape))
    drawn(Controlled(**SAME, controls=(unit(inputs),)), holding(model, net), inputs)
    assert calls == [(1, 3, SIDE, SIDE)], "of eight steps with two branches each"


def test_a_network_that_reads_blue_first_equals_diffusers(model: DiffusionModel, folder: Path, inputs: Inputs) -> None:
    net, image = net_of(model, 0), blots((SIDE, SIDE), 3)
    net.register_to_config(controlnet_conditioning_channel_order="bgr")
    net.controlnet_cond_embedding.conv_in.weight.data *= 30_000  # so that colours count beside the biases
    theirs = pipeline("StableDiffusionControlNetPipeline", folder, controlnet=net)
    expected = theirs(image=image, latents=first_noise(5, SIDE, SIDE), **THEIRS).images[0]
    asked = Controlled(**SAME, controls=(ControlUse(id="0", image=inputs.keep(image)),))
    assert off(drawn(asked, holding(model, net), inputs), expected) <= 1
    net.register_to_config(controlnet_conditioning_channel_order="rgb")
    assert far(drawn(asked, holding(model, net), inputs), expected)


def test_a_region_keeps_a_unit_to_its_part(model: DiffusionModel, inputs: Inputs) -> None:
    """Of one step, where what is drawn at one place has not yet spread: the left half is as with the unit, the right as without."""
    net = net_of(model, 0)
    held, left = holding(model, net), Image.new("L", (SIDE, SIDE))
    left.paste(255, (0, 0, SIDE // 2, SIDE))
    latents = [steered(held, inputs, unit(inputs, mask=mask)) for mask in ("", inputs.keep(left))]
    plain = steered(held, inputs, unit(inputs, weight=0.0))
    whole, masked = latents
    assert not plain
    for free, kept in zip(whole, masked, strict=True):
        middle = free.shape[-1] // 2
        assert torch.equal(kept[..., :middle], free[..., :middle]) and not kept[..., middle:].any()


def steered(model: DiffusionModel, inputs: Inputs, use: ControlUse) -> Sequence[torch.Tensor]:
    """What a unit adds to the UNet's skip connections at the first step."""
    from pipelines.control import Controls
    from pipelines.steering import Call
    from pipelines.strength import Steps

    steering = Controls(Controlled(**SAME, controls=(use,)), model, inputs).everywhere()
    steering.begin(0, Steps(8))
    context = torch.ones(2, 77, model.unet.config["cross_attention_dim"])
    with torch.inference_mode():
        found = steering.residuals(Call(torch.ones(2, 4, 8, 8), torch.tensor([500, 500]), context, None, 2, slice(0, 1)))
    return found.get("down_block_additional_residuals", ())


def test_the_prompt_counts_more_the_further_a_layer_is_from_the_middle(model: DiffusionModel, inputs: Inputs) -> None:
    held = holding(model, net_of(model, 0))
    even, soft = (steered(held, inputs, unit(inputs, mode=mode)) for mode in ("Balanced", "Prompt"))
    shares = [float((one / other).nanmedian()) for one, other in zip(soft, even, strict=True)]
    assert shares == pytest.approx(torch.logspace(-1, 0, len(even) + 1)[:-1].tolist(), rel=1e-4)


def test_pictures_of_a_batch_are_those_drawn_alone(held: DiffusionModel, inputs: Inputs) -> None:
    request = Controlled(**SAME, controls=(unit(inputs), unit(inputs, 1, curve="Falling")), batch_size=2, batch_count=2)
    together = [picture.image.tobytes() for picture in finished(txt2img.batches(request, held, inputs))]
    single = replace(request, batch_size=1, batch_count=1)
    alone = [drawn(replace(single, seed=5 + place), held, inputs).tobytes() for place in range(4)]
    assert together == alone


def test_a_unit_without_a_picture_takes_the_one_that_is_drawn_over(held: DiffusionModel, inputs: Inputs) -> None:
    start = inputs.keep(blots((SIDE, SIDE), 4))
    over = ImageToImage(**SAME, image=start, controls=(ControlUse(id="0"),))
    own = replace(over, controls=(ControlUse(id="0", image=start),))
    assert drawn(over, held, inputs).tobytes() == drawn(own, held, inputs).tobytes()


@pytest.mark.parametrize("area", ["Whole picture", "Only masked"])
def test_in_inpainting_a_unit_sees_the_part_that_is_drawn(area: str, held: DiffusionModel, inputs: Inputs) -> None:
    """A map as large as the picture is cut as the picture is: taken from the picture itself, both ways are one."""
    big = blots((160, 160), 4)
    mask = Image.new("L", big.size)
    mask.paste(255, (64, 64, 96, 96))
    asked = Inpaint(**SAME, image=inputs.keep(big), mask=inputs.keep(mask), area=area, padding=16)
    taken = drawn(replace(asked, controls=(ControlUse(id="0"),)), held, inputs)
    given = drawn(replace(asked, controls=(ControlUse(id="0", image=asked.image),)), held, inputs)
    assert taken.size == (160, 160)
    assert taken.tobytes() == given.tobytes()
    assert far(taken, drawn(asked, held, inputs))


def test_outpainting_takes_units_too(held: DiffusionModel, inputs: Inputs) -> None:
    same: dict[str, Any] = SAME | {"steps": 3}
    asked = Outpaint(**same, image=inputs.keep(blots((SIDE, SIDE))), right=64)
    held_by = [drawn(replace(asked, controls=(one,)), held, inputs) for one in (unit(inputs), ControlUse(id="0"))]
    assert all(far(image, drawn(asked, held, inputs)) for image in held_by)


def test_a_distilled_guidance_of_one_still_takes_units(held: DiffusionModel, inputs: Inputs) -> None:
    same: dict[str, Any] = SAME | {"guidance_scale": 1.0}
    request = TextToImage(**same)
    modes = [drawn(replace(request, controls=(unit(inputs, mode=mode),)), held, inputs) for mode in ("Balanced", "Control")]
    assert all(far(image, drawn(request, held, inputs)) for image in modes)


@pytest.mark.parametrize("image", [Image.new("RGB", (10, 10), "white"), Image.new("RGB", (300, 20), "white")])
@pytest.mark.parametrize("mode", ["Crop", "Fill", "Stretch"])
def test_a_picture_of_any_shape_is_brought_to_the_drawing_s_size(
    image: Image.Image, mode: str, held: DiffusionModel, inputs: Inputs
) -> None:
    use = ControlUse(id="0", image=inputs.keep(image), resize_mode=mode)
    assert drawn(Controlled(**SAME, controls=(use,)), held, inputs).size == (SIDE, SIDE)


# ---- small things ------------------------------------------------------------------------------------------------------------------


def models_of(size: str, request: pytest.FixtureRequest) -> tuple[DiffusionModel, Path]:
    names = {"sd1": ("model", "folder"), "xl": ("xl", "xl_folder")}[size]
    model, folder = (request.getfixturevalue(name) for name in names)
    return model, folder


def xl_of(size: str) -> str:
    return "XL" if size == "xl" else ""


def several(things: Sequence[Any]) -> Any:
    """As diffusers takes them: one alone, several in a list."""
    return things[0] if len(things) == 1 else list(things)


def mask_of() -> Image.Image:
    mask = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(mask).rectangle((16, 16, 39, 47), fill=255)
    return mask
