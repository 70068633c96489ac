"""The studio's own routes: live progress, pictures, stop and skip, health, and how the server comes and goes."""

from __future__ import annotations

import asyncio
import io
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from models.errors import UserError
from pipelines.jobs.outputs import read
from tests.support.asked import drawing
from tests.support.doors import ROOT, RunningDoor, running_door
from tests.support.toys import toy_studio
from ui.door.serving import open_socket
from ui.server import Door, create_app

pytest_plugins = ("tests.support.door_fixtures",)


def cookie(letter: str) -> dict[str, str]:
    """The cookie of a user of its own."""
    return {"Cookie": f"atelier_user={letter * 22}"}


ME, OTHER = cookie("m"), cookie("o")


@pytest.fixture(scope="module")
def job(studio_door: RunningDoor) -> str:
    """A finished job of mine."""
    outcome, [job] = studio_door.run({"prompt": "a red house, très loin", "steps": 3, "width": 400, "height": 200, "seed": 7}, ME)
    assert outcome == "complete"
    assert studio_door.finish(job, ME)["state"] == "done"
    return job


@pytest.fixture(scope="module")
def picture(studio_door: RunningDoor, job: str) -> str:
    return studio_door.finish(job, ME)["pictures"][0]["id"]


def test_a_browser_asks_once_for_scripts_that_are_named_by_their_content(studio_door: RunningDoor) -> None:
    page = studio_door.ask("GET", "/", headers=ME).text
    script = re.search(r"/assets/index-[\w-]+\.js", page)
    assert script, page[:2000]
    assert "immutable" in studio_door.ask("GET", script[0], headers=ME).headers["cache-control"]
    for path in ("/", "/config", "/assets/no-such-script-12345678.js"):
        assert "immutable" not in studio_door.ask("GET", path, headers=ME).headers.get("cache-control", "")


def saved(door: RunningDoor) -> list[bytes]:
    return [path.read_bytes() for path in sorted((door.folder / "outputs").rglob("*.png"))]


def test_a_job_is_followed_step_by_step_to_its_picture(studio_door: RunningDoor) -> None:
    _, [job] = studio_door.run({"prompt": "a ball", "steps": 20, "width": 64, "height": 64}, ME)
    seen, after, state = [], -1, "waiting"
    while state in ("waiting", "running"):
        progress = studio_door.ask("GET", f"/live/{job}?after={after}", headers=ME).json()
        assert progress["version"] > after
        after, state = progress["version"], progress["state"]
        seen.append(progress)
    assert state == "done"
    steps = [progress["step"] for progress in seen if progress["previews"]]
    assert len(steps) > 1 and steps == sorted(set(steps)), "who falls behind misses some of the twenty, and none comes back"
    assert any(frame.startswith("data:image/") for progress in seen for frame in progress["previews"])
    assert len(seen[-1]["pictures"]) == 1


def test_a_picture_is_the_saved_file_byte_for_byte(studio_door: RunningDoor, picture: str) -> None:
    answer = studio_door.ask("GET", f"/picture/{picture}.png", headers=ME)
    assert answer.status == 200
    assert answer.body in saved(studio_door)
    assert drawing(read(answer.body)).prompt == "a red house, très loin"
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("inline")


def test_a_download_has_a_name_and_the_same_bytes(studio_door: RunningDoor, picture: str) -> None:
    answer = studio_door.ask("GET", f"/picture/{picture}.png?download=1", headers=ME | {"Accept-Encoding": "gzip"})
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "red-house" in answer.headers["content-disposition"]
    assert "content-encoding" not in answer.headers
    assert answer.body in saved(studio_door)


def test_a_picture_is_given_out_in_another_format_without_settings(studio_door: RunningDoor, picture: str) -> None:
    answer = studio_door.ask("GET", f"/picture/{picture}.png?download=1&as=webp&settings=0", headers=ME)
    assert answer.status == 200 and answer.headers["content-type"] == "image/webp" and answer.body[8:12] == b"WEBP"
    assert answer.headers["content-disposition"].endswith(".webp") and b"red house" not in answer.body
    refused = studio_door.ask("GET", f"/picture/{picture}.png?as=tiff", headers=ME)
    assert refused.status == 422 and b"webp" in refused.body


def test_a_thumb_is_small_and_carries_no_settings(studio_door: RunningDoor, picture: str) -> None:
    for _ in range(2):
        answer = studio_door.ask("GET", f"/thumb/{picture}", headers=ME)
        assert answer.headers["content-type"] == "image/webp"
        assert "immutable" in answer.headers["cache-control"]
        with Image.open(io.BytesIO(answer.body)) as image:
            assert image.size == (320, 160)
            assert not {"parameters", "atelier", "exif", "xmp"} & set(image.info)


