"""Checkpoints as the catalogue hands them out, and what small files say of one in the folder layout of diffusers."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from models.families import EVERY, FAMILIES, PIXELS_PER_LATENT, ZERO123
from models.files import Identity, ModelFile
from models.identify.distilled import NOT_DISTILLED, decided_defaults
from models.identify.folder import read_json
from models.identify.identify import identify_folder
from models.identify.turning import trained
from models.json_values import is_whole, listed, table
from models.kits import tokenizer_folders
from models.names import WEIGHTS
from models.safe_text import shown

STARTER = "starter"
STARTER_DEPTH = "starter-depth"  # the starter with a UNet that reads a depth map
STARTER_UPSCALER = "starter-upscaler"  # what makes the starter's pictures larger
NETWORK_WEIGHTS = (WEIGHTS[0], "diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.safetensors.index.json")
SMALLER = {("sd2", ""): 512, ("sd2", "turbo"): 512, ("sd2", "inpaint"): 512, ("sd2", "depth"): 512, ("sdxl", "turbo"): 512}  # native sizes


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts from a folder's small files beyond its identity. Nothing, for a single file."""

    native_size: int = 0  # pixels; 0: the family's
    width: int = 0  # numbers in each text vector that the UNet reads; 0: the family's
    vae_width: int = 0  # channels of the VAE's innermost layer; 0: the family's
    defaults: Mapping[str, object] = field(default_factory=dict[str, object])
    known_words: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    rest: str = ""  # the folder of everything but the UNet, where that is another


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model that draws. `id` is opaque and the only thing that a page or a request names; `folder` and `file` stay on the server."""

    id: str
    name: str
    family: str  # its name for people
    native_size: int  # pixels, the side of the squares it was trained on
    folder: Path  # in the diffusers layout; of a single file, the file
    file: ModelFile
    family_key: str = "sd1"
    variant: str = ""
    prediction_type: str = ""  # "": the folder's scheduler configuration decides
    zero_terminal_snr: bool = False
    width: int = 0  # numbers in each text vector that the UNet reads; 0: the family's
    vae_width: int = 0  # channels of the VAE's innermost layer; 0: the family's
    defaults: Mapping[str, object] = field(default_factory=dict[str, object])  # request field -> the value that suits this model
    known_words: frozenset[str] | None = None  # None: it has the vocabulary of its training set, which nobody can list
    examples: tuple[str, ...] = ()
    rest: Path | None = None  # the folder of everything but the UNet, where that is another

    @property
    def tokenizers(self) -> Mapping[str, Path]:
        """Encoder's key -> folder: the model's own, or the one that ships for its family."""
        return tokenizer_folders(self.family_key, self.rest or (self.folder if self.folder.is_dir() else None))

    @property
    def tokenizer(self) -> Path:
        """Its first encoder's."""
        return self.tokenizers[FAMILIES[self.family_key].text.encoders[0]]


def checkpoint_of(file: ModelFile, facts: Facts) -> Checkpoint:
    """What was found, with what a person decided on top."""
    own, identity = file.overrides, file.identity
    family_key = identity.family if identity.family in EVERY else "sd1"
    variant = "" if own.variant == NOT_DISTILLED else own.variant or identity.variant
    found = _decided(file, variant) if own.variant else identity.defaults
    prediction_type = own.prediction_type or identity.prediction_type
    plain = "v" if prediction_type == "v_prediction" and not variant else variant
    return Checkpoint(
        id=file.id,
        name=file.name,
        family=EVERY[family_key].name,
        native_size=facts.native_size
        or _whole(identity.defaults.get("side"))
        or SMALLER.get((family_key, plain), EVERY[family_key].native_size),
        folder=file.path,
        file=file,
        family_key=family_key,
        variant=variant,
        prediction_type=prediction_type,
        zero_terminal_snr=identity.zero_terminal_snr if own.zero_terminal_snr is None else own.zero_terminal_snr,
        width=facts.width,
        vae_width=facts.vae_width,
        defaults={**found, **facts.defaults, **own.defaults},  # what a folder says of itself is surer than what its kind is
        known_words=frozenset(facts.known_words) or None,
        examples=facts.examples,
        rest=Path(facts.rest) if facts.rest else None,
    )


