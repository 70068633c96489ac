"""The drawn world the starter model is trained on: captions, drawings and their maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.starter.recipe.captions import (
    Attributes,
    ThingWords,
    attributes_of,
    caption,
    full_attributes,
    known_words,
    with_junk,
)
from models.starter.recipe.judge import agreement, reading_of
from models.starter.recipe.latents_stage import Pool, chances
from models.starter.recipe.scenes import (
    COLOURS,
    GROUNDS,
    KINDS,
    POSITIONS,
    SIZES,
    TIMES,
    Scene,
    Thing,
    arrange,
    depth,
    draw,
    held_out,
    outlines,
    random_scene,
)
from models.starter.recipe.weak import facts_of

HOUSE = Scene((Thing("house", "red", "left", "big"),), "snow", "night", True)


def drawn(scene: Scene, seed: int = 3, size: int = 128) -> np.ndarray:
    return draw(arrange(scene, np.random.default_rng(seed)), size).astype(int)


def unordered(said: Attributes) -> Attributes:
    return replace(said, things=tuple(sorted(said.things, key=repr)))


def test_the_example_of_the_readme_reads_back_as_what_it_says() -> None:
    said = attributes_of("a red house on the left in the snow at night, with mountains")
    assert said == Attributes((ThingWords("house", "red", "left"),), "snow", "night", True)


def test_the_example_of_the_readme_is_one_of_the_captions_made() -> None:
    rng = np.random.default_rng(0)
    small = replace(HOUSE, things=(replace(HOUSE.things[0], size="small"),))
    made = {caption(scene, rng)[0] for scene in (HOUSE, small) for _ in range(6000)}
    assert "a red house on the left in the snow at night, with mountains" in made


def test_every_caption_reads_back_as_what_it_was_made_to_say() -> None:
    rng = np.random.default_rng(1)
    for _ in range(2000):
        words, said = caption(random_scene(rng), rng)
        assert unordered(attributes_of(words)) == unordered(said), words


def test_a_caption_is_true_of_the_scene_it_was_made_for() -> None:
    rng = np.random.default_rng(2)
    for _ in range(500):
        scene = random_scene(rng)
        right, total = agreement(reading_of(scene), attributes_of(caption(scene, rng)[0]))
        assert right == total


def test_agreement_counts_each_fact_that_is_wrong() -> None:
    reading = reading_of(HOUSE)
    assert agreement(reading, full_attributes(HOUSE)) == (7, 7)
    assert agreement(reading, attributes_of("a blue house on the left at day")) == (2, 4)
    assert agreement(reading, attributes_of("a red house on the right")) == (0, 3)


def test_words_put_in_at_random_do_not_change_what_is_read() -> None:
    rng = np.random.default_rng(3)
    words = "a red house on the left in the snow at night, with mountains"
    assert attributes_of(with_junk(words, rng)).time == "night"


def test_every_word_of_every_caption_is_known() -> None:
    rng = np.random.default_rng(4)
    known = set(known_words())
    for _ in range(1000):
        words, _ = caption(random_scene(rng), rng)
        assert set(words.replace(",", "").split()) <= known, words


def test_the_same_seed_draws_the_same_scene_and_another_seed_does_not() -> None:
    assert np.array_equal(drawn(HOUSE), drawn(HOUSE))
    assert not np.array_equal(drawn(HOUSE), drawn(HOUSE, seed=4))


def thing_variants() -> list[tuple[str, str]]:
    tables = {"kind": KINDS, "colour": tuple(COLOURS), "position": POSITIONS, "size": SIZES}
    house = HOUSE.things[0]
    return [(n, word) for n, table in tables.items() for word in table if word != getattr(house, n)]


@pytest.mark.parametrize(("name", "word"), thing_variants())
def test_every_word_of_a_thing_changes_the_picture(name: str, word: str) -> None:
    other = replace(HOUSE, things=(replace(HOUSE.things[0], **{name: word}),))
    assert np.abs(drawn(HOUSE) - drawn(other)).mean() > 0.5


def test_every_word_of_the_land_and_the_light_changes_the_picture() -> None:
    others = [replace(HOUSE, ground=word) for word in GROUNDS if word != "snow"]
    others += [replace(HOUSE, time=word) for word in TIMES if word != "night"]
    others.append(replace(HOUSE, mountains=False))
    for other in others:
        assert np.abs(drawn(HOUSE) - drawn(other)).mean() > 2


def test_depth_puts_the_thing_where_the_drawing_has_it() -> None:
    """Where two drawings differ only by the thing, so do their depth maps, and nowhere else."""
    without = replace(HOUSE, things=())
    with_house, empty = (arrange(s, np.random.default_rng(5)) for s in (HOUSE, without))
    changed = np.abs(draw(with_house, 128).astype(int) - draw(empty, 128)).sum(2) > 0
    nearer = np.abs(depth(with_house, 128) - depth(empty, 128)) > 0.02
    assert nearer.sum() > 500
    assert (nearer & ~changed).sum() == 0


def test_depth_is_nothing_in_the_sky_and_most_at_the_lower_edge() -> None:
    scene = replace(HOUSE, things=(), mountains=False)
    near = depth(arrange(scene, np.random.default_rng(6)), 128)
    assert near[0].max() == 0
    assert near[-1].min() > 0.95
    assert (np.diff(near[:, 64]) >= 0).all()


def test_outlines_lie_where_the_depth_of_a_thing_ends() -> None:
    """Independent of the line drawing: the steps of the depth map must carry a line."""
    layout = arrange(replace(HOUSE, mountains=False), np.random.default_rng(7))
    near, lines = depth(layout, 128), outlines(layout, 128)
    steps = np.abs(np.diff(near[:70], axis=1)) > 0.1
    on_line = np.maximum(lines[:70, :-1], lines[:70, 1:]) > 40
    assert steps.sum() > 20
    assert (steps & ~on_line).sum() <= 0.02 * steps.sum()


def test_a_layout_drawn_at_twice_the_size_is_the_same_picture() -> None:
    layout = arrange(HOUSE, np.random.default_rng(8))
    large = draw(layout, 256).reshape(128, 2, 128, 2, 3).mean((1, 3))
    assert np.abs(large - draw(layout, 128)).mean() < 2.5


def test_a_tenth_of_the_scenes_is_held_out_by_what_they_hold() -> None:
    rng = np.random.default_rng(9)
    share = np.mean([held_out(random_scene(rng)) for _ in range(3000)])
    assert 0.08 < share < 0.12


def test_what_is_drawn_wrong_is_told_by_the_sort_of_fact_and_by_what_is_seen() -> None:
    said = attributes_of("a blue house on the left and a ball on the right, in the snow, no mountains")
    told = list(facts_of(said, reading_of(HOUSE)))
    assert ("colour, two things", "blue", "red") in told and ("kind, two things", "house", "house") in told
    assert ("kind, two things", "ball", "nothing") in told and ("place, two things", "something", "nothing") in told
    assert sum(wanted == seen for _, wanted, seen in told) == agreement(reading_of(HOUSE), said)[0]


def test_scenes_of_two_things_and_weak_kinds_are_taken_more_often() -> None:
    ball = replace(HOUSE, things=(replace(HOUSE.things[0], kind="ball"),))
    two = replace(HOUSE, things=(*HOUSE.things, replace(HOUSE.things[0], position="right")))
    plain, round_one, both = chances(Pool(torch.zeros(3, 4, 1, 1), (HOUSE, ball, two)), 2.0, {"ball": 1.8})
    assert plain + round_one + both == pytest.approx(1) and (round_one / plain, both / plain) == pytest.approx((1.8, 2.0))
