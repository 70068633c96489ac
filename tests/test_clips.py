"""Clips of Stable Video Diffusion on tiny random weights: against diffusers' pipeline, and against the original's own arithmetic."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from models.errors import Interrupted, Overflow
from models.loading.video import load_image_encoder, load_video
from models.memory.device import Device
from models.networks.vision import Vision
from models.video_model import VideoModel
from pipelines.denoising.clip import Motion, clip_denoiser, conditioning, seen_in, smoothly
from pipelines.denoising.clip_decode import decode_clip
from pipelines.denoising.denoiser import Denoiser
from pipelines.denoising.guidance import SteadyGuidance
from pipelines.denoising.preview import loop_of, strip_of
from pipelines.denoising.vae_encode import to_pixels
from pipelines.requests.clip import linear
from pipelines.samplers import SAMPLERS, plan, sample
from pipelines.samplers.noise import ImageNoise
from tests.support.drawing import blots, ended
from tests.support.toy_video import ToyVideo, as_video, scheduler, toy_video, write_folder

CPU = Device(torch.device("cpu"), torch.float32)
FRAMES, SEED, SIDES = 5, 5, (64, 96)  # height, width
SHAPE = (FRAMES, 4, SIDES[0] // 8, SIDES[1] // 8)
MOTION = Motion(frames_a_second=9, motion=90, picture_noise=0.1)
PICTURE = blots((SIDES[1], SIDES[0]))


@pytest.fixture(scope="module")
def toy() -> ToyVideo:
    return toy_video()


@pytest.fixture(scope="module")
def folder(toy: ToyVideo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("clips") / "video", toy)


@pytest.fixture(scope="module")
def model(folder: Path) -> VideoModel:
    return load_video(as_video(folder), CPU)


@pytest.fixture(scope="module")
def vision(folder: Path) -> Vision:
    return load_image_encoder(as_video(folder), CPU)


Said = Callable[..., Denoiser]


@pytest.fixture(scope="module")
def said(model: VideoModel, vision: Vision) -> Said:
    """The denoiser of the picture, with guidance that goes from one number to another."""
    with torch.inference_mode():
        once = conditioning(model, seen_in(vision, PICTURE), PICTURE, noise_over_picture(), MOTION, [1.0] * FRAMES)

    def denoiser(first: float, last: float, other: VideoModel = model, **more: Any) -> Denoiser:
        return clip_denoiser(
            other, replace(once, guidance=SteadyGuidance(torch.tensor(linear(first, last, FRAMES)).view(1, -1, 1, 1, 1))), **more
        )

    return denoiser


def noise_over_picture() -> Tensor:
    return torch.randn(1, 3, *SIDES, generator=torch.Generator().manual_seed(SEED + 1))


def sampled(denoiser: Denoiser, sampler: str, steps: int) -> Tensor:
    """Clean latents, (1, frames, 4, h, w)."""
    noise, sigmas = ImageNoise([SEED], SHAPE), plan(sampler, "Automatic", steps, denoiser.schedule)
    x = denoiser.schedule.prediction.noised(noise.first(), sigmas[0])
    with torch.inference_mode():
        return [moment.x for moment in sample(sampler, denoiser, x, sigmas, noise, trained=denoiser.schedule)][-1]


def first_noise() -> Tensor:
    return torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(SEED))


def theirs(model: VideoModel, toy: ToyVideo, output: str, **changes: Any) -> Any:
    """Of diffusers' pipeline on our networks, whose norms have the original's epsilon."""
    from diffusers import StableVideoDiffusionPipeline
    from transformers import CLIPImageProcessor

    vae: Any = model.vae
    pipeline: Any = StableVideoDiffusionPipeline(vae, toy.vision, model.unet, scheduler(), CLIPImageProcessor())
    pipeline.set_progress_bar_config(disable=True)
    asked: dict[str, Any] = {
        "height": SIDES[0], "width": SIDES[1], "num_frames": FRAMES, "num_inference_steps": 6, "min_guidance_scale": 1.0,
        "max_guidance_scale": 3.0, "fps": 9, "motion_bucket_id": 90, "noise_aug_strength": 0.1, "decode_chunk_size": 2,
        "generator": torch.Generator().manual_seed(SEED + 1), "latents": first_noise(), "output_type": output,
    }  # fmt: skip
    return pipeline(PICTURE, **(asked | changes)).frames


def off_by(ours: Tensor, theirs: Tensor) -> float:
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def test_a_clip_equals_the_one_of_diffusers_pipeline(model: VideoModel, said: Said, toy: ToyVideo) -> None:
    latents = sampled(said(1, 3), "Euler", 6)
    assert off_by(latents, theirs(model, toy, "latent")) < 1e-4
    clip, stops = ended(decode_clip(model, latents[0], 2))
    assert stops == 2 and clip.chunk == 2
    [frames] = theirs(model, toy, "pil")
    for ours, wanted in zip(clip.frames, frames, strict=True):
        assert np.abs(np.asarray(ours, np.int32) - np.asarray(wanted, np.int32)).max() <= 1


def test_at_guidance_1_the_network_is_asked_once(model: VideoModel, said: Said, toy: ToyVideo) -> None:
    with counted(model) as calls:
        latents = sampled(said(1, 1), "Euler", 6)
    assert calls == [1] * 6
    assert off_by(latents, theirs(model, toy, "latent", max_guidance_scale=1.0)) < 1e-4


def test_a_clip_is_what_the_originals_arithmetic_makes(model: VideoModel, vision: Vision, said: Said) -> None:
    """Its scalings of x, of the output and of the time, its guidance and its Euler steps, written down once more."""
    scales = torch.linspace(1, 3, FRAMES).view(1, -1, 1, 1, 1)
    sigmas = plan("Euler", "Automatic", 6, said(1, 1).schedule).double()
    ramp = torch.linspace(0, 1, 6, dtype=torch.float64)
    torch.testing.assert_close(sigmas[:-1], (700 ** (1 / 7) + ramp * (0.002 ** (1 / 7) - 700 ** (1 / 7))) ** 7, rtol=1e-5, atol=1e-6)
    with torch.inference_mode():
        seen = vision.network(normal(smoothly(to_pixels(PICTURE), 224))).image_embeds.unsqueeze(1)
        latents = model.vae.encode(to_pixels(PICTURE) + 0.1 * noise_over_picture(), return_dict=False)[0].mean
    x = first_noise() * (1 + sigmas[0].float() ** 2).sqrt()
    for sigma, following in zip(sigmas[:-1].float(), sigmas[1:].float(), strict=True):
        skip, out, into = 1 / (sigma**2 + 1), -sigma / (sigma**2 + 1).sqrt(), 1 / (sigma**2 + 1).sqrt()
        denoised: list[Tensor] = []
        for share in (0.0, 1.0):
            read = torch.cat([x * into, (latents * share).unsqueeze(1).expand(-1, FRAMES, -1, -1, -1)], 2)
            with torch.inference_mode():
                output = model.unet(read, 0.25 * sigma.log(), seen * share, torch.tensor([[8, 90, 0.1]]), return_dict=False)[0]
            denoised.append(x * skip + output * out)
        x = x + (x - (denoised[0] + scales * (denoised[1] - denoised[0]))) / sigma * (following - sigma)
    assert off_by(sampled(said(1, 3), "Euler", 6), x) < 1e-5


def normal(pixels: Tensor) -> Tensor:
    """As CLIP's pictures are."""
    mean, deviation = torch.tensor([0.48145466, 0.4578275, 0.40821073]), torch.tensor([0.26862954, 0.26130258, 0.27577711])
    return ((pixels + 1) / 2 - mean.view(1, 3, 1, 1)) / deviation.view(1, 3, 1, 1)


