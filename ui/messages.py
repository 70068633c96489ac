"""Messages between the page and the server, one class each: what its scripts send, and what they are answered.

What the page sends is called a question or an order. Anybody can send anything there, so its values are `object` until the server code that
reads them has looked; the comments say what a page of ours sends. What the studio itself makes stands in `pipelines/services/answers.py`.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

from pipelines.gallery.answers import (
    CommentLine,
    CommentList,
    CommentThread,
    GalleryBin,
    GalleryBoard,
    GalleryBoards,
    GalleryChanged,
    GalleryChip,
    GalleryDesk,
    GalleryDetails,
    GalleryDownload,
    GalleryHeadings,
    GalleryKin,
    GalleryOffer,
    GalleryOffers,
    GalleryPicture,
    GalleryWindow,
)
from pipelines.inside.answers import (
    AgainFound,
    EncoderSays,
    HeatLayers,
    HeatWord,
    InsideCurve,
    InsideLevel,
    InsideLook,
    InsidePicture,
    InsideSchedule,
    JudgedFact,
    LatentChannel,
    LatentsFound,
    LikenessFound,
    NearWord,
    NoiseFound,
    RunBlock,
    RunFound,
    RunStep,
    SaidWord,
    WordsFound,
)
from pipelines.people.answers import LinkRow, NewLink, PeopleNews, PersonRow
from pipelines.services.answers import (
    CheckedFact,
    CheckNews,
    ComparedPicture,
    CompletionItem,
    DetailGroup,
    DetailValue,
    Differing,
    DrawnNow,
    EstimatorInfo,
    Example,
    FinishLine,
    FinishList,
    FinishStepLine,
    FolderNews,
    FoldersNews,
    HerePerson,
    JobNews,
    PictureComparison,
    PictureDetails,
    PictureSteps,
    PictureSummary,
    PreprocessorInfo,
    PresetChange,
    PresetLine,
    PresetList,
    PresetLook,
    PresetPart,
    PresetParts,
    PresetWords,
    PromptList,
    QueuedJob,
    QueueNews,
    ReadingNews,
    ReadModel,
    ReadValue,
    StepActs,
    StepLine,
    ThresholdInfo,
    TimeEdge,
    TimeLane,
    TimeLine,
    TimeStretch,
    TogetherNews,
    TokenChunk,
    TokenPiece,
    TokenView,
    UnknownValue,
    WrittenPrompt,
)
from pipelines.services.lineage import LineageChange, LineagePicture, LineageTie, PictureLineage

__all__ = [
    "AgainFound",
    "CheckNews",
    "CheckedFact",
    "CommentLine",
    "CommentList",
    "CommentThread",
    "ComparedPicture",
    "CompletionItem",
    "DetailGroup",
    "DetailValue",
    "Differing",
    "DrawnNow",
    "EncoderSays",
    "EstimatorInfo",
    "Example",
    "FinishLine",
    "FinishList",
    "FinishStepLine",
    "FolderNews",
    "FoldersNews",
    "GalleryBin",
    "GalleryBoard",
    "GalleryBoards",
    "GalleryChanged",
    "GalleryChip",
    "GalleryDesk",
    "GalleryDetails",
    "GalleryDownload",
    "GalleryHeadings",
    "GalleryKin",
    "GalleryOffer",
    "GalleryOffers",
    "GalleryPicture",
    "GalleryWindow",
    "HeatLayers",
    "HeatWord",
    "HerePerson",
    "InsideCurve",
    "InsideLevel",
    "InsideLook",
    "InsidePicture",
    "InsideSchedule",
    "JobNews",
    "JudgedFact",
    "LatentChannel",
    "LatentsFound",
    "LikenessFound",
    "LineageChange",
    "LineagePicture",
    "LineageTie",
    "LinkRow",
    "NearWord",
    "NewLink",
    "NoiseFound",
    "PeopleNews",
    "PersonRow",
    "PictureComparison",
    "PictureDetails",
    "PictureLineage",
    "PictureSteps",
    "PictureSummary",
    "PreprocessorInfo",
    "PresetChange",
    "PresetLine",
    "PresetList",
    "PresetLook",
    "PresetPart",
    "PresetParts",
    "PresetWords",
    "PromptList",
    "QueueNews",
    "QueuedJob",
    "ReadModel",
    "ReadValue",
    "ReadingNews",
    "RunBlock",
    "RunFound",
    "RunStep",
    "SaidWord",
    "StepActs",
    "StepLine",
    "ThresholdInfo",
    "TimeEdge",
    "TimeLane",
    "TimeLine",
    "TimeStretch",
    "TogetherNews",
    "TokenChunk",
    "TokenPiece",
    "TokenView",
    "UnknownValue",
    "WordsFound",
    "WrittenPrompt",
]  # fmt: skip


# ------------------------------------------------------------------------------------------------------------------------ whoever asks


class Done(TypedDict):
    """It was done, and there is nothing to say. Sent by `LibraryHandlers` and `WeightsHandlers`, read by `library.js` and
    `unit_weights.js`.
    """


class Failure(TypedDict):
    """Why a function of a component did nothing. Sent by `ui.parts.library.answered`; read by `library.js` and `unit_weights.js`."""

    error: str


class Message(TypedDict):
    """Why there is no picture, map or form. Sent by the desks of units, depth and canvas, and by all routes; read where they are asked."""

    message: str


class TakenPicture(TypedDict):
    """A picture, mask or map that is kept as an input. Sent by `POST /input`, the canvas, the depth map; read by their scripts."""

    id: str
    width: int
    height: int
    notes: tuple[str, ...]  # sentences
    mask: str  # id of the mask that its transparency made, or ""


class SigningState(TypedDict):
    """Whether pictures that leave are signed, and can be. Sent by `GET /signing`, `POST /signing`; read by `check.js`."""

    on: bool
    available: bool  # the package is there


class Started(TypedDict):
    """What a download or a conversion is asked for by. Sent by `LibraryHandlers`; read by `library.js`."""

    id: str


# ----------------------------------------------------------------------------------------------------------------------------- a form


class Word(TypedDict):
    """A word that a click puts into a prompt. Sent by `ui.parts.choices.put_in`; read by `lists.js` and `library_card.js`."""

    said: str
    written: str  # as it must stand there to be read so


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


# -------------------------------------------------------------------------------------------------------------------------- the stage


class TakenKind(TypedDict):
    """A job that was taken out of the queue for editing. Sent by `ui.parts.queue`; read by `queue.js`."""

    kind: str


class PutBackOrder(TypedDict, total=False):
    """A form's values into the place of a job that was taken. Sent by `editing.js`; read by `ui.parts.queue`."""

    job: object  # its id
    kind: object
    values: object  # by the names of the request's fields


