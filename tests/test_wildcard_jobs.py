"""Jobs of wildcard pictures: each holds its words and what they were drawn of, and alone it is the same picture."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from models.errors import UserError
from models.library.catalog import Catalog
from pipelines import ImageToImage, PictureRecord, TextToImage
from pipelines.images.store import Inputs
from pipelines.job_book.book import JobBook
from pipelines.jobs.outputs import Outputs, read
from pipelines.metadata import infotext
from pipelines.metadata.picture_settings import inspect
from pipelines.requests.request import SEEDS, Drawing, describe, restore, unroll
from pipelines.requests.wording import of_batch, texts_of
from pipelines.resolving.rebind import rebind
from pipelines.resolving.wording import with_words
from pipelines.runtime.runner import open_runner
from pipelines.services.choice_notes import Choices, choices
from pipelines.studio import Studio
from pipelines.wildcards.draw import draw
from pipelines.wildcards.folders import WildcardFolders
from pipelines.wildcards.shelf import Collection, Shelf
from pipelines.wildcards.template import parse
from tests.support.toys import wait_until

pytestmark = pytest.mark.smoke

OWN = Path(__file__).parents[1] / "models" / "starter"
TEMPLATE = "a {red|blue|green} __things__{| <lora:ink:0.7>}, (snow:1.2)"
ASKED = TextToImage(
    prompt=TEMPLATE, negative_prompt="{fog|}", steps=1, seed=5, width=64, height=64, guidance_scale=3, batch_count=5, batch_size=4
)
SHELF = Shelf([Collection("things", [("house", 1), ("ball", 1), ("{big|small} tree", 1)])])


def worded(request: Drawing) -> list[Drawing]:
    """The pictures of a job."""
    return unroll(with_words(request, SHELF))


# ---- which words which picture has ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "size"), [(20, 1), (5, 4), (2, 10)])
def test_a_seed_draws_the_same_words_whatever_the_batches(count: int, size: int) -> None:
    found = worded(replace(ASKED, batch_count=count, batch_size=size))
    assert [(single.seed, single.prompt) for single in found] == [
        (seed, draw(parse(TEMPLATE), SHELF, seed)) for seed in range(ASKED.seed, ASKED.seed + 20)
    ]
    assert len({single.prompt for single in found}) > 5
    assert {single.prompt_template for single in found} == {TEMPLATE} and {single.negative_template for single in found} == {"{fog|}"}
    assert all(with_words(single, SHELF) == single for single in found), "what was drawn is final"


def test_seeds_go_on_at_0_behind_the_last_one() -> None:
    found = worded(replace(ASKED, seed=SEEDS - 2))
    assert [single.prompt for single in found[1:4]] == [draw(parse(TEMPLATE), SHELF, seed) for seed in (SEEDS - 1, 0, 1)]


def test_variations_of_a_seed_have_its_words() -> None:
    found = worded(replace(ASKED, variation_strength=0.5, variation_seed=9))
    assert {single.prompt for single in found} == {draw(parse(TEMPLATE), SHELF, 5)}
    assert [single.variation_seed for single in found] == list(range(9, 29))


def test_rounds_of_a_loopback_and_several_pictures_have_the_words_of_their_seeds() -> None:
    job = with_words(ImageToImage(prompt="{a|b|c|d}", seed=3, loops=3, batch_count=2, batch_size=2), SHELF)
    plain = replace(job, wordings=(), batch_count=4, batch_size=1)
    assert [single.seed for single in unroll(job)] == [single.seed for single in unroll(plain)]
    assert [single.prompt for single in unroll(job)] == [draw(parse("{a|b|c|d}"), SHELF, single.seed) for single in unroll(job)]
    assert [of_batch(job, number).prompt for number in range(job.batch_total)] == [single.prompt for single in unroll(job)]


def test_all_combinations_are_each_drawn_as_often_as_pictures_are_asked_for() -> None:
    job = with_words(TextToImage(prompt="{a|b} {c|d}", negative_prompt="{e|f}", all_combinations=True, batch_count=2, seed=7), SHELF)
    found = [(single.prompt, single.negative_prompt, single.seed) for single in unroll(job)]
    assert job.picture_count == 16
    assert found[:4] == [("a c", "e", 7), ("a c", "e", 8), ("a c", "f", 7), ("a c", "f", 8)]
    assert len(set(found)) == 16


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"prompt": "{0|1|2|3|4|5|6|7|8|9}" * 4 + "{a|b}", "all_combinations": True}, "There are 20,000 combinations; 10,000 are the most"),
        ({"prompt": "{a|b}" * 60, "all_combinations": True}, "more than a million billion combinations"),
        ({"prompt": "{a|b}" + "x" * 90_000, "batch_count": 30}, "longer than 2,000,000 characters together"),
        ({"prompt": "{a|b}" * 2_000, "batch_count": 100, "batch_size": 16}, "takes too long"),
        ({"negative_prompt": "__nothing__"}, "no wildcard called “nothing”"),
    ],
)
def test_too_much_is_refused_when_the_job_comes_in(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as refused:
        with_words(TextToImage(**asked), SHELF)
    assert says in str(refused.value)


def test_a_prompt_without_choices_is_as_it_is() -> None:
    plain = TextToImage(prompt="a {red} house, __ (b:1.1)", negative_prompt="{{fog}}")
    assert with_words(plain, SHELF) == plain
    assert with_words(replace(plain, all_combinations=True), SHELF).picture_count == 1


# ---- what a picture says -------------------------------------------------------------------------------------------------------


def test_the_settings_text_says_the_template_under_the_keys_of_the_known_extension() -> None:
    single = replace(worded(ASKED)[3], prompt="a red house", prompt_template='a {red|blue}, "x"\n__things__')
    text = infotext.write(single, {})
    assert 'Template: "a {red|blue}, \\"x\\"\\n__things__"' in text and "Negative Template: {fog|}" in text
    assert infotext.parse(text).values["prompt_template"] == single.prompt_template
    theirs = "a red house\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 64x64\nTemplate: a {red|blue} house\nNegative Template: {fog|}"
    found = infotext.parse(theirs).values
    assert (found["prompt"], found["prompt_template"], found["negative_template"]) == ("a red house", "a {red|blue} house", "{fog|}")


def test_a_picture_with_a_template_is_made_again_with_its_words_until_the_words_are_changed() -> None:
    single = worded(replace(ASKED, prompt="{a|b}", vae="own"))[0]
    found = rebind(restore(json.loads(json.dumps(describe(single)))), {}, Catalog(OWN)).request
    assert isinstance(found, TextToImage)
    again = with_words(replace(found, seed=99), SHELF)
    assert (again.prompt, again.prompt_template, again.wordings) == (single.prompt, "{a|b}", ())
    changed = with_words(replace(found, prompt="{c|d}"), SHELF)
    assert changed.wordings and unroll(changed)[0].prompt_template == "{c|d}"


def test_an_old_picture_whose_prompt_has_braces_is_made_again_with_its_braces() -> None:
    old = {name: value for name, value in describe(TextToImage(prompt="a {red|blue} __house__", seed=1)).items() if "template" not in name}
    found = rebind(restore(old), {}, Catalog(OWN)).request
    assert isinstance(found, TextToImage)
    assert with_words(found, SHELF) == found


# ---- notes ---------------------------------------------------------------------------------------------------------------------


def test_before_a_run_it_is_said_what_will_be_drawn_and_what_is_wrong() -> None:
    def seen(prompt: str, negative: str, seed: int, pictures: int) -> Choices:
        return choices(texts_of(TextToImage(prompt=prompt, negative_prompt=negative)), SHELF, seed, pictures)

    told = seen("{a|b} __things__", "{x|y}", 7, 0)
    words, negative = draw(parse("{a|b} __things__"), SHELF, 7), draw(parse("{x|y}"), SHELF, 7, "negative")
    assert told.told == (f"3 choices, 16 combinations; seed 7 draws: “{words}” / “{negative}”",)
    assert (told.words["prompt"], told.words["negative_prompt"], told.found) == (words, negative, True)
    assert "for example: “" in seen("{a|b}", "", -1, 0).told[0]
    assert seen("{a|b}", "", -1, 3).told[1] == "All combinations: 6 pictures will be drawn, 3 of each, one after another."
    assert "10,000 are the most" in seen("{a|b}" * 20, "", -1, 1).wrong[0]
    assert not seen("a {red} house", "", 1, 1).found
    assert "is not closed" in seen("{a|b", "", 1, 0).wrong[0]


# ---- drawn ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    words = tmp_path / "models" / "wildcards" / "things.txt"
    words.parent.mkdir(parents=True)
    words.write_text("house\nball\n{big|small} tree\n", encoding="utf-8")
    catalog, inputs = Catalog(OWN), Inputs(tmp_path / "inputs")
    book = JobBook(tmp_path / "studio.db", tmp_path / "outputs")
    folders = WildcardFolders([tmp_path / "models"])
    found = Studio(
        catalog, Outputs(tmp_path / "outputs"), book, lambda: open_runner(catalog, "cpu", inputs), inputs=inputs, wildcards=folders
    )
    found.start()
    yield found
    found.close()


def made(studio: Studio, count: int, seconds: float = 300) -> list[PictureRecord]:
    """The newest pictures, in the order in which they were drawn."""
    wait_until(lambda: len(studio.recent("ada", 100)) == count, seconds)
    return studio.recent("ada", 100)[::-1]


def test_a_job_of_twenty_wildcard_pictures_is_made_again_by_its_pictures_one_by_one(studio: Studio, tmp_path: Path) -> None:
    """LoRAs among what is drawn too; and the files of wildcards may be gone by then."""
    studio.submit(ASKED, "ada", owner=True)
    first = made(studio, 20)
    requests = [read(record.path) for record in first]
    assert [request.seed for request in requests if isinstance(request, Drawing)] == list(range(5, 25))
    assert {bool(request.loras) for request in requests if isinstance(request, Drawing)} == {True, False}
    assert {request.prompt_template for request in requests if isinstance(request, Drawing)} == {TEMPLATE}
    (tmp_path / "models" / "wildcards" / "things.txt").unlink()
    for request in reversed(requests):
        studio.submit(request, "ada", owner=True)
    again = made(studio, 40)[20:][::-1]
    assert [Image.open(record.path).tobytes() for record in again] == [Image.open(record.path).tobytes() for record in first]
    assert [read(record.path) for record in again] == requests
    assert len({Image.open(record.path).tobytes() for record in first}) == 20
    assert inspect(first[0].path).request == first[0].request
