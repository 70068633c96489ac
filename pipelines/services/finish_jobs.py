"""Jobs of finishes beside their drawing: what a step finds when its turn has come, which step follows it, and what goes to the bin."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from models.errors import UserError
from pipelines.gallery.gallery import Gallery
from pipelines.gallery.person import Person
from pipelines.images.masking import Size
from pipelines.job_book.book import Job, JobBook, PictureRecord
from pipelines.job_book.following import Carried, Following
from pipelines.job_book.room import Allowance
from pipelines.jobs.events import Picture
from pipelines.jobs.job_run import Followers, LeftAsItWas
from pipelines.jobs.runner import Runner
from pipelines.metadata.source_of import source_of
from pipelines.metadata.two_passes import second_pass
from pipelines.requests.details import DetailBox
from pipelines.requests.finish import Chain, read_chain
from pipelines.requests.request import Details, Request, TextToImage
from pipelines.services.detail_finder import DetailFinder, NothingFound
from pipelines.services.uploads import Uploads

log = logging.getLogger(__name__)

Admit = Callable[[Request, str, bool], tuple[Request, Allowance]]


class JobFollowers(Followers):
    """For the threads of the worker."""

    def __init__(
        self, book: JobBook, uploads: Uploads, finder: Callable[[], DetailFinder], gallery: Callable[[], Gallery], admit: Admit,
        resolve: Callable[[Request], Request], free: Callable[[str], None],
        looked: Callable[[PictureRecord, Runner], None] = lambda record, runner: None, moved: Callable[[Job], None] = lambda job: None,
    ) -> None:  # fmt: skip
        """`finder`, `gallery`: asked for when they are needed. `admit`: as for a request that comes in; `resolve`: what it names alone.
        `free`: this person has no limit, as the owner of the studio. `looked`: the safety checker looks at a picture, where it is asked to.
        `moved`: a job begins, or is over.
        """
        self._book, self._uploads, self._finder, self._gallery = book, uploads, finder, gallery
        self._admit, self._resolve, self._free, self._looked, self._moved = admit, resolve, free, looked, moved

    def begun(self, job: Job) -> Request:
        self._moved(job)
        chain = read_chain(job.chain)
        if chain and job.progress.pictures >= job.request.picture_count:
            self._made_before(job, chain)
        request = job.request
        if chain is None or not isinstance(request, Details) or request.boxes:
            return request
        try:
            boxes = self._finder().look(request).boxes
        except NothingFound:
            raise LeftAsItWas(*self._past(chain, request, job)) from None
        return self._admit(replace(request, boxes=boxes), job.user, job.owner)[0]

    def after(self, job: Job, picture: Picture) -> Following | None:
        chain = read_chain(job.chain)
        if chain is None:
            return self._second_pass(picture)
        if chain.is_last:
            return None
        if job.owner:  # who may not have been here since the studio was started
            self._free(job.user)
        return self._following(chain.after(job.id), self._uploads.keep(picture.image, job.user, self._label(picture.request)).id, job)

    def over(self, job: Job) -> None:
        self._moved(job)

    def kept(self, record: PictureRecord, runner: Runner) -> None:
        self._looked(record, runner)

    def entered(self, job: Job, record: PictureRecord) -> None:
        """What was to stay only until now goes to the bin, unless somebody has marked it meanwhile. The journal hears."""
        chain = read_chain(job.chain)
        if job.board or job.origin:
            self._gallery().boards.arrived(record.id)
        if chain is None or not chain.drop:
            return
        person = _person(job)
        try:
            ids = [each.id for each in self._book.pictures_of(chain.drop) if not self._is_marked(each.id, person)]
            if ids:
                self._gallery().marks.throw(ids, person)
        except UserError as error:
            log.warning("a picture between two steps stays: %s", error)

    def _second_pass(self, picture: Picture) -> Following | None:
        """The second pass of a picture whose job asks for one."""
        request = picture.request
        if not isinstance(request, TextToImage) or not request.hires:
            return None
        image = self._uploads.inputs.keep(picture.image, self._label(request))
        return Following(self._resolve(second_pass(request, image, picture.image.size, picture.made_with)))

    def _label(self, request: Request) -> str:
        """How a picture that this request made came to be."""
        return source_of(request, self._uploads.inputs.source)

    def _past(self, chain: Chain, request: Details, job: Job) -> tuple[str, Following | None]:
        """Where a step finds nothing to draw."""
        said = "Nothing was found, so this step has left the picture as it was."
        return said, None if chain.is_last else self._following(chain.past(), request.image, job)

    def _made_before(self, job: Job, chain: Chain) -> None:
        """A kill has come between a picture and what follows it, so that is done now. Raises `LeftAsItWas`."""
        pictures = self._book.pictures_of(job.id)
        if not pictures:
            return
        self.entered(job, pictures[-1])
        image = "" if chain.is_last else self._uploads.adopt(pictures[-1], job.user, transparent=True).id
        raise LeftAsItWas("", self._following(chain.after(job.id), image, job) if image else None)

    def _following(self, chain: Chain, image: str, job: Job) -> Following:
        request, allowance = self._admit(chain.asked(image), job.user, job.owner)
        self._book.queue.check_hour(job.user, allowance)
        return Following(request, Carried(chain.written(), chain.words, chain.once), allowance.megapixels)

    def _is_marked(self, picture_id: str, person: Person) -> bool:
        known = self._gallery().details(picture_id, person)
        return bool(known["rating"] or known["favourite"] or known["boards"] or known["note"])


def admitted_unfound(
    request: Request, size: Callable[[str], Size], admit: Callable[[Request], tuple[Request, Allowance]]
) -> tuple[Request, Allowance]:
    """Admits a request; details that are looked for only when their turn comes have a box of the whole picture as long as that lasts."""
    if not isinstance(request, Details) or request.boxes:
        return admit(request)
    width, height = size(request.image)
    admitted, allowance = admit(replace(request, boxes=(DetailBox(right=width, bottom=height),)))
    return replace(admitted, boxes=()), allowance


def _person(job: Job) -> Person:
    return Person(job.user, job.owner)
