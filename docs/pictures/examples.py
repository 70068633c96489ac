"""Pictures that go with the starter model, which an empty studio shows: drawn by the studio itself, each with its settings inside.

.venv/bin/python -m docs.pictures.examples     about a minute; writes models/starter/examples
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from models.library.catalog import Catalog
from pipelines.images.store import Inputs
from pipelines.job_book.book import ENDED, JobBook
from pipelines.jobs.outputs import Outputs
from pipelines.requests.request import TextToImage
from pipelines.runtime.runner import open_runner
from pipelines.studio import Studio

STARTER = Path(__file__).parents[2] / "models" / "starter"
WIDE, TALL, SQUARE = (192, 128), (128, 192), (128, 128)
DRAWN = (  # name, prompt, size, seed: in the order in which they are shown
    ("houses", "a red house on the left and a blue house on the right on grass at sunset, with mountains", WIDE, 2),
    ("night", "a big red house on the left in the snow at night, with mountains", SQUARE, 2),
    ("boat", "a big yellow boat in the middle on the sea at sunset", SQUARE, 3),
    ("flower", "a big pink flower on the left and a yellow flower on the right on grass at dawn, with mountains", WIDE, 2),
    ("tower", "a big orange tower on the right on sand at sunset, with mountains", WIDE, 4),
    ("mushroom", "mountains, night, grass, big purple mushroom middle", SQUARE, 1),
    ("snow", "a red house on the left and a yellow house on the right in the snow at dawn, with mountains", WIDE, 7),
    ("boats", "a white boat on the left and a red boat on the right on the sea at dawn, with mountains", WIDE, 3),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        catalog, inputs = Catalog(STARTER), Inputs(folder / ".inputs")
        book = JobBook(folder / "studio.db", folder)
        studio = Studio(catalog, Outputs(folder), book, lambda: open_runner(catalog, "cpu", inputs), inputs=inputs)
        studio.start()
        try:
            shutil.rmtree(STARTER / "examples", ignore_errors=True)
            (STARTER / "examples").mkdir()
            for number, (stem, prompt, size, seed) in enumerate(DRAWN, 1):
                shutil.copyfile(_drawn(studio, prompt, size, seed), STARTER / "examples" / f"{number:02}-{stem}.png")
        finally:
            studio.close()


def _drawn(studio: Studio, prompt: str, size: tuple[int, int], seed: int) -> Path:
    """As a form begins with this checkpoint, so enlarged by its upscaler."""
    checkpoint = studio.checkpoints()[0]
    chosen = {"checkpoint": checkpoint.id, "prompt": prompt, "width": size[0], "height": size[1], "seed": seed}
    request = TextToImage.admit({**checkpoint.defaults, **chosen})
    job = studio.submit(request, "examples", True)
    while studio.job(job, "examples").state not in ENDED:
        time.sleep(0.1)
    return studio.recent("examples", 1, True)[0].path


if __name__ == "__main__":
    main()
