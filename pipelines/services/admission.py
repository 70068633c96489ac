"""Admission: a request as it may be queued, with everything it names looked up, or the sentence that says why it may not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from models.library.catalog import Catalog
from pipelines.job_book.room import EVERY, JOBS_A_USER, Allowance
from pipelines.metadata.two_passes import sized, with_own_first
from pipelines.people.people import People
from pipelines.requests.drawn_small import DrawnSmall
from pipelines.requests.request import Enlarge, Outpaint, Request, SecondPass, Upscale, Wordless, begins_with, listed_in
from pipelines.resolving.resolve import resolve
from pipelines.resolving.wording import with_words
from pipelines.resolving.wordless import resolved_wordless
from pipelines.services.finish_jobs import admitted_unfound
from pipelines.services.guests import DiskQuota, check_work, pixels_of
from pipelines.services.request_pictures import check_pictures
from pipelines.services.uploads import Uploads
from pipelines.wildcards.folders import WildcardFolders


class Admission:
    """Safe to call from any thread. Everything raises `UserError`."""

    def __init__(
        self, catalog: Catalog, uploads: Uploads, wildcards: WildcardFolders, people: People, disk: DiskQuota,
        check_maps: Callable[[Request], None],
    ) -> None:  # fmt: skip
        """`check_maps`: raises `UserError` when a preprocessor that a request names cannot run."""
        self._catalog, self._uploads, self._wildcards = catalog, uploads, wildcards
        self._people, self._disk, self._check_maps = people, disk, check_maps

    def allowance(self, user: str, owner: bool, pixels: float = 0.0) -> Allowance:
        """What a person may ask for. `pixels`: of what is asked for now. Raises `UserError` for a guest who may not draw."""
        if owner:
            return EVERY
        quota = self._people.allowance(user)
        return Allowance(quota.jobs or JOBS_A_USER, quota.megapixels, pixels / 1e6)

    def admitted(self, request: Request, user: str, owner: bool) -> tuple[Request, Allowance]:
        """As it may be queued, with everything it names looked up, and what its person may ask for."""
        if isinstance(request, SecondPass):
            request = with_own_first(request)
        if isinstance(request, DrawnSmall):
            request = replace(request, as_drawn="")
        check_pictures(self._uploads, request, user)
        if isinstance(request, SecondPass | Upscale):
            request = sized(request, self._uploads.size(request.image))
        if isinstance(request, Wordless):
            request = resolved_wordless(request, self._catalog, self._uploads.size(request.image))
        request = with_words(request, self._wildcards.shelf(fresh=True))
        begins = [use.id for use in listed_in(request)] or [begins_with(request)]
        sizes = [self._uploads.size(each) for each in begins] if isinstance(request, Outpaint | Enlarge) else []
        pixels = sum(pixels_of(request, size) for size in sizes) if sizes else pixels_of(request)
        allowance = self.allowance(user, owner, pixels)
        if not owner:
            check_work(request, *sizes)
            self._disk.check_job(user, request)
        resolved = self.resolved(request)
        self._check_maps(resolved)
        return resolved, allowance

    def step(self, request: Request, user: str, owner: bool) -> tuple[Request, Allowance]:
        """The same of a step of a finish, whose details may be looked for only when its turn has come."""
        return admitted_unfound(request, self._uploads.size, lambda asked: self.admitted(asked, user, owner))

    def resolved(self, request: Request) -> Request:
        """What it names, looked up, and nothing else."""
        return resolve(request, self._catalog)
