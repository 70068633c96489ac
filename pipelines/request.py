"""A job is a request: a frozen dataclass with everything that changes the pixels, and nothing else.

Each field declares its type, its default and its limits here, once. The form shows them, the HTTP door checks with them, the
loop uses them, and a picture's metadata is derived from them.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, ClassVar, Self, TypeVar

from models.errors import UserError

MEGAPIXELS = 4.2  # the largest area of one picture; a larger one comes with upscaling
SEEDS = 2**63  # torch takes 64 bits, SQLite and JSON readers keep 63


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, both included. An int field with `step` 8 holds multiples of 8."""

    low: float
    high: float
    step: float = 1
    snap: bool = False  # put a number between two steps on the nearest one, and say so, instead of refusing it
    clamp: bool = False  # put a number beyond the limits on the nearest limit instead of refusing it

    def admit(self, name: str, value: Any, kind: type) -> int | float:
        number = _number(name, value, kind)
        if self.clamp:
            number = kind(min(max(number, self.low), self.high))
        if not self.low <= number <= self.high:
            raise UserError(f"{name} must be between {self.low:g} and {self.high:.15g}; {value!r} is not.")
        return kind(round(number / self.step) * self.step) if self.snap else number


@dataclass(frozen=True, slots=True)
class Text:
    """Text of at most `length` characters. It is stored in Unicode NFC, without NUL and lone surrogates."""

    length: int

    def admit(self, name: str, value: Any, kind: type) -> str:
        if not isinstance(value, str):
            raise UserError(f"{name} must be text.")
        clean = unicodedata.normalize("NFC", value.encode("utf-8", "ignore").decode().replace("\0", ""))
        if len(clean) > self.length:
            raise UserError(f"{name} has {len(clean):,} characters; {self.length:,} is the most. Shorten it.")
        return clean


@dataclass(frozen=True, slots=True)
class Choice:
    """One of `names`; empty `names` means that another part checks it (an id of the catalogue, say)."""

    names: tuple[str, ...] = ()

    def admit(self, name: str, value: Any, kind: type) -> str:
        if not isinstance(value, str) or len(value) > 200:
            raise UserError(f"{name} must be a name from the list.")
        if self.names and value not in self.names:
            raise UserError(f"{name} “{value}” is not known. Choose one of: {', '.join(self.names)}.")
        return value


@dataclass(frozen=True, slots=True)
class Several:
    """At most `most` entries of one kind, each a frozen dataclass with limited fields of its own. JSON: a list of objects."""

    entry: type[Any]
    most: int

    def admit(self, name: str, value: Any, kind: type) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise UserError(f"{name} must be a list.")
        if len(value) > self.most:
            raise UserError(f"{name} has {len(value)} entries; {self.most} is the most. Remove some.")
        return tuple(self._entry(name, item) for item in value)

    def _entry(self, name: str, value: Any) -> Any:
        if isinstance(value, self.entry):
            value = asdict(value)
        known = {item.name: item for item in fields(self.entry)}
        if not isinstance(value, dict) or not value.keys() <= known.keys():
            raise UserError(f"{name} holds an entry that this version cannot read.")
        return self.entry(**{key: _admit(known[key], part) for key, part in value.items()})


Limit = Range | Text | Choice | Several


def limited(default: Any, limit: Limit, title: str, info: str = "", derived: bool = False) -> Any:
    """A request field: its default, its limits, and the words the page shows for it.

    A derived one is found by the studio when the request comes in, and has no control on the page.
    """
    return field(default=default, metadata={"limit": limit, "title": title, "info": info, "derived": derived})


SAMPLER_NAMES = ("DPM++ 2M", "DPM++ 2M SDE", "DPM++ SDE", "Euler", "Euler a", "Heun", "DDIM", "LCM")
SCHEDULE_NAMES = ("Automatic", "Normal", "Karras", "Exponential", "SGM Uniform")


STRONGEST = 4.0  # of a LoRA or hypernetwork: beyond, there is no picture left


@dataclass(frozen=True, kw_only=True)
class LoraUse:
    """A LoRA file and how strongly it acts. Strength 0 takes it out, negative ones push the other way."""

    id: str = limited("", Choice(), "LoRA")
    name: str = limited("", Text(300), "Name", derived=True)  # so that another machine can find its own copy
    unet: float = limited(1.0, Range(-STRONGEST, STRONGEST, 0.05, clamp=True), "Strength")
    text_encoder: float = limited(1.0, Range(-STRONGEST, STRONGEST, 0.05, clamp=True), "Strength on the words")
    blocks: str = limited("", Text(400), "Block weights", "Numbers with commas, one a block of the UNet; empty: 1 everywhere")


@dataclass(frozen=True, kw_only=True)
class HypernetworkUse:
    """A hypernetwork file and how strongly it acts."""

    id: str = limited("", Choice(), "Hypernetwork")
    name: str = limited("", Text(300), "Name", derived=True)
    strength: float = limited(1.0, Range(-STRONGEST, STRONGEST, 0.05, clamp=True), "Strength")


