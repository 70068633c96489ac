"""Tags in a prompt that add a LoRA or a hypernetwork, as A1111 writes them.

    <lora:name>  <lora:name:0.8>  <lora:name:text encoder:UNet>  <lora:name:te=0.5:unet=0.8>  <hypernet:name:0.8>

The second number is the first where it is left out, and that is 1. Block weights are `lbw=` and numbers with commas.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from models.errors import UserError

STRONGEST = 4.0  # as in a request; what is beyond is put on the limit
MOST = 16  # tags in one prompt: as many as a request holds LoRAs
TAG = re.compile(r" ?<(lora|lyco|hypernet):([^<>]{1,1000})>", re.IGNORECASE)  # no bracket inside: unclosed ones take linear time
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.ASCII | re.IGNORECASE)
UNWRITABLE = re.compile(r"[<>:\n]")


@dataclass(frozen=True, slots=True)
class Tag:
    kind: Literal["lora", "hypernet"]
    name: str
    unet: float = 1.0
    text_encoder: float = 1.0
    blocks: str = ""


class LoraLike(Protocol):
    """What is asked of a request's entry."""

    @property
    def name(self) -> str: ...
    @property
    def unet(self) -> float: ...
    @property
    def text_encoder(self) -> float: ...
    @property
    def blocks(self) -> str: ...


class HypernetworkLike(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def strength(self) -> float: ...


def take_tags(prompt: str) -> tuple[str, list[Tag]]:
    """The prompt without its tags, each with one space before it, and the tags in order.

    What the taking out of one joins to another is a tag as well, so a second call finds none. Raises `UserError` for a number that
    cannot be read and for more than 16 tags.
    """
    tags: list[Tag] = []
    while found := TAG.findall(prompt):
        if (number := len(found) + len(tags)) > MOST:
            raise UserError(f"The prompt has {number:,} tags for LoRAs and hypernetworks; {MOST} is the most. Take some out.")
        tags += [_read(kind, text) for kind, text in found]
        prompt = TAG.sub("", prompt)
    return prompt, tags


def _read(kind: str, text: str) -> Tag:
    """What follows the third number has no meaning here."""
    name, *parts = text.split(":")
    named = dict(part.split("=", 1) for part in parts if "=" in part)
    numbers = [part for part in parts if "=" not in part]
    text_encoder = _number(named.get("te", numbers[0] if numbers else "1"), name)
    unet = _number(named["unet"] if "unet" in named else numbers[1] if len(numbers) > 1 else str(text_encoder), name)
    return Tag("hypernet" if kind.lower() == "hypernet" else "lora", name.strip(), unet, text_encoder, named.get("lbw", "").strip())


def _number(text: str, name: str) -> float:
    if not NUMBER.fullmatch(text):
        raise UserError(f"“{text[:20]}” in the tag of “{name.strip()[:80]}” is not a number. Write it as in <lora:name:0.8>.")
    return min(max(float(text), -STRONGEST), STRONGEST)


def without_tags(prompt: str) -> str:
    """For counting and looking up words while somebody types: spaces in place of tags, so that each character keeps its place."""
    return TAG.sub(lambda tag: " " * len(tag[0]), prompt)


def write_tags(loras: Sequence[LoraLike], hypernetworks: Sequence[HypernetworkLike] = ()) -> str:
    """Tags that `take_tags` reads as these uses, each with a space before it; "" for none. A name that no tag can hold is left out."""
    tags = [_lora(use) for use in loras if _writable(use.name)] + [_hypernetwork(use) for use in hypernetworks if _writable(use.name)]
    return "".join(f" <{tag}>" for tag in tags)


def _writable(text: str) -> bool:
    return text.strip() == text != "" and not UNWRITABLE.search(text)


def _lora(use: LoraLike) -> str:
    numbers = [use.text_encoder] if use.text_encoder == use.unet else [use.text_encoder, use.unet]
    blocks = [f"lbw={use.blocks}"] if _writable(use.blocks) else []
    return ":".join(["lora", use.name, *map(_written, numbers), *blocks])


def _hypernetwork(use: HypernetworkLike) -> str:
    return f"hypernet:{use.name}:{_written(use.strength)}"


def _written(number: float) -> str:
    return repr(float(number)).removesuffix(".0")
