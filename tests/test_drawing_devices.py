"""Which devices draw, and what each of them has of the machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.library.catalog import Catalog
from models.memory.forecast import Machine
from pipelines.drawing_devices import DevicesAsked, DrawingDevices
from pipelines.images.store import Inputs
from pipelines.jobs import far
from pipelines.jobs.sending import Sending
from pipelines.jobs.spoken import Setup
from pipelines.jobs.wanted import Here
from pipelines.preprocessors.annotators import Annotators
from pipelines.steps.store import KeptSteps

ASKED = DevicesAsked("auto", "", False, 0, 0, 0, True, False, None, 0)


def test_the_host_is_shared_by_all_and_a_card_by_those_of_its_name() -> None:
    machine = Machine(device=24, host=90)
    assert machine.of_several(0, 0, 3, 1) == replace(machine, host=30) and machine.of_several(0, 0, 3, 2) == replace(
        machine, host=30, device=12
    )


def test_what_is_said_of_the_memory_counts_and_makes_no_card_of_a_processor() -> None:
    assert Machine(device=24, host=90).of_several(8, 6, 2, 2) == Machine(device=3, host=4)
    assert Machine(device=None, host=90).of_several(0, 5, 1, 1) == Machine(device=None, host=90)


@pytest.mark.parametrize("own", [False, True])
def test_a_device_apart_is_told_the_folders_of_the_studio_or_its_own(own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Setup, Sending | None]] = []
    monkeypatch.setattr(far, "open_apart", lambda catalog, setup, python, sending: told.append((setup, sending)))
    asked = replace(ASKED, devices="cpu, cpu", device_memory=8, apart=True, apart_folder=tmp_path / "apart" if own else None)
    [opens] = devices(tmp_path, asked).further()
    opens()
    [(setup, sending)] = told
    assert (setup.device, setup.parts, setup.device_memory, setup.sharers, sending is not None) == ("cpu", 2, 8, 2, own)
    assert (setup.root, setup.outputs) == ((str(tmp_path / "apart" / "device 1"), "") if own else ("", str(tmp_path)))
    assert setup.models == [str(tmp_path / "apart" / "models" if own else tmp_path / "models")]


def devices(folder: Path, asked: DevicesAsked) -> DrawingDevices:
    starter = Path(__file__).parent.parent / "models" / "starter"
    here = Here(starter, Catalog(starter), Annotators([], starter), Inputs(folder / "inputs"), KeptSteps(folder, 0))
    return DrawingDevices(here, [folder / "models"], folder, asked)
