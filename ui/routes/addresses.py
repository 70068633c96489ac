"""Addresses: the one table of our own routes. What of Gradio is reached stands in `ui/door/gradio_part.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from starlette.requests import Request
from starlette.responses import Response

from pipelines import Studio
from ui.door.login import LoginRoutes
from ui.parts.depth_map import DepthViews
from ui.routes.details import DetailRoutes
from ui.routes.folders import FolderRoutes
from ui.routes.inputs import InputRoutes
from ui.routes.jobs import JobRoutes
from ui.routes.library import LibraryRoutes
from ui.routes.pictures import PictureRoutes
from ui.routes.queue import QueueRoutes
from ui.routes.readings import ReadingRoutes

Handler = Callable[[Request], Awaitable[Response]]
Address = tuple[str, str, Handler]  # method, path, handler


def addresses(studio: Studio, login: LoginRoutes, closing: asyncio.Event, asks_password: bool) -> Iterator[Address]:
    """All of them. `closing` is set when the server goes away: whoever waits is answered then."""
    yield from _jobs(studio, closing, asks_password)
    yield from _pictures(studio)
    yield from _library(LibraryRoutes(studio))
    yield from _elsewhere(ReadingRoutes(studio), FolderRoutes(studio))
    yield ("GET", "/login", login.show)
    yield ("POST", "/login", login.enter)
    yield ("POST", "/logout", login.leave)


def _jobs(studio: Studio, closing: asyncio.Event, asks_password: bool) -> Iterator[Address]:
    jobs, queue = JobRoutes(studio, closing, asks_password), QueueRoutes(studio, closing)
    yield ("GET", "/healthz", jobs.healthz)
    yield ("GET", "/current", jobs.current)
    yield ("GET", "/live/{job_id}", jobs.live)
    yield ("POST", "/jobs/{job_id}/stop", jobs.stop)
    yield ("POST", "/jobs/{job_id}/skip", jobs.skip)
    yield ("GET", "/queue", queue.news)
    for name, handler in queue.acts.items():
        yield ("POST", f"/queue/{name}", handler)


def _pictures(studio: Studio) -> Iterator[Address]:
    pictures, details, inputs = PictureRoutes(studio), DetailRoutes(studio), InputRoutes(studio)
    yield ("GET", "/picture/{picture_id}.png", pictures.picture)
    yield ("GET", "/picture/{picture_id}/details", details.details)
    yield ("GET", "/compare", details.compare)
    yield ("GET", "/thumb/{picture_id}", pictures.thumb)
    yield ("GET", "/example/{checkpoint_id}/{number:int}", pictures.example)
    yield ("POST", "/input", inputs.put)
    yield ("GET", "/input/{picture_id}.png", inputs.show)
    yield ("POST", "/depth/view", DepthViews(studio).show)


def _library(library: LibraryRoutes) -> Iterator[Address]:
    for method in ("GET", "POST"):  # a long question does not fit into an address
        yield (method, "/library", library.window)
        yield (method, "/library/headings", library.headings)
    yield ("GET", "/library/offers", library.offers)
    yield ("GET", "/library/boards", library.boards)
    yield ("POST", "/library/boards", library.create)
    yield ("POST", "/library/boards/{board_id}/{action}", library.board)
    yield ("GET", "/library/bin", library.bin)
    yield ("POST", "/library/bin/empty", library.empty)
    yield ("GET", "/library/pictures/{picture_id}", library.details)
    yield ("POST", "/library/pictures/{action}", library.mark)
    yield ("POST", "/library/zip", library.prepare)
    yield ("GET", "/library/zip/{zip_id}", library.zip)


def _elsewhere(readings: ReadingRoutes, folders: FolderRoutes) -> Iterator[Address]:
    yield ("POST", "/reading", readings.read)
    yield ("GET", "/folders", folders.show)
    yield ("POST", "/folders", folders.bring)
    yield ("POST", "/folders/stop", folders.stop)
    yield ("POST", "/folders/go-on", folders.go_on)
