"""Attention to the words as it is watched: against softmax(q k / sqrt(d)) by hand, of every word once, and where the things are."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import Attention
from PIL import Image
from torch import nn

from models.errors import UserError
from models.families import SDXL
from models.library.catalog import Catalog
from models.memory.forecast import Machine
from models.starter.recipe.scenes import POSITIONS, SIZES, TIMES, Layout, Scene, Thing, arrange, draw
from pipelines.denoising.vae_encode import encode
from pipelines.images.store import Inputs
from pipelines.inside import run
from pipelines.inside.attention import WordLayer, overheard, shares, word_layers
from pipelines.inside.desk import Desk, Found, Looking
from pipelines.inside.heat import FINEST, HALVES, MOST, RESTING, TELLING, Heat, kept_size, layer_size, stretch_of
from pipelines.inside.run import SAME
from pipelines.inside.said import FILLING, START, SpokenWord, spoken
from pipelines.inside.watch import Watch
from pipelines.inside.whole import IN_PARTS, LARGEST, NOTHING_RAN, TOO_LARGE, refusal
from pipelines.jobs.events import Picture
from pipelines.requests.region import Region
from pipelines.requests.request import Details, Drawing, ImageToImage, Inpaint, Outpaint, SecondPass, TextToImage
from pipelines.runtime.runner import ModelRunner, open_runner
from pipelines.tasks import txt2img
from pipelines.tasks.conditioning import Denoisers
from tests.support.drawing import ended, finished, task
from tests.support.kept import branched
from tests.support.toy_weights import CPU, load_toy_model, write_toy_model

MOUNTAINS = 0.15  # their nearness in a drawn scene
STARTER = Path(__file__).parents[1] / "models" / "starter"


def test_shares_are_the_softmax_of_queries_and_keys_computed_by_hand() -> None:
    torch.manual_seed(1)
    layer: Any = Attention(query_dim=6, cross_attention_dim=5, heads=2, dim_head=3).eval()
    hidden, context = torch.randn(1, 4, 6), torch.randn(1, 3, 5)
    with torch.inference_mode():
        told = shares(layer.to_q(hidden), layer.to_k(context), 2)
        words = shares(layer.to_q(hidden), layer.to_k(context), 2, torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]))
        query, key = (hidden[0] @ layer.to_q.weight.T).numpy(), (context[0] @ layer.to_k.weight.T).numpy()
    by_hand = np.zeros((2, 4, 3))
    for head in range(2):
        for place in range(4):
            own = slice(3 * head, 3 * head + 3)
            scores = [math.exp(float(query[place, own] @ key[token, own]) / math.sqrt(3)) for token in range(3)]
            by_hand[head, place] = np.array(scores) / sum(scores)
    assert np.allclose(told.numpy(), by_hand, atol=1e-6) and np.allclose(by_hand.sum(2), 1)
    assert np.allclose(words.numpy()[:, :, 0], by_hand[:, :, 0] + by_hand[:, :, 2], atol=1e-6), "a word has what its tokens have"


def test_what_the_layer_itself_answers_is_what_these_shares_make_of_the_values() -> None:
    """With one head the answer is the shares times the values, so the shares are those that drew."""
    torch.manual_seed(2)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up_blocks = nn.ModuleList([nn.ModuleDict({"attn2": Attention(query_dim=6, cross_attention_dim=5, heads=1, dim_head=4)})])

        def forward(self, hidden: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
            layer: Any = self.up_blocks[0]["attn2"]  # pyright: ignore[reportIndexIssue]
            return layer(hidden, encoder_hidden_states=context)

    net: Any = Net().eval()
    layer: Any = net.up_blocks[0]["attn2"]
    hidden, context = torch.randn(2, 4, 6), torch.randn(2, 3, 5)
    heard: list[tuple[str, torch.Tensor]] = []

    def hear(layer: WordLayer, query: torch.Tensor, key: torch.Tensor, _: int) -> None:
        heard.append((layer.part, shares(query[-1:], key[-1:], 1)[0]))

    with torch.inference_mode():
        plain = net(hidden, context)
        with overheard(word_layers(net), hear):
            watched = net(hidden, context)
        after = net(hidden, context)
        ((part, told),) = heard
        value = context[-1] @ layer.to_v.weight.T
        by_hand = (told @ value) @ layer.to_out[0].weight.T + layer.to_out[0].bias
    assert part == "Up" and torch.equal(plain, watched) and torch.equal(plain, after)
    assert torch.allclose(watched[-1], by_hand, atol=1e-5), "of the last sample, which is the positive branch"
    assert not layer.to_q._forward_hooks and not layer.to_k._forward_hooks, "nothing is left behind"


# ---- words and their places ------------------------------------------------------------------------------------------------


def test_the_words_of_a_prompt_have_all_places_once_in_every_chunk(tmp_path: Path) -> None:
    model = load_toy_model(write_toy_model(tmp_path))
    text = "a red house, " * 25 + "snow"
    words = spoken(model, text, 3 * 77)
    places = [place for word in words for place in word.places]
    assert sorted(places) == list(range(3 * 77))
    named = {word.text: word for word in words if not word.number}
    assert named[START].places == (0, 77, 154) and named["a"].places == (1,) and named["house"].places == (3,)
    assert [word.number for word in words if word.text == "house"] == list(range(25))
    assert named["snow"].places[0] > 77 and named["house"].is_plain and not named[","].is_plain and not named[FILLING].is_plain


# ---- memory ------------------------------------------------------------------------------------------------------------------


def test_maps_are_kept_small_and_in_the_shape_of_the_picture() -> None:
    assert kept_size((16, 24)) == (16, 24) and kept_size((128, 128)) == (64, 64) and kept_size((64, 256)) == (16, 64)
    assert layer_size((17, 24), 9 * 12) == (9, 12) and layer_size((16, 16), 16) == (4, 4)


@pytest.mark.parametrize(("words", "steps"), [(10, 20), (77, 150), (225, 150)])
def test_all_maps_of_a_run_fit_their_bound_whatever_the_prompt(words: int, steps: int) -> None:
    stretch = stretch_of(words, steps, (256, 256))
    groups = len(HALVES) * 2 * sum((FINEST >> level) ** 2 for level in range(4))
    assert math.ceil(steps / stretch) * words * groups * 4 <= MOST * 1.1


def test_the_mean_of_groups_heads_and_steps_is_that_of_what_was_added() -> None:
    words = [SpokenWord("a", (0,)), SpokenWord("b", (1,)), SpokenWord(FILLING, (2,))]
    heat = Heat((2, 2), words)

    def given(*heads: tuple[float, float, float], places: int = 4) -> torch.Tensor:
        return torch.tensor([[head] * places for head in heads])

    heat.add(0, "Up", given((0.25, 0.25, 0.5), (0.0, 0.0, 1.0)))
    heat.add(1, "Up", given((0.0, 0.5, 0.5), (0.5, 0.5, 0.0)))
    heat.add(1, "Middle", given((1.0, 0.0, 0.0), places=1))
    up = ("Up", (2, 2))
    assert heat.groups == [up, ("Middle", (1, 1))] and heat.clearest == 0
    assert heat.of(up)[:, 0, 0].tolist() == [0.1875, 0.3125, 0.5] and heat.of(up, 1)[:, 0, 0].tolist() == [0.25, 0.5, 0.25]
    assert heat.of(up, half=TELLING)[:, 1, 1].tolist() == [0.375, 0.375, 0.25], "of each layer those heads that give most to words"
    assert heat.of(up, half=RESTING)[:, 1, 1].tolist() == [0.0, 0.25, 0.75]
    assert torch.allclose(heat.of()[:, 0, 0], torch.tensor([1.75, 1.25, 2.0]) / 5), "every head of every layer counts alike"


# ---- whole drawings ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> ModelRunner:
    folder = tmp_path_factory.mktemp("starter")
    return open_runner(Catalog(STARTER), "cpu", Inputs(folder / "inputs"), Machine(host=8 * 10**9))


def drawn(runner: ModelRunner, request: Drawing) -> Picture:
    return next(event for batch in runner.batches(request) for event in batch if isinstance(event, Picture))


def watched(runner: ModelRunner, request: Drawing, folder: Path) -> tuple[Found, int]:
    """What one more run of a picture has found, and how often it said how far it was."""
    picture = drawn(runner, request)
    picture.image.save(folder / "picture.png")
    assert isinstance(picture.request, Drawing)
    looking, said = run.look(Desk(picture.request, folder / "picture.png", runner.inputs), runner), 0
    while True:
        try:
            said += bool(next(looking).found)
        except StopIteration as end:
            return end.value, said


def heat_of(found: Found, key: str, stretch: str = "all", heads: str = "") -> Any:
    told: Any = found.told
    size = next(each for each in told["layers"] if each["key"] == key)
    return np.frombuffer(found.files[f"heat-{key}{heads}-{stretch}.f32"], "<f4").reshape(-1, size["height"], size["width"])


@pytest.mark.parametrize(
    "changes",
    [{}, {"sampler": "Heun", "steps": 3}, {"guidance_scale": 1.0}, {"prompt": "a [red:blue:0.5] house"}, {"prompt": "a house AND snow"}],
    ids=["usual", "two calls a step", "unguided", "changing words", "joined"],
)
def test_a_watched_run_draws_the_same_picture_and_gives_each_place_to_words_once(changes: Any, runner: ModelRunner, tmp_path: Path) -> None:
    request = TextToImage(**{"prompt": "a red house in the snow", "seed": 4, "width": 128, "height": 128, "steps": 4} | changes)
    found, said = watched(runner, request, tmp_path)
    told: Any = found.told
    assert told["same"] == SAME and said == request.steps == len(told["steps"])
    for layers, heads in product(told["layers"], told["heads"]):
        for stretch in ("all", *map(str, range(request.steps))):
            assert np.allclose(heat_of(found, layers["key"], stretch, heads["key"]).sum(0), 1, atol=1e-4)
    halves = [heat_of(found, "0", "all", heads["key"]) for heads in told["heads"]]
    assert np.allclose(halves[0], (halves[1] + halves[2]) / 2, atol=1e-5), "all heads are the mean of the two halves"
    assert told["guided"] is (request.guidance_scale != 1)


def test_the_words_of_a_region_have_their_heat_in_the_region(runner: ModelRunner, tmp_path: Path) -> None:
    """The left half, where the prompt keeps a fifth; everywhere all words together have each place once."""
    regions = (Region(prompt="a blue tree", right=0.5),)
    found, _ = watched(runner, TextToImage(prompt="a red house", seed=4, width=128, height=128, steps=2, regions=regions), tmp_path)
    told: Any = found.told
    words = [each["text"] for each in told["words"]]
    heat = heat_of(found, told["layers"][0]["key"])
    assert np.allclose(heat.sum(0), 1, atol=1e-4)
    own, prompts = (heat[[words.index(word) for word in pair]].sum(0) for pair in (("blue", "tree"), ("red", "house")))
    middle = heat.shape[2] // 2
    assert not own[:, middle:].any() and own[:, :middle].min() > 0 and prompts[:, middle:].min() > 0
    assert prompts[:, :middle].mean() < prompts[:, middle:].mean() / 2


def test_of_a_branch_those_steps_are_seen_that_it_made_itself(runner: ModelRunner, tmp_path: Path) -> None:
    first = drawn(runner, TextToImage(prompt="a red house", seed=4, width=128, height=128, steps=6))
    found, _ = watched(runner, branched(first, 2, prompt="a blue tree"), tmp_path)
    told: Any = found.told
    assert told["same"] == SAME and [step["number"] for step in told["steps"]] == [3, 4, 5, 6]
    assert [word["text"] for word in told["words"]][:3] == ["a", "blue", "tree"]
    assert told["stretches"][0] == "Step 3" and np.allclose(heat_of(found, "0", "0").sum(0), 1, atol=1e-4)


def end_of(looking: Looking) -> Found:
    while True:
        try:
            next(looking)
        except StopIteration as end:
            return end.value


def test_a_second_pass_is_seen_like_any_drawing(runner: ModelRunner, tmp_path: Path) -> None:
    first = drawn(runner, TextToImage(prompt="a red house", seed=4, width=128, height=128, steps=3))
    image = runner.inputs.keep(first.image)
    size: Any = {"width": 192, "height": 192, "hires_width": 192, "hires_height": 192, "hires_upscaler": "Latent"}
    asked = SecondPass(prompt="a red house", seed=4, image=image, steps=4, denoising_strength=0.7, **size)
    found, said = watched(runner, asked, tmp_path)
    told: Any = found.told
    assert told["same"] == SAME and said == len(told["steps"]) == 4 and told["latents"] == [1, 4, 24, 24]
    assert np.allclose(heat_of(found, told["clearest"]).sum(0), 1, atol=1e-4)


def test_a_look_that_gives_way_goes_on_from_its_step_and_sees_the_same(runner: ModelRunner, tmp_path: Path) -> None:
    picture = drawn(runner, TextToImage(prompt="a red house", seed=4, width=128, height=128, steps=5, sampler="DPM++ 2M SDE"))
    picture.image.save(tmp_path / "picture.png")
    assert isinstance(picture.request, Drawing)
    whole, desk = (Desk(picture.request, tmp_path / "picture.png", runner.inputs) for _ in range(2))
    looking = run.look(desk, runner)
    while next(looking).step < 3:
        pass
    desk.left.hold()
    looking.close()
    expected, found = end_of(run.look(whole, runner)), run.look(desk, runner)
    assert next(seen for seen in found if seen.step).step == 4, "what was made is not made again"
    told = end_of(found)
    assert told.told == expected.told and told.files == expected.files


def test_two_text_encoders_and_larger_pictures_are_watched_too(tmp_path: Path) -> None:
    model = load_toy_model(write_toy_model(tmp_path, family=SDXL), CPU, SDXL)
    request = TextToImage(prompt="a red house", seed=1, width=128, height=64, steps=2)
    watch = Watch(request)
    with watch.watching(model), torch.inference_mode():
        finished(txt2img.batches(task(request, model)))
    assert watch.heat and watch.heat.latents == (8, 16) and {part for part, _ in watch.heat.groups} <= {"Down", "Middle", "Up"}
    assert torch.allclose(watch.heat.of().sum(0), torch.ones(kept_size(watch.heat.finest)), atol=1e-4)


def test_the_heat_of_a_thing_lies_on_the_thing(runner: ModelRunner) -> None:
    """On drawn scenes, whose boxes are known, at several levels of noise: in the box of the house one looks thrice as much at "house".

    Of 72 scenes 65 reach that, all of the 36 with small houses among them: the median is 9.7 times of small ones and 3.6 of big ones.
    """
    rng, times = np.random.default_rng(11), dict[str, list[float]]()
    for number in range(12):
        colour, size = ("red", "blue", "yellow", "green", "purple", "white")[number % 6], SIZES[number % 2]
        thing, ground = Thing("house", colour, POSITIONS[number % 3], size), ("grass", "snow", "sand")[number // 2 % 3]
        layout = arrange(Scene((thing,), ground, TIMES[number % 4], number % 4 < 2), rng)
        caption = f"a {size} {colour} house on the {thing.position} on {ground} at {TIMES[number % 4]}"
        heat, inside = _heat_of_scene(runner, draw(layout, 128), caption), _box(layout)
        times.setdefault(size, []).append(heat[inside].mean() / heat[~inside].mean())
    for size, each in times.items():
        assert np.median(each) >= 3 and min(each) >= 2, (size, each)


def _heat_of_scene(runner: ModelRunner, pixels: Any, caption: str) -> Any:
    """(128, 128): of "house", of the layers that are shown first."""
    request = TextToImage(prompt=caption, width=128, height=128, steps=1, guidance_scale=1.0)
    with runner.lent(request) as model, torch.inference_mode():
        watch, (latents, _) = Watch(request), ended(encode(model, Image.fromarray(pixels)))
        with watch.watching(model):
            denoise = Denoisers(request, model).whole()
            for number, sigma in enumerate((0.3, 1.4, 7.0)):
                noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(number))
                denoise(latents + sigma * noise, torch.tensor([sigma]))
    heat = watch.heat
    assert heat
    word = next(place for place, each in enumerate(heat.words) if each.text == "house")
    small = heat.of(heat.groups[heat.clearest])[word]
    return torch.nn.functional.interpolate(small[None, None], (128, 128), mode="bilinear")[0, 0].numpy()


def _box(layout: Layout) -> Any:
    """Of the house, and not of the mountains, which have edges as well and lie farther away than any thing."""
    points = np.concatenate([part.points for part in layout.parts if part.edge is not None and (part.depth or 0) > MOUNTAINS])
    (left, top), (right, bottom) = points.min(0), points.max(0)
    down, across = np.mgrid[0:128, 0:128] / 127
    return (across >= left) & (across <= right) & (down >= top) & (down <= bottom)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (Inpaint(area="Only masked"), IN_PARTS),
        (Outpaint(), IN_PARTS),
        (Details(), IN_PARTS),
        (ImageToImage(tiling="Windows"), IN_PARTS),
        (ImageToImage(denoising_strength=0.0), NOTHING_RAN),
        (TextToImage(width=2048, height=2056), TOO_LARGE),
    ],
    ids=["a patch", "several strips", "boxes", "windows", "nothing ran", "too large"],
)
def test_what_is_not_drawn_whole_is_refused_before_anything_is_drawn(request_: Drawing, why: str, tmp_path: Path) -> None:
    nothing: Any = None
    looking = run.look(Desk(request_, tmp_path / "none.png", Inputs(tmp_path)), nothing)
    with pytest.raises(UserError) as refused:
        next(looking)
    assert str(refused.value) == refusal(request_) == why and not refusal(TextToImage(width=2048, height=LARGEST // 2048))
