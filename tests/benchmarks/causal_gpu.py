"""How fast a local judge writes on a GPU: `python -m tests.benchmarks.causal_gpu`, which prints JSON.

Hypothesis: a step costs about the same for 1 conversation as for 32, so that batching multiplies throughput; and greedy
replies in bfloat16 mostly, but not always, survive a change of company. Both are measured on a model of 1.5 thousand million
random weights, in the shape of Qwen2.5-1.5B, through the same class that a judge uses. What it says is noise: only
figures of speed, and of equality between batches, mean anything. Random weights have closer ties than trained ones.
`--tiny` runs the same on a processor within seconds, to see that it works.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass
from typing import Any

import tokenizers
import torch
import transformers
from tokenizers import decoders, models, pre_tokenizers

from models.backends.causal import Generated
from models.backends.causal_chat import ChatEncoder
from models.backends.causal_torch import TorchCausal

SPECIAL = ("<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
REPEATS = 2  # of each measurement; the faster counts


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How large everything is."""

    vocabulary: int
    layers: int
    width: int
    heads: int
    inner: int
    prompt: int  # tokens, about
    output: int  # tokens
    batches: tuple[int, ...]
    compared: int  # conversations, read alone and together
    compared_output: int  # tokens
    limit_s: float  # what is not begun by then is left out


FULL = Size(
    vocabulary=151_936,
    layers=28,
    width=1_536,
    heads=12,
    inner=8_960,
    prompt=1_000,
    output=256,
    batches=(1, 8, 32),
    compared=8,
    compared_output=64,
    limit_s=95.0,
)
TINY = Size(
    vocabulary=1_000,
    layers=2,
    width=64,
    heads=4,
    inner=128,
    prompt=100,
    output=8,
    batches=(1, 8, 32),
    compared=8,
    compared_output=8,
    limit_s=60.0,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One message."""

    role: str
    content: str


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="a tiny model, on the processor if there is no GPU")
    size = TINY if parser.parse_args().tiny else FULL
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and size is FULL:
        sys.stderr.write("there is no GPU: give --tiny\n")
        return 1
    started = time.perf_counter()
    model = _model(size, device)
    causal = TorchCausal(model, ChatEncoder(_tokenizer(size), "random"), {})
    results: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "dtype": str(model.dtype).removeprefix("torch."),
        "torch": str(torch.__version__),
        "transformers": transformers.__version__,
        "parameters": sum(each.numel() for each in model.parameters()),
        "loaded_s": round(time.perf_counter() - started, 2),
        "batches": [],
    }
    # Equality first, as it takes less: what the limit leaves out is the end.
    results["equality"] = _equality(causal, size)
    for rows in size.batches:
        if time.perf_counter() - started > size.limit_s:
            results["left_out"] = f"batches from {rows} on: {size.limit_s:.0f} s were over"
            break
        results["batches"].append(_throughput(causal, size, rows, device))
    results["total_s"] = round(time.perf_counter() - started, 2)
    print(json.dumps(results, indent=2))
    return 0


def _throughput(causal: TorchCausal, size: Size, rows: int, device: str) -> dict[str, Any]:
    """Prompts and replies of one batch, and the prompts alone."""
    conversations = [_conversation(size, row) for row in range(rows)]
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    read_s = min(_timed(causal, conversations, 1)[0] for _ in range(REPEATS))
    whole_s, replies = min(
        (_timed(causal, conversations, size.output) for _ in range(REPEATS)), key=lambda timed: timed[0]
    )
    written = sum(reply.output_tokens for reply in replies)
    steps = max(reply.output_tokens for reply in replies)
    return {
        "rows": rows,
        "prompt_tokens": sum(reply.input_tokens for reply in replies),
        "output_tokens": written,
        "seconds": round(whole_s, 3),
        "prompts_seconds": round(read_s, 3),
        "prompt_tokens_per_s": round(sum(reply.input_tokens for reply in replies) / read_s),
        "output_tokens_per_s": round(written / whole_s, 1),
        "ms_per_step": round((whole_s - read_s) / max(1, steps - 1) * 1_000, 2),
        "replies_per_minute": round(rows / whole_s * 60, 1),
        "peak_memory_mib": torch.cuda.max_memory_allocated() // 2**20 if device == "cuda" else None,
    }


def _equality(causal: TorchCausal, size: Size) -> dict[str, Any]:
    """Greedy replies to the same conversations, of unlike lengths, alone and together."""
    conversations = [_conversation(size, row, row * 37) for row in range(size.compared)]
    _, together = _timed(causal, conversations, size.compared_output)
    _, again = _timed(causal, conversations, size.compared_output)
    alone = [_timed(causal, [each], size.compared_output)[1][0] for each in conversations]
    pairs = [(one.text, other.text) for one, other in zip(alone, together, strict=True)]
    return {
        "compared": size.compared,
        "output_tokens_each": size.compared_output,
        "same_batch_twice_share": sum(a.text == b.text for a, b in zip(together, again, strict=True)) / size.compared,
        "alone_and_together_share": sum(one == other for one, other in pairs) / size.compared,
        "equal_beginning_share": round(sum(_beginning(*pair) for pair in pairs) / size.compared, 3),
        "greatest_difference_of_likelihood": max(
            abs((one.likelihood or 0.0) - (other.likelihood or 0.0)) for one, other in zip(alone, together, strict=True)
        ),
    }


def _beginning(one: str, other: str) -> float:
    """The share of the first text before the first letter in which they differ."""
    same = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return same / len(one) if one else float(not other)


def _timed(causal: TorchCausal, conversations: list[list[Line]], tokens: int) -> tuple[float, list[Generated]]:
    """Seconds, and the replies: fetching them waits for the GPU. Raises what stands in the place of one."""
    started = time.perf_counter()
    replies = causal.generate(conversations, max_output_tokens=tokens, temperature=0.0, seed=None, until=lambda: False)
    took = time.perf_counter() - started
    for reply in replies:
        if not isinstance(reply, Generated):
            raise reply
    return took, replies  # type: ignore[return-value]


def _conversation(size: Size, row: int, less: int = 0) -> list[Line]:
    """A prompt of about the size's tokens, each letter one."""
    text = f"{row}: the shop opens at nine and closes at five. " * size.prompt
    return [Line(role="system", content="Judge."), Line(role="user", content=text[: max(10, size.prompt - 30 - less)])]


def _tokenizer(size: Size) -> Any:
    """Letters, and as many words that no text is made of as the model has outputs, so that each says something."""
    pieces = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    pieces += [f"w{number}." for number in range(size.vocabulary - len(pieces))]
    made = tokenizers.Tokenizer(models.BPE(vocab={piece: at for at, piece in enumerate(pieces)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(list(SPECIAL))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, eos_token=SPECIAL[1], chat_template=TEMPLATE)


def _model(size: Size, device: str) -> Any:
    """Made where it runs, in the type in which a judge runs there."""
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.width,
        intermediate_size=size.inner,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=2,
        max_position_embeddings=32_768,
        tie_word_embeddings=True,
        eos_token_id=1,
        bos_token_id=None,
    )
    torch.set_default_dtype(torch.bfloat16 if device == "cuda" else torch.float32)
    with torch.device(device):
        model = transformers.LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    return model.to(device=device, dtype=torch.bfloat16 if device == "cuda" else torch.float32).eval()


if __name__ == "__main__":
    sys.exit(main())
