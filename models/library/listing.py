"""Folder listings: where model files lie, in the folders of Atelier, AUTOMATIC1111, ComfyUI and InvokeAI, or any other tree.

Looks at names and times only, but for the small config.json of a folder that may hold one network in the diffusers layout.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from models.files import ModelKind
from models.identify.folder import CONFIG, INDEX, network_kind
from models.library.checkpoint import weight_files
from models.names import PICKLES, SAFE, WEIGHTS, ending_of

DEEPEST = 8  # folders below the one that was named
NETWORK = "diffusion_pytorch_model."  # begins the names of all files with the weights of one network in the diffusers layout

# Folder names, in small letters -> what lies there. A file's header decides; this tells what its header leaves open.
KINDS: dict[str, ModelKind] = {
    "checkpoints": "checkpoint", "stable-diffusion": "checkpoint", "main": "checkpoint", "diffusers": "checkpoint",
    "vae": "vae", "vaes": "vae",
    "lora": "lora", "loras": "lora", "lycoris": "lora", "locon": "lora",
    "embeddings": "embedding", "embedding": "embedding", "textual_inversion": "embedding",
    "hypernetworks": "hypernetwork", "hypernetwork": "hypernetwork",
    "controlnet": "controlnet", "controlnets": "controlnet", "control_lora": "controlnet",
    "t2i_adapter": "adapter", "t2i_adapters": "adapter", "ip_adapter": "adapter", "ipadapter": "adapter", "ipadapter-flux": "adapter",
    "upscale_models": "upscaler", "upscalers": "upscaler", "esrgan": "upscaler", "realesrgan": "upscaler", "swinir": "upscaler",
    "dat": "upscaler", "hat": "upscaler", "scunet": "upscaler", "spandrel_image_to_image": "upscaler",
    "unet": "unet", "diffusion_models": "unet",
    "clip": "text_encoder", "text_encoders": "text_encoder", "text_encoder": "text_encoder", "t5_encoder": "text_encoder",
    "clip_vision": "text_encoder",
}  # fmt: skip
PASSED_BY = frozenset({
    "venv", "node_modules", "site-packages", "__pycache__", "outputs", "output", "input", "temp", "configs", "vae-approx", "vae_approx",
    "codeformer", "gfpgan", "annotators", "torch_deepdanbooru", "deepbooru", "blip", "onnx",
})  # fmt: skip
CONTROL_EXTENSION = ("extensions", "sd-webui-controlnet", "models")  # of AUTOMATIC1111


@dataclass(frozen=True, slots=True)
class FolderToScan:
    """A folder to look into."""

    path: Path
    kind: ModelKind = "unknown"  # what its name, or that of the nearest folder above it, says
    depth: int = 0
    parts: bool = False  # it holds parts of a model in the diffusers layout, which are not files to offer
    inside: tuple[str, ...] = ()  # folders that lead to it, as they were walked through, the root's own name first


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file or folder that may be a model."""

    path: Path
    kind: ModelKind
    fingerprint: str  # another one when the content has changed
    size: int
    changed: float
    is_folder: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """One folder."""

    candidates: tuple[Candidate, ...]
    below: tuple[FolderToScan, ...]
    watched: tuple[tuple[bytes, int], ...]  # (path, time) of the folders that change when something is added or taken away


def places(root: Path) -> list[FolderToScan]:
    """Where to begin. `root`: a folder of models, or the folder of a program that has one called `models`."""
    models, name = root / "models", Path(os.path.realpath(root)).name
    if not models.is_dir():
        return [FolderToScan(root, KINDS.get(root.name.lower(), "unknown"), inside=(name,))]
    known = [entry for entry in sorted(root.iterdir()) if entry.name.lower() in KINDS and entry.is_dir()]
    control = root.joinpath(*CONTROL_EXTENSION)
    extensions = [FolderToScan(control, "controlnet", inside=(name, *CONTROL_EXTENSION))] if control.is_dir() else []
    own = [FolderToScan(entry, KINDS[entry.name.lower()], inside=(name, entry.name)) for entry in known]
    return [FolderToScan(models, inside=(name, "models")), *own, *extensions]


def folders_of(inside: Sequence[str]) -> tuple[str, ...]:
    """How a folder of models may be written: from below the folder that is named after a kind, and as a whole."""
    kind = next((place for place, name in enumerate(inside) if name.lower() in KINDS), -1)
    return tuple(dict.fromkeys(("/".join(inside[kind + 1 :]), "/".join(inside))))


