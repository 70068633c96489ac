"""Headers: whole ones are read as the library reads them, damaged ones are refused at once and in words.

The safetensors library is the independent judge of what is damaged. Where Atelier is stricter (limits), the test says so.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from models.tensors.header import Damaged, read_header
from models.tensors.small_tensor import read_values

pytestmark = pytest.mark.smoke

FAR_TOO_LONG = 30  # seconds: a reader that is not done by then hangs
PLAIN = {"weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}


def packed(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(shape: list[Any], begin: Any, end: Any, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def written(folder: Path, content: bytes, name: str = "model.safetensors") -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


def refusal(file: Path) -> Damaged:
    with pytest.raises(Damaged) as caught:
        read_header(file)
    return caught.value


# ------------------------------------------------------------------------------------------------------------------------ whole files


def test_a_header_says_what_the_library_says(tmp_path: Path) -> None:
    tensors = {"a.weight": torch.ones(2, 3), "half": torch.ones(4, dtype=torch.float16), "one": torch.tensor(1), "none": torch.ones(0, 5)}
    file = tmp_path / "model.safetensors"
    save_file(tensors, file, metadata={"modelspec.title": "A title"})
    header = read_header(file)
    with safe_open(file, "pt") as library:
        assert {name: list(info.shape) for name, info in header.tensors.items()} == {
            name: library.get_slice(name).get_shape() for name in tensors
        }
        assert dict(header.metadata) == library.metadata()
    assert header.size == file.stat().st_size


def test_places_lead_to_the_numbers(tmp_path: Path) -> None:
    numbers = torch.linspace(-2, 2, 7)
    file = tmp_path / "model.safetensors"
    save_file({"first": torch.zeros(3), "second": numbers}, file)
    header = read_header(file)
    info = header.tensors["second"]
    data = file.read_bytes()[header.data_start + info.begin : header.data_start + info.end]
    assert torch.equal(torch.frombuffer(bytearray(data), dtype=torch.float32), numbers)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2])
def test_a_small_tensor_is_read_number_by_number(tmp_path: Path, dtype: torch.dtype) -> None:
    numbers = torch.randn(50, generator=torch.Generator().manual_seed(1)).to(dtype)
    file = tmp_path / "model.safetensors"
    save_file({"other": torch.zeros(3), "norm": numbers}, file)
    assert read_values(file, read_header(file), "norm") == numbers.double().tolist()


def test_large_whole_number_and_missing_tensors_have_no_values(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_file({"large": torch.zeros(4097), "whole": torch.ones(4, dtype=torch.int64)}, file)
    header = read_header(file)
    assert [read_values(file, header, name) for name in ("large", "whole", "missing")] == [[], [], []]


def test_a_file_cut_short_after_its_header_was_read_has_no_values(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_file({"norm": torch.ones(10)}, file)
    header = read_header(file)
    os.truncate(file, file.stat().st_size - 20)
    assert read_values(file, header, "norm") == []
    file.unlink()
    assert read_values(file, header, "norm") == []


@pytest.mark.parametrize("name", ["model.SAFETENSORS", "model.ckpt", "model", "x" * 200 + ".safetensors", "mo\ndel.sft", "-rf", "CON"])
def test_a_file_is_judged_by_its_bytes_and_not_by_its_name(tmp_path: Path, name: str) -> None:
    assert list(read_header(written(tmp_path, packed(PLAIN, bytes(24)), name)).tensors) == ["weight"]


def test_a_name_that_is_no_text_is_read_and_shown(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.safetensors"
    Path(os.fsdecode(path)).write_bytes(b"")
    str(refusal(Path(os.fsdecode(path)))).encode("utf-8")


def test_words_of_the_format_may_stand_in_names_and_metadata(tmp_path: Path) -> None:
    metadata = {"dtype": '"shape"', "a": "\u00e9 \U0001f984 \\"}
    table = {"__metadata__": metadata, "data_offsets": tensor([1], 0, 4), "shape": tensor([1], 4, 8)}
    header = read_header(written(tmp_path, packed(table, bytes(8))))
    assert (set(header.tensors), dict(header.metadata)) == ({"data_offsets", "shape"}, metadata)


@pytest.mark.parametrize("name", ["../../etc/passwd", "<img src=x onerror=alert(1)>", "a" * 5000, "time_embed._private"])
def test_odd_tensor_names_are_only_names(tmp_path: Path, name: str) -> None:
    assert name in read_header(written(tmp_path, packed({name: tensor([1], 0, 4)}, bytes(4)))).tensors


# ------------------------------------------------------------------------------------------------------------------- malformed headers

MALFORMED: dict[str, bytes] = {
    "length of 100 GB": packed(PLAIN, bytes(24), 100_000_000_000),
    "length of 2^64 - 1": packed(PLAIN, bytes(24), 2**64 - 1),
    "length of 99 MB in a short file": packed(PLAIN, bytes(24), 99_000_000),
    "length one too long": packed(PLAIN, b"", len(json.dumps(PLAIN)) + 1),
    "length one too short": packed(PLAIN, bytes(24), len(json.dumps(PLAIN)) - 1),
    "length zero": packed(b"", bytes(24)),
    "seven bytes": b"\x10\0\0\0\0\0\0",
    "overlap": packed({"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}, bytes(12)),
    "alias": packed({"a": tensor([2], 0, 8), "b": tensor([2], 0, 8)}, bytes(8)),
    "hole": packed({"a": tensor([1], 0, 4), "b": tensor([1], 8, 12)}, bytes(12)),
    "hole at the start": packed({"a": tensor([1], 4, 8)}, bytes(8)),
    "bytes behind": packed(PLAIN, bytes(25)),
    "a byte missing": packed(PLAIN, bytes(23)),
    "offsets turned round": packed({"a": tensor([1], 4, 0)}, bytes(4)),
    "negative offset": packed({"a": tensor([1], -4, 0)}, bytes(4)),
    "negative shape": packed({"a": tensor([-1, -1], 0, 4)}, bytes(4)),
    "shape that overflows": packed({"a": tensor([2**33, 2**33], 0, 4)}, bytes(4)),
    "shape beyond 64 bits": packed({"a": tensor([2**70], 0, 4)}, bytes(4)),
    "shape that disagrees with the bytes": packed({"a": tensor([3], 0, 4)}, bytes(4)),
    "fractional shape": packed({"a": tensor([1.5], 0, 4)}, bytes(4)),
    "boolean shape": packed({"a": tensor([True], 0, 4)}, bytes(4)),
    "unknown dtype": packed({"a": tensor([1], 0, 4, "F33")}, bytes(4)),
    "dtype that is a list": packed({"a": {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
    "duplicate tensor": packed(b'{"a":%s,"a":%s}' % tuple(json.dumps(tensor([1], at, at + 4)).encode() for at in (0, 4)), bytes(8)),
    "duplicate key of an entry": packed(b'{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
    "half a character": packed(b'{"\\ud800":%s}' % json.dumps(tensor([1], 0, 4)).encode(), bytes(4)),
    "metadata that is no text": packed({"__metadata__": {"steps": 5}, **PLAIN}, bytes(24)),
    "metadata that is a list": packed({"__metadata__": ["a"], **PLAIN}, bytes(24)),
    "entry without a shape": packed({"a": {"dtype": "F32", "data_offsets": [0, 4]}}, bytes(4)),
    "entry that is a number": packed({"a": 5}),
    "three offsets": packed({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 4]}}, bytes(4)),
    "a list for a header": packed([]),
    "no JSON": packed(b"{not json}"),
    "JSON and more": packed(b"{}{}"),
    "no UTF-8": packed(b'{"\xff\xfe": 1}'),
    "200,000 brackets": packed(b'{"a":' + b"[" * 200_000),
    "200,000 braces": packed(b'{"a":' * 200_000),
    "not a number": packed(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}', bytes(4)),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_header_is_refused_here_and_by_the_library(tmp_path: Path, case: str) -> None:
    file = written(tmp_path, MALFORMED[case])
    with pytest.raises((SafetensorError, OSError, ValueError)):
        safe_open(file, "pt").__enter__()
    sentence = str(refusal(file))
    assert str(tmp_path) not in sentence and "model.safetensors" in sentence


BESIDE = tensor([2, 3], 0, 24)
LEFT_OUT: dict[str, bytes] = {
    "a name that reaches into Python": packed({"weight": BESIDE, "time_embed.__class__.__base__": tensor([1], 24, 28)}, bytes(28)),
    "a name that begins so": packed({"weight": BESIDE, "__dict__.x": tensor([1], 24, 28)}, bytes(28)),
    "an impossible size of nothing": packed({"weight": BESIDE, "a": tensor([0, 2**62], 24, 24)}, bytes(24)),
    "seventeen dimensions": packed({"weight": BESIDE, "a": tensor([1] * 17, 24, 28)}, bytes(28)),
    "no tensor at all": packed({"weight": BESIDE, "__metadata__": None}, bytes(24)),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_no_network_has_is_left_out_and_the_rest_is_read(tmp_path: Path, case: str) -> None:
    file = written(tmp_path, LEFT_OUT[case])
    with safe_open(file, "pt") as library:
        assert "weight" in library.keys()  # noqa: SIM118 - it is no table
    assert (list(read_header(file).tensors), dict(read_header(file).metadata)) == (["weight"], {})


def many_tensors(count: int, offsets: bytes = b"data_offsets") -> bytes:
    entry = b':{"dtype":"F32","shape":[0],"%s":[0,0]}' % offsets
    return packed(b"{" + b",".join(b'"t%d"' % place + entry for place in range(count)) + b"}")


def in_time(work: Callable[[], Damaged]) -> Damaged:
    """The work in a thread, so that a reader that hangs fails the test and does not hold it."""
    found: list[Damaged] = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    thread.join(FAR_TOO_LONG)
    assert found, "still reading"
    return found[0]


TOO_MUCH: dict[str, Callable[[], bytes]] = {
    "a million tensors": lambda: many_tensors(1_000_000),
    "60,001 tensors": lambda: many_tensors(60_001),
    "60,001 tensors in disguise": lambda: many_tensors(60_001, b"data\\u005foffsets"),
    "50 MB of metadata": lambda: packed({"__metadata__": {"a": "x" * 50_000_000}}),
    "100 GB": lambda: packed(PLAIN, bytes(24), 100_000_000_000),
}


@pytest.mark.parametrize("case", TOO_MUCH)
def test_a_header_that_would_take_time_or_memory_is_refused_for_its_size(tmp_path: Path, case: str) -> None:
    file = written(tmp_path, TOO_MUCH[case]())
    assert in_time(lambda: refusal(file)).reason == "too large"


def test_metadata_of_many_megabytes_are_left_out(tmp_path: Path) -> None:
    header = read_header(written(tmp_path, packed({"__metadata__": {"a": "x" * 5_000_000}, **PLAIN}, bytes(24))))
    assert (dict(header.metadata), list(header.tensors)) == ({}, ["weight"])


# ------------------------------------------------------------------------------------------------- what is found under a model's name


class Harmful:
    """When unpickled with trust, it would make a folder named MARKER where the program runs."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("MARKER",)


