import numpy as np
from numpy.typing import NDArray

from .body import Keypoint

def draw_bodypose(canvas: NDArray[np.uint8], keypoints: list[Keypoint | None]) -> NDArray[np.uint8]: ...
def draw_facepose(canvas: NDArray[np.uint8], keypoints: list[Keypoint] | None) -> NDArray[np.uint8]: ...
