"""Commands that are imported once they are asked for: a process that serves or works must not load all the others first."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

# Where each is: a group or a function, by its name on the command line.
LATER = {
    "check": "workers.commands.policy:check",
    "rate": "workers.commands.rate:rate",
    "rescore": "workers.commands.rescore:rescore",
    "score": "workers.commands.score:score",
    "calibrate": "workers.commands.calibrate:calibrate",
    "purge": "workers.commands.purge:purge",
    "doctor": "workers.commands.doctor:doctor",
    "policy": "workers.commands.policy:policy_app",
    "prometheus": "workers.commands.prometheus:prometheus_app",
    "alerts": "workers.commands.alerts:alerts_app",
    "judge": "workers.commands.judge:judge_app",
    "golden": "workers.commands.golden:golden_app",
    "bench": "workers.commands.bench:bench_app",
}


class LaterGroup(TyperGroup):
    """A group that has those of LATER beside its own."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, imported if it is one of LATER; None where there is none."""
        if cmd_name in LATER and cmd_name not in self.commands:
            self.add_command(_imported(cmd_name), cmd_name)
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        """All names; what lists them shows what they are, so all are imported."""
        for name in LATER:
            self.get_command(ctx, name)
        return super().list_commands(ctx)


def _imported(name: str) -> Any:
    module, _, attribute = LATER[name].partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        group = get_group(found)
        group.name = name
        return group
    alone = typer.Typer(add_completion=False)
    alone.command(name)(found)
    return get_command(alone)
