"""A causal model in memory: its replies are the library's, in any company; what stops them, and what is told of them."""

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
import transformers

from models.backends.causal import CausalModel, Generated, PromptTooLongError, load_causal
from models.backends.causal_chat import ChatEncoder
from models.backends.causal_decode import Decoder, Prompt, _choose
from models.backends.causal_torch import TorchCausal
from models.types import ModelError, NotFiniteError
from tests.chat_checkpoints import CONTEXT, Family, Line, chat_model, chat_tokenizer, save_chat_model, talk

TALKS = [
    talk("Be brief.", "Does the shop open at nine?"),
    talk("", "Hi!"),
    talk("You are a judge.", "Paris is in France. " * 8, "Yes.", "Are you sure?"),
    talk("Be long.", "It snowed in Tokyo."),
]
FAMILIES: tuple[Family, ...] = ("chatml", "inst")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Family, Path]:
    """Checkpoints, not to be changed."""
    root = tmp_path_factory.mktemp("causal")
    return {family: save_chat_model(root / family, family) for family in FAMILIES}


@pytest.fixture(scope="module")
def loaded(folders: dict[Family, Path]) -> Iterator[dict[Family, CausalModel]]:
    threads = torch.get_num_threads()
    yield {family: load_causal(str(folder), "", 1) for family, folder in folders.items()}
    torch.set_num_threads(threads)


def say(
    model: CausalModel,
    conversations: Sequence[Sequence[Line]],
    tokens: int = 12,
    temperature: float = 0.0,
    seed: int | Sequence[int | None] | None = None,
    until: Callable[[], bool] = lambda: False,
) -> list[Any]:
    return model.generate(conversations, max_output_tokens=tokens, temperature=temperature, seed=seed, until=until)


def of_model(model: Any, family: Family = "chatml") -> TorchCausal:
    return TorchCausal(model, ChatEncoder(chat_tokenizer(family), "tiny"), {})


def words(replies: Sequence[Any]) -> list[Any]:
    """The replies but for their likelihoods, which rounding moves from one company to another."""
    return [dataclasses.replace(each, likelihood=None) for each in replies]