class StageStart(TypedDict):
    """The beginning of a stage. Sent by `ui.parts.stage.Stage`; read by `stage.js`."""

    recent: list[PictureSummary]
    news: str
    examples: list[Example]  # what an empty surface shows


class EngineState(TypedDict):
    state: str  # "ready", "starting", "troubled" ...
    message: str


class You(TypedDict):
    """Who one is in the studio, and what one may do. Within `StudioState`."""

    name: str  # "" for the owner
    role: str
    may: list[str]  # of "look", "comment", "draw", "share", "own"
    board: str  # the id of the one board that the link shows, or ""
    held: bool  # one's jobs are held
    bare: bool  # pictures leave without their settings, and those of others are not told
    note: str  # a sentence for the top of the page, or ""


class StudioState(TypedDict):
    """The state of the studio. Sent by `GET /jobs/current`; read by `header.js`."""

    job: str | None  # of this person, that waits or runs
    newest: str  # id of this person's newest picture
    engine: EngineState
    library: int  # another number when the lists are to be asked for anew
    login: bool  # whether one came in by a link or a password, and can go out again
    you: You
    comments: int  # another number when those of the picture that was named have changed
    desk: GalleryDesk | None  # the board that one draws onto


class PictureShown(PictureDetails):
    """A picture in the inspector. Sent by `GET /picture/ID/details`; read by `inspector.js`."""

    kin: GalleryKin


