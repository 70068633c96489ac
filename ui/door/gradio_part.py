"""Gradio's part that the page uses, in one table, and how it is asked: nothing that a visitor sends breaks it.

A call is read here, before Gradio sees it: it names a handler that there is, with as many values as that takes, and the visitor's role
suffices. The session's name is then given the visitor's own in front: whoever knows another's session reads, cancels and joins
nothing of it.
"""

from __future__ import annotations

import asyncio
import functools
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import quote

from starlette.types import ASGIApp, Receive, Scope, Send

from models.json_values import is_list, is_table
from ui.door.addresses import network, peer_of
from ui.door.arguments import check_argument
from ui.door.bodies import Refused, refuse
from ui.door.body_guard import replay
from ui.door.gradio_call import GradioCall
from ui.door.roles import Role, declared
from ui.gradio_import import gradio_stubs_untouched
from ui.gradio_types import handler_of, number_of, queue_of

with gradio_stubs_untouched():
    import gradio as gr
    from gradio.block_function import BlockFunction
    from gradio_client.utils import construct_args  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

Endpoint = dict[str, Any]  # Any: what Gradio says of one of its calls
API = "/gradio_api"
UPLOAD = f"{API}/upload"
UPLOADS: Role = "artist"  # the least role that puts in a file
# What the page needs of Gradio. It has more: saved runs, a proxy, an editor of its own code. Those stay shut.
PAGES = frozenset({"/", "/config", "/theme.css", "/favicon.ico", "/robots.txt", f"{API}/info", f"{API}/startup-events", f"{API}/app_id",
                   f"{API}/queue/status", UPLOAD})  # fmt: skip
FILES = ("/assets/", "/static/", "/svelte/", f"{API}/file=")
AT_ONCE = 6  # functions of components that run for one address at the same time, in threads of which there are 40
WAITING = 100  # of them that run or wait; a page asks for some 30 when it is opened
SESSIONS = 2_000  # that Gradio keeps the ends of events for
NOTHING = "There is nothing here. A studio that a proxy shows below a path of another site is started with --public-url https://NAME/PATH."


