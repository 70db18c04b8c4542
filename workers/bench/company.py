"""The company: whether a pair's probabilities depend on its batch, on its neighbours, or on the threads that read it."""

from collections.abc import Sequence
from dataclasses import astuple, replace

from models.limits import Limits
from models.load import Model, ScorerConfig, load_model
from models.pairs import Plan, Planner
from models.types import EncodedPair, NliBackend, Probability
from workers.bench.corpus import Corpus
from workers.bench.robustness_results import Company

THREADS = (1, 2)
SMALL_CALL = 7  # pairs: no whole number of them fills a batch


def measure_company(corpus: Corpus, config: ScorerConfig, pairs_each: int) -> tuple[Company, ...]:
    """Real pairs of every set, asked one by one by one thread, and in every other way. Raises ModelError."""
    models = [load_model(replace(config, threads=threads)) for threads in THREADS]
    pairs = [pair for name in corpus.rows for pair in _draw_pairs(corpus, name, models[0], pairs_each)]
    order = list(range(len(pairs)))
    corpus.draw("company").shuffle(order)
    ways = {
        "one by one": [[index] for index in range(len(pairs))],
        "all at once": [list(range(len(pairs)))],
        "all at once in another order": [order],
        f"{SMALL_CALL} at once, other neighbours": [
            order[at : at + SMALL_CALL] for at in range(0, len(order), SMALL_CALL)
        ],
    }
    reference = _read(models[0].backend, pairs, ways["one by one"])
    return tuple(
        _differences(f"{way}, {threads} {'thread' if threads == 1 else 'threads'}", reference, answers)
        for threads, model in zip(THREADS, models, strict=True)
        for way, calls in ways.items()
        for answers in [_read(model.backend, pairs, calls)]
    )


def _draw_pairs(corpus: Corpus, name: str, model: Model, count: int) -> list[EncodedPair]:
    """Pairs of the set's rows, at most one of each row."""
    planner = Planner(
        encoder=model.encoder,
        limits=Limits(max_length=min(Limits().max_length, model.max_length)),
        languages=frozenset(),
    )
    draw, pairs = corpus.draw(name, "company"), list[EncodedPair]()
    for row in corpus.rows[name]:
        plan = planner.plan(row.item)
        claims = [claim for claim in plan.claims if claim.readings] if isinstance(plan, Plan) else []
        if claims and len(pairs) < count:
            claim = draw.choice(claims)
            pairs.append(model.encoder.join(draw.choice(claim.readings).ids, claim.ids))
    return pairs


def _read(backend: NliBackend, pairs: Sequence[EncodedPair], calls: Sequence[Sequence[int]]) -> list[Probability]:
    """The answers in the order of the pairs, asked in these calls."""
    found: dict[int, Probability] = {}
    for call in calls:
        found.update(zip(call, backend.predict([pairs[index] for index in call], lambda: None), strict=True))
    return [found[index] for index in range(len(pairs))]


def _differences(way: str, reference: Sequence[Probability], answers: Sequence[Probability]) -> Company:
    return Company(
        way=way,
        pairs=len(reference),
        different=sum(one != other for one, other in zip(reference, answers, strict=True)),
        greatest=max(
            (
                abs((first or 0.0) - (second or 0.0))
                for one, other in zip(reference, answers, strict=True)
                for first, second in zip(astuple(one), astuple(other), strict=True)
            ),
            default=0.0,
        ),
    )
