"""Toasts: the notes that pop up over the page.

Gradio 6.31 heads a toast with its kind ("Error", "Info"), never shows the title that it was given, and takes the words for markup, so a
sentence about “<lora:name>” would lose just that. So the page is sent the title in front of the words, and both escaped; another
program that asks the same gets the sentence as it is, with the title beside it.
"""

from __future__ import annotations

from html import escape

from ui.gradio_import import gradio_stubs_untouched

with gradio_stubs_untouched():
    import gradio as gr
    from gradio.context import LocalContext


class Refusal(gr.Error):
    """A refusal: what was asked for is not done. `sentence` says why, as plain text."""

    def __init__(self, sentence: str, title: str) -> None:
        super().__init__(_titled(sentence, title), title=title, print_exception=False)
        self.sentence = sentence


def remark(sentence: str, title: str) -> None:
    """Something to know about what was done. To be called in a handler."""
    gr.Info(_titled(sentence, title), title=title)


def _titled(sentence: str, title: str) -> str:
    if not _is_for_the_page():
        return sentence
    return f"<strong>{escape(title, quote=False)}</strong> {escape(sentence, quote=False)}"


def _is_for_the_page() -> bool:
    """It alone joins Gradio's queue itself; others call a handler by its name."""
    address = getattr(LocalContext.request.get(None), "url", None)
    return str(getattr(address, "path", "")).endswith("/queue/join")