def torch_file(**options: Any) -> bytes:
    stream = io.BytesIO()
    torch.save({"state_dict": {"weight": torch.ones(3)}, "x": Harmful()}, stream, **options)
    return stream.getvalue()


def tar_file() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("tensors"))
    return stream.getvalue()


PICKLED: dict[str, Callable[[], bytes]] = {
    "zip of torch": torch_file,
    "older torch": lambda: torch_file(_use_new_zipfile_serialization=False),
    "tar of torch": tar_file,
    **{f"bare, protocol {number}": lambda number=number: pickle.dumps(Harmful(), number) for number in range(6)},
    **{f"table, protocol {number}": lambda number=number: pickle.dumps({"weight": [1.5] * 99}, number) for number in range(6)},
    **{f"pair, protocol {number}": lambda number=number: pickle.dumps((1, "two", [3.0, None]), number) for number in range(6)},
    **{f"list, protocol {number}": lambda number=number: pickle.dumps([Harmful()], number) for number in range(6)},
}


@pytest.mark.parametrize("name", ["model.safetensors", "model.SAFETENSORS", "model.safetensors ", "model.sft", "model.safetensors.ckpt"])
@pytest.mark.parametrize("case", PICKLED)
def test_a_pickle_is_recognised_under_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    refused = refusal(written(tmp_path, PICKLED[case](), name))
    assert refused.reason == "pickle" and "convert" in str(refused)
    assert not (tmp_path / "MARKER").exists()


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 4265146304\n"
OTHER_THINGS: dict[str, tuple[bytes, str, str]] = {  # content, reason, a word of the sentence
    "nothing": (b"", "empty", "empty"),
    "web page": (b"<!DOCTYPE html><html><body>Log in</body></html>", "web page", "web page"),
    "web page after spaces": (b"\xef\xbb\xbf\n  <HTML lang='en'>", "web page", "web page"),
    "git-lfs pointer": (POINTER, "git-lfs pointer", "git lfs pull"),
    "error in JSON": (b'{"error":"Repository not found"}', "damaged", "text"),
    "plain text": (b"Invalid username or password.", "damaged", "text"),
    "GGUF": (b"GGUF\3\0\0\0" + bytes(99), "damaged", "GGUF"),
    "zeros": (bytes(4096), "damaged", "damaged"),
}


