"""Choices in every text that is drawn: the second prompt, the prompts of a second pass and of boxes, drawn by the picture's seed as the
prompt is, kept with what they were drawn of, and made again from the record bit for bit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.errors import UserError
from models.families import SDXL
from models.library.catalog import Catalog
from pipelines import PictureRecord
from pipelines.images.store import Inputs
from pipelines.job_book.book import JobBook
from pipelines.jobs.outputs import Outputs, read
from pipelines.metadata import infotext
from pipelines.metadata.two_passes import second_pass
from pipelines.requests.details import DetailBox
from pipelines.requests.request import Details, Drawing, Request, SecondPass, TextToImage, describe, restore, unroll
from pipelines.requests.second_pass import FirstPass
from pipelines.requests.wording import as_typed, texts_of, without_templates
from pipelines.resolving.resolve import resolve
from pipelines.resolving.wording import with_words
from pipelines.runtime.runner import open_runner
from pipelines.services.choice_notes import choices
from pipelines.services.prompt_notes import PromptReader
from pipelines.services.token_view import TokenViews
from pipelines.studio import Studio
from pipelines.wildcards.draw import draw
from pipelines.wildcards.folders import WildcardFolders
from pipelines.wildcards.shelf import Collection, Shelf
from pipelines.wildcards.template import parse
from tests.support.drawing import blots, pixels
from tests.support.toy_weights import load_toy_model, write_toy_model
from tests.support.toys import wait_until

pytestmark = pytest.mark.smoke

OWN = Path(__file__).parents[1] / "models" / "starter"
SHELF = Shelf([Collection("things", [("house", 1), ("ball", 1), ("{big|small} tree", 1)]), Collection("inked", [("<lora:ink:1>", 1)])])
CHOICE = "${c=!{red|green|blue}} ${c} __things__, ${c}"
PASSES = TextToImage(
    prompt="a {red|blue} house",
    second_prompt=CHOICE,
    hires=True,
    hires_prompt=f"snow, {CHOICE}",
    hires_negative_prompt="{fog|rain}",
    seed=5,
    batch_count=6,
)
TYPED = {"second_prompt": CHOICE, "hires_prompt": f"snow, {CHOICE}", "hires_negative_prompt": "{fog|rain}"}
TEMPLATES = {"second_prompt": "second_template", "hires_prompt": "hires_template", "hires_negative_prompt": "hires_negative_template"}
PLAIN_BOX = DetailBox(right=9, bottom=9)
BOXES = (DetailBox(right=64, bottom=32, prompt="{red|blue} ball"), replace(PLAIN_BOX, prompt="{a|b}, [PROMPT]"), PLAIN_BOX)
BOXED = Details(prompt="a house", boxes=BOXES, seed=5, batch_count=6)


def worded(request: Drawing) -> list[Drawing]:
    """The pictures of a job."""
    return unroll(with_words(request, SHELF))


# ---- which words which text has --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*TYPED])
def test_each_text_has_the_words_that_the_pictures_seed_draws_of_it(name: str) -> None:
    """With dice of its own: what one text draws does not depend on whether there are others."""
    found = worded(PASSES)
    assert [getattr(single, name) for single in found] == [draw(parse(TYPED[name]), SHELF, seed, name) for seed in range(5, 11)]
    assert {getattr(single, TEMPLATES[name]) for single in found} == {TYPED[name]}
    alone = worded(replace(TextToImage(hires=True, seed=5, batch_count=6), **{name: TYPED[name]}))
    assert [getattr(single, name) for single in alone] == [getattr(single, name) for single in found]
    assert all(with_words(single, SHELF) == single for single in found), "what was drawn is final"


def test_each_box_has_words_of_its_own_and_what_it_leaves_open_is_the_pictures() -> None:
    found = worded(BOXED)
    for place, template in ((0, "{red|blue} ball"), (1, "{a|b}, [PROMPT]")):
        drawn = [single.boxes[place] for single in found if isinstance(single, Details)]
        assert [box.prompt for box in drawn] == [draw(parse(template), SHELF, seed, f"box {place + 1}") for seed in range(5, 11)]
        assert {box.template for box in drawn} == {template}
    assert {single.boxes[2] for single in found if isinstance(single, Details)} == {BOXED.boxes[2]}


def test_a_second_pass_that_is_not_drawn_draws_no_words() -> None:
    single = replace(PASSES, hires=False, second_prompt="", prompt="a house", hires_prompt="__nothing__")
    assert with_words(single, SHELF) == single


def test_a_text_of_which_nothing_is_drawn_is_as_one_that_is_empty() -> None:
    [single] = worded(
        TextToImage(second_prompt="{|}", hires=True, hires_prompt="{|}", hires_negative_prompt="{|}", prompt="a {b|b}", seed=1)
    )
    assert isinstance(single, TextToImage)
    assert (single.second_prompt, single.hires_prompt, single.hires_negative_prompt) == ("", "", "")
    assert second_pass(single, "", (64, 64)).prompt == "a b", "the words of the first pass"
    [boxed] = worded(replace(BOXED, boxes=(replace(PLAIN_BOX, prompt="{|}"),), batch_count=1))
    assert isinstance(boxed, Details) and (boxed.boxes[0].prompt, boxed.boxes[0].template) == ("", "{|}")


def test_all_combinations_are_those_of_all_texts() -> None:
    job = with_words(TextToImage(prompt="{a|b}", second_prompt="{c|d}", hires=True, hires_prompt="e{f|g}", all_combinations=True), SHELF)
    found = [(single.prompt, single.second_prompt, single.hires_prompt) for single in unroll(job)]
    assert found == [(a, c, f) for a in "ab" for c in "cd" for f in ("ef", "eg")]
    assert with_words(replace(BOXED, all_combinations=True, batch_count=1), SHELF).picture_count == 4


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (TextToImage(second_prompt="__nothing__"), "In the second prompt: There is no wildcard called “nothing”"),
        (TextToImage(hires=True, hires_prompt="{a|b"), "In the hires prompt: .* is not closed"),
        (TextToImage(hires=True, hires_negative_prompt="${c}"), "In the hires negative prompt: The variable “c”"),
        (replace(BOXED, boxes=(PLAIN_BOX, replace(PLAIN_BOX, prompt="{a|b"))), "In the prompt of box 2: .* not closed"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_the_text_that_it_stands_in(asked: Drawing, says: str) -> None:
    with pytest.raises(UserError, match=says):
        with_words(asked, SHELF)
    [told] = choices(texts_of(asked), SHELF, 1, 0).wrong
    assert told.endswith("Until then nothing can be drawn.")


def test_before_a_run_all_that_will_be_drawn_is_counted_and_shown() -> None:
    [told] = choices(texts_of(replace(BOXED, prompt="{x|y} house")), SHELF, 5, 0).told
    boxes = [draw(parse(template), SHELF, 5, f"box {place}") for place, template in ((1, "{red|blue} ball"), (2, "{a|b}, [PROMPT]"))]
    words = " / ".join(f"“{each}”" for each in (draw(parse("{x|y} house"), SHELF, 5), *boxes))
    assert told == f"3 choices, 8 combinations; seed 5 draws: {words}"


@pytest.mark.parametrize(("field", "dice"), [("prompt", ""), ("negative_prompt", "negative"), ("second_prompt", "second_prompt")])
def test_the_tokens_of_a_text_are_those_of_the_words_that_the_forms_seed_draws_of_it(field: str, dice: str) -> None:
    catalog = Catalog(OWN)
    words = "{red|blue|green} {house|ball|tree}"
    for seed in range(4):
        held = replace(TextToImage(prompt="a", hires=True, hires_prompt="{broken|", seed=seed), **{field: words})
        assert TokenViews(PromptReader(catalog), catalog).of(held, field)["said"] == draw(parse(words), SHELF, seed, dice)


# ---- what they name, and the record --------------------------------------------------------------------------------------------


def test_loras_that_a_second_passes_words_name_are_looked_up_for_each_picture() -> None:
    job = with_words(TextToImage(prompt="a house", hires=True, hires_prompt="b {x|<lora:ink:0.7>}", seed=5, batch_count=8), SHELF)
    found = unroll(resolve(job, Catalog(OWN)))
    named = {tuple(use.name for use in single.hires_loras): single.hires_prompt.strip() for single in found}
    assert named == {(): "b x", ("ink",): "b"} and {single.loras for single in found} == {()}
    assert resolve(resolve(job, Catalog(OWN)), Catalog(OWN)) == resolve(job, Catalog(OWN))
    with pytest.raises(UserError, match="box 1 names a LoRA"):
        resolve(with_words(replace(BOXED, boxes=(replace(PLAIN_BOX, prompt="__inked__"),)), SHELF), Catalog(OWN))


def test_a_plain_hires_prompt_beside_choices_gives_its_loras_once() -> None:
    job = with_words(
        TextToImage(prompt="{a|b}", second_prompt="c <lora:ink:1>", hires=True, hires_prompt="d <lora:ink:0.5>", seed=5), SHELF
    )
    [single] = unroll(resolve(job, Catalog(OWN)))
    second = resolve(second_pass(single, "", (64, 64)), Catalog(OWN))
    assert [(use.name, use.unet) for use in second.loras] == [("ink", 0.5)] and second.prompt == "d" and second.second_prompt == "c"


def test_a_second_pass_says_what_its_words_were_drawn_of() -> None:
    single = worded(PASSES)[0]
    assert isinstance(single, TextToImage)
    own = second_pass(single, "", (64, 64))
    assert (own.prompt, own.prompt_template) == (single.hires_prompt, TYPED["hires_prompt"])
    assert (own.negative_template, own.second_template) == ("{fog|rain}", CHOICE)
    as_first = second_pass(replace(single, hires_prompt="", hires_template=""), "", (64, 64))
    assert (as_first.prompt, as_first.prompt_template) == (single.prompt, "a {red|blue} house")


def test_the_record_and_the_settings_text_hold_words_and_templates() -> None:
    single = replace(worded(PASSES)[0], batch_count=1)
    assert restore(json.loads(json.dumps(describe(single)))) == single
    assert (
        infotext.parse(infotext.write(single, {})).values.items() >= {template: TYPED[name] for name, template in TEMPLATES.items()}.items()
    )
    boxed = worded(BOXED)[0]
    assert restore(json.loads(json.dumps(describe(boxed)))) == boxed
    assert isinstance(single, TextToImage)
    second = replace(second_pass(single, "ab" * 32, (64, 64)), first=(FirstPass(image="ab" * 32, prompt=single.prompt, seed=single.seed),))
    told = infotext.parse(infotext.write(second, {})).values
    assert told["hires_template"] == TYPED["hires_prompt"] and not told.get("prompt_template"), "that of the first pass is not known here"


WORDS = st.sampled_from(["", "a house", "{a|b}", "{a|b} __things__", "${x={a|b}} ${x}", "x, {|y}"])


@settings(deadline=None, max_examples=60)
@given(st.tuples(WORDS, WORDS, WORDS, WORDS, WORDS), st.integers(0, 2**32))
def test_rolling_again_begins_with_what_was_typed(texts: tuple[str, ...], seed: int) -> None:
    typed = dict(zip(texts_of(PASSES), texts, strict=True))
    request = replace(PASSES, **typed, batch_count=1, seed=seed)
    [single] = worded(request)
    assert as_typed(single) == request and as_typed(without_templates(single)) == without_templates(single)
    boxed = replace(BOXED, boxes=tuple(replace(PLAIN_BOX, prompt=text) for text in texts), batch_count=1, seed=seed)
    assert as_typed(worded(boxed)[0]) == boxed


# ---- drawn -----------------------------------------------------------------------------------------------------------------------


def test_the_second_encoder_of_sdxl_reads_the_words_that_were_drawn(tmp_path: Path) -> None:
    model = load_toy_model(write_toy_model(tmp_path, family=SDXL), family=SDXL)
    asked = TextToImage(prompt="a house", second_prompt="{red|blue|green} __things__", steps=1, seed=5, width=64, height=64, batch_count=3)
    found = [single for single in worded(asked) if isinstance(single, TextToImage)]
    drawn = [pixels(single, model) for single in found]
    plain = [pixels(replace(asked, batch_count=1, seed=single.seed, second_prompt=single.second_prompt), model) for single in found]
    kept = [restore(json.loads(json.dumps(describe(single)))) for single in found]
    assert drawn == plain == [pixels(single, model) for single in kept if isinstance(single, TextToImage)]
    assert drawn[0] != pixels(replace(found[0], second_prompt=""), model)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    words = tmp_path / "models" / "wildcards" / "things.txt"
    words.parent.mkdir(parents=True)
    words.write_text("house\nball\n{big|small} tree\n", encoding="utf-8")
    catalog, inputs = Catalog(OWN), Inputs(tmp_path / "inputs")
    book, folders = JobBook(tmp_path / "studio.db", tmp_path / "outputs"), WildcardFolders([tmp_path / "models"])
    outputs = Outputs(tmp_path / "outputs")
    found = Studio(catalog, outputs, book, lambda: open_runner(catalog, "cpu", inputs), inputs=inputs, wildcards=folders)
    found.start()
    yield found
    found.close()


def made(studio: Studio, count: int) -> list[PictureRecord]:
    """In the order in which they were drawn."""
    wait_until(lambda: len(studio.recent("ada", 100)) == count, 120)
    return studio.recent("ada", 100)[::-1]


def again(studio: Studio, requests: list[Request], before: int) -> list[Image.Image]:
    """Each drawn once more from its record alone."""
    for request in requests:
        studio.submit(replace(request, hires=False) if isinstance(request, TextToImage) else request, "ada", owner=True)
    return [Image.open(record.path) for record in made(studio, before + len(requests))[before:]]


def test_two_passes_and_boxes_are_made_again_by_their_pictures_when_the_files_are_gone(studio: Studio, tmp_path: Path) -> None:
    asked = TextToImage(
        prompt="a {red|blue} house", hires=True, hires_factor=1, hires_steps=1, hires_strength=1.0, steps=1, seed=5, width=64, height=64,
        hires_prompt="{night|snow}, __things__{| <lora:ink:0.7>}", hires_negative_prompt="{fog|}", batch_count=2,
    )  # fmt: skip
    studio.submit(asked, "ada", owner=True)
    passes = made(studio, 4)
    image = studio.uploads.keep(blots((64, 64)), "ada").id
    boxes = (
        DetailBox(right=40, bottom=40, prompt="{red|blue} __things__"),
        DetailBox(left=20, top=20, right=64, bottom=64, prompt="{a|b}, [PROMPT]"),
    )
    studio.submit(
        Details(prompt="a {x|y}", image=image, boxes=boxes, steps=1, seed=7, width=64, height=64, batch_count=2), "ada", owner=True
    )
    first = made(studio, 6)
    requests = [read(record.path) for record in first]
    seconds = [request for request in requests if isinstance(request, SecondPass)]
    assert {request.prompt_template for request in seconds} == {asked.hires_prompt} and not any("{" in each.prompt for each in seconds)
    boxed = [request for request in requests if isinstance(request, Details)]
    assert {box.template for request in boxed for box in request.boxes} == {box.prompt for box in boxes}
    assert not any("{" in box.prompt or "__" in box.prompt for request in boxed for box in request.boxes)
    (tmp_path / "models" / "wildcards" / "things.txt").unlink()
    pictures = again(studio, requests, 6)
    assert [each.tobytes() for each in pictures] == [Image.open(record.path).tobytes() for record in first]
    assert len(passes) == 4 and len({Image.open(record.path).tobytes() for record in first}) == 6