def list_folder(place: FolderToScan) -> Listing:
    """What lies directly in a folder. Raises `OSError` when it cannot be read."""
    path = Path(os.path.realpath(place.path))
    with os.scandir(path) as found:
        entries = [entry for entry in found if _is_shown(entry)]
    watched = [(os.fsencode(path), path.stat().st_mtime_ns)]
    if any(entry.name == INDEX for entry in entries):
        folder, parts = _model_folder(path, entries)
        return Listing((folder,), (), (*watched, *parts))
    network = _network_folder(path, entries, place)
    wanted = [entry for entry in entries if _is_wanted(entry, place) and not (network and entry.name.startswith(NETWORK))]
    candidates = [network, *(_candidate(path, entry, place) for entry in sorted(wanted, key=lambda entry: entry.name))]
    below = [_below(path, entry, place) for entry in entries if _is_folder(entry)] if place.depth < DEEPEST else []
    return Listing(tuple(filter(None, candidates)), tuple(sorted(below, key=lambda item: item.path)), tuple(watched))


def mark_now(path: Path) -> str:
    """The mark of a file, or of a model in a folder, as it is at this moment. Raises `OSError` when it is not there."""
    if not path.is_dir():
        return mark_of(path.stat())
    with os.scandir(path) as found:
        return _model_folder(path, [entry for entry in found if _is_shown(entry)])[0].fingerprint


def mark_of(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"


def _below(path: Path, entry: os.DirEntry[str], place: FolderToScan) -> FolderToScan:
    kind = KINDS.get(entry.name.lower(), place.kind)
    return FolderToScan(path / entry.name, kind, place.depth + 1, place.parts, (*place.inside, entry.name))


def _is_shown(entry: os.DirEntry[str]) -> bool:
    """What is hidden is left alone, but for model files; those that begin with "._" are what macOS puts beside a file on foreign disks."""
    return not entry.name.startswith(".") or bool(ending_of(entry.name) and not entry.name.startswith("._"))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return not entry.name.startswith(".") and entry.name.lower() not in PASSED_BY and entry.is_dir()
    except OSError:
        return False


def _is_wanted(entry: os.DirEntry[str], place: FolderToScan) -> bool:
    """By its ending, which is all that a name is asked for. A `.bin` is anything, so only where models are expected."""
    ending = ending_of(entry.name)
    if place.parts and entry.name in WEIGHTS:
        return False
    return ending in SAFE or (ending in PICKLES and (ending == ".ckpt" or place.kind != "unknown"))


def _candidate(path: Path, entry: os.DirEntry[str], place: FolderToScan) -> Candidate | None:
    """None for what is not a file: a pipe or a device would be waited for without end."""
    try:
        status = entry.stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Candidate(path / entry.name, place.kind, mark_of(status), status.st_size, status.st_mtime)


def _network_folder(path: Path, entries: list[os.DirEntry[str]], place: FolderToScan) -> Candidate | None:
    """One network with its config.json; other files may lie beside it."""
    names = {entry.name for entry in entries}
    if place.parts or CONFIG not in names or not any(name.startswith(NETWORK) for name in names):
        return None
    kind = network_kind(path)
    return replace(_model_folder(path, entries)[0], kind=kind) if kind and weight_files(path) else None


def _model_folder(path: Path, entries: list[os.DirEntry[str]]) -> tuple[Candidate, list[tuple[bytes, int]]]:
    """A model in the diffusers layout: its mark is made of the marks of all files one level down."""
    fingerprints: list[str] = []
    watched: list[tuple[bytes, int]] = []
    size, changed = 0, 0.0
    for name, status in sorted(_inside(path, entries)):
        if stat.S_ISDIR(status.st_mode):
            watched.append((os.fsencode(path / name), status.st_mtime_ns))
        elif stat.S_ISREG(status.st_mode):
            fingerprints.append(f"{name} {mark_of(status)}")
            size, changed = size + status.st_size, max(changed, status.st_mtime)
    return Candidate(path, "checkpoint", _short(fingerprints), size, changed, is_folder=True), watched


def _inside(path: Path, entries: list[os.DirEntry[str]]) -> Iterator[tuple[str, os.stat_result]]:
    for entry in entries:
        yield from _status(entry, entry.name)
        if entry.is_dir():
            with os.scandir(path / entry.name) as found:
                for part in found:
                    yield from _status(part, f"{entry.name}/{part.name}")


def _status(entry: os.DirEntry[str], name: str) -> Iterator[tuple[str, os.stat_result]]:
    """Nothing for a link that leads nowhere."""
    with suppress(OSError):
        yield name, entry.stat()


def _short(fingerprints: list[str]) -> str:
    return hashlib.sha256("\n".join(fingerprints).encode(errors="surrogateescape")).hexdigest()[:32]
