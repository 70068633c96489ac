"""Pickles become safetensors once, in a process with limits, or are refused in words. Nothing that a file says is ever run.

The fixtures are made by torch itself; what is converted is compared with the tensors that went in.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
import types
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.downloads import convert as converting
from models.downloads import convert_child
from models.downloads.convert import CHILD, Limits, convert
from models.downloads.convert_child import Refused, check
from models.errors import UserError
from models.tensors.header import Damaged, read_header

MARKER = "MARKER"


def numbers(*shape: int, seed: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


WEIGHTS = {
    "model.diffusion_model.input_blocks.0.0.weight": numbers(8, 4, 3, 3, dtype=torch.float16),
    "model.diffusion_model.input_blocks.0.0.bias": numbers(8, dtype=torch.bfloat16),
    "cond_stage_model.transformer.text_model.embeddings.position_ids": torch.arange(77)[None],
    "betas": numbers(5, dtype=torch.float64),
    "flag": torch.tensor(True),
    "turned": numbers(6, 4).T,
    "nothing": torch.zeros(0, 3),
}


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(
        found[name].dtype == tensor.dtype and torch.equal(found[name], tensor) for name, tensor in expected.items()
    )


def converted(folder: Path, content: Any, kind: Any = "unknown", **options: Any) -> Path:
    file = folder / "model.ckpt"
    torch.save(content, file, **options)
    convert(file, folder / "made.safetensors", kind)
    return folder / "made.safetensors"


def refusal(folder: Path, content: bytes, limits: Limits | None = None) -> str:
    """What a person is told. Whatever happens, nothing is left behind and the marker is never made."""
    file = folder / "model.ckpt"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        convert(file, folder / "made.safetensors", limits=limits)
    assert [path.name for path in folder.iterdir()] == ["model.ckpt"]
    assert not Path(MARKER).exists() and str(folder) not in str(caught.value)
    return str(caught.value)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work of the process is done here, without its limits: it takes seconds to start, and most tests are about what is in a file."""

    def run(file: Path, made: Path, kind: str, limits: Limits, _: Path, told: dict[str, str]) -> None:
        answer = {"done": True}
        try:
            task: Any = {"file": str(file), "made": str(made), "kind": kind, "told": told, **asdict(limits)}
            convert_child.main(task)
        except Exception as error:  # noqa: BLE001 - as in the process
            refused = convert_child.problem_of(error)
            answer = {"problem": refused.problem, "detail": refused.detail}
        judge(file, json.dumps(answer).encode(), 0)

    judge = converting._judge
    monkeypatch.setattr(converting, "_run", run)
    monkeypatch.setattr(convert_child, "limit", lambda size, task: None)


# ------------------------------------------------------------------------------------------------------------------- what is converted


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("wrapper", "is_new"), [("", True), ("state_dict", True), ("params_ema", True), ("state_dict", False)])
def test_weights_keep_their_names_numbers_and_types(tmp_path: Path, wrapper: str, is_new: bool) -> None:
    content = {wrapper: WEIGHTS, "epoch": 3} if wrapper else WEIGHTS
    assert same(load_file(converted(tmp_path, content, _use_new_zipfile_serialization=is_new)), WEIGHTS)


@pytest.mark.parametrize("is_new", [True, False])
def test_the_new_file_passes_for_a_whole_safetensors_file_and_the_old_one_stays(tmp_path: Path, is_new: bool) -> None:
    made = converted(tmp_path, WEIGHTS, _use_new_zipfile_serialization=is_new)
    assert set(read_header(made).tensors) == set(WEIGHTS) and same(load_file(made), WEIGHTS)
    assert {path.name for path in tmp_path.iterdir()} == {"made.safetensors", "model.ckpt"}


