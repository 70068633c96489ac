"""What reads the depth map is found by rule and said in words; maps and pictures are sent on with all that belongs to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.files import Identity, ModelFile
from pipelines import Controlled, ControlUse, Depth, ImageToImage, PictureRecord, Studio, Taken, TextToImage
from pipelines.resolving.checks import UNREAD_DEPTH
from tests.support.depth_toys import NET, with_depth_models
from tests.support.toys import toy_studio
from ui.parts.depth_driver import NO_CHECKPOINT, NO_CONTROL, NO_ROOM, driven, read_by
from ui.parts.form import Form
from ui.parts.sent import _stays, as_depth, map_as_control

ONE = "a" * 64


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    made = toy_studio(tmp_path, start=False)
    yield made
    made.close()


# ---- what drives ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def stocked(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Studio:
    with_depth_models(studio, monkeypatch)
    return studio


def asked(checkpoint: str, *uses: ControlUse) -> dict[str, Any]:
    return {"checkpoint": checkpoint, "controls": [asdict(use) for use in uses]}


def test_what_reads_the_map_is_said_in_words(stocked: Studio) -> None:
    unit = ControlUse(id="net", weight=0.8)
    assert read_by(stocked, asked("starter")) == {"checkpoint": False, "controlnet": False, "words": UNREAD_DEPTH}
    assert read_by(stocked, asked("starter-depth"))["words"] == "The depth map is read by the checkpoint “Starter depth” by itself."
    assert read_by(stocked, asked("starter", unit))["words"] == "The depth map is read by ControlNet “depth”, weight 0.8."
    both = read_by(stocked, asked("starter-depth", unit))
    assert both["checkpoint"] and both["controlnet"]
    assert both["words"] == "The depth map is read by the checkpoint “Starter depth” by itself and ControlNet “depth”, weight 0.8."


@pytest.mark.parametrize("use", [ControlUse(), ControlUse(id="net", image=ONE), ControlUse(id="net", weight=0.0)])
def test_units_that_do_not_take_the_map_do_not_count(stocked: Studio, use: ControlUse) -> None:
    assert not read_by(stocked, asked("starter", use))["controlnet"]


def test_the_depth_checkpoint_is_chosen_and_units_without_pictures_go(stocked: Studio) -> None:
    kept = ControlUse(id="other", image=ONE)
    found = driven(stocked, {"way": "checkpoint"} | asked("starter", ControlUse(), kept, ControlUse(id="net")))
    assert found == asked("starter-depth", kept)
    assert driven(stocked, {"way": "checkpoint", **found}) == found


def test_the_depth_control_is_a_unit_without_picture_beside_a_checkpoint_that_draws_from_words(stocked: Studio) -> None:
    unit = ControlUse(id="net", name="depth")
    found = driven(stocked, {"way": "controlnet"} | asked("starter-depth"))
    assert found == asked("starter", unit)
    assert driven(stocked, {"way": "controlnet", **found}) == found
    kept = ControlUse(id="other", image=ONE)
    half = ControlUse(id="other", weight=0.0, preprocessor="Canny", start=0.5)
    found = driven(stocked, {"way": "controlnet"} | asked("starter", kept, half))
    assert found == asked("starter", kept, ControlUse(id="net", name="depth", start=0.5))


def test_a_union_model_is_told_that_it_reads_depth(stocked: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    union = ModelFile("union", "all in one", Path("u.safetensors"), 1, 0, Identity("controlnet", "sd1", "union"))
    monkeypatch.setattr(stocked._catalog, "models", lambda kind=None: [union] if kind == "controlnet" else [])
    monkeypatch.setattr(stocked._catalog, "model", lambda wanted: union)
    found: Any = driven(stocked, {"way": "controlnet"} | asked("starter"))
    assert found["controls"][0]["union_kind"] == "Depth"


def test_what_is_missing_is_said_and_nothing_changes(studio: Studio) -> None:
    assert driven(studio, {"way": "checkpoint"} | asked("starter")) == {"message": NO_CHECKPOINT}
    assert driven(studio, {"way": "controlnet"} | asked("starter")) == {"message": NO_CONTROL}
    for values in (None, {}, {"way": "x"}, {"way": "checkpoint", "controls": 5}, {"way": "checkpoint", "prompt": "x"}):
        assert str(dict(driven(studio, values))["message"]).endswith((".", "!"))


def test_ten_units_with_pictures_leave_no_room(stocked: Studio) -> None:
    full = [ControlUse(id="other", image=ONE)] * 10
    assert driven(stocked, {"way": "controlnet"} | asked("starter", *full)) == {"message": NO_ROOM}


# ---- sending ----------------------------------------------------------------------------------------------------------------------


def test_a_map_that_is_sent_is_the_picture_of_the_first_unit_as_it_is(stocked: Studio) -> None:
    taken = Taken(ONE, 64, 48)
    [made] = map_as_control(stocked, taken, (), "starter")
    assert made == ControlUse(id=NET.id, name="depth", image=ONE, union_kind="Depth")
    held = ControlUse(id="other", image="b" * 64, mask="c" * 64, preprocessor="Canny", weight=0.5), ControlUse(id="net")
    first, second = map_as_control(stocked, taken, held, "starter")
    assert first == ControlUse(id="other", image=ONE, weight=0.5, union_kind="Depth") and second == held[1]


def record(request: Any) -> PictureRecord:
    found: Any = SimpleNamespace(request=request)
    return found


def form(kind: Any, *names: str) -> Form:
    made: Any = object.__new__(Form)
    object.__setattr__(made, "kind", kind)
    object.__setattr__(made, "inputs", {name: name for name in names})
    return made


def test_a_picture_that_is_sent_brings_its_words_and_leaves_what_reads_the_map(stocked: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stocked.uploads, "adopt", lambda record, user: Taken(ONE, 128, 96))
    target = form(Depth, "prompt", "checkpoint", "controls", "image", "map", "width", "height", "steps", "far")
    updates: Any = as_depth(stocked, target, record(TextToImage(prompt="a tree", steps=33)), "me")
    assert {name: update["value"] for name, update in updates.items()} == {
        "prompt": "a tree", "image": ONE, "map": "", "width": 128, "height": 96,
    }  # fmt: skip


def test_a_checkpoint_that_cannot_draw_in_another_tab_is_not_sent_there(stocked: Studio) -> None:
    drawn = record(Depth(checkpoint="starter-depth"))
    assert "checkpoint" in _stays(stocked, form(ImageToImage), drawn)
    assert "checkpoint" not in _stays(stocked, form(Depth), drawn)
    assert "checkpoint" not in _stays(stocked, form(Controlled), record(TextToImage()))
