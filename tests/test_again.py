"""Made again: what a picture's record makes here is compared with its file, and what is otherwise here is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image

from models.memory.forecast import Machine
from pipelines import Studio
from pipelines.inside.again import UNKNOWN, Record, compared, look, reasons, record_of
from pipelines.jobs.events import Picture
from pipelines.jobs.outputs import Outputs
from pipelines.requests.request import Clip, Enlarge, Outpaint, Request, TextToImage
from pipelines.resolving.resolve import resolve
from pipelines.runtime.runner import ModelRunner
from tests.support.card_toys import Library, given
from tests.support.drawing import blots
from tests.support.toy_video import toy_video, write_folder
from tests.support.toy_weights import CPU, write_toy_model
from tests.support.toys import toy_studio, wait_until

OWNER = "owner"
PICTURE = TextToImage(prompt="waves", seed=7, steps=2, width=64, height=64)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    made = toy_studio(tmp_path)
    yield made
    made.close()


def again(studio: Studio, request: Request) -> Any:
    """What is told of a picture of this request that is made again."""
    job = studio.submit(request, OWNER, owner=True)
    wait_until(lambda: studio.book.pictures_of(job))
    [record] = studio.book.pictures_of(job)
    studio.inside.begin(record, "again", OWNER)
    wait_until(lambda: studio.inside.look(record.id, "again", OWNER)["state"] not in ("waiting", "running"))
    look = studio.inside.look(record.id, "again", OWNER)
    assert look["state"] == "done", look["message"]
    return look["found"]


def test_a_picture_whose_record_makes_it_again_is_the_same(studio: Studio) -> None:
    assert again(studio, PICTURE) == {"same": True, "differing": 0, "pixels": 64 * 64, "most": 0, "reasons": []}


def test_so_is_one_that_no_model_has_drawn(studio: Studio) -> None:
    source = studio.uploads.keep(Image.effect_noise((40, 30), 60).convert("RGB"), OWNER).id
    found = again(studio, Enlarge(image=source, factor=2))
    assert found["same"] and found["pixels"] == 80 * 60


def test_how_many_pixels_differ_is_counted_over_all_channels() -> None:
    before, now = Image.new("RGB", (10, 10)), Image.new("RGB", (10, 10))
    now.putpixel((1, 1), (0, 3, 0))
    now.putpixel((2, 1), (5, 0, 1))
    assert compared(before, now, ["torch: 1 then, 2 here."]) == {
        "same": False, "differing": 2, "pixels": 100, "most": 5, "reasons": ["torch: 1 then, 2 here."],
    }  # fmt: skip
    assert compared(before, now, [])["reasons"] == [UNKNOWN], "a reason is not guessed"
    assert compared(before, before.copy(), [])["reasons"] == []
    larger = compared(before, Image.new("RGB", (20, 10)), [])
    assert not larger["same"] and "20 × 10" in larger["reasons"][0]


def test_what_is_otherwise_here_is_named_thing_by_thing(studio: Studio, tmp_path: Path) -> None:
    made_with = {"Model": "Lost", "Model hash": "0" * 10, "torch": "1.0", "Device": "toy", "Pillow": "9"}
    path = Outputs(tmp_path / "found").save(Image.new("RGB", (64, 64)), PICTURE, made_with)
    record = record_of(path, cast(Any, studio)._catalog, lambda request: request)
    told = list(reasons(record, {"torch": "2.0", "Device": "toy", "Pillow": "12", "diffusers": "0.4"}))
    assert "another file here" in told[0] and told[1:] == ["torch: 1.0 then, 2.0 here.", "Pillow: 9 then, 12 here."]


# ---- giving way --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> ModelRunner:
    root = tmp_path_factory.mktemp("library")
    write_toy_model(root / "starter")
    write_folder(root / "models" / "checkpoints" / "toy video", toy_video())
    return Library(root).runner(CPU, Machine(host=10**9))


def given_way(record: Record, runner: ModelRunner) -> tuple[Any, list[int]]:
    """What is told of a picture that is made again and gives way after each step; the steps that were made."""
    made: list[int] = []
    while len(made) < 20:
        looking = look(record, runner)
        try:
            while (seen := next(looking)).step == 0:
                pass
        except StopIteration as end:
            return end.value.told, made
        looking.close()
        made.append(seen.step)
    raise AssertionError(made)


@pytest.mark.parametrize("kind", ["text", "in windows", "clip"])
def test_a_picture_that_gives_way_at_every_step_is_the_same_and_makes_none_twice(kind: str, runner: ModelRunner, tmp_path: Path) -> None:
    image, outputs = runner.inputs.keep(blots((64, 64))), Outputs(tmp_path)
    asked = {
        "text": TextToImage(**given(steps=4, sampler="DPM++ 2M SDE")),
        "in windows": Outpaint(**given(steps=2, image=image, right=72, overlap=16)),
        "clip": Clip(image=image, frames=3, steps=3, width=64, height=64, seed=5),
    }[kind]
    [picture] = [event for batch in runner.batches(resolve(asked, runner.catalog)) for event in batch if isinstance(event, Picture)]
    files = outputs.encoded(picture.frames, picture.request, picture.made_with) if picture.frames else None
    path = outputs.put(files, picture.request) if files else outputs.save(picture.image, picture.request, picture.made_with)
    told, made = given_way(record_of(path, runner.catalog, lambda request: request), runner)
    assert told["same"] and not told["reasons"]
    assert len(made) >= 3 and made == [*range(1, len(made) + 1)]
