"""Enlarging: the pixels against Pillow's own, and a job that knows nothing of models, steps and seeds."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from models.errors import UserError
from models.library.catalog import Catalog
from models.memory.forecast import Machine
from pipelines import Studio
from pipelines.control.view import NO_LENDER
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture, Step
from pipelines.jobs.outputs import Outputs, read
from pipelines.metadata import infotext
from pipelines.metadata.picture_settings import inspect
from pipelines.requests.enlarge import BY_SIZE, FILTER_NAMES
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Enlarge, Outpaint, PictureUse, TextToImage
from pipelines.services.guests import check_work, room_of
from pipelines.services.preflight import preflight
from pipelines.tasks import enlarge
from pipelines.tasks.batch import Task
from tests.support.toys import toy_model_folder, toy_studio, wait_until

ROOT = Path(__file__).parents[1]
ME = "me"
BANDS = 700  # pixels: so that small pictures too are made in many


def png_bytes(image: Image.Image, **texts: str) -> bytes:
    info, stream = PngImagePlugin.PngInfo(), io.BytesIO()
    for name, text in texts.items():
        info.add_text(name, text)
    image.save(stream, "PNG", pnginfo=info)
    return stream.getvalue()


def noisy(mode: str, size: tuple[int, int], seed: int = 0) -> Image.Image:
    channels = len(Image.new(mode, (1, 1)).getbands())
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], channels), np.uint8).squeeze())


def ended(work: Generator[Step, None, Image.Image]) -> tuple[Image.Image, list[Step]]:
    told: list[Step] = []
    while True:
        try:
            told.append(next(work))
        except StopIteration as end:
            return end.value, told


@pytest.mark.parametrize("size", [(142, 106), (30, 20), (71, 200), (200, 53), (13, 200), (71, 53), (1, 1)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize("name", FILTER_NAMES)
def test_the_pixels_are_pillows_own(name: str, mode: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enlarge, "BAND", BANDS)
    picture = noisy(mode, (71, 53))
    made, _ = ended(enlarge.resized(picture, size, enlarge.FILTERS[name]))
    assert made.mode == mode
    assert made.tobytes() == picture.resize(size, Image.Resampling[name.upper()]).tobytes()


def test_what_cannot_be_seen_colours_no_edge() -> None:
    """Red beside green that is wholly transparent: wherever something is seen, it is red alone."""
    picture = Image.new("RGBA", (8, 8), (0, 255, 0, 0))
    picture.paste((255, 0, 0, 255), (0, 0, 4, 8))
    made, _ = ended(enlarge.resized(picture, (64, 64), Image.Resampling.BILINEAR))
    pixels = np.asarray(made)
    seen = pixels[..., 3] > 0
    assert 0 < seen.mean() < 1 and len(np.unique(pixels[..., 3])) > 4
    assert pixels[seen][:, 1].max() == 0


def test_each_band_is_told_and_is_a_place_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enlarge, "BAND", BANDS)
    _, told = ended(enlarge.resized(noisy("RGB", (50, 40)), (100, 80), Image.Resampling.LANCZOS))
    assert [step.index for step in told] == list(range(1, len(told) + 1))
    assert {step.count for step in told} == {len(told)} and len(told) > 10


# ---- the size ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "size"),
    [
        ({"factor": 2.0}, (200, 100)),
        ({"factor": 0.5}, (50, 25)),
        ({"factor": 1.5}, (150, 75)),
        ({"by": BY_SIZE, "width": 300}, (300, 150)),
        ({"by": BY_SIZE, "height": 300}, (600, 300)),
        ({"by": BY_SIZE, "width": 10, "height": 20, "factor": 9.0}, (10, 20)),
        ({"by": BY_SIZE, "width": 1}, (1, 1)),
    ],
)
def test_the_size_is_a_factor_or_a_size_of_which_one_side_is_enough(values: dict[str, Any], size: tuple[int, int]) -> None:
    assert Enlarge(**values).size_from((100, 50)) == size


@pytest.mark.parametrize(
    ("values", "picture", "sentence"),
    [
        ({"factor": 16.0}, (4000, 10), "64,000 × 160; 32,768 pixels a side are the most. Choose a smaller factor"),
        ({"factor": 10.0}, (1001, 1000), "10,010 × 10,000, 100.1 megapixels; 100 are the most. Choose a smaller factor"),
        ({"by": BY_SIZE, "width": 20_000}, (10, 10), "400.0 megapixels; 100 are the most. Choose a smaller size"),
        ({"by": BY_SIZE}, (10, 10), "Type a width or a height"),
    ],
)
def test_what_cannot_be_made_is_told_before_and_at_the_start(values: dict[str, Any], picture: tuple[int, int], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Enlarge(**values).size_from(picture)
    assert sentence in preflight(Enlarge(**values), picture).lines[0]


def test_a_hundred_megapixels_are_allowed() -> None:
    assert Enlarge(factor=10.0).size_from((1000, 1000)) == (10_000, 10_000)


def test_the_plan_says_the_new_size_and_whether_the_shape_stays() -> None:
    assert preflight(Enlarge(factor=2.0), (100, 50)).lines == ("From 100 × 50 to 200 × 100, 0.0 megapixels.",)
    assert "stretched" in preflight(Enlarge(by=BY_SIZE, width=50, height=50), (100, 50)).lines[0]
    assert preflight(Enlarge(), None).lines == ("Put a picture in.",)


# ---- a job without a model -----------------------------------------------------------------------------------------------------


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    return Inputs(tmp_path / "inputs")


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    made = toy_studio(tmp_path)
    yield made
    made.close()


def test_no_checkpoint_is_leased(tmp_path: Path, inputs: Inputs) -> None:
    """The only checkpoint there is has no weights, so whoever asks for it fails."""
    from pipelines.runtime.runner import ModelRunner
    from tests.support.toy_weights import CPU

    runner = ModelRunner(Catalog(toy_model_folder(tmp_path / "toy")), CPU, Machine(host=10**9), inputs)
    request = Enlarge(image=inputs.keep(noisy("RGB", (20, 10))), factor=3.0)
    [picture] = [event for batch in runner.batches(request) for event in batch if isinstance(event, Picture)]
    assert picture.image.size == (60, 30) and runner.ledger == ()
    with pytest.raises(Exception, match=r".+"), runner.lent(TextToImage()):
        pass


def test_its_recipe_imports_no_torch() -> None:
    code = "import pipelines.tasks.enlarge, sys; assert 'torch' not in sys.modules and 'diffusers' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def made(inputs: Inputs, request: Enlarge) -> Picture:
    task = Task(request, inputs, NO_LENDER, Progress())
    [picture] = [event for batch in enlarge.batches(task) for event in batch if isinstance(event, Picture)]
    return picture


@pytest.mark.parametrize("values", [{"factor": 1.5, "filter": "Box"}, {"by": BY_SIZE, "width": 40, "height": 0, "filter": "Nearest"}])
def test_its_file_says_nothing_of_a_drawing_and_brings_its_request_back(tmp_path: Path, inputs: Inputs, values: dict[str, Any]) -> None:
    request = Enlarge(image=inputs.keep(noisy("RGBA", (20, 10))), **values)
    picture = made(inputs, request)
    path = Outputs(tmp_path / "outputs").save(picture.image, picture.request, picture.made_with)
    assert path.name.endswith(f"_enlarged-{request.filter.lower()}.png")
    with Image.open(path) as file:
        texts, pixels = file.text, file.tobytes()  # pyright: ignore[reportAttributeAccessIssue]
    assert pixels == picture.image.tobytes()
    for word in ("Steps", "CFG", "Sampler", "Seed", "Model", "steps", "seed", "checkpoint", "prompt"):
        assert word not in texts["parameters"] and f'"{word}"' not in texts["atelier"]
    assert read(path) == request
    text = inspect(png_bytes(Image.new("RGB", (4, 4)), parameters=texts["parameters"]))
    assert text.notes == ()
    assert replace(request, image="") == text.request
    assert request.image.startswith(text.pictures[-1, "image"])


def test_a_drawing_that_was_enlarged_elsewhere_is_still_a_drawing() -> None:
    text = f"{infotext.write(TextToImage(prompt='x', seed=1), {})}, Postprocess upscaler: Lanczos, Postprocess upscale by: 2"
    found = inspect(png_bytes(Image.new("RGB", (4, 4)), parameters=text))
    assert isinstance(found.request, TextToImage)
    assert "Postprocess upscaler" in " ".join(found.notes)


def test_a_job_is_enlarged_kept_and_taken_up_again(studio: Studio) -> None:
    taken = studio.uploads.picture(png_bytes(noisy("RGBA", (24, 16))), ME, transparent=True)
    request = Enlarge(image=taken.id, factor=2.0)
    assert studio.forecast(request) is None
    job = studio.submit(request, ME)
    wait_until(lambda: studio.job(job, ME).state == "done")
    [record] = studio.recent(ME)
    with Image.open(record.path) as file:
        assert file.mode == "RGBA"
        assert file.tobytes() == noisy("RGBA", (24, 16)).resize((48, 32), Image.Resampling.LANCZOS).tobytes()
    assert studio.settings(record.path, ME).request == request
    assert studio.settings(record.path, "somebody else").request == replace(request, image="")
    assert studio.uploads.adopt(record, ME, transparent=True).width == 48


def test_a_picture_that_is_missing_or_too_large_is_refused_at_the_start(studio: Studio) -> None:
    with pytest.raises(UserError, match="no picture to enlarge"):
        studio.submit(Enlarge(), ME)
    taken = studio.uploads.picture(png_bytes(noisy("RGB", (4000, 3))), ME)
    with pytest.raises(UserError, match="a side are the most"):
        studio.submit(Enlarge(image=taken.id, factor=16.0), ME)


def test_it_is_stopped_between_two_bands(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enlarge, "BAND", 1000)
    taken = studio.uploads.picture(png_bytes(noisy("RGB", (600, 600))), ME)
    job = studio.submit(Enlarge(image=taken.id, factor=5.0), ME)
    wait_until(lambda: (live := studio._worker.live(job)) and live.step)
    studio.stop(job, ME)
    wait_until(lambda: studio.job(job, ME).state == "stopped")
    assert studio.recent(ME) == []


def several(studio: Studio) -> tuple[list[Image.Image], Enlarge]:
    """Pictures of different sizes and modes, and a request that begins with each in turn."""
    images = [noisy("RGBA", (24, 16)), noisy("RGB", (9, 30)), noisy("RGB", (5, 5))]
    uses = [PictureUse(id=studio.uploads.picture(png_bytes(each), ME, transparent=True).id, name=f"{each.width}.png") for each in images]
    return images, Enlarge(images=tuple(uses), factor=3.0)


def test_each_of_several_pictures_is_made_alone_and_its_record_names_it_alone(studio: Studio) -> None:
    images, request = several(studio)
    job = studio.submit(request, ME)
    wait_until(lambda: studio.job(job, ME).state == "done")
    records = studio.book.pictures_of(job)
    assert [read(each.path) for each in records] == [Enlarge(image=use.id, factor=3.0) for use in request.images]
    for image, record in zip(images, records, strict=True):
        with Image.open(record.path) as file:
            larger = image.resize((image.width * 3, image.height * 3), Image.Resampling.LANCZOS)
            assert (file.mode, file.tobytes()) == (image.mode, larger.tobytes())


def test_several_go_on_where_they_stood(studio: Studio) -> None:
    _, request = several(studio)
    task = Task(request, studio.uploads.inputs, NO_LENDER, Progress(batch=1, pictures=1))
    made = [event for batch in enlarge.batches(task) for event in batch if isinstance(event, Picture)]
    assert [(each.index, each.count) for each in made] == [(1, 3), (2, 3)]
    assert [each.request for each in made] == [request.single(1), request.single(2)]


def test_what_is_wrong_with_one_of_several_names_it_before_any_is_made(studio: Studio) -> None:
    _, request = several(studio)
    with pytest.raises(UserError, match=r"9\.png: The picture would become"):
        studio.submit(replace(request, by=BY_SIZE, factor=1.0, width=10_000), ME)
    gone = replace(request, images=(*request.images, PictureUse(id="0" * 64)))
    with pytest.raises(UserError, match="not stored here any more"):
        studio.submit(gone, ME)
    assert preflight(request, None).lines == ("3 pictures, one after another, each by 3.",)


def test_a_guest_is_counted_all_of_several(studio: Studio) -> None:
    sizes = [(1000, 1000)] * 100
    with pytest.raises(UserError, match=r"1\.1 times what a guest"):
        check_work(Enlarge(factor=10.0), *sizes, *sizes[:10])
    check_work(Enlarge(factor=10.0), *sizes)


def test_transparent_inputs_are_white_for_all_others(inputs: Inputs) -> None:
    picture = noisy("RGBA", (6, 5))
    kept = inputs.keep(picture)
    assert inputs.open(kept, "").tobytes() == picture.tobytes()
    flat = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    assert inputs.open(kept).tobytes() == flat.tobytes()


def test_what_a_guest_is_counted_is_what_comes_out() -> None:
    request = Enlarge(factor=10.0)
    check_work(request, (1000, 1000))
    assert room_of(request, (1000, 1000)) == 4 * 10_000 * 10_000
    assert room_of(Outpaint()) > 0
