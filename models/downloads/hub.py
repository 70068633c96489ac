"""Downloads from the Hugging Face hub: one file, resumed where it was begun, checked by size and hash, shown only when it is whole.

The hub answers `{repo}/resolve/{revision}/{file}` with the file, or with a redirect to its store and the size and SHA-256 of the file
in X-Linked-Size and X-Linked-Etag. Nothing is sent but the address: no account, no token.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.parse import quote, urljoin, urlsplit

from models.downloads.hub_names import check_names, saved_name
from models.errors import UserError

HUB = "https://huggingface.co"
HOSTS = ("huggingface.co", "hf.co")  # and what lies below them; the address that is asked first is always allowed
PATIENCE = 30.0  # seconds without a byte
TRIES = 5  # in a row without a byte
REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 5
BLOCK = 2**20  # bytes
SPARE = 2**28  # bytes that stay free on the disk

Progress = Callable[[int, int], None]  # (bytes that are there, bytes of the whole)


class Cancelled(Exception):
    """A person stopped the download. What has arrived is kept."""


class _Broken(Exception):
    """The connection broke; going on from here may work."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A file on the hub, as the hub describes it before it sends it."""

    url: str
    size: int
    etag: str  # names the content

    @property
    def sha256(self) -> str:
        """In hexadecimal digits, when the content is named by it; else ""."""
        return self.etag if re.fullmatch(r"[0-9a-f]{64}", self.etag) else ""


def download(
    repo: str,
    filename: str,
    folder: Path,
    *,
    revision: str = "main",
    save_as: str = "",
    progress: Progress = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
    listed: bool = False,
    base_url: str = HUB,
) -> Path:
    """Returns where the file is once it is whole: `folder`/`save_as`, or its own name. What is there already under that name stays.

    `repo` is "owner/name", `filename` a path inside of it. `listed`: a table of ours names it, see `hub_names`; False for every name
    from outside. Raises `UserError` with what went wrong, or `Cancelled`; in both cases the part that has arrived is kept under a
    hidden name and the next call goes on from there.
    """
    check_names(repo, filename, revision, listed=listed)
    target = folder / saved_name(save_as or filename, listed=listed)
    if target.exists():
        raise UserError(f"There is a file called “{target.name}” already. Rename or remove it first.")
    with _in_words():
        remote = _ask(f"{base_url.rstrip('/')}/{repo}/resolve/{quote(revision, safe='')}/{quote(filename)}")
        part = _part(folder, target.name, remote)
        _check_room(folder, remote, part)
        _fetch(remote, part, progress, cancelled)
    _check(part, remote)
    if target.exists():
        raise UserError(f"Meanwhile a file called “{target.name}” has appeared. Rename or remove it and start the download again.")
    part.rename(target)
    return target


# ------------------------------------------------------------------------------------------------ asking


def _ask(url: str) -> Remote:
    """What the first answers say. The hub names size and hash of the whole file itself, before it sends on to its store."""
    size, etag = 0, ""
    with closing(_answers(url, "HEAD", {})) as answers:
        for response in answers:
            is_file = response.status == 200
            if is_file:
                _refuse_page(response)
            size = size or _number(response, "X-Linked-Size") or (_number(response, "Content-Length") if is_file else 0)
            etag = etag or _tag(response, "X-Linked-Etag") or (_tag(response, "ETag") if is_file else "")
            if size and etag:
                break
    if not size:
        raise UserError("The server does not say how large the file is, so it cannot be downloaded safely.")
    return Remote(url, size, etag)


@contextmanager
def _open(remote: Remote, begin: int) -> Generator[HTTPResponse]:
    """The file's bytes from `begin` on; from 0 when the server does not send parts."""
    with closing(_answers(remote.url, "GET", {"Range": f"bytes={begin}-"} if begin else {})) as answers:
        for response in answers:
            if response.status not in REDIRECTS:
                _refuse_page(response)
                yield response
                return


