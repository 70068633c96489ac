"""Looks into a picture: what is told of noise, latents, words and guidance is what the model and the seed that drew it make of it."""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from models.families import SD1, SD2, SDXL, Family
from models.library.catalog import Catalog
from models.starter.recipe.scenes import Scene, Thing, arrange, draw
from pipelines import Studio
from pipelines.images.store import Inputs
from pipelines.inside import latents, likeness, noise, words
from pipelines.inside.desk import Desk, Found, Looking, Seen
from pipelines.inside.guidance import Predictions
from pipelines.inside.noise import LEVELS, noised
from pipelines.inside.schedules import schedules_of
from pipelines.inside.watch import Watch
from pipelines.job_book.book import PictureRecord
from pipelines.requests.request import Drawing, Enlarge, ImageToImage, Request, TextToImage, Upscale
from pipelines.samplers import plan
from pipelines.samplers.noise_schedule import NoiseSchedule
from pipelines.services import inside
from pipelines.services.inside import blocked
from pipelines.steps.state import StepState
from pipelines.tasks.conditioning import Denoisers
from tests.support.drawing import blots
from tests.support.toy_weights import load_toy_model, write_toy_model
from tests.support.toys import ToyPainter, toy_studio, wait_until

STARTER = Path(__file__).parents[1] / "models" / "starter"
REQUEST = TextToImage(prompt="a red house", seed=3, width=64, height=64)


class Lender(ToyPainter):
    """A runner that lends one model."""

    def __init__(self, model: DiffusionModel) -> None:
        super().__init__()
        self.model = model

    def lent(self, request: Drawing) -> AbstractContextManager[Any]:
        return nullcontext(self.model)


@pytest.fixture(scope="module", params=(SD1, SD2, SDXL), ids=lambda family: family.key)
def lender(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    family: Family = request.param
    folder = write_toy_model(tmp_path_factory.mktemp(family.key), family=family)
    return Lender(load_toy_model(folder, family=family))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    blots((64, 64)).save(tmp_path / "picture.png")
    return Desk(REQUEST, tmp_path / "picture.png", Inputs(tmp_path / "inputs"))


def found(looking: Looking) -> Found:
    while True:
        try:
            next(looking)
        except StopIteration as end:
            return end.value


def pixels(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float32)


def test_signal_and_noise_of_each_level_make_one_and_rise_to_the_most_of_the_training(lender: Any, desk: Desk) -> None:
    levels: Any = found(noise.look(desk, lender)).told["levels"]
    assert len(levels) == LEVELS
    for level in levels:
        assert math.isclose(level["signal"] ** 2 + level["noise"] ** 2, 1, abs_tol=1e-4)
    assert all(one["sigma"] < other["sigma"] for one, other in pairwise(levels))
    assert math.isclose(levels[-1]["sigma"], NoiseSchedule(lender.model.alphas_cumprod).sigma_max, rel_tol=1e-4)


def test_noised_latents_keep_their_variance_and_are_the_picture_where_there_is_no_noise() -> None:
    generator = torch.Generator().manual_seed(1)
    clean, rough = (torch.randn(1, 4, 64, 64, generator=generator) for _ in range(2))
    for sigma in (0.3, 1.0, 14.6):
        assert abs(noised(clean, rough, sigma).std().item() - 1) < 0.03
    assert torch.equal(noised(clean, rough, 0.0), clean)


def test_the_more_noise_the_less_is_left_of_the_picture(lender: Any, desk: Desk) -> None:
    files = found(noise.look(desk, lender)).files
    first = pixels(files["noise-0.jpg"])
    away = [np.abs(pixels(files[f"noise-{number}.jpg"]) - first).mean() for number in (0, 1, 24)]
    assert 0 == away[0] < away[1] < away[2]


@pytest.mark.parametrize(("sampler", "schedule", "drawn"), [("DPM++ 2M", "Automatic", "Karras"), ("Euler", "Exponential", "Exponential")])
def test_the_schedule_that_drew_the_picture_is_that_which_its_sampler_ran(sampler: str, schedule: str, drawn: str) -> None:
    request = TextToImage(sampler=sampler, schedule=schedule, steps=12)
    told = schedules_of(request, Catalog(STARTER).checkpoint("starter"))
    (own,) = [curve for curve in told["curves"] if curve["drawn"]]
    training = NoiseSchedule(torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2, 0).float())
    assert own["name"] == drawn and np.allclose(own["sigmas"], plan(sampler, schedule, 12, training), rtol=1e-3)
    assert {curve["name"] for curve in told["curves"]} >= {"Normal", "Karras", "Exponential", "DDIM"}


