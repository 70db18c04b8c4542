"""`assay judge scripted`: an endpoint without a model, to rehearse against."""

import typer

from workers.judge.scripted import main

# The endpoint reads its options itself, `--help` too: they are the same as those of `python -m workers.judge.scripted`.
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def judge_scripted(context: typer.Context) -> None:
    """Runs a scripted OpenAI-compatible endpoint on loopback, to rehearse a judge without any model."""
    raise typer.Exit(main(context.args, "assay judge scripted"))
