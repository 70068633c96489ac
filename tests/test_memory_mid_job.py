"""Memory runs out once, anywhere in the middle of a job: the job's pictures are those of the undisturbed run, none twice and none lost."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipelines.jobs.events import Picture
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.request import Controlled, Depth, ImageToImage, Inpaint, Outpaint, PictureUse, Request, TextToImage, input_ids
from pipelines.runtime.runner import ModelRunner
from tests.support.asked import drawing
from tests.support.controls import mask_of
from tests.support.drawing import blots
from tests.support.faults import Files, open_toys, originals, pictures
from tests.test_control_memory import write_unit

__all__ = ["originals"]
SAME: dict[str, Any] = {
    "prompt": "a red house", "steps": 2, "seed": 5, "sampler": "DPM++ 2M SDE", "guidance_scale": 1.0,
}  # fmt: skip
TWICE_TWO: dict[str, Any] = {"batch_count": 2, "batch_size": 2}
PLACES = {
    "reading the model": "pipelines.runtime.runner.ModelRunner.lent",
    "encoding a prompt": "pipelines.tasks.conditioning.encode_prompts",
    "reading a picture": "pipelines.images.store.Inputs.open",
    "encoding a picture": "pipelines.denoising.vae_encode._encode",
    "preprocessing": "pipelines.control.units.hint_of",
    "estimating depth": "pipelines.tasks.depth2img.estimate_depth",
    "a step": "pipelines.denoising.denoiser.Denoiser._answers",
    "a preview": "pipelines.tasks.sampling.preview_of",
    "decoding": "pipelines.denoising.vae_decode._decode",
    "keeping a round": "pipelines.images.store.Inputs.keep",
}
KINDS = (
    "text", "picture", "picture given back", "loopback", "loopbacks", "inpainting", "inpainting, only masked",
    "inpainting, soft", "outpainting", "control", "control of the picture", "depth",
)  # fmt: skip


class Place:
    """Counts the calls of one function and raises in chosen ones, counted from 1."""

    def __init__(self, whole: Callable[..., Any], fatal: tuple[int, ...] = ()) -> None:
        self.whole, self.fatal, self.calls = whole, fatal, 0

    def __call__(self, *given: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls in self.fatal:
            raise MemoryError
        return self.whole(*given, **named)

    def __get__(self, owner: Any, kind: Any = None) -> Callable[..., Any]:
        return lambda *given, **named: self(owner, *given, **named)


@pytest.fixture(scope="module")
def runner(originals: Files) -> Iterator[ModelRunner]:
    write_unit(originals, "controlnet")
    yield open_toys(originals)


def requests(runner: ModelRunner, side: int = 64) -> dict[str, Request]:
    """`side`: in pixels; what goes by the queue has 64 at least."""
    picture, other = (runner.inputs.keep(blots((side, side), seed)) for seed in (1, 2))
    mask, [net] = runner.inputs.keep(mask_of()), runner.catalog.models("controlnet")
    same: dict[str, Any] = {**SAME, "width": side, "height": side}
    over: dict[str, Any] = {**same, "image": picture, "denoising_strength": 0.9}
    masked: dict[str, Any] = {**over, "mask": mask, **TWICE_TWO}
    unit = ControlUse(id=net.id, image=other, preprocessor="Canny")
    return {
        "text": TextToImage(**same, **TWICE_TWO),
        "picture": ImageToImage(**over, **TWICE_TWO),
        "picture given back": ImageToImage(**{**over, "denoising_strength": 0.0}, **TWICE_TWO),
        "loopback": ImageToImage(**over, loops=3, batch_size=2),
        "loopbacks": ImageToImage(**over, loops=2, images=(PictureUse(id=picture), PictureUse(id=other))),
        "inpainting": Inpaint(**masked),
        "inpainting, only masked": Inpaint(**masked, area="Only masked", padding=4),
        "inpainting, soft": Inpaint(**masked, soft=True, masked_content="Latent noise"),
        "outpainting": Outpaint(**over, right=72, overlap=16, batch_size=2),
        "control": Controlled(**same, **TWICE_TWO, controls=(unit,)),
        "control of the picture": ImageToImage(**over, **TWICE_TWO, controls=(replace(unit, image=""),)),
        "depth": Depth(**over, **TWICE_TWO, estimator="Starter depth", controls=(ControlUse(id=net.id),)),
    }


def outcome(runner: ModelRunner, request: Request) -> list[tuple[int, int, bytes, Request]]:
    return [(made.index, drawing(made.request).seed, made.image.tobytes(), made.request) for made in pictures(runner, request)]


def watched(patch: pytest.MonkeyPatch, path: str, *fatal: int) -> Place:
    owner, name = path.rsplit(".", 1)
    place = Place(getattr(pkgutil.resolve_name(owner), name), fatal)
    patch.setattr(path, place)
    return place


@contextmanager
def no_weights(key: str) -> Iterator[None]:
    yield None


def chosen(name: str, calls: int, kind: str) -> list[int]:
    """Of the decoder, as pictures are done between its calls, every one in text and rounds, and in other kinds a batch's second and the
    last; of the others, kind by kind in turn, one in the middle and the last.
    """
    if name == "decoding" or not calls:
        each = range(1, calls + 1)
        return [*each] if kind == "text" or kind.startswith("loopback") else [*each[1:2], *each[3:]]
    return [min(calls // 2 + 1, calls) if KINDS.index(kind) % 2 else calls]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_drawn_twice_and_nothing_is_lost(runner: ModelRunner, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PLACES["estimating depth"], lambda annotator, image: np.asarray(image.convert("L"), np.float32))
    monkeypatch.setattr(runner, "annotator", no_weights)
    request = requests(runner, 32)[kind]
    with monkeypatch.context() as patch:
        places = {name: watched(patch, path) for name, path in PLACES.items()}
        whole, met = outcome(runner, request), set[str]()
    assert [index for index, *_ in whole] == list(range(request.picture_count))
    for name, path in PLACES.items():
        for call in chosen(name, places[name].calls, kind):
            met.add(name)
            with monkeypatch.context() as patch:
                failing = watched(patch, path, call)
                assert outcome(runner, request) == whole, f"{name}, call {call} of {places[name].calls}"
                assert failing.calls >= call, f"{name} failed in call {call} of {places[name].calls}"
    assert {"reading the model", "a step", "decoding"} <= met or kind == "picture given back"
    assert all(line.leases == 0 for line in runner.ledger)


def test_each_batch_has_its_own_second_try(runner: ModelRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    request = requests(runner)["text"]
    whole = outcome(runner, request)
    with monkeypatch.context() as patch:
        watched(patch, PLACES["decoding"], 2, 5)  # the second picture of the first batch, and of the second
        assert outcome(runner, request) == whole


def test_a_round_that_is_skipped_is_passed_over(runner: ModelRunner) -> None:
    drawn: list[Picture] = []
    for number, batch in enumerate(runner.batches(requests(runner)["loopback"])):
        for event in batch:
            if number == 1:
                break
            drawn += [event] if isinstance(event, Picture) else []
    assert [picture.index for picture in drawn] == [0, 1, 4, 5]
    assert [input_ids(picture.request) for picture in drawn[2:]] == [{runner.inputs.keep(picture.image)} for picture in drawn[:2]]
