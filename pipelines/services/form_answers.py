"""Answers about a form for a page: preprocessors, finishes, presets, and what is written into its prompt."""

from __future__ import annotations

from typing import TypedDict


class ThresholdInfo(TypedDict):
    title: str
    default: float
    low: float
    high: float
    step: float


class PreprocessorInfo(TypedDict):
    """One preprocessor. Sent by `ControlPreviews.preprocessors` within the list of units; read by `units.js`."""

    name: str
    info: str
    thresholds: list[ThresholdInfo]
    union_kind: str  # what its map shows
    missing: str  # which file to put where, or ""


class EstimatorInfo(TypedDict):
    """One estimator of depth. Sent by `DepthPreviews.estimators`; read by `depth.js`."""

    name: str
    info: str
    missing: str


class FinishStepLine(TypedDict):
    """One step of a finish. Within `FinishLine`, and sent by `POST /finishes/step`."""

    request: dict[str, object]  # with its "kind", without a picture
    kind: str
    title: str  # the same, for people
    words: str  # what it does, in a line
    prompt: str | None  # the beginning of its own; None for what has none
    own: bool  # words and models are those of each picture
    keep: bool  # what comes of it stays when the next step is done


class FinishLine(TypedDict):
    """A finish that was saved. Within `FinishList`."""

    id: str
    name: str
    starts: str  # "", "favourite" or "stars": when it begins by itself
    note: str  # why it cannot be read, or ""
    steps: list[FinishStepLine]


class FinishList(TypedDict):
    """All of a person's finishes. Sent by `GET /finishes`; read by `finish.js`."""

    finishes: list[FinishLine]


class PresetLine(TypedDict):
    """A preset that is kept. Within `PresetList`."""

    id: str
    name: str
    words: str  # the beginning of what it adds
    keeps: str  # what of a form it holds, or ""
    about: str
    picture: str  # another one when the picture is another; "" for none
    note: str  # why it cannot be used, or ""


class PresetList(TypedDict):
    """All of a person's presets, by name. Sent by `GET /presets`; read by `preset_list.js`."""

    presets: list[PresetLine]


class PresetPart(TypedDict):
    """Something of a form that a preset may keep. Within `PresetParts`."""

    names: list[str]  # of fields
    title: str
    shown: str
    group: str
    usual: bool  # as it is when nobody has touched it


class PresetParts(TypedDict):
    """What of a form a preset may keep, or what one keeps. Sent by `POST /presets/parts` and `/presets/one`; read by `preset_form.js`."""

    name: str
    prompt: str
    negative_prompt: str
    about: str
    instead: list[str]  # the prompts that it puts into the place of those of the form
    parts: list[PresetPart]
    note: str  # what of the form cannot be kept, and why


class PresetWords(TypedDict):
    """A piece of a prompt. Within `PresetLook`."""

    text: str
    added: bool  # by a preset


class PresetChange(TypedDict):
    """One thing that would be another. Within `PresetLook`."""

    title: str
    before: str
    after: str


class PresetLook(TypedDict):
    """What presets would make of a form. Sent by `POST /presets/look`; read by `preset_list.js`."""

    prompt: list[PresetWords] | None  # None: it stays as it is
    negative_prompt: list[PresetWords] | None
    changes: list[PresetChange]
    notes: list[str]
    problem: str  # why the form cannot have them, or ""


class WrittenPrompt(TypedDict):
    """A prompt of before, as it was typed. Within `PromptList`."""

    prompt: str
    negative_prompt: str
    when: float  # seconds since 1970
    picture: str  # the id of one that came of it, or ""


class PromptList(TypedDict):
    """What a person has asked for, the newest first. Sent by `GET /prompts`; read by `prompt_history.js`."""

    prompts: list[WrittenPrompt]
    more: bool  # there are others with these words


class TokenPiece(TypedDict):
    """A token, or all vectors of an embedding. Within `TokenChunk`."""

    text: str
    id: int
    ends: bool  # a word ends with it
    weight: float
    vectors: int  # 0 for an ordinary token


class TokenChunk(TypedDict):
    """What a text encoder reads at once. Within `TokenView`."""

    used: int  # places that are taken
    places: int  # that there are
    pieces: list[TokenPiece]


class TokenView(TypedDict):
    """The tokens of a prompt. Sent by `POST /tokens`; read by `token_view.js`."""

    said: str  # what is counted, where that is not the text that was typed; else ""
    chunks: list[TokenChunk]
    more: bool  # there are more than are shown


class CompletionItem(TypedDict):
    """Something that may be written where the cursor stands. Sent by `POST /complete`; read by `completion.js`."""

    kind: str  # "lora", "hypernet", "embedding", "wildcard", "trigger", "word", "phrase" or "tag"
    said: str
    written: str  # what takes the place of what was typed
    note: str  # beside it, or ""
    back: int  # UTF-16 units before the cursor whose place it takes
