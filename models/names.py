"""File names, and which ways of writing one mean the same. Looking up never goes by what is shown on a page.

Names come as file systems keep them: accents in one character or in two (NFC, NFD), letters large or small, and characters that cannot
stand in a tag of a prompt. `SPELLINGS` are the ways of comparing two names, the strictest first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

SAFE = (".safetensors", ".sft")
PICKLES = (".ckpt", ".pt", ".pth", ".bin")
ENDINGS = (*SAFE, *PICKLES)
WEIGHTS = ("diffusion_pytorch_model.safetensors", "model.safetensors")
GENERIC = frozenset({*WEIGHTS, "pytorch_lora_weights.safetensors", "learned_embeds.safetensors", "pytorch_model.bin"})
JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"  # parts of emoji and of words
PLAIN = re.compile(r"[ !#-9=?-~]*")  # characters that no form changes but for their case
SEPARATORS = re.compile(r"[/\\]+")


def true_name(path: Path) -> str:
    """As the file system has it, without the ending; the folder's where the file has the name that every such file has."""
    return path.parent.name if path.name in GENERIC else without_ending(path.name)


def ending_of(name: str) -> str:
    """In small letters; "" where it is not one of a model file. “v1.5” is a name."""
    lower = name.lower()
    return next((ending for ending in ENDINGS if lower.endswith(ending) and len(name) > len(ending)), "") if lower.endswith(ENDINGS) else ""


def without_ending(name: str) -> str:
    return name.removesuffix(name[len(name) - len(ending_of(name)) :])


def composed(name: str) -> str:
    """NFC, without spaces around it."""
    return name.strip() if name.isascii() else unicodedata.normalize("NFC", name).strip()


def folded(name: str) -> str:
    """Letters large and small alike."""
    return composed(name).lower() if name.isascii() else unicodedata.normalize("NFC", composed(name).casefold())


def writable(name: str) -> str:
    """“_” in place of what a tag or a list of names cannot hold: < > : and what has no width or shape of its own."""
    if name.isascii() and name.isprintable() and not set(name) & set("<>:"):
        return name
    return "".join(character if _is_writable(character) else "_" for character in name)


def loosest(name: str) -> str:
    """The same for all names that any of the forms takes for one another."""
    return name.strip().lower() if PLAIN.fullmatch(name) else folded(writable(name))


Spelling = Callable[[str], str]
SPELLINGS: tuple[Spelling, ...] = (str, composed, folded, loosest)


def taken_apart(text: str) -> tuple[tuple[str, ...], str]:
    """(folders, name) of a name that may have folders before it, with / or \\ between them."""
    *folders, name = SEPARATORS.split(text)
    return tuple(folder for folder in folders if folder.strip() not in ("", ".")), name


def _is_writable(character: str) -> bool:
    return character not in "<>:" and (character in JOINERS or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
