"""Answers about what was brought: what a picture or a text says of how it was made, a checked file, and folders."""

from __future__ import annotations

from typing import TypedDict


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
