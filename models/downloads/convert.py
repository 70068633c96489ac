"""Conversion of a pickle to a safetensors file, once, so that the pickle need never be opened again. For the owner only.

The pickle is opened in a process of its own (`convert_child.py`) by torch's loader for weights, which builds tensors and plain
tables and calls nothing else; there is no second, more trusting way. The process has limits on memory, time and the size of what it
writes, an empty folder of its own, no network and none of this program's environment. What it wrote is read back as strictly as any
other file and then put in its place whole. Nothing here imports torch.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from models.errors import UserError
from models.files import ModelKind
from models.json_values import table
from models.names import GENERIC
from models.safe_text import shown
from models.tensors.header import Damaged, read_header

LOG = logging.getLogger(__name__)
CHILD = Path(__file__).with_name("convert_child.py")
MOST_ANSWER = 10_000  # bytes that are read of what the process says


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the process. Memory and time grow with the file; these are what comes on top, or the most there may be."""

    memory: int = 2 * 2**30  # bytes beyond 1.5 times the file, and beyond what torch itself takes
    processor_seconds: int = 300
    seconds: float = 900.0  # by the clock, for slow disks
    tensors: int = 60_000


# What the process says -> the sentence for a person. {detail} is bounded and printable.
SENTENCES: Mapping[str, str] = {
    "code": "asks for {detail}, which is no part of a model: loading it would run somebody's program. Do not use this file",
    "program": "holds a program (TorchScript), not only weights, so it is not converted. Look for the .safetensors version",
    "compressed": "is compressed in a way that torch never writes, as files do that are meant to fill the memory. Do not use this file",
    "too large": "claims more numbers than it holds, as files do that are meant to fill the memory. Do not use this file",
    "memory": "needs more memory to open than its size explains. Look for the .safetensors version",
    "time": "takes longer to open than its size explains. Look for the .safetensors version",
    "no tensors": "holds no weights that Atelier can find. Look for the .safetensors version",
    "kind": "holds {detail}, a kind of number that cannot be converted. Look for the .safetensors version",
    "plain": "is a pickle of some Python program and no model file as torch writes them: nothing in it can be used. Look for the "
    ".safetensors version",
    "old": "is in a format from before 2018 that is no longer read. Look for the .safetensors version",
    "damaged": "cannot be read to its end: it is damaged or incomplete. Copy or download it again",
    "disk": "could not be written in the new format: {detail}. Make room on the disk and try again",
}


ROOM = ".converting-"  # begins the name of the folder that a process works in
SOURCE = "converted_from"  # metadata of what is made: the SHA-256 of the pickle


def convert(file: Path, to: Path, kind: ModelKind = "unknown", limits: Limits | None = None, source: str = "") -> None:
    """Writes the weights of `file`, a pickle of any name, as the safetensors file `to`, in the same numbers. Waits for it.

    Checkpoints, VAEs, LoRAs and upscalers keep their tensors' names. A textual inversion becomes `emb_params`, of shape (vectors, width).
    A hypernetwork becomes `{width}.{0 for keys, 1 for values}.{name in its network}`, and what was said about it becomes metadata as
    texts: `activation_func` as it is, `layer_structure`, `is_layer_norm` and the like in JSON. `source`, the SHA-256 of the file, is
    kept in the metadata as `SOURCE`.

    Raises `UserError` when the file is no pickle, is refused, or `to` is there already. Then nothing is left behind.
    """
    _check_is_pickle(file)
    if to.exists():
        raise UserError(f"There is a converted “{shown(to.stem)}” already. Use that one, or remove it first.")
    to.parent.mkdir(parents=True, exist_ok=True)
    _sweep(to.parent, (limits or Limits()).seconds)
    with tempfile.TemporaryDirectory(prefix=ROOM, dir=to.parent) as room:
        made = Path(room) / "model"
        _run(file, made, kind, limits or Limits(), Path(room), {SOURCE: source} if source else {})
        _check_made(file, made)
        os.replace(made, to)


def _sweep(folder: Path, longest: float) -> None:
    """Removes what conversions left that were killed, together with this program: rooms older than any process may take."""
    for room in folder.glob(f"{ROOM}*"):
        with suppress(OSError):
            if time.time() - room.stat().st_mtime > 2 * longest:
                shutil.rmtree(room)


def _called(file: Path) -> str:
    """As a sentence has it: with its folder's name where every such file has the same."""
    return shown(f"{file.parent.name}/{file.name}" if file.name in GENERIC else file.name)


def _check_is_pickle(file: Path) -> None:
    try:
        read_header(file)
    except Damaged as damaged:
        if damaged.reason != "pickle":
            raise
        return
    raise UserError(f"“{_called(file)}” is in the safetensors format already: it can be used as it is.")


def _run(file: Path, made: Path, kind: ModelKind, limits: Limits, room: Path, told: Mapping[str, str]) -> None:
    """Raises `UserError` when the process does not do its work within the limits."""
    task = {"file": str(file.resolve()), "made": str(made), "kind": kind, "told": told, **asdict(limits)}
    command = [sys.executable, "-I", "-B", str(CHILD), json.dumps(task)]
    # Its own session, so that everything it might have started can be ended with it.
    process = subprocess.Popen(
        command, cwd=room, env=_environment(room), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        close_fds=True, start_new_session=True,
    )  # fmt: skip
    try:
        answer = process.communicate(timeout=limits.seconds)[0]
    except subprocess.TimeoutExpired:
        answer = b'{"problem": "time"}'
    finally:
        _end(process)
    _judge(file, answer[:MOST_ANSWER], process.returncode)


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process and whatever belongs to its session, at once."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _environment(room: Path) -> dict[str, str]:
    """Nothing of this program's own: no tokens, no home, no switches that would make loading more trusting."""
    return {
        "HOME": str(room), "TMPDIR": str(room), "LANG": "C.UTF-8", "PATH": "", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "*",
    }  # fmt: skip


def _judge(file: Path, answer: bytes, code: int) -> None:
    said = _read(answer)
    if code == 0 and said.get("done") is True:
        return
    problem, detail = str(said.get("problem", _ending(code))), shown(str(said.get("detail", "")), 100)
    LOG.info("Conversion of “%s”: %s, %s (code %d)", _called(file), shown(problem), detail, code)
    sentence = SENTENCES.get(problem, SENTENCES["damaged"]).replace("{detail}", detail)
    raise UserError(f"“{_called(file)}” {sentence}.")


def _ending(code: int) -> str:
    """Why a process ended without an answer: the system ends it when its time or the computer's memory is used up."""
    if code == -signal.SIGXCPU:
        return "time"
    return "memory" if code == -signal.SIGKILL else "damaged"


def _read(answer: bytes) -> dict[str, object]:
    try:
        return table(json.loads(answer))
    except (ValueError, RecursionError):
        return {}


def _check_made(file: Path, made: Path) -> None:
    what = f"“{_called(file)}” could not be converted: what came of it is no model. Look for the .safetensors version."
    try:
        header = read_header(made)
    except Damaged as damaged:
        raise UserError(what) from damaged
    if not header.tensors:
        raise UserError(what)
