"""All recipes on a pretended card in half precision, whole, part by part and layer by layer, against the host in float32.

What is added to `DRAWN` needs a drawing in the table of tests/support/card_toys.py, which then runs here.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from PIL import Image

from models.memory.device import choose
from models.memory.forecast import Machine, working_memory
from pipelines.jobs.events import Picture, Step
from pipelines.requests.request import Drawing, TextToImage
from pipelines.resolving.forecast import work_of
from pipelines.runtime.runner import ModelRunner
from pipelines.tasks.recipes import DRAWN
from tests.support.card_toys import DRAWINGS, GB, Library, Workshop, given, networks_of, write_library
from tests.support.drawing import SAMPLER_KINDS, levels
from tests.support.pretended_device import NAME, Card, pretended_card
from tests.support.toy_weights import CPU

CARD = Machine(host=GB, device=GB, element_size=2, one_by_one=False)
TIERS = ("whole", "part by part", "layer by layer")
MOST_LEVELS = 8  # of 255 between half precision and float32
TRAVEL = "copy to the card"  # of weights, where they do not stay there


@dataclass
class Run:
    """What came of one drawing, and what it cost."""

    pictures: list[Image.Image] = field(default_factory=list)
    steps: list[list[str]] = field(default_factory=list)  # of each step but a run's first: what the host waited for
    previews: list[list[str]] = field(default_factory=list)  # of each look at a preview
    besides: list[str] = field(default_factory=list)  # to prepare, for the first step and to finish
    tiers: set[str] = field(default_factory=set)  # where the networks were
    weights: int = 0  # bytes that stayed on the card
    peak: int = 0


class Runs:
    """Each drawing is run once in each way, whatever asks for it."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self.plain = library.runner(CPU, Machine(host=GB))
        workshop = Workshop(self.plain)
        drawings = {name: drawing(workshop) for name, drawing in DRAWINGS.items()}
        self.requests = {name: replace(drawing, steps=drawing.steps - (drawing.steps == 3)) for name, drawing in drawings.items()}
        self._made: dict[tuple[Drawing, str], Run] = {}
        self._by_layers: ModelRunner | None = None

    def of(self, request: Drawing, tier: str) -> Run:
        key = request, tier
        if key not in self._made:
            self._made[key] = self._run(request, tier)
        return self._made[key]

    def _run(self, request: Drawing, tier: str) -> Run:
        if tier not in TIERS:
            return _drawn(self.plain, request, Card())
        if tier == "layer by layer":
            return self._in_layers(request)
        return self.on_card(request, self._room(request, tier))

    def _in_layers(self, request: Drawing) -> Run:
        """All by one runner, which reads each model once: none stays on the card, so all room that a drawing takes there is counted."""
        with pretended_card() as card:
            self._by_layers = self._by_layers or self._library.runner(choose(NAME), replace(CARD, device=1))
            run = _drawn(self._by_layers, request, card)
        gc.collect()
        return run

    def on_card(self, request: Drawing, room: int, memory: float = float("inf")) -> Run:
        """`room`: bytes that the studio believes the card to have; `memory`: those that it has."""
        with pretended_card(memory) as card:
            run = _drawn(self._library.runner(choose(NAME), replace(CARD, device=room)), request, card)
        gc.collect()
        return run

    def _room(self, request: Drawing, tier: str) -> int:
        """Bytes of the card in which the networks just run so."""
        if tier == "part by part":
            largest = max(sum(weight.numel() for weight in network.parameters()) for network in self.networks(request))
            return largest * CARD.element_size + working_memory(work_of(request, self.plain.catalog, CARD), CARD)
        return GB

    def networks(self, request: Drawing) -> list[Any]:
        with self.plain.lent(request) as model:
            return networks_of(model)


def _drawn(runner: ModelRunner, request: Drawing, card: Card) -> Run:
    run = Run()
    for batch in runner.batches(request):
        before = None
        for event in batch:
            if isinstance(event, Step):
                _note(run, event, card, isinstance(before, Step))
            elif isinstance(event, Picture):
                run.pictures.append(event.image)
            run.besides += card.waited
            before = event
            card.waited.clear()
    drawn_with = [line for line in runner.ledger if line.kind in ("checkpoint", "vae", "control")]
    run.tiers = {line.tier for line in drawn_with}
    run.weights, run.peak = sum(line.bytes for line in drawn_with if line.tier == "device"), card.peak
    return run


