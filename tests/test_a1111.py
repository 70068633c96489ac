"""The rules of A1111 1.10 for what a picture says and for how a prompt is read, each with the tests that hold us to it.

`RULES` is the list of them all. Where we differ on purpose, `differs` says in what and why, and a decision or the guide for artists says
more; the tests named there hold the difference. What no other test has stands below.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from pipelines.details.parts import run_of
from pipelines.jobs.outputs import Outputs
from pipelines.metadata import infotext
from pipelines.metadata.picture_texts import texts_in
from pipelines.metadata.text_request import request_of
from pipelines.metadata.two_passes import first_pass, unsized
from pipelines.prompts import parse, schedule
from pipelines.prompts.asked import asked_by
from pipelines.prompts.schedule import Pass
from pipelines.prompts.tags import Tag, take_tags
from pipelines.requests.details import DetailBox
from pipelines.requests.request import WHOLE_LANGUAGE, Details, ImageToImage, Inpaint, TextToImage, unroll
from pipelines.resolving.wording import with_words
from pipelines.samplers import resolve_schedule
from pipelines.wildcards.shelf import Collection, Shelf

pytestmark = pytest.mark.smoke

TESTS = Path(__file__).parent


@dataclass(frozen=True)
class Rule:
    """`tests`: file and name of each test that would fail if the rule were broken. `see`: where the difference is told, with its reason."""

    section: str
    says: str
    tests: tuple[str, ...]
    differs: str = ""
    see: str = ""


HERE = "test_a1111::"
DECISION = "decisions.md"

RULES = (
    # ---- 1. The settings text -----------------------------------------------------------------------------------------------------
    Rule(
        "1",
        "prompt, negative prompt and a line of pairs, a line each",
        ("test_infotext::test_an_ordinary_prompt_is_written_as_others_write_it",),
    ),
    Rule("1", "no line for an empty negative prompt", (HERE + "test_an_empty_negative_prompt_and_what_is_as_usual_are_not_written",)),
    Rule(
        "1", "a PNG holds it as the text “parameters”", ("test_outputs::test_the_texts_in_a_picture_are_the_request_and_what_others_read",)
    ),
    Rule(
        "1",
        "JPEG and WebP hold it as a UserComment in Unicode",
        (
            "test_outputs::test_the_text_of_a_jpeg_or_webp_is_read",
            "test_source_type::test_a_jpeg_holds_what_fits_and_is_white_where_nothing_was",
        ),
    ),
    Rule(
        "1",
        "a GIF's comment, a text file beside the picture",
        ("test_outputs::test_a_saved_picture_has_the_same_pixels_and_the_same_request",),
        "pictures hold all of it themselves, and none is a GIF",
        f"{DECISION}#90",
    ),
    Rule(
        "1",
        "other texts of a picture that is drawn over are carried along",
        (HERE + "test_texts_of_a_picture_that_is_drawn_over_are_left_behind",),
        "a picture holds its own request and its settings text alone: what stood in another file may be about somebody else",
        f"{DECISION}#90",
    ),
    Rule("1", "what has no value is left out", (HERE + "test_an_empty_negative_prompt_and_what_is_as_usual_are_not_written",)),
    Rule("1", "a key alone stands for itself", (HERE + "test_a_key_without_a_value_is_passed_by",)),
    Rule(
        "1",
        "a value with commas, colons or lines is quoted, its letters as they are",
        (HERE + "test_a_quoted_value_keeps_its_letters", "test_settings_text::test_values_in_quotes_hold_anything"),
    ),
    Rule("1", "the order of the keys", (HERE + "test_the_keys_stand_in_the_order_of_others",)),
    Rule(
        "1",
        "the schedule that “Automatic” stands for is written",
        (HERE + "test_automatic_stands_for_the_schedule_that_others_would_write",),
        "the text says what was chosen, “Automatic”, which every reader reads as the same schedule",
        f"{DECISION}#90",
    ),
    Rule(
        "1",
        "keys of a second pass, in their order",
        (
            "test_two_passes::test_the_text_has_the_keys_of_a1111_in_its_order",
            "test_two_passes::test_a_text_of_a1111_sets_the_switch_and_the_fields",
        ),
    ),
    Rule("1", "keys of inpainting", ("test_infotext::test_what_others_show_of_an_inpainted_picture_is_in_its_text",)),
    Rule(
        "1", "hashes of LoRAs and embeddings in one quoted list", ("test_listed::test_another_studio_finds_ordinary_names_and_every_hash",)
    ),
    Rule(
        "1",
        "“ControlNet N”: pairs in quotes, by the names of its fields",
        ("test_control_request::test_others_read_a_unit_in_the_text", "test_control_request::test_every_part_of_a_unit_is_in_the_metadata"),
        "regions, curves and the pictures' hashes stand in it too, so the text brings the whole unit back",
        f"{DECISION}#30",
    ),
    Rule(
        "1",
        "keys that nothing here stands for",
        (HERE + "test_what_nothing_here_stands_for_is_named", "test_infotext::test_keys_that_no_field_stands_for_are_kept"),
        "RNG, ENSD, token merging, tiling and emphases are not drawn here; they are named when a text is read",
        f"{DECISION}#90",
    ),
    Rule(
        "1",
        "the last line is the settings if three pairs stand in it, else it is words",
        (
            "test_infotext::test_a_last_line_with_two_pairs_belongs_to_the_prompt",
            "test_infotext::test_other_studios_read_what_is_written",
            "test_settings_text::test_the_settings_are_found_wherever_they_stand",
        ),
        "settings are also found where other programs' lines stand behind them",
        f"{DECISION}#43",
    ),
    Rule(
        "1",
        "from the line “Negative prompt:” on it is the negative prompt",
        ("test_infotext::test_a_text_of_another_studio_gives_its_values",),
    ),
    Rule(
        "1",
        "a size is width x height",
        ("test_infotext::test_a_text_of_another_studio_gives_its_values", "test_infotext::test_a_size_that_cannot_be_is_noted"),
    ),
    Rule("1", "values that a text leaves out are the usual ones", (HERE + "test_what_a_text_leaves_out_is_as_usual",)),
    Rule("1", "old names of samplers hold the schedule", ("test_infotext::test_old_sampler_names_are_split_into_sampler_and_schedule",)),
    Rule(
        "1",
        "texts of before 1.6 are drawn by the older time line, those of before 1.8 refine by share",
        (HERE + "test_a_text_of_an_old_version_is_read_in_the_language_of_today",),
        "every text is read in the language of today, and a refiner starts by its share of the steps",
        f"{DECISION}#90",
    ),
    Rule(
        "1",
        "an arrow brings the last settings back, or reads what was pasted",
        (
            "test_completion::test_prompts_of_before_are_kept_once_as_they_were_typed_the_newest_first",
            "test_programs::test_our_own_settings_are_read_pasted_in_every_form",
        ),
        "what was written comes back by Alt+Up and History, and a pasted text is looked at before it is taken",
        f"{DECISION}#90",
    ),
    # ---- 2. Weights, and what is encoded ------------------------------------------------------------------------------------------
    Rule(
        "2",
        "(x) is 1.1 times as strong, [x] as much weaker, (x:w) as the number says",
        ("test_prompts::test_weights_are_read_as_in_a1111",),
    ),
    Rule("2", "weights of nested brackets multiply", (HERE + "test_weights_of_brackets_in_one_another_multiply",)),
    Rule("2", "a backslash makes words of brackets", ("test_prompts::test_escaping_everything_makes_everything_plain",)),
    Rule(
        "2",
        "an unclosed bracket reaches to the end, a stray one is a word, [x:w] is none",
        ("test_prompts::test_weights_are_read_as_in_a1111",),
    ),
    Rule("2", "neighbours of one weight are one run", (HERE + "test_neighbours_of_one_weight_are_one_run",)),
    Rule(
        "2",
        "any number is a weight",
        ("test_prompts::test_weights_stay_within_ten", "test_prompts::test_what_is_no_number_is_text"),
        "weights are kept within -10 and 10, beyond which no picture is left",
        f"{DECISION}#90",
    ),
    Rule(
        "2",
        "vectors times their weight, then the mean of the whole call is put back",
        (
            "test_prompts_encode::test_a_weight_scales_its_tokens_and_the_chunk_keeps_its_mean",
            "test_prompts_encode::test_a_weight_in_one_chunk_leaves_the_others_alone",
        ),
        "the mean is that of each chunk, so that a prompt does not depend on what is said at other steps",
        f"{DECISION}#77",
    ),
    Rule(
        "2",
        "other emphases: none, ignored, without the mean",
        (HERE + "test_what_nothing_here_stands_for_is_named",),
        "there is one emphasis; a text that asks for another is told so",
        f"{DECISION}#90",
    ),
    Rule(
        "2",
        "75 tokens between a start and an end make a chunk, chunks lie end to end",
        (
            "test_prompts_chunks::test_seventy_five_tokens_fill_a_chunk",
            "test_prompts_chunks::test_a_chunk_is_start_tokens_end_padding",
            "test_prompts_encode::test_a_long_prompt_is_its_chunks_end_to_end",
        ),
    ),
    Rule(
        "2",
        "text behind a comma among the last twenty tokens moves to the next chunk",
        (
            "test_prompts_chunks::test_a_comma_is_near_when_it_is_among_the_last_twenty",
            "test_prompts_chunks::test_a_phrase_after_a_near_comma_is_not_torn_apart",
        ),
    ),
    Rule(
        "2",
        "BREAK, in capitals, fills a chunk up and begins another",
        ("test_prompts_chunks::test_break_fills_up_the_chunk", "test_prompts::test_the_word_break_splits_the_prompt"),
    ),
    Rule(
        "2",
        "chunks are filled with the family's own token",
        ("test_prompts_chunks::test_padding_is_the_tokenizers_own", "test_prompts_encode::test_the_second_encoder_is_padded_with_id_0"),
    ),
    Rule(
        "2",
        "the counter counts against 75, 150, 225",
        (
            "test_prompts_chunks::test_the_counter_counts_against_the_chunks_there_are",
            "test_prompts_chunks::test_a_chunk_that_was_closed_early_counts_as_full",
        ),
    ),
    Rule(
        "2",
        "clip skip takes an earlier layer, with the final norm",
        (
            "test_prompts_encode::test_clip_skip_leaves_layers_out_but_not_the_final_norm",
            "test_prompts_encode::test_clip_skip_counts_from_the_layer_of_the_family",
        ),
    ),
    Rule(
        "2",
        "SDXL's pooled vector is the first chunk's",
        ("test_prompts_encode::test_the_pooled_vector_is_the_first_chunks_and_knows_no_weights",),
    ),
    Rule(
        "2",
        "prompts of different numbers of chunks are run one by one",
        ("test_prompts_encode::test_the_shorter_conditioning_is_filled_up_with_emptiness",),
        "the shorter one is filled up with empty chunks, so that one call serves both, as A1111's pad_cond_uncond does",
        f"{DECISION}#90",
    ),
    # ---- 3. What changes from step to step, AND, add-ons, styles ------------------------------------------------------------------
    Rule(
        "3",
        "[from:to:when], [to:when], [from::when]: a number with a point is a share, one without a step",
        (
            "test_prompt_language::test_a_schedule_switches_after_a_whole_number_of_steps_or_a_share_of_them",
            "test_prompt_language::test_a_share_switches_after_so_many_of_the_calls",
            "test_prompt_schedules::test_a_schedule_draws_what_prompts_switched_by_hand_draw",
        ),
    ),
    Rule(
        "3",
        "brackets in brackets; what is not whole is words",
        ("test_prompt_language::test_changes_stand_in_one_another_and_what_is_not_whole_is_words",),
    ),
    Rule(
        "3",
        "a bar outside of brackets",
        (HERE + "test_a_bar_outside_of_brackets_is_a_word",),
        "it is a word, where A1111 makes words of all schedules around it",
        f"{DECISION}#77",
    ),
    Rule("3", "[a|b|c] takes turns", ("test_prompt_language::test_an_alternation_has_the_period_of_its_options",)),
    Rule(
        "3",
        "calls count from 0, so a first option lasts a call longer",
        (
            "test_prompt_language::test_the_first_call_has_number_zero_so_a_first_option_lasts_a_call_longer_and_an_alternation_begins_twice",
        ),
    ),
    Rule(
        "3",
        "samplers with two calls a step count calls",
        ("test_prompt_language::test_a_sampler_with_two_calls_a_step_counts_calls_so_a_number_is_reached_at_half_its_step",),
    ),
    Rule(
        "3",
        "image to image counts from 0 over the steps that were asked for",
        ("test_prompt_language::test_image_to_image_counts_from_zero_over_the_steps_that_were_asked_for",),
    ),
    Rule(
        "3",
        "in a second pass shares count from one, numbers from the first pass's steps",
        ("test_prompt_language::test_in_a_second_pass_shares_count_from_one_and_numbers_from_the_first_passes_steps",),
    ),
    Rule(
        "3",
        "AND joins prompts, each with a weight behind it",
        (
            "test_prompt_language::test_the_word_and_joins_prompts_with_a_weight_behind_each",
            "test_prompt_schedules::test_joined_prompts_push_away_from_the_negative_one_by_their_weights",
            "test_prompt_language::test_what_cannot_be_drawn_is_refused_with_a_sentence",
            HERE + "test_a_number_behind_a_prompt_weighs_only_where_and_joins",
        ),
        "at most 16 are joined, as each takes a call; a number behind a prompt counts only where AND stands",
        f"{DECISION}#77",
    ),
    Rule("3", "in the negative prompt AND is a word", ("test_prompt_language::test_in_the_negative_prompt_and_is_a_word",)),
    Rule(
        "3",
        "<lora:name:te:unet>, by place or by name; the second number is the first where it is left out",
        ("test_tags::test_the_spellings_of_other_studios_are_read",),
    ),
    Rule(
        "3",
        "dyn=, the third number",
        (HERE + "test_a_dynamic_rank_is_left_out",),
        "a rank that is cut while drawing is not read, and nothing of what else the tag says is lost",
        f"{DECISION}#90",
    ),
    Rule("3", "<hypernet:name:strength>", ("test_tags::test_tags_are_taken_in_their_order_and_the_rest_stays",)),
    Rule(
        "3",
        "tags are taken out of the text",
        ("test_tags::test_tags_are_taken_in_their_order_and_the_rest_stays", "test_resolve::test_a_tag_is_the_same_as_picking_the_lora"),
    ),
    Rule(
        "3",
        "of a job's prompts the first one's tags act on all",
        ("test_wildcard_jobs::test_a_job_of_twenty_wildcard_pictures_is_made_again_by_its_pictures_one_by_one",),
        "each picture has the LoRAs that its own words name, so alone it is the same picture",
        f"{DECISION}#72",
    ),
    Rule(
        "3",
        "a name is the file's, without its ending",
        (
            "test_resolve::test_a_lora_that_is_not_there_is_named",
            "test_resolve::test_of_two_files_of_one_name_the_one_that_fits_the_checkpoint_is_meant",
        ),
        "two files of one name are told apart instead of one being taken",
        f"{DECISION}#40",
    ),
    Rule(
        "3",
        "an embedding is named by its file, the longest name first",
        (
            "test_embeddings::test_only_whole_words_count_and_the_longest_wins",
            "test_embeddings::test_the_encoder_sees_the_vectors_in_their_places_and_forgets_them",
        ),
        "names are found as whole words and not within others",
        f"{DECISION}#42",
    ),
    Rule(
        "3",
        "a style's {prompt} is the prompt, else it goes behind",
        ("test_presets::test_words_go_before_behind_or_around_as_a1111_has_them",),
    ),
    Rule(
        "3",
        "styles act in order, on the negative prompt too",
        ("test_presets::test_several_presets_act_one_after_another_and_what_they_add_is_told_apart",),
    ),
    Rule(
        "3",
        "from # to the end of the line is a comment",
        ("test_prompt_language::test_comments_and_phrases_that_are_switched_off_are_not_said",),
    ),
)


@cache
def names_in(file: str) -> frozenset[str]:
    """The tests of a file."""
    tree = ast.parse((TESTS / f"{file}.py").read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.section}: {rule.says}")
def test_each_rule_has_tests_that_are_there_and_a_difference_has_its_reason(rule: Rule) -> None:
    assert rule.tests
    for file, name in (test.split("::") for test in rule.tests):
        assert name in names_in(file), f"{file} has no test “{name}”"
    assert bool(rule.differs) == bool(rule.see)
    page, _, decision = rule.see.partition("#")
    told = (TESTS.parent / "docs" / page).read_text("utf-8") if page else ""
    assert not decision or f"\n## {decision}. " in told


def test_every_section_has_rules_and_no_rule_stands_twice() -> None:
    assert {rule.section for rule in RULES} == {"1", "2", "3"}
    assert len({rule.says for rule in RULES}) == len(RULES)


# ---- 1. The settings text --------------------------------------------------------------------------------------------------------


def line_of(text: str) -> str:
    return text.split("\n")[-1]


def test_an_empty_negative_prompt_and_what_is_as_usual_are_not_written() -> None:
    first, last = infotext.write(TextToImage(prompt="a house", seed=1), {}).split("\n")
    assert first == "a house"
    assert [pair.split(":")[0] for pair in last.split(", ")] == [
        "Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Size", "Version",
    ]  # fmt: skip


def test_a_key_without_a_value_is_passed_by() -> None:
    read = infotext.parse("x\nSteps: 25, Sampler: Euler, Tiling, Seed: 7, Size: 64x64")
    assert (read.values["steps"], read.values["seed"], read.values["width"], read.notes) == (25, 7, 64, ())


def test_a_quoted_value_keeps_its_letters() -> None:
    text = infotext.write(TextToImage(prompt="x", seed=1), {"Model": 'snow, 雪: "é" 👩\u200d👧'})
    assert 'Model: "snow, 雪: \\"é\\" 👩\u200d👧"' in text
    assert infotext.parse(text).leftovers["Model"] == 'snow, 雪: "é" 👩\u200d👧'


def test_the_keys_stand_in_the_order_of_others() -> None:
    request = ImageToImage(prompt="x", seed=1, clip_skip=2, variation_strength=0.2, variation_seed=3, image="ab" * 32)
    told = infotext.write(request, {"Model": "m", "Model hash": "0123456789", "VAE": "v", "VAE hash": "9876543210", "Lora hashes": "a"})
    keys = [pair.split(":")[0] for pair in line_of(told).split(", ")]
    theirs = [
        "Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Size", "Model hash", "Model", "VAE hash", "VAE", "Variation seed",
        "Variation seed strength", "Denoising strength", "Clip skip", "Init image hash", "Lora hashes", "Version",
    ]  # fmt: skip
    assert [key for key in keys if key in theirs] == theirs


@pytest.mark.parametrize(
    ("sampler", "schedule"), [("DPM++ 2M", "Karras"), ("DPM++ SDE", "Karras"), ("DPM++ 2M SDE", "Karras"), ("Euler a", "Normal")]
)
def test_automatic_stands_for_the_schedule_that_others_would_write(sampler: str, schedule: str) -> None:
    """For Euler a that is A1111's own “Automatic”, which is the plain one of the model's levels."""
    assert resolve_schedule(sampler, "Automatic") == schedule
    assert "Schedule type: Automatic" in infotext.write(TextToImage(prompt="x", seed=1, sampler=sampler), {})
    assert infotext.parse(f"x\nSteps: 20, Sampler: {sampler}, Schedule type: Karras, Seed: 1").values["schedule"] == "Karras"


def test_what_nothing_here_stands_for_is_named() -> None:
    text = "x\nSteps: 20, Sampler: Euler, Seed: 1, Size: 64x64, RNG: NV, ENSD: 31337, Token merging ratio: 0.5, Emphasis: No norm"
    [note] = request_of(infotext.parse(text)).notes
    assert all(key in note for key in ("RNG", "ENSD", "Token merging ratio", "Emphasis"))


def test_what_a_text_leaves_out_is_as_usual() -> None:
    found = request_of(infotext.parse("x\nSteps: 20, Sampler: Euler a, Seed: 1")).request
    assert isinstance(found, TextToImage)
    assert (found.clip_skip, found.schedule, found.hires, found.vae, found.refiner) == (1, "Automatic", False, "", "")
    passes = request_of(infotext.parse("x\nSteps: 20, Sampler: Euler a, Seed: 1, Hires upscale: 2")).request
    assert isinstance(passes, TextToImage) and passes.hires
    assert (passes.hires_sampler, passes.hires_schedule, passes.hires_checkpoint, passes.hires_width) == ("", "", "", 0), "as in the first"
    painted = request_of(infotext.parse("x\nSteps: 20, Sampler: Euler a, Seed: 1, Mask blur: 4")).request
    assert isinstance(painted, Inpaint)
    assert (painted.masked_content, painted.area, painted.padding, painted.inverted) == ("Original", "Whole picture", 32, False)


def test_a_text_of_an_old_version_is_read_in_the_language_of_today() -> None:
    text = "[a:b:1.5]\nSteps: 20, Sampler: Euler a, Seed: 1, Refiner: two, Refiner switch at: 0.6, Version: v1.5.0"
    found = request_of(infotext.parse(text)).request
    assert isinstance(found, TextToImage)
    assert (found.language, found.refiner_start) == (WHOLE_LANGUAGE, 0.6)


def test_texts_of_a_picture_that_is_drawn_over_are_left_behind(tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 8))
    image.info |= {"Author": "somebody else", "prompt": "{}"}
    texts = texts_in(Outputs(tmp_path).save(image, TextToImage(prompt="x", seed=1), {}))
    assert {"atelier", "parameters"} <= {*texts} and not {"Author", "prompt"} & {*texts}


# ---- 2. Weights --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("outer", "inner"), [(2, 1.5), (0.5, -1), (1.1, 1.1)])
def test_weights_of_brackets_in_one_another_multiply(outer: float, inner: float) -> None:
    runs = {run.text.strip(): run.weight for run in parse(f"(a (b:{inner}) c:{outer})").runs}
    assert runs == pytest.approx({"a": outer, "b": outer * inner, "c": outer})


def test_neighbours_of_one_weight_are_one_run() -> None:
    assert [(run.text, round(run.weight, 4)) for run in parse("(a)(b)[c][d](e:1)f").runs] == [("ab", 1.1), ("cd", 0.9091), ("ef", 1)]


# ---- 3. Changes, AND, tags ---------------------------------------------------------------------------------------------------------


def test_a_bar_outside_of_brackets_is_a_word() -> None:
    assert schedule("a|b [c:d:2]", Pass(4)).texts == ("a|b c", "a|b d")


def test_a_number_behind_a_prompt_weighs_only_where_and_joins() -> None:
    assert [(said.weight, said.text) for said in schedule("a house, 16:9", Pass(1)).at(0)] == [(1, "a house, 16:9")]
    assert [said.weight for said in schedule("a house :0.5 AND snow", Pass(1)).at(0)] == [0.5, 1]


@pytest.mark.parametrize("tag", ["<lora:ink:0.5:0.8:4>", "<lora:ink:0.5:0.8:dyn=4>", "<lora:ink:te=0.5:unet=0.8:dyn=4>"])
def test_a_dynamic_rank_is_left_out(tag: str) -> None:
    assert take_tags(tag) == ("", [Tag("lora", "ink", 0.8, 0.5)])


# ---- Every construct in every prompt ---------------------------------------------------------------------------------------------

SHELF = Shelf([Collection("things", [("c", 1), ("d", 1)])])
BOX = DetailBox(right=64, bottom=64)
# A text -> what is said of it, at first and at last; joined prompts have a bar between them.
CONSTRUCTS = {
    "(a:1.2) [b]": ("(a:1.2) [b]", "(a:1.2) [b]"),  # weights are left for the encoders
    "[a:b:WHEN]": ("a", "b"),
    "[a|b]": ("a", "b"),
    "a BREAK b": ("a BREAK b", "a BREAK b"),
    "a # b": ("a ", "a "),
    "a, ~~b~~": ("a", "a"),
    "{c|d}": ("c or d", "c or d"),
    "__things__": ("c or d", "c or d"),
    "${x=!{c|d}}${x}": ("c or d", "c or d"),
    "a AND b": ("a | b", "a | b"),
}
JOINS = {
    "prompt": True,
    "negative_prompt": False,
    "second_prompt": False,
    "hires_prompt": True,
    "hires_negative_prompt": False,
    "box": True,
}


def said_in(place: str, text: str) -> list[tuple[str, ...]]:
    """What is said at each call of the pass that reads this prompt, of the words that the seed draws of it."""
    text = text.replace("WHEN", "1.5" if place.startswith("hires") else "0.5")
    if place == "box":
        [single] = unroll(with_words(Details(steps=8, seed=3, boxes=(replace(BOX, prompt=text),)), SHELF))
        assert isinstance(single, Details)
        asked = asked_by(run_of(single, single.boxes[0]))
        return [tuple(said.text for said in asked.prompt.at_call(call)) for call in range(asked.prompt.over.calls)]
    typed = TextToImage(prompt="p", steps=8, seed=3, hires=True)
    [single] = unroll(with_words(replace(typed, **{place: text}), SHELF))
    assert isinstance(single, TextToImage)
    drawn = replace(unsized(single), first=(first_pass(single, ""),)) if place.startswith("hires") else single
    own = asked_by(drawn)
    read = {"prompt": own.prompt, "negative_prompt": own.negative, "second_prompt": own.second}[place.removeprefix("hires_")]
    assert read
    return [tuple(said.text for said in read.at_call(call)) for call in range(read.over.calls)]


@pytest.mark.parametrize("place", JOINS)
@pytest.mark.parametrize("text", CONSTRUCTS)
def test_every_construct_is_read_in_every_prompt(text: str, place: str) -> None:
    """AND alone is a word where nothing is joined. A share in a second pass counts from one."""
    first, last = CONSTRUCTS[text] if JOINS[place] or "AND" not in text else (text, text)
    calls = said_in(place, text)
    for said, expected in ((calls[0], first), (calls[2] if "|b]" in text else calls[-1], last)):
        if expected == "c or d":
            assert said in (("c",), ("d",))
        else:
            assert " | ".join(part.strip() for part in said) == expected.strip()
