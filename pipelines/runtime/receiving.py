"""Receiving: a worker's own root, in which what it was told and sent lies as the runner looks for it.

    models/                  people's own, under whatever names; nothing is changed there
    device 1/received/       models that came, by content, within a budget: see `models.library.received`
    device 1/shown/          links to them, and to people's own, as models of the studio are laid out
    device 1/beside/         a folder of models of links: weights of preprocessors, encoders of pictures
    device 1/outputs/        pictures that the job in hand begins with, and its steps: until it is over
    device 1/job/            what of these came
    device 1/library/        hashes of people's own

Only names that are checked here become parts of paths: digests, ids of pictures, and plain names.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from models.errors import Interrupted, UserError
from models.json_values import table
from models.library.received import Received, writing
from models.library.told import told_from
from models.library.told_catalog import ToldCatalog
from pipelines.images.store import INPUTS, Inputs
from pipelines.jobs import spoken
from pipelines.jobs.spoken_files import Fetch, Lacking, Needed, Owned, Range, Taken, Wanted, needed_from
from pipelines.requests.fields import INPUT_ID
from pipelines.steps.store import STEPS

OF_MODELS = ("model", "beside")
STEP_FILE = re.compile(r"[0-9A-Za-z_-]{1,64}\.[0-9]{1,6}\.going|x\.[0-9a-f]{32}\.steps")
LONGEST, DEEPEST = 255, 4  # bytes of a name, names of a path
PLAIN_NAMES = "A file is called in a way that the device that was to draw this cannot take. Give it a plain name, then try again."
GONE = "A file that this takes has gone from the device that was to draw it. Try again."
NOT_HERE = "This picture is not here."
LOOK = 0.2  # seconds that a file that is read for its hash is waited for, between looks whether it is still wanted
PATIENCE = 5.0  # seconds of that, after which the studio is to ask again; the reading goes on


class Receiving:
    """For the thread that draws."""

    def __init__(self, root: Path, own: Sequence[Path], starter: Path, budget: int) -> None:
        """`own`: people's folders. `budget`: bytes of models that may be kept; what a job begins with has as much beside it."""
        self._starter, self._shown, self.beside, self.outputs = starter, root / "shown", root / "beside", root / "outputs"
        self.go_on: Callable[[], None] = lambda: None
        self._until = 0.0
        self.catalog = ToldCatalog(starter, root / "library")
        self._models = Received(root / "received", budget, [starter, *own], self._digest_of, lambda: self.go_on())
        self._private = Received(root / "job", budget, go_on=lambda: self.go_on())
        self.inputs = Inputs(self.outputs / INPUTS)
        for folder in (self._shown, self.beside):
            shutil.rmtree(folder, ignore_errors=True)
        self.over()

    def answer(self, value: Wanted | Range | Fetch | Owned) -> spoken.Value:
        """Raises `UserError`."""
        self._until = time.monotonic() + PATIENCE
        try:
            match value:
                case Wanted():
                    return self._wanted(value)
                case Range():
                    kept = self._private if value.digest in self._private.wanted else self._models
                    return Taken(kept.take(value.digest, value.at, value.data))
                case Fetch():
                    return self._made(value.input)
                case Owned():
                    return self._owned(value)
        except Interrupted:
            return spoken.Nothing()

    def over(self) -> None:
        """The job is over: what people gave for it is not kept on this disk."""
        self._private.clear()
        shutil.rmtree(self.outputs, ignore_errors=True)

    # ------------------------------------------------------------------------------------------ what a job needs

    def _wanted(self, value: Wanted) -> Lacking:
        files = [needed_from(each) for each in value.files]
        lacking = self._models.lacks({each.digest: each.size for each in files if each.sort in OF_MODELS})
        lacking |= self._private.lacks({each.digest: each.size for each in files if each.sort not in OF_MODELS})
        if not lacking:
            with writing():
                self._lay(files, value.models)
        return Lacking([list(row) for row in lacking.items()])

    def _lay(self, files: Sequence[Needed], models: Sequence[Mapping[str, object]]) -> None:
        places = {self._place(each): each for each in files}
        for folder in (self._shown, self.beside, self.outputs):
            for old in [path for path in folder.rglob("*") if path not in places and not path.is_dir()]:
                old.unlink(missing_ok=True)
        for place, each in places.items():
            source = (self._models if each.sort in OF_MODELS else self._private).find(each.digest, each.size)
            if source is None:
                raise UserError(GONE)
            _link(source, place)
        self.catalog.tell(told_from(each, self._lies(each, files), str(self._starter)) for each in models)

    def _place(self, file: Needed) -> Path:
        """Where the runner looks for it."""
        match file.sort:
            case "model":
                return within(self._shown / _key(file.whose), file.name)
            case "beside":
                return within(self.beside, file.name)
            case "input":
                return self._input(file.whose)
            case "going" | "steps":
                if not STEP_FILE.fullmatch(file.name):
                    raise UserError(PLAIN_NAMES)
                return self.outputs / STEPS / file.name

    def _lies(self, model: Mapping[str, object], files: Collection[Needed]) -> Path:
        """A model: a file, a folder, or a part of the starter."""
        own, model_id = model.get("own"), table(model.get("file")).get("id")
        if isinstance(own, str) and own:
            return self._starter if own == "." else within(self._starter, own)
        names = [each.name for each in files if each.sort == "model" and each.whose == model_id]
        place = self._shown / _key(str(model_id))
        return within(place, names[0]) if names and model.get("folder") is False else place

    # ------------------------------------------------------------------------------------------ what else is asked

    def _made(self, picture_id: str) -> spoken.Data:
        try:
            return spoken.Data(self._input(picture_id).read_bytes())
        except OSError as error:
            raise UserError(NOT_HERE) from error

    def _input(self, picture_id: str) -> Path:
        if not INPUT_ID.fullmatch(picture_id):
            raise UserError(NOT_HERE)
        return self.inputs.path(picture_id)

    def _owned(self, value: Owned) -> Lacking:
        sizes = self._models.sizes()
        return Lacking([list(row[:2]) for row in value.files if len(row) > 1 and row[1] in sizes])

    def _digest_of(self, path: Path) -> str:
        while True:
            self.go_on()
            with suppress(TimeoutError):
                return self.catalog.file_hash(path, LOOK)
            if time.monotonic() > self._until:
                raise Interrupted


def _key(model_id: str) -> str:
    return hashlib.sha256(model_id.encode()).hexdigest()[:32]


def within(folder: Path, name: str) -> Path:
    """A place in a folder, by names with / between. Raises `UserError` for what leads anywhere else, or is no name everywhere."""
    parts = name.split("/")
    if len(parts) > DEEPEST or not all(_is_plain(part) for part in parts):
        raise UserError(PLAIN_NAMES)
    return folder.joinpath(*parts)


def _is_plain(name: str) -> bool:
    is_short = 0 < len(name.encode("utf-8", "replace")) <= LONGEST
    return is_short and name.isprintable() and not set(name) & set('\\/:*?"<>|') and name.strip(" .") == name


def _link(source: Path, place: Path) -> None:
    """Wherever links are not allowed or not possible, a copy. Raises `OSError`."""
    if place.exists() and place.samefile(source):
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    for link in (os.symlink, os.link):
        with suppress(OSError, NotImplementedError):
            place.unlink(missing_ok=True)
            link(os.path.abspath(source), place)
            return
    place.unlink(missing_ok=True)
    shutil.copyfile(source, place)
