"""Lock entries: one package each, as pip reads them.

    name==version ; marker \\
        --hash=sha256:... \\
        --hash=sha256:...

The marker says on which systems it is due; without one, on all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

LOCKS = Path(__file__).resolve().parent
NAMES = ("studio", "torch", "tests")
OPTIONAL = ("ray",)  # fetched for who asks for them
ENTRY = re.compile(r"^([\w.-]+)==([^\s;\\]+)(?: ; (.+?))?(?: \\)?\n((?: +--hash=\S+(?: \\)?\n)*)", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    name: str
    version: str
    marker: str = ""
    hashes: tuple[str, ...] = ()  # like sha256:...; of every file of that version

    @property
    def pin(self) -> str:
        """The line of a requirements file that asks for it, without hashes."""
        return f"{self.name}=={self.version}" + f" ; {self.marker}" * bool(self.marker) + "\n"

    @property
    def text(self) -> str:
        return " \\\n    ".join([self.pin.rstrip("\n"), *(f"--hash={value}" for value in self.hashes)]) + "\n"

    def without_hashes(self) -> Entry:
        return replace(self, hashes=())


def read(text: str) -> list[Entry]:
    """The entries of a lock, in their order."""
    found = (match.groups("") for match in ENTRY.finditer(text))
    return [Entry(name, version, marker, tuple(re.findall(r"--hash=(\S+)", hashes))) for name, version, marker, hashes in found]


def locked(*names: str) -> list[Entry]:
    """Of the locks that are there; by default of all but the optional ones."""
    files = [LOCKS / f"{name}.lock" for name in names or NAMES]
    return [entry for file in files if file.exists() for entry in read(file.read_text("utf-8"))]
