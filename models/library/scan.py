"""The scan of model folders: headers and small JSON files only, and no long wait for a folder that does not answer."""

from __future__ import annotations

import logging
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from models.files import Identity, ModelFile, ModelKind
from models.identify.folder import read_json
from models.identify.identify import NOT_KNOWN, identify, trigger_words
from models.json_values import is_whole, table
from models.library.checkpoint import STARTER_UPSCALER, Facts, file_id, read_folder
from models.library.index import Found
from models.library.listing import Candidate, FolderToScan, Listing, folders_of, list_folder, mark_of, places
from models.library.timeouts import Silent, TimeLimit
from models.names import true_name
from models.safe_text import bounded, shown
from models.tensors.header import Damaged, Header, read_header
from models.tensors.small_tensor import read_values

log = logging.getLogger(__name__)

MOST_FILES = 50_000
SETTLED = 2.0  # seconds after a change, from which on another one surely shows in a file's or folder's time
PLAIN_VAE = 512  # channels of the innermost layer of every VAE of the Stable Diffusion families
PIXELS = 8  # that a latent stands for, along one side
VAE_LEVEL = re.compile(r"decoder\.up(?:_blocks)?\.(\d{1,2})\.(?:block|resnets)\.")
ABSENT = -1  # in place of a time

Item = TypeVar("Item")
Remembered = Callable[[bytes, str], Found | None]  # (path, mark) -> what an earlier look at the same content saw
Watched = dict[bytes, int]  # path -> time of the last change in nanoseconds, or `ABSENT`


class Scan:
    """One pass over the folders. Afterwards `watched` says what to look at to see whether another pass is worth while."""

    def __init__(self, roots: Sequence[Path], starter: Path, remembered: Remembered, patience: TimeLimit) -> None:
        self._roots = roots
        self._starter = starter
        self._remembered = remembered
        self._patience = patience
        self._seen: set[bytes] = set()
        self._begun = time.time_ns()
        self.watched: Watched = {}
        self.silent: list[Path] = []
        self.notes: list[str] = []

    def run(self) -> Iterator[tuple[Found, bool]]:
        """What lies there, as it is found, and whether it had to be read."""
        for count, found in enumerate(self._everything()):
            if count == MOST_FILES:
                self.notes.append(f"There are more than {MOST_FILES:,} model files in the folders; the rest was left out.")
                return
            yield found

    @property
    def hasty(self) -> bool:
        """Something has been changed so shortly before the pass that a change after it might not show."""
        return any(changed > self._begun - SETTLED * 1e9 for changed in self.watched.values())

    def _everything(self) -> Iterator[tuple[Found, bool]]:
        waiting = deque(FolderToScan(self._starter / name, kind, parts=True, inside=("starter", name)) for name, kind in STARTER_FOLDERS)
        for root in self._roots:
            waiting.extend(self._attempt(root, lambda root=root: self._places(root)))
        odd: list[tuple[Found, bool]] = []
        for item in self._attempt(self._starter, self._starter_upscaler):
            yield from self._sorted_out(item, odd)
        while waiting:
            place = waiting.popleft()
            for item in self._attempt(place.path, lambda place=place: self._look(place)):
                if isinstance(item, Listing):
                    self.watched.update(item.watched)
                    waiting.extend(item.below)
                else:
                    self._watch_unsettled(item[0])
                    yield from self._sorted_out(item, odd)
        for found, is_new in odd:  # last, as this imports what takes seconds
            yield (_asked_again(found), True) if is_new else (found, False)

    def _sorted_out(self, item: tuple[Found, bool], odd: list[tuple[Found, bool]]) -> Iterator[tuple[Found, bool]]:
        """What no rule of ours knows is listed as that, and put aside to be asked about once more."""
        found, is_new = item
        is_odd = is_new and found.file.identity.note == NOT_KNOWN
        odd += [item] if is_odd else []
        yield found, is_new and not is_odd

    def _starter_upscaler(self) -> Iterator[tuple[Found, bool]]:
        path = self._starter / UPSCALER
        self.watched[os.fsencode(path)] = time_of(os.fsencode(path))
        if path.is_file():
            status = path.stat()
            candidate = Candidate(path, "upscaler", mark_of(status), status.st_size, status.st_mtime)
            before = self._remembered(os.fsencode(path), candidate.fingerprint)
            found = before or starter_upscaler(candidate)
            yield replace(found, file=replace(found.file, id=STARTER_UPSCALER)), before is None

    def _attempt(self, folder: Path, work: Callable[[], Iterator[Item]]) -> Iterator[Item]:
        """What the work finds; a note instead of an error."""
        try:
            yield from self._patience(folder, work)
        except Silent:
            self.silent.append(folder)
            self.notes.append(f"The folder “{shown(folder.name)}” does not answer. It was left out; look again when it is back.")
        except FileNotFoundError:
            self.watched[os.fsencode(folder)] = ABSENT
        except OSError as error:
            self.notes.append(f"The folder “{shown(folder.name)}” cannot be read ({error.strerror}).")

    def _places(self, root: Path) -> Iterator[FolderToScan]:
        root.stat()
        yield from places(root)

    def _look(self, place: FolderToScan) -> Iterator[Listing | tuple[Found, bool]]:
        listing = list_folder(place)
        path = listing.watched[0][0]
        if path in self._seen:
            return
        self._seen.add(path)
        yield listing
        insides = [place.inside, *self._really_inside(Path(os.fsdecode(path)))]
        for candidate in listing.candidates:
            before = self._remembered(os.fsencode(candidate.path), candidate.fingerprint)
            found = self._titled(before or read(candidate), place)
            yield replace(found, file=replace(found.file, folders=_folders(candidate, insides))), before is None

    def _titled(self, found: Found, place: FolderToScan) -> Found:
        """What is the starter's and draws is called after it."""
        title = STARTER_TITLES.get(place.path.name, "") if place.path.parent == self._starter else ""
        return replace(found, file=replace(found.file, name=title, title=title)) if title else found

    def _really_inside(self, path: Path) -> Iterator[tuple[str, ...]]:
        """The folders that lead to it without going through a link."""
        for root in self._roots:
            real = Path(os.path.realpath(root))
            if path.is_relative_to(real):
                yield real.name, *path.relative_to(real).parts

    def _watch_unsettled(self, found: Found) -> None:
        """A file that is not whole may be on its way; what is being copied grows without its folder changing."""
        if found.file.problem or found.file.changed * 1e9 > self._begun - SETTLED * 1e9:
            self.watched[os.fsencode(found.file.path)] = time_of(os.fsencode(found.file.path))


