"""The scorer that the settings ask for."""

from models.load import ScorerConfig
from service.core.config import Settings


def scorer_config(settings: Settings) -> ScorerConfig:
    """The settings as the factory of scorers takes them."""
    return ScorerConfig(
        kind=settings.scorer.value,
        threshold=settings.operating_threshold,
        max_pairs=settings.max_pairs,
        threads=settings.threads,
    )
