"""A picture that is made again gets the decisions of then; as soon as something else is asked for, those of today."""

from __future__ import annotations

import io
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from models.files import Overrides
from models.library.catalog import STARTER, Catalog
from models.memory.forecast import Machine
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture
from pipelines.metadata.picture_settings import inspect
from pipelines.requests.as_made import DecodeUse, Understanding, is_sealed
from pipelines.requests.request import OWN_VAE, EmbeddingUse, HypernetworkUse, LoraUse, Request, TextToImage, describe
from pipelines.resolving.rebind import rebind
from pipelines.resolving.resolve import resolve
from pipelines.runtime.runner import ModelRunner, open_runner
from tests.support.asked import drawing
from tests.test_resolve import Shelf, dreams, entry
from ui.parts.form import CARRIED, Form

GB = 10**9
DIGEST = "a1b2c3d4e5f6"


@pytest.fixture
def shelf() -> Shelf:
    return Shelf([entry("checkpoint", "Dreams"), entry("embedding", "snowynight", hash=DIGEST), entry("vae", "warm")])


def words(request: Request, shelf: Shelf) -> dict[str, str]:
    return {use.word: use.id for use in drawing(resolve(request, shelf)).embeddings}


def test_an_embedding_that_came_later_sleeps_in_an_old_prompt_until_it_is_changed(shelf: Shelf) -> None:
    found = rebind(dreams(prompt="a snowynight scene", seed=1), {}, shelf)
    assert len(found.notes) == 1 and "snowynight" in found.notes[0]
    assert words(found.request, shelf) == {}
    assert words(replace(found.request, seed=2, batch_count=3), shelf) == {}
    assert words(replace(found.request, prompt="a snowynight scene, cold"), shelf) == {"snowynight": "id-snowynight"}
    assert words(dreams(prompt="a snowynight scene"), shelf) == {"snowynight": "id-snowynight"}


def test_an_embedding_of_another_name_acts_under_the_word_that_was_written(shelf: Shelf) -> None:
    shelf.entries[1] = entry("embedding", "winter", hash=DIGEST)
    made = dreams(prompt="a snowynight scene", embeddings=(EmbeddingUse(id="id-snowynight", word="snowynight"),))
    found = rebind(made, {"TI hashes": f"snowynight: {DIGEST}"}, shelf)
    assert found.notes == ()
    assert words(found.request, shelf) == {"snowynight": "id-winter"}
    assert words(replace(found.request, prompt="snowynight, winter"), shelf) == {"snowynight": "id-winter", "winter": "id-winter"}
    assert words(replace(found.request, prompt="a summer scene"), shelf) == {}


def test_an_embedding_that_is_gone_is_named(shelf: Shelf) -> None:
    made = dreams(prompt="thorn", embeddings=(EmbeddingUse(id="id-thorn", word="thorn"),))
    found = rebind(made, {"TI hashes": "thorn: ffffffffffff"}, shelf)
    assert drawing(found.request).embeddings == () and "thorn" in found.notes[0]


def test_a_picture_that_names_no_vae_had_the_checkpoint_s_own(shelf: Shelf) -> None:
    shelf.entries[0] = entry("checkpoint", "Dreams", overrides=Overrides(vae="id-warm"))
    assert resolve(dreams(), shelf).vae == "id-warm"
    assert drawing(resolve(rebind(dreams(), {}, shelf).request, shelf)).vae == OWN_VAE
    assert resolve(dreams(vae=OWN_VAE), shelf).vae == OWN_VAE


def test_what_is_understood_in_another_way_by_now_is_told_and_carried(shelf: Shelf) -> None:
    made = dreams(understood=(Understanding(id="id-Dreams", prediction_type="v_prediction"),))
    found = rebind(made, {}, shelf)
    assert drawing(found.request).understood == made.understood and "v_prediction" in found.notes[0]
    assert drawing(resolve(found.request, shelf)).understood == made.understood
    assert drawing(resolve(replace(found.request, steps=9), shelf)).understood == ()
    as_here = rebind(dreams(understood=(Understanding(id="id-Dreams"),)), {}, shelf)
    assert drawing(as_here.request).understood == () and as_here.notes == ()


