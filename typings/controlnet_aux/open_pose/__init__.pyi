from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .body import Body, BodyResult, Keypoint
from .face import Face
from .hand import Hand

class PoseResult(NamedTuple):
    body: BodyResult
    left_hand: list[Keypoint] | None
    right_hand: list[Keypoint] | None
    face: list[Keypoint] | None

class OpenposeDetector:
    def __init__(self, body_estimation: Body, hand_estimation: Hand | None = ..., face_estimation: Face | None = ...) -> None: ...
    def detect_poses(self, oriImg: NDArray[np.uint8], include_hand: bool = ..., include_face: bool = ...) -> list[PoseResult]: ...
