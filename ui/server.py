"""The HTTP side of the studio: our own routes, with Gradio mounted beneath them, all behind the guard and the login.

    request -> Guard (ui/guard.py) -> Reception (ui/login.py) -> our routes -> the part of Gradio that the page uses

Roles are those of ui/roles.py: whoever sits at the machine is its owner, everybody else who was let in is an artist.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from models.errors import UserError
from pipelines import BookError, Studio
from ui.bodies import Limits
from ui.depth_map import DepthViews
from ui.guard import Guard
from ui.inputs import InputDesk
from ui.login import LoginDesk, Reception, Sessions
from ui.pictures import PictureDesk
from ui.policy import Numbered
from ui.quick_gradio import gradio_stubs_untouched
from ui.roles import role_of, undeclared, user_of
from ui.uploads import UploadFolder

with gradio_stubs_untouched():
    import gradio as gr
    from gradio.utils import get_upload_folder

__all__ = ["Door", "create_app", "role_of", "serve", "user_of"]

LONG_POLL = 20.0  # seconds
QUEUE_PAUSE = 0.02  # seconds between looks into Gradio's queue; its own millisecond keeps a core busy at 7 % while nobody does anything
PROGRESS_PAUSE = 1.0  # seconds; the same for Gradio's own progress bars, of which there are none here: it looks a hundred times a second
# What the page needs of Gradio. It has more: saved runs, a proxy, an editor of its own code. Those stay shut.
GRADIO_PAGES = frozenset({"/", "/config", "/theme.css", "/favicon.ico", "/robots.txt"})
GRADIO_FILES = ("/assets/", "/static/", "/svelte/", "/gradio_api/file=", "/gradio_api/call/", "/gradio_api/run/", "/gradio_api/heartbeat/")
GRADIO_CALLS = frozenset(f"/gradio_api/{name}" for name in (
    "info", "upload", "upload_progress", "queue/join", "queue/data", "queue/status", "component_server", "cancel", "reset",
    "startup-events", "app_id",
))  # fmt: skip
TEXT_PAGES = frozenset({"/", "/config", "/gradio_api/info", "/login"})


@dataclass(frozen=True)
class Door:
    """How the studio may be reached. The default is for one person at their own machine."""

    hosts: frozenset[str] = frozenset()  # names and addresses besides the loopback ones, without a port
    own_address: bool = False  # also answer to the address a connection arrived at: for a server that listens on all of them
    password: str | None = field(default=None, repr=False)
    limits: Limits = field(default_factory=Limits)


def create_app(studio: Studio, blocks_factory: Callable[[Studio], gr.Blocks], door: Door, **look: Any) -> FastAPI:
    """The whole application. `look` is what `gr.mount_gradio_app` takes for it: theme, css, js, head, favicon_path (see ui/theme.py).

    Raises `RuntimeError` when a handler of the page declares no role.
    """
    blocks = blocks_factory(studio)
    if missing := undeclared(blocks):
        raise RuntimeError(f"These handlers declare no role (see ui/roles.py): {', '.join(missing)}")
    sessions = Sessions(door.password)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.closing = asyncio.Event()
    desk = Desk(studio, app.state.closing, door.password is not None)
    _add_routes(app, desk, PictureDesk(studio), InputDesk(studio), DepthViews(studio), LoginDesk(sessions))
    _mount(app, blocks, door, look)
    # The last one added is the first that a request meets.
    app.add_middleware(Numbered, head=str(look.get("head") or ""))
    app.add_middleware(GradioPart)
    app.add_middleware(Compressed)
    app.add_middleware(Reception, sessions=sessions)
    uploads = UploadFolder(get_upload_folder())
    app.add_middleware(Guard, uploads=uploads, hosts=door.hosts, own_address=door.own_address, limits=door.limits)
    app.add_exception_handler(BookError, _not_now)
    app.add_exception_handler(Exception, _broke)
    return app


class Desk:
    """The handlers of a job's routes."""

    def __init__(self, studio: Studio, closing: asyncio.Event, asks_password: bool = False) -> None:
        self.studio = studio
        self.closing = closing
        self.asks_password = asks_password

    async def live(self, request: Request) -> Response:
        """The progress of a job as soon as it is newer than `after`, or after 20 seconds."""
        after = request.query_params.get("after", "-1")
        if not after.removeprefix("-").isdecimal() or len(after) > 16:
            return _sorry("“after” must be a whole number.", 400)
        watch = asyncio.ensure_future(self.studio.watch(request.path_params["job_id"], user_of(request), int(after), LONG_POLL))
        closing = asyncio.ensure_future(self.closing.wait())
        try:
            await asyncio.wait({watch, closing}, return_when=asyncio.FIRST_COMPLETED)
            return JSONResponse(watch.result()) if watch.done() else _sorry("The studio is closing.", 503)
        except UserError as error:
            return _sorry(str(error), 404)
        finally:
            watch.cancel()
            closing.cancel()

    async def current(self, request: Request) -> Response:
        state, message = self.studio.engine_state()
        job = await asyncio.to_thread(self.studio.current, user_of(request))
        news = {"job": job, "engine": {"state": state, "message": message}}
        return JSONResponse(news | {"library": self.studio.library.version, "login": self.asks_password})

    async def stop(self, request: Request) -> Response:
        return await self._act(self.studio.stop, request)

    async def skip(self, request: Request) -> Response:
        return await self._act(self.studio.skip, request)

    async def healthz(self, request: Request) -> Response:
        return JSONResponse({"ok": True})

    async def _act(self, action: Callable[[str, str], None], request: Request) -> Response:
        try:
            await asyncio.to_thread(action, request.path_params["job_id"], user_of(request))
        except UserError as error:
            return _sorry(str(error), 404)
        return JSONResponse({"ok": True})


