"""Reading tensors: against safetensors' own reader, in every number type and form, and from files that do not stay as they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.errors import UserError
from models.tensors import reading
from models.tensors.header import read_header
from models.tensors.reading import TensorFormat, read_tensors

FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]
WHOLE = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]
FORMS = [
    TensorFormat(),
    TensorFormat(torch.float32),
    TensorFormat(torch.float16, True),
    TensorFormat(None, True),
    TensorFormat(torch.float32, True),
]


def written(file: Path, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Tensors of every rank, the large ones longer than several blocks."""
    random = torch.Generator().manual_seed(0)
    shapes: dict[str, tuple[int, ...]] = {"convolution": (700, 96, 3, 3), "point": (64, 32, 1, 1), "matrix": (1300, 1001)}
    shapes |= {"vector": (7,), "number": (), "nothing": (0, 4)}
    tensors = {name: (torch.randn(shape, generator=random) * 3).to(dtype) for name, shape in shapes.items()}
    save_file(tensors, file)
    return tensors


def read(file: Path, *arguments: Any) -> dict[str, Tensor]:
    return read_tensors(file, read_header(file), *arguments)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("dtype", FLOATS)
def test_tensors_are_those_of_safetensors_in_every_form(dtype: torch.dtype, form: TensorFormat, tmp_path: Path) -> None:
    written(tmp_path / "some.safetensors", dtype)
    found = read(tmp_path / "some.safetensors", None, form)
    for name, tensor in load_file(tmp_path / "some.safetensors").items():
        wanted = tensor.to(form.dtype or dtype)
        assert found[name].shape == wanted.shape
        assert torch.equal(found[name].double(), wanted.double())
        assert found[name].dtype == wanted.dtype
    if form.channels_last:
        assert found["convolution"].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", WHOLE)
def test_whole_numbers_stay_what_they_are(dtype: torch.dtype, tmp_path: Path) -> None:
    save_file({"numbers": torch.arange(50).to(dtype)}, tmp_path / "some.safetensors")
    assert torch.equal(read(tmp_path / "some.safetensors", None, TensorFormat(torch.float16))["numbers"], torch.arange(50).to(dtype))


def test_all_tensors_are_views_of_one_buffer(tmp_path: Path) -> None:
    tensors = written(tmp_path / "some.safetensors")
    found = read(tmp_path / "some.safetensors")
    assert len({tensor.untyped_storage().data_ptr() for tensor in found.values()}) == 1
    needed = sum(tensor.nbytes for tensor in tensors.values())
    assert needed <= found["matrix"].untyped_storage().nbytes() <= needed + 1024


def test_only_what_is_wanted_is_read(tmp_path: Path) -> None:
    tensors = written(tmp_path / "some.safetensors")
    found = read(tmp_path / "some.safetensors", ["vector", "matrix"])
    assert found.keys() == {"vector", "matrix"}
    assert torch.equal(found["vector"], tensors["vector"])
    assert found["matrix"].untyped_storage().nbytes() < tensors["convolution"].nbytes + tensors["matrix"].nbytes


@pytest.mark.parametrize("form", [TensorFormat(), TensorFormat(torch.float32, True)], ids=str)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", FLOATS)
def test_one_number_that_is_not_finite_is_found_at_the_very_end(
    dtype: torch.dtype, value: float, form: TensorFormat, tmp_path: Path
) -> None:
    tensor = torch.zeros(700, 96, 3, 3).to(dtype)
    tensor.view(-1)[-1] = float("nan") if dtype == torch.float8_e4m3fn else value  # it has no infinity
    save_file({"convolution": tensor}, tmp_path / "some.safetensors")
    with pytest.raises(UserError, match="convolution holds numbers that are not finite"):
        read(tmp_path / "some.safetensors", None, form)


def test_the_largest_finite_numbers_are_not_refused(tmp_path: Path) -> None:
    tensors = {str(dtype): torch.tensor([torch.finfo(dtype).max, torch.finfo(dtype).min]).to(dtype) for dtype in FLOATS[1:]}
    save_file(tensors, tmp_path / "some.safetensors")
    assert read(tmp_path / "some.safetensors").keys() == tensors.keys()


def test_a_file_that_ends_early_says_how_much_is_there(tmp_path: Path) -> None:
    written(tmp_path / "some.safetensors")
    header = read_header(tmp_path / "some.safetensors")
    os.truncate(tmp_path / "some.safetensors", 1_000_000)
    with pytest.raises(UserError, match=r"incomplete: 1,000,000 of [\d,]+ bytes"):
        read_tensors(tmp_path / "some.safetensors", header)


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "some.safetensors")

    def slowly(*arguments: Any) -> None:
        os.utime(tmp_path / "some.safetensors", ns=(0, 0))

    monkeypatch.setattr(reading, "_fill", slowly)
    with pytest.raises(UserError, match="changed while it was read"):
        read(tmp_path / "some.safetensors")


def test_a_type_of_number_that_is_not_known_is_named(tmp_path: Path) -> None:
    save_file({"odd": torch.zeros(4, dtype=torch.uint16)}, tmp_path / "some.safetensors")
    with pytest.raises(UserError, match="odd is stored as U16"):
        read(tmp_path / "some.safetensors")
