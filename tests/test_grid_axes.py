"""Axes of grids: what is typed on them, what of a form they may vary, and what is said where that cannot be."""

from __future__ import annotations

import csv
import io
import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import fields

import pytest

from models.errors import UserError
from pipelines.grids.axes import COUNTS, offers
from pipelines.grids.cells import MOST_CELLS, AxisError, Eye, Grid, beginning, halvings, next_place, read_axes, restored
from pipelines.grids.typed import items, numbers, quoted
from pipelines.grids.words import parts, reordered
from pipelines.requests.fields import Choice, Flag, Range, Text
from pipelines.requests.request import KINDS, ControlUse, Drawing, LoraUse, TextToImage

BASE = TextToImage(prompt="a red house, (blue, sky:1.2), snow", negative_prompt="a red ball", seed=5)
STEPS, GUIDANCE = Range(1, 150), Range(0, 30, 0.1)


class Names:
    def offered(self, field: str, base: Drawing) -> Sequence[tuple[str, str]]:
        return [("Starter", "starter"), ("Other one", "other"), ("Another", "another")]

    def presets(self) -> Sequence[str]:
        return ["Soft"]

    def preset(self, name: str, base: Drawing) -> Mapping[str, object]:
        return {"steps": 7, "prompt": "soft"}


def grid(*asked: tuple[str, str], base: Drawing = BASE) -> Grid:
    return Grid(base, read_axes(base, asked, Names()))


def values(name: str, typed: str, base: Drawing = BASE) -> list[object]:
    return [each.value for each in grid((name, typed), base=base).axes[0].values]


def drawn(*asked: tuple[str, str], base: Drawing = BASE) -> list[Drawing]:
    made = grid(*asked, base=base)
    known = offers(base, Names())
    return [made.request(place, known) for place in made.places]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("1-5", [1, 2, 3, 4, 5]),
        ("1-5 (+2)", [1, 3, 5]),
        ("1-10 [5]", [1, 3, 5, 7, 10]),  # as numpy.linspace cut off, in A1111's scripts/xyz_grid.py
        ("10-1 (-3)", [10, 7, 4, 1]),
        ("3-1", [3, 2, 1]),
        ("4, 8,  15", [4, 8, 15]),
        ("20, 1-3, 30", [20, 1, 2, 3, 30]),
        ("7 [1]", None),
        ("5-1 (+2)", None),
        ("1-5 (+0)", None),
        ("0", None),
        ("1-400", None),
        ("2.5", None),
        ("many", None),
    ],
)
def test_ranges_of_whole_numbers_are_as_a1111_writes_them(typed: str, found: list[int] | None) -> None:
    if found is None:
        with pytest.raises(UserError):
            numbers(typed, "Steps", STEPS, int)
    else:
        assert numbers(typed, "Steps", STEPS, int) == found


def test_ranges_of_other_numbers_end_where_they_say_and_have_no_crumbs() -> None:
    assert numbers("0-1 (+0.1)", "Guidance", GUIDANCE, float) == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
    assert numbers("0.5-1.5 [5], 7.5", "Guidance", GUIDANCE, float) == [0.5, 0.75, 1.0, 1.25, 1.5, 7.5]
    assert numbers("-1--0.5 (+0.5)", "Strength", Range(-4, 4, 0.05), float) == [-1, -0.5]


def test_lists_are_those_of_csv_but_that_an_empty_value_in_quotes_counts() -> None:
    assert items('a, "b, c", "say ""hi""",, d') == ["a", "b, c", 'say "hi"', "d"]
    assert items('red, ""') == ["red", ""] and items("") == [] and items(" , ,") == []
    dice = random.Random(4)
    for _ in range(200):
        text = "".join(dice.choice('ab ,"') for _ in range(12))
        if text.count('"') % 2 == 0 and '""' not in text:
            known = [each.strip() for each in next(csv.reader(io.StringIO(text), skipinitialspace=True), []) if each.strip()]
            assert [each.strip() for each in items(text) if each.strip()] == known, text
    for value in ("a", "a, b", 'say "hi"', "", " a"):
        assert items(f"x, {quoted(value)}, y") == ["x", value, "y"]