class GradioPart:
    """Shuts the routes of Gradio that the page does not use."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.ours = frozenset({"/healthz", "/login", "/logout", "/current", "/input", "/depth/view"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._open(scope["path"]):
            await _sorry("There is nothing here.", 404)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _open(self, path: str) -> bool:
        if path in self.ours or path.startswith(("/live/", "/picture/", "/thumb/", "/input/", "/jobs/")):
            return True
        return path in GRADIO_PAGES or path.rstrip("/") in GRADIO_CALLS or path.startswith(GRADIO_FILES)


class Compressed:
    """Compresses the pages and what they are configured with; Gradio does it for its scripts, and pictures do not shrink."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.smaller = GZipMiddleware(app, minimum_size=1000, compresslevel=5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        chosen = self.smaller if scope["type"] == "http" and scope["path"] in TEXT_PAGES else self.app
        await chosen(scope, receive, send)


def _add_routes(app: FastAPI, desk: Desk, pictures: PictureDesk, inputs: InputDesk, depths: DepthViews, login: LoginDesk) -> None:
    for path, handler in (
        ("/healthz", desk.healthz),
        ("/current", desk.current),
        ("/live/{job_id}", desk.live),
        ("/picture/{picture_id}.png", pictures.picture),
        ("/thumb/{picture_id}", pictures.thumb),
        ("/input/{picture_id}.png", inputs.show),
        ("/login", login.show),
    ):
        app.add_route(path, handler, methods=["GET"])
    for path, handler in (
        ("/jobs/{job_id}/stop", desk.stop),
        ("/jobs/{job_id}/skip", desk.skip),
        ("/input", inputs.put),
        ("/depth/view", depths.show),
        ("/login", login.enter),
        ("/logout", login.leave),
    ):
        app.add_route(path, handler, methods=["POST"])
    # Gradio has a /logout that a link can call.
    app.add_route("/logout", _only_by_post, methods=["GET"])


def _mount(app: FastAPI, blocks: gr.Blocks, door: Door, look: dict[str, Any]) -> None:
    shut: dict[str, Any] = {
        "show_error": False,  # what an exception says stays in the log
        "allowed_paths": [],
        "max_file_size": door.limits.upload,
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "mcp_server": False,
        "pwa": False,
        "footer_links": [],
        "app_kwargs": {"docs_url": None, "redoc_url": None, "openapi_url": None},
    }
    gr.mount_gradio_app(app, blocks, path="/", **(look | shut))
    blocks._queue.sleep_when_free = QUEUE_PAUSE
    blocks._queue.progress_update_sleep_when_free = PROGRESS_PAUSE


async def _only_by_post(request: Request) -> Response:
    return _sorry("Log out with the button.", 405)


async def _not_now(request: Request, error: Exception) -> Response:
    return _sorry(str(error), 503)  # the list of jobs cannot be read or written


async def _broke(request: Request, error: Exception) -> Response:
    # The traceback goes to the log: Starlette raises the error again behind this answer.
    return _sorry("Something broke in the studio. Its log says what.", 500)


def _sorry(message: str, status: int) -> JSONResponse:
    return JSONResponse({"message": message}, status)


def open_socket(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `UserError` when the address or the port is not to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise UserError(f"The studio cannot open {host} port {port} ({error.strerror}). Choose another with --port.") from error
    return listener


class _Server(uvicorn.Server):
    """Tells when the page can be opened, and sends the waiting long-polls home before it closes."""

    def __init__(self, app: FastAPI, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._closing: asyncio.Event = app.state.closing
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._closing.set()
        await super().shutdown(sockets)


def serve(app: FastAPI, host: str, port: int, ready: Callable[[int], None] = lambda port: None) -> None:
    """Serves until Ctrl+C or SIGTERM, then closes within about two seconds. Calls `ready` with the real port once it answers.

    Raises `UserError` when the address is taken.
    """
    listener = open_socket(host, port)
    config = uvicorn.Config(
        app,
        http="h11",  # it keeps an absolute address in the request line visible, and refuses two Host headers
        ws="none",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=65_536,
    )
    server = _Server(app, config, lambda: ready(listener.getsockname()[1]))
    with suppress(KeyboardInterrupt):  # uvicorn closes first and raises afterwards
        server.run(sockets=[listener])
