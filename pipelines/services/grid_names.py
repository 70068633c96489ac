"""Names on the axes of a grid: the models and presets that a person may write there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from models.errors import UserError
from models.files import ModelKind
from models.library.catalog import Catalog
from pipelines.requests.made_for import draws
from pipelines.requests.request import OWN_VAE, Drawing, SecondPass, describe
from pipelines.requests.second_pass import UPSCALER_NAMES
from pipelines.resolving.model_names import ONE, SEVERAL
from pipelines.services.presets import Presets

# What a field may hold beside files: (name, value).
BESIDE: Mapping[str, Sequence[tuple[str, str]]] = {
    "vae": (("Automatic", ""), ("Own", OWN_VAE)),
    "refiner": (("None", ""),),
    "enlarged_by": (("None", ""),),
    "hires_checkpoint": (("As the first", ""),),
    "hires_upscaler": tuple((name, name) for name in UPSCALER_NAMES),
}


class GridNames:
    """Of one person."""

    def __init__(self, catalog: Catalog, presets: Presets, user: str) -> None:
        self._catalog, self._presets, self._user = catalog, presets, user

    def offered(self, field: str, base: Drawing) -> Sequence[tuple[str, str]]:
        kind: ModelKind = (ONE.get(field) or SEVERAL[field])[0]
        if kind == "checkpoint":
            drawn = SecondPass.kind if field == "hires_checkpoint" else base.kind
            found = [entry.file for entry in self._catalog.checkpoints() if draws(entry, drawn)]
        else:
            found = [entry for entry in self._catalog.models(kind) if entry.usable]
        return [*BESIDE.get(field, ()), *((entry.called, entry.id) for entry in found)]

    def presets(self) -> Sequence[str]:
        return [each.name for each in self._presets.files.all(self._user) if not each.note]

    def preset(self, name: str, base: Drawing) -> Mapping[str, object]:
        found = next((each for each in self._presets.files.all(self._user) if each.name == name and not each.note), None)
        if found is None:
            raise UserError(f"There is no preset called “{name[:60]}” among yours.")
        applied = self._presets.applied(self._user, [found.id], base)
        told = describe(replace(applied.request))
        return {each: told[each] for each in applied.names}
