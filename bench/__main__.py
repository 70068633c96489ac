"""Measures Atelier against the floor of what it does, as ratios within one run.

    python run.py bench                 everything, about half an hour on two quiet cores
    python run.py bench engine          one of: engine, start, queue, library, comments, gallery_page, load, swap, patches, scan, masked,
                                        canvas, preprocess, control, brought, tiled, hires, upscaling, enlarged, completion,
                                        prompts, together, steps, steps_full, inside, guidance, samplers, grids, clips,
                                        memory, gpu, compiled, devices, apart

`.venv/bin/python -m bench` does the same where everything is installed already. The variants of one row take turns, A B A B, and a row
is the median of the ratios pair by pair, with their spread. Absolute times depend on the machine and its mood; they are printed for
orientation only.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from importlib.util import find_spec

from bench.paired import NotHere, table

BENCHES = (
    "engine", "start", "queue", "library", "comments", "gallery_page", "load", "swap", "patches", "scan", "masked", "canvas", "preprocess",
    "control", "brought", "tiled", "hires", "upscaling", "enlarged", "completion", "prompts", "together", "steps", "steps_full",
    "inside", "guidance", "samplers", "grids", "clips", "memory", "gpu", "compiled", "devices", "apart",
)  # fmt: skip
EVERYWHERE = ("torch", "gradio")  # asked for beforehand, as some benches start processes of their own, which would fail with a traceback
OURS = ("app", "bench", "models", "pipelines", "run", "tests", "ui")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python run.py bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="name", help="which to run; all of them by default")
    parser.add_argument("--rounds", type=int, default=9, help="repeats of each pair")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in BENCHES]
    if unknown:
        parser.error(f"there is no bench called {', '.join(unknown)}. There are {', '.join(BENCHES)}")
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1")
    return max([run(name, options.rounds) for name in options.names or BENCHES])


def run(name: str, rounds: int) -> int:
    """Prints the table of one bench, or one line that says what it lacks. Returns the exit code."""
    try:
        for package in EVERYWHERE:
            if find_spec(package) is None:
                raise ModuleNotFoundError(name=package)
        print(table(name, import_module(f"bench.{name}").measure(rounds)), flush=True)
    except (ModuleNotFoundError, NotHere) as error:
        print(f"{name}: {lacking(error, name)}", flush=True)
        return 1
    return 0


def lacking(error: ModuleNotFoundError | NotHere, name: str) -> str:
    """What to say of it. A module of our own that is missing is a mistake of ours: raises it again."""
    if isinstance(error, NotHere):
        return str(error)
    package = (error.name or "").partition(".")[0]
    if package in OURS:
        raise error
    return f"it needs {package}, which this Python does not have. This installs it and measures: python run.py bench {name}"


if __name__ == "__main__":
    sys.exit(main())
