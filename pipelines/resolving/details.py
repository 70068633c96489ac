"""Details of a picture: all that made it, in the groups that its request declares, as people read it.

Every field of the request and every fact of the record is told; what belongs to which group, and what it is called, the request says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, fields, replace
from typing import TYPE_CHECKING, Protocol, cast

from models.json_values import is_number
from pipelines.metadata.provenance import LOADING, PLACE, SETTINGS_FROM, TIME
from pipelines.requests.drawn_small import enlarger_of
from pipelines.requests.enlarge import THE_FILTER
from pipelines.requests.fields import Choice, Flag, Limit, Range, Several, Stored, Whole
from pipelines.requests.groups import COMPUTED, ENLARGED, GROUPS, PICTURE, REGIONS, SECOND, Group
from pipelines.requests.request import OWN_VAE, Drawing, PictureUse, Request, describe
from pipelines.requests.sampling import OPTIONS, acting_in
from pipelines.requests.second_pass import UPSCALER_NAMES
from pipelines.resolving.model_names import KEYS, ONE, SEVERAL, NamedModel, hashes

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

EXACT = 2**53  # JavaScript's numbers lose digits beyond it, so such a field's value goes as text
SIDES = ("width", "height")
COUNTS = ("batch_count", "batch_size", "all_combinations")  # a finished picture is one, however many were drawn
SWITCH = "hires"  # of the second pass
OWN_ALONE = frozenset({TIME, LOADING, PLACE})  # facts of one picture that no other is compared by
OF_PICTURE = (TIME, PLACE)  # those that stand with its size and its seed
NO_FILES = (OWN_VAE, THE_FILTER, *UPSCALER_NAMES)  # what fields that may name a model hold else
UNIT = "Unit"
REGIONS_LIST = "regions"  # the field whose entries are told one by one, though they name no models
NONE, ANY = "none", "any"
WORDS_SHOWN = 80  # characters of the words of a picture that it branches from
HASH_SHOWN = 12  # digits of an input picture's id


class Names(Protocol):
    """What models are called: `pipelines.resolving.model_names.ModelNames`."""

    def one(self, field: str, model_id: str) -> NamedModel: ...
    def use(self, field: str, model_id: str, name: str) -> NamedModel: ...


@dataclass(frozen=True)
class Value:
    """One thing that made a picture."""

    title: str
    text: str
    raw: object = None  # as JSON has it
    fields: tuple[str, ...] = ()  # of the request that it stands for; none for a fact of the record
    default: bool = False
    info: str = ""
    digest: str = ""  # of the file that it names
    note: str = ""  # where that is not here as it was
    pictures: tuple[str, ...] = ()  # ids of inputs
    parts: tuple[Value, ...] = ()
    compared: bool = True  # with that of another picture
    key: str = ""  # what it is known by among others of its title; "" where its title says it


Groups = Mapping[Group, Sequence[Value]]


def details(request: Request, made_with: Mapping[str, str], names: Names, facts: Mapping[Group, Sequence[Value]]) -> Groups:
    """All groups that have something to tell, in order. `facts`: what stands in neither of the first two, at the end of its group."""
    told: dict[Group, list[Value]] = {group: [] for group in GROUPS}
    for group, value in _values(request, names):
        told[group].append(value)
    for key, text in made_with.items():
        if key not in (*KEYS, SETTINGS_FROM):  # what is not there stands beside the model that it belongs to
            told[PICTURE if key in OF_PICTURE else COMPUTED].append(_fact(key, text))
    for group, more in facts.items():
        told[group] += more
    return {group: values for group, values in told.items() if values}


def size(width: int, height: int) -> str:
    return f"{width} × {height}"


def _values(request: Request, names: Names) -> Iterator[tuple[Group, Value]]:
    raw = describe(request)
    idle = set(OPTIONS) - acting_in(request) if isinstance(request, Drawing) else set[str]()
    for item in fields(request):
        value, group = getattr(request, item.name), item.metadata["group"] or COMPUTED
        if (_is_found(item) or item.name in COUNTS) and value == item.default:
            continue
        if group == SECOND and item.name != SWITCH and not getattr(request, SWITCH, True):
            continue  # how a second pass would be drawn that nobody asked for
        if group == REGIONS and item.name != REGIONS_LIST and not getattr(request, REGIONS_LIST):
            continue  # how regions stand to the prompt where there are none
        if item.name in idle:
            continue  # what its sampler and its schedule do not read
        if group == ENLARGED and not enlarger_of(request):
            continue  # nor an upscaler in whose place a second pass comes
        if item.name == SIDES[0] and value:
            yield group, _size(request)
        elif item.name not in SIDES or not raw[SIDES[0]]:
            yield group, _value(item, value, raw[item.name], names)


def _is_found(item: Field[object]) -> bool:
    """Found by the studio, and no size, which every picture has."""
    return bool(item.metadata["derived"]) and item.name not in SIDES


def _size(request: Request) -> Value:
    """Width and height, which nobody thinks of as two things."""
    sides = [getattr(request, side) for side in SIDES]
    own = [item for item in fields(request) if item.name in SIDES]
    is_default = all(getattr(request, item.name) == item.default for item in own)
    return Value("Size", size(*sides), sides, () if own[0].metadata["derived"] else SIDES, is_default)


def _value(item: Field[object], value: object, raw: object, names: Names) -> Value:
    limit, name = item.metadata["limit"], item.name
    common = Value(item.metadata["title"], "", raw, (name,), value == item.default, item.metadata["info"])
    if isinstance(limit, Several):
        return _with_entries(common, cast("tuple[DataclassInstance, ...]", value), names)
    if name in ONE and value and value not in NO_FILES:
        named = names.one(name, str(value))
        return replace(common, text=named.name, default=False, digest=named.digest, note=named.note)
    if isinstance(limit, Stored) and value:
        return replace(common, text=str(value)[:HASH_SHOWN], pictures=(str(value),))
    exact = isinstance(limit, Range) and limit.high > EXACT
    return replace(common, text=_text(limit, value), raw=str(value) if exact else raw)


def _text(limit: Limit, value: object) -> str:
    if isinstance(limit, Whole):
        return f"“{value.words[:WORDS_SHOWN]}”" if isinstance(value, Request) else NONE
    if isinstance(limit, Flag):
        return "yes" if value else "no"
    if isinstance(limit, Range) and is_number(value):
        return ANY if value == limit.low == -1 else number(value)
    return "the checkpoint’s own" if value == OWN_VAE and isinstance(limit, Choice) else str(value) or NONE


def number(value: float) -> str:
    """As short as it can be without saying another number."""
    return repr(value).removesuffix(".0")


# ---- lists: LoRAs, control units and the like ----------------------------------------------------------------------------------


def _with_entries(common: Value, entries: Sequence[DataclassInstance], names: Names) -> Value:
    """A list with models in it has a part for each entry; of others it is said how often each occurs."""
    name, pictures = common.fields[0], tuple(entry.id for entry in entries if isinstance(entry, PictureUse))
    if name in SEVERAL:
        parts = tuple(_entry(name, entry, place, names) for place, entry in enumerate(entries, 1))
        return replace(common, text="; ".join(part.text for part in parts) or NONE, parts=parts)
    if name == REGIONS_LIST:
        parts = tuple(_region(entry, place) for place, entry in enumerate(entries, 1))
        return replace(common, text="; ".join(part.text for part in parts) or NONE, parts=parts)
    if pictures:
        return replace(common, text=f"{len(pictures)} pictures", pictures=pictures)
    counted = Counter(_summary(_parts(entry)) or "as usual" for entry in entries)
    return replace(common, text="; ".join(f"{text} × {count}" if count > 1 else text for text, count in counted.items()) or NONE)


def _region(entry: DataclassInstance, place: int) -> Value:
    """Its words, and what else is not as usual."""
    own = tuple(_parts(entry))
    return Value(f"Region {place}", _summary(own) or NONE, str(getattr(entry, "prompt", "")) or NONE, parts=own)


def _entry(name: str, entry: DataclassInstance, place: int, names: Names) -> Value:
    model_id, called = str(getattr(entry, "id", "")), str(getattr(entry, "name", "") or getattr(entry, "word", ""))
    named, parts = names.use(name, model_id, called) if model_id or called else NamedModel(""), tuple(_parts(entry))
    kind = next(item.metadata["title"] for item in fields(entry) if item.name == "id")
    title, key = (f"{UNIT} {place}", "") if name == "controls" else (kind, f"{kind} {named.name}")
    return Value(title, _entry_text(named.name, parts), named.name, digest=named.digest, note=named.note, parts=parts, key=key)


def _entry_text(name: str, parts: Sequence[Value]) -> str:
    """Its name and how strongly it acts, and what else is not as usual."""
    strength = next((part.text for part in parts if part.title in ("Strength", "Weight")), "")
    others = _summary(part for part in parts if part.title not in ("Strength", "Weight"))
    return ", ".join(filter(None, (f"{name} {strength}".strip(), others)))


def _parts(entry: DataclassInstance) -> Iterator[Value]:
    for item in fields(entry):
        if item.name not in ("id", "name", "word", "made_with"):
            value, limit = getattr(entry, item.name), item.metadata["limit"]
            is_picture = isinstance(limit, Stored) and bool(value)
            text = str(value)[:HASH_SHOWN] if is_picture else _text(limit, value)
            pictures = (str(value),) if is_picture else ()
            yield Value(item.metadata["title"], text, value, (), value == item.default, item.metadata["info"], pictures=pictures)


def _summary(parts: Sequence[Value] | Iterator[Value]) -> str:
    return ", ".join(f"{part.title.lower()} {part.text}" for part in parts if not part.default)


# ---- facts of the record -------------------------------------------------------------------------------------------------------


def _fact(key: str, text: str) -> Value:
    listed = hashes(text) if key.endswith("hashes") else []
    parts = tuple(Value(name, digest, digest) for name, digest in listed)
    return Value(key, text, text, parts=parts, compared=key not in OWN_ALONE)


def fact(title: str, text: str, compared: bool = False) -> Value:
    """One that neither the request nor the record has."""
    return Value(title, text, text, compared=compared)


def picture_facts(
    made: str, drawn: tuple[int, int] | None, picture: tuple[int, int], place: str, kind: str, enlarger: str = ""
) -> dict[Group, list[Value]]:
    """What the book knows. `drawn`, `picture`: sizes; `place`: which of the job's pictures it is, or ""; `enlarger`: what enlarged it."""
    enlarged = f"{size(*drawn)}, enlarged to {size(*picture)} by {enlarger}" if drawn and enlarger else size(*picture)
    sizes = [fact("Size of the picture", enlarged, True)] if drawn != picture else []
    places = [fact("Place in the job", place)] if place else []
    return {PICTURE: [*sizes, *places], COMPUTED: [fact("Drawn by", kind, True), fact("When", made)]}
