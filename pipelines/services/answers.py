"""Messages that the studio itself makes for a page: the progress of a job, a finished picture, what preprocessors there are.

Plain values, as they go into JSON. All messages of the page are listed in `ui/messages.py`, these among them.
"""

from __future__ import annotations

from typing import TypedDict

PictureSummary = TypedDict(
    "PictureSummary",
    {
        "id": str,
        "width": int,
        "height": int,
        "seed": str,  # a text: JavaScript's numbers lose digits beyond 2^53
        "prompt": str,
        "kind": str,  # of the request
        "from": str,  # id of the picture that it began with, or ""
        "as_drawn": str,  # id of the picture as it was drawn, before an upscaler enlarged it, or ""
        "note": str,  # why the request is not the whole of what made it, or ""
    },
)
"""A finished picture. Sent by `Studio.watch` and the stage; read by `stage.js`."""


class Example(TypedDict):
    """A picture that came with a checkpoint. Sent by the stage; read by `wall.js`."""

    checkpoint: str
    number: int
    prompt: str


class JobNews(TypedDict):
    """News of a job: how far it has come. Sent by `Studio.watch` to whoever follows it; read by `stage.js`."""

    job: str
    kind: str  # of its request
    begins_with: str  # id of the picture that it begins with, or ""
    state: str  # "waiting", "running", "done", "stopped", "failed" or "interrupted"
    version: int  # to be asked with for what is newer
    ahead: int  # jobs before it
    step: int
    steps: int
    before: str  # what is done before the drawing, where these are steps of that, or ""
    picture: int  # the ones before this batch, skipped ones too
    pictures_total: int
    batch_size: int
    preparing: str  # what is being read from the disk, or ""
    eta: float | None  # seconds
    previews: list[str]  # data URLs, the newest last
    pictures: list[PictureSummary]
    message: str
    unsaved: bool  # some of its pictures could not be written yet


class QueuedJob(TypedDict):
    """A job in the queue. Within `QueueNews`. Somebody else's shows neither words nor an id, but to the owner."""

    job: str  # "" for somebody else's
    mine: bool
    person: int  # 1 for the first in the queue, 2 for the next ...: so that the owner sees whose belong together
    state: str  # "running", "waiting", or "held" while it is edited
    lane: str  # "now", "next" or "idle"
    place: int | None  # jobs that wait and are begun before it; None while it is held or paused
    kind: str
    words: str  # the beginning of the prompt
    finish: str  # which step of which finish it is, and what follows; or ""
    picture: str  # id of its newest finished picture, or ""
    pictures: int  # that are drawn
    pictures_total: int
    begun: bool  # some of it is drawn, so it cannot be edited
    start: float | None  # seconds until it is begun or goes on; None while it is held or paused, or nobody knows
    left: float | None  # seconds of drawing that are left of it


class QueueNews(TypedDict):
    """News of the queue as one person sees it. Sent by `GET /queue`; read by the queue's panel and by whatever shows what runs."""

    version: int  # to be asked with for what is newer
    jobs: list[QueuedJob] | None  # in the order of drawing, own ones whole; None: as they were at the version that was asked with
    more: int  # jobs of others that are left out of the list
    paused: bool  # one's own jobs
    all_paused: bool  # the whole studio
    held: bool  # one's own jobs, by the owner
    running: JobNews | None  # one's own job that runs, with the previews newer than the version that was asked with


class HerePerson(TypedDict):
    """Somebody who has a board open. Within `TogetherNews`. `seat`: what they are called there, a number as good as any other."""

    seat: int
    name: str  # "" for the owner of the studio
    role: str
    picture: str  # the id of the one of this board that they have open, or ""
    follows: int  # the seat of whom they follow, or 0
    lets: bool  # others may follow them; else no picture is told


class DrawnNow(TypedDict):
    """What is drawn, or waits, for a board. Within `TogetherNews`. Of what is private nothing is told but that it runs."""

    seat: int  # of whom it is, when they are here; else 0
    name: str  # "" for the owner of the studio
    private: bool  # it goes onto another board, or onto none
    state: str  # "running" or "waiting"
    width: int  # of its pictures
    height: int
    step: int
    steps: int
    picture: int  # that are drawn
    pictures_total: int
    preview: str  # the newest, a data URL, or ""


class TogetherNews(TypedDict):
    """Who is at a shared board, and what is drawn there. Sent by `GET /together/{board}`; read by `together.js`."""

    you: int  # the seat of who asks
    version: int  # to be asked with for what is newer
    board: str
    name: str
    pictures: int  # another number once pictures have come onto the board, or left it
    here: list[HerePerson]
    drawing: list[DrawnNow]


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


class DetailValue(TypedDict):
    """One thing that made a picture. Within `DetailGroup`."""

    title: str
    text: str
    raw: object  # as it stands in the request or the record
    fields: list[str]  # of the request that it stands for; none for what cannot be taken over
    default: bool
    info: str
    hash: str  # of the file that it names, its first digits, or ""
    note: str  # a sentence where that file is not here as it was, or ""
    pictures: list[str]  # ids of inputs
    parts: list[DetailValue]


class DetailGroup(TypedDict):
    title: str
    values: list[DetailValue]


class TimeStretch(TypedDict):
    """Calls of the network, from 0, that are told the same. Sent in `TimeLine`; read by `time_line.js`."""

    first: int
    last: int
    says: str  # what changes
    whole: str  # the plain prompt


class TimeEdge(TypedDict):
    """The number of a schedule, text[start:end], and the call from which on it says something else. Sent in `TimeLine`."""

    at: int
    start: int
    end: int
    share: bool  # it is written as a share of the calls


