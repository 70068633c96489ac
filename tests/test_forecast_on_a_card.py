"""What the starter model takes of a pretended card, from the first byte to the finished picture, against what was forecast of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from models.files import ModelFile
from models.library.catalog import Catalog
from models.memory.device import choose
from models.memory.forecast import Machine, forecast
from pipelines.images.store import Inputs
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.request import Controlled, Drawing, ImageToImage, TextToImage
from pipelines.resolving.forecast import work_of
from pipelines.runtime.runner import OWN, ModelRunner
from tests.support.drawing import blots
from tests.support.faults import pictures
from tests.support.pretended_device import NAME, Card, pretended_card

GB = 10**9
MACHINE = Machine(host=4 * GB, device=4 * GB, element_size=2, one_by_one=False)
SIDE = 128
SAME: dict[str, Any] = {"prompt": "a red house", "steps": 1, "seed": 5, "width": SIDE, "height": SIDE}


@pytest.fixture
def card() -> Iterator[Card]:
    with pretended_card() as card:
        yield card


@pytest.fixture
def runner(card: Card, tmp_path_factory: pytest.TempPathFactory) -> ModelRunner:
    return ModelRunner(Catalog(OWN), choose(NAME), MACHINE, Inputs(tmp_path_factory.mktemp("inputs")))


def text(runner: ModelRunner) -> Drawing:
    return TextToImage(**SAME, batch_size=3)


def picture(runner: ModelRunner) -> Drawing:
    return ImageToImage(**SAME, image=runner.inputs.keep(blots((SIDE, SIDE))))


def control(runner: ModelRunner) -> Drawing:
    unit = ControlUse(id=named(runner, "outlines").id, image=runner.inputs.keep(blots((SIDE, SIDE))), preprocessor="Canny")
    return Controlled(**SAME, controls=(unit,), batch_size=4)


def named(runner: ModelRunner, name: str) -> ModelFile:
    return next(file for file in runner.catalog.models() if file.called == name)


@pytest.mark.parametrize("drawing", [text, picture, control])
def test_the_peak_is_within_the_forecast_and_not_far_below_it(drawing: Any, card: Card, runner: ModelRunner) -> None:
    request = drawing(runner)
    predicted = forecast(work_of(request, runner.catalog, MACHINE), MACHINE, GB)
    assert len(pictures(runner, request)) == request.picture_count
    weights = sum(line.bytes for line in runner.ledger)
    assert 0.95 * predicted.weights < weights <= predicted.weights
    assert predicted.work / 2 < card.peak - weights <= predicted.work


def test_what_a_drawing_took_is_given_back(card: Card, runner: ModelRunner) -> None:
    left: list[int] = []
    for _ in range(2):
        pictures(runner, text(runner))
        left.append(card.bytes)
    assert left[0] == left[1] == pytest.approx(sum(line.bytes for line in runner.ledger), rel=0.01)
