"""What a job needs, by content: for a worker with folders of its own, which has to be told and may have to be sent it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from models.errors import UserError
from models.files import ModelFile
from models.identify.control import IP_ADAPTER
from models.identify.folder import read_json
from models.json_values import is_row, is_table, table
from models.library.catalog import Catalog
from models.library.checkpoint import weight_files
from models.library.hashes import file_hash
from models.library.vision_files import FOLDERS, Encoders, looked_through
from models.names import SAFE, ending_of
from pipelines.images.store import Inputs
from pipelines.jobs.spoken_files import Needed, Sort, Table, Wanted
from pipelines.metadata.companions import weights_of
from pipelines.preprocessors.annotators import ANNOTATORS, STARTER, Annotators
from pipelines.requests.base import input_ids
from pipelines.requests.branch import Branch, branch_of
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Drawing, Request, describe
from pipelines.resolving.rebind import rebind
from pipelines.steps.content import content_of, models_of
from pipelines.steps.store import KeptSteps, StepFile

LOOK = 0.2  # seconds that a file that is read for its hash is waited for, before whoever waits may stop
TOLD = ("branch", "first", "understood", "as_made", "as_drawn")  # fields that tell of a drawing, or are looked at apart
TEXTS = (".json", ".txt")
LARGEST_TEXT = 2**26  # bytes
INDEX = ".index.json"
MOST = 10_000  # files of a job

Answer = TypeVar("Answer")
Waiting = Generator[None, None, Answer]  # each `None` is a place to stop at


@dataclass(frozen=True)
class Asked:
    """What a worker is told, and where each file of it lies here, by digest."""

    wanted: Wanted
    files: tuple[Needed, ...]
    paths: Mapping[str, Path]

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each file, by digest."""
        return {each.digest: each.size for each in self.files}

    @property
    def models(self) -> frozenset[str]:
        """Ids of those that have files to send."""
        return frozenset(each.whose for each in self.files if each.sort == "model")


@dataclass(frozen=True)
class Here:
    """The studio's own folders."""

    starter: Path
    catalog: Catalog
    annotators: Annotators
    inputs: Inputs
    steps: KeptSteps

    def asked(self, request: Request, progress: Progress) -> Waiting[Asked]:
        """Reads files for their hashes, each once. Raises `UserError` where one cannot be read, or is not there."""
        found = _Found(self)
        trunk = branch_of(request) if isinstance(request, Drawing) else None
        drawn = [request, *([] if trunk is None else self._trunk(trunk))]
        for model_id in dict.fromkeys(each for one in drawn for each in ids_in(describe(one), {file.id for file in self.catalog.models()})):
            yield from found.model(model_id)
        for one in drawn:
            if isinstance(one, Drawing):
                yield from found.beside(one)
        found.private(request, progress, trunk)
        return Asked(Wanted(found.models, [each.said() for each in found.files]), tuple(found.files), found.paths)

    def _trunk(self, use: Branch) -> list[Request]:
        """What has to be drawn once more for a branch: nothing where its steps are kept."""
        assert use.of is not None
        kept = self.steps.of_content(content_of(use.of, models_of(use)))
        if kept and _has_all(kept, use):
            return []
        below = branch_of(use.of)
        return [rebind(use.of, models_of(use), self.catalog).request, *(self._trunk(below) if below else [])]


