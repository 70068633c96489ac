"""The token of a cluster: who has it may do there what the owner may, so it lies in a file that nobody else can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from models.errors import UserError

FOLDER, FILE = ".ray", "token"  # in the studio's folder
LETTERS = 64


def own_token(outputs: Path) -> Path:
    """The file of the studio's own, made if there is none yet, or nothing in it."""
    path = outputs / FOLDER / FILE
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists() or not path.stat().st_size:
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(LETTERS // 2))
        fresh.rename(path)
    return path


def given_token(path: Path) -> Path:
    """Raises `UserError` where it is none, or where others can read it."""
    path = path.expanduser().resolve()
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The token's file {path} cannot be read. Copy it from the computer of the studio.") from error
    if not text:
        raise UserError(f"The token's file {path} is empty. Copy it anew from the computer of the studio.")
    if not (text.isascii() and text.isprintable()):
        raise UserError(f"In the file {path} is no token. Copy it anew from the computer of the studio.")
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise UserError(f"Others on this computer can read the token. Make it yours alone, then start again: chmod 600 {path}")
    return path
