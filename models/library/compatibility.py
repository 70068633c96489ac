"""Compatibility: whether a file can be used with a checkpoint, and if not, why. Decided by headers alone."""

from __future__ import annotations

import re

from models.families import EVERY, PIXELS_PER_LATENT
from models.files import ModelFile, ModelKind
from models.library.checkpoint import Checkpoint

WIDTHS = {
    "sd1": 768,
    "sd2": 1024,
    "sdxl": 2048,
    "sdxl-refiner": 1280,
    "x4-upscaler": 1024,
}  # numbers in a text vector that a family's UNet reads
TOLD_BY_WIDTH = ("sd1", "sd2")  # families that a file is only said to be of when it has their width
VAE_WIDTH = 512  # channels of the innermost layer in the VAEs of all Stable Diffusion families
BOUND: frozenset[ModelKind] = frozenset({"lora", "embedding", "hypernetwork", "controlnet", "adapter"})  # made for one family
# SD1 and SD2 share a latent space, SDXL has another; the tensors of their VAEs look alike, so only a name can tell them apart.
VAE_NAMES = (("sdxl", r"(?<![a-z])(sd)?xl(?![a-z])"), ("sd1", r"(?<![a-z0-9])(ft-?_?(mse|ema)|840000|560000|kl-?f8|sd-?v?1|sd-?v?2)"))


def fits(entry: ModelFile, checkpoint: Checkpoint) -> str:
    """ "" when the file can be used with the checkpoint, else the reason, in a sentence."""
    if not entry.usable:
        return entry.problem or entry.identity.note
    if entry.identity.kind == "vae":
        return _vae(entry, checkpoint)
    return _bound(entry, checkpoint) if entry.identity.kind in BOUND else ""


def in_short(entry: ModelFile, checkpoint: Checkpoint) -> str:
    """For a file that does not fit: why, in the few words that a list has room for."""
    if not entry.usable:
        return "cannot be used"
    family = entry.identity.family
    return f"made for {_name(family)}" if family and family != checkpoint.family_key else "made for another size"


def _bound(entry: ModelFile, checkpoint: Checkpoint) -> str:
    family = entry.identity.family
    if family and family != checkpoint.family_key:
        return f"“{entry.name}” was made for {_name(family)}; “{checkpoint.name}” is a {checkpoint.family} model."
    own = checkpoint.width or WIDTHS.get(checkpoint.family_key, 0)
    made_for = width(entry) or (WIDTHS[family] if family in TOLD_BY_WIDTH else 0)
    if own and made_for and own != made_for:
        texts = f"text vectors of {made_for} numbers; “{checkpoint.name}” has {own}"
        return f"“{entry.name}” was made for a model of another size ({texts})."
    return ""


def _vae(entry: ModelFile, checkpoint: Checkpoint) -> str:
    if EVERY[checkpoint.family_key].latent.pixels != PIXELS_PER_LATENT:
        return f"“{checkpoint.name}” has latents of its own, which no other VAE reads."
    own, found = checkpoint.vae_width or VAE_WIDTH, width(entry) or VAE_WIDTH
    if own != found:
        return f"“{entry.name}” was made for a model of another size (a VAE of {found} channels; that of “{checkpoint.name}” has {own})."
    family = entry.identity.family or _family_by_name(entry.true_name)
    if family and _latents(family) != _latents(checkpoint.family_key) and own == VAE_WIDTH:
        return f"“{entry.name}” is a VAE for {_name(family)}; “{checkpoint.name}” is a {checkpoint.family} model."
    return ""


def width(entry: ModelFile) -> int:
    """Of a file in a size that no family has: numbers in a text vector, or channels of a VAE's innermost layer. Else 0."""
    found = re.search(r"(?:^| )width (\d{1,6})$", entry.identity.variant)
    return int(found[1]) if found else 0


def _family_by_name(name: str) -> str:
    return next((family for family, pattern in VAE_NAMES if re.search(pattern, name.lower())), "")


def _latents(family: str) -> str:
    """The first family with the same latent space."""
    return {"sd2": "sd1", "sdxl-refiner": "sdxl"}.get(family, family)


def _name(family: str) -> str:
    return EVERY[family].name if family in EVERY else family
