"""Control units on toy weights, where diffusers has nothing to compare with: regions, modes, batches, and what a unit looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from models.diffusion_model import DiffusionModel
from pipelines import Controlled, ControlUse, ImageToImage, Inpaint, Outpaint, TextToImage
from pipelines.images.store import Inputs
from pipelines.tasks import txt2img
from tests.support.controls import SAME, SIDE, THEIRS, drawn, far, folder, holding, inputs, model, net_of, off, pipeline, unit
from tests.support.drawing import blots, finished, first_noise, task

__all__ = ["folder", "inputs", "model"]


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
    from pipelines.control.units import Controls
    from pipelines.denoising.control_residuals import Call
    from pipelines.denoising.samples import Samples
    from pipelines.requests.steps import Steps

    residuals = Controls(Controlled(**SAME, controls=(use,)), model, inputs).everywhere()
    residuals.begin(0, Steps(8))
    context = torch.ones(2, 77, model.unet.config["cross_attention_dim"])
    with torch.inference_mode():
        found: dict[str, Any] = residuals.residuals(
            Call(torch.ones(2, 4, 8, 8), torch.tensor([500, 500]), context, None, 2, Samples(0, 1, 1))
        )
    return found.get("down_block_additional_residuals", ())


def test_the_prompt_counts_more_the_further_a_layer_is_from_the_middle(model: DiffusionModel, inputs: Inputs) -> None:
    held = holding(model, net_of(model, 0))
    even, soft = (steered(held, inputs, unit(inputs, mode=mode)) for mode in ("Balanced", "Prompt"))
    shares = [float((one / other).nanmedian()) for one, other in zip(soft, even, strict=True)]
    assert shares == pytest.approx(torch.logspace(-1, 0, len(even) + 1)[:-1].tolist(), rel=1e-4)


def test_pictures_of_a_batch_are_those_drawn_alone(held: DiffusionModel, inputs: Inputs) -> None:
    request = Controlled(**SAME, controls=(unit(inputs), unit(inputs, 1, curve="Falling")), batch_size=2, batch_count=2)
    together = [picture.image.tobytes() for picture in finished(txt2img.batches(task(request, held, inputs)))]
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
