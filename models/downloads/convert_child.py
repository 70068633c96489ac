"""The jailed process of a conversion: opens one pickle, with limits, and writes its tensors as safetensors. Run by path.

It stands alone: nothing of the project is imported, so nothing of it can be reached. It prints one line of JSON: that it is done, or
what the problem is.
"""

from __future__ import annotations

import json
import os
import pickle
import pickletools
import sys
import tarfile
import time
import zipfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypedDict, TypeGuard, cast

import torch
from torch import Tensor

DTYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32",
    torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
    torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
}  # fmt: skip

# Classes of training programs that lie beside the weights. They are not imported: an empty stand-in takes their place. Whatever else
# a file asks for, beyond what torch itself allows, is refused.
STAND_INS = (
    "pytorch_lightning.", "lightning.", "lightning_fabric.", "numpy.", "omegaconf.", "argparse.",
    "torch.nn.modules.container.", "torch.optim.",
)  # fmt: skip
# Where the weights lie when they are not at the top.
WRAPPERS = ("state_dict", "params_ema", "params-ema", "params", "model_state_dict", "model", "net")
FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.spawn", "os.posix_spawn", "ctypes.", "shutil.", "os.kill")
TORCHS = 0x1950A86A20F9469CFC6C  # the number with which torch's own pickles begin
KEEPS, RECALLS = ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"), ("GET", "BINGET", "LONG_BINGET")  # instructions about what was pushed
HARMLESS = (  # what plain data asks for
    "collections.OrderedDict", "collections.defaultdict", "builtins.set", "builtins.object", "builtins.bytearray", "__builtin__.set",
    "__builtin__.object", "_codecs.encode", "copyreg._reconstructor", "copy_reg._reconstructor", "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter", "torch.storage._load_from_bytes",
)  # fmt: skip
SLACK = 16 * 2**20  # bytes that tensors may take beyond the file's size: small ones that share their numbers
OLD_LINEAR = {"linear1": "linear.0", "linear2": "linear.1"}  # of the first hypernetworks


