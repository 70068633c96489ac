from collections.abc import Callable, Mapping

from .predictor import Sam

sam_model_registry: Mapping[str, Callable[[], Sam]]
