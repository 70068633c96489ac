"""Calls of Gradio's: where one goes, what it brings, who asks; and the same call as it is passed on."""

from __future__ import annotations

import json
import re
import secrets
from urllib.parse import parse_qs, urlencode

from starlette.types import Scope

from models.json_values import is_table, is_whole
from ui.door.bodies import Refused
from ui.door.roles import Visitor

FIELDS = 20  # of a query
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # of a session, an event, an upload


class GradioCall:
    """One call: where it goes, what it brings, and who asks."""

    def __init__(self, scope: Scope, names: tuple[str, ...]) -> None:
        self.scope: Scope = scope
        self.names = names
        self.body: bytes | None = None

    @property
    def visitor(self) -> Visitor:
        return self.scope["visitor"]

    @property
    def prefix(self) -> str:
        return f"{self.visitor.user}-"

    def json(self) -> dict[str, object]:
        value: object = self.scope.get("json")
        if not is_table(value):
            raise Refused(422, "Send an object, as JSON.")
        return value

    def value(self, name: str) -> object:
        return self.json().get(name)

    def whole(self, name: str) -> int:
        value = self.value(name)
        if not is_whole(value):
            raise Refused(422, f"“{name}” must be a whole number.")
        return value

    def text(self, name: str) -> str:
        value = self.value(name)
        if not isinstance(value, str) or not NAME.fullmatch(value):
            raise Refused(422, f"“{name}” must be a name of letters and digits.")
        return value

    def session(self) -> str:
        return self.own(self.text("session_hash"))

    def own(self, name: str) -> str:
        """The name as this visitor's alone."""
        if not NAME.fullmatch(name):
            raise Refused(422, "A name of letters and digits is missing.")
        return self.prefix + name

    def made_up(self) -> str:
        return self.prefix + secrets.token_hex(16)

    def query(self, name: str) -> str:
        try:
            values = parse_qs(self.scope["query_string"].decode("latin-1"), max_num_fields=FIELDS).get(name, [])
        except ValueError:
            raise Refused(422, "There are too many fields in this address.") from None
        return values[0] if len(values) == 1 else ""

    def with_query(self, **values: str) -> Scope:
        return {**self.scope, "query_string": urlencode(values).encode()}

    def move(self, path: str) -> None:
        self.scope = {**self.scope, "path": path, "raw_path": path.encode()}

    def passed(self, values: dict[str, object], session: str | None) -> Scope:
        """The call with these values and nothing else of what was sent."""
        told = values if session is None else values | {"session_hash": session}
        self.body = json.dumps(told, ensure_ascii=False).encode("utf-8", "ignore")  # half characters are left out
        kept = [(name, value) for name, value in self.scope["headers"] if name.lower() not in (b"content-length", b"content-type")]
        return {**self.scope, "headers": [*kept, (b"content-type", b"application/json"), (b"content-length", b"%d" % len(self.body))]}