def test_details_say_what_made_a_picture_and_name_no_place_on_the_machine(studio_door: RunningDoor, picture: str) -> None:
    answer = studio_door.ask("GET", f"/picture/{picture}/details", headers=ME)
    values = {value["title"]: value["text"] for group in answer.json()["groups"] for value in group["values"]}
    assert (values["Prompt"], values["Seed"], values["Size"]) == ("a red house, très loin", "7", "400 × 200")
    assert str(studio_door.folder) not in answer.text
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("ids", ["", "x", ",", ",,,,,,", "x" * 5000, "%00,%00", "' or 1=1 --,x"])
def test_odd_lists_of_pictures_are_compared_with_a_sentence(studio_door: RunningDoor, ids: str) -> None:
    answer = studio_door.ask("GET", f"/compare?ids={ids}".replace(" ", "%20").replace("'", "%27"), headers=ME)
    assert answer.status in (400, 404) and answer.json()["message"]


def test_a_picture_and_a_job_are_for_who_made_them(studio_door: RunningDoor, picture: str, job: str) -> None:
    artist = OTHER | {"Host": f"lan.test:{studio_door.port}"}
    assert studio_door.ask("GET", f"/picture/{picture}.png", headers=artist).status == 404
    assert studio_door.ask("GET", f"/thumb/{picture}", headers=artist).status == 404
    assert studio_door.ask("GET", f"/picture/{picture}/details", headers=artist).status == 404
    assert studio_door.ask("GET", f"/compare?ids={picture},{picture}", headers=artist).status == 404
    assert studio_door.ask("GET", f"/live/{job}", headers=OTHER).status == 404
    assert studio_door.post_json(f"/jobs/{job}/stop", {}, OTHER).status == 404
    assert studio_door.post_json(f"/jobs/{job}/skip", {}, OTHER).status == 404


def test_the_owner_of_the_studio_may_see_every_picture(studio_door: RunningDoor, picture: str) -> None:
    for path in (f"/picture/{picture}.png", f"/picture/{picture}/details", f"/compare?ids={picture},{picture}"):
        assert studio_door.ask("GET", path, headers=OTHER).status == 200


@pytest.mark.parametrize("picture_id", ["1", "0", "x" * 22, "../studio.db", "..%2f..%2fstudio.db", "%00", "' or 1=1 --", "x" * 5000])
def test_ids_that_nobody_gave_lead_nowhere(studio_door: RunningDoor, picture_id: str) -> None:
    for path in (f"/picture/{picture_id}.png", f"/picture/{picture_id}/details", f"/thumb/{picture_id}", f"/live/{picture_id}"):
        answer = studio_door.ask("GET", path.replace(" ", "%20").replace("'", "%27"), headers=ME)
        assert answer.status == 404
        assert "Traceback" not in answer.text


def test_pictures_are_not_counted_by_their_ids(studio_door: RunningDoor) -> None:
    _, [job] = studio_door.run({"prompt": "two", "steps": 1, "width": 64, "height": 64, "batch_count": 2}, ME)
    ids = [picture["id"] for picture in studio_door.finish(job, ME)["pictures"]]
    assert all(len(picture_id) == 22 for picture_id in ids)
    assert ids[0][:8] != ids[1][:8]


def test_stop_and_skip_act_on_a_running_job(studio_door: RunningDoor) -> None:
    _, [job] = studio_door.run({"prompt": "long", "steps": 100, "width": 64, "height": 64, "batch_count": 2}, ME)
    studio_door.ask("GET", f"/live/{job}?after=-1", headers=ME)
    assert studio_door.ask("GET", "/current", headers=ME).json()["job"] == job
    assert studio_door.post_json(f"/jobs/{job}/skip", {}, ME).json() == {"ok": True}
    assert studio_door.post_json(f"/jobs/{job}/stop", {}, ME).json() == {"ok": True}
    assert studio_door.finish(job, ME)["state"] == "stopped"
    assert studio_door.ask("GET", "/current", headers=ME).json()["job"] is None


def test_stop_is_not_a_link(studio_door: RunningDoor, job: str) -> None:
    assert studio_door.ask("GET", f"/jobs/{job}/stop", headers=ME).status in (404, 405)


def test_current_tells_the_state_of_the_engine(studio_door: RunningDoor) -> None:
    news = studio_door.ask("GET", "/current", headers=ME).json()
    assert news["engine"]["state"] == "ready"
    assert news["engine"]["message"]
    assert isinstance(news["library"], int) and news["login"] is False


@pytest.mark.parametrize("after", ["x", "1.5", "", "--1", "9" * 40, "NaN", "²"])
def test_a_version_that_is_no_number_is_named(studio_door: RunningDoor, job: str, after: str) -> None:
    answer = studio_door.ask("GET", f"/live/{job}?after={after.replace('²', '%C2%B2')}", headers=ME)
    assert (answer.status, "after" in answer.json()["message"]) == (400, True)


