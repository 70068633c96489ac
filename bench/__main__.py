"""Measures Atelier against the floor of what it does, as ratios within one run.

    python -m bench              everything, about half an hour on two quiet cores
    python -m bench engine       one of: engine, start, queue, load, swap, patches, scan, masked, canvas, preprocess, control

The variants of one row take turns, A B A B, and a row is the median of the ratios pair by pair, with their spread. Absolute times
depend on the machine and its mood; they are printed for orientation only.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1")

from bench import canvas, control, engine, load, masked, patches, preprocess, queue, scan, start, swap
from bench.paired import Row, table

BENCHES: dict[str, Callable[[int], list[Row]]] = {
    "engine": engine.measure,
    "start": start.measure,
    "queue": queue.measure,
    "load": load.measure,
    "swap": swap.measure,
    "patches": patches.measure,
    "scan": scan.measure,
    "masked": masked.measure,
    "canvas": canvas.measure,
    "preprocess": preprocess.measure,
    "control": control.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], help="which to run; all of them by default")
    parser.add_argument("--rounds", type=int, default=9, help="repeats of each pair")
    options = parser.parse_args()
    for name in options.names or BENCHES:
        print(table(name, BENCHES[name](options.rounds)), flush=True)


if __name__ == "__main__":
    main()