class _Found:
    def __init__(self, here: Here) -> None:
        self._here = here
        self.models: list[Table] = []
        self.files: list[Needed] = []
        self.paths: dict[str, Path] = {}

    def model(self, model_id: str) -> Waiting[None]:
        """The starter's own is where the program is, and not sent."""
        here = self._here
        told = yield from _read(lambda: here.catalog.told(model_id, LOOK))
        own = told.file.path.relative_to(here.starter).as_posix() if told.file.path.is_relative_to(here.starter) else ""
        self.models.append({**told.said(), "own": own, "folder": told.file.path.is_dir()})
        if not own:
            for name, path in parts_of(told.file):
                digest = yield from _read(lambda path=path: here.catalog.file_hash(path, LOOK))
                self._add("model", digest, path, model_id, name)

    def beside(self, request: Drawing) -> Waiting[None]:
        """Weights of preprocessors, and what IP-Adapters look through."""
        here = self._here
        for key in weights_of(request).values():
            place = Path("annotators") / (ANNOTATORS[key].place or key)
            for path in here.annotators.files(key) if key != STARTER else ():
                yield from self._beside(place / path.name, path)
        adapters = [here.catalog.model(use.id) for use in request.controls if use.weight]
        for adapter in {entry.id: entry for entry in adapters if entry.identity.variant.startswith(IP_ADAPTER)}.values():
            encoders = Encoders(here.annotators.folders)
            path = encoders.path(encoders.fitting(*looked_through(adapter.path)))
            for part in _encoder_files(path):
                yield from self._beside(Path(FOLDERS[0]) / part.relative_to(path.parent), part)

    def _beside(self, name: Path, path: Path) -> Waiting[None]:
        digest = yield from _read(lambda: self._here.catalog.file_hash(path, LOOK))
        self._add("beside", digest, path, "", name.as_posix())

    def private(self, request: Request, progress: Progress, trunk: Branch | None) -> None:
        """Pictures that it begins with, and steps that are made. What is not there is missed where it is used."""
        here = self._here
        for picture in sorted({*input_ids(request), *progress.stored.values()}):
            if here.inputs.has(picture):
                self._small("input", here.inputs.path(picture), picture, "")
        for index in range(progress.pictures, request.picture_count):
            if progress.job and (going := here.steps.going(progress.job, index)):
                self._small("going", going.path, "", going.path.name)
        while trunk is not None and trunk.of is not None:
            content = content_of(trunk.of, models_of(trunk))
            if kept := here.steps.of_content(content):
                self._small("steps", kept.path, "", f"x.{content}.steps")
            trunk = branch_of(trunk.of)

    def _small(self, sort: Sort, path: Path, whose: str, name: str) -> None:
        try:
            self._add(sort, file_hash(path), path, whose, name)
        except OSError:
            return  # it has gone meanwhile

    def _add(self, sort: Sort, digest: str, path: Path, whose: str, name: str) -> None:
        if len(self.files) >= MOST:
            raise UserError("This job takes more files than can be sent to another device. Draw it on the studio's own.")
        self.files.append(Needed(sort, digest, path.stat().st_size, whose, name))
        self.paths[digest] = path


def _has_all(kept: StepFile, use: Branch) -> bool:
    """The step that it branches after, and the ends of the runs before."""
    try:
        ends = {leg for (leg, index), place in kept.places.items() if place.count == index + 1}
        return (use.leg, use.step - 1) in kept.places and ends.issuperset(range(use.leg))
    except UserError:
        return False


def ids_in(value: object, known: Iterable[str]) -> Iterator[str]:
    """Ids of models in a description of a request, whichever fields they stand in."""
    known = frozenset(known)
    if isinstance(value, str) and value in known:
        yield value
    parts = [part for name, part in value.items() if name not in TOLD] if is_table(value) else value if is_row(value) else ()
    for part in parts:
        yield from ids_in(part, known)


def parts_of(model: ModelFile) -> list[tuple[str, Path]]:
    """Names and files of a model: of a folder those that are read, by their places in it; a single file is called by its sort alone."""
    if not model.path.is_dir():
        return [(f"model{ending_of(model.path.name) or SAFE[0]}", model.path)]
    return [(path.relative_to(model.path).as_posix(), path) for path in _folder_files(model.path)]


def _folder_files(folder: Path) -> Iterator[Path]:
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        texts = (path for path in place.iterdir() if path.suffix in TEXTS and path.is_file())
        yield from sorted(path for path in texts if path.stat().st_size <= LARGEST_TEXT)
    preview = folder / "preview" / "preview.safetensors"
    for weights in (*weight_files(folder), *([preview] if preview.is_file() else [])):
        yield from _shards(weights) if weights.name.endswith(INDEX) else [weights]


def _shards(index: Path) -> list[Path]:
    names = {str(shard) for shard in table(read_json(index).get("weight_map")).values()}
    return [index.parent / name for name in sorted(names) if Path(name).name == name and (index.parent / name).is_file()]


def _encoder_files(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if each.suffix in (".json", ".safetensors")) if path.is_dir() else [path]


def _read(work: Callable[[], Answer]) -> Waiting[Answer]:
    while True:
        try:
            return work()
        except TimeoutError:
            yield None
