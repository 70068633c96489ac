"""Memory of clips: what is forecast against a count on meta tensors, and who lends a video model and its encoder of pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from models.errors import UserError
from models.kits import KITS
from models.library.catalog import Catalog
from models.memory import clip_forecast
from models.memory.clip_forecast import ClipWork, forecast_clip
from models.memory.device import choose
from models.memory.forecast import GAPS, Machine
from models.networks.video import blank_video_unet, blank_video_vae
from models.tensors.sources import config
from pipelines.images.store import Inputs
from pipelines.preprocessors.annotators import Annotators
from pipelines.runtime.runner import OWN, ModelRunner
from tests.support.pretended_device import NAME, pretended_card
from tests.support.toy_video import toy_video, write_file, write_folder
from tests.support.toy_weights import CPU, write_toy_model
from tests.test_memory import counted

GB = 10**9
CARD = Machine(host=32 * GB, device=24 * GB, element_size=2, one_by_one=False)
KIT = KITS / "svd"
FRAMES, HEIGHT, WIDTH = 14, 72, 128  # in latents


def numbers(network: nn.Module, call: Callable[[], Any]) -> float:
    network.to("meta")
    with torch.device("meta"):
        return counted(network, call) / 4


def test_the_unet_of_a_clip_takes_what_is_forecast() -> None:
    unet: Any = blank_video_unet("UNet", config(KIT / "unet.json")).network
    for branches, known in ((1, clip_forecast.ACTIVE), (2, clip_forecast.ACTIVE_TOGETHER)):
        latents = torch.empty(branches, FRAMES, 8, HEIGHT, WIDTH, device="meta")
        told = torch.empty(branches, device="meta"), torch.empty(branches, 1, 1024, device="meta"), torch.empty(branches, 3, device="meta")
        found = numbers(unet, lambda latents=latents, told=told: unet(latents, *told, return_dict=False))
        assert found / (branches * FRAMES * HEIGHT * WIDTH) == pytest.approx(known, rel=0.01)
    assert sum(weight.numel() for weight in unet.parameters()) == clip_forecast.UNET


def test_the_vae_of_a_clip_takes_what_is_forecast() -> None:
    vae: Any = blank_video_vae("VAE", config(KIT / "vae.json"), timed=True).network
    latents, pixels = torch.empty(FRAMES, 4, HEIGHT, WIDTH, device="meta"), torch.empty(1, 3, 8 * HEIGHT, 8 * WIDTH, device="meta")
    area = 64 * HEIGHT * WIDTH
    decoded = numbers(vae, lambda: vae.decode(latents, num_frames=FRAMES, return_dict=False))
    assert decoded / (FRAMES * area) == pytest.approx(clip_forecast.DECODED, rel=0.01)
    assert numbers(vae, lambda: vae.encode(pixels, return_dict=False)) / area == pytest.approx(clip_forecast.READ, rel=0.01)
    assert sum(weight.numel() for weight in vae.parameters()) == clip_forecast.VAE


def test_phases_follow_each_other_and_the_chunk_is_the_largest_that_there_is_room_for() -> None:
    work = ClipWork(25, 1024, 576)
    found = forecast_clip(work, CARD, 24 * GB)
    assert found.fits and not found.one_by_one and found.advice == ""
    frame = clip_forecast.DECODED * 1024 * 576 * 2 * GAPS
    assert found.chunk == int((24 * GB - clip_forecast.VAE * 2) / frame)
    assert found.denoising == clip_forecast.UNET * 2 + int(2 * clip_forecast.ACTIVE_TOGETHER * 25 * 72 * 128 * 2 * GAPS)


def test_branches_go_one_after_the_other_where_both_do_not_fit() -> None:
    work = ClipWork(25, 1024, 576)
    found = forecast_clip(work, CARD, 8 * GB)
    assert found.one_by_one and found.fits and found.chunk == 5
    assert not forecast_clip(ClipWork(25, 1024, 576, guided=False), CARD, 8 * GB).one_by_one


def test_a_clip_that_does_not_fit_is_said_with_what_would() -> None:
    whole, found = ClipWork(25, 1024, 576), forecast_clip(ClipWork(25, 1024, 576), CARD, 4 * GB)
    needs = f"A clip of 25 frames at 1024 x 576 needs about {found.denoising / GB:.1f} GB and 4.0 GB are free, so it is made part by part"
    assert found.advice.startswith(needs) and found.advice.endswith("448 x 256 would fit.")
    fewer = forecast_clip(ClipWork(24, 1024, 576), CARD, 4 * GB).denoising
    assert forecast_clip(whole, CARD, fewer).advice.endswith("24 frames would fit.")
    assert forecast_clip(whole, CARD, GB).advice.endswith("Close other programs that use this memory.")


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> ModelRunner:
    root = tmp_path_factory.mktemp("lending")
    toy, checkpoints = toy_video(), root / "models" / "checkpoints"
    write_toy_model(root / "starter")
    write_file(checkpoints / "svd_xt.safetensors", toy)
    write_folder(checkpoints / "video", toy)
    catalog = Catalog(root / "starter", [root / "models"])
    catalog.rescan(wait=True)
    return ModelRunner(catalog, CPU, Machine(4 * GB), Inputs(root / "inputs"), Annotators([root / "models"], OWN))


def kinds(runner: ModelRunner) -> list[str]:
    return [line.kind for line in runner.ledger]


@pytest.mark.parametrize("name", ["svd_xt", "video"])
def test_a_video_model_is_lent_and_its_encoder_forgotten_once_it_was_asked(name: str, runner: ModelRunner) -> None:
    runner.manager.unload_idle()
    [file] = [file for file in runner.catalog.models() if file.called == name]
    with runner.picture_encoder(file.id) as vision:
        assert vision.network.config.projection_dim == 24 and kinds(runner) == ["picture_encoder"]
    assert kinds(runner) == []
    with runner.video(file.id, ClipWork(3, 64, 64)) as video:
        assert video.device is CPU and video.file == file
    assert kinds(runner) == ["video"], "until the room is needed"


@pytest.mark.parametrize(("room", "whole"), [(GB, True), (1, False)])
def test_an_encoder_of_pictures_that_is_larger_than_the_card_comes_there_a_layer_at_a_time(
    room: int, whole: bool, runner: ModelRunner
) -> None:
    model, there = next(file.id for file in runner.catalog.models() if file.called == "video"), list[bool]()
    with pretended_card():
        card = ModelRunner(runner.catalog, choose(NAME), Machine(4 * GB, device=room, element_size=2), runner.inputs, Annotators([], OWN))
        with card.picture_encoder(model) as vision, torch.inference_mode():
            eyes: Any = vision.network
            first, last = eyes.vision_model.embeddings.patch_embedding.weight, eyes.vision_model.encoder.layers[1].mlp.fc1
            last.register_forward_pre_hook(lambda *_: there.append(first.device.type != "cpu"))
            eyes(torch.zeros(1, 3, 224, 224, dtype=torch.float16).to(card.device.torch_device))
    assert there == [whole]


def test_what_is_no_video_model_is_not_lent_as_one(runner: ModelRunner, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not in the models folders"), runner.video("nothing", ClipWork(3, 64, 64)):
        pass
