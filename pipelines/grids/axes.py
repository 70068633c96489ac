"""Axes: what of a drawing a grid may vary. They are the fields of its request, read as these declare them, and its words.

steps              a field; loras.unet: a field of all entries of a list, loras.2.unet: of its second one
loras              which file stands in a list; it is added to those that are there
prompt~replace     the words: searched and replaced in all texts, `~order`: put into every order, `~without`: each part left out in turn
preset             what presets make of the form
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol, cast

from models.errors import UserError
from models.json_values import is_list, is_table, table, text
from pipelines.grids import values, words
from pipelines.grids.typed import WAYS, allowed, items, quoted
from pipelines.requests.fields import Choice, Flag, Limit, Range, Several, Text, admit_field
from pipelines.requests.groups import CONTROL, WORDS, Group
from pipelines.requests.request import Drawing, Drawn
from pipelines.resolving.model_names import ONE, SEVERAL

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Sort = Literal["number", "choice", "model", "flag", "text", "words"]
COUNTS = ("batch_count", "batch_size", "all_combinations")  # how many pictures: a cell is one
PRESET = "preset"
REPLACE, ORDER, WITHOUT = "prompt~replace", "prompt~order", "prompt~without"
LONGEST_TITLE = 200  # letters


class Names(Protocol):
    """What a person's axes may name here."""

    def offered(self, field: str, base: Drawing) -> Sequence[tuple[str, str]]:
        """(name, id) of all models that a field may hold, or that may stand in a list."""
        ...

    def presets(self) -> Sequence[str]: ...

    def preset(self, name: str, base: Drawing) -> Mapping[str, object]:
        """Values that it sets, as JSON. Raises `UserError`."""
        ...


@dataclass(frozen=True)
class Offer:
    """One thing that an axis may vary. `read`: of what is typed; raises `UserError`. `put`: into a request. `touches`: fields that it sets.
    `rank`: which of several axes is put in first.
    """

    name: str
    title: str
    group: str
    sort: Sort
    hint: str
    fill: str
    read: Callable[[str], list[values.Read]]
    put: Callable[[Drawing, object], Drawing]
    touches: Callable[[object], frozenset[str]]
    rank: int = 3


def offers(base: Drawing, names: Names) -> dict[str, Offer]:
    """By their names, in the order in which a request declares its fields."""
    found = [*_words(base), *_fields(base, names), *_entries(base, names)]
    if presets := names.presets():
        found.insert(len(found) and 3, _preset(base, names, presets))
    return {each.name: each for each in found}


# ---- fields --------------------------------------------------------------------------------------------------------------------------


def _fields(base: Drawing, names: Names) -> Iterator[Offer]:
    for item in fields(base):
        limit = item.metadata["limit"]
        if item.metadata["derived"] or item.name in COUNTS or not isinstance(limit, Range | Choice | Flag | Text):
            continue
        group = cast(Group, item.metadata["group"]).title
        put, offered = partial(_set, item), names.offered(item.name, base) if item.name in ONE else ()
        yield _of_field(item, item.metadata["title"], group, getattr(base, item.name), put, frozenset({item.name}), offered)


def _of_field(
    item: Field[object], title: str, group: str, value: object, put: Callable[[Drawing, object], Drawing], touches: frozenset[str],
    offered: Sequence[tuple[str, str]] = (), name: str = "",
) -> Offer:  # fmt: skip
    limit: Limit = item.metadata["limit"]
    about = name or item.name, title, group
    rest = put, always(touches)
    rank = 1 if item.name == "checkpoint" else 4 if name else 3
    if isinstance(limit, Range):
        kind = int if item.type == "int" else float
        hint = f"{allowed(limit)}. {WAYS}"
        return Offer(*about, "number", hint, values.around(value, limit, kind), partial(values.numbers, title, limit, kind), *rest, rank)
    if isinstance(limit, Flag):
        return Offer(*about, "flag", "yes, no", "no, yes", partial(values.flags, title), *rest, rank)
    if isinstance(limit, Choice) and item.name in ONE:
        return Offer(*about, "model", "Names of files", values.listed(dict(offered)), partial(values.models, title, offered), *rest, rank)
    if isinstance(limit, Choice) and limit.names:
        return Offer(
            *about,
            "choice",
            values.listed(limit.names),
            values.listed(filter(None, limit.names)),
            partial(values.choices, item, title),
            *rest,
            rank,
        )
    hint = "Each value whole; put it in quotes if it has commas"
    return Offer(*about, "text", hint, quoted(str(value)) if value else "", partial(values.texts, item), *rest, rank)


def _set(item: Field[object], request: Drawing, value: object) -> Drawing:
    return replace(request, **{item.name: admit_field(item, value)})


# ---- entries of lists ------------------------------------------------------------------------------------------------------------


def _entries(base: Drawing, names: Names) -> Iterator[Offer]:
    """What stands in a list, and the fields of its entries. Lists of what no hand has written are none."""
    for item in fields(base):
        limit = item.metadata["limit"]
        if item.metadata["derived"] or not isinstance(limit, Several):
            continue
        held = cast("tuple[DataclassInstance, ...]", getattr(base, item.name))
        if item.name in SEVERAL and item.metadata["group"] is not CONTROL:
            yield _which(item, base, names)
        for part in fields(limit.entry):
            if not part.metadata["derived"] and isinstance(part.metadata["limit"], Range | Flag) and (held or item.name in SEVERAL):
                yield from _parts(item, part, held)


