"""The prompt language: tags, weights, names, chunks, words. Importing this package imports neither torch nor transformers.

`pipelines.prompts.encode` turns chunks into conditioning and does need torch.
"""

from pipelines.prompts.chunks import Chunk, TokenCount, chunk, count
from pipelines.prompts.grammar import Prompt, parse, parse_weights, plain_runs, written
from pipelines.prompts.names import Names
from pipelines.prompts.schedule import Interval, Pass, Said, Schedule, first_words, schedule
from pipelines.prompts.tokenizer import ClipTokenizer, Tokenizer, load_tokenizer
from pipelines.prompts.vocabulary import unknown_words
from pipelines.prompts.weights import Weighted

__all__ = [
    "Chunk", "ClipTokenizer", "Interval", "Names", "Pass", "Prompt", "Said", "Schedule", "TokenCount", "Tokenizer", "Weighted",
    "chunk", "count", "first_words", "load_tokenizer", "parse", "parse_weights", "plain_runs", "schedule", "unknown_words", "written",
]  # fmt: skip
