"""Every sampler and every schedule drawn by the starter: a strip of pictures for each, and the page that shows them.

    .venv/bin/python -m docs.pictures.samplers        about three minutes

The same words and the same seed in all of them, in 6, 12 and 24 steps; so what differs is the sampler, or the schedule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from models.library.catalog import Catalog
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture
from pipelines.requests.request import TextToImage
from pipelines.runtime.runner import ModelRunner, open_runner
from pipelines.samplers import EVERY, OWN_LEVELS, SAMPLERS, SCHEDULES

HERE = Path(__file__).parent
STRIPS, PAGE = HERE / "samplers", HERE.parent / "samplers.md"
STARTER = HERE.parents[1] / "models" / "starter"
PROMPT, SEED, STEPS, SIDE = "a red house on the left in the snow at night, with mountains", 7, (6, 12, 24), 128
DRAWN_OVER = "Euler"  # the sampler that the schedules are shown with
WRITTEN = "14.6, 8, 5, 3, 1.8, 1, 0.5, 0.2, 0.05"  # of the schedule that one writes down
HEAD = f"""# What samplers and schedules draw

[Samplers](#samplers) · [Schedules](#schedules)

Each strip is the starter's “{PROMPT}” with the seed {SEED}, in {STEPS[0]}, {STEPS[1]} and {STEPS[2]} steps.
What they are is told under [Samplers and schedules](drawing.md#samplers-and-schedules). LCM and TCD are for models that were distilled,
which the starter is not. This page is made by `docs/pictures/samplers.py`.
"""


def main() -> None:
    STRIPS.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        runner = open_runner(Catalog(STARTER), "cpu", Inputs(Path(folder)))
        for name in SAMPLERS:
            strip(runner, file_of(name), sampler=name)
        for name in EVERY:
            strip(runner, file_of(name, "schedule-"), sampler=DRAWN_OVER, schedule=name, sigmas=WRITTEN if name == OWN_LEVELS else "")
    PAGE.write_text(page(), "utf-8")


def strip(runner: ModelRunner, file: Path, **values: str) -> None:
    whole = Image.new("RGB", (SIDE * len(STEPS), SIDE))
    for place, steps in enumerate(STEPS):
        request = TextToImage(prompt=PROMPT, seed=SEED, steps=steps, width=SIDE, height=SIDE, **values)  # pyright: ignore[reportArgumentType]
        [image] = drawn(runner, request)
        whole.paste(image, (SIDE * place, 0))
    whole.save(file, "webp", quality=80, method=6)
    print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB", flush=True)


def drawn(runner: ModelRunner, request: TextToImage) -> Iterator[Image.Image]:
    for batch in runner.batches(request):
        yield from (event.image for event in batch if isinstance(event, Picture))


def file_of(name: str, before: str = "") -> Path:
    letters = "".join(letter if letter.isalnum() else "-" for letter in name.lower().replace("++", "pp"))
    return STRIPS / f"{before}{letters}.webp"


def page() -> str:
    samplers = table({name: (spec.about, file_of(name)) for name, spec in SAMPLERS.items()})
    schedules = table({name: (SCHEDULES[name].about, file_of(name, "schedule-")) for name in EVERY})
    steps = f"Each with {DRAWN_OVER}."
    return "\n".join((HEAD, "## Samplers\n", *samplers, f"\n## Schedules\n\n{steps}\n", *schedules, ""))


def table(rows: Mapping[str, tuple[str, Path]]) -> Iterable[str]:
    yield "| | | |"
    yield "| --- | --- | --- |"
    for name, (about, file) in rows.items():
        yield f"| {name} | ![{name}](pictures/samplers/{file.name}) | {about} |"


if __name__ == "__main__":
    main()
