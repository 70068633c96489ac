"""The login: who is asking, and whether they may come in.

Two cookies, both HttpOnly and SameSite=Strict, both 128 random bits or more that only the server makes:

    atelier_user    the same browser as before. Its hash is the user id under which jobs and pictures are kept
    atelier_login   this browser gave the password; kept in memory as a hash until logout, restart or 30 days

Without a password everybody who reaches the server is let in. With one, only the login page and `/healthz` answer to
strangers; Gradio's own login is not used, because it leaves routes of Gradio open.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from html import escape
from http.cookies import SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.colours import DARK, LIGHT, colours
from ui.door.addresses import is_loopback, network, peer_of
from ui.door.guard import LOOPBACK_NAMES
from ui.door.proxy import below, host_name
from ui.door.roles import Role, Visitor

USER_COOKIE = "atelier_user"
LOGIN_COOKIE = "atelier_login"
USER_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")
FIELDS = 20  # of a login form
THROUGH_PROXY = 30  # wrong passwords a minute through one proxy whose word is not taken
YEAR, MONTH = 365 * 86_400, 30 * 86_400  # seconds
OPEN_ROUTES = ("/login", "/healthz")
PLAIN_ROUTES = ("/assets/", "/static/", "/healthz", "/theme.css", "/favicon.ico")  # nothing personal: no cookie is made for them


class Sessions:
    """The logins of one server, in memory, by hash. Safe to call from any thread."""

    def __init__(self, password: str | None, clock: Callable[[], float] = time.monotonic, most: int = 10_000) -> None:
        self._password = _digest(password) if password is not None else None
        self._clock, self._most = clock, most
        self._ends: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def needed(self) -> bool:
        return self._password is not None

    def opens(self, password: str) -> bool:
        """Compares in the same time whatever the difference."""
        return self._password is not None and hmac.compare_digest(_digest(password), self._password)

    def begin(self) -> str:
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._ends[_digest(token)] = self._clock() + MONTH
            while len(self._ends) > self._most:
                self._ends.popitem(last=False)
        return token

    def holds(self, token: str | None) -> bool:
        with self._lock:
            return token is not None and self._ends.get(_digest(token), 0.0) > self._clock()

    def end(self, token: str | None) -> None:
        with self._lock:
            self._ends.pop(_digest(token or ""), None)


class Attempts:
    """Counts wrong passwords: after `most` within `seconds` an address, or who else is counted, waits, also with the right one."""

    def __init__(self, most: int = 5, seconds: float = 60, clock: Callable[[], float] = time.monotonic, addresses: int = 10_000) -> None:
        self._most, self._seconds, self._clock, self._addresses = most, seconds, clock, addresses
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, address: str) -> float:
        """Seconds until this address may try again; 0 when it may."""
        with self._lock:
            failures = self._failures.get(network(address), deque())
            recent = [moment for moment in failures if moment > self._clock() - self._seconds]
            return recent[0] + self._seconds - self._clock() if len(recent) >= self._most else 0.0

    def failed(self, address: str) -> None:
        with self._lock:
            self._failures.setdefault(network(address), deque(maxlen=self._most)).append(self._clock())
            self._failures.move_to_end(network(address))
            while len(self._failures) > self._addresses:
                self._failures.popitem(last=False)


class Reception:
    """Middleware behind the guard: finds the visitor of each request, makes the user cookie, keeps strangers at the login."""

    def __init__(
        self, app: ASGIApp, sessions: Sessions, owner_seen: Callable[[str], None] = lambda user: None, faces: Collection[str] = ()
    ) -> None:
        """`owner_seen` is told the user id of each request of the owner's. `faces`: paths of the typefaces that the login is written in."""
        self.app = app
        self.sessions = sessions
        self.owner_seen = owner_seen
        self.open = frozenset(faces) | set(OPEN_ROUTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        cookies = cookie_parser(Headers(scope=scope).get("cookie", ""))
        token = cookies.get(USER_COOKIE, "")
        known = USER_TOKEN.fullmatch(token) is not None
        token = token if known else secrets.token_urlsafe(16)
        scope["visitor"] = visitor = Visitor(_digest(token)[:32], self._role(scope, cookies.get(LOGIN_COOKIE)))
        if visitor.role == "owner" and known:
            self.owner_seen(visitor.user)
        answer = self._turned_away(scope, known)
        if not known and answer is None and not scope["path"].startswith(PLAIN_ROUTES):
            send = _with_cookie(send, USER_COOKIE, token, YEAR, scope)
        await (answer or self.app)(scope, receive, send)

    def _role(self, scope: Scope, login: str | None) -> Role:
        if self.sessions.needed and not self.sessions.holds(login):
            return "anyone"
        return "owner" if at_the_machine(scope) else "artist"

    def _turned_away(self, scope: Scope, known: bool) -> ASGIApp | None:
        headers = Headers(scope=scope)
        page = scope["method"] in ("GET", "HEAD") and "text/html" in headers.get("accept", "")
        if page and not known and _led_here(headers):
            return HTMLResponse(TURNSTILE)
        if scope["visitor"].role != "anyone" or scope["path"] in self.open:
            return None
        if page:
            return RedirectResponse(below(scope, "/login"), 303)
        return JSONResponse({"message": "Log in first: reload the page."}, 401)


class Watch:
    """Too many guesses, and whose. The owner at the machine, a browser that was let in before, and each visitor of a proxy count apart."""

    def __init__(self) -> None:
        self._each = Attempts()
        self._through = Attempts(most=THROUGH_PROXY)  # all visitors of a proxy whose word is not taken
        self._known: OrderedDict[str, None] = OrderedDict()  # browsers that gave the password

    def wait(self, scope: Scope) -> float:
        """Seconds until this visitor may try again; 0 when it may."""
        who, proxy = self._who(scope)
        return max(self._each.wait(who), self._through.wait(proxy) if proxy else 0.0)

    def failed(self, scope: Scope) -> None:
        who, proxy = self._who(scope)
        self._each.failed(who)
        if proxy:
            self._through.failed(proxy)

    def entered(self, scope: Scope) -> None:
        self._known[scope["visitor"].user] = None
        while len(self._known) > 10_000:
            self._known.popitem(last=False)

    def _who(self, scope: Scope) -> tuple[str, str]:
        """Who is counted, and the proxy in between if what it says may be made up: then all who come through it are counted too."""
        peer = network(peer_of(scope))
        if scope["visitor"].user in self._known:
            return f"browser {scope['visitor'].user}", ""
        if at_the_machine(scope):
            return "this machine", ""
        if scope.get("forwarded") and scope.get("claimed") and not scope.get("trusted"):
            return f"{peer} for {network(scope['claimed'])}", peer
        return peer, ""


class LoginRoutes:
    """The handlers of `/login` and `/logout`."""

    def __init__(self, sessions: Sessions, faces: str = "") -> None:
        """`faces`: rules of a style sheet for the typefaces of the house."""
        self.sessions = sessions
        self.faces = faces
        self.watch = Watch()

    async def show(self, request: Request) -> Response:
        if request.scope["visitor"].role != "anyone":
            return RedirectResponse(below(request.scope, "/"), 303)
        return HTMLResponse(self._page())

    async def enter(self, request: Request) -> Response:
        password = (await request.form(max_fields=FIELDS)).get("password", "")
        # From here on nothing is waited for: guesses that come at the same time are counted one after another.
        if (wait := self.watch.wait(request.scope)) > 0:
            sentence = f"Too many wrong passwords. Try again in {int(wait) + 1} seconds."
            return HTMLResponse(self._page(sentence), 429, {"Retry-After": str(int(wait) + 1)})
        if not isinstance(password, str) or not self.sessions.opens(password):
            self.watch.failed(request.scope)
            return HTMLResponse(self._page("That is not the password."), 401)
        self.watch.entered(request.scope)
        self.sessions.end(request.cookies.get(LOGIN_COOKIE))
        response = RedirectResponse(below(request.scope, "/"), 303)
        _set_cookie(response.headers, LOGIN_COOKIE, self.sessions.begin(), MONTH, request.scope)
        return response

    def _page(self, problem: str = "") -> str:
        return login_page(problem, self.faces)

    async def leave(self, request: Request) -> Response:
        self.sessions.end(request.cookies.get(LOGIN_COOKIE))
        response = RedirectResponse(below(request.scope, "/login"), 303)
        _set_cookie(response.headers, LOGIN_COOKIE, "", 0, request.scope)
        return response


def at_the_machine(scope: Scope) -> bool:
    # A proxy or a tunnel on this machine also connects from loopback; it shows by what it adds, or by the name it passes on.
    name = host_name(Headers(scope=scope).get("host", ""))
    return is_loopback(peer_of(scope)) and name in LOOPBACK_NAMES and not scope.get("forwarded", False)


def _led_here(headers: Headers) -> bool:
    """Whether a link on another site led here. Strict cookies are then held back, and a new one would replace the old."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "cross-site"
    # Over plain http a browser names no site; a referrer that is not ours tells as much.
    host = headers.get("host", "")
    return not headers.get("referer", f"http://{host}/").startswith((f"http://{host}/", f"https://{host}/"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _set_cookie(headers: MutableHeaders, name: str, value: str, seconds: int, scope: Scope) -> None:
    cookie = SimpleCookie({name: value})
    cookie[name].update({"path": below(scope, "") or "/", "max-age": str(seconds), "httponly": "true", "samesite": "Strict"})
    if scope.get("scheme") == "https":
        cookie[name]["secure"] = "true"
    headers.append("Set-Cookie", cookie[name].OutputString())


def _with_cookie(send: Send, name: str, value: str, seconds: int, scope: Scope) -> Send:
    async def set_cookie(message: Message) -> None:
        if message["type"] == "http.response.start":
            _set_cookie(MutableHeaders(scope=message), name, value, seconds, scope)
        await send(message)

    return set_cookie


TURNSTILE = '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0"><title>Atelier</title></html>'

LOGIN_STYLE = """
:root { color-scheme: light dark; LIGHT }
@media (prefers-color-scheme: dark) { :root { DARK } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--paper); color: var(--ink);
  font: 15px/1.5 Inter, system-ui, sans-serif; padding: 1.5rem; }
