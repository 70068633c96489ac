"""Enlarging by diffusion on toy weights: against diffusers' own pipeline, in windows, as a single file, and as a job with its record."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from models.families import SD1, X4_UPSCALER
from models.identify.identify import identify_folder
from models.library.catalog import Catalog
from models.memory.forecast import Machine
from pipelines.denoising.preview import preview_like
from pipelines.denoising.vae_encode import to_pixels
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture, Step
from pipelines.jobs.outputs import Outputs
from pipelines.metadata import infotext
from pipelines.metadata.picture_settings import inspect, of_pasted
from pipelines.requests.request import ImageToImage, TextToImage, Upscale
from pipelines.resolving.forecast import forecast_of
from pipelines.resolving.rebind import rebind
from pipelines.resolving.resolve import resolve
from pipelines.runtime.runner import ModelRunner
from pipelines.services.preflight import preflight
from pipelines.tasks import upscale
from tests.support.drawing import SAMPLER_KINDS, blots, finished, levels, task
from tests.support.toy_weights import CPU, SCHEDULER, load_toy_model, toy_networks, write_toy_model

SIZE = (24, 16)
REQUEST = Upscale(
    prompt="a red house", negative_prompt="mountains", steps=4, seed=5, sampler="Euler", guidance_scale=6.5, noise_level=40
).sized(SIZE)  # fmt: skip
MACHINE = Machine(host=10**9)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "checkpoints" / "larger"
    return write_toy_model(folder, "v_prediction", family=X4_UPSCALER)


@pytest.fixture(scope="module")
def model(folder: Path) -> DiffusionModel:
    return load_toy_model(folder, family=X4_UPSCALER)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return Inputs(tmp_path_factory.mktemp("inputs"))


def drawn(request: Upscale, model: DiffusionModel, inputs: Inputs, picture: Image.Image | None = None) -> list[Image.Image]:
    asked = replace(request, image=inputs.keep(picture or blots(SIZE)))
    return [made.image for made in finished(upscale.batches(task(asked, model, inputs)))]


def theirs(folder: Path, request: Upscale) -> Image.Image:
    """The picture of diffusers' own pipeline, with the noise that ours lays over the small picture, and steps where ours lie."""
    from diffusers import DiffusionPipeline, EulerDiscreteScheduler

    pipeline: Any = DiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32, local_files_only=True)
    assert type(pipeline).__name__ == "StableDiffusionUpscalePipeline"
    even = {"timestep_spacing": SCHEDULER["timestep_spacing"], "steps_offset": 1}
    pipeline.scheduler = EulerDiscreteScheduler.from_config(dict(pipeline.scheduler.config) | even)
    pipeline.set_progress_bar_config(disable=True)
    over, first = (torch.Generator().manual_seed(request.seed + turn) for turn in (1, 0))
    return pipeline(
        request.prompt, image=blots(SIZE), negative_prompt=request.negative_prompt, num_inference_steps=request.steps,
        guidance_scale=request.guidance_scale, noise_level=request.noise_level, generator=over,
        latents=torch.randn(1, 4, SIZE[1], SIZE[0], generator=first),
    ).images[0]  # fmt: skip


# ---- the pixels ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"noise_level": 0}, {"guidance_scale": 1.0, "noise_level": 350}])
def test_a_picture_equals_the_one_of_diffusers_pipeline(
    changes: dict[str, Any], folder: Path, model: DiffusionModel, inputs: Inputs
) -> None:
    request = replace(REQUEST, **changes)
    [ours] = drawn(request, model, inputs)
    assert ours.size == (96, 64) and len(ours.getcolors(100_000) or []) > 10
    assert (levels(ours) - levels(theirs(folder, request))).abs().max() <= 1


def test_the_picture_and_the_level_of_its_noise_are_both_read(model: DiffusionModel, inputs: Inputs) -> None:
    made = {
        image.tobytes()
        for request, seed in ((REQUEST, 1), (REQUEST, 2), (replace(REQUEST, noise_level=41), 1))
        for image in drawn(request, model, inputs, blots(SIZE, seed))
    }
    assert len(made) == 3


