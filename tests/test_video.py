"""Video: clips as jobs, from the request to the file, on tiny random weights."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save

from models.errors import UserError
from models.library.catalog import Catalog
from models.memory.device import choose
from models.memory.forecast import Machine
from pipelines.gallery.films import film_of
from pipelines.gallery.formats import given_out
from pipelines.images import clip_file
from pipelines.images.clip_latents import packed, unpacked
from pipelines.images.source_type import source_in
from pipelines.images.store import Inputs
from pipelines.inside.again import look, record_of
from pipelines.inside.desk import Found
from pipelines.job_book.book import DONE, RUNNING, JobBook, PictureRecord
from pipelines.job_book.found import everything
from pipelines.jobs.clip_choice import LATENTS, NOTHING, PNG, ClipChoice
from pipelines.jobs.events import Picture, Step
from pipelines.jobs.outputs import Outputs, inspect
from pipelines.jobs.worker import Worker
from pipelines.preprocessors.annotators import Annotators
from pipelines.requests.clip import TRIANGLE, linear, triangle
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Clip, TextToImage
from pipelines.resolving.rebind import rebind
from pipelines.resolving.resolve import resolve
from pipelines.runtime.runner import OWN, ModelRunner
from pipelines.services.clip_frames import ClipFrames
from pipelines.steps.store import KeptSteps
from tests.support.drawing import blots, ended
from tests.support.pretended_device import NAME, pretended_card
from tests.support.toy_video import toy_video, write_folder
from tests.support.toy_weights import CPU, write_toy_model
from tests.support.toys import wait_until

GB = 10**9
FRAMES, STEPS = 4, 2
MOST_LEVELS = 8  # of 255 between half precision and float32


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("video")
    write_toy_model(root / "starter")
    write_folder(root / "models" / "checkpoints" / "moving", toy_video())
    return root


@pytest.fixture
def runner(models: Path, tmp_path: Path) -> Iterator[ModelRunner]:
    catalog = Catalog(models / "starter", [models / "models"])
    catalog.rescan(wait=True)
    yield ModelRunner(catalog, CPU, Machine(8 * GB), Inputs(tmp_path / "outputs" / ".inputs"), Annotators([], OWN))


def asked(runner: ModelRunner, size: tuple[int, int] = (96, 64), **changes: Any) -> Clip:
    own: dict[str, Any] = {"frames": FRAMES, "steps": STEPS, "seed": 7, "width": 128, "height": 64}
    return resolve(Clip(image=runner.inputs.keep(blots(size)), **(own | changes)), runner.catalog)


def drawn(runner: ModelRunner, request: Clip) -> tuple[list[Step], Picture]:
    events = [event for batch in runner.batches(request) for event in batch if event]
    [picture] = [event for event in events if isinstance(event, Picture)]
    return [event for event in events if isinstance(event, Step)], picture


def test_a_clip_is_drawn_shown_at_each_step_and_made_again_bit_for_bit(runner: ModelRunner) -> None:
    steps, picture = drawn(runner, asked(runner))
    assert len(picture.frames) == FRAMES and picture.image == picture.frames[0] and picture.image.size == (128, 64)
    assert [step.index for step in steps] == [1, 2] and Image.open(io.BytesIO(steps[-1].preview())).size[0] == FRAMES * 18 - 2
    made = picture.request
    assert isinstance(made, Clip) and made.decode_chunk == FRAMES and made.one_by_one and made.threads
    assert picture.made_with["Model"] == "moving" and len(picture.made_with["Model hash"]) == 10
    again = drawn(runner, rebind(made, picture.made_with, runner.catalog).request)[1]
    assert again.frames == picture.frames
    assert drawn(runner, replace(made, decode_chunk=2))[1].frames != picture.frames


def test_what_fits_the_model_is_asked_for_where_nothing_else_is(runner: ModelRunner) -> None:
    own = asked(runner, (96, 64), frames=0, width=0, height=0)
    assert (own.frames, own.frames_a_second, own.width, own.height) == (14, 7, 1024, 576)
    standing = Clip(image=own.image).fitted({"frames": 25, "frames_a_second": 6}, (64, 96))
    assert (standing.frames, standing.frames_a_second, standing.width, standing.height) == (25, 6, 576, 1024)
    with pytest.raises(UserError, match=r"2048 x 2112 is 4\.33 megapixels"):
        Clip(width=2048, height=2112).check()


def test_a_portrait_and_a_clip_of_one_frame_are_drawn(runner: ModelRunner) -> None:
    picture = drawn(runner, asked(runner, (64, 200), frames=1, width=64, height=128))[1]
    assert [frame.size for frame in picture.frames] == [(64, 128)]


def test_models_of_pictures_and_of_clips_are_not_mistaken(runner: ModelRunner) -> None:
    moving = next(entry.id for entry in runner.catalog.models("checkpoint") if entry.called == "moving")
    with pytest.raises(UserError, match="“moving” is a video model: it makes a clip of a picture, so it cannot draw this"):
        resolve(TextToImage(checkpoint=moving), runner.catalog)
    with pytest.raises(UserError, match="is a model that draws from words, so it cannot draw this"):
        asked(runner, checkpoint="starter")


def test_guidance_of_each_frame() -> None:
    assert linear(1, 3, 5) == [1, 1.5, 2, 2.5, 3] and triangle(1, 2.5, 5) == [1, 1.75, 2.5, 1.75, 1]
    assert Clip(frames=3, guidance_shape=TRIANGLE).scales == [1, 3, 1]
    assert linear(2, 3, 1) == [2] == triangle(2, 3, 1)


# ---- saved -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def worker(runner: ModelRunner, tmp_path: Path) -> Iterator[Worker]:
    folder = tmp_path / "outputs"
    worker = Worker(JobBook(folder / "studio.db", folder), Outputs(folder), lambda: runner)
    yield worker
    worker.close()
    worker.book.close()


def pixels(frames: Any) -> list[Any]:
    return [np.asarray(frame) for frame in frames]


def test_a_clip_is_saved_whole_with_its_record_its_label_and_its_frames(worker: Worker, runner: ModelRunner) -> None:
    job = worker.submit(asked(runner), "ada")
    while (known := worker.book.job(job)) is None or known.state != DONE:
        worker.run_next(runner)
    [record] = worker.book.recent("ada", 5, False)
    assert record.path.suffix == ".webp" and (record.width, record.height, record.seed) == (128, 64, 7)
    reading = inspect(record.path)
    assert reading.request == record.request and reading.made_with["Model"] == "moving"
    assert b"compositeWithTrainedAlgorithmicMedia" in record.path.read_bytes()
    again = drawn(runner, rebind(reading.request, reading.made_with, runner.catalog).request)[1]
    np.testing.assert_array_equal(pixels(clip_file.frames_in(record.path, 7)), pixels(again.frames))
    compared, _ = ended(look(record_of(record.path, runner.catalog, lambda request: resolve(request, runner.catalog)), runner))
    assert isinstance(compared, Found) and compared.told["same"] and compared.told["pixels"] == FRAMES * 128 * 64
    with zipfile.ZipFile(record.path.with_suffix(".frames.zip")) as archive:
        kept = [Image.open(io.BytesIO(archive.read(name))) for name in archive.namelist()]
    np.testing.assert_array_equal(pixels(kept), pixels(again.frames))


def test_the_owner_chooses_how_clips_are_kept(tmp_path: Path) -> None:
    outputs, frames = Outputs(tmp_path), [blots((64, 64), seed) for seed in (1, 2)]
    assert {*outputs.encoded(frames, Clip(), {})} == {".webp", ".frames.zip"}
    whole = outputs.encoded(frames, Clip(frames_a_second=7), {})[".webp"]
    outputs.clips.keep(ClipChoice(lossless=False, beside=NOTHING))
    assert {*(small := Outputs(tmp_path).encoded(frames, Clip(frames_a_second=7), {}))} == {".webp"}
    assert len(small[".webp"]) < len(whole)
    outputs.clips.keep(ClipChoice(beside=LATENTS))
    assert {*outputs.encoded(frames, Clip(), {})} == {".webp", ".frames.zip"}, "of what has no latents"
    (tmp_path / ".clips.json").write_text('{"lossless": true, "beside": "tiff"}')
    assert outputs.clips.choice == ClipChoice()


@pytest.mark.parametrize("beside", [PNG, LATENTS])
def test_a_clip_whose_animation_has_losses_keeps_its_very_frames_beside_it(beside: str, worker: Worker, runner: ModelRunner) -> None:
    worker.outputs.clips.keep(ClipChoice(lossless=False, beside=beside))
    job = worker.submit(asked(runner, decode_chunk=3), "ada")
    while (known := worker.book.job(job)) is None or known.state != DONE:
        worker.run_next(runner)
    [record] = worker.book.recent("ada", 5, False)
    made = pixels(drawn(runner, asked(runner, decode_chunk=3))[1].frames)
    shown = pixels(clip_file.frames_in(record.path, 7))
    assert not np.array_equal(shown, made)
    frames, zips = ClipFrames(worker, runner.catalog, lambda request: resolve(request, runner.catalog)), list[tuple[str, bytes]]()
    found = threading.Thread(target=lambda: zips.append(frames.zip_of(record, "ada")))
    found.start()
    wait_until(lambda: worker.errands.run_one(runner) or not found.is_alive())
    found.join()
    [(name, data)] = zips
    assert name == record.path.stem + ".frames.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        pngs = [archive.read(each) for each in archive.namelist()]
    np.testing.assert_array_equal(pixels(Image.open(io.BytesIO(png)) for png in pngs), made)
    assert all(source_in(png) for png in pngs), "each of them is labelled"
    lying = {path.suffix for path in record.path.parent.glob(f"{record.path.stem}*")}
    assert lying == {".webp", ".zip" if beside == PNG else ".safetensors"}


def test_latents_are_read_bit_for_bit_and_those_of_another_clip_or_none_are_refused(tmp_path: Path) -> None:
    file, latents = tmp_path / "a.safetensors", np.random.default_rng(1).normal(size=(3, 4, 8, 16)).astype(np.float32)
    file.write_bytes(whole := packed(latents, {"label": "x"}))
    np.testing.assert_array_equal(unpacked(file, 3, (128, 64), 8), latents)
    for frames, size in ((2, (128, 64)), (3, (64, 128)), (3, (136, 64))):
        with pytest.raises(UserError, match="cannot be read"):
            unpacked(file, frames, size, 8)
    odd = (
        packed(np.where(latents > 2, np.inf, latents).astype(np.float32), {}),
        save({"latents": latents.astype(np.float16)}),
        save({"x": latents}),
    )
    for data in (*odd, packed(latents[0], {}), whole[:-1], b"PK", b""):
        file.write_bytes(data)
        with pytest.raises(UserError, match="cannot be read"):
            unpacked(file, 3, (128, 64), 8)
    with pytest.raises(UserError, match="cannot be read"):
        unpacked(tmp_path / "none", 3, (128, 64), 8)


def test_a_clip_is_written_while_the_next_job_runs_and_what_a_kill_leaves_of_it_is_swept(worker: Worker, runner: ModelRunner) -> None:
    begun, may_go_on, encoded = threading.Event(), threading.Event(), worker.outputs.encoded

    def slowly(*told: Any) -> Any:
        begun.set()
        assert may_go_on.wait(20)
        return encoded(*told)

    worker.outputs.encoded = slowly
    first, second = (worker.submit(request, "ada") for request in (asked(runner), TextToImage(steps=1, width=64, height=64)))
    worker.run_next(runner)
    job = worker.book.job(first)
    assert begun.wait(5) and job and (worker.known(job).state, job.progress.pictures) == (RUNNING, 0), "a kill now costs no clip"
    worker.run_next(runner)
    assert [record.job_id for record in worker.book.recent("ada", 5, False)] == [second]
    may_go_on.set()
    wait_until(lambda: worker.hands[0].saving.write() and (job := worker.book.job(first)) and job.state == DONE)
    [path] = [record.path for record in worker.book.recent("ada", 5, False) if record.job_id == first]
    left = [path.with_name(".20261130-000000-0000.part"), path.with_name("20261130-000000-0000_clip.frames.zip")]
    for file in left:
        file.write_bytes(b"half")
    assert worker.outputs.sweep(older_than=-1) == 2 and not any(file.exists() for file in left)
    assert path.exists() and path.with_suffix(".frames.zip").exists()


def test_a_book_that_is_made_again_has_its_clips(worker: Worker, runner: ModelRunner, tmp_path: Path) -> None:
    request = replace(asked(runner), frames_a_second=7)
    path = worker.outputs.put(worker.outputs.encoded([blots((128, 64), seed) for seed in (1, 2)], request, {"Model": "moving"}), request)
    [found] = everything(tmp_path / "outputs")
    assert (found.path, found.size, found.seed, found.model) == (path.relative_to(tmp_path / "outputs").as_posix(), (128, 64), 7, "moving")
    path.write_bytes(path.read_bytes()[:-20])
    assert everything(tmp_path / "outputs") == []


def test_a_clip_that_leaves_without_its_settings_still_moves_and_keeps_its_label(tmp_path: Path) -> None:
    request = Clip(image="0" * 64, frames=2, frames_a_second=7, seed=1)
    path = Outputs(tmp_path).put(Outputs(tmp_path).encoded([blots((64, 64), seed) for seed in (1, 2)], request, {}), request)
    with path.open("rb") as file:
        name, pieces = given_out(file, path.name, settings=False)
    data = b"".join(pieces)
    assert name.endswith(".webp") and "clip" not in name and b"atelier" not in data and source_in(data)
    np.testing.assert_array_equal(pixels(clip_file.frames_in(data, 7)), pixels(clip_file.frames_in(path, 7)))
    with Image.open(io.BytesIO(data)) as image:
        assert not image.getexif() and image.info["xmp"].startswith(b"<?xpacket")


# ---- on a card, and where memory is short ------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [GB, 1])
def test_a_clip_on_a_card_is_that_of_the_host_also_where_the_network_comes_layer_by_layer(
    room: int, runner: ModelRunner, models: Path, tmp_path: Path
) -> None:
    request = asked(runner)
    frames = pixels(drawn(runner, request)[1].frames)
    with pretended_card():
        card = Machine(host=8 * GB, device=room, element_size=2, one_by_one=False)
        there = ModelRunner(runner.catalog, choose(NAME), card, runner.inputs, Annotators([], OWN))
        picture = drawn(there, request)[1]
    made = picture.request
    assert isinstance(made, Clip) and made.one_by_one == (room == 1) and (made.decode_chunk == 1) == (room == 1)
    found = pixels(drawn(runner, replace(request, decode_chunk=made.decode_chunk))[1].frames) if room == 1 else frames
    assert np.abs(np.asarray(found, np.int32) - np.asarray(pixels(picture.frames), np.int32)).max() <= MOST_LEVELS


def test_a_clip_goes_on_from_its_last_step_after_a_kill(runner: ModelRunner, tmp_path: Path) -> None:
    request, kept = asked(runner, steps=4), KeptSteps(tmp_path, GB)
    whole = drawn(runner, request)[1]
    runner.steps = kept
    order = "0" * 32
    for event in next(runner.batches(request)):
        if isinstance(event, Step) and event.state:
            kept.add("a" * 16, order, event.state())
            if event.index == 2:
                break
    events = [event for batch in runner.batches(request, Progress(job="a" * 16)) for event in batch if event]
    assert [event.index for event in events if isinstance(event, Step)] == [3, 4]
    assert [event.frames for event in events if isinstance(event, Picture)] == [whole.frames]


def test_a_clip_leaves_as_mp4_with_its_record_and_its_label_where_the_package_is_there(tmp_path: Path) -> None:
    av: Any = pytest.importorskip("av", reason="requirements-video.txt is not installed")
    request = Clip(image="0" * 64, frames=3, frames_a_second=7, seed=1)
    outputs = Outputs(tmp_path)
    path = outputs.put(outputs.encoded([blots((66, 64), seed) for seed in (1, 2, 3)], request, {"Model": "moving"}), request)
    name, data = film_of(PictureRecord("a", "b", "ada", path, 66, 64, 1, 0.0, request), settings=True)
    assert name.endswith(".mp4") and source_in(data)
    with av.open(io.BytesIO(data)) as film:
        assert len(list(film.decode(video=0))) == 3 and film.streams.video[0].average_rate == 7
        assert json.loads(film.metadata["atelier"])["request"]["frames"] == 3 and "Steps: 25" in film.metadata["parameters"]
    _, bare = film_of(PictureRecord("a", "b", "ada", path, 66, 64, 1, 0.0, request), settings=False)
    assert source_in(bare) and b"moving" not in bare
    with pytest.raises(UserError, match="does not move"):
        film_of(PictureRecord("a", "b", "ada", path, 66, 64, 1, 0.0, TextToImage()), settings=True)
