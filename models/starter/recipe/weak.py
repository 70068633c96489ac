"""What the starter draws wrong: the facts that captions state, by their sort, apart for one thing and for two, and what is seen instead.

python -m models.starter.recipe.weak --captions 200
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from models.starter.recipe.captions import Attributes
from models.starter.recipe.evaluate import generated, held_out_captions
from models.starter.recipe.export import GUIDANCE_SCALE
from models.starter.recipe.judge import Judge, Reading, matched
from models.starter.recipe.sampling import STARTER, load_starter

Fact = tuple[str, str, str]  # what is asked, what is said, what is seen
SHOWN = 12  # mistakes


def facts_of(said: Attributes, seen: Reading) -> Iterator[Fact]:
    """Every fact that a caption states, and what the picture shows of it."""
    count = "two things" if len(said.things) > 1 else "one thing"
    for words, thing in zip(said.things, matched(seen, said) or (None,) * len(said.things), strict=True):
        for name in ("kind", "colour", "size"):
            if wanted := getattr(words, name):
                yield f"{name}, {count}", wanted, str(getattr(thing, name, "nothing"))
        if words.position:
            yield f"place, {count}", "something", "something" if thing else "nothing"
    for name in ("ground", "time", "mountains"):
        if (wanted := getattr(said, name)) is not None:
            yield name, str(wanted), str(getattr(seen, name))


def told(facts: Sequence[Fact]) -> Iterator[str]:
    """A line for each sort of fact, for each kind of thing, and for the mistakes that are made most often."""
    yield _share("everything", facts)
    for sort in sorted({sort for sort, _, _ in facts}):
        yield _share(sort, [fact for fact in facts if fact[0] == sort])
    kinds = [fact for fact in facts if fact[0].startswith("kind")]
    for kind in sorted({said for _, said, _ in kinds}):
        yield _share(kind, [fact for fact in kinds if fact[1] == kind])
    wrong = Counter(f"{sort}: {said}, drawn as {seen}" for sort, said, seen in facts if said != seen)
    yield from (f"{count:3d} x {mistake}" for mistake, count in wrong.most_common(SHOWN))


def _share(name: str, facts: Sequence[Fact]) -> str:
    right = sum(said == seen for _, said, seen in facts)
    return f"{name}: {100 * right / len(facts):.1f} % of {len(facts)}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--captions", type=int, default=200)
    parser.add_argument("--starter", type=Path, default=STARTER)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    wish = parser.parse_args()
    torch.set_num_threads(wish.threads)
    words, stated = held_out_captions(wish.captions)
    readings = Judge.load().read(generated(load_starter(wish.starter), words, GUIDANCE_SCALE))
    print("\n".join(told([fact for said, seen in zip(stated, readings, strict=True) for fact in facts_of(said, seen)])))
