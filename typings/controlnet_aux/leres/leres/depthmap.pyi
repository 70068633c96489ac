import numpy as np
from numpy.typing import NDArray
from torch import nn

def estimateleres(img: NDArray[np.uint8], model: nn.Module, w: int, h: int) -> NDArray[np.float32]: ...