def test_both_branches_at_once_are_those_one_after_the_other(model: VideoModel, said: Said) -> None:
    class Card(Device):
        @property
        def pictures_a_call(self) -> int | None:
            return None

    together = replace(model, device=Card(CPU.torch_device, CPU.dtype))
    with counted(together) as calls:
        found = sampled(said(1, 3, together), "Euler", 3)
    assert calls == [2] * 3
    assert off_by(found, sampled(said(1, 3), "Euler", 3)) < 1e-5


@contextmanager
def counted(model: VideoModel) -> Iterator[list[int]]:
    """How many branches each call of the network had."""
    calls: list[int] = []
    handle = model.unet.register_forward_pre_hook(lambda _, given: calls.append(len(given[0])))
    yield calls
    handle.remove()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_draws_a_clip(sampler: str, model: VideoModel, said: Said) -> None:
    found = sampled(said(1, 1), sampler, 3)
    assert found.shape == (1, *SHAPE) and torch.isfinite(found).all()


def test_a_clip_stops_within_a_step(model: VideoModel, said: Said) -> None:
    def stop() -> None:
        raise Interrupted

    with counted(model) as calls, pytest.raises(Interrupted):
        sampled(said(1, 3, go_on=stop), "Euler", 3)
    assert calls == [1], "after the first of its two branches"


def test_the_picture_is_seen_as_the_original_resizes_it() -> None:
    from diffusers.pipelines.stable_video_diffusion import pipeline_stable_video_diffusion as reference

    for size in ((500, 300), (90, 640), (224, 224)):
        pixels = to_pixels(blots(size))
        wanted = reference._resize_with_antialiasing(pixels, (224, 224))
        torch.testing.assert_close(smoothly(pixels, 224), wanted, rtol=1e-5, atol=1e-5)


def test_other_chunks_make_other_pixels_and_one_that_finds_no_room_gets_smaller(model: VideoModel, monkeypatch: pytest.MonkeyPatch) -> None:
    latents = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    by_two, whole = (ended(decode_clip(model, latents, chunk))[0] for chunk in (2, FRAMES))
    assert by_two.frames != whole.frames
    decode: Any = model.vae.decode

    def small(latents: Tensor, **more: Any) -> Any:
        if len(latents) > 2:
            raise torch.OutOfMemoryError
        return decode(latents, **more)

    monkeypatch.setattr(model.vae, "decode", small)
    found = ended(decode_clip(model, latents, 4))[0]
    assert found.chunk == 2 and found.frames == by_two.frames


def test_a_clip_that_overflows_is_no_clip(model: VideoModel) -> None:
    with pytest.raises(Overflow):
        ended(decode_clip(model, torch.full(SHAPE, torch.nan), 2))


def test_a_step_is_shown_as_a_strip_and_as_a_loop(model: VideoModel) -> None:
    x0 = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(1))
    strip = Image.open(io.BytesIO(strip_of(model.preview, x0)()))
    assert strip.size == (FRAMES * (SHAPE[3] + 2) - 2, SHAPE[2])
    loop: Any = Image.open(io.BytesIO(loop_of(model.preview, x0, 8)()))
    assert (loop.n_frames, loop.info["loop"], loop.size) == (FRAMES, 0, (SHAPE[3], SHAPE[2]))
    loop.seek(1)
    loop.load()
    assert loop.info["duration"] == 125
