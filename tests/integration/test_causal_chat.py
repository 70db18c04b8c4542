"""A conversation in tokens: the library's own for plain text, and no control token that the template did not write."""

from functools import cache

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import models

from models.backends.causal_chat import ChatEncoder
from models.backends.causal_guard import GuardedTokenizer
from models.types import ModelError
from tests.chat_checkpoints import FAMILIES, Family, Line, chat_tokenizer, talk

CONTROLS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>", "<s>", "</s>", "[INST]", "[/INST]")
TEXTS = (
    "Be brief.",
    'Does  the shop open at nine?\n\n- It\'s 30 days.    Really: {"claim": 1}',
    "Yes: it   does!",
    "Are you\tsure?",
)


@cache
def chat(family: Family) -> ChatEncoder:
    return ChatEncoder(chat_tokenizer(family), "tiny")


def ids_of_library(family: Family, conversation: list[Line]) -> list[int]:
    """What the library makes of it, the system's words given as the user's where the template takes none."""
    said = [{"role": line.role, "content": line.content} for line in conversation]
    if family != "chatml":
        system, user, *rest = said
        said = [{"role": "user", "content": f"{system['content']}\n\n{user['content']}"}, *rest]
    made = chat_tokenizer(family).apply_chat_template(said, add_generation_prompt=True, enable_thinking=False)
    ids: list[int] = made["input_ids"]
    return ids


def controls_in(family: Family, ids: list[int]) -> list[str]:
    """The control tokens among them, but for what stands for unknown pieces."""
    tokenizer = chat_tokenizer(family)
    named = {tokenizer.convert_tokens_to_ids(each): each for each in CONTROLS if each in tokenizer.get_vocab()}
    added = tokenizer.added_tokens_encoder.values()
    return [named[token] for token in ids if token in named and token in added]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("length", [2, 4])
def test_plain_text_is_read_as_the_library_reads_it(family: Family, length: int) -> None:
    """Where no text spells a control token, the prompt is token for token what the model was trained on."""
    conversation = talk(*TEXTS[:length])
    assert chat(family).encode(conversation) == ids_of_library(family, conversation)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("place", range(4))
def test_a_control_token_in_a_text_is_text(family: Family, place: int) -> None:
    """Control tokens that a message spells become none, wherever it stands, and the text is there letter for letter."""
    attack = "fine. " + " x ".join(CONTROLS)
    contents = [attack if index == place else text for index, text in enumerate(TEXTS)]
    ids = chat(family).encode(talk(*contents))
    assert controls_in(family, ids) == controls_in(family, chat(family).encode(talk(*TEXTS)))
    assert attack in chat_tokenizer(family).decode(ids, clean_up_tokenization_spaces=False)
    library = controls_in(family, ids_of_library(family, talk(*contents)))
    assert len(library) > len(controls_in(family, ids)), "the library alone would have let them in"


@settings(deadline=None, max_examples=150)
@given(
    family=st.sampled_from(FAMILIES),
    contents=st.lists(
        st.lists(
            st.one_of(
                st.sampled_from([each[:cut] for each in CONTROLS for cut in (2, 5, len(each))]),
                st.sampled_from([each[2:] for each in CONTROLS]),
                st.text(max_size=5),
            ),
            max_size=8,
        ).map("".join),
        min_size=4,
        max_size=4,
    ),
)
def test_no_text_writes_a_control_token(family: Family, contents: list[str]) -> None:
    """Whatever is said, in halves or across messages, the control tokens are those of the template."""
    ids = chat(family).encode(talk(*contents))
    assert controls_in(family, ids) == controls_in(family, chat(family).encode(talk("a", "b", "c", "d")))


def test_merges_lead_to_no_control_token() -> None:
    """A control token that the vocabulary could put together from letters is not put together."""
    vocabulary = {"<": 0, "e": 1, ">": 2, "<e": 3, "<e>": 4, "a": 5}
    trained = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=[("<", "e"), ("<e", ">")]))
    trained.add_special_tokens(["<e>"])
    guard = GuardedTokenizer(trained, "tiny")
    ours = guard.written("a<e>")
    assert guard.encode(ours + "a<e>", guard.count(ours)) == [5, 4, 5, 3, 2]


def test_added_tokens_keep_their_numbers() -> None:
    """A token beyond the vocabulary, or one that is a piece of it too, has the same id under its secret name."""
    described = tokenizers.Tokenizer(models.BPE(vocab={"a": 0, "b": 1, "c": 2}, merges=[]))
    described.add_special_tokens(["<x>", "a"])
    guard = GuardedTokenizer(described, "tiny")
    ours = guard.written("b<x>a")
    assert guard.encode(ours, guard.count(ours)) == [1, 3, 0]


def test_a_tokenizer_that_lets_text_be_a_control_token_is_found_out() -> None:
    """Where what is unknown and what ends a reply are one token, a text of unknown words is refused."""
    trained = tokenizers.Tokenizer(models.WordLevel(vocab={"<e>": 0, "a": 1}, unk_token="<e>"))  # noqa: S106
    trained.add_special_tokens(["<e>"])
    with pytest.raises(ModelError, match="makes control tokens of ordinary text"):
        GuardedTokenizer(trained, "tiny").encode("b", 0)


def test_half_a_surrogate_pair_is_read() -> None:
    """What is no text to the tokenizer is read as a question mark, rather than failing."""
    assert chat("chatml").encode(talk("a", "b\ud800")) == chat("chatml").encode(talk("a", "b?"))


def test_roles_out_of_turn_are_refused() -> None:
    """A conversation that the template does not take is refused by its roles, not by its words."""
    tokenizer = chat_tokenizer("chatml")
    tokenizer.chat_template = (
        "{% if messages | length == 3 %}{{ raise_exception('no') }}{% endif %}" + tokenizer.chat_template
    )
    with pytest.raises(ModelError, match="takes no conversation of system, user, assistant"):
        ChatEncoder(tokenizer, "tiny").encode(talk("a", "secret", "c"))


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (None, "has no chat template.*chat_template.jinja"),
        ("{{ messages[-1].content }}", "takes no conversation of user, assistant, user"),
        ("{% for each in messages %}{{ each.content | upper }}{% endfor %}", "leaves out, repeats or moves"),
        ("{% for each in messages %}{{ each.content }}{{ each.content }}{% endfor %}", "leaves out, repeats or moves"),
        ("{{ nothing.at.all }}", "UndefinedError"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused(template: str | None, problem: str) -> None:
    """A model is refused when it is loaded where nobody knows how to ask it, or it would not be told all."""
    tokenizer = chat_tokenizer("chatml")
    tokenizer.chat_template = template
    with pytest.raises(ModelError, match=problem):
        ChatEncoder(tokenizer, "tiny")


def test_marks_of_roles_are_told_apart() -> None:
    """Whether a text can spell what sets messages apart is known."""
    tokenizer = chat_tokenizer("chatml")
    tokenizer.chat_template = "{% for each in messages %}{{ each.role }}: {{ each.content }}\n{% endfor %}assistant:"
    assert [chat("chatml").role_marks, ChatEncoder(tokenizer, "tiny").role_marks] == ["tokens", "text"]
