"""Finishes as the page asks for them: saved, and applied to finished pictures. What their jobs do beside drawing is in `finish_jobs.py`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from models.errors import UserError
from models.library.checkpoint import Checkpoint
from pipelines.gallery.person import NOT_YOURS, Person
from pipelines.job_book.book import JobBook, PictureRecord
from pipelines.job_book.errors import BookError
from pipelines.job_book.following import Carried
from pipelines.job_book.room import Allowance
from pipelines.requests.finish import Chain, FinishStep, bare, of_step, own_of, read_chain, read_steps, sizes
from pipelines.requests.made_for import draws
from pipelines.requests.request import Drawing, Enlarge, Request, describe
from pipelines.services.answers import FinishLine, FinishStepLine
from pipelines.services.finish_files import FAVOURITES, FIVE_STARS, Finish, FinishFiles
from pipelines.services.finish_words import said_of

MOST_AT_ONCE = 50  # pictures of one order
MOST_BY_THEMSELVES = 20  # pictures that are marked together and finished without being asked for
NOT_SAVED = "Finish"  # what a chain is called whose steps were never saved
SHOWN = 300  # letters of a prompt


@dataclass(frozen=True)
class Bench:
    """What finishes need of the studio."""

    book: JobBook
    checkpoints: Callable[[], Sequence[Checkpoint]]
    find: Callable[[str, Person], PictureRecord | None]  # a picture of this person's, by its id
    adopt: Callable[[PictureRecord, str, bool], str]  # as an input: its id. The last: what is transparent stays so
    first: Callable[[Request, PictureRecord], Request]  # with what is known of the first pass
    admit: Callable[[Request, str, bool], tuple[Request, Allowance]]
    allow: Callable[[str, bool], Allowance]  # raises `UserError` for who may not draw
    check: Callable[[Request], object]  # whether all that it names is here
    submit: Callable[[Request, Person, str, Allowance, Carried], object]
    name: Callable[[str], str]  # of a model, by its id


class Finishes:
    """Safe to call from any thread. Everything raises `UserError` with a sentence, and `BookError`."""

    def __init__(self, files: FinishFiles, bench: Bench) -> None:
        self._files, self._bench = files, bench

    # ---- what is saved -------------------------------------------------------------------------------------------------

    def all(self, user: str) -> list[FinishLine]:
        return [self._line(each) for each in self._files.all(user)]

    def save(self, user: str, name: str, steps: object, starts: str, finish_id: str = "") -> str:
        """`steps`: as a page sends them. Returns the id."""
        return self._files.save(user, name, read_steps(steps), starts, finish_id)

    def delete(self, user: str, finish_id: str) -> None:
        self._files.delete(user, finish_id)

    def step(self, request: Request) -> FinishStepLine:
        """What a form holds, as a step."""
        return self._step(FinishStep(bare(request)))

    def plan(self, picture_id: str, person: Person, steps: object) -> str:
        """The sizes that come of a picture step by step, in a sentence, or what is wrong with that."""
        record = self._picture(picture_id, person)
        try:
            found = sizes(read_steps(steps), (record.width, record.height))
        except UserError as error:
            return str(error)
        return f"From {' → '.join(f'{width:,} × {height:,}' for width, height in ((record.width, record.height), *found))}."

    # ---- applied -------------------------------------------------------------------------------------------------------

    def apply(self, ids: Sequence[str], person: Person, finish_id: str = "", steps: object = None, of: int = 0) -> int:
        """Queues the first step for each of these pictures and returns how many jobs that are; each further step is queued when the one
        before it is done. `steps`: where no saved one is meant. `of`: how many pictures the whole order has, which comes in parts; what is
        too many is said before anything is queued.
        """
        if len(ids) > MOST_AT_ONCE:
            raise UserError(f"{len(ids):,} pictures are too many for one order; {MOST_AT_ONCE} are the most. Send them in parts.")
        finish = self._files.one(person.user, finish_id) if finish_id else Finish("", NOT_SAVED, read_steps(steps))
        records = [self._picture(each, person) for each in ids]
        self._bench.book.queue.check_room(person.user, person.owner, max(of, len(ids)), self._bench.allow(person.user, person.owner))
        self._begin(records, finish, person)
        return len(records)

    def marked(self, ids: Sequence[str], person: Person, mark: str, value: int) -> str:
        """Pictures were marked: those finishes begin that start by themselves. Returns a sentence for the person, or "". Never raises for a
        finish or a picture: marks count whether or not something comes of them.
        """
        start = {("favourite", 1): FAVOURITES, ("rate", 5): FIVE_STARS}.get((mark, value))
        try:
            asked = [each for each in self._files.all(person.user) if start and each.starts == start and each.steps]
            return " ".join(filter(None, (self._by_itself(each, ids, person) for each in asked)))
        except BookError:
            raise
        except UserError as error:
            return str(error)

    def _by_itself(self, finish: Finish, ids: Sequence[str], person: Person) -> str:
        if len(ids) > MOST_BY_THEMSELVES:
            return f"“{finish.name}” begins by itself for {MOST_BY_THEMSELVES} pictures at once at most. Select them and press Finish."
        records = [record for each in ids if (record := self._bench.find(each, person)) and not self._is_made(record)]
        if not records:
            return ""
        try:
            self._begin(records, finish, person, by_itself=True)
        except UserError as error:
            return f"“{finish.name}” was not begun. {error}"
        return f"“{finish.name}” is begun for {'it' if len(records) == 1 else f'{len(records)} pictures'}."

    def _is_made(self, record: PictureRecord) -> bool:
        """By a finish: what comes of one is not finished once more by itself."""
        return bool(self._chain_of(record))

    def _picture(self, picture_id: str, person: Person) -> PictureRecord:
        record = self._bench.find(picture_id, person)
        if record is None:
            raise UserError(NOT_YOURS)
        return record

    def _begin(self, records: Sequence[PictureRecord], finish: Finish, person: Person, by_itself: bool = False) -> None:
        """All of them are looked at before one is queued. `by_itself`: once for each picture."""
        chains: list[Chain] = []
        for record in records:
            with _of_picture(record, len(records)):
                chains.append(self._chain(record, finish))
        for done, (record, chain) in enumerate(zip(records, chains, strict=True)):
            try:
                self._queue(record, chain, person, f"finish {finish.id} of {record.id}" if by_itself else chain.once)
            except UserError as error:
                raise (UserError(f"Only the first {done} of them are in the queue. {error}") if done else error) from None

    def _chain(self, record: PictureRecord, finish: Finish) -> Chain:
        """For one picture. Raises `UserError` where that cannot be drawn to its end."""
        chain = Chain(finish.name, finish.steps, own=self._own(record, finish.steps))
        sizes(chain.steps, (record.width, record.height))
        self._check(chain)
        return chain

    def _queue(self, record: PictureRecord, chain: Chain, person: Person, once: str) -> None:
        image = self._bench.adopt(record, person.user, isinstance(chain.step.request, Enlarge))
        request, allowance = self._bench.admit(self._bench.first(chain.asked(image), record), person.user, person.owner)
        self._bench.submit(request, person, once, allowance, Carried(chain.written(), chain.words))

    def _own(self, record: PictureRecord, steps: Sequence[FinishStep]) -> Mapping[str, object]:
        """The words of a picture, and its models where it was drawn here and they can draw all of the steps. What an enlarged picture of
        a finish was drawn of, its chain knows.
        """
        made, chain = record.request, read_chain(self._chain_of(record))
        if chain and not isinstance(made, Drawing):
            return chain.own
        if record.note or not isinstance(made, Drawing):
            return {}
        entry = next((each for each in self._bench.checkpoints() if each.id == made.checkpoint), None)
        drawn = [each.request.kind for each in steps if isinstance(each.request, Drawing)]
        return own_of(made, record.program is None and (entry is None or all(draws(entry, kind) for kind in drawn)))

    def _chain_of(self, record: PictureRecord) -> str:
        job = self._bench.book.job(record.job_id) if record.job_id else None
        return job.chain if job else ""

    def _check(self, chain: Chain) -> None:
        """All that the steps name must be here before the first one is drawn."""
        for at, step in enumerate(chain.steps):
            with of_step(at + 1, step.request):
                self._bench.check(Chain(chain.name, chain.steps, at, chain.own).asked(""))

    def _line(self, finish: Finish) -> FinishLine:
        steps = [self._step(each) for each in finish.steps]
        return {"id": finish.id, "name": finish.name, "starts": finish.starts, "note": finish.note, "steps": steps}

    def _step(self, step: FinishStep) -> FinishStepLine:
        request = step.request
        return {
            "request": describe(request),
            "kind": request.kind,
            "title": request.title,
            "words": said_of(request, self._bench.name),
            "prompt": request.prompt[:SHOWN] if isinstance(request, Drawing) else None,
            "own": step.own,
            "keep": step.keep,
        }


@contextmanager
def _of_picture(record: PictureRecord, count: int) -> Generator[None]:
    """A sentence about one of several pictures says which one it is."""
    try:
        yield
    except UserError as error:
        raise (UserError(f"{record.path.name[:100]}: {error}") if count > 1 else error) from None
