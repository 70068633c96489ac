"""Told: a model as another library knows it, in plain values, so that a request means the same here and a record says the same of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from models.errors import UserError
from models.files import Identity, ModelFile, Overrides
from models.json_values import is_row, is_table
from models.library.checkpoint import Facts, facts_from
from models.library.hashes import Digests

NO_MODEL = "What is told of a model is of another version than this one. Start Atelier anew."


@dataclass(frozen=True, slots=True)
class Told:
    file: ModelFile
    facts: Facts
    digests: Digests

    def said(self) -> dict[str, object]:
        """As JSON values, without where the file lies: what it is called says the title."""
        told = asdict(replace(self.file, path=Path(), title=self.file.true_name))
        del told["path"]
        return {"file": told, "facts": asdict(self.facts), "digests": list(self.digests)}


def told_from(said: Mapping[str, object], path: Path, rest: str) -> Told:
    """`path`: where it lies here. `rest`: where the starter lies here, if it is that which it takes all but its UNet from.

    Raises `UserError` for what `said` did not make.
    """
    file, facts, digests = (said.get(name) for name in ("file", "facts", "digests"))
    try:
        if not (is_table(file) and is_table(facts) and is_row(digests)):
            raise UserError(NO_MODEL)
        identity, overrides, words, folders = (file[name] for name in ("identity", "overrides", "words", "folders"))
        if not (is_table(identity) and is_table(overrides) and is_row(words) and is_row(folders)):
            raise UserError(NO_MODEL)
        known: dict[str, object] = {
            **file, "path": path, "identity": Identity(**identity), "overrides": Overrides(**overrides),  # pyright: ignore[reportArgumentType]  # of the same version
            "words": tuple(map(str, words)), "folders": tuple(map(str, folders)),
        }  # fmt: skip
        here = replace(facts_from(facts), rest=rest if facts.get("rest") else "")
        return Told(ModelFile(**known), here, Digests(*map(str, digests)))  # pyright: ignore[reportArgumentType]  # as above
    except (TypeError, KeyError) as error:
        raise UserError(NO_MODEL) from error
