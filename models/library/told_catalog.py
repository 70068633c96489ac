"""The catalogue of a worker with folders of its own: what it was told of models, under the ids that the studio has for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from models.files import Overrides
from models.library.catalog import Catalog
from models.library.index import Found
from models.library.matching import Names
from models.library.table import CatalogTable
from models.library.told import Told


class ToldCatalog(Catalog):
    """Beside what it was told it knows the starter that lies here. Looks at no folder. Safe to call from any thread."""

    def __init__(self, starter: Path, cache: Path | None = None) -> None:
        self._told: dict[str, Told] = {}
        super().__init__(starter, (), cache)

    def tell(self, models: Iterable[Told]) -> None:
        with self._changing:
            self._told = {**self._told, **{told.file.id: told for told in models}}
            for told in self._told.values():
                self._contents.learn(_mark(told), told.digests)
            self._publish(self._found)

    def hash(self, model_id: str) -> str:
        told = self._told.get(model_id)
        return told.digests.whole if told else super().hash(model_id)

    def override(self, model_id: str, overrides: Overrides) -> None:
        told = self._told.get(model_id)
        if told is None:
            super().override(model_id, overrides)
        else:
            self.tell([replace(told, file=replace(told.file, overrides=overrides))])

    @property
    def version(self) -> int:
        return self._version

    def rescan(self, wait: bool = False) -> None:
        """There is no folder to look through."""

    def _refresh(self) -> None:
        """As for `rescan`."""

    def _tabled(self, found: Mapping[bytes, Found]) -> CatalogTable:
        own, told = super()._tabled(found), self._told
        files = {**own.files, **{model_id: each.file for model_id, each in told.items()}}
        facts = {**own.facts, **{model_id: each.facts for model_id, each in told.items()}}
        marks = {**own.fingerprints, **{model_id: _mark(each) for model_id, each in told.items()}}
        return CatalogTable(files, facts, marks, Names(files.values()))


def _mark(told: Told) -> str:
    return f"told {told.file.id} {told.digests.whole}"
