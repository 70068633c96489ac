"""Conditions: a query as SQL over the shelf. Every value goes in as a parameter, and every word into the index as a quoted phrase."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.gallery.person import OWN, Person
from pipelines.gallery.query import TEXTS, Query, Term
from pipelines.job_book.facts import spaced

OF_ALL = "prompt loras sampler"  # the columns of what is no one person's
COLUMNS = {"": f"{OF_ALL} note", **{name: name for name in TEXTS}}  # that a word of a field is looked for in; of none: a plain word
OF_OTHERS = {**COLUMNS, "": OF_ALL}  # the same in pictures of others
WITH = "shelf.number in (select rowid from words where words match ?)"
WITHOUT = "shelf.number not in (select rowid from words where words match ?)"
PRIVATE = ("rating", "is", "note")  # fields of what a person thinks of a picture
PLAIN = (*PRIVATE, "board", "size", "width", "height", "date", "job", "in")  # and of what tells nothing of how it was made
MOST_NAMES = 200  # boards or models that one word is looked up among
FLAGS = {"favourite": "favourite", "control": "control", "lora": "shelf.loras <> ''", "note": "shelf.note <> ''"}
UNKNOWN_LIKE = "The picture that “like:” names is not among yours."
Name = tuple[int, str]


@dataclass
class Conditions:
    """`match`: for the full-text index, "" where it is not asked. `where` holds for rows of the shelf."""

    where: list[str] = field(default_factory=list[str])
    values: list[object] = field(default_factory=list[object])
    match: str = ""
    notes: list[str] = field(default_factory=list[str])

    def add(self, condition: str, *values: object, negated: bool = False) -> None:
        self.where.append(f"not ({condition})" if negated else condition)
        self.values += values


def conditions(db: sqlite3.Connection, query: Query, person: Person) -> Conditions:
    """What holds for the pictures that are looked for; `db` is asked for names."""
    found = Conditions()
    found.add(person.sees, *person.seen)
    if any(_is_private(term) for term in query.terms):  # what others think of theirs is not found by asking for it
        found.add(OWN, *person.users)
    if any(_tells(term) for term in query.terms):
        found.add(person.reads, *person.read)
    found.add("deleted >= 0" if query.bin else "deleted is null")
    names = Names(db, person)
    _words(found, [term for term in query.terms if term.field in COLUMNS], names, person)
    for term in query.terms:
        if term.field not in COLUMNS and term.field != "in":
            _filter(found, term, names)
    return found


class Names:
    """Names of models and of the boards that this person sees, read when they are needed."""

    def __init__(self, db: sqlite3.Connection, person: Person) -> None:
        self._db, self._person = db, person

    def models(self) -> list[Name]:
        return self._db.execute("select number, case name when '' then id else name end from model").fetchall()

    def boards(self) -> list[Name]:
        query = f"select number, name from board where {self._person.sees_board} and deleted is null"
        return self._db.execute(query, self._person.seen_boards).fetchall()

    def settings_of(self, picture: str) -> bytes:
        """The digest of a picture's settings; b"" when this person may not know them."""
        query = f"select settings from shelf join picture using (number) where id = ? and {self._person.reads}"
        row = self._db.execute(query, (picture, *self._person.read)).fetchone()
        return row[0] if row else b""

    def marks(self, term: Term) -> list[str]:
        """Of models and boards in whose names the words of a term stand."""
        wanted = words_of(term.said)
        models = [f"m{number}" for number, name in self.models() if _holds(words_of(name), wanted, term.prefix)]
        boards = [f"b{number}" for number, name in self.boards() if _holds(words_of(name), wanted, term.prefix)]
        return [*models[:MOST_NAMES], *boards[:MOST_NAMES]]


def _is_private(term: Term) -> bool:
    return term.field in PRIVATE or (term.field == "with" and term.value == "note")


def _tells(term: Term) -> bool:
    """Whether finding a picture by it tells how that was made."""
    return term.field not in PLAIN and not _is_private(term)