def test_every_field_that_a_hand_may_set_is_an_axis_of_every_kind_of_drawing() -> None:
    for kind in KINDS.values():
        if not issubclass(kind, Drawing):
            continue
        own = {
            item.name for item in fields(kind)
            if not item.metadata["derived"] and isinstance(item.metadata["limit"], Range | Choice | Flag | Text) and item.name not in COUNTS
        }  # fmt: skip
        found = offers(kind(), Names())
        assert own <= found.keys()
        for name in own:  # what it is filled with can be read
            if found[name].fill and name not in ("estimator",):
                assert found[name].read(found[name].fill), name


def test_a_cell_is_the_form_with_the_values_of_its_place() -> None:
    made = drawn(("steps", "10, 20"), ("sampler", "euler, DPM++ 2M"), ("seed", "7-9"))
    assert [(each.steps, each.sampler, each.seed) for each in made] == [*itertools.product((10, 20), ("Euler", "DPM++ 2M"), (7, 8, 9))]
    assert made[0] == TextToImage(prompt=BASE.prompt, negative_prompt="a red ball", seed=7, steps=10, sampler="Euler")


def test_words_are_replaced_everywhere_ordered_and_left_out() -> None:
    replaced = drawn(("prompt~replace", 'red, green, ""'))
    assert [(each.prompt[:9], each.negative_prompt) for each in replaced] == [
        ("a red hou", "a red ball"), ("a green h", "a green ball"), ("a  house,", "a  ball"),
    ]  # fmt: skip
    assert [each.prompt for each in drawn(("prompt~without", "a red house, snow"))] == [
        BASE.prompt, "(blue, sky:1.2), snow", "a red house, (blue, sky:1.2)",
    ]  # fmt: skip
    assert parts(r"a (b, c), d\(, e, <lora:x:1>, [f, g") == ["a (b, c)", r"d\(", "e", "<lora:x:1>", "[f, g"]
    orders = drawn(("prompt~order", "snow, red"))
    assert [each.prompt for each in orders] == [BASE.prompt, "a snow house, (blue, sky:1.2), red"]
    assert reordered("a b", ("b", "c")) == "a b"