@dataclass(frozen=True, kw_only=True)
class EmbeddingUse:
    """An embedding file and the word in the prompts that stands for it."""

    id: str = limited("", Choice(), "Embedding")
    word: str = limited("", Text(200), "Word")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What every way of drawing shares. Subclasses add their own fields and a `kind`."""

    kind: ClassVar[str] = ""

    prompt: str = limited("", Text(100_000), "Prompt")
    negative_prompt: str = limited("", Text(100_000), "Negative prompt")
    checkpoint: str = limited("starter", Choice(), "Checkpoint")
    sampler: str = limited("DPM++ 2M", Choice(SAMPLER_NAMES), "Sampler", "How each step moves from noise towards the picture")
    schedule: str = limited("Automatic", Choice(SCHEDULE_NAMES), "Schedule", "How the noise levels are spread over the steps")
    steps: int = limited(20, Range(1, 150), "Steps", "More steps refine; 20 to 30 is usual")
    guidance_scale: float = limited(5.0, Range(0, 30, 0.1), "Guidance", "How closely the prompt is followed; 1 ignores the negative prompt")
    width: int = limited(256, Range(64, 4096, 8, snap=True), "Width")
    height: int = limited(256, Range(64, 4096, 8, snap=True), "Height")
    seed: int = limited(-1, Range(-1, SEEDS - 1), "Seed", "-1 rolls the dice; the seed that was used is kept with the picture")
    vae: str = limited("", Choice(), "VAE", "Turns latents into pixels; each checkpoint brings its own")
    clip_skip: int = limited(1, Range(1, 12, clamp=True), "Clip skip", "Layers of the text encoder to leave out: 1 none, 2 the last one")
    loras: tuple[LoraUse, ...] = limited((), Several(LoraUse, 16), "LoRAs")
    hypernetworks: tuple[HypernetworkUse, ...] = limited((), Several(HypernetworkUse, 4), "Hypernetworks")
    embeddings: tuple[EmbeddingUse, ...] = limited((), Several(EmbeddingUse, 64), "Embeddings", derived=True)
    refiner: str = limited("", Choice(), "Refiner", "A second checkpoint that draws the last steps")
    refiner_start: float = limited(0.8, Range(0, 1, 0.01), "Refiner from", "Share of the steps after which the refiner takes over")
    guidance_rescale: float = limited(0.0, Range(0, 1, 0.05), "Guidance rescale", "Tames strong contrast; 0.7 suits zero-SNR models")
    batch_count: int = limited(1, Range(1, 100), "Batch count", "Batches drawn one after another")
    batch_size: int = limited(1, Range(1, 16), "Batch size", "Pictures drawn side by side")

    @classmethod
    def admit(cls, values: dict[str, Any]) -> Self:
        """A request from values that came from outside. Absent fields take their default, unknown ones are refused.

        Raises `UserError` with a sentence that names the field. Never coerces: "3" is not 3 and True is not 1.
        """
        known = {item.name: item for item in fields(cls)}
        for name in values:
            if name not in known:
                raise UserError(f"This request has no field named “{str(name)[:60]}”.")
        admitted = {name: _admit(known[name], value) for name, value in values.items()}
        request = cls(**admitted)
        if request.width * request.height > MEGAPIXELS * 1e6:
            area = request.width * request.height / 1e6
            size = f"{request.width} x {request.height} is {area:.2f} megapixels"
            raise UserError(f"{size}; {MEGAPIXELS} is the most. Choose a smaller size.")
        return request

    @property
    def picture_count(self) -> int:
        return self.batch_count * self.batch_size


@dataclass(frozen=True, kw_only=True)
class TextToImage(Request):
    """A picture from words alone."""

    kind: ClassVar[str] = "txt2img"


Kind = TypeVar("Kind", bound=Request)
KINDS: dict[str, type[Request]] = {kind.kind: kind for kind in (TextToImage,)}


def describe(request: Request) -> dict[str, Any]:
    """The request as plain JSON values, with its kind: the authoritative metadata of a picture."""
    return {"kind": request.kind} | {item.name: _json(getattr(request, item.name)) for item in fields(request)}


def restore(values: dict[str, Any]) -> Request:
    """The request that `describe` wrote. Raises `UserError` when the kind is unknown or a value is out of its limits."""
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise UserError("These settings are of a kind that this version does not know. Update Atelier to read them.")
    return KINDS[kind].admit({name: value for name, value in values.items() if name != "kind"})


def unroll(request: Kind) -> list[Kind]:
    """One request a picture: picture i has seed + i and is a batch of one. The request's seed must be settled (not -1)."""
    return [replace(request, seed=(request.seed + index) % SEEDS, batch_count=1, batch_size=1) for index in range(request.picture_count)]


def limits(kind: type[Request]) -> dict[str, Limit]:
    return {item.name: item.metadata["limit"] for item in fields(kind)}


def _json(value: Any) -> Any:
    return [asdict(entry) for entry in value] if isinstance(value, tuple) else value


def _admit(item: Any, value: Any) -> Any:
    types = {"int": int, "float": float, "str": str}
    return item.metadata["limit"].admit(item.metadata["title"], value, types.get(item.type, tuple))


def _number(name: str, value: Any, kind: type) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"{name} must be a number.")
    if kind is int and value != int(value):
        raise UserError(f"{name} must be a whole number; {value!r} is not.")
    return kind(value)
