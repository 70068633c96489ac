"""Whatever is sent to the calls of the page: an answer with a sentence, never a traceback; and each person's streams are their own."""

from __future__ import annotations

import re
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image

from tests.support.doors import Answer, RunningDoor, route_paths
from tests.support.toys import toy_studio
from ui import page as real_page
from ui.door.gradio_part import GradioPart
from ui.server import Door, create_app

pytest_plugins = ("tests.support.door_fixtures",)
ODD: list[Any] = [
    None, True, -1, 10**30, 1.5, "", "x", "é\0", "x" * 200_000, [], {}, {"x": 1}, [[[]]], "\ud800", {"\udfff": 1}, {"data": None}, ["x", 1],
]  # fmt: skip
SESSION = {"session_hash": "s"}


@pytest.fixture(scope="module")
def door(studio_door: RunningDoor) -> RunningDoor:
    return studio_door


@pytest.fixture(scope="module")
def example(example_door: RunningDoor) -> RunningDoor:
    return example_door


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """As the one behind the door, to look into."""
    studio = toy_studio(tmp_path_factory.mktemp("app"), start=False)
    yield create_app(studio, real_page, Door())
    studio.close()


@pytest.fixture(scope="module")
def blocks(app: Any) -> Any:
    return app.routes[-1].app.blocks


def guest(door: RunningDoor, name: str = "g") -> dict[str, str]:
    return {"Cookie": f"atelier_user={name * 22}", "Host": f"lan.test:{door.port}"}


def told(answer: Answer, sent: Any) -> None:
    """Not the server's fault, and where it is refused, with a sentence."""
    assert answer.status < 500, (answer.status, str(sent)[:300], answer.text[:300])
    if answer.status >= 400:
        said = answer.json()
        assert re.search(r"\w.* .*\.", said.get("message") or said["error"]), (str(sent)[:300], answer.text[:300])


def send(door: RunningDoor, path: str, body: Any) -> Answer:
    answer = door.post_json(path, body, guest(door))
    told(answer, (path, body))
    return answer


def log_of(door: RunningDoor) -> str:
    return (door.folder / "log.txt").read_text()


def test_no_function_of_the_page_breaks_on_odd_arguments(door: RunningDoor) -> None:
    parts = door.ask("GET", "/config", headers=guest(door)).json()["components"]
    functions = {name: part["id"] for part in parts for name in part["props"].get("server_fns") or []}
    assert len(functions) > 15
    for name, part in functions.items():
        for odd in ODD:
            send(door, "/gradio_api/component_server", SESSION | {"component_id": part, "fn_name": name, "data": odd})
    assert "Traceback" not in log_of(door)


def test_no_handler_of_the_page_breaks_on_odd_values_or_events(door: RunningDoor, blocks: Any) -> None:
    handlers = {fn.fn.__name__: (number, len(fn.inputs)) for number, fn in blocks.fns.items() if fn.fn}
    assert len(handlers) > 5
    for number, inputs in handlers.values():
        for odd in ODD[:14]:
            event = dict.fromkeys(("id", "to", "units", "values", "checkpoint"), odd)
            body = SESSION | {"fn_index": number, "data": [odd] * inputs, "event_data": event}
            send(door, "/gradio_api/run/predict", body)
            if send(door, "/gradio_api/queue/join", body | {"session_hash": "q"}).status == 200:
                door.ask("GET", "/gradio_api/queue/data?session_hash=q", headers=guest(door))
    assert "Traceback" not in log_of(door)


def test_no_call_breaks_on_odd_envelopes(door: RunningDoor, blocks: Any) -> None:
    base = SESSION | {"fn_index": 3, "data": [], "trigger_id": None, "event_data": None, "event_id": "x", "fn_name": "count"}
    base |= {"component_id": 5}
    part = GradioPart(None, blocks, lambda scope: False)  # type: ignore[arg-type]
    calls = [path.replace("{}", "txt2img") for method, path in part.calls if method == "POST"]
    assert len(calls) >= 7
    for path in [*calls, "/depth/view", "/gradio_api/upload"]:
        for odd in ODD:
            send(door, path, odd)
            send(door, path, {"image": odd})
        for name in base:
            for odd in ODD[:12]:
                send(door, path, base | {name: odd})
        for number in (-1, 10**6, 2**63, True, "3"):
            send(door, path, base | {"fn_index": number, "component_id": number})
        send(door, path, {f"field {number}": number for number in range(10_000)})
        told(door.ask("POST", path, "", guest(door)), path)
    assert "Traceback" not in log_of(door)


