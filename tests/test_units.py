"""Control units on the page, without a browser: every field of a unit is shown as it was declared, and what the script may ask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gradio.context import LocalContext

import ui.parts.control_units
from models.files import Identity, ModelFile
from pipelines import KINDS, MOST_UNITS, Controlled, ControlUse, Depth, Inpaint, TextToImage, UserError
from pipelines.preprocessors.annotators import Weights
from pipelines.requests.control_unit import curve_at
from pipelines.services.uploads import Taken
from tests.support.toys import toy_studio
from ui import page
from ui.door.roles import Visitor, declared
from ui.messages import UnitQuestion
from ui.parts.choices import RACKS, listed
from ui.parts.control_units import PLACES, UnitHandlers, offers, previewed
from ui.parts.form import Form
from ui.parts.sent import as_control

ONE, TWO, MASK = "a" * 64, "b" * 64, "c" * 64
SHOWN = [item for item in fields(ControlUse) if not item.metadata["derived"]]


class FakeStudio:
    """Answers as the studio does, and keeps what it was asked."""

    def __init__(self, refuse: str = "") -> None:
        self.refuse = refuse
        self.asked: list[tuple[Any, ...]] = []
        self.control = SimpleNamespace(preprocessors=lambda: [{"name": "None"}])
        self.annotator_files = SimpleNamespace(wanted=lambda name: ())
        self.depth = SimpleNamespace(keep=lambda request, user: Taken(ONE, request.width, request.height))

    def control_preview(self, *asked: Any, **_: Any) -> Taken:
        self.asked.append(asked)
        if self.refuse:
            raise UserError(self.refuse)
        return Taken(TWO, *asked[1])


@contextmanager
def visiting(role: Any) -> Iterator[None]:
    token = LocalContext.request.set(SimpleNamespace(request=SimpleNamespace(scope={"visitor": Visitor("someone", role)})))  # pyright: ignore[reportArgumentType]
    try:
        yield
    finally:
        LocalContext.request.reset(token)


def question(unit: Any = None, **changes: Any) -> dict[str, Any]:
    return {"unit": {"image": ONE, "preprocessor": "Canny"} if unit is None else unit, "width": 512, "height": 256} | changes


# ---- what is shown ----------------------------------------------------------------------------------------------------------------


def test_every_field_of_a_unit_that_is_not_derived_has_its_place_on_the_card() -> None:
    assert sorted(name for names in PLACES.values() for name in names) == sorted(item.name for item in SHOWN)


def test_a_card_without_a_field_does_not_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui.parts.control_units, "PLACES", PLACES | {"strength": ()})
    with pytest.raises(TypeError, match="weight"):
        offers()


def test_a_card_with_a_field_twice_does_not_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui.parts.control_units, "PLACES", PLACES | {"again": ("weight",)})
    with pytest.raises(TypeError, match="twice"):
        offers()


def test_titles_explanations_limits_and_defaults_are_those_that_the_request_declares() -> None:
    shown = offers()["fields"]
    for item in SHOWN:
        assert shown[item.name].items() >= {"title": item.metadata["title"], "info": item.metadata["info"], "default": item.default}.items()
        limit = item.metadata["limit"]
        for part, name in (("low", "low"), ("high", "high"), ("step", "step"), ("names", "names")):
            if hasattr(limit, part):
                assert shown[item.name][name] == (list(limit.names) if part == "names" else getattr(limit, part))


def test_a_map_is_asked_for_again_after_a_change_of_what_it_is_made_of_and_of_nothing_else() -> None:
    assert set(offers()["matters"]) == {
        "image", "preprocessor", "threshold_a", "threshold_b", "pixel_perfect", "resolution", "resize_mode", "mask",
    }  # fmt: skip


def test_the_points_of_a_curve_lie_on_it() -> None:
    for name, points in offers()["curves"].items():
        assert points == [pytest.approx(curve_at(name, place / (len(points) - 1)), abs=1e-4) for place in range(len(points))]


# ---- what the script asks ---------------------------------------------------------------------------------------------------------


def test_a_preview_is_asked_for_the_unit_at_the_size_of_the_drawing() -> None:
    studio: Any = FakeStudio()
    assert previewed(studio, TextToImage, question(), "me") == {"id": TWO, "width": 512, "height": 256}
    assert studio.asked == [(ControlUse(image=ONE, preprocessor="Canny"), (512, 256), "me", "", "")]


def test_a_unit_without_a_picture_of_its_own_takes_picture_and_mask_of_its_tab() -> None:
    studio: Any = FakeStudio()
    previewed(studio, Inpaint, question({"preprocessor": "Canny"}, image=ONE, mask=MASK), "me")
    assert studio.asked[0][3:] == (ONE, MASK)


def test_a_unit_of_the_depth_tab_takes_the_map_as_it_was_edited() -> None:
    studio: Any = FakeStudio()
    previewed(studio, Depth, question({}, map=TWO, far=0.2), "me")
    assert studio.asked[0][3] == ONE
    previewed(studio, Depth, question({"image": MASK}, map=TWO), "me")
    assert (studio.asked[1][0].image, studio.asked[1][3]) == (MASK, "")


def test_a_tab_that_begins_with_nothing_hands_no_picture_on() -> None:
    studio: Any = FakeStudio()
    previewed(studio, TextToImage, question(image=ONE, mask=MASK), "me")
    assert studio.asked[0][3:] == ("", "")


def test_a_refused_preview_is_its_sentence() -> None:
    assert previewed(FakeStudio("Put the weights there."), TextToImage, question(), "me") == {"message": "Put the weights there."}  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        question("Canny"),
        question({"image": "/etc/passwd"}),
        question({"image": ONE, "shape": "round"}),
        question({"image": ONE, "resolution": 10**9}),
        question(width=10**6),
        question(width="512"),
        question(width=4096, height=4096),
    ],
)
def test_what_no_form_would_ask_is_answered_with_a_sentence_and_reaches_nobody(asked: dict[str, Any]) -> None:
    studio: Any = FakeStudio()
    refused: Any = previewed(studio, TextToImage, asked, "me")
    assert refused["message"].endswith((".", "!"))
    assert studio.asked == []


def test_each_server_function_declares_whom_it_serves() -> None:
    desk = UnitHandlers(FakeStudio(), Controlled)  # pyright: ignore[reportArgumentType]
    assert [declared(handler) for handler in (desk.preview, desk.preprocessors, desk.fit)] == ["artist", "viewer", "viewer"]
    with visiting("artist"):
        assert desk.preview(cast(UnitQuestion, question())) == {"id": TWO, "width": 512, "height": 256}
        assert desk.preprocessors() == [{"name": "None"}]
    with visiting("anyone"), pytest.raises(Exception, match="not draw"):
        desk.preview(cast(UnitQuestion, question()))


def test_only_the_owner_is_offered_weights_and_may_fetch_them() -> None:
    studio: Any = FakeStudio()
    studio.control = SimpleNamespace(preprocessors=lambda: [{"name": "HED", "missing": "Put it there."}, {"name": "Canny", "missing": ""}])
    studio.annotator_files = SimpleNamespace(wanted=lambda name: (Weights("owner/name", "a.pth"), Weights("owner/name", "b.pth")))
    desk = UnitHandlers(studio, Controlled)
    with visiting("artist"):
        assert [entry.get("download") for entry in desk.preprocessors()] == [None, None]
    with visiting("owner"):
        assert [entry.get("download") for entry in desk.preprocessors()] == [{"files": 2, "repo": "owner/name"}, None]
    functions = {handler.__name__: handler for handler in desk.weights.functions}
    assert set(functions) == {"fetch_weights", "stop_weights", "weights_state"}
    for handler in functions.values():
        with visiting("artist"), pytest.raises(Exception, match="Only the owner"):
            handler({"name": "HED"})


# ---- on the page ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Any]:
    made = toy_studio(tmp_path, start=False)
    yield made
    made.close()


def shown_units(studio: Any) -> dict[str, Any]:
    """The units component of each kind of request."""
    blocks = page(studio).blocks.values()
    return {kind: block for block in blocks for kind in KINDS if getattr(block, "elem_id", "") == f"{kind}-controls"}


def test_every_form_has_its_units_and_only_the_tab_that_is_about_them_begins_with_one(studio: Any) -> None:
    found = shown_units(studio)
    assert {"txt2img", "img2img", "inpaint", "outpaint", "controlnet"} <= found.keys()
    for kind, block in found.items():
        assert block.value == ([asdict(ControlUse())] if kind == "controlnet" else []), kind


def test_the_value_of_a_form_is_what_the_request_takes() -> None:
    values = [asdict(ControlUse(id="a", image=ONE, preprocessor="Canny", weight=0.5)), asdict(ControlUse())]
    request = Controlled.admit({"controls": values})
    assert [asdict(use) for use in request.controls] == values
    with pytest.raises(UserError, match=f"{MOST_UNITS} is the most"):
        Controlled.admit({"controls": values * MOST_UNITS})


class FakeLibrary:
    def __init__(self) -> None:
        made = (("canny", "controlnet", ""), ("union", "controlnet", "union"), ("depth", "adapter", "t2i-adapter"))
        self.files = [ModelFile(name, name, Path(name), 1, 0, Identity(kind, "sd1", variant)) for name, kind, variant in made]  # pyright: ignore[reportArgumentType]

    def models(self, kind: str) -> list[ModelFile]:
        return [entry for entry in self.files if entry.identity.kind == kind]

    def fits(self, model_id: str, checkpoint_id: str) -> str:
        return "It is too small." if model_id == "canny" else ""

    def misfit(self, model_id: str, checkpoint_id: str) -> str:
        return f"{model_id}: too small"


def test_what_steers_is_offered_with_its_variant_and_what_does_not_fit_comes_last_with_its_reason() -> None:
    cards = SimpleNamespace(card=lambda entry: SimpleNamespace(picture="", strength=None), words=lambda entry: ())
    house: Any = SimpleNamespace(library=FakeLibrary(), checkpoints=lambda kind: [], cards=cards)
    offered = listed(house, Controlled, "starter", {"controls": RACKS["controls"]}).get("controls", [])
    assert [(file["name"], file["variant"], file["reason"], file["misfit"]) for file in offered] == [
        ("union", "union", "", ""), ("depth", "t2i-adapter", "", ""), ("canny", "", "It is too small.", "canny: too small"),
    ]  # fmt: skip


# ---- a picture that is sent -------------------------------------------------------------------------------------------------------


def sent(held: Any) -> list[dict[str, Any]]:
    """The units of the form after a picture was sent to it while it held these."""
    checkpoint = SimpleNamespace(id="starter", native_size=128, family_key="sd1", variant="")
    uploads = SimpleNamespace(adopt=lambda record, user: Taken(TWO, 128, 96))
    house: Any = SimpleNamespace(uploads=uploads, checkpoints=lambda kind="": [checkpoint])
    form: Any = object.__new__(Form)
    object.__setattr__(form, "kind", Controlled)
    object.__setattr__(form, "inputs", {name: name for name in ("prompt", "width", "height", "controls")})
    record: Any = SimpleNamespace(request=TextToImage(prompt="a tree"))
    updates: Any = as_control(house, form, record, "me", held)
    assert (updates["prompt"]["value"], updates["width"]["value"], updates["height"]["value"]) == ("a tree", 128, 96)
    return updates["controls"]["value"]


def test_a_picture_that_is_sent_becomes_that_of_the_first_unit_and_nothing_else_changes() -> None:
    held = [asdict(ControlUse(id="a", image=ONE, mask=MASK, preprocessor="Canny", weight=0.5)), asdict(ControlUse(id="b", image=ONE))]
    assert sent(held) == [held[0] | {"image": TWO, "mask": ""}, held[1]]


@pytest.mark.parametrize("held", [None, [], "units", [{"image": "x"}], [{}] * (MOST_UNITS + 1)])
def test_a_picture_that_is_sent_where_no_sound_unit_is_makes_one(held: Any) -> None:
    assert sent(held) == [asdict(ControlUse(image=TWO))]
