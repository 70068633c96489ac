"""Small stand-ins that are quick enough for every test: a runner that makes coloured noise, a studio around it, a toy catalogue."""

from __future__ import annotations

import io
import json
import random
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from PIL import Image

from models.errors import UserError
from models.library.catalog import Catalog
from models.memory.forecast import Machine
from models.memory.manager import Key, LedgerLine
from pipelines.control.view import NO_LENDER, Lender
from pipelines.images.store import Inputs
from pipelines.job_book.book import JobBook
from pipelines.jobs.events import Picture, Step
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.runner import Events, Watching
from pipelines.people.passwords import Passwords
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Clip, Drawing, Enlarge, Request, Wordless, unroll
from pipelines.studio import Studio
from pipelines.tasks import enlarge
from pipelines.tasks.batch import Task

# Seconds. Speed is measured in bench/; this only tells work that grows with the square of its input, or a wait that never ends,
# from a slow machine.
FAR_TOO_LONG = 30
# Passwords of a toy studio, of which tests give hundreds: a hash of the real one is 0.2 s of work.
QUICK = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))

WORDS = [
    "a", "red", "green", "blue", "house", "ball", "tree", "on", "the", "left", "right", "middle", "in", "snow", "grass", "at", "night",
    "day", "with", "mountains", "and", ",", ".",
]  # fmt: skip


@dataclass
class ToyPainter:
    """Draws one colour per seed, fading in over the steps. `gate`, when given, must be released once a step."""

    step_seconds: float = 0.0
    gate: threading.Semaphore | None = None
    steps_made: int = 0
    drawn: list[Drawing] = field(default_factory=list)
    device_name: str = "toy"
    machine: Machine = field(default_factory=lambda: Machine(host=8 * 10**9))
    ledger: tuple[LedgerLine, ...] = ()
    runtime: dict[str, str] = field(default_factory=dict)
    lost: str = ""
    is_apart: bool = False
    reading: Key | None = None
    inputs: Inputs | None = None  # of the studio, for what begins with a picture and is not drawn
    lender: Lender = NO_LENDER
    tell: Callable[[], None] = lambda: None

    def unload(self, line_id: str) -> None:
        self.ledger = tuple(line for line in self.ledger if line.id != line_id)

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        pass

    def coming(self) -> Mapping[str, float]:
        return {}

    def at_hand(self) -> tuple[str, ...]:
        return ()

    def files(self, request: Request) -> str:
        return ""

    def annotator(self, key: str) -> AbstractContextManager[None]:
        return nullcontext()

    def lent(self, request: Drawing) -> AbstractContextManager[Any]:
        raise UserError("A toy has no networks to look into.")

    def vision(self, width: int) -> AbstractContextManager[Any]:
        raise UserError("A toy has no eyes.")

    def watched(self, request: Drawing | Wordless, watching: Any, own: Any = None) -> Events:
        yield from next(self.batches(request))

    def frames(self, request: Any, latents: Any, made_with: Any) -> Any:
        raise UserError("A toy decodes nothing.")

    def batches(self, request: Request, progress: Progress | None = None, watching: Watching | None = None) -> Generator[Events]:
        if isinstance(request, Enlarge):  # that is real
            assert self.inputs
            yield from enlarge.batches(Task(request, self.inputs, self.lender, progress or Progress()))
            return
        if isinstance(request, Clip):
            yield self._clip(request)
            return
        assert isinstance(request, Drawing)
        begun = progress or Progress()
        for batch in range(begun.batch, request.batch_total):
            yield self._left_of(self._batch(request, batch), begun.pictures)

    def _left_of(self, batch: Events, first: int) -> Events:
        """Without the pictures that were drawn before."""
        yield from (event for event in batch if not (isinstance(event, Picture) and event.index < first))

    def _batch(self, request: Drawing, batch: int) -> Events:
        if request.prompt == "please fail":
            raise UserError("The toy was asked to fail. Ask for something else.")
        if request.prompt == "please break":
            raise RuntimeError("/secret/path: the toy broke")
        size = request.pictures_a_batch
        own = unroll(request)[batch * size : (batch + 1) * size]
        for index in range(1, request.steps + 1):
            self._wait()
            self.steps_made += 1
            share = index / request.steps
            yield Step(index, request.steps, batch, request.batch_total, lambda share=share: png(colour(own[0].seed, share), 32))
        for place, single in enumerate(own):
            self.drawn.append(single)
            image = Image.new("RGB", (request.width, request.height), colour(single.seed, 1))
            made_with = {"Model": "Toy", "Model hash": "0123456789"}
            yield Picture(image, single, made_with, batch * size + place, request.picture_count)

    def _clip(self, request: Clip) -> Events:
        """Each frame has a colour of its own."""
        frames = [Image.new("RGB", request.size, colour(request.seed + place, 1)) for place in range(request.frames)]
        for index in range(1, request.steps + 1):
            self._wait()
            yield Step(index, request.steps, 0, 1, lambda: strip(frames))
        yield Picture(frames[0], request, {"Model": "Toy", "Model hash": "0123456789"}, 0, 1, tuple(frames))

    def _wait(self) -> None:
        if self.gate:
            self.gate.acquire()
        time.sleep(self.step_seconds)


