"""What regions draw where: a red house and a blue tree, painted left and right, of a hundred seeds, as the starter's judge sees them.

    python -m bench.regions --count 100

Right is a picture with the house where its region lies and the tree where its own does, each in its colour; swapped masks must swap them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from models.library.catalog import Catalog
from models.starter.recipe.judge import Judge
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture
from pipelines.requests.region import Region
from pipelines.requests.request import SAMPLER_NAMES, TextToImage
from pipelines.runtime.runner import OWN, ModelRunner, open_runner

SIDE = 128
WORDS = ("a red house", "a blue tree")
SWAPPED = (WORDS[1], WORDS[0])
SIDES = (("left", "right"), ("right", "left"))
AT_ONCE = 4


def mask(side: str, width: float) -> Image.Image:
    """White from an edge of the picture on, so much of it."""
    made = Image.new("L", (SIDE, SIDE))
    made.paste(255, (0, 0, round(SIDE * width), SIDE))
    return made if side == "left" else made.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def pictures(runner: ModelRunner, request: TextToImage) -> Iterator[Image.Image]:
    for batch in runner.batches(request):
        yield from (event.image for event in batch if isinstance(event, Picture))


def right(judge: Judge, image: Image.Image, wanted: tuple[str, str]) -> bool:
    left, _, other = judge.read([image])[0].things
    return tuple(f"a {thing.colour} {thing.kind}" if thing else "" for thing in (left, other)) == wanted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="seeds")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--sampler", choices=SAMPLER_NAMES, default="Euler a")
    parser.add_argument("--guidance", type=float, default=7.5)
    parser.add_argument("--width", type=float, default=0.4, help="of each region, as a share of the picture")
    parser.add_argument("--prompt", default="", help="for the whole picture")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        inputs = Inputs(Path(folder))
        runner, judge = open_runner(Catalog(OWN), "cpu", inputs), Judge.load()
        for sides in SIDES:
            regions = tuple(
                Region(prompt=words, mask=inputs.keep(mask(side, asked.width))) for words, side in zip(WORDS, sides, strict=True)
            )
            request = TextToImage(
                prompt=asked.prompt, regions=regions, width=SIDE, height=SIDE, steps=asked.steps, sampler=asked.sampler,
                guidance_scale=asked.guidance, seed=0, batch_size=AT_ONCE, batch_count=-(-asked.count // AT_ONCE),
            )  # fmt: skip
            wanted = WORDS if sides[0] == "left" else SWAPPED
            drawn = list(pictures(runner, request))[: asked.count]
            found = sum(right(judge, image, wanted) for image in drawn)
            print(f"{' | '.join(WORDS)} painted {' | '.join(sides)}: {found} of {len(drawn)} right")


if __name__ == "__main__":
    main()
