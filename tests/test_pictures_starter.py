"""Drawing over pictures with the starter model: what the judge sees in the results, against a control each.

The bounds lie between the measured figures and those of the control.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from models.library.catalog import STARTER, Catalog
from models.starter.recipe.judge import Judge, Reading
from models.starter.recipe.scenes import POSITIONS, Scene, Thing, arrange, draw, random_scene
from pipelines.denoising.tiled import Tiled, equal
from pipelines.images.masking import blurred
from pipelines.images.store import Inputs
from pipelines.requests.region import Region
from pipelines.requests.request import ImageToImage, Inpaint, Outpaint, Request, TextToImage
from pipelines.runtime.runner import open_runner
from tests.support.drawing import finished

SIDE = 128
COUNT = 6
STEPS = 10  # half of what is usual: what is asked here shows by then
Draw = Callable[[Request], Image.Image]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return Inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def drawn(inputs: Inputs) -> Draw:
    runner = open_runner(Catalog(Path(__file__).parent.parent / "models" / "starter"), "cpu", inputs)
    assert STARTER in runner.at_hand()
    return lambda request: finished(runner.batches(replace(request, steps=STEPS)))[0].image


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.load()


def scenes(wanted: Callable[[Scene], bool], seed: int) -> list[Scene]:
    """Drawn scenes of a kind, the same ones each time."""

    def endless() -> Iterator[Scene]:
        rng = np.random.default_rng(seed)
        while True:
            yield random_scene(rng)

    found = (scene for scene in endless() if len(scene.things) == 1 and wanted(scene))
    return [next(found) for _ in range(COUNT)]


def picture(scene: Scene, number: int) -> Image.Image:
    return Image.fromarray(draw(arrange(scene, np.random.default_rng(number)), SIDE))


def words(scene: Scene, time: str, thing: str = "") -> str:
    known = scene.things[0]
    what = thing or f"{known.colour} {known.kind}"
    return f"a {what} on the {known.position} in the {scene.ground} at {time}{', with mountains' if scene.mountains else ''}"


def seen(reading: Reading, scene: Scene) -> Thing | None:
    """What stands where the scene has its thing."""
    return reading.things[POSITIONS.index(scene.things[0].position)]


def levels(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image, np.float64)


def off(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(levels(one) - levels(other)).mean())


def edges(image: Image.Image) -> NDArray[np.float64]:
    rows, columns = np.gradient(levels(image.convert("L")))
    return np.hypot(rows, columns).ravel()


def test_at_night_turns_day_to_night_and_keeps_what_stands_there(drawn: Draw, inputs: Inputs, judge: Judge) -> None:
    by_day = scenes(lambda scene: scene.time == "day", 5)
    before = [picture(scene, number) for number, scene in enumerate(by_day)]
    nights, kept, distances, likeness = [], [], [], []
    for strength in (0.3, 0.7, 1.0):
        after = [
            drawn(ImageToImage(prompt=words(scene, "night"), image=inputs.keep(image), width=SIDE, height=SIDE, seed=7,
                denoising_strength=strength))
            for scene, image in zip(by_day, before, strict=True)
        ]  # fmt: skip
        readings = judge.read(after)
        nights.append(sum(reading.time == "night" for reading in readings))
        things = [seen(reading, scene) for reading, scene in zip(readings, by_day, strict=True)]
        kept.append(sum(thing is not None and thing.kind == scene.things[0].kind for thing, scene in zip(things, by_day, strict=True)))
        distances.append(np.mean([off(one, other) for one, other in zip(after, before, strict=True)]))
        likeness.append(np.mean([np.corrcoef(edges(one), edges(other))[0, 1] for one, other in zip(after, before, strict=True)]))
    assert distances == sorted(distances)
    assert likeness == sorted(likeness, reverse=True) and likeness[0] > 0.6
    assert nights[0] == 0 and nights[-1] == COUNT and nights == sorted(nights)
    assert min(kept) >= COUNT - 2


def test_a_house_under_the_mask_becomes_a_blue_car_and_every_other_pixel_stays(drawn: Draw, inputs: Inputs, judge: Judge) -> None:
    houses = scenes(lambda scene: scene.time == "day" and scene.things[0].kind == "house" and scene.things[0].position != "middle", 11)
    before = [picture(scene, number) for number, scene in enumerate(houses)]
    after = []
    for scene, image in zip(houses, before, strict=True):
        mask = Image.new("L", (SIDE, SIDE))
        left = 2 if scene.things[0].position == "left" else 64
        ImageDraw.Draw(mask).rectangle((left, 44, left + 62, 122), fill=255)
        kept, painted = inputs.keep(image), inputs.keep(mask)
        after.append(drawn(Inpaint(prompt=words(scene, "day", "blue car"), image=kept, mask=painted, width=SIDE, height=SIDE, seed=3,
            denoising_strength=1.0)))  # fmt: skip
        outside = np.asarray(blurred(mask, 4)) == 0
        assert outside.mean() > 0.3
        assert (np.asarray(after[-1])[outside] == np.asarray(image)[outside]).all()
    cars = [thing for thing in map(seen, judge.read(after), houses) if thing and (thing.kind, thing.colour) == ("car", "blue")]
    houses_before = [thing for thing in map(seen, judge.read(before), houses) if thing and thing.kind == "house"]
    assert len(houses_before) == COUNT and len(cars) >= COUNT - 1


def seam(image: Image.Image, column: int) -> float:
    """How much the picture changes across a border, against the middle of how much it changes from column to column near it."""
    changes = np.abs(np.diff(levels(image), axis=1)).mean(axis=(0, 2))
    near = np.r_[changes[column - 9 : column - 1], changes[column : column + 8]]
    return float(changes[column - 1] / np.median(near))


def beside(one: Image.Image, other: Image.Image) -> Image.Image:
    return Image.fromarray(np.concatenate([np.asarray(one), np.asarray(other)], 1))


def rows(image: Image.Image, left: int) -> NDArray[np.float64]:
    """The mean colour of each row over 16 columns: sky, horizon, ground."""
    return levels(image)[:, left : left + 16].mean(1)


def test_a_square_of_twice_its_width_keeps_horizon_and_sky(drawn: Draw, inputs: Inputs, judge: Judge) -> None:
    found = scenes(lambda scene: scene.things[0].position == "left", 21)
    before = [picture(scene, number) for number, scene in enumerate(found)]
    after = [
        drawn(Outpaint(prompt=words(scene, scene.time), image=inputs.keep(image), right=SIDE, width=SIDE, height=SIDE, seed=number))
        for number, (scene, image) in enumerate(zip(found, before, strict=True))
    ]
    others = [*before[1:], before[0]]
    assert [image.size for image in after] == [(2 * SIDE, SIDE)] * COUNT
    seams = [seam(image, border) for image in after for border in (SIDE, 3 * SIDE // 2)]
    apart = [seam(beside(image, other), SIDE) for image, other in zip(before, others, strict=True)]
    assert np.median(seams) < 3 and max(seams) < min(apart) / 3
    changes = [np.abs(rows(image, 112) - rows(image, 240)).mean() for image in after]
    unlike = [np.abs(rows(image, 112) - rows(other, 112)).mean() for image, other in zip(before, others, strict=True)]
    assert np.mean(changes) < np.mean(unlike) / 3
    readings = judge.read([image.crop((SIDE, 0, 2 * SIDE, SIDE)) for image in after])
    same = [(reading.ground, reading.time) == (scene.ground, scene.time) for reading, scene in zip(readings, found, strict=True)]
    assert sum(same) >= COUNT - 1


def test_only_masked_draws_a_small_part_of_a_large_picture_at_full_size(drawn: Draw, inputs: Inputs, judge: Judge) -> None:
    """Of a picture four times as wide as what is drawn: the part becomes a whole scene of its own."""
    [scene, *_] = scenes(lambda scene: scene.time == "day" and scene.things[0].position == "left", 31)
    large = Image.new("RGB", (4 * SIDE, 4 * SIDE), (150, 170, 150))
    mask = Image.new("L", large.size)
    ImageDraw.Draw(mask).rectangle((200, 200, 327, 327), fill=255)
    request = Inpaint(prompt=words(scene, "night"), image=inputs.keep(large), mask=inputs.keep(mask), width=SIDE, height=SIDE, seed=4,
        denoising_strength=1.0, area="Only masked", padding=0, mask_blur=0)  # fmt: skip
    after = drawn(request)
    [reading] = judge.read([after.crop((200, 200, 328, 328))])
    assert (reading.time, reading.ground) == ("night", scene.ground) and seen(reading, scene) is not None
    assert after.size == large.size


def at_borders(image: Image.Image, lines: Sequence[int]) -> float:
    """How much steeper the picture is across these lines, of columns and of rows, than a few pixels beside them."""
    grey = np.asarray(image.convert("L"), np.float64)
    steep = [np.abs(np.diff(grey, axis=axis)).mean(1 - axis) for axis in (0, 1)]
    beside = [offset for offset in range(-6, 7) if abs(offset) > 2]
    across = np.mean([side[line - 1] for side in steep for line in lines])
    return float(across / np.mean([side[line - 1 + offset] for side in steep for line in lines for offset in beside]))


def test_windows_show_no_seams_and_without_their_weights_they_do(drawn: Draw, inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    [scene, *_] = scenes(lambda scene: scene.ground == "grass" and scene.time == "day", 4)
    large = Image.fromarray(draw(arrange(scene, np.random.default_rng(4)), 2 * SIDE))
    request = ImageToImage(
        prompt=words(scene, "day"), image=inputs.keep(large), seed=4, width=2 * SIDE, height=2 * SIDE, denoising_strength=0.45,
        tiling="Windows", tile_size=SIDE, tile_overlap=SIDE // 2,
    )  # fmt: skip
    borders = (64, 128, 192)
    blended, apart = at_borders(drawn(request), borders), at_borders(drawn(replace(request, tile_overlap=0)), (128,))
    monkeypatch.setattr("pipelines.tasks.conditioning.Tiled", partial(Tiled, weights=equal))
    evenly = at_borders(drawn(request), borders)
    assert blended < 1.2 and evenly > 1.6 and apart > 2.5, (blended, evenly, apart)


# ---- regions ---------------------------------------------------------------------------------------------------------------------


def painted(inputs: Inputs, side: str) -> str:
    """A mask of the left or the right two fifths."""
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(255, (0, 0, SIDE * 2 // 5, SIDE))
    return inputs.keep(mask if side == "left" else mask.transpose(Image.Transpose.FLIP_LEFT_RIGHT))


def test_words_are_drawn_where_their_regions_are_painted_and_swapped_masks_swap_them(drawn: Draw, judge: Judge, inputs: Inputs) -> None:
    """Without regions nothing says where. `python -m bench.regions` tells of a hundred seeds."""
    house, tree = (Region(prompt=words) for words in ("a red house", "a blue tree"))
    for sides in (("left", "right"), ("right", "left")):
        regions = tuple(replace(each, mask=painted(inputs, side)) for each, side in zip((house, tree), sides, strict=True))
        request = TextToImage(regions=regions, width=SIDE, height=SIDE, guidance_scale=7.5, sampler="Euler a")
        readings = judge.read([drawn(replace(request, seed=seed)) for seed in (1, 2)])
        for reading in readings:
            seen = [f"a {thing.colour} {thing.kind}" for thing in (reading.things[0], reading.things[2]) if thing]
            assert seen == [each.prompt for each in (regions if sides[0] == "left" else regions[::-1])]