class CommentOrder(TypedDict, total=False):
    """A comment, or whether a thread is settled. Sent by `comments.js`; read by `CommentRoutes`."""

    text: object  # str
    parent: object  # str: the comment that began the thread, "" for a new one
    spot: object  # list of two shares of the picture, or None
    settled: object  # bool


class TogetherOrder(TypedDict, total=False):
    """What one looks at on a shared board. Sent by `together.js`; read by `TogetherRoutes`."""

    picture: object  # an id, or ""
    follows: object  # the seat of another person, or 0
    lets: object  # whether others may follow one


class NewComment(TypedDict):
    id: str


# ------------------------------------------------------------------------------------------------------------------------- the people


class TunnelWay(TypedDict):
    """A program that makes a tunnel. Within `ReachNews`."""

    name: str
    says: str
    reaches: str  # who can open a link by it


class TunnelNews(TypedDict):
    """How the tunnel stands. Within `ReachNews`."""

    state: str  # "closed", "opening", "open" or "lost"
    way: str  # the name of one
    address: str  # where it shows the studio, once it is open
    said: str  # the last that its program has said, where it is not open


class ReachNews(TypedDict):
    """From where the studio is reached. Sent by `GET /reach`."""

    addresses: list[str]  # for other machines, the most likely first
    certificate: str  # what the studio's own authority is called, or "" where it has none
    fingerprint: str  # of that, SHA-256, pairs of hexadecimal digits with colons between them; or ""
    ways: list[TunnelWay]  # that are installed
    tunnel: TunnelNews


class LinkOrder(TypedDict, total=False):
    """A link that is wanted, or what is to become of a person. Sent by the page of people to `POST /people/...`; read by
    `ui.routes.people`, which says which act takes what. Empty or missing bounds are none.
    """

    name: object
    role: object  # "viewer", "commenter", "artist" or "co-owner"
    board: object  # an id, or "" for the studio
    hours: object  # until it closes
    people: object  # how many may come in by it
    jobs: object  # that may wait, of each
    megapixels: object  # an hour, of each
    gigabytes: object  # on the disk, of each
    bare: object  # whether pictures leave without their settings
    checker: object  # "", "blur" or "block"
    held: object


# ------------------------------------------------------------------------------------------------------------------------ the finishes


class FinishOrder(TypedDict, total=False):
    """What is to be done with a finish. Sent by `finish.js` and `finishes.js` to `/finishes/...`; read by `ui.routes.finishes`, which says
    what takes what.
    """

    id: object  # of a saved one, or ""
    name: object
    starts: object  # "", "favourite" or "stars"
    steps: object  # each with its "request", "own" and "keep"
    kind: object  # of a form
    values: object  # the form's, by the names of the request's fields
    picture: object  # an id
    ids: object  # of pictures
    of: object  # pictures of the whole order, which comes in parts


class BranchOrder(TypedDict, total=False):
    """From where a picture is gone on from. Read by `POST /picture/{id}/steps/branch` and `/keep`."""

    leg: object  # a whole number, 0 without it
    step: object  # a whole number, from 1
    kind: object  # of the form, a text; without it, as the picture was drawn
    values: object  # of the form, by field
    lane: object  # "now", "next" or "idle"
    once: object  # what the page calls this order, a text


class CompletionQuestion(TypedDict, total=False):
    """What is being written. Sent by `completion.js` to `/complete`; read by `ui.routes.writing`."""

    before: object  # the text before the cursor
    text: object  # all of it
    checkpoint: object  # an id
    against: object  # whether it says what not to draw
    loras: object  # ids of those of the form


class TokenQuestion(TypedDict, total=False):
    """Whose tokens are asked for. Sent by `token_view.js` to `/tokens`; read by `ui.routes.writing`."""

    kind: object  # of a form
    values: object  # the form's, by the names of the request's fields
    field: object  # which of its prompts


