"""The certificate that the studio shows where it speaks HTTPS: one of its own (`ui/door/authority.py`), or the owner's.

Its own is made once and kept beside the book, in a folder that only its owner can read. It is made anew, by the same authority, when
a connection arrives at an address or under a name that it does not have, or when it nears its end. Names and addresses of before stay in
it for a while, so that a browser that was told to accept it knows it again when the machine comes back to a network.
"""

from __future__ import annotations

import datetime
import logging
import os
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography import x509

from models.errors import UserError
from ui.door.addresses import parsed
from ui.door.authority import Signed, canonical, der, fingerprint, is_of, lasts, name_of, names_of, new_authority, new_leaf, signs

log = logging.getLogger(__name__)
FOLDER = ".certificate"  # beside the book
MOST_NAMES = 32  # in one certificate, and at most half of them are those of now
UNWRITTEN = "The certificate of the studio cannot be written into {folder} ({why}). Name another folder with --outputs-dir."
NOT_READ = (
    "--certificate and --key take a certificate with what signed it, and its key without a password, both in PEM. "
    "These were not understood: {why}."
)


@dataclass(frozen=True)
class Authority:
    """What others are told of it, so that they can trust it: all public."""

    name: str
    fingerprint: str  # SHA-256, pairs of hexadecimal digits with colons between them
    der: bytes


class Certificate(Protocol):
    """A certificate as the server shows it."""

    @property
    def authority(self) -> Authority | None:
        """The studio's own; None where somebody else's has signed."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """Names by which the studio is to be called because the certificate has them, and its addresses not."""
        ...

    def context(self, address: str) -> ssl.SSLContext:
        """For a connection that arrived at this address."""
        ...


def utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class OwnCertificate:
    """Lives in the event loop. `names`: the names and addresses of this machine now, the first ones foremost.

    Raises `UserError` when it cannot be written.
    """

    names = ()

    def __init__(self, folder: Path, names: Callable[[], Iterable[str]], clock: Callable[[], datetime.datetime] = utc_now) -> None:
        self._folder, self._names, self._clock = folder, names, clock
        _private_folder(folder)
        self._by = self._kept("authority", lambda found: lasts(found, clock())) or self._made(
            "authority", new_authority(self._all(), clock())
        )
        self._leaf = self._kept("certificate", lambda found: is_of(found, self._by.certificate)) or self._made_leaf(self._all())
        self._opened = self._renewed() if self._is_due(self._all()) else self._context()

    @property
    def authority(self) -> Authority:
        known = self._by.certificate
        return Authority(name_of(known), fingerprint(known), der(known))

    def context(self, address: str) -> ssl.SSLContext:
        if self._is_due([canonical(address)]):
            self._opened = self._renewed(canonical(address))
        return self._opened

    def _is_due(self, names: Iterable[str]) -> bool:
        known = set(names_of(self._leaf.certificate))
        missing = [name for name in names if name not in known and signs(self._by.certificate, name)]
        return bool(missing) or not lasts(self._leaf.certificate, self._clock())

    def _renewed(self, *more: str) -> ssl.SSLContext:
        self._leaf = self._made_leaf((*more, *self._all(), *names_of(self._leaf.certificate)))
        return self._context()

    def _made_leaf(self, names: Iterable[str]) -> Signed:
        usable = [name for name in dict.fromkeys(names) if signs(self._by.certificate, name)]
        return self._made("certificate", new_leaf(self._by, usable[:MOST_NAMES], self._clock()))

    def _all(self) -> list[str]:
        return list(dict.fromkeys(map(canonical, self._names())))[: MOST_NAMES // 2]

    def _kept(self, name: str, is_good: Callable[[x509.Certificate], bool]) -> Signed | None:
        """None for what is not there, not whole or not good any more: then it is made anew."""
        try:
            found = Signed.read(self._path(name).read_bytes(), self._path(f"{name}-key").read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            log.warning("The %s of the studio cannot be read, and is made anew: %s", name, error)
            return None
        _for_owner_only(self._path(f"{name}-key"))
        return found if is_good(found.certificate) else None

    def _made(self, name: str, made: Signed) -> Signed:
        try:
            _write(self._path(f"{name}-key"), made.key_pem)
            _write(self._path(name), made.pem)
        except OSError as error:
            raise UserError(UNWRITTEN.format(folder=self._folder, why=error.strerror)) from error
        return made

    def _context(self) -> ssl.SSLContext:
        return _opened(self._path("certificate"), self._path("certificate-key"))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.pem"


class GivenCertificate:
    """The owner's, from two files in PEM; read anew when they have changed. Raises `UserError` for what is none."""

    authority = None

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = certificate, key
        try:
            self._read_at = self._changed()
            self._opened = _opened(*self._files)
            self.names = _names(certificate)
        except (OSError, ValueError) as error:
            raise UserError(NOT_READ.format(why=getattr(error, "reason", None) or getattr(error, "strerror", None) or error)) from error

    def context(self, address: str) -> ssl.SSLContext:
        try:
            if (changed := self._changed()) != self._read_at:
                self._read_at, self._opened = changed, _opened(*self._files)
        except (OSError, ValueError) as error:  # while they are being replaced; the one before is good until they are whole
            log.warning("The certificate has changed and cannot be read: %s", error)
        return self._opened

    def _changed(self) -> list[int]:
        return [file.stat().st_mtime_ns for file in self._files]


def _opened(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(certificate, key, password="")  # none: it would be asked for in the terminal
    return context


def _names(certificate: Path) -> list[str]:
    """Those of the first certificate of a file, without those that stand for many."""
    [first, *_] = x509.load_pem_x509_certificates(certificate.read_bytes())
    try:
        found = names_of(first)
    except x509.ExtensionNotFound:
        return []
    return [name for name in found if not name.startswith("*") and parsed(name) is None]


def _private_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise UserError(UNWRITTEN.format(folder=folder, why=error.strerror)) from error


def _for_owner_only(path: Path) -> None:
    if os.name == "posix" and path.stat().st_mode & 0o077:
        path.chmod(0o600)


def _write(path: Path, text: bytes) -> None:
    """Whole or not at all, and never to be read by others."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
