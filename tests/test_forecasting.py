"""A request and the sizes of the files that it names, as what it will take of the memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from models.errors import UserError
from models.memory.forecast import Machine
from models.memory.manager import Key, LedgerLine
from pipelines.requests.request import Controlled, ControlUse, ImageToImage, LoraUse, SecondPass, TextToImage
from pipelines.resolving.forecast import available, forecast_of, work_of

GB = 10**9
CARD = Machine(host=32 * GB, device=8 * GB, element_size=2, one_by_one=False)


@dataclass
class ToyShelf:
    """Checkpoints by id as (family, bytes of the file), and the bytes of other files."""

    checkpoints: dict[str, tuple[str, int]] = field(default_factory=lambda: {"starter": ("sd1", 46_000_000), "sd": ("sd1", 2_132_000_000)})
    files: dict[str, int] = field(default_factory=lambda: {"ink": 40_000_000, "warm": 335_000_000, "slim": 2_000_000})

    def checkpoint(self, checkpoint_id: str) -> Any:
        if checkpoint_id not in self.checkpoints:
            raise UserError("gone")
        family, size = self.checkpoints[checkpoint_id]
        return SimpleNamespace(family_key=family, file=SimpleNamespace(size=size))

    def model(self, model_id: str) -> Any:
        return SimpleNamespace(size=self.files[model_id])


def test_the_weights_are_those_of_everything_that_is_named() -> None:
    plain = work_of(TextToImage(checkpoint="sd"), ToyShelf(), CARD)
    full = work_of(TextToImage(checkpoint="sd", vae="warm", refiner="starter", loras=(LoraUse(id="ink"),)), ToyShelf(), CARD)
    assert plain.weights == pytest.approx(2.132 * GB, rel=0.01) and plain.patched == 0
    assert full.weights - plain.weights == pytest.approx(46_000_000 + 167_000_000 + 40_000_000, rel=0.01)
    assert full.patched == full.weights - 40_000_000 - 167_307_726


def test_prompts_that_are_joined_need_two_branches_whatever_the_guidance() -> None:
    plain, joined = (
        work_of(TextToImage(prompt=prompt, checkpoint="sd", guidance_scale=1), ToyShelf(), CARD) for prompt in ("a", "a AND b")
    )
    assert (plain.guided, joined.guided) == (False, True)


def test_a_vae_that_is_small_counts_as_small() -> None:
    small, full = (work_of(TextToImage(checkpoint="sd", vae=name), ToyShelf(), CARD).weights for name in ("slim", "warm"))
    assert full - small == 167_307_726 - 2_000_000


def test_control_networks_take_room_and_what_they_answer_too() -> None:
    plain, held = (work_of(Controlled(controls=units), ToyShelf(), CARD) for units in ((), (ControlUse(id="ink"),)))
    assert held.weights - plain.weights == 40_000_000 and (plain.steered, held.steered) == (False, True)
    assert not work_of(Controlled(controls=(ControlUse(id="ink", weight=0.0),)), ToyShelf(), CARD).steered


def test_the_starter_fits_nearly_anything_and_a_large_batch_of_a_large_model_does_not() -> None:
    assert forecast_of(TextToImage(), ToyShelf(), CARD, ()).fits
    alone, looked_at = (forecast_of(TextToImage(), ToyShelf(), CARD, (), beside) for beside in (0, 10**9))
    assert looked_at.weights == alone.weights + 10**9, "what looks at finished pictures counts too"
    large = forecast_of(TextToImage(checkpoint="sd", width=1024, height=1024, batch_size=12), ToyShelf(), CARD, ())
    assert not large.fits and "batch size" in large.advice


def test_what_is_in_the_hosts_memory_idle_counts_as_free() -> None:
    lines = [LedgerLine("lora:a", Key("lora", "a"), "lora", "host", 5 * GB, True, 0.0, 0)]
    machine = Machine(host=GB)
    assert available(machine, lines) - available(machine, ()) == pytest.approx(5 * GB, abs=GB)
    assert available(CARD, lines) == CARD.device


def test_a_model_that_is_gone_is_said() -> None:
    with pytest.raises(UserError, match="gone"):
        forecast_of(TextToImage(checkpoint="nothing"), ToyShelf(), CARD, ())


@pytest.mark.parametrize("kind", [ImageToImage, SecondPass])
def test_in_tiles_the_memory_is_that_of_a_part_however_large_the_picture_is(kind: type[ImageToImage | SecondPass]) -> None:
    whole = kind(checkpoint="sd", width=1024, height=1024)
    large = replace(whole, width=4096, height=4096, tiling="Windows", tile_size=1024)
    one, four = (forecast_of(request, ToyShelf(), CARD, ()).activations for request in (whole, large))
    assert four == 4 * one, "four windows a call"
    alone = replace(CARD, one_by_one=True)
    assert forecast_of(large, ToyShelf(), alone, ()).activations == one
    tiles = forecast_of(replace(large, tiling="Tile by tile"), ToyShelf(), CARD, ()).activations
    assert tiles == pytest.approx(one * (1088 / 1024) ** 2, rel=1e-3)
