"""SV3D on tiny random weights: its two models told apart and read, and walks around a thing against the original's arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from models.files import Identity, ModelFile
from models.identify.identify import identify
from models.loading.video import load_image_encoder, load_video
from models.tensors.header import read_header
from pipelines.denoising.clip import clip_denoiser, conditioning, seen_in, smoothly
from pipelines.denoising.turntable import Turntable, once_around
from pipelines.denoising.vae_encode import to_pixels
from pipelines.requests.clip import triangle
from pipelines.samplers import plan, sample
from pipelines.samplers.noise import ImageNoise
from tests.support.drawing import blots
from tests.support.toy_video import ToyVideo, toy_video, write_file
from tests.support.toy_weights import CPU
from tests.test_clips import normal, off_by
from tests.test_video_files import differing

FRAMES, SIDE, SEED, STEPS = 3, 64, 5, 4
SHAPE = (FRAMES, 4, SIDE // 8, SIDE // 8)
PICTURE = blots((SIDE, SIDE))
WALK = (10.0, 40.0, -5.0)  # degrees of elevation
KINDS = {"u": 256, "p": 1280}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def toy(kind: str) -> ToyVideo:
    return toy_video(added=KINDS[kind])


@pytest.fixture(scope="module")
def file(toy: ToyVideo, tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    path = write_file(tmp_path_factory.mktemp("turntable") / "a walk.safetensors", toy)
    return ModelFile("toy", path.stem, path, 0, 0.0, Identity("checkpoint", "sv3d"))


def test_its_two_models_are_told_apart_by_the_header_and_read(kind: str, toy: ToyVideo, file: ModelFile) -> None:
    found = identify(read_header(file.path), "a walk", lambda _: [])
    assert (found.kind, found.family, found.variant) == ("checkpoint", "sv3d", kind)
    model = load_video(file, CPU)
    assert not differing(model.unet, toy.unet) and not differing(model.vae, toy.vae)
    assert (model.family.key, model.posed) == ("sv3d", kind == "p")


def test_a_walk_ends_where_the_picture_was_taken() -> None:
    walk = once_around(30, posed=True)
    assert [round(each, 2) for each in walk.azimuths[:2]] == [17.14, 34.29] and walk.azimuths[-1] == 0 and len(walk.azimuths) == 21
    noise, polar, azimuth = walk.numbers[0]
    assert (noise, polar, azimuth) == (1e-5, pytest.approx(math.pi / 3), pytest.approx(2 * math.pi / 21))
    assert once_around(30, posed=False).numbers == ((1e-5,),)


def waves(value: Tensor, width: int) -> Tensor:
    """Cosines, then sines."""
    angles = value.view(-1, 1) * torch.exp(-math.log(10000) * torch.arange(width // 2) / (width // 2))
    return torch.cat([angles.cos(), angles.sin()], 1)


@contextmanager
def told_each_frame(unet: Any, told: Tensor) -> Iterator[None]:
    """Within it each layer of diffusers' own way through the network reads this beside the time: (branches or 1, frames, width)."""
    from diffusers.models.resnet import ResnetBlock2D, TemporalResnetBlock

    def instead(layer: Any, given: tuple[Tensor, ...], named: Mapping[str, Tensor]) -> Any:
        values = [*given, *named.values()]
        flat = told if isinstance(layer, TemporalResnetBlock) else told.flatten(0, 1)
        return (values[0], flat), {}

    layers = [layer for layer in unet.modules() if isinstance(layer, ResnetBlock2D | TemporalResnetBlock)]
    hooks = [layer.register_forward_pre_hook(instead, with_kwargs=True) for layer in layers]
    yield
    for hook in hooks:
        hook.remove()


def test_a_walk_is_what_the_originals_arithmetic_makes(kind: str, toy: ToyVideo, file: ModelFile) -> None:
    """What is told of each frame, guidance that is strongest behind the thing, and Euler's steps, written down once more."""
    model, vision = load_video(file, CPU), load_image_encoder(file, CPU)
    for ours, theirs in zip(model.unet.modules(), toy.unet.modules(), strict=True):
        theirs.eps = getattr(ours, "eps", None)
    walk = once_around(WALK, posed=kind == "p", frames=FRAMES)
    noise = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(SEED + 1))
    with torch.inference_mode():
        denoiser = clip_denoiser(model, conditioning(model, seen_in(vision, PICTURE), PICTURE, noise, walk, triangle(1, 2.5, FRAMES)))
        images, sigmas = ImageNoise([SEED], SHAPE), plan("Euler", "Automatic", STEPS, denoiser.schedule)
        first = images.first()
        begun = denoiser.schedule.prediction.noised(first, sigmas[0])
        found = [moment.x for moment in sample("Euler", denoiser, begun, sigmas, images, trained=denoiser.schedule)][-1]
        assert off_by(found, theirs_of(toy, walk, noise, first, sigmas, kind)) < 1e-5


def theirs_of(toy: ToyVideo, walk: Turntable, noise: Tensor, first: Tensor, sigmas: Tensor, kind: str) -> Tensor:
    scales = torch.tensor([1.0, 2.5, 1.0]).view(1, -1, 1, 1, 1)
    seen = toy.vision(normal(smoothly(to_pixels(PICTURE), 224))).image_embeds.unsqueeze(1)
    latents = toy.vae.encode(to_pixels(PICTURE) + 1e-5 * noise, return_dict=False)[0].mean
    aug = waves(torch.full((FRAMES,), 1e-5), 256)
    polar = waves(torch.tensor([math.radians(90 - each) for each in WALK]), 512)
    azimuth = waves(torch.tensor([math.radians(each) for each in (120.0, 240.0, 0.0)]), 512)
    added = aug if kind == "u" else torch.cat([aug, polar, azimuth], 1)
    x = first * (1 + sigmas[0] ** 2).sqrt()
    for sigma, following in pairwise(sigmas):
        skip, out, into = 1 / (sigma**2 + 1), -sigma / (sigma**2 + 1).sqrt(), 1 / (sigma**2 + 1).sqrt()
        time = toy.unet.time_embedding(toy.unet.time_proj((0.25 * sigma.log()).view(1)))
        told = (time + toy.unet.add_embedding(added)).view(1, FRAMES, -1)
        denoised: list[Tensor] = []
        for share in (0.0, 1.0):
            read = torch.cat([x * into, (latents * share).unsqueeze(1).expand(-1, FRAMES, -1, -1, -1)], 2)
            with told_each_frame(toy.unet, told):  # whatever it is told itself is passed over
                output = toy.unet(read, 0.25 * sigma.log(), seen * share, torch.zeros(1, KINDS[kind] // 256), return_dict=False)[0]
            denoised.append(x * skip + output * out)
        x = x + (x - (denoised[0] + scales * (denoised[1] - denoised[0]))) / sigma * (following - sigma)
    return x
