"""Kernels of attention on a pretended card: what gives no numbers is given up for a more careful one, and the picture's record says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from models.errors import Overflow
from models.library.catalog import Catalog
from models.memory.device import ATTENTION, ATTENTIONS, choose, more_careful
from models.memory.forecast import Machine
from pipelines.images.store import Inputs
from pipelines.inside.again import Record, reasons
from pipelines.jobs.events import Picture, Step
from pipelines.requests.request import TextToImage
from pipelines.runtime.runner import ModelRunner
from tests.support.drawing import levels
from tests.support.pretended_device import NAME, Card, pretended_card
from tests.support.toy_weights import CPU, write_toy_model

GB = 10**9
REQUEST = TextToImage(prompt="a red house", steps=2, seed=5, width=64, height=64, batch_count=2)


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_model(tmp_path_factory.mktemp("toys") / "starter")


@pytest.fixture
def card() -> Iterator[Card]:
    with pretended_card() as card:
        yield card


def drawn(starter: Path, request: TextToImage = REQUEST) -> tuple[list[Picture], int]:
    """The pictures, and how many steps were made for them."""
    machine = Machine(host=GB, device=GB, element_size=2, one_by_one=False)
    runner = ModelRunner(Catalog(starter), choose(NAME), machine, Inputs(starter.parent / "inputs"))
    events = [event for batch in runner.batches(request) for event in batch]
    return [event for event in events if isinstance(event, Picture)], sum(isinstance(event, Step) for event in events)


def test_a_kernel_that_gives_no_numbers_is_given_up_for_the_rest_of_the_job(card: Card, starter: Path) -> None:
    usual, steps = drawn(starter)
    card.flawed = True
    careful, again = drawn(starter)
    apart = [int((levels(one.image) - levels(other.image)).abs().max()) for one, other in zip(usual, careful, strict=True)]
    assert max(apart) <= 2, "levels of 255: the same but for the order of sums, and no words that were read as no numbers"
    assert [picture.made_with["Attention"] for picture in (*usual, *careful)] == ["fastest"] * 2 + ["memory-efficient"] * 2
    assert again == steps, "not a step was shown whose numbers were none, and the second batch began with what had worked"
    assert torch.backends.cuda.flash_sdp_enabled(), "the next job begins with the fastest"


def test_where_no_kernel_helps_it_is_said_once(card: Card, starter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    enter = ATTENTION.enter
    monkeypatch.setattr(ATTENTION, "enter", lambda way, timeout=None: tried.append(way) or enter(way, timeout))
    card.flawed = True
    monkeypatch.setattr("torch.backends.cuda.flash_sdp_enabled", lambda: True)
    with pytest.raises(Overflow, match="UNet"):
        drawn(starter)
    assert tuple(tried) == ATTENTIONS


def test_a_processor_has_no_kernels_to_choose() -> None:
    assert more_careful("fastest", CPU) is None


def test_made_again_names_the_kernels_where_they_are_others() -> None:
    record = Record(REQUEST, {"Attention": "plain", "Number type": "float16"}, (), Path())
    assert list(reasons(record, {"Attention": "fastest", "Number type": "float16"})) == ["Attention: plain then, fastest here."]
