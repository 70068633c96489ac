"""Vision encoders on the disk: CLIP's encoders of pictures, which IP-Adapters look through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from models.errors import UserError
from models.library.checkpoint import file_id
from models.tensors.header import TensorInfo, read_header

FOLDERS = ("clip_vision", "image_encoder")
WEIGHTS = "model.safetensors"  # of a folder of transformers
WHOLE, SUMMARY = "vision_model.embeddings.class_embedding", "visual_projection.weight"
KNOWN = {1024: "ViT-H (image_encoder of h94/IP-Adapter, models)", 1280: "ViT-bigG (image_encoder of h94/IP-Adapter, sdxl_models)"}


def looked_through(adapter: Path) -> tuple[int, bool]:
    """Numbers in the vectors that an IP-Adapter reads, and whether these are all that its encoder sees (“plus”), or its summary.

    Raises `UserError` for what is none.
    """
    tensors = read_header(adapter).tensors
    is_plus = "image_proj.latents" in tensors
    first = tensors.get("image_proj.proj_in.weight" if is_plus else "image_proj.proj.weight")
    if first is None or len(first.shape) != 2:
        raise UserError("This file is no IP-Adapter that Atelier knows. Choose another one.")
    return first.shape[1], is_plus


class Encoders:
    """The encoders in the folders of models. Safe to ask from any thread."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)

    def fitting(self, width: int, in_full: bool) -> str:
        """The id of the first whose vectors have this width: its summaries, or with `in_full` all that it sees.

        Raises `UserError` with a sentence that says which file to put where.
        """
        found = self._first(width, in_full)
        if found:
            return found
        raise self._missing("This IP-Adapter needs a vision encoder", width, "" if in_full else KNOWN.get(width, ""))

    def summing_up(self, width: int) -> str:
        """The id of the first whose summaries have this width, to be held against what a text encoder says. Raises `UserError` as above."""
        found = self._first(width, in_full=False)
        if found:
            return found
        raise self._missing("To compare this picture with its words takes a CLIP vision encoder", width, KNOWN.get(width, ""))

    def _first(self, width: int, in_full: bool) -> str:
        return next((file_id(path) for path in self._all() if _width(path, in_full) == width), "")

    def _missing(self, what: str, width: int, name: str) -> UserError:
        known = f" It is called {name}." if name else ""
        where = "/".join((*(self._folders[0].parts[-2:] if self._folders else ("models",)), FOLDERS[0]))
        return UserError(f"{what} with vectors of {width} numbers.{known} Put its .safetensors file into {where}.")

    def path(self, encoder_id: str) -> Path:
        """Raises `UserError` when it is not there any more."""
        for path in self._all():
            if file_id(path) == encoder_id:
                return path
        raise UserError("The vision encoder is not in the models folders any more. Put it back.")

    def called(self, encoder_id: str) -> tuple[str, Path]:
        """Its name, and the file that it is read from."""
        path = self.path(encoder_id)
        return path.stem, _weights(path)

    def size(self, encoder_id: str) -> int:
        """Bytes of its weights."""
        return _weights(self.path(encoder_id)).stat().st_size

    def fingerprint(self, encoder_id: str) -> tuple[int, int]:
        """What its file looks like from outside: another when it has changed."""
        status = _weights(self.path(encoder_id)).stat()
        return status.st_size, status.st_mtime_ns

    def _all(self) -> Iterator[Path]:
        for folder in self._folders:
            for name in FOLDERS:
                yield from sorted((folder / name).glob("*.safetensors"))
                yield from sorted(file.parent for file in (folder / name).glob(f"*/{WEIGHTS}") if (file.parent / "config.json").is_file())


def _weights(path: Path) -> Path:
    return path / WEIGHTS if path.is_dir() else path


def _width(path: Path, in_full: bool) -> int:
    """0 for what is no such encoder."""
    try:
        tensors: Mapping[str, TensorInfo] = read_header(_weights(path)).tensors
        return tensors[WHOLE if in_full else SUMMARY].shape[0]
    except (UserError, OSError, KeyError, IndexError):
        return 0
