"""The scorer that the settings ask for."""

from models.load import ScorerConfig
from service.core.config import Settings


def scorer_config(settings: Settings) -> ScorerConfig:
    """The settings as the factory of scorers takes them."""
    return ScorerConfig(
        kind=settings.scorer.value,
        model=settings.nli_model,
        revision=settings.nli_revision,
        labels=tuple(name.strip() for name in settings.nli_labels.split(",") if name.strip()),
        calibration=settings.nli_calibration,
        threshold=settings.operating_threshold,
        languages=_codes(settings.nli_languages),
        max_pairs=settings.max_pairs,
        cache=settings.pair_cache,
        threads=settings.threads,
    )


def _codes(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return tuple(code.strip().lower() for code in text.split(",") if code.strip())
