"""Zero123 and its relatives on tiny random weights: files, poses as closed forms, and views against the original's arithmetic."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from models.files import Identity, ModelFile
from models.identify.identify import identify
from models.identify.turning import trained, turning_identity
from models.loading.turning import PoseReader, load_pose_reader, load_turning
from models.tensors.embedded_sizes import OWN_SIZES
from models.tensors.header import read_header
from pipelines.denoising.turning import View, conditioning, seen_in, turning_denoiser
from pipelines.denoising.vae_encode import to_pixels
from pipelines.samplers import plan, sample
from pipelines.samplers.noise import ImageNoise
from tests.support.drawing import blots
from tests.support.toy_files import prefixed, save
from tests.support.toy_turning import POSE, SIDE, TOLD, ToyTurning, original, toy_turning, write_turning
from tests.support.toy_video import WIDTH
from tests.support.toy_weights import CPU
from tests.test_clips import normal

VIEWS = (View(), View(azimuth=90, up=30), View(azimuth=-45, up=-20, nearer=0.2))
PICTURE = blots((SIDE, SIDE))


@pytest.fixture(scope="module")
def toy() -> ToyTurning:
    return toy_turning()


@pytest.fixture(scope="module")
def file(toy: ToyTurning, tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    path = write_turning(tmp_path_factory.mktemp("turning") / "zero123-xl.safetensors", toy)
    return ModelFile("toy", path.stem, path, 0, 0.0, Identity("checkpoint", "zero123"))


@pytest.fixture(scope="module")
def model(file: ModelFile) -> DiffusionModel:
    return load_turning(file, CPU)


@pytest.fixture(scope="module")
def reader(file: ModelFile) -> PoseReader:
    return load_pose_reader(file, CPU)


def same(ours: nn.Module, theirs: nn.Module) -> bool:
    found, wanted = ours.state_dict(), theirs.state_dict()
    return found.keys() == wanted.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_a_file_is_read_tensor_by_tensor(model: DiffusionModel, reader: PoseReader, toy: ToyTurning) -> None:
    assert same(model.unet, toy.networks.unet) and same(model.vae, toy.networks.vae)
    assert same(reader.projection, toy.projection) and same(reader.vision.network, toy.video.vision)


def test_a_file_without_its_projection_reads_no_poses(toy: ToyTurning, tmp_path: Path) -> None:
    cut = {name: tensor for name, tensor in original(toy).items() if "cc_projection" not in name}
    path = save(tmp_path / "cut.safetensors", cut, {})
    with pytest.raises(UserError, match="no reader of poses"):
        load_pose_reader(ModelFile("toy", "cut", path, 0, 0.0, Identity("checkpoint", "zero123")), CPU)


@pytest.mark.parametrize(("name", "variant"), [("zero123_165000", ""), ("zero123-xl", "xl"), ("stable_zero123", "stable")])
def test_a_file_is_told_by_its_header_and_its_kind_by_its_name(name: str, variant: str, file: ModelFile) -> None:
    found = identify(read_header(file.path), name, lambda _: [])
    assert (found.kind, found.family, found.variant, found.supported) == ("checkpoint", "zero123", variant, True)
    assert (found.defaults["side"], found.defaults["convention"]) == (SIDE, "Elevation" if variant == "stable" else "Distance")


def test_a_file_says_how_large_it_knows_things_and_how_many_steps_suit_it() -> None:
    said = {OWN_SIZES: json.dumps({"turn": {"object_size": 0.5, "steps": 9, "seed": 1}})}
    assert turning_identity("toy", said).defaults | {"side": 0} == trained({"object_size": 0.5, "steps": 9, "side": 0}, "")
    for odd in ({"object_size": 7, "steps": 0}, {"object_size": "x", "steps": 2.5}, []):
        found = turning_identity("toy", {OWN_SIZES: json.dumps({"turn": odd})}).defaults
        assert (found["object_size"], found["steps"]) == (0.78, 50)


def test_up_is_negative_and_the_last_number_is_the_distance_or_the_pictures_own_elevation() -> None:
    half = math.pi / 6
    assert View(azimuth=90, up=30, nearer=0.2).numbers(None) == pytest.approx((-half, 1, 0, -0.2))
    assert View(azimuth=180, up=-30).numbers(0) == pytest.approx((half, 0, -1, math.pi / 2))
    assert View().numbers(30) == pytest.approx((0, 0, 1, math.pi / 3))


def drawn(model: DiffusionModel, reader: PoseReader, views: tuple[View, ...], scale: float = 3.0) -> Tensor:
    """Clean latents of views that begin with one noise."""
    with torch.inference_mode():
        seen = seen_in(reader, PICTURE, views, elevation=10)
        denoiser = turning_denoiser(model, conditioning(model, seen, PICTURE, scale))
        noise, sigmas = ImageNoise([5] * len(views), (4, SIDE // 8, SIDE // 8)), plan("DDIM", "Automatic", 4, denoiser.schedule)
        return [moment.x for moment in sample("DDIM", denoiser, noise.first() * sigmas[0], sigmas, noise, trained=denoiser.schedule)][-1]


def test_views_are_what_the_originals_arithmetic_makes(model: DiffusionModel, reader: PoseReader) -> None:
    """DDIM over the shares of signal, with the picture beside the latents and one token that reads picture and pose."""
    signal = model.alphas_cumprod.double()
    times = [751, 501, 251, 1, 0]
    with torch.inference_mode():
        small = torch.nn.functional.interpolate(to_pixels(PICTURE), (224, 224), mode="bicubic", align_corners=True)
        seen = reader.vision.network(normal(small)).image_embeds
        latents = model.vae.encode(to_pixels(PICTURE), return_dict=False)[0].mean  # pyright: ignore[reportAttributeAccessIssue]

        def told(x: Tensor, beside: Tensor, now: int, context: Tensor) -> Tensor:
            return model.unet(torch.cat([x.float(), beside], 1), now, context, return_dict=False)[0]

        for place, view in enumerate(VIEWS):
            context = reader.projection(torch.cat([seen, torch.tensor([view.numbers(10)])], 1)).unsqueeze(1)
            x = torch.randn(1, 4, SIDE // 8, SIDE // 8, generator=torch.Generator().manual_seed(5)) * (1 - signal[751]).sqrt()
            for now, following in pairwise(times):
                said = [told(x, latents * share, now, context * share) for share in (0.0, 1.0)]
                noise = said[0] + 3 * (said[1] - said[0])
                clean = (x - (1 - signal[now]).sqrt() * noise) / signal[now].sqrt()
                x = signal[following].sqrt() * clean + (1 - signal[following]).sqrt() * noise
            found = drawn(model, reader, VIEWS)[place] * signal[0].sqrt()
            torch.testing.assert_close(found, x[0], rtol=1e-4, atol=1e-4, check_dtype=False)


def test_a_view_of_a_sheet_is_the_one_that_is_drawn_alone(model: DiffusionModel, reader: PoseReader) -> None:
    sheet = drawn(model, reader, VIEWS)
    for place, view in enumerate(VIEWS):
        assert torch.equal(sheet[place : place + 1], drawn(model, reader, (view,)))
    assert not torch.equal(sheet[0], sheet[1])


def test_an_encoder_of_pictures_that_does_not_fit_is_refused_with_a_sentence(toy: ToyTurning, tmp_path: Path) -> None:
    wider = original(toy) | prefixed("cc_projection.", nn.Linear(WIDTH + 8 + POSE, TOLD).state_dict())
    path = save(tmp_path / "odd.safetensors", wider, toy.metadata)
    with pytest.raises(UserError, match=f"says {WIDTH} numbers, and what follows it reads {WIDTH + 8}"):
        load_pose_reader(ModelFile("toy", "odd", path, 0, 0.0, Identity("checkpoint", "zero123")), CPU)