class After:
    """True from the given call on."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_replies_are_the_library_s(
    folders: dict[Family, Path], loaded: dict[Family, CausalModel], family: Family
) -> None:
    """At temperature 0 each conversation of a batch gets what the library generates for it alone, token for token."""
    tokenizer = chat_tokenizer(family)
    model = transformers.AutoModelForCausalLM.from_pretrained(folders[family])
    replies = say(loaded[family], TALKS)
    for conversation, reply in zip(TALKS, replies, strict=True):
        ids = ChatEncoder(tokenizer, "tiny").encode(conversation)
        whole = model.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=12,
            do_sample=False,
            pad_token_id=0,
        )
        said = whole[0, len(ids) :]
        assert reply.text == tokenizer.decode(said, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert (reply.input_tokens, reply.output_tokens) == (len(ids), len(said))
        with torch.no_grad():
            logs = model(whole).logits[0, len(ids) - 1 : -1].log_softmax(-1)
        expected = logs.gather(-1, said[:, None]).mean().item()
        assert reply.likelihood == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_company_changes_no_reply(loaded: dict[Family, CausalModel], family: Family, temperature: float) -> None:
    """A conversation gets the same reply alone, in a batch, and in a batch of another order."""
    model = loaded[family]
    together = [reply.text for reply in say(model, TALKS, 30, temperature, 7)]
    alone = [say(model, [each], 30, temperature, 7)[0].text for each in TALKS]
    backwards = [reply.text for reply in say(model, TALKS[::-1], 30, temperature, 7)][::-1]
    assert (together, backwards) == (alone, alone)
    assert len(set(alone)) == len(TALKS)


def test_prompts_read_in_parts_are_read_the_same() -> None:
    """How many tokens of the prompts one step reads changes nothing, not even where a part of a row is all padding."""
    model = chat_model(chat_tokenizer("chatml"))
    prompts = [Prompt(ids=list(range(3, 3 + length)), random=Random(1)) for length in (2, 70, 31)]
    whole, parts = (
        Decoder(model, frozenset({-1}), chunk).run(prompts, 9, 0.0, lambda: False) for chunk in (10_000, 20)
    )
    assert [each.ids for each in parts] == [each.ids for each in whole]
    assert [each.total for each in parts] == pytest.approx([each.total for each in whole], rel=1e-4)


def test_many_conversations_are_read_in_groups(loaded: dict[Family, CausalModel]) -> None:
    """More conversations than are read together all get their replies, each in its place."""
    model = loaded["chatml"]
    conversations = [talk("", f"Item {number}." * (1 + number % 3)) for number in range(40)]
    few = [say(model, conversations[at : at + 1], 4)[0] for at in (0, 17, 39)]
    many = say(model, conversations, 4)
    assert [many[at].text for at in (0, 17, 39)] == [each.text for each in few]
    assert len(many) == 40
    assert say(model, []) == []


def test_a_seed_makes_a_draw_again(loaded: dict[Family, CausalModel]) -> None:
    """The same seed gives the same replies, another seed others, and no seed others each time."""
    model = loaded["chatml"]
    first, again, other = ([each.text for each in say(model, TALKS, 20, 1.0, seed)] for seed in (3, 3, 4))
    assert (first == again, first == other) == (True, False)
    alone = [say(model, TALKS[:1], 20, 1.0, seed)[0] for seed in (3, 4)]
    assert words(say(model, TALKS[:1] * 2, 20, 1.0, [3, 4])) == words(alone)
    unseeded = [say(model, TALKS[:1], 20, 1.0)[0].text for _ in range(3)]
    assert len(set(unseeded)) > 1


def test_global_generators_are_left_alone(loaded: dict[Family, CausalModel]) -> None:
    """Drawing neither reads nor sets the generator that others use."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    seeded = words(say(loaded["chatml"], TALKS[:1], 20, 1.0, 3))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert words(say(loaded["chatml"], TALKS[:1], 20, 1.0, 3)) == seeded


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_model(temperature: float) -> None:
    """Tokens are drawn as often as their probabilities at that temperature say, and impossible ones never."""
    logits = [1.0, 0.0, -1.0, 2.0, -math.inf]
    weights = [math.exp(each / temperature) for each in logits]
    count = 20_000
    rows = [Prompt(ids=[], random=Random(row)) for row in range(count)]
    tokens, _ = _choose(torch.tensor([logits]).expand(count, -1), temperature, rows)
    drawn = Counter(tokens.tolist())
    for token, weight in enumerate(weights):
        assert drawn[token] / count == pytest.approx(weight / sum(weights), abs=0.015)
    assert drawn[4] == 0


def test_a_tiny_temperature_is_greedy(loaded: dict[Family, CausalModel]) -> None:
    """As the temperature goes to 0, what is drawn goes to the most probable."""
    greedy, nearly = (say(loaded["chatml"], TALKS, 20, temperature, 1) for temperature in (0.0, 1e-300))
    assert words(nearly) == words(greedy)


def test_a_reply_ends_where_the_model_ends_it() -> None:
    """An end token of the generation settings ends the reply, is counted, and is no part of the text."""
    model = chat_model(chat_tokenizer("chatml"))
    ids = ChatEncoder(chat_tokenizer("chatml"), "tiny").encode(TALKS[0])
    endless = Decoder(model, frozenset({-1}), 1_000).run([Prompt(ids=ids, random=Random(1))], 8, 0.0, lambda: False)
    said = endless[0].ids
    model.generation_config.eos_token_id = [said[4]]
    reply, cut = say(of_model(model), [TALKS[0]], 8)[0], say(of_model(model), [TALKS[0]], said.index(said[4]))[0]
    assert (reply.finished, reply.output_tokens) == (True, said.index(said[4]) + 1)
    assert (cut.finished, cut.text) == (False, reply.text)


