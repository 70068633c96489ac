"""Whatever a picture file or a settings text holds, reading it ends soon, in a request or in a sentence."""

from __future__ import annotations

import io
import random
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

from PIL import Image, PngImagePlugin

from models.errors import UserError
from pipelines.jobs.events import Picture
from pipelines.jobs.outputs import Outputs
from pipelines.metadata import infotext
from pipelines.metadata.picture_settings import inspect
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.request import Controlled, Depth, EmbeddingUse, Inpaint, LoraUse, Outpaint, Request, TextToImage
from pipelines.resolving.rebind import rebind
from pipelines.resolving.resolve import resolve
from tests.test_resolve import Shelf, entry

TIMES = 1000  # of files, and as many of texts
LONGEST = 1  # seconds of processor time: a hundred times what is usual, and what grows with the square of its length takes more
MADE_WITH = {
    "Model": "Dreams", "Model hash": "a1b2c3d4e5", "VAE": "warm", "VAE hash": "ffffffffff", "Lora hashes": "ink: a1b2c3d4e5f6, b%2Cc: 00",
    "TI hashes": "snowynight: a1b2c3d4e5f6", "Hypernet": "swirl", "ControlNet hashes": "edges: 0123456789ab",
    "Refiner": "Finish [a1b2c3d4e5]",
}  # fmt: skip
UNIT = ControlUse(id="id-edges", name="edges", image="ab" * 32, preprocessor="Canny")
REQUESTS: list[Request] = [
    TextToImage(prompt="a snowynight (house:1.2)", negative_prompt="rain", seed=7, loras=(LoraUse(id="id-ink", name="ink"),),
        embeddings=(EmbeddingUse(id="id-snowynight", word="snowynight"),), threads=2),
    Inpaint(prompt="x", seed=1, image="ab" * 32, mask="cd" * 32, denoising_strength=0.4),
    Outpaint(prompt="x", seed=1, image="ab" * 32, left=64),
    Controlled(prompt="Negative prompt: x\nSteps: 1, Size: 2x2, Seed: 3", seed=1, controls=(UNIT, replace(UNIT, name="b, c: d"))),
    Depth(prompt="x", seed=1, image="ab" * 32, cut_off=0.5),
]  # fmt: skip
PIECES = [
    "\n", ",", ":", '"', "\\", "[" * 40, "{", "(" * 60, "<lora:ink:1>", "<lora:a:b>", "Steps: ", "Size: 1x1", "Version: Atelier 0.1",
    "\0", "é", "雪", "\ud800", "9" * 400, "1e999", "-", "NaN", "Negative prompt:", "ControlNet 0: ",
    "Lora hashes: ", "TI hashes: ", "Denoising strength: 7",
    "Template: ", "true", "null", "Hires upscale: 2", "%2C", "Mask blur: x", "Refiner: ", "\u202e", "\r",
]  # fmt: skip
PAIRS = ["Steps", "Seed", "Size", "CFG scale", "Sampler", "Model", "VAE", "Mask mode", "Outpaint left", "Depth near", "ControlNet 1"]


def shelf() -> Shelf:
    return Shelf([
        entry("checkpoint", "Dreams", hash="a1b2c3d4e5" * 6), entry("lora", "ink", hash="a1b2c3d4e5f6"), entry("vae", "warm"),
        entry("embedding", "snowynight", hash="a1b2c3d4e5f6"), entry("controlnet", "edges"), entry("checkpoint", "starter"),
    ])  # fmt: skip


def files(folder: Path) -> list[bytes]:
    outputs = Outputs(folder)
    pictures = [Picture(Image.new("RGB", (8, 8)), request, MADE_WITH, 0, 1) for request in REQUESTS]
    return [outputs.save(picture.image, picture.request, picture.made_with).read_bytes() for picture in pictures]


def broken(dice: random.Random, whole: bytes) -> bytes:
    """Bytes changed, cut out, doubled, or the end gone. Checksums of chunks are as often right as wrong."""
    data = bytearray(whole)
    for _ in range(dice.randint(1, 6)):
        place, length = dice.randrange(len(data)), dice.choice((1, 1, 4, 60))
        data[place : place + length] = dice.choice((b"", bytes(data[place : place + length]) * 2, dice.randbytes(length)))
    return bytes(data[: dice.randrange(1, len(data))] if dice.random() < 0.1 else data)


def garbled(dice: random.Random, text: str) -> str:
    for _ in range(dice.randint(1, 8)):
        place, length = dice.randrange(len(text) + 1), dice.choice((0, 0, 1, 5, 40))
        piece = dice.choice(PIECES) if dice.random() < 0.7 else f", {dice.choice(PAIRS)}: {dice.choice(PIECES)}"
        text = text[:place] + piece * dice.choice((1, 1, 1, 30)) + text[place + length :]
    return text


def as_file(name: str, text: str) -> bytes:
    info, stream = PngImagePlugin.PngInfo(), io.BytesIO()
    info.add_itxt(name, text.encode("utf-8", "replace").decode().replace("\0", " "))
    Image.new("RGB", (8, 8)).save(stream, "PNG", pnginfo=info)
    return stream.getvalue()


def inputs(dice: random.Random, folder: Path) -> Iterator[bytes]:
    """Files with damage anywhere, and sound files with damaged texts of both kinds."""
    whole = files(folder)
    written = [(name, image_text) for data in whole for name, image_text in texts_of(data).items()]
    written += [("parameters", infotext.write(request, {})) for request in REQUESTS]
    for _ in range(TIMES):
        yield broken(dice, dice.choice(whole))
        name, text = dice.choice(written)
        yield as_file(name, garbled(dice, text))


def texts_of(data: bytes) -> dict[str, str]:
    with Image.open(io.BytesIO(data)) as image:
        return {name: str(image.info[name]) for name in ("atelier", "parameters")}


def read(data: bytes, library: Shelf) -> bool:
    """The whole way to a request that can be drawn. False where a sentence says why there is none."""
    try:
        found = inspect(data)
        bound = rebind(found.request, found.made_with, library, found.ids)
        assert all(isinstance(note, str) and note for note in (*found.notes, *bound.notes))
        type(bound.request).admit({item.name: getattr(bound.request, item.name) for item in fields(bound.request)})
        resolve(bound.request, library)
    except UserError as error:
        assert str(error) and "/" not in str(error).replace("://", "")[:1]
        return False
    return True


def test_no_damage_breaks_the_reading_or_holds_it_up(tmp_path: Path) -> None:
    dice, library = random.Random(20), shelf()
    slowest, sound = 0.0, 0
    for data in inputs(dice, tmp_path):
        begun = time.process_time()
        sound += read(data, library)
        slowest = max(slowest, time.process_time() - begun)
    assert slowest < LONGEST
    assert TIMES / 10 < sound < 2 * TIMES, "nearly all were read or nearly none: this tries nothing"


def test_a_text_of_nearly_a_million_letters_is_read_in_time() -> None:
    for piece in ("a", "a: b, ", "(", "<lora:ink:1> ", "Steps: 1, ", '"', "\n", "[a|", "frost: cccccccccccc, "):
        text = "x\nSteps: 20, Sampler: Euler, Seed: 5, Lora hashes: " + piece * (900_000 // len(piece))
        begun = time.process_time()
        read(as_file("parameters", text), shelf())
        assert time.process_time() - begun < LONGEST, piece
