"""The table of dependencies, docs/packages.md: version, licence and reason of each, from the locks, the requirements and what is installed.

.venv/bin/python -m packages.table
"""

from __future__ import annotations

import re
from importlib.metadata import PackageMetadata, distribution

from packages.entries import LOCKS, OPTIONAL, Entry, locked

PAGE = LOCKS.parent / "docs" / "packages.md"
PROPRIETARY = "NVIDIA's own"
# What packages say that are not installed on every system, or do not say where a program finds it: looked up at their makers'.
LOOKED_UP = {
    "attrs": "MIT", "audioop-lts": "PSF-2.0", "colorama": "BSD-3-Clause", "cuda-bindings": "Apache-2.0", "cuda-pathfinder": "Apache-2.0",
    "hf-xet": "Apache-2.0", "jsonschema": "MIT", "jsonschema-specifications": "MIT", "msgpack": "Apache-2.0", "nvidia-nvtx": "Apache-2.0",
    "openexr": "BSD-3-Clause", "protobuf": "BSD-3-Clause", "ray": "Apache-2.0", "referencing": "MIT", "rpds-py": "MIT", "triton": "MIT",
}  # fmt: skip
SPDX = {  # older spellings
    "Apache": "Apache-2.0", "Apache 2.0": "Apache-2.0", "Apache 2.0 License": "Apache-2.0", "Apache Software License": "Apache-2.0",
    "BSD License": "BSD", "ISC License": "ISC", "MIT License": "MIT",
}  # fmt: skip
LONGEST = 60  # letters of a licence's name; what is longer is its whole text
HEAD = """# Packages

What `python run.py` installs into `.venv`: the same versions on every system, as `packages/*.lock` hold them, each under the licence that
it states itself. Every file is checked by its hash but PyTorch's, as its build depends on the machine. Made by `python -m packages.table`.
"""
ROOMS = (
    ("Asked for", "The studio's own, from `requirements.txt`."),
    ("Asked for by the tests", "From `requirements-test.txt`; `python run.py test` adds them."),
    ("Brought along", "What those ask for in turn."),
    ("Brought along on some systems", "Windows, newer Pythons, or PyTorch for NVIDIA cards."),
    ("Fetched with --ray", "From `requirements-ray.txt`, and what that asks for: [Three computers in one room](three-computers.md)."),
)


def licence(name: str) -> str:
    """As the package states it: its licence expression, else its short licence field, else its classifiers."""
    if name in LOOKED_UP:
        return LOOKED_UP[name]
    if re.match(r"nvidia-|cuda-", name):
        return PROPRIETARY
    said = stated(distribution(name).metadata)
    return SPDX.get(said, said)


def stated(about: PackageMetadata) -> str:
    expression, field = ("".join(about.get_all(name) or ()).strip() for name in ("License-Expression", "License"))
    classifiers = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or () if line.startswith("License :: ")]
    short = field if len(field) <= LONGEST and "\n" not in field else ""
    return expression or short or ", ".join(classifiers)


def reasons(name: str) -> dict[str, str]:
    """Of the packages that a requirements file names: the comment behind each."""
    lines = re.finditer(r"^([\w.-]+)==[^\s#]+ +# *(.*)$", (LOCKS.parent / name).read_text("utf-8"), re.MULTILINE)
    return {line[1].lower().replace("_", "-"): line[2] for line in lines}


def rooms() -> list[dict[Entry, str]]:
    """For each of `ROOMS` its packages, each with its reason."""
    studio, tests = reasons("requirements.txt"), reasons("requirements-test.txt")
    named = [{entry: why[entry.name] for entry in locked() if entry.name in why} for why in (studio, tests)]
    others = [entry for entry in locked() if entry.name not in studio | tests]
    why = reasons("requirements-ray.txt")
    optional = {entry: why.get(entry.name, "") for entry in locked(*OPTIONAL)}
    return [*named, *({entry: "" for entry in others if bool(entry.marker) is some} for some in (False, True)), optional]


def page() -> str:
    return HEAD + "".join(room(*words, entries) for words, entries in zip(ROOMS, rooms(), strict=True))


def room(title: str, about: str, entries: dict[Entry, str]) -> str:
    columns = ("Package", "Version", "Licence", *(("Reason",) if any(entries.values()) else ()))
    rows = [(entry.name, entry.version, licence(entry.name), why)[: len(columns)] for entry, why in entries.items()]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in (columns, ("---",) * len(columns), *rows))
    return f"\n## {title}\n\n{about}\n\n{lines}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    print(f"{PAGE.name}: {len(locked())} packages")
