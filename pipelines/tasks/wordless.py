"""Tasks of what is drawn without words: a model is lent phase by phase, as its parts need not lie in memory together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from pipelines.requests.request import Wordless
from pipelines.steps.begun import NOT_BEGUN, Begun
from pipelines.tasks.batch import Batch, Task

Shown = TypeVar("Shown", bound=Wordless, covariant=True)


@dataclass(frozen=True)
class WordlessTask(Task[Shown]):
    """One job. `go_on` is asked where one step takes long; it raises `Interrupted` when the job shall end. `begun`: the steps that are made
    already. `sparing`: as memory ran out, what is lent comes to the device a layer at a time.
    """

    go_on: Callable[[], None] = lambda: None
    begun: Begun = NOT_BEGUN
    sparing: bool = False

    def batches(self) -> Iterator[WordlessBatch[Shown]]:
        for number, first, singles in self._due():
            yield WordlessBatch(self, number, first, singles)


@dataclass(frozen=True)
class WordlessBatch(Batch[Shown]):
    task: WordlessTask[Shown]
