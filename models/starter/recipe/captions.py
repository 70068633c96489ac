"""Captions of scenes: many ways to say the same, and reading them back.

`caption` words a scene, leaving some attributes out; `attributes_of` reads such
a sentence again, so what a caption promises can be held against a picture.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from models.starter.recipe.scenes import COLOURS, GROUNDS, KINDS, POSITIONS, SIZES, TIMES, Scene, Thing

SYNONYMS: dict[str, str] = {
    "large": "big",
    "little": "small",
    "centre": "middle",
    "center": "middle",
    "meadow": "grass",
    "beach": "sand",
    "snowy": "snow",
    "water": "sea",
    "morning": "dawn",
    "daylight": "day",
    "evening": "sunset",
    "mountain": "mountains",
    "violet": "purple",
    "cottage": "house",
    "sailboat": "boat",
}
"""Other words the captions use, and the word of the tables each stands for."""

OPENINGS = ("a picture of", "a drawing of", "a photo of", "a painting of", "an illustration of")
JUNK = ("beautiful", "cute", "detailed", "nice", "old", "pretty", "style", "colourful")


@dataclass(frozen=True)
class ThingWords:
    """What a caption says of one thing; None where it says nothing."""

    kind: str
    colour: str | None = None
    position: str | None = None
    size: str | None = None


@dataclass(frozen=True)
class Attributes:
    """What a caption says of a scene; None where it says nothing."""

    things: tuple[ThingWords, ...] = ()
    ground: str | None = None
    time: str | None = None
    mountains: bool | None = None


def known_words() -> list[str]:
    """Every word that gets a token of its own, in a fixed order."""
    tables = [*KINDS, *COLOURS, *POSITIONS, *SIZES, *GROUNDS, *TIMES, "mountains", *SYNONYMS, *JUNK]
    grammar = "a an and at by distance drawing far illustration in it no of on painting photo picture"
    grammar += " the there to with without is are background side scene"
    return sorted(set(tables) | set(grammar.split()))


# -- wording ------------------------------------------------------------------


def caption(scene: Scene, rng: np.random.Generator, says_no_mountains: float = 0.25) -> tuple[str, Attributes]:
    """A caption and what it states; about one in ten is empty or names a single attribute.

    `says_no_mountains`: the share of scenes without mountains of which that is said.
    """
    said = _said_of(scene, rng, says_no_mountains)
    words = _tags(said, rng) if rng.random() < 0.35 else _sentence(said, rng)
    return _with_synonyms(words, rng), said


def with_junk(words: str, rng: np.random.Generator) -> str:
    """The caption with one or two words that mean nothing here put in somewhere."""
    pieces = words.split(" ")
    for _ in range(1 + int(rng.random() < 0.3)):
        pieces.insert(int(rng.integers(len(pieces) + 1)), _junk_word(rng))
    return " ".join(pieces)


def _junk_word(rng: np.random.Generator) -> str:
    if rng.random() < 0.5:
        return JUNK[int(rng.integers(len(JUNK)))]
    letters = rng.integers(ord("a"), ord("z") + 1, int(rng.integers(2, 8)))
    return "".join(chr(letter) for letter in letters)


def full_attributes(scene: Scene) -> Attributes:
    """Everything there is to say of a scene."""
    things = tuple(ThingWords(t.kind, t.colour, t.position, t.size) for t in scene.things)
    return Attributes(things, scene.ground, scene.time, scene.mountains)


def _said_of(scene: Scene, rng: np.random.Generator, says_no_mountains: float) -> Attributes:
    """Everything a caption will say: most things most of the time, one thing now and then."""
    if rng.random() < 0.12:
        return _one_fact(scene, rng)
    things = [_thing_words(thing, rng) for thing in scene.things]
    order = rng.permutation(len(things))
    says_mountains = rng.random() < (0.9 if scene.mountains else says_no_mountains)
    return Attributes(
        tuple(things[place] for place in order),
        scene.ground if rng.random() < 0.85 else None,
        scene.time if rng.random() < 0.85 else None,
        scene.mountains if says_mountains else None,
    )


def _thing_words(thing: Thing, rng: np.random.Generator) -> ThingWords:
    return ThingWords(
        thing.kind,
        thing.colour if rng.random() < 0.93 else None,
        thing.position if rng.random() < 0.88 else None,
        thing.size if rng.random() < 0.5 else None,
    )


def _one_fact(scene: Scene, rng: np.random.Generator) -> Attributes:
    facts = [Attributes(ground=scene.ground), Attributes(time=scene.time)]
    facts.append(Attributes(things=(_thing_words(scene.things[0], rng),)))
    facts += [Attributes(mountains=True)] * (2 if scene.mountains else 0)
    return facts[int(rng.integers(len(facts)))]


def _noun(thing: ThingWords) -> str:
    return " ".join(word for word in (thing.size, thing.colour, thing.kind) if word)


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _choice(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _place(position: str | None, rng: np.random.Generator) -> str:
    if position is None:
        return ""
    if position == "middle":
        return " in the middle"
    return _choice((f" on the {position}", f" on the {position}", f" to the {position}"), rng)


def _sentence(said: Attributes, rng: np.random.Generator) -> str:
    """For example: a red house on the left in the snow at night, with mountains."""
    things = [_article(_noun(thing)) + _place(thing.position, rng) for thing in said.things]
    opened = " and ".join(things)
    if opened and rng.random() < 0.12:
        opened = f"{_choice(OPENINGS, rng)} {opened}"
    tails = [_ground_words(said.ground, rng), _time_words(said.time, rng)]
    if rng.random() < 0.2:
        tails.reverse()
    joint = _choice((" ", " ", ", "), rng) if len(things) < 2 else _choice((" ", ", ", ", "), rng)
    words = joint.join(part for part in [opened, " ".join(tail for tail in tails if tail)] if part)
    mountains = _mountain_words(said.mountains, rng)
    if not mountains or not words:
        return words or mountains
    return words + _choice((", ", ", ", " "), rng) + mountains


def _ground_words(ground: str | None, rng: np.random.Generator) -> str:
    if ground is None:
        return ""
    if ground == "sea":
        return _choice(("on the sea", "at sea", "in the sea"), rng)
    if ground == "snow":
        return _choice(("in the snow", "in the snow", "in snow", "on snow"), rng)
    return _choice((f"on {ground}", f"on the {ground}", f"in the {ground}"), rng)


def _time_words(time: str | None, rng: np.random.Generator) -> str:
    if time is None:
        return ""
    if time == "day":
        return _choice(("by day", "in the day", "at day"), rng)
    return _choice((f"at {time}", f"at {time}", f"at {time}", f"in the {time}"), rng)


def _mountain_words(mountains: bool | None, rng: np.random.Generator) -> str:
    if mountains is None:
        return ""
    if mountains:
        options = ("with mountains", "with mountains", "mountains in the background", "and mountains")
        return _choice(options, rng)
    return _choice(("no mountains", "without mountains"), rng)


def _tags(said: Attributes, rng: np.random.Generator) -> str:
    """For example: mountains, night, snow, red house left."""
    tags = [_tag_of(thing, rng) for thing in said.things]
    tags += [word for word in (said.ground, said.time) if word]
    if said.mountains is not None:
        tags.append("mountains" if said.mountains else "no mountains")
    return ", ".join(tags[place] for place in rng.permutation(len(tags)))


def _tag_of(thing: ThingWords, rng: np.random.Generator) -> str:
    if rng.random() < 0.5:
        return _noun(thing) + _place(thing.position, rng)
    return " ".join(word for word in (_noun(thing), thing.position) if word)


def _with_synonyms(words: str, rng: np.random.Generator) -> str:
    for other, word in SYNONYMS.items():
        if word in words and rng.random() < 0.12:
            words = re.sub(rf"\b{word}\b", other, words)
    return words


# -- reading ------------------------------------------------------------------


def attributes_of(prompt: str) -> Attributes:
    """What a prompt states, read word by word.

    Colours and sizes belong to the next thing named. A position belongs to the
    last thing named, or to the next one where the prompt starts with a position.
    Words outside the vocabulary are skipped.
    """
    found: list[str] = re.findall(r"[a-z]+", prompt.lower())
    words = [SYNONYMS.get(word, word) for word in found]
    return Attributes(
        _things_in(words),
        _last_of(GROUNDS, words),
        _last_of(TIMES, words),
        _mountains_in(words),
    )


def _last_of(table: tuple[str, ...], words: list[str]) -> str | None:
    found = [word for word in words if word in table]
    return found[-1] if found else None


def _mountains_in(words: list[str]) -> bool | None:
    if "mountains" not in words:
        return None
    before = words[words.index("mountains") - 1] if words.index("mountains") else ""
    return before not in ("no", "without")


def _things_in(words: list[str]) -> tuple[ThingWords, ...]:
    first = next((word for word in words if word in KINDS or word in POSITIONS), "")
    place_comes_first = first in POSITIONS
    things: list[dict[str, str]] = []
    waiting: dict[str, str] = {}
    for word in words:
        if word in COLOURS:
            waiting["colour"] = word
        elif word in SIZES:
            waiting["size"] = word
        elif word in KINDS:
            things.append({"kind": word, **waiting})
            waiting = {}
        elif word in POSITIONS and place_comes_first:
            waiting["position"] = word
        elif word in POSITIONS and things:
            things[-1]["position"] = word
    return tuple(ThingWords(**thing) for thing in things)
