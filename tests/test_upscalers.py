"""Upscalers: what a file is, wherever it lies, and what is said of it before it is run."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models.downloads.convert import convert
from models.errors import UserError
from models.files import Identity
from models.library.catalog import Catalog
from models.tensors.header import read_header
from models.upscalers.architectures import recognised
from models.upscalers.upscaler import load_upscaler
from pipelines.requests.request import Enlarge
from pipelines.services.preflight import preflight
from pipelines.tasks.upscaling import upscaled
from tests.support.toy_files import as_entry
from tests.support.toy_weights import CPU
from tests.support.upscaled import ended, files, own_call, pixels
from tests.support.upscaler_toys import TOYS, picture, weights, write
from ui.parts.choices import about_upscaler

__all__ = ["files"]


# ---- what a file is ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TOYS)
def test_a_file_is_told_by_its_header(name: str, files: dict[str, Path]) -> None:
    identity = recognised(files[name], read_header(files[name]))
    assert identity and (identity.kind, identity.family, identity.variant, identity.supported) == ("upscaler", name, "x4", True)


def test_its_scale_is_read_and_nothing_of_it_takes_memory(tmp_path: Path) -> None:
    """A million channels would take terabytes, had the network numbers."""
    file = write(tmp_path / "x2.safetensors", scale=2)
    identity = recognised(file, read_header(file))
    assert identity and identity.variant == "x2"


@pytest.mark.parametrize("wrapper", ["params_ema.", "params.", "module."])
def test_names_before_all_names_are_passed_over(wrapper: str, tmp_path: Path) -> None:
    def wrap(tensors: dict[str, Tensor]) -> None:
        for name in list(tensors):
            tensors[wrapper + name] = tensors.pop(name)

    file = write(tmp_path / "wrapped.safetensors", change=wrap)
    identity = recognised(file, read_header(file))
    assert identity and identity.variant == "x4"
    assert load_upscaler(file, "wrapped", CPU).scale == 4


def cut(tensors: dict[str, Tensor]) -> None:
    tensors["body.2.weight"] = tensors["body.2.weight"][:, :4]


def count_to_the_moon(tensors: dict[str, Tensor]) -> None:
    tensors["body.99999999.weight"] = torch.zeros(48, 12, 3, 3)
    tensors["body.99999999.bias"] = torch.zeros(48)


def test_a_file_that_lies_about_its_architecture_is_told_so(tmp_path: Path) -> None:
    file = write(tmp_path / "liar.safetensors", change=cut)
    identity = recognised(file, read_header(file))
    assert identity and not identity.supported and "do not fit" in identity.note
    with pytest.raises(UserError, match="RealESRGAN Compact, but its weights do not fit one"):
        load_upscaler(file, "liar", CPU)


def test_a_name_that_asks_for_a_hundred_million_layers_is_not_built(tmp_path: Path) -> None:
    file = write(tmp_path / "bomb.safetensors", change=count_to_the_moon)
    assert recognised(file, read_header(file)) is None


def test_the_library_lists_them_wherever_other_studios_keep_them(tmp_path: Path, files: dict[str, Path]) -> None:
    """A1111's folders, ComfyUI's, InvokeAI's and Atelier's own; and the starter's, which has a name of its own."""
    starter = tmp_path / "starter"
    places = {
        "a1111": "a1111/models/RealESRGAN", "comfy": "comfy/models/upscale_models", "invoke": "invoke/models/any/spandrel_image_to_image",
        "own": "own/upscalers", "loose": "loose",
    }  # fmt: skip
    for name, place in places.items():
        (tmp_path / place).mkdir(parents=True)
        shutil.copy(files["SPAN"], tmp_path / place / f"{name}.safetensors")
    starter.mkdir()
    shutil.copy(files["SPAN"], starter / "upscaler.safetensors")
    catalog = Catalog(starter, [tmp_path / place.partition("/")[0] for place in places.values()])
    catalog.rescan(wait=True)
    found = {entry.called: entry for entry in catalog.models("upscaler")}
    assert set(found) == {*places, "Starter x4"}
    assert all(entry.usable and entry.identity.variant == "x4" for entry in found.values())
    assert catalog.models("upscaler")[0].name == "Starter x4"


# ---- what is said before -------------------------------------------------------------------------------------------------------


def test_the_plan_says_which_upscaler_is_run_how_often(files: dict[str, Path]) -> None:
    entry = as_entry(files["SPAN"], "upscaler")
    entry = replace(entry, identity=Identity("upscaler", "SPAN", "x4"))
    lines = {factor: preflight(Enlarge(factor=factor, upscaler="some"), (100, 50), None, entry).lines for factor in (4.0, 2.0, 8.0)}
    assert lines[4.0][1] == "“SPAN” (× 4) is run once."
    assert lines[2.0][1] == "“SPAN” (× 4) is run once, then Lanczos brings it to the size."
    assert lines[8.0][1] == "“SPAN” (× 4) is run twice."
    assert "before they are reduced" in preflight(Enlarge(factor=1.0, upscaler="some"), (9000, 9000), None, entry).lines[0]


def test_a_plain_name_is_shown_with_its_scale_and_one_that_says_it_without() -> None:
    entry = replace(as_entry(Path("4xPlus.safetensors"), "upscaler"), identity=Identity("upscaler", "ESRGAN", "x4"))
    named = {name: about_upscaler(replace(entry, name=name)) for name in ("RealESRGAN 4x plus", "Starter x4", "sharp", "sharp x40")}
    assert named == {
        "RealESRGAN 4x plus": "RealESRGAN 4x plus",
        "Starter x4": "Starter x4",
        "sharp": "sharp · × 4",
        "sharp x40": "sharp x40 · × 4",
    }


def test_a_pickle_is_converted_in_the_jail_and_is_an_upscaler_then(tmp_path: Path) -> None:
    """As training programs save one: the average beside what it is one of."""
    made = {"params": weights("SPAN", seed=1), "params_ema": weights("SPAN")}
    torch.save(made, tmp_path / "span.pth")
    convert(tmp_path / "span.pth", tmp_path / "span.safetensors", "upscaler")
    identity = recognised(tmp_path / "span.safetensors", read_header(tmp_path / "span.safetensors"))
    assert identity and (identity.family, identity.variant) == ("SPAN", "x4")
    image = picture(12, 10)
    plain = write(tmp_path / "plain.safetensors", "SPAN")
    made, _ = ended(upscaled(load_upscaler(tmp_path / "span.safetensors", "", CPU), image, (48, 40)))
    assert np.array_equal(pixels(made.image), own_call(plain, image))
