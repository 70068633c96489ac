"""From starting app.py until the page answers, against importing gradio alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

from bench.paired import Row, compare, take_turns

HERE = Path(__file__).parent.parent


def measure(rounds: int) -> list[Row]:
    variants = {"importing gradio": import_gradio, "until the page answers": page_answers}
    times = take_turns(variants, min(rounds, 5))
    return compare(times, "importing gradio", {"until the page answers": 1.5})


def import_gradio() -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import gradio"], check=True, env=_environment())
    return time.perf_counter() - begin


def page_answers() -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE / "app.py"), "--no-browser", "--port", "0", "--outputs-dir", folder]
        begin = time.perf_counter()
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=_environment())
        try:
            assert server.stdout
            address = next(line.rpartition(" ")[2].strip() for line in server.stdout if "http://" in line)
            with urlopen(address) as page:
                assert b"Atelier" in page.read()
            return time.perf_counter() - begin
        finally:
            server.terminate()
            server.wait()


def _environment() -> dict[str, str]:
    return {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}