def test_many_waiting_viewers_hold_nothing_up(studio_door: RunningDoor) -> None:
    _, [first] = studio_door.run({"prompt": "long", "steps": 150, "width": 64, "height": 64}, ME)
    _, [second] = studio_door.run({"prompt": "behind it", "steps": 1, "width": 64, "height": 64}, ME)
    version = studio_door.ask("GET", f"/live/{second}?after=-1", headers=ME).json()["version"]
    look = ("GET", f"/live/{second}?after={version}", None, ME, 40)
    viewers = [threading.Thread(target=studio_door.ask, args=look) for _ in range(30)]
    for viewer in viewers:
        viewer.start()
    time.sleep(0.3)
    assert sum(viewer.is_alive() for viewer in viewers) == 30
    began = time.monotonic()
    assert studio_door.ask("GET", "/healthz").json() == {"ok": True}
    assert time.monotonic() - began < 5  # a viewer waits up to twenty
    studio_door.post_json(f"/jobs/{first}/stop", {}, ME)
    for viewer in viewers:
        viewer.join(10)
    assert not any(viewer.is_alive() for viewer in viewers)
    assert studio_door.finish(second, ME)["state"] == "done"


def test_the_page_travels_compressed_and_pictures_as_they_are(studio_door: RunningDoor, picture: str) -> None:
    for path in ("/", "/config"):
        answer = studio_door.ask("GET", path, headers=ME | {"Accept-Encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in studio_door.ask("GET", f"/picture/{picture}.png", headers=ME | {"Accept-Encoding": "gzip"}).headers


@pytest.mark.parametrize(
    "path", ["/docs", "/redoc", "/openapi.json", "/gradio_api/openapi.json", "/gradio_api/runs", "/monitoring", "/gradio_api/mcp/"]
)
def test_routes_that_the_page_does_not_use_are_shut(studio_door: RunningDoor, path: str) -> None:
    assert studio_door.ask("GET", path, headers=ME).status == 404


def test_what_breaks_inside_stays_in_the_log(example_door: RunningDoor) -> None:
    outcome, said = example_door.call("break_down", [], ME)
    assert outcome == "error"
    assert said == {"error": None}
    assert "/secret/path" in (example_door.folder / "log.txt").read_text()


def test_a_route_that_breaks_answers_with_a_sentence_and_the_place_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from starlette.testclient import TestClient

    from tests.support.doors import example_page

    studio = toy_studio(tmp_path, start=False)
    monkeypatch.setattr(studio, "engine_state", lambda: 1 / 0)
    app = create_app(studio, example_page, Door())
    with caplog.at_level("ERROR"):
        answer = TestClient(app, "http://localhost", client=("127.0.0.1", 1)).get("/current")
    assert answer.status_code == 500
    told = re.fullmatch(r"Something broke in the studio\. Its log says what, under the reference (\w{8})\.", answer.json()["message"])
    assert told
    assert [record.exc_info is not None for record in caplog.records if told[1] in record.getMessage()] == [True]
    studio.close()


def test_f32_a_look_into_the_book_that_hangs_holds_up_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    from tests.support.doors import example_page

    studio, goes_on = toy_studio(tmp_path, start=False), threading.Event()
    monkeypatch.setattr(studio, "picture", lambda _: (goes_on.wait(10), None)[1])
    app = create_app(studio, example_page, Door())

    async def ask() -> float:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            hanging = [asyncio.ensure_future(client.get(f"/picture/{number}.png")) for number in range(3)]
            await asyncio.sleep(0.1)
            begin = time.monotonic()
            assert [(await client.get(path)).status_code for path in ("/healthz", "/current")] == [200, 200]
            took = time.monotonic() - begin
            assert not any(each.done() for each in hanging)
            goes_on.set()
            assert {each.status_code for each in await asyncio.gather(*hanging)} == {404}
            return took

    assert asyncio.run(ask()) < 0.5
    studio.close()


def test_the_server_leaves_at_once_though_viewers_wait(tmp_path: Path) -> None:
    with running_door(tmp_path) as door:
        _, [job] = door.call("submit", ["x"], ME)
        door.finish(job, ME)
        answers: list[int] = []
        watch = threading.Thread(target=lambda: answers.append(door.ask("GET", f"/live/{job}?after={2**53}", headers=ME).status))
        watch.start()
        time.sleep(0.3)
        began = time.monotonic()
        door.process.send_signal(signal.SIGINT)
        door.process.wait(30)
        assert time.monotonic() - began < 15  # about one on a quiet machine; a viewer waits up to twenty
        watch.join(2)
        assert answers in ([200], [503])
        log = (tmp_path / "log.txt").read_text()
        assert "Traceback" not in log
        assert "graceful shutdown exceeded" not in log


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(UserError, match="port"):
            open_socket("127.0.0.1", other.getsockname()[1])


def test_importing_the_door_loads_no_network_library() -> None:
    code = "import sys, ui.server; print([name for name in ('torch', 'diffusers', 'transformers') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_the_password_is_not_shown_with_the_door() -> None:
    assert "secret" not in repr(Door(password="secret"))
