"""The queue's page of the panel: one's jobs from all tabs, and what is done with them. What it shows comes by `GET /queue`."""

from __future__ import annotations

from collections.abc import Mapping

import gradio as gr
from gradio.context import LocalContext

from models.json_values import is_table
from pipelines import KINDS, Studio, UserError
from ui.door.roles import Visitor, role, user_of, visitor_of
from ui.gradio_types import CALM, Updates, listener
from ui.messages import Message, PutBackOrder, TakenKind
from ui.parts.components import piece
from ui.parts.form import Form, TabForm
from ui.parts.stage import told


class QueueHandlers:
    """What the queue's script asks the server besides the routes of `ui/routes/queue.py`."""

    def __init__(self, studio: Studio, tab_forms: Mapping[str, TabForm]) -> None:
        """The two are closures: Gradio calls server functions by their names, and a role is declared on each."""

        @role("artist")
        def take(job_id: str) -> TakenKind | Message:
            try:
                return {"kind": studio.queue.take(str(job_id), _visitor().user).kind}
            except UserError as error:
                return {"message": str(error)}

        @role("artist")
        def put_back(order: PutBackOrder) -> Message:
            visitor = _visitor()
            try:
                form, values = _form(tab_forms, order), order.get("values")
                if not is_table(values):
                    raise UserError("Something was missing in what the page sent. Reload it.")
                studio.queue.put_back(str(order.get("job")), form.read(**values), visitor.user, visitor.role == "owner")
            except UserError as error:
                return {"message": str(error)}
            return {"message": ""}

        self.functions = [take, put_back]


def queue(studio: Studio, tab_forms: Mapping[str, TabForm], tabs: gr.Tabs) -> gr.HTML:
    """The page. A job that waits comes back into the form of its kind, and from there into its place."""
    kinds = {kind: request.title for kind, request in KINDS.items()}
    view = piece("queue", "queue", server_functions=QueueHandlers(studio, tab_forms).functions, kinds=kinds)

    @role("artist")
    def fill(event: gr.EventData, request: gr.Request) -> Updates:
        with told("Not taken"):
            asked = studio.queue.take(str(getattr(event, "job", "")), user_of(request))
        return {tabs: gr.Tabs(selected=asked.kind)} | tab_forms[asked.kind].form.fill(asked)

    outputs = [tabs, *(component for each in tab_forms.values() for component in each.form.components)]
    listener(view, "fill")(fill, None, outputs, **CALM)
    return view


def _visitor() -> Visitor:
    return visitor_of(LocalContext.request.get(None))


def _form(tab_forms: Mapping[str, TabForm], order: PutBackOrder) -> Form:
    kind = order.get("kind")
    if not isinstance(kind, str) or kind not in tab_forms:
        raise UserError("There is no such tab. Reload the page.")
    return tab_forms[kind].form
