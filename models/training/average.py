"""The average: several checkpoints of one start as one; what each learned of noise cancels, what all learned stays."""

from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import load_file

from models.training.learn import save_checkpoint


def average(checkpoints: Sequence[tuple[Path, float]], out: Path) -> Path:
    """Writes the mean of the checkpoints' weights, each with its share, in float32; returns `out`.

    They must come from one start: Wortsman et al. 2022, Model soups, section 3 says why that makes a model.
    """
    whole = sum(share for _, share in checkpoints)
    mean: dict[str, object] = {}
    for folder, share in checkpoints:
        for name, value in load_file(folder / "model.safetensors").items():
            part = value.float() * (share / whole)
            mean[name] = mean[name] + part if name in mean else part
    save_checkpoint(mean, checkpoints[0][0], out)
    return out
