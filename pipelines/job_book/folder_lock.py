"""The folder lock: one Atelier on one outputs folder, by a lock of the operating system that ends with its process, however it ends.

The file `studio.lock` stays; what counts is the lock on it, and its text only names who holds it. Two machines on one network drive are
kept apart where the drive passes locks on (NFS, SMB). Where it knows none nothing keeps them apart, and the log says so.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from pathlib import Path
from typing import IO

from models.errors import UserError

log = logging.getLogger(__name__)

NAME = "studio.lock"
HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
FAR = 2**30  # bytes: on Windows the byte that is locked lies behind the text, as a locked one cannot be read


class FolderLock:
    """Held until `release` or the end of the process."""

    def __init__(self) -> None:
        self._file: IO[str] | None = None

    def take(self, folder: Path) -> None:
        """Holds the folder, and no other one any more. Raises `UserError` when another Atelier holds it, or it cannot be written."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = (folder / NAME).open("a+", encoding="utf-8", errors="replace")
        except OSError as error:
            raise UserError(f"The folder {folder} cannot be written ({error.strerror}). Name another with --outputs-dir.") from error
        if self._file and os.path.sameopenfile(self._file.fileno(), file.fileno()):
            file.close()
            return
        self._hold(file, folder)

    def release(self) -> None:
        if self._file:
            self._file.close()
        self._file = None

    def _hold(self, file: IO[str], folder: Path) -> None:
        try:
            _lock(file.fileno())
        except OSError as error:
            if error.errno in HELD:
                who = _holder(file)
                file.close()
                raise UserError(f"Another Atelier ({who}) uses the folder {folder}. Close it, or name another --outputs-dir.") from error
            log.warning("The drive of %s knows no locks (%s): see to it that only one Atelier uses this folder.", folder, error.strerror)
        self.release()
        self._file = file
        _sign(file)


def _sign(file: IO[str]) -> None:
    try:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
    except OSError as error:  # a full disk: the lock holds without its text
        log.warning("The lock of the outputs folder could not be signed: %s", error)


def _holder(file: IO[str]) -> str:
    try:
        file.seek(0)
        return file.readline(200).strip() or "another process"
    except OSError:
        return "another process"


def _lock(handle: int) -> None:
    if os.name == "nt":
        import msvcrt

        os.lseek(handle, FAR, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # pyright: ignore[reportAttributeAccessIssue]
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