def test_pictures_of_a_batch_are_those_that_each_seed_makes_alone(model: DiffusionModel, inputs: Inputs) -> None:
    together = drawn(replace(REQUEST, batch_size=2), model, inputs)
    alone = [drawn(replace(REQUEST, seed=seed), model, inputs)[0] for seed in (5, 6)]
    assert [image.tobytes() for image in together] == [image.tobytes() for image in alone]


@pytest.mark.parametrize("sampler", SAMPLER_KINDS)
def test_every_kind_of_sampler_draws_in_windows(sampler: str, model: DiffusionModel, inputs: Inputs) -> None:
    shapes: set[tuple[int, ...]] = set()
    hook = model.unet.register_forward_pre_hook(lambda _, given: shapes.add(tuple(given[0].shape[1:])))
    request = replace(REQUEST, sampler=sampler, steps=2, tile_size=64, tile_overlap=32)
    [found] = drawn(request, model, inputs)
    hook.remove()
    assert shapes == {(7, 16, 16)} and found.size == (96, 64)


def test_one_window_is_the_whole_bit_for_bit_and_several_are_not(model: DiffusionModel, inputs: Inputs) -> None:
    whole, one, two = (
        drawn(replace(REQUEST, **tiles), model, inputs)[0].tobytes()
        for tiles in ({"tiling": "Off"}, {"tile_size": 128}, {"tile_size": 64, "tile_overlap": 32})
    )
    assert whole == one != two


def test_each_window_reads_its_own_part_of_the_picture(model: DiffusionModel, inputs: Inputs) -> None:
    """Beside the latents of the right window stands the right part of the small picture, which without noise is the picture itself."""
    read: list[torch.Tensor] = []
    hook = model.unet.register_forward_pre_hook(lambda _, given: read.append(given[0][:, 4:]))
    drawn(replace(REQUEST, noise_level=0, steps=1, guidance_scale=1.0, tile_size=64, tile_overlap=32), model, inputs)
    hook.remove()
    small = to_pixels(blots(SIZE))
    parts = [small[..., left : left + 16] for left in (0, 8)]
    assert all((found - part).abs().max() < 0.1 for found, part in zip(torch.cat(read), parts, strict=True))
    assert (read[0][:1] - parts[1]).abs().max() > 0.5


# ---- what is looked at -----------------------------------------------------------------------------------------------------------


def test_a_preview_has_the_colours_of_the_picture_where_its_latents_can_tell_them() -> None:
    small = to_pixels(blots((160, 128)))
    mixed = torch.einsum("nchw,cl->nlhw", small, torch.randn(3, 4, generator=torch.Generator().manual_seed(0))) * 7 + 2
    with Image.open(io.BytesIO(preview_like(small, mixed)())) as shown:
        assert shown.size == (160, 128)
        off = (levels(shown.convert("RGB")) - levels(blots((160, 128)))).abs().float().mean().item()
        assert off < 6, off
    assert preview_like(small, torch.zeros(2, 4, 128, 160))().startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("size", "changes", "line"),
    [
        ((128, 96), {}, "From 128 × 96 to 512 × 384. 30 steps will run."),
        ((128, 96), {}, "One tile holds the whole picture."),
        ((512, 512), {}, "25 windows of 512 × 512: 750 calls of the network"),
        ((512, 512), {"tiling": "Off"}, "4.2 megapixels"),
        ((2000, 100), {}, "would become 8,000 × 400; 4,096 pixels a side are the most. Put in one of 1,024 at most."),
        ((1, 8000), {}, "64 pixels a side are the least"),
        ((1024, 1024), {}, "From 1,024 × 1,024 to 4,096 × 4,096."),
        ((1024, 1024), {"tiling": "Off"}, "16.78 megapixels; 4.2 is the most"),
    ],
)
def test_what_becomes_of_a_picture_is_said_before(size: tuple[int, int], changes: dict[str, Any], line: str) -> None:
    lines = " ".join(preflight(Upscale(**changes), size).lines)
    assert line in lines or (line == "4.2 megapixels" and "From 512 × 512 to 2,048 × 2,048." in lines)


