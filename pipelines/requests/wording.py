"""The words of one picture of a job, of all texts that may leave something to choice, and one of several pictures that it begins with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipelines.requests.added import EMBEDDINGS, HYPERNETWORKS, LORAS, EmbeddingUse, HypernetworkUse, LoraUse
from pipelines.requests.base import limits
from pipelines.requests.details import MOST_BOXES, DetailBox
from pipelines.requests.fields import Several, Stored, Text, limited
from pipelines.requests.region import MOST_REGIONS, Region

if TYPE_CHECKING:
    from pipelines.requests.request import Drawing, Drawn

# Each field whose text may leave something to choice -> the one that says what its words were drawn of. So may the prompts in `PARTS`.
TEMPLATES = {
    "prompt": "prompt_template", "negative_prompt": "negative_template", "second_prompt": "second_template",
    "hires_prompt": "hires_template", "hires_negative_prompt": "hires_negative_template",
}  # fmt: skip
OF_SECOND_PASS = ("hires_prompt", "hires_negative_prompt")
PARTS = {"boxes": "box ", "regions": "region "}  # fields of what has prompts of its own -> what such a text is called, before its number
NOTHING = " "  # the words of a text of which nothing was drawn; "" is one that leaves nothing to choice, and stays as it is

MOST_WORDINGS = 10_000  # of one job
# How a prompt is read: weights, BREAK and names of embeddings alone, as Atelier did before there was more, or the language as it is now.
WEIGHTS_ALONE, WHOLE_LANGUAGE = 1, 2
SEEDS = 2**63  # torch takes 64 bits, SQLite and JSON readers keep 63


@dataclass(frozen=True, kw_only=True)
class PictureUse:
    """One of several pictures that a job begins with in turn."""

    id: str = limited("", Stored(), "Picture")
    name: str = limited("", Text(300), "Name")


PICTURES = Several(PictureUse, 500)
Part = DetailBox | Region


@dataclass(frozen=True, kw_only=True)
class PartWords:
    """Of one box or region; see `Wording`."""

    prompt: str = limited("", Text(10_000), "Prompt")


@dataclass(frozen=True, kw_only=True)
class Wording:
    """The words that were drawn for a picture, and all files that are used with them. The prompts are whole; of all other texts see
    `NOTHING`. `boxes`, `regions`: none, or one for each of the request.
    """

    prompt: str = limited("", Text(100_000), "Prompt")
    negative_prompt: str = limited("", Text(100_000), "Negative prompt")
    second_prompt: str = limited("", Text(100_000), "Second prompt")
    hires_prompt: str = limited("", Text(100_000), "Hires prompt")
    hires_negative_prompt: str = limited("", Text(100_000), "Hires negative prompt")
    boxes: tuple[PartWords, ...] = limited((), Several(PartWords, MOST_BOXES), "Boxes")
    regions: tuple[PartWords, ...] = limited((), Several(PartWords, MOST_REGIONS), "Regions")
    loras: tuple[LoraUse, ...] = limited((), LORAS, "LoRAs")
    hypernetworks: tuple[HypernetworkUse, ...] = limited((), HYPERNETWORKS, "Hypernetworks")
    embeddings: tuple[EmbeddingUse, ...] = limited((), EMBEDDINGS, "Embeddings")
    hires_loras: tuple[LoraUse, ...] = limited((), LORAS, "Hires LoRAs")


WORDINGS = Several(Wording, MOST_WORDINGS)


def texts_of(request: Drawing) -> dict[str, str]:
    """All texts that are drawn and may leave something to choice, by field; those of parts as "box 1", "box 2"."""
    own = limits(type(request))
    passes = getattr(request, "hires", False)
    found = {name: str(getattr(request, name)) for name in TEMPLATES if name in own and (passes or name not in OF_SECOND_PASS)}
    return found | {text: part.prompt for named in parts_of(request).values() for text, part in named.items()}


def parts_of(request: Drawing) -> dict[str, dict[str, Part]]:
    """By field, those with prompts of their own, by what these are called."""
    found: dict[str, tuple[Part, ...]] = {name: getattr(request, name, ()) for name in PARTS}
    return {name: {f"{PARTS[name]}{place}": part for place, part in enumerate(parts, 1)} for name, parts in found.items() if parts}


def with_texts(request: Drawn, texts: Mapping[str, str]) -> Drawn:
    """The request with these texts in the place of its own, by the names of `texts_of`."""
    own = {name: text for name, text in texts.items() if name in TEMPLATES}
    return replace(request, **own, **_each_part(request, lambda text, part: replace(part, prompt=texts.get(text, part.prompt))))


def _each_part(request: Drawing, change: Callable[[str, Part], Part]) -> dict[str, tuple[Part, ...]]:
    return {name: tuple(change(text, part) for text, part in named.items()) for name, named in parts_of(request).items()}


def has_templates(request: Drawing) -> bool:
    """Its words, or some of them, were drawn. Parts do not tell: their lists come out of forms, with what they came in with."""
    return any(getattr(request, name, "") for name in TEMPLATES.values())


def as_typed(request: Drawn) -> Drawn:
    """With what its words were drawn of in their place."""
    typed = {name: text for name, template in TEMPLATES.items() if (text := getattr(request, template, ""))}
    typed |= {text: part.template for named in parts_of(request).values() for text, part in named.items() if part.template}
    return without_templates(with_texts(request, typed))


def without_templates(request: Drawn) -> Drawn:
    own = {template: "" for template in TEMPLATES.values() if template in limits(type(request))}
    return replace(request, **own, **_each_part(request, lambda _, part: replace(part, template="")))


def worded(request: Drawn, wording: Wording) -> Drawn:
    """The request with these words, and what they were drawn of."""
    typed = texts_of(request)
    words = {name: words for name, words in _words(wording).items() if name in typed}
    named = {"loras": wording.loras, "hypernetworks": wording.hypernetworks, "embeddings": wording.embeddings}
    named |= {"hires_loras": wording.hires_loras} if wording.hires_loras else {}
    templates = {TEMPLATES[name]: typed[name] for name in words if name in TEMPLATES and words[name] != typed[name]}
    told = {name: getattr(request, name) or text for name, text in templates.items()}
    found = replace(with_texts(request, words), **named, **told)
    drawn = {text: typed[text] for text in words if text not in TEMPLATES and words[text] != typed[text]}
    return replace(found, **_each_part(found, lambda text, part: replace(part, template=drawn.get(text, part.template))))


def _words(wording: Wording) -> dict[str, str]:
    """Those that were drawn, by the names of `texts_of`."""
    beside = {name: getattr(wording, name) for name in TEMPLATES if name not in ("prompt", "negative_prompt")}
    beside |= {f"{called}{place}": part.prompt for name, called in PARTS.items() for place, part in enumerate(getattr(wording, name), 1)}
    drawn = {name: "" if words == NOTHING else words for name, words in beside.items() if words}
    return {"prompt": wording.prompt, "negative_prompt": wording.negative_prompt} | drawn


def wording_of(request: Drawing, combination: int, place: int) -> Wording:
    """Of all combinations one after another, or else one for each seed from that of the job on."""
    if request.all_combinations:
        return request.wordings[combination]
    return request.wordings[(request.placed(place).seed - request.seed) % SEEDS]


def of_batch(request: Drawn, number: int) -> Drawn:
    """The same job with the words, and what they name, of batch `number`; with several words a batch is one picture."""
    return worded(request, wording_of(request, *divmod(number, request.batches_each))) if request.wordings else request
