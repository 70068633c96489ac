"""Draws random requests of every kind, and branches of what comes of them, makes each picture again from its own PNG, and compares bits.

    python -m bench.remake --count 200        about a quarter of an hour on two quiet cores

The pictures are made again alone, in a process of their own, in reversed order, and with so little memory for weights that every model
is read anew. What a picture was drawn with is looked up by its PNG alone.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageChops

from bench.remake_stock import OWN, request, stock, write_models
from models.errors import UserError
from models.library.catalog import Catalog
from models.memory.device import threads
from models.memory.forecast import Machine
from pipelines.images.clip_file import frames_in
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture
from pipelines.jobs.outputs import Outputs, inspect
from pipelines.preprocessors.annotators import Annotators
from pipelines.requests.branch import Branch, branch_of
from pipelines.requests.request import Drawing, Request
from pipelines.requests.steps import steps_of
from pipelines.requests.wordless import plays
from pipelines.resolving.rebind import rebind
from pipelines.resolving.resolve import resolve
from pipelines.runtime.runner import ModelRunner, open_runner
from pipelines.steps.content import told_of

PLENTY, STARVED = 4 * 10**9, 10**6  # bytes for weights
GENERAL = 1  # threads, where a request says nothing


def draw(folder: Path, count: int, seed: int) -> Counter[str]:
    """Draws `count` requests into the folder. Returns how many pictures of each kind there are."""
    write_models(folder / "models")
    runner = _runner(folder, PLENTY)
    known, outputs, dice = stock(runner.catalog, runner.inputs), Outputs(folder / "outputs"), random.Random(seed)
    kinds: Counter[str] = Counter()
    while count:
        try:
            asked = resolve(request(dice, known), runner.catalog)
        except UserError:
            continue  # what nobody can ask for
        count -= 1
        drawn = list(_pictures(runner, asked))
        for branch in [*branches(drawn, random.Random(count))]:
            drawn += _pictures(runner, resolve(branch, runner.catalog))
        for picture in drawn:
            _save(outputs, picture)
            is_branch = isinstance(picture.request, Drawing) and branch_of(picture.request)
            kinds[f"branch of {asked.kind}" if is_branch else asked.kind] += 1
    return kinds


def _save(outputs: Outputs, picture: Picture) -> Path:
    request, made_with = picture.request, dict(picture.made_with)
    if picture.frames:
        return outputs.put(outputs.encoded(picture.frames, request, made_with), request)
    return outputs.save(picture.image, request, made_with)


def branches(pictures: Sequence[Picture], dice: random.Random) -> Iterator[Drawing]:
    """Of half of those that were drawn step by step: other words from some step on, or what was seen there."""
    for picture in pictures:
        request = picture.request
        run = steps_of(request).run if isinstance(request, Drawing) else 0
        if isinstance(request, Drawing) and run and dice.random() < 0.5:
            told = json.dumps(told_of(picture.made_with))
            use = Branch(of=request, step=dice.randint(1, run), shown=dice.random() < 0.2, made_with=told)
            yield replace(request, branch=(use,), prompt=dice.choice((request.prompt, "frost, a blue ball", "[at night:in snow:1]")))


def again(folder: Path) -> list[str]:
    """Makes every picture of the folder again, the last one first. Returns a sentence for each that is another."""
    runner = _runner(folder, STARVED)
    files = sorted((file for file in (folder / "outputs").glob("*/*") if file.suffix in (".png", ".webp")), reverse=True)
    return [sentence for file in files for sentence in _compared(runner, file)]


def remade(folder: Path, count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Both, the second in a fresh process: pictures by kind, and what went wrong."""
    kinds = draw(folder, count, seed)
    command = [sys.executable, "-m", "bench.remake", "--again", str(folder)]
    answer = subprocess.run(command, cwd=OWN.parents[1], capture_output=True, text=True, check=False)
    if answer.returncode:
        raise RuntimeError(f"The second process ended with {answer.returncode}:\n{answer.stderr[-3000:]}")
    return kinds, json.loads(answer.stdout.splitlines()[-1])


def _runner(folder: Path, memory: int) -> ModelRunner:
    catalog = Catalog(OWN, [folder / "models"])
    catalog.rescan(wait=True)
    with threads(GENERAL):
        return open_runner(catalog, "cpu", Inputs(folder / "inputs"), Machine(host=memory), Annotators([folder / "models"], OWN))


def _pictures(runner: ModelRunner, asked: Request) -> Iterator[Picture]:
    with threads(GENERAL):
        yield from (event for batch in runner.batches(asked) for event in batch if isinstance(event, Picture))


def _compared(runner: ModelRunner, file: Path) -> Iterator[str]:
    reading = inspect(file)
    found = rebind(reading.request, reading.made_with, runner.catalog, reading.ids)
    yield from (f"{file.name}: {note}" for note in (*reading.notes, *found.notes))
    [picture] = _pictures(runner, resolve(found.request, runner.catalog))
    if picture.frames:
        frames = tuple(frames_in(file, plays(reading.request)[1]))
        if [frame.tobytes() for frame in frames] != [frame.tobytes() for frame in picture.frames]:
            yield f"{file.name}: some of its frames differ. {reading.request}"
        return
    with Image.open(file) as saved:
        if saved.tobytes() != picture.image.tobytes():
            most = max(high for _, high in ImageChops.difference(saved, picture.image).getextrema())  # pyright: ignore[reportGeneralTypeIssues]
            yield f"{file.name}: differs by up to {most} of 255. {reading.request}"
    if picture.request != reading.request:
        yield f"{file.name}: the record says something else now. {picture.request}"


def main() -> None:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m bench.remake", description=__doc__, formatter_class=layout)
    parser.add_argument("--count", type=int, default=60, help="how many requests are drawn")
    parser.add_argument("--seed", type=int, default=1, help="of the dice")
    parser.add_argument("--again", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.again:
        print(json.dumps(again(options.again)))
        return
    with tempfile.TemporaryDirectory(prefix="atelier-remake-") as folder:
        begun = time.monotonic()
        kinds, wrong = remade(Path(folder), options.count, options.seed)
        print("\n".join(wrong))
        told = ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items()))
        print(f"{options.count} requests, {kinds.total()} pictures ({told}), {len(wrong)} differ, {time.monotonic() - begun:.0f} s")
        sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