class CompletionList(TypedDict):
    """What may be meant. Sent by `POST /complete`; read by `completion.js`."""

    items: list[CompletionItem]


class PresetOrder(TypedDict, total=False):
    """What is to be done with presets. Sent by `preset_list.js` and `preset_form.js` to `/presets/...`; read by `ui.routes.presets`, which
    says what takes what.
    """

    id: object  # of a kept one, or ""
    ids: object
    name: object
    prompt: object  # words to add
    negative_prompt: object
    about: object
    instead: object  # the prompts that its words take the place of
    kind: object  # of a form
    values: object  # the form's, by the names of the request's fields
    names: object  # the fields of it that are kept


class PresetsBrought(TypedDict):
    """What came of a file of presets. Sent by `POST /presets/file`; read by `preset_list.js`."""

    ids: list[str]
    notes: list[str]


class FinishBegun(TypedDict):
    """How many pictures an order has put into the queue. Sent by `POST /finishes/apply`; read by `finishes.js`."""

    count: int


# -------------------------------------------------------------------------------------------------------------------------- the queue


class QueueOrder(TypedDict, total=False):
    """What is to be done in the queue. Sent by the queue's panel to `POST /queue/...`; read by `ui.routes.queue`, which says which act
    takes what.
    """

    job: object  # an id
    jobs: object  # ids
    before: object  # an id, or ""
    lane: object  # "now", "next" or "idle"
    running: object  # whether what runs is meant too
    paused: object
    whole: object  # whether it is for everybody
    once: object  # a name that the page gives this order, so that it is taken once
    request: object  # a request, as `TakenJob` has it


class QueueDone(TypedDict):
    """The jobs that an act has met. Sent by `POST /queue/...`; read by the queue's panel, for its Undo."""

    jobs: list[str]


class TakenJob(TypedDict):
    """A job that was taken out for editing. Sent by `POST /queue/take`; read by the queue's panel."""

    job: str
    request: dict[str, object]  # with its "kind"


# ------------------------------------------------------------------------------------------------------------------- pictures put in


class PlanQuestion(TypedDict, total=False):
    """Sent by `plan.js` whenever the form, the picture or the mask changes; read by `ui.parts.canvas.planned`."""

    values: object  # the form's, by name
    picture: object  # [width, height]
    bounds: object  # [left, top, right, bottom] of what is masked


class PlanLines(TypedDict):
    """Lines that say what a run will do. Sent by `ui.parts.canvas.planned`; read by `plan.js`."""

    lines: list[str]
    box: tuple[int, int, int, int] | None  # left, top, right, bottom of what is drawn, in pixels
    label: str
    crops: NotRequired[list[tuple[int, int, int, int]]]  # of details: what each drawing sees


class SizeQuestion(TypedDict, total=False):
    """Which size suits a picture. Sent by `plan.js` and `units.js`; read by `ui.parts.canvas.fitting`."""

    checkpoint: object  # an id
    picture: object  # [width, height]
    tiled: object  # it will be drawn in parts


class PictureUseLine(TypedDict):
    id: str
    name: str


class FolderPictures(TypedDict):
    """The pictures of a folder. Sent by `ui.parts.picture_list`; read by `pile.js`."""

    images: list[PictureUseLine]
    notes: list[str]


# ---------------------------------------------------------------------------------------------------------------- control units, depth


class UnitQuestion(TypedDict, total=False):
    """What a unit's model will see; beside it the fields of the form that it depends on.

    Sent by `unit_maps.js`; read by `ui.parts.control_units`.
    """

    unit: object  # the unit's fields, by name


class UnitMap(TypedDict):
    """The map of a unit. Sent by `ui.parts.control_units.previewed`; read by `unit_maps.js`."""

    id: str
    width: int
    height: int


class DetailsQuestion(TypedDict, total=False):
    """Which details there are in a picture. Sent by `detailers.js`; read by `ui.parts.detailers.found`."""

    detailers: object  # the list of the form
    image: object  # ids
    mask: object


