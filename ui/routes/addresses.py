"""Addresses: the one table of our own routes. What of Gradio is reached stands in `ui/door/gradio_part.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from starlette.requests import Request
from starlette.responses import Response

from pipelines import Studio
from ui.door.login import LoginRoutes
from ui.door.reach import Reach
from ui.door.roles import Role
from ui.door.trust import TrustRoutes
from ui.parts.depth_map import DepthViews
from ui.routes.clips import ClipRoutes
from ui.routes.comments import CommentRoutes
from ui.routes.details import DetailRoutes
from ui.routes.finishes import FinishRoutes
from ui.routes.folders import FolderRoutes
from ui.routes.grids import GridRoutes
from ui.routes.inputs import InputRoutes
from ui.routes.inside import InsideRoutes
from ui.routes.jobs import JobRoutes
from ui.routes.library import LibraryRoutes
from ui.routes.people import PeopleRoutes
from ui.routes.pictures import PictureRoutes
from ui.routes.presets import PresetRoutes
from ui.routes.queue import QueueRoutes
from ui.routes.reach import ReachRoutes
from ui.routes.readings import ReadingRoutes
from ui.routes.steps import StepRoutes
from ui.routes.together import TogetherRoutes
from ui.routes.writing import WritingRoutes

LEAST_IN_QUEUE: dict[str, Role] = {"cancel": "viewer", "pause": "viewer", "give_back": "viewer"}  # one may always stop what one began
Handler = Callable[[Request], Awaitable[Response]]
Address = tuple[str, str, Role, Handler]  # method, path, the least role that it serves, handler


def addresses(studio: Studio, login: LoginRoutes, closing: asyncio.Event, reach: Reach) -> Iterator[Address]:
    """All of them. `closing` is set when the server goes away: whoever waits is answered then."""
    yield from _jobs(studio, closing, reach)
    yield from _pictures(studio)
    yield from _steps(StepRoutes(studio))
    yield from _clips(ClipRoutes(studio))
    yield from _comments(CommentRoutes(studio))
    yield from _library(LibraryRoutes(studio))
    yield from _elsewhere(ReadingRoutes(studio), FolderRoutes(studio))
    yield from _finishes(FinishRoutes(studio))
    yield from _grids(GridRoutes(studio, closing))
    yield from _presets(PresetRoutes(studio))
    yield from _writing(WritingRoutes(studio))
    yield from _inside(InsideRoutes(studio))
    yield from _people(PeopleRoutes(studio, reach))
    yield from _reach(ReachRoutes(reach, studio.people.care), TrustRoutes(reach.certificate, login.faces))
    together = TogetherRoutes(studio, closing)
    yield ("GET", "/together/{board_id}", "viewer", together.news)
    yield ("POST", "/together/{board_id}", "viewer", together.look)
    yield ("GET", "/join/{token}", "anyone", login.join)
    yield ("GET", "/login", "anyone", login.show)
    yield ("POST", "/login", "anyone", login.enter)
    yield ("POST", "/logout", "viewer", login.leave)


def _jobs(studio: Studio, closing: asyncio.Event, reach: Reach) -> Iterator[Address]:
    jobs, queue = JobRoutes(studio, closing, reach), QueueRoutes(studio, closing)
    yield ("GET", "/healthz", "anyone", jobs.healthz)
    yield ("GET", "/current", "viewer", jobs.current)
    yield ("GET", "/live/{job_id}", "viewer", jobs.live)
    yield ("POST", "/jobs/{job_id}/stop", "viewer", jobs.stop)
    yield ("POST", "/jobs/{job_id}/skip", "viewer", jobs.skip)
    yield ("GET", "/queue", "viewer", queue.news)
    for name, handler in queue.acts.items():
        yield ("POST", f"/queue/{name}", LEAST_IN_QUEUE.get(name, "artist"), handler)


def _pictures(studio: Studio) -> Iterator[Address]:
    pictures, details, inputs = PictureRoutes(studio), DetailRoutes(studio), InputRoutes(studio)
    yield ("GET", "/picture/{picture_id}.png", "viewer", pictures.picture)
    yield ("GET", "/picture/{picture_id}/details", "viewer", details.details)
    yield ("GET", "/picture/{picture_id}/lineage", "viewer", details.lineage)
    yield ("GET", "/compare", "viewer", details.compare)
    yield ("GET", "/thumb/{picture_id}", "viewer", pictures.thumb)
    yield ("POST", "/picture/{picture_id}/reveal", "viewer", pictures.reveal)
    yield ("GET", "/example/{checkpoint_id}/{number:int}", "viewer", pictures.example)
    yield ("POST", "/input", "artist", inputs.put)
    yield ("GET", "/input/{picture_id}.png", "viewer", inputs.show)
    yield ("POST", "/depth/view", "artist", DepthViews(studio).show)


def _steps(steps: StepRoutes) -> Iterator[Address]:
    yield ("GET", "/picture/{picture_id}/steps", "viewer", steps.steps)
    yield ("GET", "/picture/{picture_id}/steps/{leg:int}/{step:int}.jpg", "viewer", steps.preview)
    yield ("GET", "/picture/{picture_id}/steps.webp", "viewer", steps.film)
    yield ("POST", "/picture/{picture_id}/steps/keep", "artist", steps.keep)
    yield ("POST", "/picture/{picture_id}/steps/branch", "artist", steps.branch)


def _clips(clips: ClipRoutes) -> Iterator[Address]:
    yield ("GET", "/picture/{picture_id}/frames/{number:int}.jpg", "viewer", clips.frame)
    yield ("GET", "/picture/{picture_id}/frames/{number:int}.png", "viewer", clips.exact)
    yield ("GET", "/thumb/{picture_id}/moving", "viewer", clips.moving)
    yield ("GET", "/clips", "owner", clips.files)
    yield ("POST", "/clips", "owner", clips.keep)


def _comments(comments: CommentRoutes) -> Iterator[Address]:
    yield ("GET", "/picture/{picture_id}/comments", "viewer", comments.show)
    yield ("POST", "/picture/{picture_id}/comments", "commenter", comments.add)
    yield ("POST", "/comments/{comment_id}/settle", "commenter", comments.settle)
    yield ("POST", "/comments/{comment_id}/delete", "viewer", comments.remove)  # one may always take back what one said


def _library(library: LibraryRoutes) -> Iterator[Address]:
    for method in ("GET", "POST"):  # a long question does not fit into an address
        yield (method, "/library", "viewer", library.window)
        yield (method, "/library/headings", "viewer", library.headings)
    yield ("GET", "/library/offers", "viewer", library.offers)
    yield ("GET", "/library/boards", "viewer", library.boards)
    yield ("POST", "/library/boards", "artist", library.create)
    yield ("POST", "/library/boards/{board_id}/{action}", "artist", library.board)
    yield ("GET", "/library/bin", "viewer", library.bin)
    yield ("POST", "/library/bin/empty", "artist", library.empty)
    yield ("GET", "/library/pictures/{picture_id}", "viewer", library.details)
    yield ("POST", "/library/pictures/{action}", "artist", library.mark)
    yield ("POST", "/library/zip", "viewer", library.prepare)
    yield ("GET", "/library/zip/{zip_id}", "viewer", library.zip)


def _finishes(finishes: FinishRoutes) -> Iterator[Address]:
    yield ("GET", "/finishes", "artist", finishes.show)
    yield ("POST", "/finishes", "artist", finishes.save)
    yield ("POST", "/finishes/delete", "artist", finishes.delete)
    yield ("POST", "/finishes/step", "artist", finishes.step)
    yield ("POST", "/finishes/plan", "artist", finishes.plan)
    yield ("POST", "/finishes/apply", "artist", finishes.apply)


def _grids(grids: GridRoutes) -> Iterator[Address]:
    yield ("GET", "/grids", "viewer", grids.show)
    yield ("POST", "/grids", "artist", grids.begin)
    yield ("POST", "/grids/axes", "artist", grids.axes)
    yield ("POST", "/grids/plan", "artist", grids.plan)
    yield ("POST", "/grids/ways", "artist", grids.ways)
    yield ("GET", "/grids/{grid_id}", "viewer", grids.news)
    yield ("GET", "/grids/{grid_id}/sheet.png", "viewer", grids.sheet)
    yield ("GET", "/grids/{grid_id}/page.html", "viewer", grids.page)
    yield ("POST", "/grids/{grid_id}/stop", "viewer", grids.stop)  # one may always stop what one began
    yield ("POST", "/grids/{grid_id}/remove", "viewer", grids.remove)
    yield ("POST", "/grids/{grid_id}/go-on", "artist", grids.go_on)
    yield ("POST", "/grids/{grid_id}/change", "artist", grids.change)
    yield ("POST", "/grids/{grid_id}/again", "artist", grids.again)
    yield ("POST", "/grids/{grid_id}/look", "artist", grids.look)


def _presets(presets: PresetRoutes) -> Iterator[Address]:
    yield ("GET", "/presets", "artist", presets.show)
    yield ("POST", "/presets", "artist", presets.save)
    yield ("POST", "/presets/delete", "artist", presets.delete)
    yield ("POST", "/presets/parts", "artist", presets.parts)
    yield ("POST", "/presets/one", "artist", presets.one)
    yield ("POST", "/presets/look", "artist", presets.look)
    yield ("POST", "/presets/file", "artist", presets.bring)
    yield ("GET", "/presets/file", "artist", presets.export)
    yield ("POST", "/presets/picture", "artist", presets.set_picture)
    yield ("GET", "/presets/{preset_id}/picture", "artist", presets.picture)


def _writing(writing: WritingRoutes) -> Iterator[Address]:
    yield ("POST", "/complete", "artist", writing.complete)
    yield ("GET", "/prompts", "artist", writing.prompts)
    yield ("POST", "/tokens", "viewer", writing.tokens)
    yield ("GET", "/cards/{model_id}/picture", "viewer", writing.picture)
    yield ("POST", "/cards/picture", "owner", writing.set_picture)


def _inside(inside: InsideRoutes) -> Iterator[Address]:
    yield ("POST", "/inside/stop", "viewer", inside.stop)
    yield ("GET", "/inside/{picture_id}", "viewer", inside.picture)
    yield ("GET", "/inside/{picture_id}/{part}", "viewer", inside.look)
    yield ("POST", "/inside/{picture_id}/{part}", "artist", inside.begin)
    yield ("GET", "/inside/{picture_id}/{part}/{name}", "viewer", inside.file)


def _elsewhere(readings: ReadingRoutes, folders: FolderRoutes) -> Iterator[Address]:
    yield ("POST", "/reading", "artist", readings.read)
    yield ("POST", "/check", "viewer", readings.check)
    yield ("GET", "/signing", "owner", readings.signing)
    yield ("POST", "/signing", "owner", readings.switch)
    yield ("GET", "/folders", "owner", folders.show)
    yield ("POST", "/folders", "owner", folders.bring)
    yield ("POST", "/folders/stop", "owner", folders.stop)
    yield ("POST", "/folders/go-on", "owner", folders.go_on)


def _people(people: PeopleRoutes) -> Iterator[Address]:
    yield ("GET", "/people", "co-owner", people.news)
    yield ("POST", "/people/links", "co-owner", people.make)
    yield ("POST", "/people/links/{link_id}/address", "co-owner", people.renew)
    yield ("POST", "/people/links/{link_id}/change", "co-owner", people.change)
    yield ("POST", "/people/links/{link_id}/thank", "co-owner", people.thank)
    yield ("POST", "/people/links/{link_id}/take-back", "co-owner", people.take_back)
    yield ("POST", "/people/persons/{person:int}/role", "co-owner", people.set_role)
    yield ("POST", "/people/persons/{person:int}/hold", "co-owner", people.hold)
    yield ("POST", "/people/hold", "owner", people.hold_all)
    yield ("POST", "/people/move", "viewer", people.move)


def _reach(reach: ReachRoutes, trust: TrustRoutes) -> Iterator[Address]:
    yield ("GET", "/reach", "owner", reach.news)
    yield ("POST", "/reach/tunnel", "owner", reach.open)
    yield ("POST", "/reach/tunnel/close", "owner", reach.close)
    yield ("GET", "/certificate", "anyone", trust.show)
    yield ("GET", "/certificate/studio.crt", "anyone", trust.give)