def test_a_preset_a_model_and_a_list_are_axes() -> None:
    assert [(each.steps, each.prompt) for each in drawn(("preset", "None, soft"))] == [(20, BASE.prompt), (7, "soft")]
    assert values("checkpoint", "starter, Other one") == ["starter", "other"]
    lora = LoraUse(id="starter")
    own = TextToImage(prompt="x", loras=(lora,), controls=(ControlUse(id="c"), ControlUse(id="d")))
    both = drawn(("loras", "None, another"), ("loras.unet", "0.5, 1"), base=own)
    assert [[(use.id, use.unet) for use in each.loras] for each in both] == [
        [("starter", 0.5)], [("starter", 1)], [("starter", 0.5), ("another", 0.5)], [("starter", 1), ("another", 1)],
    ]  # fmt: skip
    steered = drawn(("controls.2.weight", "0, 1"), base=own)
    assert [[use.weight for use in each.controls] for each in steered] == [[1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("asked", "place", "sentence"),
    [
        ([("steps", "")], 0, "Write values for “Steps”. 1 to 150"),
        ([("steps", "10"), ("steps", "20")], 1, "“Steps” and “Steps” set the same"),
        ([("steps", "10"), ("preset", "Soft")], 1, "“Preset” and “Steps” set the same"),
        ([("seed", "1"), ("guidance_scale", "99")], 1, "Guidance goes from 0 to 30; 99 is not in there"),
        ([("sampler", "Eulr")], 0, "Sampler “Eulr” is not known. Choose one of: DPM"),
        ([("checkpoint", "gone")], 0, "“gone” is not here. There are: Starter, Other one, Another"),
        ([("checkpoint", "o")], 0, "means several of them. There are: Other one, Another"),
        ([("prompt~replace", "yellow, red")], 0, "“yellow” is not in the prompt"),
        ([("prompt~order", "a, b, c, d, e, f")], 0, "in the prompt"),
        ([("prompt~without", "rain")], 0, "Its parts are: a red house"),
        ([("hires", "maybe")], 0, "“maybe” is neither"),
        ([("nothing", "1")], 0, "Choose what this axis varies"),
        ([("clip_skip", "13")], 0, "Clip skip goes from 1 to 12"),
    ],
)
def test_what_is_wrong_is_said_beside_its_axis(asked: list[tuple[str, str]], place: int, sentence: str) -> None:
    with pytest.raises(AxisError, match=sentence) as caught:
        grid(*asked)
    assert caught.value.place == place


def test_a_grid_has_at_most_four_axes_and_a_thousand_cells() -> None:
    assert grid(("seed", "1-10"), ("steps", "1-10"), ("guidance_scale", "1-10")).count == MOST_CELLS
    with pytest.raises(UserError, match="10,000 pictures; 1,000 are the most"):
        grid(("seed", "1-10"), ("steps", "1-10"), ("guidance_scale", "1-10"), ("clip_skip", "1-10"))
    with pytest.raises(UserError, match="4 axes at most"):
        grid(*[("seed", "1"), ("steps", "1"), ("guidance_scale", "1"), ("clip_skip", "1"), ("variation_seed", "1")])
    with pytest.raises(UserError, match="first"):
        grid()


def test_values_that_stay_keep_their_keys_and_new_ones_get_others() -> None:
    before = grid(("steps", "10, 20, 30")).axes
    after = read_axes(BASE, [("steps", "5, 30, 10, 10")], Names(), before)
    assert [(each.key, each.value) for each in after[0].values] == [(3, 5), (2, 30), (0, 10)]
    assert restored([axis.told() for axis in after]) == after
    assert [each.key for each in read_axes(BASE, [("steps", "20, 40")], Names(), after)[0].values] == [1, 4], (
        "it was taken away, and is back"
    )


def test_a_cell_is_one_picture_of_today() -> None:
    many = TextToImage(prompt="{a|b}", batch_count=4, batch_size=2, all_combinations=True, as_made="x" * 32, threads=3)
    assert beginning(many) == TextToImage(prompt="{a|b}")


# ---- the order in which one looks ------------------------------------------------------------------------------------------------------


def order_of(made: Grid, eye: Eye | None = None) -> list[tuple[int, ...]]:
    left, found = set(made.places), list[tuple[int, ...]]()
    while left:
        place = next_place(made, left, found[-1] if found else None, eye or Eye())
        assert place is not None
        left.remove(place)
        found.append(place)
    return found


def test_the_corners_come_first_then_what_lies_half_way_between() -> None:
    assert halvings(9) == [0, 3, 2, 3, 1, 3, 2, 3, 0] and halvings(1) == [0] and halvings(2) == [0, 0]
    order = order_of(grid(("steps", "1-9"), ("seed", "1-9")))
    assert set(order[:4]) == {(0, 0), (0, 8), (8, 0), (8, 8)}
    assert set(order[:9]) == set(itertools.product((0, 4, 8), repeat=2)) and set(order[:25]) == set(
        itertools.product(range(0, 9, 2), repeat=2)
    )
    assert sorted(order) == grid(("steps", "1-9"), ("seed", "1-9")).places


def test_models_are_swapped_once_a_fineness_and_not_at_its_beginning() -> None:
    made = grid(("steps", "1-5"), ("checkpoint", "Starter, Other one, Another"), ("seed", "1-5"))
    order = order_of(made)
    swaps = sum(one[1] != other[1] for one, other in itertools.pairwise(order))
    levels = [made.levels[place] for place in order]
    assert levels == sorted(levels)
    assert swaps <= 2 * (max(levels) + 1)  # each of three at most once a fineness
    in_rows = sum(one[1] != other[1] for one, other in itertools.pairwise(made.places))
    assert swaps < in_rows


def test_where_the_eye_is_comes_before_what_is_coarse() -> None:
    made = grid(("steps", "1-9"), ("seed", "1-9"))
    seen = frozenset(itertools.product((1, 2), (5, 6)))
    order = order_of(made, Eye(at=(2, 6), seen=seen))
    assert order[0] == (2, 6) and set(order[:4]) == seen and set(order[4:8]) == {(0, 0), (0, 8), (8, 0), (8, 8)}
    assert next_place(made, [], None, Eye(at=(2, 6))) is None
