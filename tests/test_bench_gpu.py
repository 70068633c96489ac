"""The bench for a card, in its reduced form: all of it runs on a processor, and it refuses to compare times of unequal pictures."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from bench import gpu
from bench.gpu_models import REDUCED


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:__array__:DeprecationWarning")  # diffusers, of the toy's schedule
def test_everything_that_it_measures_runs_here(capsys: pytest.CaptureFixture[str]) -> None:
    rows = gpu.measured(replace(REDUCED, sides={"sd1": 64}))
    what = ["picture", "batch of 2", "2 steps, no guidance", "every step looked at", "with a LoRA", "first picture"]
    assert [row.name for row in rows] == [*(f"sd1: {each}{_against(each)}" for each in what), "sd1: A-B-A / A-A-A"]
    assert all(math.isfinite(row.median) and row.seconds > 0 for row in rows)
    assert "MB beside the weights, forecast" in capsys.readouterr().out


def _against(what: str) -> str:
    return " / sd1: picture" if what in ("every step looked at", "with a LoRA") else ", Atelier / diffusers"


def test_times_of_unequal_pictures_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.support.drawing import blots

    monkeypatch.setattr(gpu, "ours", lambda *_: [blots((16, 16))])
    monkeypatch.setattr(gpu, "theirs", lambda *_: [blots((16, 16), 2)])
    nothing: Any = None
    with pytest.raises(AssertionError, match="differ"):
        gpu.check_equal(_Pair(), nothing, "sd1")  # pyright: ignore[reportArgumentType]


class _Pair:
    runner = pipeline = None
