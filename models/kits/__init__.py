"""Kits: the sizes of a family's networks and its tokenizer, which a bare weights file does not say. Made by `make.py`; no torch.

A kit is a folder with one JSON file for each network (`unet.json`, `vae.json`, and one for each text encoder, named by its key)
and `scheduler.json`. The number of input channels is the plain model's; inpainting, depth and editing models say theirs themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from models.errors import UserError
from models.families import FAMILIES

KITS = Path(__file__).parent
TOKENIZERS = {"clip_l": "tokenizer", "clip_h": "tokenizer_zero_padded", "clip_g": "tokenizer_zero_padded"}
VARIANTS = {("sd2", "v"): "sd2-v"}
REFINER = "sdxl-refiner"


def kit(family_key: str, variant: str = "") -> Path:
    """The kit's folder. A variant that differs only in its input channels or in its numbers has the family's. Raises `UserError`."""
    if family_key not in FAMILIES:
        raise UserError("Files of this family of models cannot be loaded yet. Choose another one.")
    return KITS / VARIANTS.get((family_key, variant), family_key)


def tokenizer_folder(key: str) -> Path:
    """By a text encoder's key, or by a family's, which means its first encoder."""
    return KITS / TOKENIZERS[FAMILIES[key].text.encoders[0] if key in FAMILIES else key]


def tokenizer_folders(family_key: str, folder: Path | None = None) -> Mapping[str, Path]:
    """Encoder key -> tokenizer folder, of a single file (None) or of a folder in the diffusers layout that has its own."""
    keys = FAMILIES[family_key].text.encoders
    own = {} if folder is None else {key: folder / f"tokenizer{suffix}" for key, suffix in suffixes(family_key).items()}
    return {key: own[key] if key in own and own[key].is_dir() else tokenizer_folder(key) for key in keys}


def suffixes(family_key: str) -> Mapping[str, str]:
    """Encoder key -> what diffusers appends to `text_encoder` and `tokenizer`. The refiner's only encoder is called the second."""
    names = ("_2",) if family_key == REFINER else ("", "_2")
    return dict(zip(FAMILIES[family_key].text.encoders, names, strict=False))
