"""Whatever the application does, `submit` neither raises nor waits."""

import socket
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import psutil
import pytest
from assay_client import AssayClient, Fields, Settings
from assay_client.submission import InvalidError, Item, copied, encoded
from fake_assay import FakeAssay, Fault
from hypothesis import given, settings
from hypothesis import strategies as st


class Evil:
    """Raises from everything that it is asked."""

    def _raise(self, *_: object) -> Any:
        raise ValueError("evil")

    __str__ = __repr__ = __hash__ = __eq__ = __len__ = __iter__ = __bool__ = __float__ = __getattr__ = _raise  # type: ignore[assignment]


TEXTS = st.text(alphabet=st.characters(exclude_categories=()), max_size=20)  # lone surrogates and U+0000 too
ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        TEXTS,
        st.binary(max_size=5),
        st.builds(Evil),
        st.builds(object),
        st.datetimes(),
        st.just(float("nan")),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(TEXTS, st.integers()), inner, max_size=3),
        st.tuples(inner),
    ),
    max_leaves=8,
)
NAMES = st.one_of(st.sampled_from(sorted(Fields.__annotations__)), TEXTS)


@pytest.fixture(scope="module")
def closed_port() -> Iterator[str]:
    """A URL where nothing listens, for as long as the module runs."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture(scope="module")
def client(closed_port: str) -> Iterator[AssayClient]:
    """A client with nobody to talk to, and little room."""
    client = AssayClient(closed_port, settings=Settings(buffer_items=50))
    yield client
    client.close(0.1)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(NAMES, ANYTHING, max_size=6))
def test_submit_never_raises(client: AssayClient, fields: Any) -> None:
    """For any fields of any type: an id or None, and the numbers add up."""
    before = client.stats()
    answer = client.submit(**fields)
    after = client.stats()
    assert answer is None or isinstance(answer, str)
    assert after.submitted == before.submitted + 1
    lost = sum(after.dropped.values()) - sum(before.dropped.values())
    assert lost == (1 if answer is None else 0)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(NAMES, ANYTHING, max_size=6), TEXTS)
def test_what_is_taken_can_be_sent(fields: dict[str, Any], response: str) -> None:
    """A copy either is refused at once, or becomes one line of valid UTF-8 without U+0000, or is refused then."""
    try:
        body, size = copied({**fields, "response": response})
        line = encoded(Item(id="i", body=body, size=size, born=0.0))
    except InvalidError:
        return
    assert (b"\n" in line, b"\\u0000" in line.replace(b"\\\\", b"")) == (False, False)
    line.decode()
    assert len(line) <= 2 * size


def test_surrogates_are_mended(assay: FakeAssay) -> None:
    """Lone surrogates and U+0000 arrive as U+FFFD, code point for code point, so that offsets stay."""
    with AssayClient(assay.url) as client:
        sample_id = client.submit(response="a\ud800b\0c😀", contexts=[{"text": "\udfff"}], tags={"x": "\0"})
    stored = assay.stored[str(sample_id)]
    assert (stored["response"], stored["contexts"], stored["tags"]) == (
        "a\ufffdb\ufffdc😀",
        [{"text": "\ufffd"}],
        {"x": "\ufffd"},
    )


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"response": None},
        {"response": b"bytes"},
        {"response": "r", "anwser": "misspelt"},
        {"response": "r", "contexts": (c for c in "generator")},
        {"response": "r", "contexts": [["nested"]]},
        {"response": "r", "contexts": ["x"] * 5_000},
        {"response": "r", "occurred_at": datetime(2026, 1, 1)},  # noqa: DTZ001 - that is the point
        {"response": "r", "id": 7},
        {"response": "r", "tags": {"a": 1}},
        {"response": "r", "model": "m" * 300},
        {"response": "r", "latency_ms": "soon"},
    ],
)
def test_wrong_shapes_are_dropped_at_once(client: AssayClient, fields: Any) -> None:
    """What cannot be sent is dropped as invalid, when it is submitted."""
    before = client.stats().dropped.get("invalid", 0)
    assert client.submit(**fields) is None
    assert client.stats().dropped["invalid"] == before + 1


@pytest.mark.parametrize(
    "url",
    ["", "sidecar:8000", "ftp://user:secret@sidecar", "/path", "http://", "http://a:secret", "http://[::secret", None],
)
def test_a_wrong_url_is_said_at_once(url: Any) -> None:
    """A client that can never work is refused where it is made, without repeating what may be a password."""
    with pytest.raises(ValueError, match="URL") as raised:
        AssayClient(url)
    assert "secret" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("key", ["schlüssel", "two words", "two\nlines", "nul\0", b"bytes", 7])
def test_a_key_that_cannot_be_sent_is_said_at_once(key: Any) -> None:
    """No header could carry it, so nothing would ever be delivered."""
    with pytest.raises(ValueError, match="api_key") as raised:
        AssayClient("http://127.0.0.1:9", api_key=key)
    assert str(key) not in str(raised.value)


@pytest.mark.parametrize(("key", "sent"), [("k-1\n", "Bearer k-1"), (" k-1 ", "Bearer k-1"), ("\n", None), ("", None)])
def test_white_space_around_a_key_is_not_part_of_it(
    assay: FakeAssay, make: Callable[..., AssayClient], key: str, sent: str | None
) -> None:
    """A key read from a file ends in a newline."""
    client = make(assay.url, api_key=key)
    client.submit(response="r")
    assert client.flush(20)
    assert assay.authorizations == {sent}


def test_wrong_limits_are_said_at_once() -> None:
    """A limit of nothing is refused where it is set."""
    with pytest.raises(ValueError, match="buffer_items"):
        Settings(buffer_items=0)


@pytest.mark.timed
@pytest.mark.parametrize("hanging", [False, True])
def test_a_tight_loop_stays_bounded(
    assay: FakeAssay, make: Callable[..., AssayClient], closed_port: str, *, hanging: bool
) -> None:
    """100,000 submissions with nobody taking them hold no more than the buffer may, and none takes long."""
    assay.always["/score/batch"] = Fault()
    client = make(assay.url if hanging else closed_port, buffer_items=1_000, request_timeout_s=5.0)
    text = "x" * 4_000
    for number in range(1_000):
        client.submit(response=text + str(number))
    process = psutil.Process()
    before, started = process.memory_info().rss, time.perf_counter()
    for number in range(100_000):
        client.submit(response=text, model="m", latency_ms=float(number))
    elapsed, grown = time.perf_counter() - started, process.memory_info().rss - before
    stats = client.stats()
    assert (stats.submitted, stats.held <= 1_000, grown < 16_000_000) == (101_000, True, True)
    assert elapsed < 15  # on a busy machine
