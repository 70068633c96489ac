"""File names on the Hugging Face hub: which may be asked for, and what they are called here.

A file that a person names ends in .safetensors, .json or .txt. Torch's own endings, .pth and .pt, can hold a program, so they are let
through for `listed` files alone: those that a table of ours names, whose readers take nothing but weights (`weights_only=True`). A name
that comes from a page, a request or a file is never listed.
"""

from __future__ import annotations

import re

from models.errors import UserError

ENDINGS = (".safetensors", ".json", ".txt")
LISTED_ENDINGS = (*ENDINGS, ".pth", ".pt")
LONGEST_NAME = 200  # bytes
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # names that Windows keeps to itself


def check_names(repo: str, filename: str, revision: str = "main", *, listed: bool = False) -> None:
    """Raises `UserError` for names that the hub cannot have, and for files that are not fetched."""
    word = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,95})"
    if not re.fullmatch(f"{word}/{word}", repo) or ".." in repo:
        raise UserError("A repository is named like “owner/name”, as in the address of its page. Check what you typed.")
    parts = filename.split("/")
    if not filename.isprintable() or len(filename) > 400 or any(part in ("", ".", "..") or "\\" in part for part in parts):
        raise UserError("This cannot be the name of a file in a repository. Copy it from the list of files on its page.")
    if not filename.lower().endswith(LISTED_ENDINGS if listed else ENDINGS):
        raise UserError("Only .safetensors, .json and .txt files are downloaded: other formats can run programs on this computer.")
    if not re.fullmatch(r"[A-Za-z0-9._/-]{1,120}", revision) or ".." in revision:
        raise UserError("A revision is the name of a branch or a commit.")


def saved_name(name: str, *, listed: bool = False) -> str:
    """The last part of a name as one file on every system: no separators or reserved names, at most 200 bytes, a known ending."""
    base = re.sub(r'[<>:"/\\|?*]', "_", "".join(char if char.isprintable() else "_" for char in name.rpartition("/")[2]))
    endings = LISTED_ENDINGS if listed else ENDINGS
    ending = next((ending for ending in endings if base.lower().endswith(ending)), "")
    stem = base[: len(base) - len(ending)].lstrip("-. ").rstrip(" .") or "model"
    if RESERVED.fullmatch(stem):
        stem = f"_{stem}"
    return stem.encode()[: LONGEST_NAME - len(ENDINGS[0])].decode(errors="ignore") + (ending or ENDINGS[0])