def _which(item: Field[object], base: Drawing, names: Names) -> Offer:
    offered = [("None", ""), *names.offered(item.name, base)]
    title, group = item.metadata["title"], cast(Group, item.metadata["group"]).title

    def put(request: Drawing, value: object) -> Drawing:
        held = getattr(request, item.name)
        others = [each for each in held if each.id != value]
        added = [item.metadata["limit"].entry(id=value)] if value else []
        return replace(request, **{item.name: admit_field(item, [*others, *added])})

    fill = values.listed(name for name, _ in offered)
    hint = "Names of files; each is used beside those that are chosen already"
    return Offer(
        item.name, title, group, "model", hint, fill, partial(values.models, title, offered), put, lambda value: frozenset({item.name}), 2
    )


def _parts(item: Field[object], part: Field[object], held: Sequence[DataclassInstance]) -> Iterator[Offer]:
    places = [0, *range(1, len(held) + 1)] if len(held) > 1 or item.name in SEVERAL else range(1, len(held) + 1)
    for place in places:
        name = f"{item.name}.{place}.{part.name}" if place else f"{item.name}.{part.name}"
        which = f"{item.metadata['title']}, {place}" if place else item.metadata["title"]
        value = getattr(held[place - 1], part.name) if place else part.default
        put = partial(_set_part, item, part, place)
        group = cast(Group, item.metadata["group"]).title
        yield _of_field(part, f"{which}: {part.metadata['title']}", group, value, put, frozenset({name}), name=name)


def _set_part(item: Field[object], part: Field[object], place: int, request: Drawing, value: object) -> Drawing:
    """Of one entry, or of all of them."""
    held = cast("tuple[DataclassInstance, ...]", getattr(request, item.name))
    changed = [
        replace(each, **{part.name: admit_field(part, value)}) if place in (0, number) else each for number, each in enumerate(held, 1)
    ]
    return replace(request, **{item.name: tuple(changed)})


# ---- words and presets -----------------------------------------------------------------------------------------------------------


def _words(base: Drawing) -> Iterator[Offer]:
    found, nothing = words.parts(base.prompt), always(frozenset())
    kind: tuple[str, Sort] = (WORDS.title, "words")
    search = "The first value is searched for in the prompts; each takes its place in turn"
    first = f"{quoted(found[0])}, " if found else ""
    yield Offer(REPLACE, "Search and replace", *kind, search, first, partial(_replaces, base), _replace, nothing, 5)
    every, three = "Words of the prompt, which are put into every order", values.listed(found[:3])
    yield Offer(ORDER, "Order of words", *kind, every, three, partial(_orders, base), _order, nothing, 7)
    each, all_of = "Parts of the prompt, each left out in turn", values.listed(found)
    yield Offer(WITHOUT, "Words with and without", *kind, each, all_of, partial(_withouts, base), _without, nothing, 6)


def _replaces(base: Drawing, typed: str) -> list[values.Read]:
    found = items(typed)
    if found:
        words.check_found(base, found[0])
    return [({"find": found[0], "by": each}, each or "nothing") for each in found]


def _replace(request: Drawn, value: object) -> Drawn:
    told = table(value)
    return words.replaced(request, text(told, "find"), text(told, "by"))


def _orders(base: Drawing, typed: str) -> list[values.Read]:
    return [(list(each), ", ".join(each)) for each in words.orders(base.prompt, items(typed))]


def _order(request: Drawn, value: object) -> Drawn:
    listed = [each for each in value if isinstance(each, str)] if is_list(value) else []
    return replace(request, prompt=words.reordered(request.prompt, listed))


def _withouts(base: Drawing, typed: str) -> list[values.Read]:
    found = items(typed)
    known = words.parts(base.prompt)
    for each in found:
        if each not in known:
            raise UserError(f"“{each[:60]}” is no part of the prompt. Its parts are: {values.listed(known)[:400]}.")
    return [("", words.WHOLE), *((each, f"without {each}") for each in found)] if found else []


def _without(request: Drawn, value: object) -> Drawn:
    return replace(request, prompt=words.without(request.prompt, value)) if isinstance(value, str) and value else request


def _preset(base: Drawing, names: Names, known: Sequence[str]) -> Offer:
    def read(typed: str) -> list[values.Read]:
        found = [values.model("Preset", [(each, each) for each in ("None", *known)], each)[0] for each in items(typed)]
        return [({} if each == "None" else dict(names.preset(each, base)), each) for each in found]

    def put(request: Drawing, value: object) -> Drawing:
        own = {item.name: item for item in fields(request)}
        return replace(request, **{name: admit_field(own[name], part) for name, part in table(value).items() if name in own})

    hint = "Names of presets; None is the form as it is"
    return Offer(
        PRESET, "Preset", "Presets", "words", hint, values.listed(("None", *known)), read, put,
        lambda value: frozenset(value) if is_table(value) else frozenset(), 0,
    )  # fmt: skip


def always(names: frozenset[str]) -> Callable[[object], frozenset[str]]:
    """Whatever the value is, it sets these."""
    return lambda value: names
