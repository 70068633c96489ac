"""The whole studio as a newcomer starts it: `python app.py` on the starter model, with an empty home folder and a free port."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class RunningStudio:
    url: str
    outputs: Path


@contextmanager
def running_studio(folder: Path, port: int) -> Generator[RunningStudio]:
    """`python app.py` with an empty home folder, at an address whose scripts the browser may have."""
    (folder / "home").mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LANG") if name in os.environ}
    command = [sys.executable, str(ROOT / "app.py"), "--no-browser", "--port", str(port)]
    command += ["--outputs-dir", str(folder / "outputs")]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, env=kept | {"HOME": str(folder / "home")}, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout
        address = next((line.split()[-1] for line in process.stdout if "http://" in line), None)
        assert address, (folder / "log.txt").read_text()
        yield RunningStudio(address + "/", folder / "outputs")
    finally:
        process.terminate()
        process.wait(15)


def reading_of(picture: Image.Image) -> Any:
    from models.starter.recipe.judge import Judge

    return Judge.load().read([picture])[0]
