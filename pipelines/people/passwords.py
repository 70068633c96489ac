"""Passwords, hashed by Argon2id (RFC 9106) with the parameters that argon2-cffi takes: some 60 ms and 64 MB for each try."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

AT_ONCE = 2  # tries that are computed at the same time


class Passwords:
    """Safe to call from any thread; waits while two others compute."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher, self._turn = hasher or PasswordHasher(), threading.Semaphore(AT_ONCE)

    def hashed(self, password: str) -> str:
        with self._turn:
            return self._hasher.hash(_bytes(password))

    def fits(self, password: str, known: str) -> bool:
        """Whether this is the password that was hashed. False for what is no hash."""
        try:
            with self._turn:
                return self._hasher.verify(known, _bytes(password))
        except (Argon2Error, InvalidHashError):
            return False


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