main { width: 100%; max-width: 22rem; background: var(--sheet); border: 1px solid var(--line); border-radius: 18px;
  padding: 2.2rem; box-shadow: 0 12px 40px rgb(30 20 10 / 10%); }
h1 { font: 600 2.1rem/1.1 Fraunces, Georgia, serif; letter-spacing: -.01em; margin: 0 0 .4rem; }
p { margin: 0 0 1.5rem; color: var(--quiet); }
label { display: block; font-size: .9rem; margin-bottom: .35rem; }
input, button { width: 100%; font: inherit; padding: .65rem .8rem; border-radius: 11px; border: 1px solid var(--edge); }
input { background: var(--paper); color: var(--ink); }
button { margin-top: 1rem; background: var(--strong); color: var(--on); border-color: transparent; font-weight: 600; cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
[role=alert] { margin: 1rem 0 0; color: var(--ink); }
""".replace("LIGHT", colours(LIGHT)).replace("DARK", colours(DARK))


def login_page(problem: str = "", faces: str = "") -> str:
    alert = f'<p role="alert" id="problem">{escape(problem)}</p>' if problem else ""
    invalid = ' aria-invalid="true" aria-describedby="problem"' if problem else ""
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<title>Atelier</title>
<style>{faces}{LOGIN_STYLE}</style></head>
<body><main>
<h1>Atelier</h1>
<p>This studio asks for its password.</p>
<form method="post" action="login">
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required autofocus{invalid}>
<button>Enter</button>{alert}
</form>
</main></body>
</html>"""
