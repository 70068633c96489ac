"""JavaScript without a page: the engine that comes with the browser tests, or the system's own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path


def node() -> str | None:
    """Where the engine is, if anywhere."""
    import playwright

    own = Path(playwright.__file__).parent / "driver" / "node"
    return str(own) if own.exists() else shutil.which("node")


def write_modules(folder: Path, texts: Mapping[str, str]) -> None:
    """Modules as files of their own."""
    (folder / "package.json").write_text('{"type": "module"}', "utf-8")
    for name, text in texts.items():
        (folder / f"{name}.js").write_text(text, "utf-8")


def run(worker: str, file: Path) -> str:
    """What a module writes. Raises `subprocess.CalledProcessError` when it fails."""
    return subprocess.run([worker, str(file)], capture_output=True, text=True, encoding="utf-8", check=True).stdout
