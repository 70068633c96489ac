"""What a form is offered, and what is said of its prompt while somebody types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from pipelines.services.answers import CompletionItem, TimeLine


class Word(TypedDict):
    """A word that a click puts into a prompt. Sent by `ui.parts.choices.put_in`; read by `lists.js` and `library_card.js`."""

    said: str
    written: str  # as it must stand there to be read so


class GuidanceQuestion(TypedDict, total=False):
    """What guidance costs. Sent by `guiding_seen.js` while its row is open; read by `ui.parts.guiding`."""

    values: object  # the form's, by name


class GuidanceCost(TypedDict):
    """Answer to `GuidanceQuestion`."""

    says: str  # a sentence, or "" where it is not known
    shots: Sequence[tuple[str, str]]  # small pictures of what its fields do, and what stands under each


class OfferedFile(TypedDict):
    """A file that a list offers. Sent by `ui.parts.choices.listed`; read by `rack.js`, `units.js` and `model_cards.js`."""

    id: str
    name: str
    called: str
    variant: str
    words: list[Word]
    picture: str  # another one when its picture is another, or ""
    strength: float | None  # that it begins with, if not as usual
    reason: str  # why it does not go with the checkpoint, or ""
    misfit: str  # the same in a few words
    line: str  # as the form's own list has it, of what stands in one; else ""
    suits: NotRequired[dict[str, object]]  # field -> what suits a LoRA that was made for few steps


class OfferedEnlarger(TypedDict):
    """An upscaler that may enlarge what is drawn. Within `FormOffers`."""

    name: str
    factor: int  # of each side


class FormOffers(TypedDict):
    """Offers of the library to a form. Sent by `ui.parts.choices.listed`; read by `lists.js`."""

    starts: dict[str, dict[str, object]]  # id of a checkpoint -> field -> what the form holds when it is chosen
    aspects: dict[str, dict[str, tuple[int, int]]]  # id of a checkpoint -> "16:9" -> width and height
    unnamed: dict[str, list[str]]  # field -> its values that name no file
    enlargers: NotRequired[dict[str, OfferedEnlarger]]  # by id of an upscaler
    checkpoints: NotRequired[list[OfferedFile]]  # that can draw what the form asks for
    loras: NotRequired[list[OfferedFile]]
    hypernetworks: NotRequired[list[OfferedFile]]
    controls: NotRequired[list[OfferedFile]]
    readers: NotRequired[dict[str, str]]  # preprocessor -> id of the model that reads its maps


class PromptQuestion(TypedDict, total=False):
    """Sent by `notes.js` while somebody types; read by `ui.parts.stage.prompt_notes`."""

    checkpoint: object  # an id
    prompt: object
    negative_prompt: object
    seed: object  # digits, as the form has them
    pictures: object  # of each combination, where all are drawn; else 0
    form: object  # field -> value, of those that say which steps will run; the second prompt


class PromptMark(TypedDict):
    """What a part of a text is: text[start:end], in UTF-16 units as JavaScript counts. Sent in `PromptNotes`; read by `prompt_layer.js`."""

    kind: str
    start: int
    end: int


class PromptNotes(TypedDict, total=False):
    """Notes under a prompt; nothing where it cannot be read. Sent by `ui.parts.stage.notes`; read by `notes.js`."""

    checkpoint: str
    name: str
    tokens: int | None  # None where it is not counted
    limit: int | None
    parts: list[str]  # the beginnings of the chunks that it is cut into
    unknown: list[str]
    said: list[str]  # sentences
    drawn: list[str]  # what will be drawn of choices and from step to step, in sentences
    choices: bool  # whether there are any
    marks: dict[str, list[PromptMark]]  # field -> what its parts are
    lines: list[TimeLine]  # one for each prompt in which something changes, and each pass


class CompletionQuestion(TypedDict, total=False):
    """What is being written. Sent by `completion.js` to `/complete`; read by `ui.routes.writing`."""

    before: object  # the text before the cursor
    text: object  # all of it
    checkpoint: object  # an id
    against: object  # whether it says what not to draw
    loras: object  # ids of those of the form


class CompletionList(TypedDict):
    """What may be meant. Sent by `POST /complete`; read by `completion.js`."""

    items: list[CompletionItem]


class TokenQuestion(TypedDict, total=False):
    """Whose tokens are asked for. Sent by `token_view.js` to `/tokens`; read by `ui.routes.writing`."""

    kind: object  # of a form
    values: object  # the form's, by the names of the request's fields
    field: object  # which of its prompts
