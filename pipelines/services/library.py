"""The library as the page uses it: what is there, what fits, overrides, and downloads that run beside everything else. No torch."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from models.downloads.convert import SOURCE, convert
from models.downloads.hub import HUB
from models.downloads.hub_names import saved_name
from models.downloads.recommended import GOOD_MODELS, GoodModel
from models.errors import UserError
from models.files import ModelFile, ModelKind, Overrides
from models.library.catalog import Catalog
from models.library.compatibility import fits, in_short
from pipelines.services.downloads import Download, Downloads

log = logging.getLogger(__name__)

FOLDERS: dict[ModelKind, str] = {
    "checkpoint": "checkpoints",
    "vae": "vae",
    "lora": "loras",
    "embedding": "embeddings",
    "hypernetwork": "hypernetworks",
    "controlnet": "controlnet",
    "upscaler": "upscalers",
}  # where files of a kind go, below the folder of weights


class Library:
    """Safe to call from any thread. Who may download, convert and override is the page's business."""

    def __init__(self, catalog: Catalog, weights: Path | None, hub: str = HUB) -> None:
        """`weights`: the folder that downloads and converted files go to; without one there are none. `hub`: its address.

        `queue`: all downloads of the studio, those of other parts as well.
        """
        self._catalog = catalog
        self._weights = weights
        self.queue = Downloads(hub, catalog.rescan)
        self._lock = threading.Lock()
        self._converting: set[Path] = set()  # what is being made just now

    @property
    def version(self) -> int:
        """Another number each time something in the list has changed. Quick; a change on disk is noticed within seconds."""
        return self._catalog.version + self.queue.arrivals

    @property
    def scanning(self) -> bool:
        return self._catalog.scanning

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about folders that could not be looked through."""
        return self._catalog.notes

    def models(self, kind: ModelKind | None = None) -> list[ModelFile]:
        """Everything that was found, what cannot be used too; the starter's own first, then by name."""
        return self._catalog.models(kind)

    def model(self, model_id: str) -> ModelFile:
        """Raises `UserError` when it is not there."""
        return self._catalog.model(model_id)

    def rescan(self) -> None:
        """Looks through all folders anew, in the background."""
        self._catalog.rescan()

    def override(self, model_id: str, overrides: Overrides) -> None:
        """Keeps what a person decided about a file, for as long as its content is the same."""
        self._catalog.override(model_id, overrides)
        entry = self.model(model_id)
        if not entry.hash:
            threading.Thread(target=self._hash, args=(entry.id,), name="hashing", daemon=True).start()

    def hash(self, model_id: str) -> str:
        """SHA-256 of a file in hexadecimal digits. Reads all of it the first time: seconds. `model(id).hash` holds it from then on.

        Raises `UserError` when it cannot be read.
        """
        return self._catalog.hash(self.model(model_id).id)

    def fits(self, model_id: str, checkpoint_id: str) -> str:
        """ "" when the file can be used with the checkpoint, else the reason, in a sentence."""
        return fits(self.model(model_id), self._catalog.checkpoint(checkpoint_id))

    def misfit(self, model_id: str, checkpoint_id: str) -> str:
        """Of a file that does not fit: the reason in a few words, such as "made for SDXL"."""
        return in_short(self.model(model_id), self._catalog.checkpoint(checkpoint_id))

    def convert(self, model_id: str, kind: ModelKind | None = None) -> str:
        """Makes a safetensors file of a pickle, once, in a process of its own with limits. Waits for it; returns the new file's id.

        `kind`: what it is, where the folder that it lies in does not say. The pickle stays where it is.
        Raises `UserError` when it cannot be converted.
        """
        entry = self.model(model_id)
        wanted = kind or entry.identity.kind
        if wanted not in FOLDERS:
            raise UserError(f"Say first what “{entry.name}” is: a checkpoint, a VAE, a LoRA, an embedding or a hypernetwork.")
        target = self._folder(wanted) / saved_name(f"{entry.true_name}.safetensors")
        with self._alone(target, entry.name):
            source = self._catalog.hash(entry.id)
            if made := self.conversions().get(source):
                raise UserError(f"“{entry.name}” was converted already: “{made.name}” came of it. Use that one.")
            if target.exists():
                raise UserError(f"There is another “{target.stem}” in the models folder. Rename one of the two, then convert again.")
            convert(entry.path, target, wanted, source=source)
            return self._catalog.added(target)

    def conversions(self) -> dict[str, ModelFile]:
        """What was made of pickles and is there, by the SHA-256 of the pickle: whichever names and folders the two have by now."""
        return {entry.metadata[SOURCE]: entry for entry in self.models() if entry.metadata.get(SOURCE)}

    def download(self, repo: str, filename: str, kind: ModelKind, save_as: str = "") -> str:
        """Starts to fetch a file from the hub and returns the download's id. Raises `UserError` for a name that cannot be one."""
        if kind not in FOLDERS:
            raise UserError("Say first what the file is: a checkpoint, a VAE, a LoRA, an embedding or a hypernetwork.")
        return self.queue.start(repo, filename, self._folder(kind), save_as)

    def downloads(self) -> list[Download]:
        """Those of this run of the studio, the newest first."""
        return self.queue.list()

    def cancel(self, download_id: str) -> None:
        """What has arrived is kept: the same download goes on from there. Raises `UserError` for an unknown id."""
        self.queue.cancel(download_id)

    def good_models(self) -> tuple[GoodModel, ...]:
        """A short list to start from."""
        return GOOD_MODELS

    @contextmanager
    def _alone(self, target: Path, name: str) -> Generator[None]:
        with self._lock:
            if target in self._converting:
                raise UserError(f"“{name}” is being converted already. Wait until it is done.")
            self._converting.add(target)
        try:
            yield
        finally:
            with self._lock:
                self._converting.discard(target)

    def _folder(self, kind: ModelKind) -> Path:
        if self._weights is None:
            raise UserError("This studio was started without a folder for new models.")
        folder = self._weights / FOLDERS[kind]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError("The studio's folder of models cannot be written. Check its permissions.") from error
        return folder

    def _hash(self, model_id: str) -> None:
        try:
            self._catalog.hash(model_id)
        except UserError as error:
            log.warning("%s", error)
