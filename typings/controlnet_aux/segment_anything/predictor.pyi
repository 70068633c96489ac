import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

class PromptEncoder(nn.Module):
    def __call__(self, points: tuple[Tensor, Tensor] | None, boxes: Tensor | None, masks: Tensor | None) -> tuple[Tensor, Tensor]: ...
    def get_dense_pe(self) -> Tensor: ...

class MaskDecoder(nn.Module):
    def __call__(
        self,
        *,
        image_embeddings: Tensor,
        image_pe: Tensor,
        sparse_prompt_embeddings: Tensor,
        dense_prompt_embeddings: Tensor,
        multimask_output: bool,
    ) -> tuple[Tensor, Tensor]: ...

class Sam(nn.Module):
    mask_threshold: float
    prompt_encoder: PromptEncoder
    mask_decoder: MaskDecoder
    def postprocess_masks(self, masks: Tensor, input_size: tuple[int, ...], original_size: tuple[int, ...]) -> Tensor: ...

class ResizeLongestSide:
    def apply_coords(self, coords: NDArray[np.float64], original_size: tuple[int, ...]) -> NDArray[np.float64]: ...

class SamPredictor:
    transform: ResizeLongestSide
    features: Tensor
    input_size: tuple[int, ...]
    original_size: tuple[int, ...]
    def __init__(self, sam_model: Sam) -> None: ...
    def set_image(self, image: NDArray[np.uint8], image_format: str = ...) -> None: ...
