"""Requests: limits, what comes from outside, and the way into metadata and back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import UserError
from pipelines.requests.fields import Choice, Range
from pipelines.requests.request import KINDS, SEEDS, TextToImage, describe, limits, restore, unroll
from pipelines.samplers import SAMPLERS

pytestmark = pytest.mark.smoke


def test_a_request_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TextToImage().steps = 3  # type: ignore[misc]


@given(prompt=st.text(max_size=300), seed=st.integers(-1, SEEDS - 1), steps=st.integers(1, 150), guidance=st.floats(0, 30))
def test_a_request_comes_back_from_json_as_it_was(prompt: str, seed: int, steps: int, guidance: float) -> None:
    request = TextToImage.admit({"prompt": prompt, "seed": seed, "steps": steps, "guidance_scale": guidance})
    assert restore(json.loads(json.dumps(describe(request)))) == request


@pytest.mark.parametrize("kind", KINDS.values())
def test_every_default_is_within_its_own_limits(kind: type[TextToImage]) -> None:
    assert kind.admit({item.name: item.default for item in dataclasses.fields(kind)}) == kind()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0), ("steps", -1), ("steps", 151), ("steps", 1.5), ("steps", "3"), ("steps", True), ("steps", None),
        ("guidance_scale", float("nan")), ("guidance_scale", float("inf")), ("guidance_scale", -5), ("guidance_scale", 1e30),
        ("width", 0), ("width", -8), ("width", 1), ("height", 100_000), ("width", "512"),
        ("batch_size", 0), ("batch_count", 1_000_000), ("seed", -2), ("seed", SEEDS), ("seed", 1.5), ("seed", "abc"),
        ("prompt", None), ("prompt", 5), ("prompt", {}), ("prompt", ["a"]), ("prompt", "x" * 100_001), ("height", 4097 + 8),
        ("sampler", "Sleepwalk"), ("schedule", 3), ("checkpoint", ["starter"]), ("colour", "red"),
    ],
)  # fmt: skip
def test_what_is_out_of_its_limits_is_refused_with_a_sentence(field: str, value: Any) -> None:
    with pytest.raises(UserError) as refused:
        TextToImage.admit({field: value})
    assert str(refused.value)[0].isupper() and str(refused.value).endswith(".")


def test_sizes_are_put_on_multiples_of_eight() -> None:
    request = TextToImage.admit({"width": 65, "height": 127})
    assert (request.width, request.height) == (64, 128)


def test_an_area_that_is_too_large_is_refused_in_megapixels() -> None:
    with pytest.raises(UserError, match="megapixels"):
        TextToImage.admit({"width": 4096, "height": 2048})


def test_seeds_are_kept_to_the_last_digit() -> None:
    for seed in (0, 2**32 - 1, 2**32, 2**53 + 1, SEEDS - 1):
        assert TextToImage.admit({"seed": seed}).seed == seed


def test_text_loses_only_what_cannot_be_stored() -> None:
    assert TextToImage.admit({"prompt": "a\0b\ud800 👩‍👩‍👧 \u202eRTL"}).prompt == "ab 👩‍👩‍👧 \u202eRTL"


def test_unrolled_requests_draw_one_picture_each_with_seeds_in_order() -> None:
    singles = unroll(TextToImage(seed=SEEDS - 2, batch_count=2, batch_size=2))
    assert [single.seed for single in singles] == [SEEDS - 2, SEEDS - 1, 0, 1]
    assert all(single.picture_count == 1 for single in singles)


def test_every_number_has_a_range_with_its_default_inside() -> None:
    for name, limit in limits(TextToImage).items():
        if isinstance(limit, Range):
            assert limit.low <= getattr(TextToImage(), name) <= limit.high


def test_the_samplers_that_can_be_chosen_are_those_of_the_table() -> None:
    limit = limits(TextToImage)["sampler"]
    assert isinstance(limit, Choice)
    assert limit.names == tuple(SAMPLERS)


@pytest.mark.parametrize("values", [{}, {"kind": "sculpture"}, {"kind": 5}, {"kind": "txt2img", "steps": "many"}])
def test_metadata_that_is_not_ours_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        restore(values)
