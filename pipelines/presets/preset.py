"""A preset: words to add to a prompt, and values of a form, under a name.

Words with `{prompt}` in them take the prompt into that place; others go behind it, with a comma between. That is what A1111 1.10, Fooocus
and SD.Next do with their styles, so theirs are presets as they are. A prompt among the values takes the place of the one in the form.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from models.errors import UserError
from models.json_values import is_row, is_table, is_text_table, table, text
from pipelines.metadata.admitting import admitted
from pipelines.requests.fields import Several, Stored
from pipelines.requests.groups import COMPUTED
from pipelines.requests.request import KINDS, Drawing, Request, TextToImage, describe

HOLE = "{prompt}"
WORDS = ("prompt", "negative_prompt")
FORMAT = 1  # of what is kept and exported; a newer one is not read
LONGEST_NAME = 120  # letters
LONGEST_WORDS = 20_000  # letters of each text
LONGEST = 100_000  # letters of one preset as JSON
OF_ONE_PICTURE = ("images", "boxes")  # and all that is a picture itself
PAINTED = "Regions that are painted are pictures, which presets do not keep. Those that are laid out as columns or rows can be kept."
NEWER = "This preset was made by a newer Atelier, and this one cannot read it. Update Atelier to use it, or delete it."
DAMAGED = "This preset cannot be read: something in it is missing or out of its limits. Delete it, and make it anew."
EMPTY = "There is nothing in this preset. Write words to add, or choose what of the form it keeps."

Piece = tuple[str, bool]  # a part of a prompt, and whether a preset has added it


@dataclass(frozen=True)
class Preset:
    """`values`: of a form of `kind`, as `describe` writes them. `made_with`: names and hashes of the models among them, under the keys of
    a picture's record. `note`: why it cannot be used, or "". `picture`: what its picture is kept under, or "".
    """

    name: str
    prompt: str = ""  # words to add
    negative_prompt: str = ""
    kind: str = TextToImage.kind
    values: Mapping[str, object] = field(default_factory=dict[str, object])
    made_with: Mapping[str, str] = field(default_factory=dict[str, str])
    about: str = ""
    id: str = ""
    picture: str = ""
    note: str = ""

    def told(self) -> dict[str, object]:
        """As it is kept and exported, without its picture."""
        words = {"prompt": self.prompt, "negative_prompt": self.negative_prompt, "about": self.about}
        held = {"kind": self.kind, "values": dict(self.values), "made_with": dict(self.made_with)} if self.values else {}
        return {"format": FORMAT, "name": self.name, **{key: value for key, value in words.items() if value}, **held}

    def same(self, other: Preset) -> bool:
        return replace(self, id="", picture="") == replace(other, id="", picture="")


def checked(preset: Preset) -> Preset:
    """As it may be kept. Raises `UserError` for one that is empty, too long or out of the limits of its kind."""
    if not (preset.prompt or preset.negative_prompt or preset.values):
        raise UserError(EMPTY)
    for words in (preset.prompt, preset.negative_prompt, preset.about):
        if len(words) > LONGEST_WORDS:
            raise UserError(f"A text of a preset has {LONGEST_WORDS:,} letters at most, and this one has {len(words):,}. Shorten it.")
    if (length := len(json.dumps(preset.told()))) > LONGEST:
        raise UserError(f"This preset holds {length:,} letters; {LONGEST:,} are the most. Keep less of the form in it.")
    request_of(preset)
    return preset


def request_of(preset: Preset) -> Drawing:
    """A request with its values. Raises `UserError` when they are no values of its kind."""
    kind = KINDS.get(preset.kind)
    if kind is None or not issubclass(kind, Drawing) or not preset.values.keys() <= set(offered(kind)):
        raise UserError(DAMAGED)
    return kind.admit(preset.values)


def offered(kind: type[Request]) -> list[str]:
    """The fields of a form that a preset may keep: all that is shown, but for pictures and what is drawn on them."""
    return [item.name for item in fields(kind) if _is_kept(item.name, item.metadata)]


def _is_kept(name: str, declared: Mapping[str, object]) -> bool:
    picture = isinstance(declared["limit"], Stored) or name in OF_ONE_PICTURE
    return not (declared["derived"] or picture or declared["group"] is COMPUTED)


def values_of(request: Request, names: Sequence[str]) -> dict[str, object]:
    """Of a form, as a preset keeps them: a list of control units without their pictures, regions with the LoRAs that act in them."""
    told, kept = describe(request), offered_of(request)
    values = {name: _bare(request, name, told[name]) for name in names if name in kept}
    loras = values.get("loras")
    if "regions" not in values and is_row(loras):
        values["loras"] = [each for each in loras if not table(each).get("region")]
    return values


def offered_of(request: Request) -> set[str]:
    """The fields of this form that a preset may keep: what regions are painted on, it does not."""
    return set(offered(type(request))) - ({"regions"} if isinstance(request, Drawing) and has_painted(request) else set())


def has_painted(request: Drawing) -> bool:
    """Whether regions of it are painted, and not laid out."""
    return any(each.mask for each in request.regions)


def _bare(request: Request, name: str, value: object) -> object:
    limit = next(item.metadata["limit"] for item in fields(request) if item.name == name)
    if not isinstance(limit, Several) or not is_row(value):
        return value
    pictures = {item.name for item in fields(limit.entry) if isinstance(item.metadata["limit"], Stored)}
    return [{key: part for key, part in table(entry).items() if key not in pictures} for entry in value]


def read_preset(values: object) -> Preset:
    """What `told` wrote, or a page or a file sent. Raises `UserError` where it cannot be used."""
    if not is_table(values):
        raise UserError(DAMAGED)
    if values.get("format", FORMAT) != FORMAT:
        raise UserError(NEWER)
    kept, made_with = values.get("values", {}), values.get("made_with", {})
    if not is_table(kept) or not is_text_table(made_with):
        raise UserError(DAMAGED)
    words = [text(values, name).replace("\0", "") for name in (*WORDS, "about")]
    known = {key[:200]: fact[:300] for key, fact in list(made_with.items())[:200]}
    return checked(Preset(text(values, "name"), words[0], words[1], text(values, "kind", TextToImage.kind), kept, known, words[2]))


# ---- what comes of them ----------------------------------------------------------------------------------------------------------


def merged(own: Sequence[Piece], words: str) -> list[Piece]:
    """The prompt with a preset's words before, behind or around it."""
    if not words.strip():
        return [*own]
    if HOLE in words:
        return list(_around(own, words.split(HOLE)))
    own = _trimmed(own)
    between = ", " if own and not own[-1][0].endswith(",") else " " if own else ""
    return [*own, (between + words.strip(), True)]