def words_of(text: str) -> list[str]:
    """Words as the index takes a text apart (https://www.sqlite.org/fts5.html, 4.3.1)."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", spaced(text)) if not unicodedata.combining(letter))
    return re.findall(r"[^\W_]+", plain.casefold())


def _holds(words: list[str], wanted: list[str], prefix: bool) -> bool:
    """Whether the wanted words stand in the others, next to each other; `prefix`: of the last one the beginning is enough."""
    if not wanted:
        return False
    places = range(len(words) - len(wanted) + 1)
    return any(_same(words[place : place + len(wanted)], wanted, prefix) for place in places)


def _same(words: list[str], wanted: list[str], prefix: bool) -> bool:
    last = words[-1].startswith(wanted[-1]) if prefix else words[-1] == wanted[-1]
    return last and words[:-1] == wanted[:-1]


def _words(found: Conditions, terms: Sequence[Term], names: Names, person: Person) -> None:
    """A plain word is looked for in notes as well, but not in those that others have written."""
    wanted, unwanted = _sides(terms, names, COLUMNS)
    if all(term.field for term in terms):
        _match(found, wanted, unwanted)
        return
    found.match = wanted
    if unwanted:
        found.add(f"(not {OWN} or {WITHOUT})", *person.users, unwanted)
    wanted, unwanted = _sides(terms, names, OF_OTHERS)
    held = [(condition, match) for condition, match in ((WITH, wanted), (WITHOUT, unwanted)) if match]
    found.add(f"({OWN} or {' and '.join(condition for condition, _ in held)})", *person.users, *(match for _, match in held))


def _match(found: Conditions, wanted: str, unwanted: str) -> None:
    if wanted:
        found.match = f"({wanted}) NOT ({unwanted})" if unwanted else wanted
    elif unwanted:
        found.add(WITHOUT, unwanted)


def _sides(terms: Iterable[Term], names: Names, columns: Mapping[str, str]) -> tuple[str, str]:
    """What the index must have of a picture, and what it must not, as expressions of it; "" for nothing."""
    wanted = [_expression(term, names, columns) for term in terms if not term.negated]
    unwanted = [_expression(term, names, columns) for term in terms if term.negated]
    return " AND ".join(wanted), " OR ".join(unwanted)


def _expression(term: Term, names: Names, of_field: Mapping[str, str]) -> str:
    phrase = spaced(term.said).replace('"', '""')
    columns = of_field[term.field]
    expression = f'{{{columns}}} : "{phrase}"{" *" if term.prefix else ""}'
    marks = [] if term.field else names.marks(term)
    return f"({expression} OR marks : ({' OR '.join(marks)}))" if marks else f"({expression})"


def _filter(found: Conditions, term: Term, names: Names) -> None:
    negated = term.negated
    match term.field, term.value:
        case "model", _:
            found.add(f"model in ({_listed(_called(names.models(), term))})", negated=negated)
        case "board", _:
            on = f"select picture from on_board where board in ({_listed(_called(names.boards(), term))})"
            found.add(f"shelf.number in ({on})", negated=negated)
        case "lora", str(said):
            _lora(found, said.casefold(), term)
        case "sampler", str(said):
            held = "lower(shelf.sampler) = ?" if term.exact else "instr(lower(shelf.sampler), ?) > 0"
            found.add(held, said.lower(), negated=negated)
        case "like", str(picture):
            _like(found, names.settings_of(picture), negated)
        case (("is" | "with"), str(flag)):
            found.add(FLAGS[flag], negated=negated)
        case ("kind" | "job") as column, said:
            found.add(f"{column} = ?", said, negated=negated)
        case _:
            _numbers(found, term)


def _numbers(found: Conditions, term: Term) -> None:
    match term.field, term.value:
        case "size", ((int(width), _), (int(height), _)):
            found.add("width = ? and height = ?", width, height, negated=term.negated)
        case "date", (begin, end):
            found.add("created >= ? and created < ?", begin or 0.0, end or 1e15, negated=term.negated)
        case ("width" | "height" | "rating" | "seed") as column, (low, high):
            found.add(f"{column} between ? and ?", max(_whole(low, 0), 0), _whole(high, 2**63 - 1), negated=term.negated)
        case _:
            raise AssertionError(term)


def _lora(found: Conditions, said: str, term: Term) -> None:
    held = "instr(char(10) || shelf.loras || char(10), char(10) || ? || char(10)) > 0" if term.exact else "instr(shelf.loras, ?) > 0"
    found.add(held, said, negated=term.negated)


def _like(found: Conditions, settings: bytes, negated: bool) -> None:
    if settings:
        found.add("settings = ?", settings, negated=negated)
    else:
        # Nothing is like a picture that is not there.
        found.add("0", negated=negated)
        found.notes.append(UNKNOWN_LIKE)


def _called(names: list[Name], term: Term) -> list[int]:
    said = term.said.casefold()
    return [number for number, name in names if (name.casefold() == said if term.exact else said in name.casefold())]


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def _whole(bound: object, otherwise: int) -> int:
    """Within what SQLite holds."""
    return min(bound, 2**63 - 1) if isinstance(bound, int) else otherwise
