"""Every handler declares a role, and the role holds whichever way the handler is called."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.context import LocalContext
from gradio.utils import get_type_hints

from tests.support.doors import PASSWORD, RunningDoor, example_page
from tests.support.toys import toy_studio
from ui import page as real_page
from ui.door.roles import RANK, Role, Visitor, callables, declared, role, role_of, undeclared, user_of
from ui.server import Door, create_app

pytest_plugins = ("tests.support.door_fixtures",)
ME = {"Cookie": "atelier_user=" + "r" * 22}
NOBODY: Any = None  # in the place of a request that is not looked at


def asked_by(least: Role | None) -> Any:
    """A request as the door hands it on."""
    scope = {"visitor": Visitor("someone", least)} if least else {}
    return SimpleNamespace(request=SimpleNamespace(scope=scope))


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Any]:
    made = toy_studio(tmp_path, start=False)
    yield made
    made.close()


@role("artist")
def plain(text: str, request: gr.Request) -> str:
    return text


@role("artist")
def generator(text: str) -> Iterator[str]:
    yield text


@role("artist")
async def coroutine(text: str) -> str:
    return text


@role("artist")
async def stream(text: str) -> AsyncIterator[str]:
    yield text


async def first_of(result: Any) -> Any:
    if inspect.isasyncgen(result):
        return await anext(result)
    if inspect.iscoroutine(result):
        return await result
    return next(result) if inspect.isgenerator(result) else result


def test_a_handler_keeps_its_signature_and_its_kind() -> None:
    assert list(inspect.signature(plain).parameters) == ["text", "request"]
    assert inspect.isgeneratorfunction(generator)
    assert inspect.iscoroutinefunction(coroutine)
    assert inspect.isasyncgenfunction(stream)
    assert get_type_hints(plain)["request"] is gr.Request


@pytest.mark.anyio
@pytest.mark.parametrize("handler", [lambda text: plain(text, NOBODY), generator, coroutine, stream])
@pytest.mark.parametrize("least", ["anyone", "artist", "owner"])
async def test_the_role_is_checked_at_each_call(handler: Any, least: Role) -> None:
    token = LocalContext.request.set(asked_by(least))
    try:
        if RANK[least] >= RANK["artist"]:
            assert await first_of(handler("hello")) == "hello"
        else:
            with pytest.raises(gr.Error, match=r"not draw|Come in first"):
                await first_of(handler("hello"))
    finally:
        LocalContext.request.reset(token)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(
    "request_", [None, asked_by(None), SimpleNamespace(request=None), SimpleNamespace(scope={"visitor": {"role": "owner"}})]
)
def test_a_request_that_did_not_come_through_the_door_is_nobodys(request_: Any) -> None:
    for ask in (role_of, user_of):
        with pytest.raises(gr.Error):
            ask(request_)
    token = LocalContext.request.set(request_)
    try:
        with pytest.raises(gr.Error):
            plain("hello", NOBODY)
    finally:
        LocalContext.request.reset(token)


def test_every_handler_of_the_real_page_declares_a_role(studio: Any) -> None:
    found = list(callables(real_page(studio)))
    assert len(found) >= 3
    assert not [name for name, handler in found if declared(handler) is None]


def test_a_page_with_an_undeclared_handler_does_not_start(studio: Any) -> None:
    def page(_: Any) -> gr.Blocks:
        with gr.Blocks(analytics_enabled=False) as blocks:
            gr.Button("x").click(lambda: None)
        return blocks

    with pytest.raises(RuntimeError, match="declare no role"):
        create_app(studio, page, Door())


def test_server_functions_validators_and_timers_are_handlers_too() -> None:
    def nobody_declared_me(text: str = "") -> str:
        return text

    with gr.Blocks(analytics_enabled=False) as blocks:
        text = gr.Textbox()
        gr.HTML("x", server_functions=[nobody_declared_me])
        gr.Button("x").click(role("artist")(lambda text: text), text, text, validator=nobody_declared_me)
        gr.Timer(1).tick(nobody_declared_me, text, text)
        blocks.load(nobody_declared_me, text, text)
    assert len(undeclared(blocks)) == 4


def test_what_the_configuration_lists_is_what_was_checked(studio_door: RunningDoor, studio: Any) -> None:
    listed = [entry for entry in studio_door.ask("GET", "/config", headers=ME).json()["dependencies"] if entry["backend_fn"]]
    events = {number: event.fn for number, event in real_page(studio).fns.items() if event.fn is not None}
    assert len(listed) == len(events)
    assert all(declared(handler) for _, handler in callables(real_page(studio)))


def artist_headers(door: RunningDoor) -> dict[str, str]:
    return ME | {"Host": f"lan.test:{door.port}"}


def run_by_number(door: RunningDoor, number: int, inputs: int, headers: dict[str, str]) -> str:
    """The whole event stream of a handler called by its number, as a script would, without its button."""
    session = f"session{number}"
    body = {"fn_index": number, "data": ["x"] * inputs, "session_hash": session}
    joined = door.post_json("/gradio_api/queue/join", body, headers)
    if joined.status != 200:
        return joined.text
    return door.ask("GET", f"/gradio_api/queue/data?session_hash={session}", headers=headers).text


@pytest.mark.parametrize("visitor", ["artist", "owner"])
def test_each_handler_serves_its_role_by_number_and_by_name_and_no_lower_one(example_door: RunningDoor, studio: Any, visitor: Role) -> None:
    headers = ME if visitor == "owner" else artist_headers(example_door)
    for number, event in example_page(studio).fns.items():
        assert event.fn is not None
        least = declared(event.fn)
        assert least is not None
        ways = [run_by_number(example_door, number, len(event.inputs), headers)]
        ways.append(str(example_door.call(str(event.api_name), ["x"] * len(event.inputs), headers)))
        ways.append(example_door.post_json(f"/gradio_api/run/{event.api_name}", {"data": ["x"] * len(event.inputs)}, headers).text)
        for said in ways:
            assert ("Only the owner" in said) == (RANK[least] > RANK[visitor]), (number, event.api_name, said[:300])
            if least == "owner" and visitor == "artist":
                assert "the owner's keys" not in said


def test_server_functions_keep_their_role(example_door: RunningDoor) -> None:
    block = next(
        entry["id"]
        for entry in example_door.ask("GET", "/config", headers=ME).json()["components"]
        if "served" in str(entry["props"].get("server_fns"))
    )
    body = {"component_id": block, "session_hash": "s", "fn_name": "served_owner", "data": "x"}
    assert example_door.post_json("/gradio_api/component_server", body, ME).json() == "the owner's x"
    refused = example_door.post_json("/gradio_api/component_server", body, artist_headers(example_door))
    assert (refused.status, refused.json()["message"]) == (403, "Only the owner of this studio can do that.")
    open_one = example_door.post_json("/gradio_api/component_server", body | {"fn_name": "served"}, artist_headers(example_door))
    assert re.fullmatch(r'"[0-9a-f]{32} x"', open_one.text)


@pytest.mark.parametrize("name", ["get_block_name", "__init__", "postprocess", "preprocess", "served_owner.__globals__", "nothing"])
def test_no_other_function_of_a_component_can_be_called(example_door: RunningDoor, name: str) -> None:
    body = {"component_id": 5, "session_hash": "s", "fn_name": name, "data": "x"}
    assert example_door.post_json("/gradio_api/component_server", body, ME).status in (404, 422)


def test_a_stranger_calls_no_handler_by_number(locked_door: RunningDoor, studio: Any) -> None:
    for number in range(len(example_page(studio).fns) + 3):
        body = {"fn_index": number, "data": [], "session_hash": "x"}
        assert locked_door.post_json("/gradio_api/queue/join", body, ME).status == 401


@pytest.mark.parametrize(
    ("headers", "expected"),
    [({}, "owner"), ({"Host": "lan.test:1"}, "artist"), ({"X-Forwarded-For": "10.0.0.1"}, "artist"), ({"Via": "1.1 proxy"}, "artist")],
)
def test_the_owner_is_who_sits_at_the_machine(example_door: RunningDoor, headers: dict[str, str], expected: Role) -> None:
    _, said = example_door.call("house_keys", [], ME | headers)
    assert (said == ["the owner's keys"]) == (expected == "owner")


def test_with_a_password_the_owner_logs_in_too(locked_door: RunningDoor) -> None:
    from tests.test_door_login import log_in

    login = {"Cookie": f"atelier_user={log_in(locked_door, PASSWORD, ME).cookies['atelier_user']}"}
    assert locked_door.call("house_keys", [], login) == ("complete", ["the owner's keys"])
    outcome, said = locked_door.call("house_keys", [], login | {"Host": f"lan.test:{locked_door.port}"})
    assert (outcome, "Only the owner" in said) == ("status 403", True)
    assert locked_door.call("house_keys", [], ME)[0] == "status 401"
