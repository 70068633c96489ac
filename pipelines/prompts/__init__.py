"""The prompt language: weights, chunks, words. Importing this package imports neither torch nor transformers.

`pipelines.prompts.encode` turns chunks into conditioning and does need torch.
"""

from pipelines.prompts.chunks import Chunk, TokenCount, chunk, count
from pipelines.prompts.tokenizer import ClipTokenizer, Tokenizer, load_tokenizer
from pipelines.prompts.vocabulary import unknown_words
from pipelines.prompts.weights import Weighted, parse_weights

__all__ = [
    "Chunk", "ClipTokenizer", "TokenCount", "Tokenizer", "Weighted", "chunk", "count", "load_tokenizer", "parse_weights", "unknown_words",
]  # fmt: skip
