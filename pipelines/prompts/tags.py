"""Tags in a prompt that add a LoRA or a hypernetwork, as A1111 writes them.

    <lora:name>  <lora:name:0.8>  <lora:name:text encoder:UNet>  <lora:name:te=0.5:unet=0.8>  <lora:name:0@0,0.8@0.5>  <hypernet:name:0.8>

The second number is the first where it is left out, and that is 1. Block weights are `lbw=` and numbers with commas. As in A1111 they
act in the prompt alone; in a negative prompt they are found all the same, so that they are not taken for words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from models.errors import UserError
from pipelines.requests.added import MOST_LORAS, STRONGEST
from pipelines.requests.pace import points_of, shared, weights
from pipelines.wildcards.unsaid import TAG, Unsaid, unsaid

STEP = "0.05"  # of the keys that weigh
SPACE = r"[ \t\n\r\f\v]"
NUMBER = rf"{SPACE}*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?){SPACE}*"
BRACKETS = re.compile(r"[^<>]+|[<>]")
UNWRITABLE = re.compile(r"[<>:\n]")
_TAG = re.compile(TAG, re.IGNORECASE)
_NUMBER = re.compile(NUMBER)


@dataclass(frozen=True, slots=True)
class Tag:
    kind: Literal["lora", "hypernet"]
    name: str
    unet: float = 1.0
    text_encoder: float = 1.0
    blocks: str = ""
    pace: str = ""  # how the strength on the UNet changes over the steps (`pipelines.requests.pace`)


@dataclass(frozen=True, slots=True)
class WrittenTag:
    """A tag as it stands in a text, with its brackets: text[start:end]."""

    text: str
    start: int
    end: int

    def read(self) -> Tag:
        """What follows the third number has no meaning here. Raises `UserError` for a number that cannot be read."""
        kind, name, *parts = self.text[1:-1].split(":")
        named = {key.strip(): value for key, mark, value in (part.partition("=") for part in parts) if mark}
        numbers = [part for part in parts if "=" not in part]
        words = named.get("te", numbers[0] if numbers else "1")
        text_encoder, _ = _weight(words, name)  # what is encoded once has one strength: the largest
        unet, pace = _weight(named["unet"] if "unet" in named else numbers[1] if len(numbers) > 1 else words, name)
        if kind.lower() == "hypernet":
            return Tag("hypernet", name.strip(), unet, text_encoder)
        return Tag("lora", name.strip(), unet, text_encoder, named.get("lbw", "").strip(), pace)


class LoraLike(Protocol):
    """A request's entry of a LoRA, as far as it is asked here."""

    @property
    def name(self) -> str: ...
    @property
    def unet(self) -> float: ...
    @property
    def text_encoder(self) -> float: ...
    @property
    def blocks(self) -> str: ...
    @property
    def pace(self) -> str: ...
    @property
    def region(self) -> int: ...


class HypernetworkLike(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def strength(self) -> float: ...


def split_tags(text: str, silent: Sequence[Unsaid] | None = None) -> tuple[Sequence[int], tuple[WrittenTag, ...]]:
    """Where the characters stand that belong to no tag, and the tags. A tag takes one space before it along.

    What the taking out of one joins to another is a tag as well; what is not said holds none. Takes time linear in the text.
    `silent`: what is not said, where that is known.
    """
    if "<" not in text:
        return range(len(text)), ()
    text = _deaf(text, unsaid(text) if silent is None else silent)
    kept: list[int] = []
    opened: list[int] = []
    tags: list[WrittenTag] = []
    for piece in BRACKETS.finditer(text):
        kept += range(*piece.span())
        if piece[0] == "<":
            opened.append(len(kept) - 1)
        elif piece[0] == ">":
            tags += _close(text, kept, opened)
    return kept, tuple(tags)


def _deaf(text: str, silent: Sequence[Unsaid]) -> str:
    """The text with other signs in the place of brackets that are not said."""
    for each in silent:
        if "<" in (hidden := text[each.start : each.end]) or ">" in hidden:
            text = text[: each.start] + hidden.replace("<", "\0").replace(">", "\0") + text[each.end :]
    return text


def _close(text: str, kept: list[int], opened: list[int]) -> Iterator[WrittenTag]:
    """The tag that the last character ends, taken out of what is kept; else nothing that was opened so far can be a tag any more."""
    places = kept[opened[-1] :] if opened else []
    written = "".join(text[place] for place in places)
    if not _TAG.fullmatch(written):
        opened.clear()
        return
    del kept[opened.pop() :]
    if kept and text[kept[-1]] == " ":
        kept.pop()
    yield WrittenTag(written, places[0], places[-1] + 1)


def take_tags(prompt: str) -> tuple[str, list[Tag]]:
    """The prompt without its tags, each with one space before it, and the tags in order; a second call finds none.

    Raises `UserError` for a number that cannot be read and for more than 16 tags.
    """
    kept, tags = split_tags(prompt)
    if len(tags) > MOST_LORAS:
        raise UserError(f"The prompt has {len(tags):,} tags for LoRAs and hypernetworks; {MOST_LORAS} is the most. Take some out.")
    return "".join(prompt[place] for place in kept), [tag.read() for tag in tags]


def lora_names(prompt: str) -> frozenset[str]:
    """The LoRAs that tags in it name; also within choices, and where a number cannot be read."""
    _, tags = split_tags(prompt)
    return frozenset(tag.text[1:-1].split(":")[1].strip() for tag in tags if not tag.text.lower().startswith("<hypernet"))


def without_tags(prompt: str) -> str:
    """As `take_tags` leaves it, for a prompt in which they do not act."""
    kept, _ = split_tags(prompt)
    return "".join(prompt[place] for place in kept)


def _weight(text: str, name: str) -> tuple[float, str]:
    """A strength, and how it changes over the steps."""
    if not {"@", "~"} & {*text}:
        return _number(text, name), ""
    strength, pace = shared(points_of(text))
    return min(max(strength, -STRONGEST), STRONGEST), pace


def _number(text: str, name: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise UserError(f"“{text[:20]}” in the tag of “{name.strip()[:80]}” is not a number. Write it as in <lora:name:0.8>.")
    return min(max(float(text), -STRONGEST), STRONGEST)


def write_tags(loras: Sequence[LoraLike], hypernetworks: Sequence[HypernetworkLike] = (), region: int = 0) -> str:
    """Tags that `take_tags` reads as these uses, each with a space before it; "" for none. A name that no tag can hold is left out.

    `region`: those that act there; 0: those that act everywhere.
    """
    tags = [_lora(use) for use in loras if _writable(use.name) and use.region == region]
    tags += [_hypernetwork(use) for use in hypernetworks if _writable(use.name)]
    return "".join(f" <{tag}>" for tag in tags)


def _writable(text: str) -> bool:
    return text.strip() == text != "" and not UNWRITABLE.search(text)


def _lora(use: LoraLike) -> str:
    unet = weights(use.unet, use.pace) if use.pace else _written(use.unet)
    numbers = [unet] if use.text_encoder == use.unet else [_written(use.text_encoder), unet]
    blocks = [f"lbw={use.blocks}"] if _writable(use.blocks) else []
    return ":".join(["lora", use.name, *numbers, *blocks])


def _hypernetwork(use: HypernetworkLike) -> str:
    return f"hypernet:{use.name}:{_written(use.strength)}"


def _written(number: float) -> str:
    return repr(float(number)).removesuffix(".0")
