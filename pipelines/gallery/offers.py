"""What a search may choose from: the models, samplers and LoRAs that occur among a person's pictures, and in how many of them."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable

from pipelines.gallery.answers import GalleryOffer, GalleryOffers
from pipelines.gallery.person import Person

MOST = 300  # of each; those that occur most
TEXTS = "select {0}, count(*) as n from shelf where {1} and deleted is null and {0} <> '' group by {0}"
MODELS = "select case when name = '' then id else name end, n from ({0}) as used join model on model.number = used.model"


def offers_of(db: sqlite3.Connection, person: Person) -> GalleryOffers:
    """Of pictures that are kept: those in the bin do not count. Raises `sqlite3.Error`."""

    def texts(column: str) -> list[tuple[str, int]]:
        return db.execute(TEXTS.format(column, person.reads), person.read).fetchall()

    loras = ((name, count) for names, count in texts("loras") for name in set(names.splitlines()))
    models = db.execute(MODELS.format(TEXTS.format("model", person.reads)), person.read)
    return {"models": _named(models), "samplers": _named(texts("sampler")), "loras": _named(loras)}


def _named(rows: Iterable[tuple[str, int]]) -> list[GalleryOffer]:
    """By name. A search takes names that differ in capitals alone for one, and so does this: the first one counts for all."""
    counts, names = Counter[str](), dict[str, str]()
    for name, count in rows:
        counts[folded := name.casefold()] += count
        names.setdefault(folded, name)
    most = sorted(counts.most_common(MOST))
    return [{"name": names[name], "count": count} for name, count in most]