@pytest.fixture
def lightning(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A class of a training program, there while the file is written. The process that reads it has no such program."""
    made: Any = type("ModelCheckpoint", (), {"__module__": "pytorch_lightning.callbacks"})
    for name in ("pytorch_lightning", "pytorch_lightning.callbacks"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setattr(sys.modules["pytorch_lightning.callbacks"], "ModelCheckpoint", made, raising=False)
    return made


@pytest.mark.usefixtures("at_once")
def test_a_training_checkpoint_gives_its_weights_and_nothing_else(tmp_path: Path, lightning: Any) -> None:
    callback = lightning()
    callback.best = np.float64(0.5)
    content = {"state_dict": WEIGHTS, "callbacks": {lightning: callback}, "loss": np.float32(2.0), "global_step": 470_000}
    assert same(load_file(converted(tmp_path, content)), WEIGHTS)


@pytest.mark.usefixtures("at_once")
def test_tensors_that_share_their_numbers_are_written_apart(tmp_path: Path) -> None:
    shared = numbers(4, 4)
    content = {"a": shared, "b": shared, "part": shared[1:3]}
    assert same(load_file(converted(tmp_path, content)), content)


def parameter_table(vectors: Tensor) -> nn.ParameterDict:
    return nn.ParameterDict({"*": nn.Parameter(vectors)})


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("wrap", [lambda vectors: {"*": vectors}, parameter_table], ids=["table", "ParameterDict"])
def test_a_textual_inversion_becomes_its_vectors(tmp_path: Path, wrap: Callable[[Tensor], Any]) -> None:
    vectors = numbers(3, 768)
    content = {"string_to_token": {"*": 265}, "string_to_param": wrap(vectors), "name": "snowy", "step": 500, "sd_checkpoint": None}
    made = converted(tmp_path, content, "embedding")
    assert same(load_file(made), {"emb_params": vectors})
    assert dict(read_header(made).metadata) == {"name": "snowy", "step": "500"}


@pytest.mark.usefixtures("at_once")
def test_a_textual_inversion_of_one_named_vector_becomes_a_row(tmp_path: Path) -> None:
    made = converted(tmp_path, {"<cat-toy>": numbers(768)}, "embedding")
    assert (list(read_header(made).tensors), read_header(made).metadata["name"]) == (["emb_params"], "<cat-toy>")


@pytest.mark.usefixtures("at_once")
def test_a_hypernetwork_becomes_tensors_named_by_width_and_place(tmp_path: Path) -> None:
    keys = {"linear.0.weight": numbers(16, 8), "linear.0.bias": numbers(16), "linear.1.weight": numbers(8, 16)}
    values = {"linear1.weight": numbers(16, 8, seed=2), "linear2.bias": numbers(8)}  # as the first ones were named
    content = {768: (keys, values), "activation_func": "relu", "layer_structure": [1, 2, 1], "is_layer_norm": False, "step": 9}
    made = converted(tmp_path, content, "hypernetwork")
    expected = {f"768.0.{name}": tensor for name, tensor in keys.items()}
    expected |= {"768.1.linear.0.weight": values["linear1.weight"], "768.1.linear.1.bias": values["linear2.bias"]}
    assert same(load_file(made), expected)
    described = {"activation_func": "relu", "layer_structure": "[1, 2, 1]", "is_layer_norm": "false", "step": "9"}
    assert dict(read_header(made).metadata) == described


@pytest.mark.usefixtures("at_once")
def test_weights_under_odd_names_are_only_names(tmp_path: Path) -> None:
    odd = {"../../etc/passwd": torch.ones(1), "<img src=x>": torch.ones(2), "é\U0001f984": torch.ones(3)}
    assert same(load_file(converted(tmp_path, odd)), odd)


# --------------------------------------------------------------------------------------------------------------------- what is refused


class Harmful:
    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self.call = call
        self.arguments = arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call, self.arguments


def torch_bytes(content: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


HARMFUL: dict[str, Callable[[], Any]] = {
    "os.mkdir": lambda: Harmful(os.mkdir, MARKER),
    "os.system": lambda: Harmful(os.system, f"touch {MARKER}"),
    "eval": lambda: Harmful(eval, f"open('{MARKER}', 'w')"),
    "open": lambda: Harmful(open, MARKER, "w"),
    "a class of the standard library": lambda: Harmful(zipfile.ZipFile, MARKER, "w"),
    "within a training program's object": lambda: {"a": Harmful(np.dtype, Harmful(os.mkdir, MARKER))},
}


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("case", "is_new"), [*((case, True) for case in HARMFUL), ("os.mkdir", False)])
def test_a_file_that_asks_for_code_is_refused_and_nothing_runs(tmp_path: Path, case: str, is_new: bool) -> None:
    content = torch_bytes({"state_dict": WEIGHTS, "x": HARMFUL[case]()}, _use_new_zipfile_serialization=is_new)
    assert "run somebody's program" in refusal(tmp_path, content)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("beside", ["nothing", "posix", "numbers"])
def test_a_bare_pickle_that_asks_for_code_is_refused_for_that(tmp_path: Path, protocol: int, beside: str) -> None:
    content = {"numbers": list(range(99)), "again": [beside, "mkdir", beside], "harm": [HARMFUL["os.mkdir"](), HARMFUL["os.system"]()]}
    assert "asks for posix.mkdir" in refusal(tmp_path, pickle.dumps(content, protocol))


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("content", [{"a": np.zeros(3)}, {"a": numbers(2)}, [1, {2, 3}], (1, 2)])
def test_a_bare_pickle_of_plain_data_is_called_a_pickle_and_not_damaged(tmp_path: Path, protocol: int, content: Any) -> None:
    assert "is a pickle of some Python program" in refusal(tmp_path, pickle.dumps(content, protocol))


@pytest.mark.usefixtures("at_once")
def test_a_bare_pickle_that_was_cut_short_is_damaged(tmp_path: Path) -> None:
    assert "damaged" in refusal(tmp_path, pickle.dumps({"a": list(range(999))}, 4)[:500])


@pytest.mark.parametrize(
    "content", [pickle.dumps(HARMFUL["os.mkdir"](), 4), torch_bytes({"x": HARMFUL["os.system"]()})], ids=["bare", "torch"]
)
def test_nothing_runs_in_the_process_either(tmp_path: Path, content: bytes) -> None:
    refusal(tmp_path, content)


@pytest.mark.usefixtures("at_once")
def test_a_file_is_named_as_it_is_asked_for_also_where_all_have_one_name(tmp_path: Path) -> None:
    (tmp_path / "my model").mkdir()
    file = tmp_path / "my model" / "pytorch_model.bin"
    file.write_bytes(pickle.dumps(HARMFUL["os.mkdir"]()))
    with pytest.raises(UserError, match=r"“my model/pytorch_model\.bin” asks for"):
        convert(file, tmp_path / "made.safetensors")


def test_no_switch_of_the_environment_makes_loading_more_trusting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    refusal(tmp_path, torch_bytes({"x": HARMFUL["os.mkdir"]()}))


@pytest.mark.usefixtures("at_once")
def test_a_scripted_module_is_refused_as_a_program(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with pytest.warns(DeprecationWarning):
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), stream)
    assert "TorchScript" in refusal(tmp_path, stream.getvalue())


def deflated(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bomb:
        for entry in archive.infolist():
            bomb.writestr(entry.filename, archive.read(entry))
    return stream.getvalue()


@pytest.mark.usefixtures("at_once")
def test_a_compressed_file_is_refused_for_what_it_would_take(tmp_path: Path) -> None:
    assert "compressed" in refusal(tmp_path, deflated(torch_bytes({"a": torch.zeros(5_000_000)})))


@pytest.mark.parametrize(
    "tensor",
    [torch.zeros(1).expand(1_000_000_000), torch.zeros(1).expand(1000), torch.zeros(5000).as_strided((5000, 5000), (0, 1)),
     torch.zeros(20_000).as_strided((10_000, 10_000), (1, 1))],
    ids=["a billion from four bytes", "a thousand from four bytes", "rows that are one row", "rows that overlap"],
)  # fmt: skip
def test_a_tensor_that_claims_more_than_it_holds_is_not_let_through(tensor: Tensor) -> None:
    with pytest.raises(Refused, match="too large"):
        check({"a": tensor}, len(torch_bytes({"a": tensor})), 60_000)


@pytest.mark.usefixtures("at_once")
def test_a_file_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    assert "claims more numbers" in refusal(tmp_path, torch_bytes({"a": torch.zeros(1).expand(1_000_000_000)}))


def lying(content: bytes, old: bytes, new: bytes) -> bytes:
    """The file of torch with its pickle changed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(stream, "w") as liar:
        for entry in archive.infolist():
            data = archive.read(entry)
            if entry.filename.endswith("data.pkl"):
                assert old in data
                data = data.replace(old, new)
            liar.writestr(entry.filename, data)
    return stream.getvalue()


@pytest.mark.usefixtures("at_once")
def test_a_lie_about_the_number_of_values_is_refused(tmp_path: Path) -> None:
    content = torch_bytes({"a": torch.zeros(300)})
    refusal(tmp_path, lying(content, b"M\x2c\x01", b"J\x00\x00\x00\x40"))  # 300 becomes 2^30, everywhere


def endless(length: int) -> bytes:
    """A pickle of nothing but empty tuples within tuples."""
    return b"\x80\x02" + b"(t" * (length // 2) + b"."


def as_zip(pickled: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", b"3\n")
        archive.writestr("archive/byteorder", b"little")
    return stream.getvalue()


def test_a_file_that_takes_longer_than_its_time_is_ended(tmp_path: Path) -> None:
    assert "takes longer" in refusal(tmp_path, as_zip(endless(10_000_000)), Limits(processor_seconds=1))


def test_the_clock_ends_it_too(tmp_path: Path) -> None:
    assert "takes longer" in refusal(tmp_path, torch_bytes(WEIGHTS), Limits(seconds=0.01))


def test_a_file_that_takes_more_memory_than_its_share_is_ended(tmp_path: Path) -> None:
    gigabyte = b"\x80\x02cbuiltins\nbytearray\nJ\x00\x00\x00\x40\x85R."  # what torch allows: some bytes, as many as one likes
    assert "memory" in refusal(tmp_path, as_zip(gigabyte), Limits(memory=200_000_000))


def test_too_many_tensors_are_not_let_through() -> None:
    with pytest.raises(Refused, match="too large"):
        check({str(place): torch.zeros(1) for place in range(50)}, 10_000, 49)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("part", "is_new"), [(0.5, True), (0.999, True), (0.5, False), (0.999, False)])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, part: float, is_new: bool) -> None:
    content = torch_bytes(WEIGHTS, _use_new_zipfile_serialization=is_new)
    assert "damaged or incomplete" in refusal(tmp_path, content[: int(len(content) * part)])


OTHERS: dict[str, tuple[Callable[[], bytes], str]] = {
    "a number": (lambda: torch_bytes(5), "holds no weights"),
    "a table without tensors": (lambda: torch_bytes({"a": 1, 2: "b"}), "holds no weights"),
    "complex numbers": (lambda: torch_bytes({"a": torch.zeros(2, dtype=torch.complex64)}), "complex64"),
    "sparse numbers": (lambda: torch_bytes({"a": torch.eye(3).to_sparse()}), "kind of number"),
    "a name that reaches into Python": (lambda: torch_bytes({"a.__class__.b": torch.ones(2)}), "no model"),
    "a zip of something else": (lambda: as_zip(b""), "damaged"),
}


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("case", OTHERS)
def test_what_holds_no_plain_weights_is_refused(tmp_path: Path, case: str) -> None:
    content, words = OTHERS[case]
    assert words in refusal(tmp_path, content())


def test_what_is_no_pickle_is_not_converted(tmp_path: Path) -> None:
    assert "web page" in refusal(tmp_path, b"<!DOCTYPE html><html></html>")
    file = tmp_path / "model.ckpt"
    save_file({"a": torch.ones(1)}, file)
    with pytest.raises(UserError, match="already"):
        convert(file, tmp_path / "made.safetensors")


def test_a_file_that_is_there_already_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "made.safetensors").write_bytes(b"mine")
    with pytest.raises(UserError, match="already"):
        converted(tmp_path, WEIGHTS)
    assert (tmp_path / "made.safetensors").read_bytes() == b"mine"


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(Damaged):
        convert(tmp_path / "gone.ckpt", tmp_path / "made.safetensors")


def test_the_child_stands_alone() -> None:
    """It imports nothing of the project, so nothing of the project's can be reached from a file."""
    lines = [line.split() for line in CHILD.read_text("utf-8").splitlines()]
    imported = {line[1].split(".")[0] for line in lines if line and line[0] in ("import", "from")}
    assert imported <= {*sys.stdlib_module_names, "torch"}