class DetailBoxLine(TypedDict):
    left: int
    top: int
    right: int
    bottom: int
    prompt: str
    strength: float
    template: str  # what the prompt was drawn of, in a picture's record


class FoundBoxes(TypedDict):
    """Boxes for the list and the surface. Sent by `ui.parts.detailers.found`; read by `detailers.js`."""

    boxes: list[DetailBoxLine]
    labels: list[str]  # of each box
    words: str


class OfferedDetector(TypedDict):
    """Sent by `ui.parts.detailers`; read by `detailers.js`."""

    name: str
    info: str
    why: str  # a sentence where it cannot be used, else ""


class UnitField(TypedDict):
    """A field of a unit or of a detailer as a control. Within `UnitOffers`, and with the page for `detailers.js`."""

    title: str
    info: str
    sort: str  # "number", "flag", "choice" or "picture"
    default: object
    low: NotRequired[float]
    high: NotRequired[float]
    step: NotRequired[float]
    snap: NotRequired[bool]
    names: NotRequired[list[str]]


class UnitOffers(TypedDict):
    """What every card of a unit is made of. Given by `ui.parts.control_units.offers` with the page; read by `units.js`."""

    fields: dict[str, UnitField]
    places: dict[str, tuple[str, ...]]  # part of a card -> fields
    matters: list[str]  # fields that the map depends on
    curves: dict[str, list[float]]


class Weights(TypedDict):
    files: int
    repo: str


class OfferedPreprocessor(PreprocessorInfo):
    """A preprocessor, with the weights that the owner may have downloaded. Sent by `UnitHandlers`; read by `units.js`."""

    download: NotRequired[Weights]


class OfferedEstimator(EstimatorInfo):
    """An estimator of depth, with the same. Sent by `DepthMapHandlers`; read by `depth.js`."""

    download: NotRequired[Weights]


class WeightsOrder(TypedDict, total=False):
    """Sent by `unit_weights.js`; read by `WeightsHandlers`."""

    name: object  # of a preprocessor


class WeightsState(TypedDict):
    """How far the weights of a preprocessor are. Sent by `WeightsHandlers`; read by `unit_weights.js`."""

    state: str  # "", "running", "done", "failed" or "stopped"
    files: int
    arrived: int
    done: int  # bytes
    total: int
    message: str


class DepthQuestion(TypedDict, total=False):
    """Sent by `depth.js`; read by `ui.parts.depth_map.estimated`."""

    image: object  # id of a picture
    estimator: object


class ReadersQuestion(TypedDict, total=False):
    """Sent by `depth_drive.js`; read by `ui.parts.depth_driver.read_by`."""

    checkpoint: object  # an id
    controls: object  # the units, as the form holds them


class ReadersLine(TypedDict):
    """The line that says what reads the depth map. Sent by `ui.parts.depth_driver.read_by`; read by `depth_drive.js`."""

    checkpoint: bool
    controlnet: bool
    words: str


class DriveOrder(ReadersQuestion, total=False):
    """A press on one of the two buttons. Sent by `depth_drive.js`; read by `ui.parts.depth_driver.driven`."""

    way: object  # "checkpoint" or "controlnet"


class Driven(TypedDict):
    """The form after the press. Sent by `ui.parts.depth_driver.driven`; read by `depth_drive.js`."""

    checkpoint: str
    controls: list[dict[str, object]]  # the fields of each unit


# ------------------------------------------------------------------------------------------------------------------------- the library


class LibraryQuestion(TypedDict, total=False):
    """Which entries are to be listed. Sent by `library.js`; read by `LibraryHandlers.listed`."""

    kind: object  # "lora" ...; "" for all
    search: object
    checkpoint: object  # an id: with which they should go


class ModelQuestion(TypedDict, total=False):
    """Sent by `library.js`; read by `LibraryHandlers.details` and `LibraryHandlers.hash`."""

    id: object
    checkpoint: object  # an id: with which it should go