@pytest.mark.parametrize("case", OTHER_THINGS)
def test_what_is_no_model_is_named(tmp_path: Path, case: str) -> None:
    content, reason, word = OTHER_THINGS[case]
    refused = refusal(written(tmp_path, content))
    assert refused.reason == reason and word in str(refused)


@pytest.mark.parametrize("part", [0.5, 0.9999])
def test_a_file_that_was_cut_short_says_how_much_there_is(tmp_path: Path, part: float) -> None:
    file = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(20_000), "b": torch.zeros(10_000)}, file)
    whole = file.stat().st_size
    os.truncate(file, int(whole * part))
    refused = refusal(file)
    assert refused.reason == "incomplete" and f"{int(whole * part):,} of {whole:,} bytes" in str(refused)


def test_a_file_that_ends_within_its_header_is_incomplete(tmp_path: Path) -> None:
    file = written(tmp_path, packed({f"layer.{place}": tensor([1], 4 * place, 4 * place + 4) for place in range(100)}, bytes(400))[:80])
    assert refusal(file).reason == "incomplete"


def test_a_named_pipe_does_not_hold_the_reader(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    os.mkfifo(file)
    assert in_time(lambda: refusal(file)).reason == "damaged"


def test_a_folder_and_a_missing_file_are_refused_without_naming_the_place(tmp_path: Path) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    for file in (tmp_path / "folder.safetensors", tmp_path / "missing.safetensors"):
        assert str(tmp_path) not in str(refusal(file))


def test_a_name_is_shown_without_what_could_mislead(tmp_path: Path) -> None:
    sentence = str(refusal(written(tmp_path, b"", "a\u202egnp.srosnetefas\n\x07" + "x" * 200)))
    assert "\u202e" not in sentence and "\n" not in sentence and len(sentence) < 300
