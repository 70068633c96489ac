"""The label that says how a picture came to be: IPTC's digital source type, in an XMP packet that PNG, JPEG, WebP and AVIF carry.

IPTC Photo Metadata Standard 2025.1, "Digital Source Type", and its vocabulary at `VOCABULARY`. A packet of ours may hold the whole
record of a picture as well, for the formats that have no texts by name.
"""

from __future__ import annotations

import html
import re

TRAINED = "trainedAlgorithmicMedia"  # wholly made by a model
COMPOSITE = "compositeWithTrainedAlgorithmicMedia"  # a model has drawn on something else, or into it
ENHANCED = "algorithmicallyEnhanced"  # something else, only enlarged
SOURCE_TYPES = (TRAINED, COMPOSITE, ENHANCED)
SAYS = {
    TRAINED: "It is labelled as made by AI.",
    COMPOSITE: "It is labelled as made in part by AI, on another picture.",
    ENHANCED: "It is labelled as enlarged or improved by an algorithm.",
}  # fmt: skip
VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
PNG_NAME = "XML:com.adobe.xmp"  # the name of the PNG text that holds a packet: XMP specification part 3, 1.1.5

_FOUND = re.compile(VOCABULARY.encode() + rb"(\w{1,60})")
_TAG = "atelier:record"
_RECORD = re.compile(rf"<{_TAG}[^>]{{0,100}}>([^<]*)</{_TAG}>")
_BEGIN = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
    ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
)
_END = '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'


def packet(source: str, record: str = "") -> str:
    """An XMP packet. `source`: one of `SOURCE_TYPES`, or "". `record`: the JSON of a picture's request, or ""."""
    label = f"<Iptc4xmpExt:DigitalSourceType>{VOCABULARY}{source}</Iptc4xmpExt:DigitalSourceType>" if source else ""
    whole = f"<{_TAG} xmlns:atelier='urn:atelier:record'>{html.escape(record, quote=False)}</{_TAG}>" if record else ""
    return f"{_BEGIN}{label}{whole}{_END}"


def source_in(data: bytes) -> str:
    """The label in a packet, or anywhere in a file, whatever its format; "" where there is none of `SOURCE_TYPES`.

    A file is not taken apart: no compressed pixels spell out an address. What is labelled more than once is what it says first.
    """
    found = (match[1].decode() for match in _FOUND.finditer(data))
    return next((source for source in found if source in SOURCE_TYPES), "")


def record_in(found: str) -> str:
    """The record in a packet, "" where there is none."""
    match = _RECORD.search(found)
    return html.unescape(match[1]) if match else ""