class Refused(Exception):
    """Why the file is not converted: a key of `SENTENCES` in `models/downloads/convert.py`, and a detail."""

    def __init__(self, problem: str, detail: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.detail = detail[:200]


Table = Mapping[object, object]  # as pickles hold them: a key may be anything


class Task(TypedDict):
    """A conversion, as `models/downloads/convert.py` asks for it."""

    file: str  # the pickle
    made: str  # where the safetensors file is to be
    kind: str  # of the model: "embedding", "checkpoint", ...
    told: dict[str, str]  # metadata to be kept, before what the pickle says
    memory: int  # bytes beside half as much again as the file's size
    processor_seconds: int
    tensors: int  # at most so many


class StandIn:
    """Takes the place of an object that is no tensor: keeps what it is given and does nothing."""

    def __new__(cls, *_: object, **__: object) -> StandIn:
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        self.kept: Table = {}

    def __setstate__(self, state: object) -> None:
        self.kept = state if _is_table(state) else {}


def main(task: Task) -> None:
    file, made = Path(task["file"]), Path(task["made"])
    size = file.stat().st_size
    limit(size, task)
    tensors, metadata = arranged(loaded(file, size), task["kind"])
    check(tensors, size, task["tensors"])
    write(tensors, {**task["told"], **{key: text for key, text in metadata.items() if key not in task["told"]}}, made)


# ------------------------------------------------------------------------------------------------------------------------------ limits


def limit(size: int, task: Task) -> None:
    """Memory, processor time, size of files; and Python itself refuses what opening a file never needs."""
    torch.set_num_threads(1)
    sys.addaudithook(_forbid)
    try:
        import resource
    except ImportError:  # Windows: the clock remains
        return
    _lower(resource.RLIMIT_AS, _memory_now() + size * 3 // 2 + task["memory"])
    seconds = int(time.process_time()) + 1 + task["processor_seconds"] + size // 50_000_000
    _lower(resource.RLIMIT_CPU, seconds, grace=5)  # first the signal for it, then the end
    _lower(resource.RLIMIT_FSIZE, size + size // 10 + 2 * SLACK)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(what: int, value: int, grace: int = 0) -> None:
    import resource

    _, most = resource.getrlimit(what)
    hard = value + grace if most == resource.RLIM_INFINITY else min(value + grace, most)
    resource.setrlimit(what, (min(value, hard), hard))


def _memory_now() -> int:
    """Bytes of addresses that are in use; generous where it cannot be read."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 16 * 2**30


def _forbid(event: str, arguments: tuple[object, ...]) -> None:
    if event.startswith(FORBIDDEN):
        raise Refused("code", event)


# ----------------------------------------------------------------------------------------------------------------------------- loading


def loaded(file: Path, size: int) -> object:
    """What torch's loader for weights makes of the file: tensors, numbers, texts, tables, and stand-ins."""
    if tarfile.is_tarfile(file):
        raise Refused("old")
    is_zip = zipfile.is_zipfile(file)
    if not is_zip:
        _check_plain(file)
    names = _check_zip(file, size) if is_zip else []
    with torch.serialization.safe_globals([(type("StandIn", (StandIn,), {"stands_for": name}), name) for name in names]):
        return torch.load(file, map_location="cpu", weights_only=True, mmap=is_zip)


def _check_zip(file: Path, size: int) -> list[str]:
    """The names of classes that stand-ins are needed for."""
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    if any(name.filename.endswith("constants.pkl") or "/code/" in name.filename for name in entries):
        raise Refused("program")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or sum(entry.file_size for entry in entries) > size:
        raise Refused("compressed")
    names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(str(file)))
    if strange := [name for name in names if not name.startswith(STAND_INS)]:
        raise Refused("code", strange[0])
    return names


def _check_plain(file: Path) -> None:
    """Before zip archives torch wrote several pickles behind each other, the first of them a number. Everything else is somebody else's.

    What it would call is read off its instructions, of which none is carried out.
    """
    with file.open("rb") as stream:
        if _first_argument(stream) == TORCHS:
            return
        stream.seek(0)
        if strange := [name for name in _calls(stream) if name not in HARMLESS and not name.startswith(STAND_INS)]:
            raise Refused("code", strange[0])
    raise Refused("plain")


def _first_argument(stream: BinaryIO) -> object:
    """Of the instructions of a pickle, behind the number of its protocol."""
    return next((argument for code, argument, _ in pickletools.genops(stream) if argument is not None and code.name != "PROTO"), None)


def _calls(stream: BinaryIO) -> list[str]:
    """The names of what a pickle asks for, such as "posix.system". Raises `ValueError` when it is cut short before the first."""
    names: list[str] = []
    texts: deque[str] = deque(maxlen=2)  # pushed last
    memo: dict[int, str] = {}
    top = ""
    try:
        for code, argument, _ in pickletools.genops(stream):
            if code.name in KEEPS:
                memo[len(memo) if argument is None else argument] = top
                continue
            if code.name in ("GLOBAL", "INST"):
                names.append(str(argument).replace(" ", "."))
            elif code.name == "STACK_GLOBAL":
                names.append(".".join(texts) or "a program")
            recalled = memo.get(argument, "") if isinstance(argument, int) and code.name in RECALLS else ""
            top = argument[:200] if isinstance(argument, str) else recalled
            texts.extend([top] if top else [])
    except ValueError:
        if not names:
            raise
    return names


# -------------------------------------------------------------------------------------------------------------------------- arranging


def arranged(content: object, kind: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The weights by name, and what is to be kept as metadata."""
    if not _is_table(content):
        raise Refused("no tensors")
    if "string_to_param" in content:
        return {"emb_params": _embedding(content["string_to_param"])}, _texts(content)
    if found := _hypernetwork(content):
        return found, _texts(content)
    tensors = _named(_unwrapped(content))
    if kind == "embedding" and len(tensors) == 1:
        return {"emb_params": next(iter(tensors.values()))}, {"name": next(iter(tensors))[:200]}
    if not tensors:
        raise Refused("no tensors")
    return tensors, {}


def _is_table(value: object) -> TypeGuard[Table]:
    return isinstance(value, dict)


def _named(table: Table) -> dict[str, Tensor]:
    return {name: value for name, value in table.items() if isinstance(name, str) and isinstance(value, Tensor)}


def _unwrapped(content: Table) -> Table:
    inner = [table for name in WRAPPERS if _is_table(table := content.get(name)) and _named(table)]
    return inner[0] if inner else content


def _embedding(params: object) -> Tensor:
    """Of a table, or of torch's ParameterDict, which keeps its parameters in a table."""
    table = getattr(params, "kept", params)
    inner = table.get("_parameters", table) if _is_table(table) else None
    for value in inner.values() if _is_table(inner) else ():
        if isinstance(value, Tensor) and value.ndim in (1, 2):
            return value.reshape(-1, value.shape[-1])
    raise Refused("no tensors")


def _hypernetwork(content: Table) -> dict[str, Tensor]:
    """A table from a width to the networks for keys and for values; {} when it is something else."""
    tensors: dict[str, Tensor] = {}
    for width, pair in content.items():
        tables = [table for table in _items(pair) if _is_table(table)]
        if type(width) is int and len(tables) == len(_items(pair)) == 2:
            for place, table in enumerate(tables):
                tensors |= {f"{width}.{place}.{_current(name)}": value for name, value in _named(table).items()}
    return tensors


def _items(value: object) -> Sequence[object]:
    """Of a tuple or a list; none for anything else."""
    return cast(Sequence[object], value) if isinstance(value, tuple | list) else ()


def _current(name: str) -> str:
    head, _, tail = name.partition(".")
    return f"{OLD_LINEAR[head]}.{tail}" if head in OLD_LINEAR else name


def _texts(content: Table) -> dict[str, str]:
    """Texts as they are, numbers and lists of numbers in JSON; everything else is left out."""
    texts = {key[:200]: _text(value) for key, value in list(content.items())[:200] if isinstance(key, str)}
    return {key: text[:2000] for key, text in texts.items() if text}


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    numbers = cast(list[object], value) if isinstance(value, list) else [value]
    return json.dumps(value) if all(isinstance(number, bool | int | float) for number in numbers[:1000]) and len(numbers) <= 1000 else ""


# ------------------------------------------------------------------------------------------------------------------ checking, writing


def check(tensors: Mapping[str, Tensor], size: int, most: int) -> None:
    if len(tensors) > most or sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()) > size * 1.05 + SLACK:
        raise Refused("too large")
    for name, tensor in tensors.items():
        if tensor.layout is not torch.strided or tensor.dtype not in DTYPES or tensor.device.type != "cpu":
            raise Refused("kind", f"{name} ({tensor.dtype})")
        if any(step == 0 and length > 1 for step, length in zip(tensor.stride(), tensor.shape, strict=True)):
            raise Refused("too large")


def write(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], made: Path) -> None:
    """The safetensors format: eight bytes of length, the table in JSON, the numbers. One tensor at a time, so that none is held twice."""
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    table = {**({"__metadata__": dict(metadata)} if metadata else {}), **dict(_entries(tensors, names))}
    text = json.dumps(table, ensure_ascii=True).encode("ascii")
    text += b" " * (-len(text) % 8)
    with made.open("xb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            stream.write(tensors[name].detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        stream.flush()
        os.fsync(stream.fileno())


def _entries(tensors: Mapping[str, Tensor], names: list[str]) -> Iterator[tuple[str, dict[str, object]]]:
    place = 0
    for name in names:
        tensor = tensors[name]
        end = place + tensor.numel() * tensor.element_size()
        yield name, {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [place, end]}
        place = end


def problem_of(error: Exception) -> Refused:
    """What a person can be told about it."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, MemoryError) or "allocate memory" in str(error):
        return Refused("memory")
    if isinstance(error, pickle.UnpicklingError) and "GLOBAL" in str(error):
        return Refused("code", _global_in(str(error)))
    if isinstance(error, OSError) and not isinstance(error, zipfile.BadZipFile) and error.errno in (27, 28):  # EFBIG, ENOSPC
        return Refused("disk", error.strerror or "")
    return Refused("damaged")


def _global_in(text: str) -> str:
    """The name in torch's sentence; a general word when it is not where it used to be."""
    words = text.partition("GLOBAL ")[2].split()
    return words[0] if words else "a program"


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
        print(json.dumps({"done": True}))
    except Exception as error:  # noqa: BLE001 - whatever a hostile file does to the loader, the answer is one line
        refused = problem_of(error)
        with suppress(OSError):
            print(json.dumps({"problem": refused.problem, "detail": refused.detail}))
        sys.exit(1)