def _note(run: Run, step: Step, card: Card, follows: bool) -> None:
    """`follows`: nothing but this step has happened since the one before."""
    if follows:
        run.steps.append(list(card.waited))
    else:
        run.besides += card.waited
    card.waited.clear()
    step.preview()
    run.previews.append(list(card.waited))
    card.waited.clear()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    yield Runs(write_library(tmp_path_factory.mktemp("library")))


def off_by(one: Run, other: Run) -> int:
    """Levels of 255 by which the pictures of two runs differ at most."""
    pairs = zip(one.pictures, other.pictures, strict=True)
    return max(int((levels(ours) - levels(theirs)).abs().max()) for ours, theirs in pairs)


def test_every_recipe_runs_here(runs: Runs) -> None:
    assert {request.kind for request in runs.requests.values()} == set(DRAWN)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name", DRAWINGS)
def test_the_picture_is_that_of_the_host(name: str, tier: str, runs: Runs) -> None:
    request = runs.requests[name]
    run = runs.of(request, tier)
    assert run.tiers == {"device" if tier == "whole" else "host"}
    assert off_by(run, runs.of(request, "host")) <= MOST_LEVELS


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name", DRAWINGS)
def test_a_step_waits_for_the_card_once_and_a_preview_once(name: str, tier: str, runs: Runs) -> None:
    run = runs.of(runs.requests[name], tier)
    assert run.steps and most_waits(run.steps, tier) == 1 == most_waits(run.previews, tier), (run.steps, run.previews)


def most_waits(noted: list[list[str]], tier: str) -> int:
    """At one time. Weights that do not stay on the card travel: that is what such a step is about."""
    return max(sum(tier == "whole" or what != TRAVEL for what in waited) for waited in noted)


@pytest.mark.parametrize("name", SAMPLER_KINDS)
def test_every_kind_of_sampler_draws_there_and_waits_once_a_step(name: str, runs: Runs) -> None:
    request = TextToImage(**given(sampler=name, steps=4))
    run = runs.of(request, "whole")
    assert off_by(run, runs.of(request, "host")) <= MOST_LEVELS
    assert len(run.steps) == 3
    assert most_waits(run.steps, "whole") == 1, run.steps


ASKED = {  # whether numbers are finite: after the first step, of a picture to begin with and of each that is drawn; and what is copied back
    "text": (1 + 2, 2),
    "text, with all that is added": (1 + 1, 1 + 1),  # the weights that a LoRA changed, all at once
    "SDXL with its refiner": (1 + 1, 1),
    "depth": (1 + 1 + 1, 1 + 1),  # the depths
}


@pytest.mark.parametrize("name", ASKED)
def test_what_the_host_knows_is_not_asked_of_the_card(name: str, runs: Runs) -> None:
    besides = runs.of(runs.requests[name], "whole").besides
    assert (besides.count("_local_scalar_dense"), besides.count("copy to the host")) == ASKED[name]


@pytest.mark.parametrize("name", DRAWINGS)
def test_what_does_not_stay_on_the_card_takes_no_room_there(name: str, runs: Runs) -> None:
    """Beside what is computed: all networks, the largest one, or its largest layer and the one that is on its way."""
    request = runs.requests[name]
    whole, parts, layers = (runs.of(request, tier) for tier in TIERS)
    computed, networks = whole.peak - whole.weights, runs.networks(request)
    largest = max(bytes_of(network) for network in networks)
    second, layer = sorted(bytes_of(module, recurse=False) for network in networks for module in network.modules())[-2:]
    buffers = sum(buffer.nbytes for network in networks for buffer in network.buffers())
    assert largest < parts.peak <= largest + computed
    assert layer < layers.peak <= layer + second + buffers + computed


def bytes_of(module: Any, recurse: bool = True) -> int:
    return sum(weight.numel() * CARD.element_size for weight in module.parameters(recurse))


def test_on_a_card_that_is_smaller_than_it_said_the_rest_is_drawn_part_by_part(runs: Runs) -> None:
    request = runs.requests["control of the picture"]
    whole = runs.of(request, "whole")
    run = runs.on_card(request, GB, memory=whole.peak - 1)
    assert run.tiers == {"host"} and run.peak < whole.peak and len(run.pictures) == 2
    assert off_by(run, runs.of(request, "host")) <= MOST_LEVELS