def _decided(file: ModelFile, variant: str) -> dict[str, object]:
    """What suits it, as a person says of which variant it is."""
    if file.identity.family == ZERO123.key:
        return trained(file.identity.defaults, variant)
    return decided_defaults(file.identity, file.overrides.variant, file.name.lower())


def read_checkpoint(folder: Path, checkpoint_id: str = "") -> Checkpoint:
    """One in the diffusers layout. Only small files are read."""
    return checkpoint_of(*read_folder(folder, checkpoint_id))


def read_folder(folder: Path, checkpoint_id: str = "") -> tuple[ModelFile, Facts]:
    identity = identify_folder(folder)
    weights = [part.stat() for part in weight_files(folder)]
    entry = ModelFile(
        id=checkpoint_id or file_id(folder),
        name="Starter" if checkpoint_id == STARTER else shown(folder.name),
        path=folder,
        size=sum(status.st_size for status in weights),
        changed=max((status.st_mtime for status in weights), default=0.0),
        identity=identity,
        title="Starter" if checkpoint_id == STARTER else "",
    )
    return entry, _facts(folder)


def read_starter_depth(starter: Path) -> tuple[ModelFile, Facts] | None:
    """The starter's depth model: a UNet of its own in the starter's folder, all else the starter's. None where it is not there."""
    folder = starter / "depth"
    if not weight_files(folder):
        return None
    entry, _ = read_folder(folder, STARTER_DEPTH)
    identity = Identity("checkpoint", "sd1", "depth", "diffusers", identify_folder(starter).prediction_type)
    return replace(entry, name="Starter depth", title="Starter depth", identity=identity), replace(_facts(starter), rest=str(starter))


def file_id(path: Path) -> str:
    """Opaque: it says nothing of where the file lies, and stays the same from start to start.

    A link to a file under another name is an entry of its own: whoever asks for that name is told of that name.
    """
    real = os.path.realpath(path)
    own = [] if os.path.basename(real) == path.name else [path.name]
    return hashlib.sha256(os.fsencode("\0".join([real, *own]))).hexdigest()[:16]


def weight_files(folder: Path) -> list[Path]:
    """The weights of each part of a folder in the diffusers layout, or of its one network, in the precision that is loaded."""
    parts = [folder / name for name in ("unet", "vae", "text_encoder", "text_encoder_2")]
    found = [found[0] for part in parts if (found := [part / name for name in WEIGHTS if (part / name).is_file()])]
    return found or [folder / name for name in NETWORK_WEIGHTS if (folder / name).is_file()][:1]


def facts_from(values: Mapping[str, Any]) -> Facts:  # Any: the fields of a `Facts`, each of its own type
    """The other way round of `asdict`, which JSON goes between."""
    others = {name: value for name, value in values.items() if name not in ("known_words", "examples")}
    return Facts(**others, known_words=tuple(values["known_words"]), examples=tuple(values["examples"]))


def _facts(folder: Path) -> Facts:
    told, unet, vae = (read_json(folder / name) for name in ("starter.json", "unet/config.json", "vae/config.json"))
    channels = listed(vae.get("block_out_channels"))
    pixels_per_latent = 2 ** (len(channels) - 1) if 1 < len(channels) < 8 else PIXELS_PER_LATENT  # each level but one halves the sides
    return Facts(
        native_size=_whole(told.get("native_size")) or pixels_per_latent * _whole(unet.get("sample_size")),
        width=_whole(unet.get("cross_attention_dim")),
        vae_width=_whole(channels[-1]) if channels else 0,
        defaults=table(told.get("defaults")),
        known_words=_texts(told.get("known_words")),
        examples=_texts(told.get("example_prompts")),
    )


def _whole(value: object) -> int:
    return value if is_whole(value) and 0 < value <= 8192 else 0


def _texts(value: object) -> tuple[str, ...]:
    return tuple(text for text in listed(value) if isinstance(text, str))
