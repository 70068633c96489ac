"""Regions as text: written in a prompt as Regional Prompter has them, in the settings text both ways, and in the words of a job."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.errors import UserError
from pipelines.metadata import infotext
from pipelines.metadata.text_request import request_of
from pipelines.prompts.regional import regional, regions_told
from pipelines.prompts.tags import Tag
from pipelines.requests.base import describe, input_ids
from pipelines.requests.region import REGIONS, Region
from pipelines.requests.request import Drawing, LoraUse, TextToImage, restore, unroll
from pipelines.resolving.regions import words_of_regions
from pipelines.resolving.wording import with_words
from pipelines.wildcards.shelf import Shelf

pytestmark = pytest.mark.smoke

SHELF = Shelf(())
Laid = list[tuple[str, float, float, float, float]]


def laid(regions: tuple[Region, ...]) -> Laid:
    return [(each.prompt, each.left, each.top, each.right, each.bottom) for each in regions]


HALVES: Laid = [("a", 0, 0, 0.5, 1), ("b", 0.5, 0, 1, 1)]
ROWS: Laid = [("a", 0, 0, 1, 0.5), ("b", 0, 0.5, 1, 1)]
# Of the extension's own guide: two rows of heights 1 and 2, the first of columns 2 : 1 : 1, the second of 4 : 6.
GRID: Laid = [
    ("a", 0, 0, 0.5, 0.3333), ("b", 0.5, 0, 0.75, 0.3333), ("c", 0.75, 0, 1, 0.3333), ("d", 0, 0.3333, 0.4, 1), ("e", 0.4, 0.3333, 1, 1)
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "ratios", "expected"),
    [
        ("a ADDCOL b", "", HALVES),
        ("a,\nADDROW\nb", "", ROWS),
        ("a ADDCOL b", "1,3", [("a", 0, 0, 0.25, 1), ("b", 0.25, 0, 1, 1)]),
        ("a ADDROW b", "1,3", [("a", 0, 0, 1, 0.25), ("b", 0, 0.25, 1, 1)]),
        ("a ADDCOL b ADDROW c", "", [("a", 0, 0, 0.5, 0.5), ("b", 0.5, 0, 1, 0.5), ("c", 0, 0.5, 1, 1)]),
        ("a ADDCOL b ADDCOL c ADDROW d ADDCOL e", "1,2,1,1;2,4,6", GRID),
        ("a BREAK b", "1,1", HALVES),
        ("a BREAK b", "1;1", ROWS),
        ("a BREAK b BREAK c BREAK d BREAK e", "1,2,1,1;2,4,6", GRID),
        ("a BREAK x ADDCOL b", "1,1", [("a BREAK x", 0, 0, 0.5, 1), HALVES[1]]),
        ("a # ADDCOL no\nADDCOL b", "", [("a # ADDCOL no", *HALVES[0][1:]), HALVES[1]]),
    ],
)
def test_columns_and_rows_are_laid_out_by_words_and_ratios(text: str, ratios: str, expected: Laid) -> None:
    found = regional(text, ratios)
    assert found is not None and laid(found.regions) == expected
    assert (found.prompt, found.has_base) == ("", False)


def test_it_is_said_under_the_prompt_what_it_lays_out() -> None:
    based = "x ADDBASE a BREAK b"
    assert regions_told("a ADDCOL b ADDCOL c") == "The prompt lays out 3 regions."
    assert "ADDBASE" in regions_told(based) and regions_told(based, "1,1") == "The prompt lays out 2 regions."
    assert regions_told("a BREAK b") == ""


@pytest.mark.parametrize("text", ["a BREAK b", "a ADDBASE b", "ADDCOLUMN", "a addcol b", "a # ADDCOL b", "", "a AND b"])
def test_a_prompt_without_columns_and_rows_is_as_it_was(text: str) -> None:
    assert regional(text) is None


def test_what_is_common_belongs_to_all_and_what_is_the_base_to_the_whole_picture() -> None:
    found = regional("snow <lora:ink:0.5> ADDCOMM a wide view ADDBASE a ADDCOL b")
    assert found is not None
    assert (found.prompt, found.has_base) == ("snow <lora:ink:0.5>, a wide view", True)
    assert [each.prompt for each in found.regions] == ["snow, a", "snow, b"]
    alone = regional("snow ADDCOMM a ADDCOL b")
    assert alone is not None and (alone.prompt, alone.has_base) == ("snow", False)


@pytest.mark.parametrize(
    ("text", "ratios", "why"),
    [
        ("a ADDCOL b", "1,x", "are no ratios of regions"),
        ("a ADDCOL b", "1,0", "are no ratios of regions"),
        ("a BREAK b BREAK c", "1,1", "lay out 2 regions, and the prompt has the words of 3"),
        (" ADDCOL ".join("abcdefghijklmnopq"), "", "17 regions; 16 are the most"),
    ],
)
def test_what_cannot_be_laid_out_is_said(text: str, ratios: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        regional(text, ratios)


def test_a_job_has_the_regions_that_its_prompt_lays_out_beside_its_own() -> None:
    own = Region(prompt="mine", right=0.1)
    found = with_words(TextToImage(prompt="a ADDCOL b", regions=(own,), seed=1), SHELF)
    assert laid(found.regions) == [("mine", 0, 0, 0.1, 1), *HALVES]
    assert (found.prompt, found.base_share, found.words) == ("", 0.0, "mine, a, b")
    base = with_words(TextToImage(prompt="x ADDBASE a BREAK b", region_ratios="1,1", base_share=0.3, seed=1), SHELF)
    assert (laid(base.regions), base.prompt, base.base_share, base.region_ratios) == (HALVES, "x", 0.3, "")
    assert with_words(base, SHELF) == base


def test_words_of_regions_may_leave_something_to_choice() -> None:
    job = with_words(
        TextToImage(prompt="x", regions=(Region(prompt="a {red|blue} house"), Region(prompt="b")), seed=3, batch_size=6), SHELF
    )
    singles = unroll(job)
    assert {single.regions[0].prompt for single in singles} == {"a red house", "a blue house"}
    assert all(single.regions[0].template == "a {red|blue} house" and single.regions[1] == Region(prompt="b") for single in singles)
    assert all(with_words(single, SHELF).regions == single.regions for single in singles)


def test_tags_in_the_words_of_a_region_name_loras_that_act_there() -> None:
    request = TextToImage(regions=(Region(prompt="a red house <lora:ink:0.5>"), Region(prompt="b")))
    regions, named = words_of_regions(request)
    assert [each.prompt for each in regions] == ["a red house", "b"]
    assert named == [(1, Tag("lora", "ink", 0.5, 0.5))]
    with pytest.raises(UserError, match="region 2 name a hypernetwork, which acts on the whole picture"):
        words_of_regions(replace(request, regions=(Region(), Region(prompt="<hypernet:odd>"))))
    with pytest.raises(UserError, match="A LoRA acts in region 3, which is not there any more"):
        replace(request, loras=(LoraUse(region=3),)).check()


# ---- records -------------------------------------------------------------------------------------------------------------------

PAINTED = Region(prompt="a (red:1.2) house, “old”", weight=0.5, mask="ab" * 32)
REQUEST = TextToImage(prompt="x", seed=1, base_share=0.35, regions=(PAINTED, Region(prompt="b", left=0.25, bottom=0.75)))


def test_a_description_holds_regions_and_names_what_is_painted_as_an_input() -> None:
    assert restore(describe(REQUEST)) == REQUEST
    assert input_ids(REQUEST) == {"ab" * 32}


def test_the_settings_text_has_regions_and_reads_them_back() -> None:
    text = infotext.write(REQUEST, {})
    found = request_of(infotext.parse(text))
    assert isinstance(found.request, Drawing)
    painted, other = found.request.regions
    dressed = infotext.write(replace(REQUEST, loras=(LoraUse(name="ink", region=2), LoraUse(name="soft"))), {})
    assert "x <lora:soft:1>" in dressed and "b <lora%3Aink%3A1>" in dressed, "those of a region stand in its words"
    assert (replace(painted, mask=PAINTED.mask), other) == REQUEST.regions and found.request.base_share == 0.35
    assert found.pictures == {(REGIONS, "0"): "ab" * 6} and not found.unknown and not found.notes


THEIRS = (
    "Steps: 20, Sampler: Euler, Seed: 1, Size: 512x512, RP Active: {}, RP Divide mode: Matrix, RP Matrix submode: {}, "
    'RP Calc Mode: Attention, RP Ratios: "{}", RP Base Ratios: 0.3, RP Use Base: {}, RP Use Common: {}, RP Use Ncommon: False'
)


def test_what_the_extension_made_of_a_prompt_is_read_off_its_settings() -> None:
    def read(prompt: str, *values: object) -> Drawing:
        found = request_of(infotext.parse(f"{prompt}\n{THEIRS.format(*values)}"))
        assert isinstance(found.request, Drawing) and not found.unknown and not found.notes
        return found.request

    plain = read("a BREAK b", True, "Columns", "1,1", False, False)
    assert (laid(plain.regions), plain.prompt, plain.base_share) == (HALVES, "", 0.0)
    assert laid(read("a BREAK b", True, "Rows", "1,1", False, False).regions) == ROWS
    whole = read("c BREAK x BREAK a BREAK b", True, "Horizontal", "1,1", True, True)
    assert [each.prompt for each in whole.regions] == ["c, a", "c, b"]
    assert (whole.prompt, whole.base_share) == ("c, x", 0.3)
    assert read("a BREAK b", False, "Columns", "1,1", False, False).prompt == "a BREAK b"


def test_what_of_it_is_otherwise_here_is_said() -> None:
    text = THEIRS.format(True, "Columns", "1,1", False, False)
    latent = request_of(infotext.parse("a BREAK b\n" + text.replace("Attention", "Latent")))
    assert any("Latent" in note for note in latent.notes)
    masked = request_of(infotext.parse("a BREAK b\n" + text.replace("Matrix,", "Mask,")))
    assert any("Paint them again" in note for note in masked.notes)
