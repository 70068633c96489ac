"""The program as a few digits: its own files and the starter's, so that a worker elsewhere draws by the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parents[2]
CODE = ("models", "pipelines")
READ = (".py", ".json", ".txt")
NOT_OURS = frozenset({"weights", "__pycache__", "recipe"})  # people's, made here, and what made the starter


def program(root: Path = HERE) -> str:
    """Of code and small files the content, however lines end; of weights name and size."""
    digest = hashlib.sha256()
    for path in _files(root):
        content = path.read_bytes().replace(b"\r\n", b"\n") if path.suffix in READ else str(path.stat().st_size).encode()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:32]


def _files(root: Path) -> Iterator[Path]:
    for name in CODE:
        for path in sorted((root / name).iterdir(), key=lambda path: path.name):
            found = [path] if path.is_file() else sorted(path.rglob("*"), key=Path.as_posix) if path.name not in NOT_OURS else []
            yield from (file for file in found if file.suffix in (*READ, ".safetensors") and not NOT_OURS & {*file.relative_to(root).parts})
