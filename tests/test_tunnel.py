"""Tunnels by small programs that say what the real ones say: opened, read, refused, lost, and ended with the studio."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from models.errors import UserError
from pipelines.people.records import PASSWORD as PASSWORD_LINK
from tests.support.doors import PASSWORD, example_page
from tests.support.toys import toy_studio, wait_until
from ui.door.tunnel import Tunnels
from ui.server import Door, create_app

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the programs are shell scripts")

CLOUDFLARED = """echo $$ > "$0.pid"; echo "$@" > "$0.args"
echo "2026-01-02T03:04:05Z INF Requesting new quick Tunnel on trycloudflare.com..." >&2
echo "2026-01-02T03:04:06Z INF +----------------------------------------------------------+" >&2
echo "2026-01-02T03:04:06Z INF |  Your quick Tunnel has been created! Visit it at (it may take some time to be reachable):  |" >&2
echo "2026-01-02T03:04:06Z INF |  https://blue-red-house-sky.trycloudflare.com             |" >&2
echo "2026-01-02T03:04:06Z INF +----------------------------------------------------------+" >&2
exec sleep 60"""
TAILSCALE = """echo $$ > "$0.pid"; echo "$@" > "$0.args"
printf 'Available on the internet:\\n\\nhttps://box.tail1234.ts.net/\\n|-- proxy %s\\n\\nPress Ctrl+C to exit.\\n' "$3"
exec sleep 60"""
NOT_ENABLED = """printf 'Funnel is not enabled on your tailnet.\\nTo enable, visit:\\n\\n\\thttps://login.tailscale.com/f/funnel?node=n1\\n'
exec sleep 60"""
NO_NETWORK = (
    """echo 'ERR failed to request quick Tunnel: Post "https://api.trycloudflare.com/tunnel": dial tcp: no such host' >&2; exit 1"""
)
DIES = f"({CLOUDFLARED.replace('exec sleep 60', 'true')})\nsleep 0.5; echo 'ERR lost connection with the edge' >&2; exit 3"
OWNER = {"Cookie": "atelier_user=" + "o" * 22}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs, the first on the path."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def install(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def is_running(program: Path) -> bool:
    pid = int(program.with_name(f"{program.name}.pid").read_text())
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z" if Path("/proc").exists() else True


@pytest.fixture
def tunnels() -> Iterator[Tunnels]:
    made = Tunnels()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("way", "name", "script", "address", "asked"),
    [
        ("cloudflare", "cloudflared", CLOUDFLARED, "https://blue-red-house-sky.trycloudflare.com",
         f"tunnel --config {os.devnull} --no-autoupdate --url http://127.0.0.1:7860"),
        ("funnel", "tailscale", TAILSCALE, "https://box.tail1234.ts.net", "funnel --yes http://127.0.0.1:7860"),
        ("serve", "tailscale", TAILSCALE, "https://box.tail1234.ts.net", "serve --yes http://127.0.0.1:7860"),
    ],
)  # fmt: skip
def test_a_tunnel_is_opened_read_and_ended(
    programs: Path, tunnels: Tunnels, way: str, name: str, script: str, address: str, asked: str
) -> None:
    program = install(programs, name, script)
    assert way in [each.name for each in tunnels.ways()]
    tunnels.open(way, 7860)
    wait_until(lambda: tunnels.stands.state == "open")
    assert (str(tunnels.public), program.with_name(f"{name}.args").read_text().strip()) == (address, asked)
    assert tunnels.proxies == ["127.0.0.1"] and is_running(program)
    with pytest.raises(UserError, match="open already"):
        tunnels.open(way, 7860)
    tunnels.close()
    assert (tunnels.stands.state, tunnels.public, tunnels.proxies, is_running(program)) == ("closed", None, [], False)


def test_what_is_not_installed_is_not_offered(tunnels: Tunnels, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tunnels.ways() == []
    with pytest.raises(UserError, match="no such program"):
        tunnels.open("funnel", 7860)


def test_what_a_program_waits_for_and_why_it_has_ended_are_told(programs: Path, tunnels: Tunnels) -> None:
    install(programs, "tailscale", NOT_ENABLED)
    install(programs, "cloudflared", NO_NETWORK)
    tunnels.open("funnel", 7860)
    wait_until(lambda: "login.tailscale.com" in tunnels.stands.said)
    assert (tunnels.stands.state, tunnels.public) == ("opening", None)
    tunnels.close()
    tunnels.open("cloudflare", 7860)
    wait_until(lambda: tunnels.stands.state == "lost")
    assert "no such host" in tunnels.stands.said and tunnels.public is None and tunnels.proxies == []


def test_a_tunnel_that_dies_is_said_and_can_be_opened_again(programs: Path, tunnels: Tunnels, caplog: pytest.LogCaptureFixture) -> None:
    install(programs, "cloudflared", DIES)
    tunnels.open("cloudflare", 7860)
    wait_until(lambda: tunnels.stands.state == "open")
    wait_until(lambda: tunnels.stands.state == "lost")
    assert tunnels.public is None and "lost connection" in tunnels.stands.said
    wait_until(lambda: "The tunnel by Cloudflare has closed" in caplog.text)
    install(programs, "cloudflared", CLOUDFLARED)
    tunnels.open("cloudflare", 7860)
    wait_until(lambda: tunnels.stands.state == "open")


def test_a_studio_that_is_killed_leaves_no_tunnel(programs: Path) -> None:
    program = install(programs, "cloudflared", CLOUDFLARED)
    code = "from ui.door.tunnel import Tunnels; import time; t = Tunnels(); t.open('cloudflare', 7860)\nwhile True: time.sleep(1)"
    studio = subprocess.Popen([sys.executable, "-c", code])
    wait_until(program.with_name("cloudflared.pid").exists, 20)
    assert is_running(program)
    studio.send_signal(signal.SIGKILL)
    studio.wait()
    wait_until(lambda: not is_running(program))


# ------------------------------------------------------------------------------------------------ the studio behind one


def test_by_a_tunnel_who_has_a_link_comes_in_and_it_opens_only_when_no_other_way_is_open(programs: Path, tmp_path: Path) -> None:
    install(programs, "cloudflared", CLOUDFLARED)
    studio, tunnels = toy_studio(tmp_path, start=False), Tunnels()
    app = create_app(studio, example_page, Door(password=PASSWORD, tunnels=tunnels))
    owner = TestClient(app, "http://127.0.0.1:7860", client=("127.0.0.1", 1), headers=OWNER)
    refused = owner.post("/reach/tunnel", json={"way": "cloudflare"})
    assert refused.status_code == 422 and "password" in refused.json()["message"] and tunnels.stands.state == "closed"
    assert owner.post(f"/people/links/{PASSWORD_LINK}/take-back", json={}).status_code == 200
    assert owner.post("/reach/tunnel", json={"way": "cloudflare"}).status_code == 200
    wait_until(lambda: owner.get("/reach").json()["tunnel"]["state"] == "open")
    made = owner.post("/people/links", json={"role": "artist"}).json()
    assert made["address"].startswith("https://blue-red-house-sky.trycloudflare.com/join/")
    away = TestClient(app, "http://blue-red-house-sky.trycloudflare.com", client=("127.0.0.1", 1), follow_redirects=False)
    away.headers |= {"X-Forwarded-For": "203.0.113.5", "X-Forwarded-Proto": "https"}
    opened = away.get(f"/join/{made['address'].rpartition('/')[2]}")
    assert opened.status_code == 303 and "Secure" in opened.headers["set-cookie"]
    forged = {"Host": "127.0.0.1:7860", **OWNER}
    assert [away.get("/reach", headers=each).status_code for each in ({}, OWNER, forged)] == [401, 401, 401]
    assert owner.post("/reach/tunnel/close", json={}).status_code == 200
    assert away.get("/login").status_code == 421
    studio.close()


def test_beside_a_proxy_no_tunnel_is_opened(programs: Path, tmp_path: Path) -> None:
    install(programs, "cloudflared", CLOUDFLARED)
    studio, tunnels = toy_studio(tmp_path, start=False), Tunnels(["10.0.0.2"])
    app = create_app(studio, example_page, Door(tunnels=tunnels))
    owner = TestClient(app, "http://127.0.0.1:7860", client=("127.0.0.1", 1), headers=OWNER)
    refused = owner.post("/reach/tunnel", json={"way": "cloudflare"})
    assert refused.status_code == 422 and "proxy" in refused.json()["message"] and tunnels.stands.state == "closed"
    studio.close()


def test_links_are_for_the_network_again_once_the_tunnel_has_closed(programs: Path, tmp_path: Path) -> None:
    install(programs, "cloudflared", DIES)
    studio, tunnels = toy_studio(tmp_path, start=False), Tunnels()
    app = create_app(studio, example_page, Door(tunnels=tunnels))
    owner = TestClient(app, "http://127.0.0.1:7860", client=("127.0.0.1", 1), headers=OWNER)
    owner.post("/reach/tunnel", json={"way": "cloudflare"})
    wait_until(lambda: tunnels.stands.state == "lost")
    assert owner.get("/reach").json()["tunnel"]["state"] == "lost"
    assert "lost connection" in owner.get("/reach").json()["tunnel"]["said"]
    assert "tunnel" in owner.get("/current").json()["you"]["note"]
    assert owner.post("/people/links", json={"role": "artist"}).json()["address"].startswith("http://127.0.0.1:7860/join/")
    studio.close()
