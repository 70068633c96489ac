"""The real server with the real page of one tab around a toy runner, for processes that are to be killed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import gradio as gr

from bench.served import say_into
from pipelines.job_book.book import JobBook
from pipelines.jobs.outputs import Outputs
from pipelines.studio import Studio
from tests.support.page_files import compress_quickly
from tests.support.toys import ToyPainter, toy_model_folder
from ui import page
from ui.parts.theme import look
from ui.server import Door, create_app, serve
from ui.tabs import txt2img

STEP = 0.004  # seconds


def serve_toys(arguments: list[str], log: str) -> None:
    from models.library.catalog import Catalog

    say_into(log)
    compress_quickly()
    options = dict(zip(arguments[1::2], arguments[2::2], strict=True))
    outputs = Path(options["--outputs-dir"])
    os.environ["GRADIO_TEMP_DIR"] = str(outputs / ".uploads")
    kept = Outputs(outputs)
    kept.sweep(older_than=0)
    book = JobBook(outputs / "studio.db", outputs)
    studio = Studio(Catalog(toy_model_folder(outputs.parent / "toy")), kept, book, lambda: ToyPainter(STEP))
    begin = time.monotonic()
    try:
        serve(create_app(studio, one_tab, Door(), **look()), "127.0.0.1", int(options["--port"]), lambda port: studio.start())
    finally:
        studio.close()
        print(f"closed after {time.monotonic() - begin:.1f} s", flush=True)


def one_tab(studio: Studio) -> gr.Blocks:
    """The page without the tabs that nobody here draws with, most of the work of a start."""
    return page(studio, [txt2img])


def fetch(address: str, folder: str) -> None:
    from models.downloads.hub import download
    from tests.support.hub_server import FILE, REPO

    os.environ["no_proxy"] = "127.0.0.1"
    download(REPO, FILE, Path(folder), base_url=address)


def make_safe(file: str, to: str) -> None:
    from models.downloads.convert import convert

    convert(Path(file), Path(to))
