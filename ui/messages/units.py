"""Control units, detailers and the depth map: what their cards are made of, what they ask and are answered."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from pipelines.services.answers import EstimatorInfo, PreprocessorInfo


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
