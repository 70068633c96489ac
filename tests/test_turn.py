"""Turn: views of a thing as jobs, from the request to the picture, on tiny random weights."""

from __future__ import annotations

import io
import sys
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file

from models.downloads.convert import convert
from models.errors import UserError
from models.files import Overrides
from models.library.catalog import Catalog
from models.memory.device import choose
from models.memory.forecast import Machine
from pipelines.images.set_on_white import NOTHING
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture, Step
from pipelines.metadata import infotext
from pipelines.metadata.text_request import request_of
from pipelines.preprocessors.annotators import Annotators
from pipelines.requests.request import TextToImage, Turn, describe, restore
from pipelines.requests.turn import BOTH, EACH, LOOP, SHEET, around
from pipelines.resolving.forecast import forecast_of_turn
from pipelines.resolving.rebind import rebind
from pipelines.resolving.resolve import resolve
from pipelines.runtime.runner import OWN, ModelRunner
from tests.support.drawing import levels
from tests.support.pretended_device import NAME, pretended_card
from tests.support.toy_files import save
from tests.support.toy_turning import SIDE, original, toy_turning, write_turning
from tests.support.toy_video import toy_video, write_file
from tests.support.toy_weights import CPU, write_toy_model

GB = 10**9
MOST_LEVELS = 8  # of 255 between half precision and float32


def thing() -> Image.Image:
    picture = Image.new("RGB", (80, 60), "white")
    ImageDraw.Draw(picture).rectangle((20, 15, 50, 45), "red")
    return picture


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("turn")
    write_toy_model(root / "starter")
    write_turning(root / "models" / "checkpoints" / "zero123.safetensors")
    for kind, added in (("u", 256), ("p", 1280)):
        write_file(root / "models" / "checkpoints" / f"sv3d_{kind}.safetensors", toy_video(added=added))
    return root


@pytest.fixture
def runner(models: Path, tmp_path: Path) -> Iterator[ModelRunner]:
    catalog = Catalog(models / "starter", [models / "models"])
    catalog.rescan(wait=True)
    yield ModelRunner(catalog, CPU, Machine(8 * GB), Inputs(tmp_path / ".inputs"), Annotators([], OWN))


def of(runner: ModelRunner, family: str, variant: str = "") -> str:
    """The id of the model."""
    identities = {entry.id: entry.identity for entry in runner.catalog.models()}
    return next(model_id for model_id, found in identities.items() if (found.family, found.variant) == (family, variant))


def asked(runner: ModelRunner, **changes: Any) -> Turn:
    own: dict[str, Any] = {"checkpoint": of(runner, "zero123"), "steps": 2, "seed": 7, "azimuth": 30.0, "elevation": 20.0}
    return resolve(Turn(image=runner.inputs.keep(thing()), **(own | changes)), runner.catalog)


def drawn(runner: ModelRunner, request: Turn) -> list[Picture]:
    return [event for batch in runner.batches(request) for event in batch if isinstance(event, Picture)]


def test_views_go_evenly_around_from_the_first() -> None:
    assert around(30, 4) == [30, 120, -150, -60] and around(-40, 1) == [-40]
    request = Turn(views=4, gathered=BOTH, azimuth=30, seed=7)
    assert request.picture_count == 5 and [single.azimuth for single in request.shown] == [30, 120, -150, -60]
    assert [(one.views, one.seed) for one in map(request.single, range(4))] == [(1, 7)] * 4 and request.single(4).gathered == SHEET
    assert [replace(request, gathered=how).picture_count for how in (EACH, SHEET, LOOP)] == [4, 1, 1]


def test_a_sheet_is_its_views_and_each_is_made_again_alone_bit_for_bit(runner: ModelRunner) -> None:
    *views, sheet = drawn(runner, asked(runner, views=3, gathered=BOTH))
    assert [picture.image.size for picture in views] == [(SIDE, SIDE)] * 3 and sheet.image.size == (2 * SIDE, 2 * SIDE)
    places = [(0, 0), (SIDE, 0), (0, SIDE)]
    for picture, (left, top) in zip(views, places, strict=True):
        assert sheet.image.crop((left, top, left + SIDE, top + SIDE)) == picture.image
        made = picture.request
        assert isinstance(made, Turn) and made.views == 1 and made.convention == "Distance" and made.threads
        again = drawn(runner, rebind(restore(describe(made)), picture.made_with, runner.catalog).request)  # pyright: ignore[reportArgumentType]
        assert [one.image for one in again] == [picture.image]
    assert views[0].image != views[1].image
    whole = restore(describe(sheet.request))
    assert isinstance(whole, Turn) and [one.image for one in drawn(runner, whole)] == [sheet.image]
    assert views[0].made_with["Model"] == "zero123" and len(views[0].made_with["Model hash"]) == 10


