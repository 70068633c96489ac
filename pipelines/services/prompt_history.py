"""The history of prompts: what a person has asked for, out of the job book, and the phrases that they use again and again."""

from __future__ import annotations

import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.completion.tag_lists import folded
from pipelines.job_book.book import KEPT, JobBook

NEWEST = 5_000  # jobs of the studio that are looked through
MOST = 500  # prompts of one person
PEOPLE = 50  # whose prompts are remembered
LONGEST_PHRASE = 80  # letters
MOST_PHRASES = 3_000
ENDS = re.compile(r"[,\n()\[\]{}|<>]|\bAND\b|\bBREAK\b|~~|:[\d.]+|\$\$")
# What was typed: the template, where words were drawn of one. The last: a finished picture of it.
ASKED = f"""
  select number, coalesce(nullif(json_extract(request, '$.prompt_template'), ''), json_extract(request, '$.prompt')) as prompt,
    coalesce(nullif(json_extract(request, '$.negative_template'), ''), json_extract(request, '$.negative_prompt')) as negative, created,
    (select picture.id from picture where picture.job = job.id and {KEPT} order by picture.number desc limit 1) as picture
  from job where number > (select coalesce(max(number), 0) from job) - ? and user = ? and json_valid(request)
  order by number desc limit 2000
"""
STATE = "select coalesce((select max(number) from job), 0) as job, coalesce((select max(number) from picture), 0) as picture"


@dataclass(frozen=True, slots=True)
class Written:
    """A prompt as it was typed. `when`: seconds since 1970. `picture`: the id of one that came of it, or ""."""

    prompt: str
    negative: str
    when: float
    picture: str = ""


class PromptHistory:
    """Safe to call from any thread. Raises `BookError`."""

    def __init__(self, book: JobBook) -> None:
        self._book = book
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[tuple[int, int], list[Written], list[str]]] = OrderedDict()

    def prompts(self, user: str, search: str = "") -> Sequence[Written]:
        """The newest first, each once; with all of these words in it."""
        words = folded(search).split()
        return [each for each in self._of(user)[0] if all(word in folded(f"{each.prompt} {each.negative}") for word in words)]

    def phrases(self, user: str) -> Sequence[str]:
        """What stood between commas in them, that of most prompts first."""
        return self._of(user)[1]

    def _of(self, user: str) -> tuple[list[Written], list[str]]:
        row = self._book.file.rows(STATE)[0]
        newest = int(row["job"]), int(row["picture"])
        with self._lock:
            known = self._known.get(user)
            if known and known[0] == newest:
                self._known.move_to_end(user)
                return known[1], known[2]
        prompts = self._read(user)
        phrases = _phrases(prompts)
        with self._lock:
            self._known[user] = newest, prompts, phrases
            while len(self._known) > PEOPLE:
                self._known.popitem(last=False)
        return prompts, phrases

    def _read(self, user: str) -> list[Written]:
        found: dict[tuple[str, str], Written] = {}
        for row in self._book.file.rows(ASKED, (NEWEST, user)):
            prompt, negative = str(row["prompt"] or ""), str(row["negative"] or "")
            if prompt.strip() or negative.strip():
                found.setdefault((prompt, negative), Written(prompt, negative, float(row["created"]), row["picture"] or ""))
            if len(found) == MOST:
                break
        return [*found.values()]


def _phrases(prompts: Sequence[Written]) -> list[str]:
    counted: Counter[str] = Counter()
    for each in prompts:
        counted.update({phrase for text in (each.prompt, each.negative) for phrase in _parts(text)})
    return [phrase for phrase, _ in counted.most_common(MOST_PHRASES)]


def _parts(text: str) -> list[str]:
    found = (" ".join(part.replace("\\", "").split()) for part in ENDS.split(text[:20_000]))
    return [part for part in found if 2 < len(part) <= LONGEST_PHRASE and not part.startswith("__")]