def _around(own: Sequence[Piece], parts: Sequence[str]) -> Iterator[Piece]:
    for place, part in enumerate(parts):
        if place:
            yield from own
        if part:
            yield part, True


def _trimmed(pieces: Sequence[Piece]) -> list[Piece]:
    """Without spaces at both ends, and without pieces that are nothing else."""
    kept = [each for each in pieces if each[0].strip()]
    if kept:
        kept[0] = (kept[0][0].lstrip(), kept[0][1])
        kept[-1] = (kept[-1][0].rstrip(), kept[-1][1])
    return kept


def said(pieces: Sequence[Piece]) -> str:
    return "".join(words for words, _ in pieces)


def prompts_with(presets: Sequence[Preset], prompts: Mapping[str, str]) -> dict[str, list[Piece]]:
    """Both prompts of a form with these presets, one after another, in pieces."""
    found: dict[str, list[Piece]] = {name: [(prompts.get(name, ""), False)] for name in WORDS}
    for preset in presets:
        for name, added in zip(WORDS, (preset.prompt, preset.negative_prompt), strict=True):
            instead = preset.values.get(name)
            own: list[Piece] = [(instead, True)] if isinstance(instead, str) else found[name]
            found[name] = merged(own, added)
    return {name: [each for each in pieces if each[0]] for name, pieces in found.items()}


def fitting(kind: type[Drawing], values: Mapping[str, object]) -> dict[str, object]:
    """Those that a form of this kind has, within its own limits."""
    own = set(offered(kind))
    taken, _ = admitted(kind, {name: value for name, value in values.items() if name in own})
    return taken
