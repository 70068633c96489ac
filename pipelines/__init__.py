"""The names that the page may use of the work: requests, events, the studio. Importing this package does not import torch."""

from models.errors import UserError
from pipelines.gallery.gallery import asked_for
from pipelines.gallery.listing import Asked
from pipelines.gallery.person import Person
from pipelines.job_book.book import BookError, PictureRecord
from pipelines.job_book.errors import NotYours, TooLate
from pipelines.prompts.grammar import tables as grammar_tables
from pipelines.prompts.grammar import written
from pipelines.prompts.tags import lora_names
from pipelines.requests.control_unit import MOST_UNITS, ControlUse
from pipelines.requests.details import DetailBox, Detailer
from pipelines.requests.fields import Choice, Flag, Limit, Range, Several, Stored, Text
from pipelines.requests.request import (
    KINDS,
    OWN_VAE,
    Clip,
    Controlled,
    Depth,
    Details,
    Drawing,
    Enlarge,
    FromPicture,
    ImageToImage,
    Inpaint,
    Kind,
    Outpaint,
    Request,
    SecondPass,
    TextToImage,
    Turn,
    Upscale,
    WithPicture,
    Wordless,
    begins_with,
    describe,
    limits,
    restore,
)
from pipelines.requests.sampling import tables as sampler_tables
from pipelines.requests.tiles import TILED_MEGAPIXELS, InTiles
from pipelines.services.preflight import Preflight, preflight
from pipelines.services.prompt_notes import form_of, left_out, longest
from pipelines.services.uploads import Taken
from pipelines.studio import Checkpoint, Studio, summary

__all__ = [
    "KINDS",
    "MOST_UNITS",
    "OWN_VAE",
    "TILED_MEGAPIXELS",
    "Asked",
    "BookError",
    "Checkpoint",
    "Choice",
    "Clip",
    "ControlUse",
    "Controlled",
    "Depth",
    "DetailBox",
    "Detailer",
    "Details",
    "Drawing",
    "Enlarge",
    "Flag",
    "FromPicture",
    "ImageToImage",
    "InTiles",
    "Inpaint",
    "Kind",
    "Limit",
    "NotYours",
    "Outpaint",
    "Person",
    "PictureRecord",
    "Preflight",
    "Range",
    "Request",
    "SecondPass",
    "Several",
    "Stored",
    "Studio",
    "Taken",
    "Text",
    "TextToImage",
    "TooLate",
    "Turn",
    "Upscale",
    "UserError",
    "WithPicture",
    "Wordless",
    "asked_for",
    "begins_with",
    "describe",
    "form_of",
    "grammar_tables",
    "left_out",
    "limits",
    "longest",
    "lora_names",
    "preflight",
    "restore",
    "sampler_tables",
    "summary",
    "written",
]  # fmt: skip
