"""Memory runs out in the middle of a job, or there was never enough: the picture comes all the same, or advice does.

The real painter on toy weights. Where a test speaks of a device with its own memory, that memory is the CPU's as well: moves are
copies from one place to another, so what is moved when, and that nothing else changes, is seen here; the speed of a card is not.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch

from models.errors import UserError
from models.library.catalog import STARTER
from models.memory.forecast import Machine, working_memory
from models.memory.offload import in_turn
from models.patches import lora
from pipelines.denoising.vae_decode import SMALL_TILE
from pipelines.resolving.forecast import work_of
from pipelines.runtime.runner import ModelRunner
from tests.support.faults import (
    CARD,
    GB,
    HOST_ALONE,
    REQUEST,
    Files,
    draw,
    expected,
    files,
    ink,
    open_toys,
    originals,
    other,
    pictures,
    runner,
)
from tests.test_memory import out_of_memory_errors

FULL = RuntimeError("CUDA error: out of memory")

__all__ = ["expected", "files", "originals", "runner"]  # fixtures

# ------------------------------------------------------------------------------------------------ memory runs out


@dataclass
class Trap:
    """Raises in chosen calls of a network, counted from 1, and remembers whether what it saw then is still alive."""

    error: BaseException
    fatal: Callable[[int], bool]
    calls: int = 0
    seen: weakref.ref[Any] | None = None
    outlived: bool = False

    def __call__(self, module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        self.calls += 1
        if self.seen:
            gc.collect()
            self.outlived |= self.seen() is not None
            self.seen = None
        if self.fatal(self.calls):
            self.seen = weakref.ref(inputs[0].untyped_storage())
            raise self.error


def set_trap(runner: ModelRunner, part: str, fatal: Callable[[int], bool], error: BaseException = FULL) -> Trap:
    trap = Trap(error, fatal)
    with runner.model(STARTER) as model:
        module = model.unet if part == "unet" else model.vae.decoder
        module.register_forward_pre_hook(trap)
    return trap


@pytest.mark.parametrize("error", out_of_memory_errors(), ids=lambda error: f"{type(error).__name__} {str(error)[:24]}")
def test_f01_f02_a_step_that_runs_out_of_memory_is_tried_again_and_draws_the_same(
    files: Files, expected: list[bytes], error: BaseException
) -> None:
    runner = open_toys(files, CARD if "CUDA" in str(error) else HOST_ALONE)
    trap = set_trap(runner, "unet", lambda call: call == 2, error)
    assert draw(runner) == expected
    assert not trap.outlived, "the tensors of the failed attempt were still in memory in the second one"
    assert draw(runner) == expected


def test_f01_batches_that_are_drawn_already_are_not_drawn_again(runner: ModelRunner, files: Files) -> None:
    request = replace(REQUEST, batch_count=3)
    whole = draw(open_toys(files), request)
    trap = set_trap(runner, "unet", lambda call: call == 2 * REQUEST.steps + 2)  # in the third batch
    assert draw(runner, request) == whole
    assert trap.calls == 3 * REQUEST.steps + 2


def test_f04_a_second_failure_ends_the_job_with_advice(runner: ModelRunner, expected: list[bytes]) -> None:
    trap = set_trap(runner, "unet", lambda call: call in (2, 4))
    with pytest.raises(UserError, match="not enough memory") as refusal:
        draw(runner)
    assert "smaller size than 64 x 64" in str(refusal.value) and trap.calls == 4
    assert refusal.value.__context__ is None
    assert draw(runner) == expected


def test_f03_decoding_that_runs_out_of_memory_goes_on_in_smaller_tiles(
    files: Files, runner: ModelRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = replace(REQUEST, width=320, height=384)
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.denoising.vae_decode.TILE", SMALL_TILE)
        reference = draw(open_toys(files), request)
    steps, decodes = set_trap(runner, "unet", lambda call: False), set_trap(runner, "vae", lambda call: call == 1)
    picture = pictures(runner, request)[0]
    assert [picture.image.tobytes()] == reference
    assert steps.calls == request.steps, "the latents were not kept"
    assert decodes.calls > 2 and not decodes.outlived
    assert picture.made_with["VAE tile"] == "256"
    assert draw(open_toys(files), picture.request) == reference, "made again where memory does not run out"


def test_f04_decoding_that_never_fits_ends_with_advice(runner: ModelRunner) -> None:
    trap = set_trap(runner, "vae", lambda call: True)
    with pytest.raises(UserError, match="not enough memory"):
        draw(runner, replace(REQUEST, width=512))
    assert trap.calls <= 4


def test_f05_a_model_that_does_not_fit_beside_another_is_loaded_without_it(files: Files, runner: ModelRunner) -> None:
    request = replace(REQUEST, checkpoint=other(runner))
    whole = draw(open_toys(files), request)
    draw(runner)
    load, tries = runner.manager._load, []

    def crowded(key: Any) -> Any:
        tries.append(key)
        if len(runner.ledger) > 0:
            raise MemoryError
        return load(key)

    runner.manager._load = crowded
    assert draw(runner, request) == whole
    assert len(tries) == 2


def test_f05_a_model_that_does_not_fit_at_all_is_refused_and_the_next_job_works(
    runner: ModelRunner, expected: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(key: Any) -> Any:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(runner.manager, "_load", full)
        with pytest.raises(UserError, match="not enough memory"):
            draw(runner, replace(REQUEST, checkpoint=other(runner)))
    assert runner.ledger == ()
    assert draw(runner) == expected


def test_f05_patching_that_runs_out_of_memory_is_tried_again_too(
    files: Files, runner: ModelRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = replace(REQUEST, loras=(ink(runner),))
    whole, tries, delta = draw(open_toys(files), request), [], lora.weight_delta

    def crowded(*given: Any) -> torch.Tensor:
        tries.append(1)
        if len(tries) == 1:
            raise FULL
        return delta(*given)

    monkeypatch.setattr(lora, "weight_delta", crowded)
    assert draw(runner, request) == whole
    assert len(tries) == 2


# ------------------------------------------------------------------------------------------------ two tiers


def largest_network(runner: ModelRunner) -> tuple[int, int]:
    """Bytes of the whole model and of its largest network."""
    with runner.model(STARTER) as model:
        parts = [model.unet, model.vae, *(encoder.network for encoder in model.text_encoders)]
        sizes = [sum(weight.nbytes for weight in part.parameters()) for part in parts]
    return sum(sizes), max(sizes)


@pytest.mark.parametrize("with_lora", [False, True])
@pytest.mark.parametrize("room", ["for the whole", "for a part", "for less than a part"])
def test_the_picture_is_the_same_whatever_fits_the_device(
    files: Files, room: str, with_lora: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = open_toys(files)
    request = replace(REQUEST, loras=(ink(plain),) if with_lora else ())
    whole, part = largest_network(plain)
    pictures = working_memory(work_of(request, plain.catalog, CARD), CARD)
    device = {"for the whole": whole + GB, "for a part": part + pictures, "for less than a part": 1}[room]
    runner = open_toys(files, Machine(host=GB, device=device))
    calls: list[bool] = []
    ways: list[bool] = []

    def noted(networks: Any, device: Any, layer_by_layer: bool) -> Any:
        ways.append(layer_by_layer)
        return in_turn(networks, device, layer_by_layer)

    monkeypatch.setattr("pipelines.runtime.lending.in_turn", noted)
    with runner.model(STARTER) as model:
        first: Any = model.unet.conv_in
        home = first.weight.data_ptr()
        first.register_forward_hook(lambda module, *_: calls.append(module.weight.data_ptr() == home))
    ways.clear()
    assert draw(runner, request) == draw(plain, request)
    assert calls and (room == "for the whole" or not any(calls))
    assert set(ways) == {"for the whole": set(), "for a part": {False}, "for less than a part": {True}}[room]
    assert [line.tier for line in runner.ledger if line.kind == "checkpoint"] == ["device" if room == "for the whole" else "host"]


def test_swapping_between_two_models_in_the_host_loads_nothing(files: Files) -> None:
    runner = open_toys(files)
    whole, _ = largest_network(runner)
    runner = open_toys(files, Machine(host=GB, device=int(whole * 1.5) + 40_000_000))
    second = replace(REQUEST, checkpoint=other(runner))
    first_pictures, second_pictures = draw(runner), draw(runner, second)

    def refuse(key: Any) -> Any:
        raise AssertionError(f"{key} was loaded again")

    runner.manager._load = refuse
    assert (draw(runner), draw(runner, second)) == (first_pictures, second_pictures)