class GradioPart:
    """ASGI middleware in front of Gradio and of our own routes; `ours` says whether a request is for one of those."""

    def __init__(self, app: ASGIApp, blocks: gr.Blocks, ours: Callable[[Scope], bool]) -> None:
        self.app = app
        self.blocks = blocks
        self.ours = ours
        self._places = Places()
        self._calls: dict[tuple[str, str], Callable[[GradioCall], Scope]] = {
            ("POST", "queue/join"): self._join,
            ("POST", "call/{}"): self._call,
            ("POST", "call/v2/{}"): self._call_by_name,
            ("POST", "run/{}"): self._run,
            ("POST", "component_server"): self._component,
            ("POST", "cancel"): self._cancel,
            ("POST", "reset"): self._reset,
            ("GET", "queue/data"): self._stream,
            ("GET", "heartbeat/{}"): self._heartbeat,
            ("GET", "call/{}/{}"): self._event,
            ("GET", "call/v2/{}/{}"): self._event,
            ("GET", "upload_progress"): self._progress,
        }

    @property
    def calls(self) -> list[tuple[str, str]]:
        """Method and path of every call that is let through, `{}` for what may vary."""
        return [(method, f"{API}/{path}") for method, path in self._calls]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self.ours(scope):
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        try:
            if path in PAGES or path.removesuffix("/") in PAGES or path.startswith(FILES):
                await self.app(self._uploading(scope), receive, send)
            else:
                await self._asked(scope, receive, send)
        except Refused as refusal:
            await refuse(refusal, {**scope, "method": "GET"}, receive, send)

    async def _asked(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        found = ((way, each, _names(pattern, scope["path"])) for (way, pattern), each in self._calls.items())
        known = [(way, each, names) for way, each, names in found if names is not None]
        if not known:
            raise Refused(404, NOTHING)
        call, names = next(((each, names) for way, each, names in known if way == method), (None, ()))
        if call is None:
            raise Refused(405, f"This takes {known[0][0]}.")
        asked = GradioCall(scope, names)
        passed = call(asked)
        told = replay(asked.body, receive) if asked.body is not None else receive
        if call != self._component:
            await self.app(passed, told, send)
            return
        async with self._places.one("owner" if asked.visitor.role == "owner" else network(peer_of(scope))):
            await self.app(passed, told, send)

    def _uploading(self, scope: Scope) -> Scope:
        """Who may put pictures in may put in files. The progress of an upload is asked for by a name that the page makes up."""
        if scope["path"].rstrip("/") != UPLOAD:
            return scope
        asked = GradioCall(scope, ())
        if refusal := asked.visitor.refusal(UPLOADS):
            raise Refused(403, refusal)
        if not scope["query_string"]:
            return scope
        return asked.with_query(upload_id=asked.own(asked.query("upload_id")))

    def _join(self, asked: GradioCall) -> Scope:
        return asked.passed(self._checked(asked, self._numbered(asked)), asked.session())

    def _run(self, asked: GradioCall) -> Scope:
        fn = self._named(asked) if asked.value("fn_index") is None else self._numbered(asked)
        given = self._checked(asked, fn)
        return asked.passed(given, asked.session() if asked.value("session_hash") else asked.made_up())

    def _call(self, asked: GradioCall) -> Scope:
        fn = self._named(asked)
        return asked.passed({"data": self._values(asked, fn, asked.value("data"))}, asked.made_up())

    def _call_by_name(self, asked: GradioCall) -> Scope:
        """Names and values; Gradio is given them as a list, in its order."""
        fn, api_name = self._named(asked), asked.names[0]
        endpoint = self._endpoints.get(f"/{api_name}")
        if endpoint is None:
            raise Refused(404, "There is no call of this name.")
        try:
            values = cast(list[object], construct_args(endpoint["parameters"], (), dict(asked.json())))
        except TypeError:
            known = ", ".join(parameter["parameter_name"] for parameter in endpoint["parameters"])
            raise Refused(422, f"This call takes these fields: {known[:600]}.") from None
        asked.move(f"{API}/call/{quote(api_name)}")
        return asked.passed({"data": self._values(asked, fn, values)}, asked.made_up())

    @functools.cached_property
    def _endpoints(self) -> dict[str, Endpoint]:
        return dict(cast(dict[str, dict[str, Endpoint]], self.blocks.get_api_info())["named_endpoints"])

    def _component(self, asked: GradioCall) -> Scope:
        number, name = asked.whole("component_id"), asked.text("fn_name")
        block = self.blocks.blocks.get(number)
        served = {function.__name__: function for function in getattr(block, "server_fns", ())}
        function = served.get(name)
        if function is None:
            raise Refused(404, "There is no such function on the page.")
        self._may(asked, function)
        check_argument(function, asked.value("data"))
        return asked.passed({"component_id": number, "fn_name": name, "data": asked.value("data")}, asked.session())

    def _cancel(self, asked: GradioCall) -> Scope:
        session, event = asked.session(), asked.text("event_id")
        if event not in self._events().get(session, ()):
            raise Refused(404, "There is nothing of yours to cancel.")
        return asked.passed({"fn_index": asked.whole("fn_index"), "event_id": event}, session)

    def _reset(self, asked: GradioCall) -> Scope:
        self._check_event(asked, asked.text("event_id"))
        return asked.passed({"event_id": asked.text("event_id")}, None)

    def _event(self, asked: GradioCall) -> Scope:
        self._check_event(asked, asked.names[-1])
        return asked.scope

    def _stream(self, asked: GradioCall) -> Scope:
        session = asked.own(asked.query("session_hash"))
        if session not in queue_of(self.blocks).pending_messages_per_session:
            raise Refused(404, "There is no such session of yours.")  # Gradio would break off with an exception
        return asked.with_query(session_hash=session)

    def _progress(self, asked: GradioCall) -> Scope:
        return asked.with_query(upload_id=asked.own(asked.query("upload_id")))

    def _heartbeat(self, asked: GradioCall) -> Scope:
        asked.move(f"{API}/heartbeat/{asked.own(asked.names[0])}")
        return asked.scope

    def _events(self) -> dict[str, set[str]]:
        """Events by session. Those of sessions that nobody will ask for again are let go: Gradio keeps them for ever."""
        queue = queue_of(self.blocks)
        events = queue.pending_event_ids_session
        if len(events) > SESSIONS:
            for session in [session for session in events if session not in queue.pending_messages_per_session]:
                events.pop(session, None)
        return events

    def _check_event(self, asked: GradioCall, event: str) -> None:
        own = (events for session, events in self._events().items() if session.startswith(asked.prefix))
        if not any(event in events for events in own):
            raise Refused(404, "There is no such event of yours.")

    def _numbered(self, asked: GradioCall) -> BlockFunction:
        return self._found(self.blocks.fns.get(asked.whole("fn_index")))

    def _named(self, asked: GradioCall) -> BlockFunction:
        return self._found(next((fn for fn in self.blocks.fns.values() if fn.api_name == asked.names[0]), None))

    def _found(self, fn: BlockFunction | None) -> BlockFunction:
        if fn is None or handler_of(fn) is None:
            raise Refused(404, "There is no such handler on the page.")
        return fn

    def _checked(self, asked: GradioCall, fn: BlockFunction) -> dict[str, object]:
        """What Gradio takes besides the session."""
        data, trigger, event = self._values(asked, fn, asked.value("data")), asked.value("trigger_id"), asked.value("event_data")
        if trigger is not None and asked.whole("trigger_id") not in self.blocks.blocks:
            trigger = next((target for target, _ in fn.targets), None)  # a page from before a restart counts components otherwise
        if event is not None and not is_table(event):
            raise Refused(422, "“event_data” must be an object.")
        return {"data": data, "fn_index": number_of(fn), "trigger_id": trigger, "event_data": event or {}}

    def _values(self, asked: GradioCall, fn: BlockFunction, data: object) -> list[object]:
        self._may(asked, handler_of(fn))
        self._events()
        if not is_list(data) or len(data) != len(fn.inputs):
            raise Refused(422, f"“data” must be a list of {len(fn.inputs)} values.")
        return data

    def _may(self, asked: GradioCall, handler: object) -> None:
        if refusal := asked.visitor.refusal(declared(handler) or "owner"):
            raise Refused(403, refusal)


class Places:
    """Places for functions that run: so many for each address, and for the owner; others wait, and of those there are not many either."""

    def __init__(self) -> None:
        self._free: dict[str, asyncio.Semaphore] = {}
        self._there: Counter[str] = Counter()

    @asynccontextmanager
    async def one(self, who: str) -> AsyncGenerator[None]:
        if self._there[who] >= WAITING:
            raise Refused(429, "That is too much at once. Try again when the rest is done.")
        self._there[who] += 1
        try:
            async with self._free.setdefault(who, asyncio.Semaphore(AT_ONCE)):
                yield
        finally:
            self._there[who] -= 1
            if not self._there[who]:
                self._there.pop(who)
                self._free.pop(who)


def _names(pattern: str, path: str) -> tuple[str, ...] | None:
    """What stands in the path where the pattern has `{}`; None when it does not fit."""
    wanted, given = f"{API}/{pattern}".split("/"), path.rstrip("/").split("/")
    if len(wanted) != len(given) or any(part not in ("{}", name) for part, name in zip(wanted, given, strict=True)):
        return None
    return tuple(name for part, name in zip(wanted, given, strict=True) if part == "{}")