UPSCALER = "upscaler.safetensors"  # of the starter
STARTER_FOLDERS: tuple[tuple[str, ModelKind], ...] = (
    ("loras", "lora"), ("vae", "vae"), ("embeddings", "embedding"), ("controlnets", "controlnet"),
    ("video", "checkpoint"), ("turn", "checkpoint"),
)  # fmt: skip
STARTER_TITLES = {"video": "Starter video", "turn": "Starter turn"}  # of what lies in these folders, which would be called after them


def _folders(candidate: Candidate, insides: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """A model that is a folder lies in the one above it."""
    within = [inside[:-1] if candidate.is_folder else inside for inside in insides]
    return tuple(dict.fromkeys(folder for inside in within for folder in folders_of(inside)))


def read(candidate: Candidate) -> Found:
    """A file or folder as its own bytes describe it. What is wrong with it is said in `problem`; raises nothing."""
    try:
        return _folder(candidate) if candidate.is_folder else _file(candidate)
    except Exception:  # whatever a stranger's file does to the code that reads it, the others are still listed
        log.exception("a model file could not be read")
        problem = "Something in this file could not be understood. Copy or download it again."
        return Found(_entry(candidate, Identity(candidate.kind), problem=problem), Facts(), candidate.fingerprint)


def starter_upscaler(candidate: Candidate) -> Found:
    """What the starter says beside it of its own, so that nobody waits for spandrel to know it; as any other file where it says nothing."""
    found = read(candidate)
    told = table(read_json(candidate.path.parent / "starter.json").get("upscaler"))
    scale, room, name = told.get("scale"), told.get("bytes_a_pixel"), told.get("architecture")
    if found.file.problem or not (is_whole(scale) and is_whole(room) and isinstance(name, str)):
        return replace(found, file=replace(found.file, id=STARTER_UPSCALER))
    title = f"Starter x{scale}"
    identity = Identity("upscaler", name, f"x{scale}", bytes_a_pixel=room)
    return replace(found, file=replace(found.file, id=STARTER_UPSCALER, identity=identity, title=title, name=title))


def time_of(path: bytes) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return ABSENT


def _asked_again(found: Found) -> Found:
    """It may be an upscaler, which only spandrel knows. The starter's is called after its scale."""
    from models.upscalers.architectures import recognised

    try:
        identity = recognised(found.file.path, read_header(found.file.path))
    except Damaged:  # since it was read
        return found
    if identity is None:
        return found
    title = f"Starter {identity.variant}" if found.file.id == STARTER_UPSCALER else ""
    return replace(found, file=replace(found.file, identity=identity, title=title, name=title or found.file.name))


def _folder(candidate: Candidate) -> Found:
    entry, facts = read_folder(candidate.path)
    return Found(replace(entry, changed=candidate.changed), facts, candidate.fingerprint)


def _file(candidate: Candidate) -> Found:
    try:
        header = read_header(candidate.path)
    except Damaged as error:
        identity = Identity(candidate.kind, layout="pickle" if error.reason == "pickle" else "")
        return Found(_entry(candidate, identity, problem=str(error)), Facts(), candidate.fingerprint)
    identity = identify(header, true_name(candidate.path), lambda name: read_values(candidate.path, header, name))
    return Found(_entry(candidate, _settled(identity, header, candidate.kind), header.metadata), Facts(), candidate.fingerprint)


def _entry(candidate: Candidate, identity: Identity, metadata: Mapping[str, str] | None = None, problem: str = "") -> ModelFile:
    return ModelFile(
        id=file_id(candidate.path),
        name=shown(true_name(candidate.path)),
        path=candidate.path,
        size=candidate.size,
        changed=candidate.changed,
        identity=identity,
        problem=problem,
        metadata=bounded(metadata or {}),
        words=trigger_words(metadata or {}),
    )


def _settled(identity: Identity, header: Header, kind: ModelKind) -> Identity:
    """The folder decides what the header leaves open; a VAE's size is noted as a LoRA's is."""
    if identity.kind == "unknown" and kind != "unknown":
        return replace(identity, kind=kind)
    return _sized(identity, header) if identity.kind == "vae" and identity.supported else identity


def _sized(identity: Identity, header: Header) -> Identity:
    first = next((info for name, info in header.tensors.items() if name.endswith("decoder.conv_in.weight")), None)
    levels = len({found[1] for name in header.tensors if (found := VAE_LEVEL.search(name))})
    if levels and 2 ** (levels - 1) != PIXELS:
        note = f"This VAE makes {2 ** (levels - 1)} pixels of each latent; the families that Atelier draws with make {PIXELS}."
        return replace(identity, supported=False, note=note)
    channels = first.shape[0] if first else PLAIN_VAE
    return identity if channels == PLAIN_VAE else replace(identity, variant=f"width {channels}")