class ModelDecision(ModelQuestion, total=False):
    """What the owner decided about a checkpoint; empty values take it back.

    Sent by `library_card.js`; read by `LibraryHandlers.override`.
    """

    prediction_type: object  # "", "epsilon" or "v_prediction"
    zero_terminal_snr: object  # true, false, or null
    vae: object  # an id
    note: object
    steps: object
    guidance_scale: object


class ConversionOrder(TypedDict, total=False):
    """Sent by `library.js`; read by `LibraryHandlers.convert`."""

    id: object
    kind: object  # where its folder does not say


class DownloadOrder(TypedDict, total=False):
    """Sent by `library.js`; read by `LibraryHandlers.download`."""

    repo: object
    filename: object
    kind: object
    save_as: object


class IdOrder(TypedDict, total=False):
    """Which download is to be stopped, or what is to leave the memory. Sent by `library.js` and `memory.js`; read by `LibraryHandlers`."""

    id: object


class Reference(TypedDict):
    id: str
    name: str


class ModelRow(TypedDict):
    """One entry of the library. Sent by `LibraryHandlers`; read by `library.js` and `library_card.js`."""

    id: str
    name: str
    called: str
    kind: str
    family: str
    variant: str
    prediction: str
    size: int  # bytes
    hash: str
    words: list[Word]
    picture: str  # another one when its picture is another, or ""
    problem: str
    pickle: bool
    converted: Reference | None
    misfit: str


class Bounds(TypedDict):
    """Of a number that the owner may decide on."""

    low: float
    high: float
    step: float
    snap: bool
    clamp: bool


class ModelDetails(ModelRow):
    """One entry in full; the last three of a checkpoint alone. Sent by `LibraryHandlers.details`; read by `library_card.js`."""

    metadata: dict[str, str]
    sorts: list[str]
    decided: NotRequired[dict[str, object]]
    vaes: NotRequired[list[Reference]]
    numbers: NotRequired[dict[str, Bounds]]


class GoodModelRow(TypedDict):
    """A model of the short list to start from. Within `LibraryList`."""

    name: str
    kind: str
    family: str
    repo: str
    filename: str
    size: int
    licence: str
    why: str
    save_as: str


class LibraryList(TypedDict):
    """The entries that were asked for. Sent by `LibraryHandlers.listed`; read by `library.js`."""

    version: int
    scanning: bool
    notes: list[str]
    owner: bool
    kinds: dict[str, int]  # how many there are of each
    total: int
    sorts: list[str]
    models: list[ModelRow]
    good: list[GoodModelRow]


class MemoryRow(TypedDict):
    """A line of what is loaded. Sent by `LibraryHandlers.memory`; read by `memory.js`."""

    id: str
    name: str
    kind: str
    tier: str  # "device" or "host"
    bytes: int
    last_used: float  # seconds since 1970
    in_use: bool


class DownloadRow(TypedDict):
    """A line of a download: how far it is. Sent by `LibraryHandlers.downloads`; read by `library.js`."""

    id: str
    name: str
    done: int  # bytes
    total: int
    state: str
    message: str
    ended: bool


class HashLine(TypedDict):
    """Sent by `LibraryHandlers.hash`; read by `library.js`."""

    hash: str


# ------------------------------------------------------------------------------------------------------- the library of what was made


class GalleryQuestion(TypedDict, total=False):
    """A search, or the headings of one. Sent to `/library` and `/library/headings`, in the address or as JSON."""

    query: object
    group: object  # "", "day", "job" or "board"
    order: object  # "newest", "oldest" or "rating"
    zone: object  # minutes east of Greenwich
    offset: object
    count: object  # 500 at most


class GalleryOrder(TypedDict, total=False):
    """What is to be done to pictures or a board. Sent to the other routes of `/library`, which say what they take."""

    ids: object
    rating: object
    favourite: object
    hidden: object
    note: object
    name: object
    settings: object
    format: object
    on: object


class NewBoard(TypedDict):
    """A board that was made. Sent by `POST /library/boards`."""

    id: str


class Leaving(TypedDict):
    """How many pictures leave the bin. Sent by `POST /library/bin/empty`."""

    leaving: int
