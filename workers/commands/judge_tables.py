"""What `assay check` says of a policy's judge, generator and spending."""

from rich.console import Console

from models.types import ModelError
from service.core.errors import PolicyInvalidError
from service.core.policy import Policy
from service.core.reviewing.judge import Generator, Judge, Spend
from workers.commands.shown import show_lines


def show_judge(policy: Policy, console: Console) -> None:
    """Says who is called, for whom, how often and at what price; nothing where nobody is. Raises PolicyInvalidError."""
    told = []
    if policy.judge is not None:
        told += _judge(policy.judge)
    if policy.consistency.generator is not None:
        told.append(_generator(policy.consistency.generator))
    if told and policy.spend is not None:
        told.append(_spend(policy.spend))
    show_lines(console, *told)


def _judge(judge: Judge) -> list[str]:
    version = _prompt(judge)
    low, high = judge.cascade.band
    votes = "once" if judge.votes == 1 else f"{judge.votes} times"
    lines = [
        (
            f"Judge: {judge.named} {_where(judge)}, asked {votes} with {version}; the text of "
            f"{', '.join(judge.tenants)} is sent to it."
        ),
        (
            f"It sees {judge.cascade.band_rate:.4%} of the samples whose first score is from {low:g} to {high:g}, and "
            f"{judge.cascade.floor:.4%} of the others."
        ),
        _price(judge),
    ]
    if judge.cascade.floor == 0:
        lines.append("The others have no chance of being judged: rates by the judge do not cover them.")
    return lines


def _prompt(judge: Judge) -> str:
    """What the prompt is called. Raises PolicyInvalidError for a file that is none."""
    try:
        from models.judge.prompt import load_prompt  # noqa: PLC0415 - stands on the splitter, which a sidecar lacks
    except ModuleNotFoundError:
        return "a prompt that only a worker's installation can check"
    try:
        return f"prompt {load_prompt(judge.prompt).version}"
    except ModelError as error:
        raise PolicyInvalidError(f"judge.prompt: {error}.") from None


def _generator(generator: Generator) -> str:
    return (
        f"Generator: {generator.model} {_where(generator)} draws {generator.samples} alternative responses for "
        f"{generator.rate:.4%} of the samples of {', '.join(generator.tenants)}. {_price(generator)}"
    )


def _where(model: Judge | Generator) -> str:
    address = model.address
    return "in a judge worker's memory" if address is None else f"at {address.authority}"


def _price(model: Judge | Generator) -> str:
    if not model.costs:
        return "Its calls cost nothing."
    return f"A million tokens cost {model.input_price} in and {model.output_price} out."


def _spend(spend: Spend) -> str:
    told = [f"Calls of a day, UTC, cost each tenant at most {spend.cost} {spend.currency}"]
    told += [f"{tenant} {own.cost}" for tenant, own in spend.tenants.items()]
    return (
        f"{'; '.join(told)}. Where money runs low, all probabilities shrink together, down to {spend.least:.4%}; below "
        "that samples are uncovered."
    )