def test_a_long_prompt_spoils_no_other(loaded: dict[Family, CausalModel]) -> None:
    """A conversation without room for its reply is told so in its place, without its words; the others get theirs."""
    alone = say(loaded["chatml"], TALKS[:1])
    first, long = say(loaded["chatml"], [TALKS[0], talk("", "secret " * CONTEXT)])
    assert (words([first]), type(long)) == (words(alone), PromptTooLongError)
    assert "secret" not in str(long)


def test_the_room_for_a_reply_is_exact(loaded: dict[Family, CausalModel]) -> None:
    """Prompt and reply may fill what the model reads to the last token, and not one more."""
    model = loaded["inst"]
    room = model.max_length - say(model, TALKS[:1], 1)[0].input_tokens
    assert model.max_length == CONTEXT
    assert isinstance(say(model, TALKS[:1], room)[0], Generated)
    assert isinstance(say(model, TALKS[:1], room + 1)[0], PromptTooLongError)


def test_until_stops_at_once(loaded: dict[Family, CausalModel]) -> None:
    """From the first True on nothing more is said; what was said so far is the beginning of the whole reply."""
    model = loaded["chatml"]
    whole = say(model, TALKS[:2], 12)
    for calls in range(1, 6):
        part = say(model, TALKS[:2], 12, until=After(calls))
        assert [(each.output_tokens, each.finished) for each in part] == [(calls, False)] * 2
        assert all(one.text.startswith(each.text.rstrip("\ufffd")) for one, each in zip(whole, part, strict=True))


def test_until_before_the_start(loaded: dict[Family, CausalModel]) -> None:
    """Too late from the start: nothing is said, nothing is known of its probability, and the prompt is counted."""
    reply = say(loaded["chatml"], TALKS[:1], until=lambda: True)[0]
    counted = say(loaded["chatml"], TALKS[:1])[0].input_tokens
    assert reply == Generated(text="", input_tokens=counted, output_tokens=0, likelihood=None, finished=False)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_not_a_number_is_an_error_of_its_own_row(temperature: float) -> None:
    """NaN in one conversation is its error; its neighbours' replies are as without it."""
    tokenizer = chat_tokenizer("chatml")
    model = chat_model(tokenizer)
    alone = say(of_model(model), [TALKS[0]], temperature=temperature, seed=1)
    with torch.no_grad():
        model.model.embed_tokens.weight[tokenizer.encode("%")[0]] = math.nan
    first, second = say(of_model(model), [TALKS[0], talk("", "100 %")], temperature=temperature, seed=1)
    assert (words([first]), type(second)) == (words(alone), NotFiniteError)


def test_a_model_of_nan_is_refused_when_it_is_loaded() -> None:
    """A model that can say nothing is no judge."""
    model = chat_model(chat_tokenizer("chatml"))
    model.lm_head.weight.data.fill_(math.nan)
    with pytest.raises(NotFiniteError):
        of_model(model)


def test_a_failure_of_the_runtime_is_a_model_error() -> None:
    """What the runtime raises comes as one kind of error."""
    model = chat_model(chat_tokenizer("chatml"))
    causal = of_model(model)
    model.lm_head = torch.nn.Linear(7, 7)
    with pytest.raises(ModelError, match="could not be run"):
        say(causal, TALKS[:1])


@pytest.mark.parametrize(("tokens", "temperature"), [(0, 0.0), (1, -1.0), (1, math.nan), (1, math.inf)])
def test_what_makes_no_sense_is_refused(loaded: dict[Family, CausalModel], tokens: int, temperature: float) -> None:
    """A reply has at least one token, and a temperature is a number from 0 on."""
    with pytest.raises(ValueError, match="at least one token"):
        say(loaded["chatml"], TALKS[:1], tokens, temperature)


def test_roles_that_are_refused_spoil_no_other(loaded: dict[Family, CausalModel]) -> None:
    """A conversation that the template refuses is told so in its place."""
    twice = [Line(role="user", content="a"), Line(role="system", content="b")]
    first, second = say(loaded["inst"], [TALKS[0], twice])
    assert (words([first]), type(second)) == (words(say(loaded["inst"], TALKS[:1])), ModelError)
