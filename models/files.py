"""Model files as the library knows them: one entry for a file or folder. Plain data: no torch, no disk."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from models.names import composed, true_name, writable

ModelKind = Literal[
    "checkpoint", "vae", "lora", "embedding", "hypernetwork", "controlnet", "adapter", "upscaler", "text_encoder", "unet", "unknown",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a file, as its header says. An empty text means "cannot be told"."""

    kind: ModelKind = "unknown"
    family: str = ""  # "sd1", "sd2", "sdxl", "sdxl-refiner"; of others "svd", "zero123", "sd3", "flux1", ...; a LoRA's is what it fits
    variant: str = ""  # "", "inpaint", "depth", "instruct", "turbo", "lcm", "lightning", "hyper", "v", ...
    layout: str = ""  # how its tensors are named: "ldm", "sgm", "diffusers", "bare", ...; the loader's business
    prediction_type: str = ""  # of checkpoints: "epsilon" or "v_prediction"
    zero_terminal_snr: bool = False
    vectors: int = 0  # of embeddings: the places that one takes in a prompt
    bytes_a_pixel: int = 0  # of upscalers: memory that they take for each pixel that they see, in float32
    supported: bool = True
    note: str = ""  # when it is not supported: a sentence that says what it is and that it cannot be used yet
    defaults: Mapping[str, object] = field(default_factory=dict[str, object])  # request field -> what suits it (turbo: steps ...)


def scale_of(upscaler: Identity) -> int:
    """How many times as wide and as high a picture becomes; 1 where the identity does not say."""
    found = re.fullmatch(r"x(\d+)", upscaler.variant)
    return int(found[1]) if found else 1


@dataclass(frozen=True, slots=True)
class Overrides:
    """Decisions of a person about one file, kept by its hash. None and "" leave what was found."""

    prediction_type: str = ""
    zero_terminal_snr: bool | None = None
    variant: str = ""
    vae: str = ""  # id of the VAE that "the checkpoint's own" stands for
    defaults: Mapping[str, object] = field(default_factory=dict[str, object])
    note: str = ""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One entry of the library. `id` is opaque and the only thing that pages and requests name; `path` stays on the server."""

    id: str
    name: str  # to be shown, and for nothing else: made safe and short, with folders where others are called so too
    path: Path  # a file, or a folder in the diffusers layout
    size: int  # bytes
    changed: float  # modification time
    identity: Identity
    problem: str = ""  # not empty: a sentence that says why it cannot be used
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])  # from the header, bounded; untrusted text
    words: tuple[str, ...] = ()  # trigger words
    hash: str = ""  # SHA-256 of the file in hexadecimal digits, once it has been computed
    overrides: Overrides = field(default_factory=Overrides)
    folders: tuple[str, ...] = ()  # that it lies in, outermost first, with / between: from the folder of its kind on, from the root on
    title: str = ""  # of the starter's models, which are not called after their files
    tag: str = ""  # means this file and no other of its kind; the catalogue fills it in

    @property
    def true_name(self) -> str:
        """As the file system has it, without the ending."""
        return self.title or true_name(self.path)

    @property
    def called(self) -> str:
        """What to write to mean this file, in a tag, a list or a record: at most 300 characters, no < > : and nothing invisible.

        `Catalog.named` finds it again by that, and where the library has a name that tells it from all others, finds it alone.
        """
        return self.tag or writable(composed(self.true_name))

    @property
    def usable(self) -> bool:
        return not self.problem and self.identity.supported