def from_latents(runner: ModelRunner, loop: Picture) -> tuple[Image.Image, ...]:
    assert isinstance(loop.request, Turn) and loop.latents is not None
    decoding = runner.frames(loop.request, loop.latents, loop.made_with)
    with pytest.raises(StopIteration) as done:
        while True:
            next(decoding)
    return done.value.value


def test_a_loop_is_one_picture_with_all_frames_and_steps_are_shown(runner: ModelRunner) -> None:
    request = asked(runner, views=3, gathered=LOOP)
    events = [event for batch in runner.batches(request) for event in batch if event]
    [loop] = [event for event in events if isinstance(event, Picture)]
    assert isinstance(loop.request, Turn) and loop.request.plays == (3, 8)
    assert len(loop.frames) == 3 and loop.frames == tuple(
        picture.image for picture in drawn(runner, replace(request, gathered=EACH, frames=0))
    )
    assert from_latents(runner, loop) == loop.frames
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.index for step in steps] == [1, 2] and steps[0].state is None
    assert Image.open(io.BytesIO(steps[0].preview())).size == (3 * (SIDE // 8 + 2) - 2, SIDE // 8), "in a row, which the page plays"


def test_what_is_left_of_a_sheet_is_what_the_whole_would_have_been(runner: ModelRunner) -> None:
    from pipelines.requests.remaining import Progress

    request = asked(runner, views=3, gathered=BOTH)
    whole = drawn(runner, request)
    rest = [event for batch in runner.batches(request, Progress(pictures=2)) for event in batch if isinstance(event, Picture)]
    assert [(one.index, one.image) for one in rest] == [(one.index, one.image) for one in whole[2:]]


@pytest.mark.parametrize(("kind", "heeds"), [("u", False), ("p", True)])
def test_a_walk_is_one_loop_and_its_heights_count_for_the_model_that_is_told_them(runner: ModelRunner, kind: str, heeds: bool) -> None:
    model = of(runner, "sv3d", kind)
    request = asked(runner, checkpoint=model, views=3, gathered=BOTH)
    assert (request.convention, request.gathered, request.picture_count, request.side) == ("Walk", LOOP, 1, SIDE)
    assert asked(runner, checkpoint=model).views == 21, "one view is no walk"
    [loop] = drawn(runner, request)
    made = loop.request
    assert len(loop.frames) == 3 and isinstance(made, Turn) and made.decode_chunk and made.one_by_one
    [again] = drawn(runner, rebind(restore(describe(made)), loop.made_with, runner.catalog).request)  # pyright: ignore[reportArgumentType]
    assert again.frames == loop.frames == from_latents(runner, loop)
    [sheet] = drawn(runner, replace(request, gathered=SHEET, frames=0))
    assert sheet.image.size == (2 * SIDE, 2 * SIDE) and sheet.image.crop((SIDE, 0, 2 * SIDE, SIDE)) == loop.frames[1]
    [other] = drawn(runner, replace(request, elevation=0.0, picture_elevation=50.0))
    assert (other.frames != loop.frames) is heeds


def test_a_person_says_what_the_last_number_means_and_that_counts_from_then_on(runner: ModelRunner) -> None:
    before = asked(runner, picture_elevation=40.0)
    model = of(runner, "zero123")
    runner.catalog.override(model, Overrides(variant="stable"))
    try:
        after = asked(runner, picture_elevation=40.0)
        assert (before.convention, after.convention) == ("Distance", "Elevation")
        assert before.side == after.side == SIDE
        pictures = {how.convention: drawn(runner, how)[0].image for how in (before, after)}
        [made] = drawn(runner, before)
        again = resolve(rebind(made.request, made.made_with, runner.catalog).request, runner.catalog)
        assert isinstance(again, Turn) and again.convention == "Distance" and drawn(runner, again)[0].image == made.image
        assert resolve(replace(again, azimuth=31.0), runner.catalog).convention == "Elevation", "which is another picture"
        assert pictures["Distance"] != pictures["Elevation"]
        assert drawn(runner, replace(after, distance=0.3))[0].image == pictures["Elevation"], "which reads no distance"
        assert drawn(runner, replace(before, distance=0.3))[0].image != pictures["Distance"]
    finally:
        runner.catalog.override(model, Overrides())


def test_a_model_of_words_turns_nothing_and_one_that_turns_draws_no_words(runner: ModelRunner) -> None:
    with pytest.raises(UserError, match="is a model that draws from words, so it cannot draw this"):
        asked(runner, checkpoint="starter")
    with pytest.raises(UserError, match="is a model that turns things: it shows a thing from elsewhere, so it cannot draw this"):
        resolve(TextToImage(checkpoint=of(runner, "zero123")), runner.catalog)


def test_without_a_thing_nothing_is_drawn(runner: ModelRunner) -> None:
    request = replace(asked(runner), image=runner.inputs.keep(Image.new("RGB", (20, 20), "white")))
    with pytest.raises(UserError) as raised:
        drawn(runner, request)
    assert str(raised.value) == NOTHING


def test_its_settings_are_written_as_text_and_read_back(runner: ModelRunner) -> None:
    request = asked(runner, views=4, gathered=SHEET, tolerance=0.2, background="#30a040", distance=0.25)
    found = request_of(infotext.parse(infotext.write(request, {"Model": "zero123"}))).request
    left = {"image": request.image, "checkpoint": request.checkpoint, "side": request.side}
    assert isinstance(found, Turn) and replace(found, **left) == request


@pytest.mark.parametrize("room", [GB, 1], ids=["whole", "layer by layer"])
def test_views_and_a_walk_on_a_card_are_those_of_the_host(runner: ModelRunner, room: int) -> None:
    walk = replace(asked(runner, checkpoint=of(runner, "sv3d", "p"), views=2), decode_chunk=2)  # fewer at a time are other pixels
    requests = [asked(runner, views=2, gathered=EACH), walk]
    host = [drawn(runner, request) for request in requests]
    with pretended_card():
        there = ModelRunner(
            runner.catalog, choose(NAME), Machine(GB, room, element_size=2, one_by_one=False), runner.inputs, Annotators([], OWN)
        )
        card = [drawn(there, replace(request, threads=0)) for request in requests]
    for ours, theirs in zip(card, host, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            for mine, own in zip(one.frames or (one.image,), other.frames or (other.image,), strict=True):
                assert (levels(mine) - levels(own)).abs().max() <= MOST_LEVELS


def test_what_it_takes_grows_with_the_views_and_a_walk_is_a_clip(runner: ModelRunner) -> None:
    machine = Machine(8 * GB)
    one, six = (forecast_of_turn(asked(runner, views=count), runner.catalog, machine, ()) for count in (1, 6))
    side_by_side = replace(machine, one_by_one=False)
    assert one.fits and forecast_of_turn(asked(runner, views=6), runner.catalog, side_by_side, ()).activations > six.activations
    walk = asked(runner, checkpoint=of(runner, "sv3d", "p"))
    assert forecast_of_turn(walk, runner.catalog, machine, ()).activations > 0


# ---- as it is published ------------------------------------------------------------------------------------------------------


def test_a_training_checkpoint_is_converted_in_the_jail_and_draws_what_its_safetensors_draw(
    runner: ModelRunner, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PyTorch Lightning saves one of Columbia's: with averaged weights, an optimizer's numbers, callbacks, and settings of OmegaConf."""
    kinds: list[Any] = []
    for module, name in {"pytorch_lightning": "ModelCheckpoint", "omegaconf": "DictConfig"}.items():
        kinds.append(type(name, (), {"__module__": module}))
        found = types.ModuleType(module)
        vars(found)[name] = kinds[-1]
        monkeypatch.setitem(sys.modules, module, found)
    callback, config = (kind() for kind in kinds)
    config.learning_rate, callback.best = 1e-4, 0.5
    toy = toy_turning()
    weights = {name: tensor.contiguous().clone() for name, tensor in original(toy).items()}
    averaged = {f"model_ema.{name.replace('.', '')}": tensor + 1 for name, tensor in weights.items() if name.startswith("model.")}
    content = {
        "epoch": 3, "global_step": 165_000, "pytorch-lightning_version": "1.4.2", "lr_schedulers": [{"last_epoch": 165_000}],
        "state_dict": weights | averaged | {"model_ema.decay": torch.tensor(0.9999), "model_ema.num_updates": torch.tensor(165_000)},
        "callbacks": {kinds[0]: callback}, "hyper_parameters": config, "loops": {"fit_loop": {"state_dict": {}}},
        "optimizer_states": [{"state": {0: {"step": 9, "exp_avg": torch.ones(3, 3)}}, "param_groups": [{"betas": (0.9, 0.999)}]}],
    }  # fmt: skip
    torch.save(content, tmp_path / "zero123_165000.ckpt")
    convert(tmp_path / "zero123_165000.ckpt", tmp_path / "made.safetensors", "checkpoint")
    made = load_file(tmp_path / "made.safetensors")
    save(tmp_path / "models" / "checkpoints" / "zero123_165000.safetensors", made, toy.metadata)  # tiny, so it has to say its sizes
    catalog = Catalog(models / "starter", [tmp_path / "models"])
    catalog.rescan(wait=True)
    from_pickle = ModelRunner(catalog, CPU, Machine(8 * GB), runner.inputs, Annotators([], OWN))
    assert [one.image for one in drawn(from_pickle, asked(from_pickle))] == [one.image for one in drawn(runner, asked(runner))]