def _answers(url: str, method: str, headers: dict[str, str]) -> Generator[HTTPResponse]:
    """Each answer on the way, the last one not a redirect. An answer is closed when the next is asked for."""
    first = urlsplit(url).netloc
    opener = urllib.request.build_opener(_NoRedirects)
    for _ in range(MOST_REDIRECTS + 1):
        request = urllib.request.Request(url, method=method, headers={"User-Agent": "Atelier", "Accept-Encoding": "identity", **headers})
        with opener.open(request, timeout=PATIENCE) as response:
            yield response
            if response.status not in REDIRECTS:
                return
            url = urljoin(url, response.headers.get("Location", ""))
        _check_host(url, first)
    raise UserError("The server sends the download round in circles. Try again later.")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Hands redirects over as they are: each address is checked before it is asked."""

    def http_error_302(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage) -> IO[bytes]:
        return fp

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _check_host(url: str, first: str) -> None:
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    known = any(host == name or host.endswith(f".{name}") for name in HOSTS)
    if parts.netloc != first and not (known and parts.scheme == "https"):
        raise UserError("The download was redirected to a server that does not belong to the hub, so it was stopped.")


def _refuse_page(response: HTTPResponse) -> None:
    if response.headers.get("Content-Type", "").lower().startswith(("text/html", "application/xhtml")):
        raise UserError("The server answered with a web page instead of the file: it may ask for a log-in or for an agreement there.")


# ------------------------------------------------------------------------------------------------ fetching


def _fetch(remote: Remote, part: Path, progress: Progress, cancelled: Callable[[], bool]) -> None:
    """Appends to `part` until it is whole, going on after a broken connection as long as some bytes come."""
    failures = 0
    while (there := _size(part)) < remote.size:
        try:
            _receive(remote, part, progress, cancelled)
        except _Broken as error:
            failures = 0 if _size(part) > there else failures + 1
            if failures == TRIES:
                raise UserError("The connection broke off again and again. Start the download once more: it goes on from here.") from error
    progress(remote.size, remote.size)


def _receive(remote: Remote, part: Path, progress: Progress, cancelled: Callable[[], bool]) -> None:
    begin = _size(part)
    with _open(remote, begin) as response:
        if response.status == 206 and _first_byte(response) != begin:
            raise UserError("The server sent another part of the file than was asked for. Try again later.")
        if response.status != 206:
            begin = 0
        with part.open("ab" if begin else "wb") as stream:
            for block in _blocks(response, remote.size - begin):
                if cancelled():
                    raise Cancelled
                stream.write(block)
                begin += len(block)
                progress(begin, remote.size)


def _blocks(response: HTTPResponse, most: int) -> Iterator[bytes]:
    """At most `most` bytes, however many the server sends."""
    while most > 0:
        try:
            block = response.read1(min(BLOCK, most))
        except (OSError, HTTPException) as error:
            raise _Broken from error
        if not block:
            raise _Broken
        most -= len(block)
        yield block


def _check(part: Path, remote: Remote) -> None:
    """A part that is wrong as a whole is of no use for going on, so it goes."""
    with part.open("rb") as stream:
        start = stream.read(64).lstrip().lower()
        stream.seek(0)
        digest = hashlib.file_digest(stream, "sha256").hexdigest() if remote.sha256 else ""
    wrong = ""
    if start.startswith((b"<!doctype", b"<html")):
        wrong = "What arrived is a web page, not the file: the server may ask for a log-in or for an agreement there."
    elif digest != remote.sha256:
        wrong = "What arrived is not the file that the hub has: its hash differs. Start the download again."
    if wrong:
        part.unlink()
        raise UserError(wrong)


def _part(folder: Path, name: str, remote: Remote) -> Path:
    """Where the bytes gather: a hidden name that changes with the content, so that two versions never mix."""
    content = hashlib.sha256(f"{remote.url} {remote.etag} {remote.size}".encode()).hexdigest()[:12]
    part = folder / f".{name[:120]}.{content}.part"
    if _size(part) > remote.size or not remote.etag:
        part.unlink(missing_ok=True)
    return part


def _check_room(folder: Path, remote: Remote, part: Path) -> None:
    missing = remote.size - _size(part) + SPARE - shutil.disk_usage(folder).free
    if missing > 0:
        raise UserError(f"The disk is too full: {missing / 1e9:.1f} GB more are needed. Make room and start the download again.")


@contextmanager
def _in_words() -> Generator[None]:
    """What a server or the network does, as a sentence."""
    try:
        yield
    except urllib.error.HTTPError as error:
        raise UserError(_refusal(error.code)) from error
    except (urllib.error.URLError, TimeoutError, HTTPException, ConnectionError) as error:
        raise UserError("The hub cannot be reached. Is this computer connected to the internet?") from error
    except OSError as error:
        raise UserError(f"The file cannot be written ({error.strerror}). Check the folder of models and the disk.") from error


def _refusal(status: int) -> str:
    if status in (401, 403):
        return "The hub does not give this file to everybody: log in there, agree to its terms, and download it in your browser."
    if status == 404:
        return "There is no such repository or file on the hub. Copy both names from the page of the file."
    if status == 429:
        return "The hub says that too many downloads came from here. Try again in a few minutes."
    return f"The hub answered with an error ({status}). Try again later."


def _first_byte(response: HTTPResponse) -> int:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else -1


def _number(response: HTTPResponse, name: str) -> int:
    text = response.headers.get(name, "")
    return int(text) if re.fullmatch(r"\d{1,15}", text) else 0


def _tag(response: HTTPResponse, name: str) -> str:
    return response.headers.get(name, "").removeprefix("W/").strip('"')[:128]


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