# ---- as a job --------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def catalog(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    found = Catalog(write_toy_model(tmp_path_factory.mktemp("starter")), [folder.parents[1]])
    found.rescan(wait=True)
    return found


def test_it_is_found_and_drawn_and_its_record_makes_it_again(catalog: Catalog, inputs: Inputs, tmp_path: Path) -> None:
    """Without a checkpoint the first that draws this is taken; a checkpoint that draws from words does not."""
    request = resolve(replace(REQUEST, image=inputs.keep(blots(SIZE))), catalog)
    entry = catalog.checkpoint(request.checkpoint)
    assert (entry.name, entry.family_key, entry.variant) == ("larger", "x4-upscaler", "upscale")
    runner = ModelRunner(catalog, CPU, MACHINE, inputs)
    events = [event for batch in runner.batches(request) for event in batch]
    [made] = [event for event in events if isinstance(event, Picture)]
    assert [event.index for event in events if isinstance(event, Step)] == [1, 2, 3, 4]
    assert {line.kind: line.leases for line in runner.ledger} == {"checkpoint": 0}
    path = Outputs(tmp_path).save(made.image, made.request, made.made_with)
    reading = inspect(path)
    found = rebind(reading.request, reading.made_with, catalog)
    assert found.notes == () and isinstance(found.request, Upscale)
    [again] = [event for batch in runner.batches(resolve(found.request, catalog)) for event in batch if isinstance(event, Picture)]
    assert again.image.tobytes() == made.image.tobytes()
    assert forecast_of(request, catalog, MACHINE, ()).weights > 0


def test_each_draws_its_own_kind_alone(catalog: Catalog, inputs: Inputs) -> None:
    larger = next(entry.id for entry in catalog.checkpoints() if entry.family_key == X4_UPSCALER.key)
    with pytest.raises(UserError, match="an upscaling model: it enlarges a picture, so it cannot draw this"):
        resolve(TextToImage(checkpoint=larger), catalog)
    with pytest.raises(UserError, match="a model that draws from words, so it cannot draw this"):
        resolve(replace(REQUEST, checkpoint="starter"), catalog)


def test_where_there_is_none_a_sentence_says_what_is_needed(tmp_path: Path) -> None:
    catalog = Catalog(write_toy_model(tmp_path / "starter"))
    catalog.rescan(wait=True)
    with pytest.raises(UserError, match="needs Stability’s x4 upscaler"):
        resolve(REQUEST, catalog)


def test_a_folder_with_another_vae_or_without_noise_levels_is_not_taken_for_one(folder: Path, tmp_path: Path) -> None:
    write_toy_model(tmp_path / "toy", family=X4_UPSCALER)
    assert identify_folder(tmp_path / "toy").supported
    toy_networks(SD1, 100).vae.half().save_pretrained(tmp_path / "toy" / "vae")
    assert not identify_folder(tmp_path / "toy").supported
    config = folder / "unet" / "config.json"
    sizes = json.loads(config.read_text("utf-8"))
    (tmp_path / "copy" / "unet").mkdir(parents=True)
    (tmp_path / "copy" / "model_index.json").write_bytes((folder / "model_index.json").read_bytes())
    (tmp_path / "copy" / "unet" / "config.json").write_text(json.dumps({**sizes, "num_class_embeds": None}), "utf-8")
    assert not identify_folder(tmp_path / "copy").supported


def test_its_text_brings_it_back() -> None:
    request = Upscale.admit({"prompt": "a red house", "seed": 7, "noise_level": 60, "tile_overlap": 64, "image": "ab" * 32, "steps": 12})
    text = infotext.write(request.sized((128, 128)), {"Model": "larger"})
    assert "Upscale noise level: 60" in text and "Window size: 512, Window overlap: 64" in text
    found = of_pasted(text)
    assert found.unknown == {} and found.notes == ()
    assert replace(found.request, image=request.image, vae="", checkpoint="", schedule="Automatic") == request.sized((128, 128))
    assert found.pictures == {(-1, "image"): request.image[:12]}
    assert not isinstance(found.request, ImageToImage)
