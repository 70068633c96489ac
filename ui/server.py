"""The server: our own routes over HTTP, with Gradio mounted beneath them, all behind the guard and the login.

    request -> Forwarded, Published (ui/door/proxy.py): behind a proxy, who asks and for what
            -> Guard (ui/door/guard.py): hosts and origins          -> InTheClear (ui/door/encryption.py): https for others
            -> Broken (ui/door/failures.py): what to say when something breaks
            -> Reception (ui/door/reception.py): who asks           -> BodyGuard (ui/door/body_guard.py): what is brought
            -> GradioPart (ui/door/gradio_part.py): which calls     -> our routes, and the part of Gradio that the page uses

Roles are those of pipelines/people/roles.py: whoever sits at the machine is its owner, everybody else is what their link makes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from models.errors import UserError
from pipelines import BookError, Studio
from ui.door.bodies import Limits
from ui.door.body_guard import BodyGuard
from ui.door.compression import Compressed
from ui.door.csp import Numbered
from ui.door.encryption import InTheClear
from ui.door.failures import Broken
from ui.door.gradio_part import GradioPart
from ui.door.guard import Guard
from ui.door.local_name import LocalName
from ui.door.login import LoginRoutes
from ui.door.page_state import keep_little
from ui.door.proxy import Forwarded, PublicUrl, Published, Rooted
from ui.door.reach import Reach
from ui.door.reception import Reception
from ui.door.roles import declared, role_of, routed, undeclared, user_of
from ui.door.serving import serve
from ui.door.tunnel import Tunnels
from ui.door.uploads import UploadFolder
from ui.gradio_import import gradio_stubs_untouched, no_application
from ui.gradio_types import Keyword, queue_of
from ui.parts.assets import Assets, faces, head, page_assets
from ui.routes.addresses import addresses
from ui.routes.jobs import sorry

if TYPE_CHECKING:
    from ui.door.certificate import Certificate

with gradio_stubs_untouched():
    import gradio as gr
    from gradio.routes import App
    from gradio.utils import get_upload_folder

__all__ = ["Door", "create_app", "role_of", "serve", "user_of"]

QUEUE_PAUSE = 0.02  # seconds between looks into Gradio's queue; its own millisecond keeps a core busy at 7 % while nobody does anything
PROGRESS_PAUSE = 1.0  # seconds; the same for Gradio's own progress bars, of which there are none here: it looks a hundred times a second
STATISTICS = 100  # events that Gradio counts for a page of statistics that is shut


@dataclass(frozen=True)
class Door:
    """The door of the studio: how it may be reached. The default is for one person at their own machine."""

    hosts: frozenset[str] = frozenset()  # names and addresses besides the loopback ones, without a port
    own_address: bool = False  # also answer to the address a connection arrived at: for a server that listens on all of them
    password: str | None = field(default=None, repr=False)  # a way in besides links
    listens: str = ""  # the address that the server listens on, for those of links
    limits: Limits = field(default_factory=Limits)
    public: PublicUrl | None = None  # where a proxy shows the studio
    certificate: Certificate | None = None  # of the HTTPS that is spoken with others; None where all is in the clear
    tunnels: Tunnels = field(default_factory=Tunnels)  # that its owner may open
    local_name: LocalName = field(default_factory=LocalName)
    proxies: frozenset[str] = frozenset()  # addresses and networks whose word about visitors is taken


def create_app(studio: Studio, blocks_factory: Callable[[Studio], gr.Blocks], door: Door, **look: Keyword) -> FastAPI:
    """The whole application. `look` is what `gr.mount_gradio_app` takes for it: theme, css, js, favicon_path (see ui/parts/theme.py).

    Raises `RuntimeError` when a handler of the page declares no role.
    """
    blocks, assets = _build(studio, blocks_factory)
    studio.people.care.password(door.password)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.closing = asyncio.Event()
    own = door.certificate is not None and door.certificate.authority is not None
    login = LoginRoutes(studio.people, faces(assets.fonts, "static/"), own)
    reach = Reach(door.listens, door.public, door.certificate, door.tunnels, door.local_name)
    for method, path, least, handler in addresses(studio, login, app.state.closing, reach):
        app.add_route(path, routed(handler, least), methods=[method])
    entries = [route for route in app.routes if declared(getattr(route, "endpoint", None)) == "anyone"]
    # Gradio has a /logout that a link can call.
    app.add_route("/logout", _only_by_post, methods=["GET"])
    for asset in assets.files:
        app.add_route(asset.path, asset.answer, methods=["GET"])
    ours = list(app.routes)
    uploads = UploadFolder(get_upload_folder())
    studio.disk.counts_too(uploads.bytes_of)
    _mount(app, blocks, door, look)
    hosts = door.hosts | ({door.public.name} if door.public else frozenset[str]())
    # The last one added is the first that a request meets.
    app.add_middleware(Rooted)
    app.add_middleware(Numbered, head=head(assets))
    app.add_middleware(GradioPart, blocks=blocks, ours=lambda scope: any(route.matches(scope)[0] != Match.NONE for route in ours))
    app.add_middleware(Compressed)
    app.add_middleware(BodyGuard, uploads=uploads, limits=door.limits, room=studio.disk.check)
    app.add_middleware(
        Reception,
        people=studio.people,
        opened=lambda path: any(route.matches({"type": "http", "method": "GET", "path": path})[0] != Match.NONE for route in entries),
        proxied=bool(door.public or door.proxies),
        owner_seen=studio.disk.free,
        faces=[face.path for face in assets.fonts.values()],
    )
    app.add_middleware(Broken)
    if door.certificate:
        app.add_middleware(InTheClear)
    app.add_middleware(Guard, hosts=hosts, own_address=door.own_address, tunnel=lambda: door.tunnels.public)
    app.add_middleware(Published, public=door.public, tunnel=lambda: door.tunnels.public)
    app.add_middleware(Forwarded, proxies=door.proxies)
    app.add_exception_handler(BookError, _not_now)
    return app


def _build(studio: Studio, blocks_factory: Callable[[Studio], gr.Blocks]) -> tuple[gr.Blocks, Assets]:
    """The page and its files. To compress these well takes a while, which is passed beside the page."""
    with ThreadPoolExecutor(1) as beside, no_application():
        assets = beside.submit(page_assets)
        blocks = blocks_factory(studio)
    if missing := undeclared(blocks):
        raise RuntimeError(f"These handlers declare no role (see ui/door/roles.py): {', '.join(missing)}")
    return blocks, assets.result()


def _mount(app: FastAPI, blocks: gr.Blocks, door: Door, look: dict[str, Keyword]) -> None:
    shut: dict[str, Keyword] = {
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
    gr.mount_gradio_app(app, blocks, path="/", **(look | shut))  # pyright: ignore[reportUnknownMemberType]  # annotated in part
    queue = queue_of(blocks)
    queue.sleep_when_free = QUEUE_PAUSE
    queue.progress_update_sleep_when_free = PROGRESS_PAUSE
    gradio: App = getattr(app.routes[-1], "app")  # noqa: B009 - what was mounted
    blocks.app = gradio
    keep_little(blocks, gradio)
    queue.ANALYTICS_MAX_EVENTS = STATISTICS
    for sort, answer in ((gr.Error, _refused), (UserError, _refused), (BookError, _not_now)):
        gradio.add_exception_handler(sort, answer)


async def _refused(request: Request, error: Exception) -> Response:
    # A function of a component has refused, with its sentence.
    sentence = str(getattr(error, "sentence", None) or getattr(error, "message", error))
    return JSONResponse({"message": sentence, "detail": sentence, "error": sentence}, 422)


async def _not_now(request: Request, error: Exception) -> Response:
    return sorry(str(error), 503)  # the list of jobs cannot be read or written


async def _only_by_post(request: Request) -> Response:
    return sorry("Log out with the button.", 405)