def test_every_route_takes_odd_methods_queries_and_headers(door: RunningDoor, app: Any) -> None:
    paths = {quote(path) for path in route_paths(app)}
    assert len(paths) > 60
    for path in sorted(paths):
        for method in ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
            if path.endswith("heartbeat/x") and method == "GET":
                continue  # a stream
            query = "?session_hash=%ED%A0%80&after=%00&as=%ff&upload_id=&x=" + "&y=1" * 50
            answer = door.ask(method, path + query, headers=guest(door) | {"Cookie": "atelier_user=\xe9\xa0; =;;", "Accept": "\xff"})
            assert answer.status < 500, (method, path, answer.text[:200])
    assert "Traceback" not in log_of(door)


def test_text_beyond_what_a_prompt_can_have_costs_nothing(door: RunningDoor) -> None:
    parts = door.ask("GET", "/config", headers=guest(door)).json()["components"]
    functions = {name: part["id"] for part in parts for name in part["props"].get("server_fns") or []}
    waits: list[float] = []
    over = threading.Event()

    def probe() -> None:
        while not over.is_set():
            began = time.monotonic()
            assert door.ask("GET", "/healthz").status == 200
            waits.append(time.monotonic() - began)

    watching = threading.Thread(target=probe)
    watching.start()
    began = time.monotonic()
    for text in ("dog " * 475_000, "(" * 1_900_000, "<lora:" * 300_000):
        for name in ("count", "listed", "plan"):
            asked = {"checkpoint": "starter", "prompt": text, "search": text, "values": {"prompt": text}}
            body = SESSION | {"component_id": functions[name], "fn_name": name, "data": asked}
            assert send(door, "/gradio_api/component_server", body).status == 413
    took = time.monotonic() - began
    over.set()
    watching.join()
    assert took < 9  # a tenth of it on a quiet machine
    assert sorted(waits)[len(waits) // 2] < 0.25


def test_a_stream_is_read_joined_and_cancelled_by_who_opened_it(example: RunningDoor) -> None:
    mine, yours = guest(example, "m"), guest(example, "y")
    index = next(each["id"] for each in example.ask("GET", "/config", headers=mine).json()["dependencies"] if each["api_name"] == "echo")
    join = {"fn_index": index, "data": ["my secret"], "session_hash": "known"}
    event = example.post_json("/gradio_api/queue/join", join, mine).json()["event_id"]
    assert example.ask("GET", "/gradio_api/queue/data?session_hash=known", headers=yours).status == 404
    assert example.post_json("/gradio_api/cancel", {"session_hash": "known", "fn_index": index, "event_id": event}, yours).status == 404
    assert example.post_json("/gradio_api/reset", {"event_id": event}, yours).status == 404
    assert example.ask("GET", f"/gradio_api/call/echo/{event}", headers=yours).status == 404
    joined = example.post_json("/gradio_api/queue/join", join | {"data": ["yours"]}, yours)
    assert joined.status == 200
    assert "my secret" in example.ask("GET", "/gradio_api/queue/data?session_hash=known", headers=mine).text
    assert "my secret" not in example.ask("GET", "/gradio_api/queue/data?session_hash=known", headers=yours).text


def test_the_answer_of_a_call_is_its_callers(example: RunningDoor) -> None:
    mine, yours = guest(example, "m"), guest(example, "y")
    event = example.post_json("/gradio_api/call/echo", {"data": ["my secret"]}, mine).json()["event_id"]
    for path in (f"/gradio_api/call/echo/{event}", f"/gradio_api/call/v2/echo/{event}"):
        assert example.ask("GET", path, headers=yours).status == 404
    assert example.ask("GET", f"/gradio_api/queue/data?session_hash={event}", headers=yours).status == 404
    assert "my secret" in example.ask("GET", f"/gradio_api/call/echo/{event}", headers=mine).text


def test_an_upload_is_seen_and_named_by_who_uploaded_it(example: RunningDoor) -> None:
    mine, yours = guest(example, "m"), guest(example, "y")
    [path] = example.upload("mine.png", b"my pixels", mine).json()
    assert example.ask("GET", f"/gradio_api/file={path}", headers=mine).body == b"my pixels"
    assert example.ask("GET", f"/gradio_api/file={path}", headers=yours).status == 403
    value = {"path": path, "meta": {"_type": "gradio.FileData"}}
    assert example.call("show_raw", [value], yours)[0] == "status 403"
    assert example.call("show_raw", [value | {"url": f"/gradio_api/file={path}", "path": None}], yours)[0] == "status 403"
    assert example.call("show_raw", [value], mine)[0] == "complete"
    example.upload("mine.png", b"my pixels", yours)  # the same content is one file, and then both persons'
    assert example.ask("GET", f"/gradio_api/file={path}", headers=yours).status == 200


def test_an_uploaded_model_is_no_model(door: RunningDoor) -> None:
    [path] = door.upload("evil.safetensors", b"\x80\x04weights", guest(door)).json()
    for name in (path, "evil", "evil.safetensors", f"file={path}", "../outputs/.uploads"):
        outcome, said = door.run({"prompt": "x", "checkpoint": name, "steps": 1, "width": 64, "height": 64}, guest(door))
        assert outcome == "error" or outcome.startswith("status 4"), said
    assert "evil" not in str(door.ask("GET", "/config", headers=guest(door)).json()["components"])


def test_templates_and_paths_in_a_prompt_are_only_words(door: RunningDoor) -> None:
    (door.folder / "cwd" / "canary.txt").write_text("canary-7c1f")
    words = "{{7*7}} $(id) %s {file:canary.txt} py:open('canary.txt').read() embedding:../x"
    for named in ("__canary.txt__", "__../cwd/canary__", "__/etc/passwd__", "${IFS}"):
        outcome, said = door.run({"prompt": named, "steps": 1, "width": 64, "height": 64}, guest(door))
        assert outcome == "error" and said["title"] == "Not started" and "canary-7c1f" not in said["error"], said
    outcome, said = door.run({"prompt": words, "steps": 1, "width": 64, "height": 64}, guest(door))
    assert outcome == "complete", said
    [picture] = door.finish(said[0], guest(door))["pictures"]
    data = door.ask("GET", f"/picture/{picture['id']}.png", headers=guest(door)).body
    for insides in (b"canary-7c1f", str(door.folder).encode(), b"uid=", b"/work", b"root@"):
        assert insides not in data
    assert picture["prompt"].startswith("{{7*7}}")


def test_a_page_that_is_left_finds_what_it_asked_for(door: RunningDoor) -> None:
    me = guest(door, "L")
    _, [job] = door.run({"prompt": "left alone", "steps": 3, "width": 64, "height": 64}, me)
    deadline = time.monotonic() + 20
    while door.ask("GET", "/current", headers=me).json()["job"] and time.monotonic() < deadline:  # nobody watches the job
        time.sleep(0.1)
    assert [picture["prompt"] for picture in door.ask("GET", f"/live/{job}", headers=me).json()["pictures"]] == ["left alone"]


def test_many_large_pictures_at_once_are_refused_and_nobody_waits(door: RunningDoor) -> None:
    bomb = (Image.new("1", (30_000, 30_000)), Path(door.folder / "bomb.png"))
    bomb[0].save(bomb[1], compress_level=1)
    data, answers = bomb[1].read_bytes(), []

    def put() -> None:
        kind = {"Content-Type": "application/octet-stream"}
        answers.append(door.ask("POST", "/input?as=picture", data, guest(door) | kind).status)

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    assert door.ask("GET", "/healthz").status == 200
    assert time.monotonic() - began < 3
    for thread in threads:
        thread.join()
    assert set(answers) <= {422, 429}
    assert 422 in answers


def test_stopping_is_answered_though_many_jobs_wait(door: RunningDoor) -> None:
    me = guest(door, "Q")
    jobs = [door.run({"prompt": "x", "steps": 150, "width": 64, "height": 64}, me)[1][0] for _ in range(20)]
    began = time.monotonic()
    for job in jobs:
        assert door.post_json(f"/jobs/{job}/stop", {}, me).status == 200
    assert time.monotonic() - began < 10


def test_a_session_of_the_page_costs_little_and_there_are_not_many(app: Any, blocks: Any) -> None:
    states = blocks.state_holder
    assert states is app.routes[-1].app.state_holder
    assert blocks.app is app.routes[-1].app, "no other was made on the way"
    tracemalloc.start()
    for number in range(300):
        states[f"session {number}"]
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(states.session_data) == 16
    assert held < 10 * 2**20


def test_no_handler_answers_with_a_file(blocks: Any) -> None:
    answered = {component for fn in blocks.fns.values() for component in fn.outputs}
    assert len(answered) > 20
    models = [model for component in answered if (model := getattr(component, "data_model", None))]
    assert not [model for model in models if "path" in str(model.model_json_schema())]


def test_sessions_that_are_made_up_leave_little_behind(example: RunningDoor) -> None:
    def ask(number: int) -> None:
        body = {"fn_index": 0, "data": ["x"], "session_hash": f"made{number}"}
        assert example.post_json("/gradio_api/run/predict", body, guest(example)).status == 200

    for number in range(30):
        ask(number)
    before = example.memory()
    for number in range(30, 330):
        ask(number)
    assert example.memory() - before < 20 * 2**20
