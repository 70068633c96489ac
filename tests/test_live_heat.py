"""Heat while a job draws: of its own person who asks, the same as afterwards, of the same picture; and nothing where nobody asks."""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.library.catalog import Catalog
from models.memory.forecast import Machine
from pipelines.images.store import Inputs
from pipelines.inside.answers import LiveHeat
from pipelines.inside.attention import clearest_layers, word_layers
from pipelines.inside.listener import Listener
from pipelines.inside.live import BROKEN
from pipelines.inside.seen_now import SeenNow, telling
from pipelines.inside.watch import Watch
from pipelines.inside.whole import IN_PARTS
from pipelines.job_book.book import Job
from pipelines.jobs.events import Picture, Step
from pipelines.requests.request import Drawing, Enlarge, ImageToImage, Request, TextToImage
from pipelines.runtime.runner import ModelRunner
from pipelines.services.live_heat import ASKS_AGAIN, NOT_DRAWN, VEILED, LiveHeats, Word
from tests.support.toy_weights import CPU, write_toy_model

HOUSE = Word("house")
REQUEST = TextToImage(prompt="a [red:blue:0.5] house", seed=4, width=64, height=64, steps=4)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> ModelRunner:
    folder = tmp_path_factory.mktemp("toy")
    return ModelRunner(Catalog(write_toy_model(folder / "toy")), CPU, Machine(host=10**9), Inputs(folder / "inputs"))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def heats() -> LiveHeats:
    return LiveHeats(Clock())


def job(request: Request) -> Job:
    return Job("job", "ada", request, "running", "", 0.0, None, None)


def drawn(
    runner: ModelRunner, heats: LiveHeats, request: Drawing, word: Word = HOUSE, stepped: Callable[[int], None] = lambda step: None
) -> tuple[list[LiveHeat | None], list[Image.Image]]:
    """What was told after each step, and the pictures, of a job as the worker runs one. `stepped`: hears of each step."""
    told, pictures, own = list[LiveHeat | None](), list[Image.Image](), job(request)
    with closing(heats.onlooker(own, request)) as onlooker:
        for batch in runner.batches(request, own.progress, onlooker.watching):
            for event in batch:
                onlooker.heard(event)
                if isinstance(event, Picture):
                    pictures.append(event.image)
                if isinstance(event, Step):
                    told.append(heats.told(own, word))
                    stepped(event.index)
    assert heats.told(own, word) is None, "nothing is kept of a job that has ended"
    return told, pictures


def values(told: LiveHeat | None) -> Any:
    assert told
    shape = told["pictures"], told["height"], told["width"]
    return np.frombuffer(base64.b64decode(told["heat"]), "<f4").reshape(shape)


def same(one: list[Image.Image], other: list[Image.Image]) -> bool:
    return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(one, other, strict=True))


def hooks(runner: ModelRunner) -> int:
    with runner.lent(REQUEST) as model:
        return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.unet.modules())


@pytest.mark.parametrize(
    "changes",
    [{}, {"sampler": "Heun"}, {"guidance_scale": 1.0}, {"guidance_from": 0.3, "guidance_until": 0.8}, {"prompt": "a house AND snow"}],
    ids=["usual", "Heun", "unguided", "guided in the middle", "joined"],
)
def test_at_each_step_one_sees_what_the_finished_look_shows_of_that_step_and_the_picture_is_the_same(
    changes: Any, runner: ModelRunner, heats: LiveHeats
) -> None:
    request = TextToImage(**{"prompt": REQUEST.prompt, "seed": 4, "width": 64, "height": 64, "steps": 4} | changes)
    _, plain = drawn(runner, LiveHeats(), request)
    with heats.wanted_by("ada"):
        told, pictures = drawn(runner, heats, request)
    assert same(plain, pictures) and [each and each["step"] for each in told] == [1, 2, 3, 4]
    watch = Watch(request)
    for event in runner.watched(request, watch.watching):
        if isinstance(event, Step):
            watch.made(event.index)
    heat = watch.heat
    assert heat
    row = next(place for place, word in enumerate(heat.words) if word.text == "house")
    for step, each in enumerate(told):
        assert np.array_equal(values(each)[0], heat.of(heat.groups[heat.clearest], step)[row].numpy())
        assert each and abs(sum(word["share"] for word in each["words"]) - 1) < 1e-3, "all words together have all looks"
    assert hooks(runner) == 0


