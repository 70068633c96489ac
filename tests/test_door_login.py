"""The password, its cookies, and what a stranger can reach."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from tests.support.doors import PASSWORD, Answer, RunningDoor, example_page
from tests.support.toys import toy_studio
from ui.door.attempts import Attempts
from ui.door.door_page import password_page
from ui.server import Door, create_app

pytest_plugins = ("tests.support.door_fixtures",)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def log_in(door: RunningDoor, password: str = PASSWORD, headers: dict[str, str] | None = None) -> Answer:
    return door.ask("POST", "/login", urlencode({"password": password}), FORM | (headers or {}))


def test_five_wrong_passwords_a_minute_are_enough() -> None:
    clock = Clock()
    attempts = Attempts(clock=clock)
    for _ in range(5):
        assert attempts.wait("10.0.0.1") == 0
        attempts.failed("10.0.0.1")
        clock.now += 1
    assert attempts.wait("10.0.0.1") == 55
    assert attempts.wait("10.0.0.2") == 0
    clock.now += 55
    assert attempts.wait("10.0.0.1") == 0


def test_a_household_with_many_addresses_counts_as_one() -> None:
    attempts = Attempts(most=2)
    attempts.failed("2001:db8:1:2::1")
    attempts.failed("2001:db8:1:2:ffff::9")
    assert attempts.wait("2001:db8:1:2::77") > 0
    assert attempts.wait("2001:db8:1:3::1") == 0


def test_the_count_of_addresses_is_bounded() -> None:
    attempts = Attempts(addresses=10)
    for number in range(100):
        attempts.failed(f"10.0.0.{number}")
    assert len(attempts._failures) == 10


def test_the_login_page_shows_a_problem_as_text() -> None:
    assert "<img" not in password_page("<img src=x onerror=alert(1)>")


STRANGER_ROUTES = (
    "/config", "/current", "/live/x", "/picture/x.png", "/picture/x/details", "/compare", "/thumb/x", "/theme.css", "/assets/x.js",
    "/static/x", "/favicon.ico",
    "/robots.txt", "/gradio_api/info", "/gradio_api/info/", "/gradio_api/heartbeat/x", "/gradio_api/runs", "/gradio_api/app_id",
    "/gradio_api/app_id/",
    "/gradio_api/startup-events", "/gradio_api/theme.css", "/gradio_api/file=/etc/hostname", "/gradio_api/queue/data?session_hash=x",
    "/gradio_api/queue/status", "/gradio_api/upload_progress?upload_id=x", "/gradio_api/call/echo/x", "/openapi.json", "/docs", "/redoc",
    "/gradio_api/openapi.json", "/monitoring", "/gradio_api/user", "/gradio_api/token", "/gradio_api/vibe-code", "/manifest.json",
    "/pwa_icon", "/gradio_api/proxy=http://x.hf.space", "/gradio_api/dev/reload", "/gradio_api/deep_link", "/svelte/x",
    "/gradio_api/login_check", "/nothing",
)  # fmt: skip
STRANGER_CALLS = (
    "/gradio_api/cancel", "/gradio_api/reset", "/gradio_api/queue/join", "/gradio_api/call/echo", "/gradio_api/call/v2/echo",
    "/gradio_api/run/echo", "/gradio_api/api/echo", "/gradio_api/component_server", "/gradio_api/stream/x", "/gradio_api/vibe-edit",
    "/gradio_api/process_recording", "/jobs/x/stop", "/jobs/x/skip", "/logout", "/gradio_api/run-history/connect",
)  # fmt: skip


@pytest.mark.parametrize("path", STRANGER_ROUTES)
def test_a_stranger_reads_nothing(locked_door: RunningDoor, path: str) -> None:
    assert locked_door.ask("GET", path).status in (401, 403)


@pytest.mark.parametrize("path", STRANGER_CALLS)
def test_a_stranger_starts_nothing(locked_door: RunningDoor, path: str) -> None:
    body = {"session_hash": "x", "fn_index": 0, "event_id": "x", "data": ["x"]}
    assert locked_door.post_json(path, body).status == 401
    assert locked_door.post_json(path, body, {"Cookie": f"atelier_user={'x' * 43}"}).status == 401


def test_a_stranger_uploads_nothing(locked_door: RunningDoor) -> None:
    assert locked_door.upload("x.png", b"x").status == 401
    assert not list(locked_door.uploads.rglob("x.png"))


def test_a_browser_is_led_to_the_login_and_in(locked_door: RunningDoor) -> None:
    page = locked_door.ask("GET", "/", headers={"Accept": "text/html"})
    assert (page.status, page.headers["location"]) == (303, "/login")
    assert "password" in locked_door.ask("GET", "/login").text
    entered = log_in(locked_door)
    assert (entered.status, entered.headers["location"]) == (303, "/")
    cookie = {"Cookie": f"atelier_user={entered.cookies['atelier_user']}"}
    assert locked_door.ask("GET", "/config", headers=cookie).status == 200
    assert locked_door.ask("GET", "/login", headers=cookie).status == 303


def test_login_cookies_are_out_of_reach_of_scripts_and_other_sites(locked_door: RunningDoor) -> None:
    given = log_in(locked_door).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(given.split("; "))


def test_each_login_is_new_and_a_token_from_outside_is_never_adopted(locked_door: RunningDoor) -> None:
    fixed = {"Cookie": f"atelier_user={'a' * 43}"}
    first, second = log_in(locked_door, headers=fixed), log_in(locked_door)
    tokens = {first.cookies["atelier_user"], second.cookies["atelier_user"]}
    assert len(tokens) == 2
    assert all(re.fullmatch(r"[\w-]{43}", token) for token in tokens)
    assert locked_door.ask("GET", "/config", headers=fixed).status == 401


def test_after_logout_the_old_cookie_opens_nothing(locked_door: RunningDoor) -> None:
    cookie = {"Cookie": f"atelier_user={log_in(locked_door).cookies['atelier_user']}"}
    assert locked_door.ask("GET", "/logout", headers=cookie).status == 405
    assert locked_door.ask("GET", "/config", headers=cookie).status == 200
    left = locked_door.ask("POST", "/logout", headers=cookie)
    assert (left.status, left.headers["location"]) == (303, "/login")
    assert locked_door.ask("GET", "/config", headers=cookie).status == 401


def test_guessing_is_slowed_down_and_the_right_password_waits_too(tmp_path: Path) -> None:
    studio = toy_studio(tmp_path, start=False)
    client = TestClient(create_app(studio, example_page, Door(password=PASSWORD)), "http://localhost", client=("10.0.0.9", 1))
    answers = [client.post("/login", data={"password": f"guess {number}"}).status_code for number in range(8)]
    assert answers == [401] * 5 + [429] * 3
    refused = client.post("/login", data={"password": PASSWORD})
    assert refused.status_code == 429
    assert "Too many wrong passwords" in refused.text
    assert int(refused.headers["retry-after"]) <= 60
    studio.close()


def test_a_page_behind_a_password_offers_to_log_out(locked_door: RunningDoor) -> None:
    cookie = {"Cookie": f"atelier_user={log_in(locked_door).cookies['atelier_user']}"}
    assert locked_door.ask("GET", "/current", headers=cookie).json()["login"] is True


def test_without_a_password_there_is_nothing_to_log_in_to(example_door: RunningDoor) -> None:
    assert example_door.ask("GET", "/login").status == 303
    assert log_in(example_door, "").status == 401


def test_a_browser_keeps_its_user_and_a_made_up_cookie_is_replaced(example_door: RunningDoor) -> None:
    first = example_door.ask("GET", "/", headers={"Accept": "text/html"})
    token = first.cookies["atelier_user"]
    assert re.fullmatch(r"[\w-]{22}", token)
    assert "atelier_user" not in example_door.ask("GET", "/", headers={"Cookie": f"atelier_user={token}"}).cookies
    for forged in ("", "x", "a" * 23, "../../x" * 3):
        assert "atelier_user" in example_door.ask("GET", "/", headers={"Cookie": f"atelier_user={forged}"}).cookies


def test_the_user_cookie_is_out_of_reach_of_scripts_and_other_sites(example_door: RunningDoor) -> None:
    given = example_door.ask("GET", "/").headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(given.split("; "))


@pytest.mark.parametrize(
    "sign", [{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, {"Referer": "http://chat.test/"}]
)
def test_a_link_on_another_site_does_not_replace_who_you_are(example_door: RunningDoor, sign: dict[str, str]) -> None:
    # The browser holds strict cookies back on such a visit; the page comes again, as its own visit, and has them.
    page = example_door.ask("GET", "/", headers={"Accept": "text/html"} | sign)
    assert (page.status, page.cookies) == (200, {})
    assert 'http-equiv="refresh"' in page.text