def test_a_form_carries_out_of_sight_what_was_decided(shelf: Shelf) -> None:
    """As the page does it: filled with a picture's settings, then read, edited or not."""
    names = [item.name for item in fields(TextToImage) if not item.metadata["derived"]]
    form = Form(TextToImage, {**{name: gr.Textbox() for name in names}, CARRIED: gr.Textbox()})
    made = dreams(
        prompt="thorn", seed=2**60, threads=3, decodes=(DecodeUse(tile=256),), loras=(LoraUse(id="id-ink", name="ink"),),
        embeddings=(EmbeddingUse(id="id-snowynight", word="thorn"),), hypernetworks=(HypernetworkUse(id="id-swirl"),),
    )  # fmt: skip
    shelf.entries += [entry("lora", "ink"), entry("hypernetwork", "swirl")]
    found = rebind(made, {}, shelf).request
    shown: dict[Any, Any] = {component: update["value"] for component, update in form.fill(found).items()}
    values = {name: json.loads(json.dumps(shown[component])) for name, component in form.inputs.items()}
    assert form.read(**values) == found and is_sealed(drawing(form.read(**values)))
    assert drawing(resolve(form.read(**{**values, "steps": 5}), shelf)).threads == 0
    for damaged in ("", "{", "[1]", '{"threads": "many"}', '{"seed": 5}', '{"threads": 3', None):
        assert drawing(form.read(**{**values, CARRIED: damaged})).threads == 0


def test_a_picture_of_the_first_version_is_read_and_is_made_as_it_was(shelf: Shelf) -> None:
    made = dreams(prompt="a snowynight scene", seed=1)
    known = {name: value for name, value in describe(made).items() if name not in ("as_made", "understood", "decodes", "threads")}
    info, stream = PngInfo(), io.BytesIO()
    info.add_itxt("atelier", json.dumps({"version": 1, "request": known, "made_with": {"Model": "Dreams"}}))
    Image.new("RGB", (8, 8)).save(stream, "PNG", pnginfo=info)
    found = inspect(stream.getvalue())
    assert found.request == made and found.notes == ()
    again = drawing(resolve(rebind(found.request, found.made_with, shelf).request, shelf))
    assert (again.checkpoint, again.vae, again.embeddings, again.threads) == ("id-Dreams", OWN_VAE, (), 0)


# ---- in the picture ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> ModelRunner:
    root = tmp_path_factory.mktemp("as_made")
    starter = Path(__file__).parents[1] / "models" / STARTER
    return open_runner(Catalog(starter, [], root), "cpu", Inputs(root / "inputs"), Machine(host=GB))


def draw(runner: ModelRunner, request: Request) -> Picture:
    return next(event for batch in runner.batches(request) for event in batch if isinstance(event, Picture))


SMALL = TextToImage(prompt="a red house", width=64, height=64, steps=2, seed=3)


def test_another_understanding_of_the_checkpoint_changes_no_picture_that_is_made_again(runner: ModelRunner) -> None:
    made = draw(runner, SMALL)
    runner.catalog.override(STARTER, Overrides(prediction_type="epsilon", zero_terminal_snr=True))
    try:
        assert draw(runner, SMALL).image.tobytes() != made.image.tobytes()
        found = rebind(made.request, made.made_with, runner.catalog)
        assert draw(runner, found.request).image.tobytes() == made.image.tobytes()
        assert "epsilon" in found.notes[0]
    finally:
        runner.catalog.override(STARTER, Overrides())
    assert drawing(made.request).understood == (Understanding(id=STARTER, prediction_type="v_prediction"),)


def test_as_many_threads_draw_as_drew_it(runner: ModelRunner) -> None:
    before = torch.get_num_threads()
    made = draw(runner, replace(SMALL, threads=before + 2))
    assert drawing(made.request).threads == before + 2 and torch.get_num_threads() == before
    assert draw(runner, made.request).image.tobytes() == made.image.tobytes()
    assert drawing(draw(runner, replace(SMALL, threads=100_000)).request).threads == before


def test_the_record_says_what_drew_and_on_what(runner: ModelRunner) -> None:
    made_with = draw(runner, SMALL).made_with
    assert {"Part hashes", "Device", "Number type", "torch", "diffusers", "Atelier", "Drawing time"} <= set(made_with)
    assert 0 < float(made_with["Drawing time"].removesuffix(" s")) < 60
    assert "vae: " in made_with["Part hashes"] and "text_encoder: " in made_with["Part hashes"]