class TimeLane(TypedDict):
    """What does not act alike throughout, and how strongly at each step. `sort`: "LoRA", "Control" or "Refiner". Sent in `TimeLine`."""

    sort: str
    name: str
    strengths: list[float]


class TimeLine(TypedDict):
    """What is said and what acts from step to step. Sent in `PromptNotes` and `PictureDetails`; read by `time_line.js`."""

    field: str  # of the form, in whose text its edges stand
    title: str
    per: int  # calls a step
    stretches: list[TimeStretch]
    edges: list[TimeEdge]
    shares: list[str]  # the number that is written for an edge at each call
    calls: list[str]
    lanes: list[TimeLane]


class PictureDetails(TypedDict):
    """All that made a picture. Within `PictureShown`."""

    id: str
    kind: str  # of the request
    drawn_by: str  # the same, for people
    prompt: str
    width: int
    height: int
    note: str  # why less is known than usual, or ""
    hidden: str  # why the picture itself is not shown, a sentence, or ""
    reveals: bool  # who asks may have it shown: POST /picture/ID/reveal
    lines: list[TimeLine]  # one for each prompt in which something changed from step to step
    groups: list[DetailGroup]


class ComparedPicture(TypedDict):
    id: str
    width: int
    height: int
    prompt: str


class Differing(TypedDict):
    """One parameter in which pictures differ. Within `PictureComparison`."""

    group: str
    title: str
    texts: list[str]  # of each picture its own


class PictureComparison(TypedDict):
    """Two to four pictures, and the parameters in which they differ. Sent by `GET /compare`; read by `compare.js`."""

    pictures: list[ComparedPicture]
    differences: list[Differing]


class StepActs(TypedDict):
    """What acts at a step beside the words. Within `StepLine`."""

    sort: str  # "LoRA", "Control" or "Refiner"
    name: str
    strength: float


class StepLine(TypedDict):
    """One step of a picture. Within `PictureSteps`."""

    leg: int  # which of its runs, from 0: a window, a part, a tile
    step: int  # 1 .. count
    count: int  # steps of that run
    sigma: float | None  # the noise level at which it began; None where it is not kept
    said: str  # the prompt then
    acts: list[StepActs]


class PictureSteps(TypedDict):
    """The steps of a picture. Sent by `GET /picture/{id}/steps`. Where they are kept, each has its preview at
    `/picture/{id}/steps/{leg}/{step}.jpg`.
    """

    kept: bool
    bytes: int
    note: str  # why they are not kept, a sentence, or ""
    seconds: float | None  # that a step takes, as far as is known; one that is not kept is drawn once more before a branch
    steps: list[StepLine]
    branch_leg: int  # where it branches from another picture; a step of 0: it does not
    branch_step: int
    branch_of: str  # the words of that


class ReadValue(TypedDict):
    """A value that was read. Within `ReadingNews`."""

    name: str  # of the field
    title: str
    group: str  # the title of one of `pipelines.requests.groups.GROUPS`
    shown: str
    how: str  # "read" or "guessed"
    why: str  # why it is guessed, a sentence, or ""


class ReadModel(TypedDict):
    """A model that a picture was made with, and what it is here. Within `ReadingNews`."""

    field: str
    name: str
    hash: str  # digits of its SHA-256 as they were written, or ""
    here: str  # what it is called here, or ""
    how: str  # "hash", "name", "another" (of this name, another file), "comparing" or "missing"


class UnknownValue(TypedDict):
    """A value that nothing here stands for. Within `ReadingNews`."""

    name: str
    shown: str


class ReadingNews(TypedDict):
    """A reading: what a picture or a text says of how it was made. Sent by `POST /reading`.

    To take it over, all of it or some values, name its id and the fields: see `Readings.taken`.
    """

    id: str
    kind: str  # of the request that it makes
    program: str  # that wrote it, or ""
    version: str
    words_alone: bool  # a prompt without settings
    values: list[ReadValue]
    models: list[ReadModel]
    unknown: list[UnknownValue]
    notes: list[str]  # sentences
    detailers: int  # of another studio, that the tab Details can take: see `Readings.detailing`


class CheckedFact(TypedDict):
    """Within `CheckNews`."""

    title: str
    shown: str


class CheckNews(TypedDict):
    """What a picture file says of how it came to be. Sent by `POST /check`; read by `check.js`."""

    format: str  # "PNG", "JPEG", "WEBP" or "AVIF"
    width: int
    height: int
    verdict: str  # the first thing to say of it
    label: str  # a sentence
    labelled: bool
    program: str  # that wrote its settings, or ""
    prompt: str
    facts: list[CheckedFact]
    note: str  # why there are no settings, a sentence, or ""
    credential: str  # "none", "unread" where it cannot be judged here, "holds" or "broken"
    ours: bool  # this installation signed it, and that holds
    signed: str  # a sentence


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


class FolderNews(TypedDict):
    """A folder that is brought in: how far it is. Within `FoldersNews`."""

    id: str
    name: str  # its own name, without those of the folders that it lies in
    state: str  # "reading", "stopped", "done" or "failed"
    copies: bool  # its pictures are copied into the outputs folder
    total: int  # files that look like pictures, as far as it is listed
    listed: bool  # whether that is all of them
    done: int
    settings: int  # pictures that say how they were made
    none: int  # pictures that do not
    no_picture: int  # files that are called pictures and are none
    unreadable: int
    same: int  # files with the same content as another one
    unopened: int  # folders within it that cannot be opened
    speed: float  # files a second
    silent: bool  # it has not answered for a while
    message: str  # why it has stopped, or ""


class FoldersNews(TypedDict):
    """All folders that were brought in, the newest first. Sent by `GET /folders`, to the owner alone."""

    folders: list[FolderNews]
