"""Depth to image on toy weights: against diffusers' depth pipeline, the edits of a map by closed forms, and files of maps."""

from __future__ import annotations

import io
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from models.control.network import ControlNetwork
from models.diffusion_model import DiffusionModel
from models.errors import UserError
from pipelines import ControlUse, Depth, ImageToImage
from pipelines.depth.depth_map import STEPS, edited, fitted, read_depth, relative, shown, to_map, to_picture
from pipelines.images.store import Inputs
from pipelines.requests.request import describe, restore
from pipelines.tasks import depth2img, img2img
from pipelines.tasks.conditioning import Denoisers
from tests.support.drawing import blots, clip_tokenizer, finished, latents_of, levels, task
from tests.support.toy_weights import SCHEDULER, load_toy_model, write_toy_model

SIDE = 64
REQUEST = Depth(
    prompt="a red house", negative_prompt="mountains", steps=8, seed=5, width=SIDE, height=SIDE, sampler="Euler", guidance_scale=6.5,
    denoising_strength=0.55,
)  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return Inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    """A UNet of five channels: four of the latents and the depth."""
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("five"), channels_in=5))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("four")))


def ramp(width: int = SIDE, height: int = SIDE) -> np.ndarray:
    """Near at the bottom, with a nearer block in it."""
    values = np.repeat(np.linspace(0.1, 0.7, height, dtype=np.float32)[:, None], width, axis=1)
    values[height // 3 : height // 2, width // 4 : width // 2] = 0.9
    return values


def asked(inputs: Inputs, **changes: Any) -> Depth:
    return replace(REQUEST, image=inputs.keep(blots((SIDE, SIDE))), map=inputs.keep(to_picture(ramp())), **changes)


def drawn(request: Depth, model: DiffusionModel, inputs: Inputs) -> Image.Image:
    [picture] = finished(depth2img.batches(task(request, model, inputs)))
    return picture.image


def off(one: Image.Image, other: Image.Image) -> int:
    return int((levels(one) - levels(other)).abs().max())


# ---- against diffusers --------------------------------------------------------------------------------------------------------------


def theirs(model: DiffusionModel, values: np.ndarray, guidance: float) -> Image.Image:
    from diffusers import EulerDiscreteScheduler, StableDiffusionDepth2ImgPipeline
    from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessor

    small: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "image_size": 32,
        "patch_size": 8,
    }
    unused = DPTForDepthEstimation(
        DPTConfig(**small, backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8)
    )
    scheduler = EulerDiscreteScheduler.from_config(SCHEDULER | {"prediction_type": model.prediction_type})
    parts = {"vae": model.vae, "text_encoder": model.text_encoder, "unet": model.unet, "scheduler": scheduler}
    pipeline: Any = StableDiffusionDepth2ImgPipeline(
        **parts, tokenizer=clip_tokenizer(model.checkpoint.tokenizer), depth_estimator=unused, feature_extractor=DPTImageProcessor()
    )  # type: ignore[arg-type]
    pipeline.set_progress_bar_config(disable=True)
    # Its VAE draws from its distribution; ours takes the mean, so it is given that as if it were its draw.
    pipeline.prepare_latents = lambda image, timestep, *_, generator=None, **__: _noised(model, scheduler, timestep, generator)
    return pipeline(
        REQUEST.prompt, image=blots((SIDE, SIDE)), depth_map=torch.from_numpy(values)[None], negative_prompt=REQUEST.negative_prompt,
        num_inference_steps=8, strength=0.625, guidance_scale=guidance, generator=torch.Generator().manual_seed(5),
    ).images[0]  # fmt: skip


def _noised(model: DiffusionModel, scheduler: Any, timestep: torch.Tensor, generator: Any) -> torch.Tensor:
    latents = latents_of(model, blots((SIDE, SIDE)))
    return scheduler.add_noise(latents, torch.randn(latents.shape, generator=torch.Generator().manual_seed(5)), timestep)


@pytest.mark.parametrize("guidance", [1.0, 6.5])
def test_a_depth_checkpoint_equals_diffusers_pipeline(guidance: float, reader: DiffusionModel, inputs: Inputs) -> None:
    ours = drawn(asked(inputs, guidance_scale=guidance), reader, inputs)
    assert off(ours, theirs(reader, ramp(), guidance)) <= 1
    assert off(ours, theirs(reader, ramp()[::-1].copy(), guidance)) > 5, "the map counts"


