"""The library of models: what is asked of it and ordered, its rows, downloads and what is in memory."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from ui.messages.form import Word


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
    variant: object  # "", the key of a way of distilling, or "plain"
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
    """Which download is to be stopped, or what is to leave the memory. Sent by `library.js`; read by `LibraryHandlers`."""

    id: object


class PauseOrder(TypedDict, total=False):
    """Whether a device is to draw no more, or to go on. Sent by `library.js`; read by `LibraryHandlers.pause`."""

    number: object
    pauses: object


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
    """One entry in full; the last five of a checkpoint alone. Sent by `LibraryHandlers.details`; read by `library_card.js`."""

    metadata: dict[str, str]
    sorts: list[str]
    decided: NotRequired[dict[str, object]]
    vaes: NotRequired[list[Reference]]
    numbers: NotRequired[dict[str, Bounds]]
    ways_title: NotRequired[str]  # what they decide
    ways: NotRequired[list[Reference]]  # of distilling, by their keys


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
    """A line of what is loaded. Sent by `LibraryHandlers.devices`; read by `library_devices.js`."""

    id: str
    name: str
    kind: str
    tier: str  # "device" or "host"
    bytes: int
    last_used: float  # seconds since 1970
    in_use: bool


class DeviceRow(TypedDict):
    """A device that draws. Sent by `LibraryHandlers.devices`; read by `library_devices.js`."""

    number: int
    title: str  # "" before it is known
    state: str  # "starting", "ready", "troubled" or "failed"
    message: str
    paused: bool
    memory: int  # bytes for weights and pictures; 0 before they are known
    used: int  # of these, by weights
    seconds: float | None  # that a step of 512 x 512 takes; None while nobody knows
    draws: bool
    words: str  # of the prompt that it draws, for the owner; else ""
    share: float  # of the batch in work that is done, 0 to 1
    coming: str  # how much of its models has come, as "34 %", while they are sent to it; else ""
    held: list[MemoryRow]  # the most recently used first


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
