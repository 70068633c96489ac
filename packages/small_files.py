"""Small files of the set-up: a lock that ends with its holder, words read and written whole, a folder emptied."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def locked(path: Path) -> Generator[IO[str]]:
    """Only one set-up at a time; the system lets go of the lock when its holder ends, however it ends."""
    with path.open("a+") as file:
        if not _try_lock(file.fileno()):
            print("Another start is setting Atelier up. Waiting for it...", flush=True)
            while not _try_lock(file.fileno()):
                time.sleep(0.5)
        yield file


def _try_lock(handle: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(handle, 0, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK)  # else this disk knows no locks: go on without
    return True


def empty(folder: Path, keep: set[str]) -> None:
    for path in folder.iterdir():
        if path.name in keep:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""


def size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def write_whole(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)
