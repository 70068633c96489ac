"""Samplers that suit a model come first, and what cannot work is said before it is drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.files import Identity, ModelFile, Overrides
from models.identify.distilled import FEW, NOT_DISTILLED
from models.library.checkpoint import Checkpoint, Facts, checkpoint_of
from pipelines.requests.request import LoraUse, TextToImage
from pipelines.resolving.suited import OF_FAMILY, samplers_for, sampling_notes
from pipelines.samplers import SAMPLERS
from tests.test_resolve import Shelf

SHELF = Shelf()


def checkpoint(found: str = "", family: str = "sdxl", zero: bool = False, **own: Any) -> Checkpoint:
    identity = Identity("checkpoint", family, found, prediction_type="epsilon", zero_terminal_snr=zero)
    file = ModelFile("c", "dream", Path("dream.safetensors"), 1, 0.0, identity, overrides=Overrides(**own))
    return checkpoint_of(file, Facts())


@pytest.mark.parametrize("family", OF_FAMILY)
def test_all_samplers_are_offered_once_and_those_of_the_model_first(family: str) -> None:
    kinds = [checkpoint("", family), checkpoint("", family, zero=True), *(checkpoint(way, family) for way in FEW)]
    firsts = [samplers_for(each)[:2] for each in kinds]
    assert all(sorted(samplers_for(each)) == sorted(SAMPLERS) for each in (None, *kinds))
    assert firsts[0] == OF_FAMILY[family][:2] and samplers_for(checkpoint("lcm"))[0] == "LCM"
    assert len(set(firsts)) > 4


def notes(request: TextToImage, model: Checkpoint) -> list[str]:
    return list(sampling_notes(request, model, SHELF))


@pytest.mark.parametrize(
    ("values", "variant", "says"),
    [({"sampler": "DDIM", "schedule": "Karras"}, "", "DDIM does not work with the schedule Karras"),
     ({"sampler": "LCM"}, "", "LCM is for distilled models"),
     ({"sampler": "DPM++ 2M", "guidance_scale": 1.0, "steps": 4}, "lightning", "Karras"),
     ({"sampler": "Euler", "schedule": "SGM Uniform", "steps": 4, "guidance_scale": 7.0}, "lightning", "a guidance of 7 is more"),
     ({"schedule": "Own levels"}, "", "Until then nothing can be drawn")],
)  # fmt: skip
def test_what_does_not_go_together_is_said_before_it_is_drawn(values: dict[str, Any], variant: str, says: str) -> None:
    [sentence] = notes(TextToImage(**values), checkpoint(variant))
    assert says in sentence


def test_what_suits_a_model_gives_no_note() -> None:
    assert notes(TextToImage(), checkpoint()) == []
    for variant, way in FEW.items():
        values: dict[str, Any] = dict(way.settings)
        assert notes(TextToImage(**values), checkpoint(variant)) == []


def test_a_person_decides_what_a_checkpoint_is() -> None:
    lightning, plain = checkpoint("", variant="lightning"), checkpoint("lightning", variant=NOT_DISTILLED)
    assert (lightning.variant, lightning.defaults["steps"], plain.variant) == ("lightning", 4, "")
    assert checkpoint("", variant="turbo").native_size == 512 and checkpoint("", variant="turbo mix").native_size == 1024


def test_a_lora_of_few_steps_counts_as_long_as_it_acts() -> None:
    identity = Identity("lora", "sdxl", "lightning", defaults={"steps": 8})
    shelf = Shelf([ModelFile("l", "fast", Path("fast.safetensors"), 1, 0.0, identity)])
    request = TextToImage(sampler="Euler", schedule="SGM Uniform", steps=30, guidance_scale=1.0, loras=(LoraUse(id="l"),))
    [sentence] = sampling_notes(request, checkpoint(), shelf)
    assert "“fast” draws in few steps (Lightning): 8 steps are enough; 30 take longer" in sentence
    tagged = replace(request, loras=(), prompt="a house <lora:fast:0.8>")
    assert list(sampling_notes(tagged, checkpoint(), shelf)) == [sentence]
    without = replace(request, loras=(LoraUse(id="l", unet=0.0),))
    assert list(sampling_notes(without, checkpoint(), shelf)) == []
