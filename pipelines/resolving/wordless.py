"""What is drawn without words, resolved: its model, and numbers in place of what is left to that."""

from __future__ import annotations

from pipelines.images.masking import Size
from pipelines.requests.as_made import loosened_wordless
from pipelines.requests.sampling import check_sampling
from pipelines.requests.wordless import Shown
from pipelines.resolving.checks import check_variant
from pipelines.resolving.files import CatalogView, with_checkpoint


def resolved_wordless(request: Shown, catalog: CatalogView, picture: Size | None = None) -> Shown:
    """`picture`: the size of that which it begins with, as far as it is known. Raises `UserError` when the model is not there, or draws
    something else.
    """
    found = with_checkpoint(loosened_wordless(request), catalog)
    checkpoint = catalog.checkpoint(found.checkpoint)
    check_variant(found, checkpoint)
    check_sampling(found)
    return found.fitted(checkpoint.defaults, picture)