def test_what_a_depth_checkpoint_reads_goes_from_end_to_end(reader: DiffusionModel) -> None:
    read = depth2img.depth_channel(ramp() * 0.2 + 0.3, REQUEST, reader)
    assert read.shape == (1, 1, SIDE // 8, SIDE // 8)
    assert (float(read.min()), float(read.max())) == (-1.0, 1.0)
    assert not depth2img.depth_channel(np.full((SIDE, SIDE), 0.4, np.float32), REQUEST, reader).any(), "a flat map says nothing"


# ---- by control units -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def held(plain: DiffusionModel) -> DiffusionModel:
    from diffusers import ControlNetModel

    torch.manual_seed(1)
    network = ControlNetModel.from_unet(plain.unet, conditioning_embedding_out_channels=(8, 8, 16, 16)).eval()
    for weight in network.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.2)
    return replace(plain, controls={"net": ControlNetwork("controlnet", network, "depth", 0)})


def test_a_unit_without_a_picture_reads_the_map(held: DiffusionModel, inputs: Inputs) -> None:
    """As if it had been given the map in image to image."""
    unit = ControlUse(id="net", image=inputs.keep(shown(ramp())))
    over = {name: value for name, value in vars(REQUEST).items() if name in {item.name for item in fields(ImageToImage)}}
    given = ImageToImage(**over | {"image": inputs.keep(blots((SIDE, SIDE))), "controls": (unit,)})
    [expected] = finished(img2img.batches(task(given, held, inputs)))
    assert drawn(asked(inputs, controls=(ControlUse(id="net"),)), held, inputs).tobytes() == expected.image.tobytes()
    with pytest.raises(UserError, match="Nothing reads the depth map"):
        drawn(asked(inputs, controls=(unit,)), held, inputs)


def test_both_can_read_it_at_once(reader: DiffusionModel, held: DiffusionModel, inputs: Inputs) -> None:
    from diffusers import ControlNetModel

    torch.manual_seed(2)
    network = ControlNetModel.from_unet(held.unet, conditioning_embedding_out_channels=(8, 8, 16, 16)).eval()
    for weight in network.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.2)
    both = replace(reader, controls={"net": ControlNetwork("controlnet", network, "depth", 0)})
    assert off(drawn(asked(inputs, controls=(ControlUse(id="net"),)), both, inputs), drawn(asked(inputs), both, inputs)) > 5


def test_without_anything_that_reads_it_a_map_is_refused(plain: DiffusionModel, inputs: Inputs) -> None:
    with pytest.raises(UserError, match="Nothing reads the depth map"):
        drawn(asked(inputs), plain, inputs)


def test_a_map_alone_is_enough_at_strength_one(reader: DiffusionModel, inputs: Inputs) -> None:
    alone = replace(asked(inputs, denoising_strength=1.0), image="")
    assert drawn(alone, reader, inputs).tobytes() == drawn(asked(inputs, denoising_strength=1.0), reader, inputs).tobytes()


def test_pictures_of_a_batch_are_those_drawn_alone(reader: DiffusionModel, inputs: Inputs) -> None:
    request = asked(inputs, batch_size=2, batch_count=2)
    together = [picture.image.tobytes() for picture in finished(depth2img.batches(task(request, reader, inputs)))]
    single = replace(request, batch_size=1, batch_count=1)
    assert together == [drawn(replace(single, seed=5 + place), reader, inputs).tobytes() for place in range(4)]


def test_prompts_are_encoded_once_whatever_the_number_of_batches(reader: DiffusionModel, inputs: Inputs) -> None:
    calls: list[int] = []
    hook = reader.text_encoder.register_forward_hook(lambda *_: calls.append(1))
    finished(depth2img.batches(task(asked(inputs, batch_count=3, steps=2), reader, inputs)))
    hook.remove()
    once = len(calls)
    hook = reader.text_encoder.register_forward_hook(lambda *_: calls.append(1))
    with torch.inference_mode():
        Denoisers(asked(inputs), reader)
    hook.remove()
    assert len(calls) == 2 * once


# ---- the map --------------------------------------------------------------------------------------------------------------------------


