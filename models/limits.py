"""The limits of a scorer, apart from what reads them: who only puts a scorer together needs no tokenizer."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Sizes in tokens, and the cost that one item may have."""

    max_length: int = 384  # of a pair with its special tokens; at most 512, the model's positions
    window: int = 128  # of a window beside an ordinary claim
    least_window: int = 32  # a claim that leaves less room than this is too long
    max_pairs: int = 4096  # (window, claim) pairs that one item may need
    max_ranked: int = 250_000  # sentences times claims of one item that are put in order
