"""Skeletons by OpenPose, Cao et al., "OpenPose: Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields" (2019).

The weights are free for uses that are not commercial only (CMU).
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import cv2
import numpy as np
import torch
from torch import nn

from pipelines.preprocessors.annotators import BODY, FACE, HANDS, Annotator
from pipelines.preprocessors.resolution import Pixels, in_blocks
from pipelines.preprocessors.weights import put_into, read

if TYPE_CHECKING:
    from controlnet_aux.open_pose import PoseResult
    from controlnet_aux.open_pose.body import Keypoint


class HasModel(Protocol):
    """A part of controlnet-aux's detector."""

    model: nn.Module


Part = TypeVar("Part", bound=HasModel)
# From the wrist along each finger
BONES = tuple((0 if joint == first else joint - 1, joint) for first in (1, 5, 9, 13, 17) for joint in range(first, first + 4))


def opened(paths: Sequence[Path]) -> Annotator:
    """The body's network first, then those for hands and for faces, if they are among the files."""
    return Annotator(tuple(_network(path) for path in paths))


def bodies(pixels: Pixels, annotator: Annotator) -> Pixels:
    """(h, w, 3): limbs in OpenPose's colours on black."""
    return _drawn(pixels, annotator)


def hands(pixels: Pixels, annotator: Annotator) -> Pixels:
    return _drawn(pixels, annotator, hand=1)


def faces(pixels: Pixels, annotator: Annotator) -> Pixels:
    return _drawn(pixels, annotator, face=1)


def everything(pixels: Pixels, annotator: Annotator) -> Pixels:
    return _drawn(pixels, annotator, hand=1, face=2)


def _network(path: Path) -> nn.Module:
    from controlnet_aux.open_pose.face import FaceNet
    from controlnet_aux.open_pose.model import bodypose_model, handpose_model

    build: dict[str, Callable[[], nn.Module]] = {BODY: bodypose_model, HANDS: handpose_model, FACE: FaceNet}
    (made,) = (build[name]() for name in build if Path(name).stem == path.stem)
    return put_into(made, read(path), path.name)


def _drawn(pixels: Pixels, annotator: Annotator, hand: int = 0, face: int = 0) -> Pixels:
    """`hand` and `face`: which of the networks is theirs; 0: they are not looked for."""
    from controlnet_aux.open_pose import OpenposeDetector
    from controlnet_aux.open_pose.body import Body
    from controlnet_aux.open_pose.face import Face
    from controlnet_aux.open_pose.hand import Hand

    networks = annotator.networks
    parts = _around(Body, networks[0]), _around(Hand, networks[hand]), _around(Face, networks[face])
    detector = OpenposeDetector(*parts)

    def run(wide: Pixels) -> Pixels:
        with torch.inference_mode():
            poses = detector.detect_poses(wide, include_hand=bool(hand), include_face=bool(face))
        return painted(poses, wide.shape)

    return in_blocks(pixels, run)


def painted(poses: Sequence[PoseResult], shape: tuple[int, ...]) -> Pixels:
    """Poses of controlnet-aux on black; what was not looked for is None in them."""
    from controlnet_aux.open_pose.util import draw_bodypose, draw_facepose

    canvas = np.zeros((*shape[:2], 3), np.uint8)
    for pose in poses:
        draw_bodypose(canvas, pose.body.keypoints)
        _paint_hand(canvas, pose.left_hand or ())
        _paint_hand(canvas, pose.right_hand or ())
        draw_facepose(canvas, pose.face)
    return canvas


def _paint_hand(canvas: Pixels, points: Sequence[Keypoint]) -> None:
    """As controlnet-aux paints it; its own function asks matplotlib for the colours, which nothing else here needs."""
    places = [(int(point.x * canvas.shape[1]), int(point.y * canvas.shape[0])) for point in points]
    for index, bone in enumerate(BONES if places else ()):
        start, end = (places[joint] for joint in bone)
        if min(*start, *end) > 0:  # the network puts what it does not find at the edge or beyond
            cv2.line(canvas, start, end, [255 * part for part in colorsys.hsv_to_rgb(index / len(BONES), 1, 1)], thickness=2)
    for place in places:
        if min(place) > 0:
            cv2.circle(canvas, place, 4, (0, 0, 255), thickness=-1)


def _around(part: type[Part], network: nn.Module) -> Part:
    """controlnet-aux's part of a detector with a network that has been read already; by itself it would read the file again."""
    made = object.__new__(part)
    made.model = network
    return made