def colour(seed: int, share: float) -> tuple[int, int, int]:
    source = random.Random(seed)
    red, green, blue = (int(128 + share * (source.randrange(256) - 128)) for _ in range(3))
    return red, green, blue


def png(fill: tuple[int, int, int], side: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (side, side), fill).save(stream, "png")
    return stream.getvalue()


def strip(frames: list[Image.Image]) -> bytes:
    """Small frames in a row, two pixels apart, as previews of clips are."""
    stream, row = io.BytesIO(), Image.new("RGB", (18 * len(frames) - 2, 9))
    for place, frame in enumerate(frames):
        row.paste(frame.resize((16, 9)), (18 * place, 0))
    row.save(stream, "png")
    return stream.getvalue()


def toy_model_folder(folder: Path) -> Path:
    """A folder with the small files of a model and no weights: a vocabulary of a few words, and the starter's own facts."""
    (folder / "tokenizer").mkdir(parents=True, exist_ok=True)
    vocab, merges = toy_vocabulary(WORDS)
    (folder / "tokenizer" / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    (folder / "tokenizer" / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    facts = {
        "native_size": 128,
        "known_words": [word for word in WORDS if word.isalpha()],
        "example_prompts": ["a red house on the left in the snow at night, with mountains", "a blue ball", "a green tree on the right"],
        "defaults": {"steps": 20, "guidance_scale": 3.0},
    }
    (folder / "starter.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


def toy_vocabulary(words: list[str]) -> tuple[dict[str, int], list[str]]:
    """CLIP's byte symbols with and without the end-of-word mark, and merges that make each word one token."""
    symbols = [chr(code) for code in (*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324))]
    vocab = {symbol: number for number, symbol in enumerate([*symbols, *(symbol + "</w>" for symbol in symbols)])}
    merges: list[str] = []
    for word in words:
        parts = [*word[:-1], word[-1] + "</w>"]
        while len(parts) > 1:
            merge = f"{parts[0]} {parts[1]}"
            if merge not in merges:
                merges.append(merge)
            parts[:2] = [parts[0] + parts[1]]
            vocab.setdefault(parts[0], len(vocab))
    for special in ("<|startoftext|>", "<|endoftext|>"):
        vocab[special] = len(vocab)
    return vocab, merges


def toy_studio(
    folder: Path,
    step_seconds: float = 0.0,
    runner: ToyPainter | None = None,
    start: bool = True,
    open_seconds: float = 0.0,
    **more: Any,
) -> Studio:
    """A studio on a toy runner, with its book and pictures in `folder`. Close it when done. `more`: what else it is given."""
    outputs = Outputs(folder / "outputs")
    book = JobBook(folder / "outputs" / "studio.db", folder / "outputs")
    catalog = Catalog(toy_model_folder(folder / "toy"))
    toy = runner or ToyPainter(step_seconds)

    def open_runner() -> ToyPainter:
        time.sleep(open_seconds)
        return toy

    studio = Studio(catalog, outputs, book, open_runner, passwords=QUICK, **more)
    toy.inputs = studio.uploads.inputs
    if start:
        studio.start()
    return studio


def wait_until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Polls a callable until it is true. Fails the test with its last value when it does not come true in time."""
    end = time.monotonic() + seconds
    value = condition()
    while not value:
        assert time.monotonic() < end, f"still {value!r} after {seconds} s"
        time.sleep(0.01)
        value = condition()
