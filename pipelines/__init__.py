"""What the page may use of the work: requests, events, the studio. Importing this package does not import torch."""

from models.errors import UserError
from pipelines.jobs import PictureRecord
from pipelines.request import KINDS, Choice, Range, Request, Several, Text, TextToImage, describe, limits, restore
from pipelines.studio import Checkpoint, Studio, summary

__all__ = [
    "KINDS", "Checkpoint", "Choice", "PictureRecord", "Range", "Request", "Several", "Studio", "Text", "TextToImage", "UserError",
    "describe", "limits", "restore", "summary",
]  # fmt: skip