def test_edits_by_closed_forms() -> None:
    values = np.linspace(0, 1, 11, dtype=np.float32)[None]
    base = Depth(map="")
    assert np.array_equal(edited(values, base), values)
    assert edited(values, replace(base, map_inverted=True)) == pytest.approx(1 - values)
    assert edited(values, replace(base, far=0.2, near=0.7)) == pytest.approx(np.clip((values - 0.2) / 0.5, 0, 1), abs=1e-6)
    assert edited(values, replace(base, curve=2.0)) == pytest.approx(values**2)
    assert edited(values, replace(base, cut_off=0.5)) == pytest.approx(np.where(values < 0.5, 0, values))


def test_blur_keeps_the_mean_and_smooths_a_step() -> None:
    step = np.zeros((64, 64), np.float32)
    step[:, 32:] = 1
    soft = edited(step, Depth(map_blur=4))
    assert soft.mean() == pytest.approx(0.5, abs=1e-3)
    assert (np.diff(soft[10]) >= 0).all() and 0.05 < np.diff(soft[10]).max() < 0.15  # 1 / (4 sqrt(2 pi)) = 0.1


def test_sixteen_bits_are_kept_to_the_last_step(inputs: Inputs) -> None:
    values = np.arange(65_536, dtype=np.float32).reshape(256, 256) / STEPS
    kept = inputs.open(inputs.keep(to_picture(values)), "")
    assert kept.mode == "I;16"
    assert np.array_equal(np.asarray(kept), np.arange(65_536, dtype=np.uint16).reshape(256, 256))
    stream = io.BytesIO()
    kept.save(stream, "PNG")
    again, notes = read_depth(stream.getvalue())
    assert np.array_equal(np.asarray(again), np.asarray(kept)) and notes == ()


def test_a_coloured_picture_counts_by_its_brightness() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (255, 0, 0)).save(stream, "PNG")
    found, _ = read_depth(stream.getvalue())
    assert to_map(found) == pytest.approx(np.full((8, 8), 76 / 255), abs=1e-4)


@pytest.mark.parametrize("channel", ["Z", "ViewLayer.Depth.Z", "depth.V", "R"])
def test_an_exr_of_distances_is_turned_over(channel: str, tmp_path: Path) -> None:
    import OpenEXR

    distances = np.linspace(2, 50, 60, dtype=np.float32).reshape(6, 10)
    distances[0, 0] = np.inf  # an empty background
    OpenEXR.File({"type": OpenEXR.scanlineimage}, {channel: distances}).write(str(tmp_path / "a.exr"))
    found, notes = read_depth((tmp_path / "a.exr").read_bytes())
    expected = 1 - (np.where(np.isfinite(distances), distances, 50) - distances[0, 1]) / (50 - distances[0, 1])
    assert to_map(found) == pytest.approx(expected, abs=2e-5)
    assert any("turned over" in note for note in notes)


@pytest.mark.parametrize("data", [b"\x76\x2f\x31\x01", b"\x76\x2f\x31\x01" + bytes(300), b"", b"text"])
def test_what_is_no_map_gives_a_sentence(data: bytes) -> None:
    with pytest.raises(UserError):
        read_depth(data)


def test_a_damaged_exr_gives_a_sentence(tmp_path: Path) -> None:
    import OpenEXR

    values = np.random.default_rng(0).random((64, 64), np.float32)
    OpenEXR.File({"type": OpenEXR.scanlineimage}, {"Z": values}).write(str(tmp_path / "a.exr"))
    data = (tmp_path / "a.exr").read_bytes()
    for length in (50, 200, len(data) // 2):
        with pytest.raises(UserError, match="EXR"):
            read_depth(data[:length])


def test_relative_depth_ignores_scale_and_survives_what_is_not_finite() -> None:
    values = ramp()
    assert relative(values * 37 + 5) == pytest.approx(relative(values), abs=1e-5)
    assert not relative(np.full((4, 4), 3.0)).any()
    with pytest.raises(UserError, match="no numbers"):
        relative(np.full((4, 4), np.nan))


@pytest.mark.parametrize("mode", ["Stretch", "Crop", "Fill"])
def test_a_map_of_any_shape_comes_to_the_size(mode: str) -> None:
    assert fitted(ramp(90, 30), (64, 96), mode).shape == (96, 64)


def test_a_request_survives_its_json() -> None:
    request = replace(REQUEST, map="ab" * 32, near=0.8, controls=(ControlUse(id="x", image="cd" * 32, curve="Late"),))
    assert restore(describe(request)) == request