def test_nothing_is_heard_of_a_job_whose_person_does_not_ask(
    runner: ModelRunner, heats: LiveHeats, monkeypatch: pytest.MonkeyPatch
) -> None:
    listened: list[object] = []
    monkeypatch.setattr(Listener, "listening", lambda *_: listened.append(1))
    with heats.wanted_by("bob"):
        told, _ = drawn(runner, heats, REQUEST)
    assert told == [None] * 4 and not listened


def test_looking_begins_and_ends_between_two_steps(runner: ModelRunner, heats: LiveHeats) -> None:
    clock: Any = heats._clock
    asking = heats.wanted_by("ada")

    def stepped(step: int) -> None:
        if step == 1:
            asking.__enter__()
        if step == 3:
            asking.__exit__(None, None, None)
            clock.now += ASKS_AGAIN

    told, _ = drawn(runner, heats, replace(REQUEST, steps=5), stepped=stepped)
    assert [each and each["step"] for each in told] == [None, None, 3, 4, None], "a step is seen whole or not at all"


def test_each_picture_of_a_batch_has_its_own_heat_as_its_preview_lies(runner: ModelRunner, heats: LiveHeats) -> None:
    batch = TextToImage(prompt="a red house", seed=4, width=64, height=64, steps=2, batch_size=3)
    with heats.wanted_by("ada"):
        told, _ = drawn(runner, heats, batch)
        alone = [drawn(runner, heats, TextToImage(prompt="a red house", seed=seed, width=64, height=64, steps=2))[0] for seed in (4, 5, 6)]
    for step, each in enumerate(told):
        assert each and (each["pictures"], each["columns"]) == (3, 2)
        for place, single in enumerate(alone):
            assert np.allclose(values(each)[place], values(single[step])[0], atol=1e-4)


@pytest.mark.parametrize("where", ["listening", "_open"])
def test_what_breaks_while_it_looks_costs_the_heat_and_not_the_picture(
    where: str, runner: ModelRunner, heats: LiveHeats, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, plain = drawn(runner, heats, REQUEST)
    monkeypatch.setattr(Listener, where, lambda *_: 1 / 0)
    with heats.wanted_by("ada"):
        told, pictures = drawn(runner, heats, REQUEST)
    assert same(plain, pictures) and {each["message"] for each in told if each} == {BROKEN}


@pytest.mark.parametrize(
    ("request_", "why"),
    [(ImageToImage(tiling="Windows"), IN_PARTS), (Enlarge(image="0" * 32), NOT_DRAWN)],
    ids=["windows", "enlarged"],
)
def test_of_what_is_not_drawn_whole_a_sentence_is_told(request_: Request, why: str, heats: LiveHeats) -> None:
    with closing(heats.onlooker(job(request_), request_)):
        told = heats.told(job(request_), Word())
        assert told and told["message"] == why
    assert heats.told(job(request_), Word()) is None


def test_who_sees_previews_blurred_sees_no_heat(runner: ModelRunner, heats: LiveHeats) -> None:
    heats.is_veiled = lambda user: user == "ada"
    with heats.wanted_by("ada"):
        told, _ = drawn(runner, heats, REQUEST)
    assert all(each and each["message"] == VEILED and not each["heat"] and not each["words"] for each in told)


def test_a_word_is_found_by_its_spelling_and_place_else_the_first_that_names_a_thing() -> None:
    words: Any = [{"text": text, "plain": text != ","} for text in ("a", "red", "house", ",", "house")]
    seen = SeenNow(1, 4, tuple(words), (tuple(bytes([place] * 4) for place in range(5)),), 1, 1, 1)
    asked = {("house", 0): 2, ("house", 1): 4, ("house", 9): 4, ("snow", 0): 2, ("red", 0): 1}
    assert {each: seen.told("job", *each)["word"] for each in asked} == asked
    assert base64.b64decode(seen.told("job", "red", 0)["heat"]) == bytes([1] * 4) and telling(words[:2]) == 0


def test_the_layers_that_are_seen_live_are_the_finest_on_the_way_up(runner: ModelRunner) -> None:
    with runner.lent(REQUEST) as model:
        chosen, known = clearest_layers(model.unet), word_layers(model.unet)
    assert chosen and {each.part for each in chosen} == {"Up"} and chosen == [each for each in known if each.part == "Up"][-len(chosen) :]
