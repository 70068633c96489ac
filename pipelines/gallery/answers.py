"""Messages that the gallery makes for a page. Plain values, as they go into JSON; `ui/messages/` lists them with all others."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class GalleryPicture(TypedDict):
    """A picture in the grid. Sent by `Gallery.window`; read by the library's page."""

    id: str
    width: int
    height: int
    created: float  # seconds since 1970
    rating: int  # 0 to 5
    favourite: bool
    noted: bool  # there is a note
    control: bool
    kind: str  # of the request, "" where nothing is known of it
    prompt: str  # its beginning
    seed: str  # a text: JavaScript's numbers lose digits beyond 2^53; "" where there is none
    job: str
    deleted: float | None  # when it went to the bin
    own: bool  # or another person's, on a board that is shared
    frames: int  # of what moves; else 0
    pace: int  # frames a second
    told: bool  # how it was made, to who asks; else kind, prompt and seed are empty


class GalleryWindow(TypedDict):
    """A window of the pictures that a search finds. `version`: while it is the same, offsets mean the same."""

    version: int
    total: int
    offset: int
    pictures: list[GalleryPicture]
    chips: list[GalleryChip]
    notes: list[str]  # sentences about what was not understood


class GalleryChip(TypedDict):
    """A part of a search. All `text`s, with spaces between, are the search again."""

    text: str  # as it is typed
    field: str  # "" for words
    value: str
    negated: bool


class GalleryHeadings(TypedDict):
    """The headings of a grouped listing, in order, and how many pictures each has. `keys`: days, or ids of boards; empty by job, which
    the pictures name.
    """

    version: int
    total: int
    counts: list[int]
    keys: list[str]
    titles: list[str]  # names of boards
    notes: list[str]


class GalleryBoard(TypedDict):
    """A board, and how many pictures that are kept are on it. `maker`: the name of who made it; "" for the owner of the studio."""

    id: str
    name: str
    count: int
    own: bool  # or another person's, which is shared
    shared: bool
    shares: bool  # who asks may share it, or make it private again
    maker: str
    desk: bool  # what who asks draws goes onto it


class GalleryDesk(TypedDict):
    """The board that somebody draws onto. Within `StudioState`."""

    id: str
    name: str
    shared: bool


class GalleryBoards(TypedDict):
    boards: list[GalleryBoard]


class GalleryOffer(TypedDict):
    """A name that occurs among a person's pictures, and in how many that are kept."""

    name: str
    count: int


class GalleryOffers(TypedDict):
    """What the filters offer. `loras` are in small letters, as the gallery keeps them."""

    models: list[GalleryOffer]
    samplers: list[GalleryOffer]
    loras: list[GalleryOffer]


class GalleryDetails(TypedDict):
    """The rest of what the gallery knows of one picture."""

    id: str
    rating: int
    favourite: bool
    note: str
    boards: list[str]  # ids
    deleted: float | None
    needed: bool  # other pictures were made from it, so it stays in the bin


class GalleryKin(TypedDict):
    """Whose a picture is, and whose settings it was begun with. Within `PictureDetails`."""

    own: bool
    maker: str  # the name of who made it; "" for the owner of the studio
    hidden: bool  # its maker keeps from others how it was made; told to the maker alone
    forked: bool  # it was begun with the settings of another picture
    origin: str  # the id of that one, when who asks sees it, or ""
    origin_maker: str
    origin_own: bool  # that one is one's own too
    forks: int  # pictures of others that were begun with its settings


class GalleryBin(TypedDict):
    """The bin. `leaving`: pictures that are being removed; `needed`: those among them that stay, as others were made from them."""

    count: int
    bytes: int
    leaving: int
    needed: int


class GalleryChanged(TypedDict):
    """How many pictures an order has met, and how many it named that are not this person's any more."""

    changed: int
    missing: int
    version: int
    said: NotRequired[str]  # what has begun by itself, or why not, in a sentence


class GalleryDownload(TypedDict):
    """A ZIP that is ready to be fetched, once, from /library/zip/{id}."""

    id: str
    count: int
    bytes: int  # about


class CommentLine(TypedDict):
    """A comment. `name`: "" for the owner of the studio; `text`: "" where its writer took it back and others had answered."""

    id: str
    name: str
    text: str
    created: float  # seconds since 1970
    removable: bool  # by who asks


class CommentThread(TypedDict):
    """A comment and what was answered, in order. `number`: older ones are asked for by it; `place`: what its spot is called, from 1."""

    number: int
    place: int
    spot: list[float] | None  # x and y, as shares of the picture
    settled: bool
    settler: str  # the name of who settled it; "" for the owner of the studio
    comments: list[CommentLine]


class CommentList(TypedDict):
    """What is said of a picture, the newest threads first. `version`: while it is the same, nothing has changed."""

    version: int
    count: int  # of all its comments
    threads: list[CommentThread]
    more: bool  # there are older ones