def test_steps_that_did_not_run_are_told() -> None:
    told = schedules_of(ImageToImage(image="0" * 32, denoising_strength=0.5, steps=20), Catalog(STARTER).checkpoint("starter"))
    assert (told["planned"], told["skipped"]) == (20, 9)


@pytest.mark.parametrize("request_", [Enlarge(image="0" * 32), Upscale(image="0" * 32)], ids=["enlarged", "enlarged by diffusion"])
def test_what_was_not_drawn_from_words_alone_is_refused_with_a_sentence(request_: Request) -> None:
    assert blocked(request_).endswith(".") and not blocked(REQUEST)


# ---- looks as errands -----------------------------------------------------------------------------------------------------


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = toy_studio(tmp_path, runner=ToyPainter())
    wait_until(lambda: studio.engine_state()[0] == "ready")
    yield studio
    studio.close()


def drawn(studio: Studio) -> PictureRecord:
    studio.submit(REQUEST, "ada")
    wait_until(lambda: studio.recent("ada"))
    return studio.recent("ada")[0]


def test_a_look_tells_how_far_it_is_stops_within_a_step_and_can_begin_again(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    record, goes = drawn(studio), threading.Semaphore(0)

    def steps(desk: Desk, _: object) -> Looking:
        for step in range(1, 9):
            yield Seen(step, 8)
            goes.acquire()
        return Found({"levels": [desk.request.seed]}, {"one.jpg": b"jpeg"})

    monkeypatch.setattr(inside, "_function", lambda part: steps)
    assert studio.inside.look(record.id, "noise", "ada")["state"] == "none"
    studio.inside.begin(record, "noise", "ada")
    goes.release(2)
    wait_until(lambda: studio.inside.look(record.id, "noise", "ada")["step"] == 3)
    studio.inside.stop("ada")
    goes.release(1)
    wait_until(lambda: studio.inside.look(record.id, "noise", "ada")["state"] == "stopped")
    goes.release(100)
    studio.inside.begin(record, "noise", "ada")
    wait_until(lambda: studio.inside.look(record.id, "noise", "ada")["state"] == "done")
    assert studio.inside.file(record.id, "noise", "one.jpg", "ada") == b"jpeg"
    assert studio.inside.look(record.id, "noise", "bob")["state"] == "none", "what somebody sees is theirs"
    with pytest.raises(UserError, match="not kept"):
        studio.inside.file(record.id, "noise", "two.jpg", "ada")


def test_a_look_gives_way_to_the_jobs_of_others_and_goes_on_behind_them(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    record, begun, told = drawn(studio), list[int](), list[str]()

    def steps(desk: Desk, _: object) -> Looking:
        held = desk.left.of(0)
        begun.append(first := held.last(0) + 1 if held else 0)
        for step in range(first, 4):
            desk.left.state = lambda step=step: StepState(0, step, 4, 1.0, 0, np.zeros(1, np.float32), np.zeros(1, np.float32))
            if step == 2 and len(begun) == 1:
                studio.submit(replace(REQUEST, seed=9), "bob")
                assert studio.book.queue.others_wait("ada") and not studio.book.queue.others_wait("bob")
            yield Seen(step + 1, 4)
            told.append(f"step {step + 1}, {len(studio.recent('bob'))} of Bob’s")
        return Found({})

    monkeypatch.setattr(inside, "_function", lambda part: steps)
    monkeypatch.setattr(inside, "LEAST", 0.0)
    monkeypatch.setattr(inside, "OFTEN", 0.0)
    studio.inside.begin(record, "run", "ada")
    wait_until(lambda: studio.inside.look(record.id, "run", "ada")["state"] == "done")
    assert begun == [0, 3] and told == ["step 1, 0 of Bob’s", "step 2, 0 of Bob’s", "step 4, 1 of Bob’s"]


def test_what_goes_wrong_is_a_sentence_and_the_next_job_is_drawn(studio: Studio) -> None:
    record = drawn(studio)
    studio.inside.begin(record, "noise", "ada")
    wait_until(lambda: studio.inside.look(record.id, "noise", "ada")["state"] == "failed")
    assert "no networks" in studio.inside.look(record.id, "noise", "ada")["message"], "a toy cannot be looked into"
    assert drawn(studio)


def test_of_what_was_found_no_more_is_kept_than_is_bounded(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def large(*_: object) -> Looking:
        yield Seen(1, 1)
        return Found({}, {"large": bytes(60)})

    monkeypatch.setattr(inside, "_function", lambda part: large)
    monkeypatch.setattr(inside, "MOST", 100)
    record = drawn(studio)
    studio.inside.begin(record, "noise", "ada")
    wait_until(lambda: studio.inside.look(record.id, "noise", "ada")["state"] == "done")
    studio.inside.begin(record, "noise", "bob")
    wait_until(lambda: studio.inside.look(record.id, "noise", "ada")["state"] == "none")


# ---- latents, words, likeness, guidance -----------------------------------------------------------------------------------


def test_the_loss_of_the_vae_is_told_as_the_mean_square_says(lender: Any, desk: Desk) -> None:
    found_ = found(latents.look(desk, lender))
    told: Any = found_.told
    square = ((pixels(found_.files["before.png"]).astype(np.float64) - pixels(found_.files["trip.png"])) ** 2).mean()
    assert math.isclose(told["psnr"], 10 * math.log10(255**2 / square), rel_tol=1e-4)
    assert (told["pixels"], told["numbers"], told["shape"]) == (3 * 64 * 64, 4 * 8 * 8, [4, 8, 8])
    assert told["pixels"] / told["numbers"] == 48
    assert latents.psnr(blots((8, 8)), blots((8, 8))) == latents.SAME


def test_each_encoder_tells_the_words_that_are_nearest_by_cosine(lender: Any, desk: Desk) -> None:
    told: Any = found(words.look(desk, lender)).told
    model = lender.model
    assert told["words"] == ["a", "red", "house"] and len(told["encoders"]) == len(model.text_encoders)
    for encoder, says in zip(model.text_encoders, told["encoders"], strict=True):
        table = encoder.network.get_input_embeddings().weight.float()
        (token, _), *_ = encoder.tokenizer.tokens("house")
        for near in says["words"][2]["near"]:
            other = encoder.tokenizer.tokens(near["text"])[0][0]
            by_hand = (table[token] @ table[other] / table[token].norm() / table[other].norm()).item()
            assert math.isclose(near["likeness"], by_hand, abs_tol=1e-3)
        values = [near["likeness"] for near in says["words"][2]["near"]]
        assert values and values == sorted(values, reverse=True) and math.isclose(says["words"][2]["alike"][2], 1, abs_tol=1e-3)


def test_a_step_at_its_own_guidance_is_what_the_denoiser_predicted_and_at_others_follows_the_line(lender: Any) -> None:
    model, request = lender.model, replace(REQUEST, guidance_scale=6.0, steps=1, guidance_rescale=0.5)
    watch = Watch(request)
    with watch.watching(model), torch.inference_mode():
        noisy = 3.0 * torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
        denoised = Denoisers(request, model).whole()(noisy, torch.tensor([3.0]))
    seen = Predictions(model, request, watch.steps[0])
    assert torch.allclose(seen.at(6.0), denoised, atol=2e-3) and not torch.allclose(seen.at(1.0), denoised, atol=1e-2)
    plain = Predictions(model, replace(request, guidance_rescale=0.0), watch.steps[0])
    assert torch.allclose(plain.at(4.0), plain.negative + 4 * (plain.positive - plain.negative), atol=1e-3)
    assert torch.allclose(plain.at(1.0), plain.positive, atol=1e-5) and torch.equal(plain.at(0.0), plain.negative)


def test_the_starters_judge_says_of_each_word_whether_the_picture_shows_it() -> None:
    rng = np.random.default_rng(5)
    scene = Scene((Thing("house", "red", "left", "big"),), "snow", "night", True)
    picture = Image.fromarray(draw(arrange(scene, rng), 128))
    told = likeness.judged(picture, "a big red house on the left in the snow at night, with mountains")
    assert [fact["said"] for fact in told["facts"]] == ["house", "red", "big", "left", "snow", "night", "mountains"]
    assert all(fact["right"] for fact in told["facts"]) and told["right"] == told["total"] == 7
    wrong = likeness.judged(picture, "a blue house on the left by day")
    assert {fact["said"]: fact["right"] for fact in wrong["facts"]} == {"house": True, "blue": False, "left": True, "day": False}
    with pytest.raises(UserError, match="names none"):
        likeness.judged(picture, "of the with")


def test_clip_is_asked_by_the_cosine_where_an_encoder_fits_and_else_says_what_would_do(desk: Desk, lender: Any) -> None:
    spoken, seen = torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.tensor([[2.0, 0.0]])
    assert np.allclose(likeness.likeness(spoken, seen), [1, 2**-0.5])
    asked = replace(desk, request=replace(REQUEST, checkpoint="another"))
    with pytest.raises(UserError, match="no eyes" if lender.model.family.text.pooled else "no file can be held against it"):
        found(likeness.look(asked, lender))
