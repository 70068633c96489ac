"""Completion with 200,000 tags: how long the server looks for what may be meant, key by key, held against the 50 ms that it may take."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from importlib import import_module
from pathlib import Path
from statistics import quantiles

from bench.paired import Row
from models.library.catalog import Catalog
from models.memory.heap import set_apart
from pipelines.completion.tag_lists import TagFolders
from pipelines.job_book.book import JobBook
from pipelines.services.completion import Completion, Writing
from pipelines.services.model_cards import ModelCards
from pipelines.services.prompt_history import PromptHistory
from pipelines.services.strengths import Strengths
from pipelines.wildcards.folders import WildcardFolders

TAGS = 200_000
MOST_SECONDS = 0.05  # of an answer
MOST_PAUSE = 0.25  # that other threads may have to wait while lists are read
TEXTS = ("a red house by the sea, long hair, 1girl", "the girl with thin rib", "saber fate ornament zq", "forest mountain_7, ng", "e")
PARTS = (
    "hair", "house", "long", "short", "red", "blue", "girl", "boy", "eyes", "smile", "skirt", "dress", "tree", "cloud", "sky", "window",
    "river", "night", "day", "light", "dark", "ribbon", "bow", "glasses", "hat", "shirt", "coat", "boots", "horn", "wing", "tail", "ear",
    "flower", "leaf", "stone", "sword", "shield", "cup", "table", "chair", "door", "street", "city", "forest", "mountain", "sea", "boat",
)  # fmt: skip


def measure(rounds: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tags(folder / "tags" / "many.csv")
        import_module("ui")  # and all that the studio has in memory
        import_module("torch")
        set_apart()  # as the studio does when it has started
        tags = TagFolders([folder])
        pause = longest_pause(lambda: tags.tags(wait=True))
        book = JobBook(folder / "studio.db", folder)
        starter = Path(__file__).parents[1] / "models" / "starter"
        catalog, words = Catalog(starter), WildcardFolders([folder])
        completion = Completion(catalog, words, tags, PromptHistory(book), Strengths(folder), ModelCards(catalog, folder))
        seconds = [asked(completion, text[: place + 1]) for _ in range(rounds) for text in TEXTS for place in range(len(text))]
        book.close()
    late = quantiles(seconds, n=20)[-1]
    return [
        Row("answer, 95th percentile / 50 ms", [late / MOST_SECONDS], 1.0, late),
        Row("longest answer / 50 ms", [max(seconds) / MOST_SECONDS], None, max(seconds)),
        Row("longest pause of others while the lists are read / 250 ms", [pause / MOST_PAUSE], 1.0, pause),
    ]


def asked(completion: Completion, before: str) -> float:
    began = time.perf_counter()
    completion.offered(Writing(before, before, "starter"), "ada")
    return time.perf_counter() - began


def longest_pause(work: object) -> float:
    """Seconds for which a thread that only looks at the clock did not get to it."""
    assert callable(work)
    thread = threading.Thread(target=work)
    thread.start()
    longest, last = 0.0, time.perf_counter()
    while thread.is_alive():
        time.sleep(0.001)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest


def write_tags(path: Path) -> None:
    """As the lists of the boards are: made names, counts that fall off steeply, another name each."""
    dice = random.Random(1)
    path.parent.mkdir()
    names = {"_".join(dice.choices(PARTS, k=dice.randint(2, 4))) + f"_{dice.randint(1, 999)}" for _ in range(2 * TAGS)}
    lines = [f'{name},0,{int(10 ** dice.uniform(1, 6))},"{name[::-1]}"' for name in sorted(names)[:TAGS]]
    path.write_text("\n".join(lines) + "\n", "utf-8")
