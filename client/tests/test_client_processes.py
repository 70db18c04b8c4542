"""Processes: forks, exits, kills. What a child inherits is its parent's; what a process holds is sent at its exit."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest
from assay_client import AssayClient
from fake_assay import POLICY, FakeAssay, Fault

Make = Callable[..., AssayClient]
ROOT = Path(__file__).resolve().parents[1]
WARNINGS = ("-W", "error", "-W", "ignore:This process:DeprecationWarning")  # Python's own about forks and threads
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def run(script: str, url: str, *, stop: bool = False) -> "subprocess.CompletedProcess[str]":
    """Runs a script with `client` in it, in a process of its own."""
    head = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom assay_client import AssayClient, Settings\n"
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", *WARNINGS, "-c", f"{head}URL = {url!r}\n{script}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if stop:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


FORKING = """
import os, time

def in_child(work):
    child = os.fork()
    if child == 0:
        good = False
        try:
            good = work()
        finally:
            os._exit(0 if good else 1)
    return os.waitpid(child, 0)[1] == 0

def until(condition):
    for _ in range(2_000):
        if condition():
            return
        time.sleep(0.01)
    sys.exit("not in time")

def made(**settings):
    return AssayClient(URL, settings=Settings(**{"flush_interval_s": 0.02, "request_timeout_s": 5.0, **settings}))
"""


def run_forking(script: str, url: str) -> None:
    """Runs a script that forks; `True` as its last word is what it has to say.

    Never in this process: other tests load libraries with threads of their own, and such a process cannot be forked.
    """
    done = run(FORKING + script, url)
    assert (done.returncode, done.stdout.split()[-1:]) == (0, ["True"]), done.stderr


@forks
def test_forked_child_has_a_thread_of_its_own(assay: FakeAssay) -> None:
    """A child sends what it submits, and not what it inherited; the parent goes on as before."""
    assay.always["/score/batch"] = Fault(status=503)  # so that the parent holds something when it forks
    assay.also["/mend"] = assay.always.clear
    script = """
import urllib.request

client = made(max_age_s=60.0)
for number in range(20):
    client.submit(response="r", id=f"parent-{number}")

def child():
    stats = client.stats()
    taken = [client.submit(response="r", id=f"child-{number}") for number in range(20)]
    urllib.request.urlopen(URL + "/mend", data=b"").close()
    return stats.submitted == 0 and None not in taken and client.flush(15)

good = in_child(child)
client.submit(response="r", id="after")
print(good and client.flush(20))
"""
    run_forking(script, assay.url)
    everything = {"after", *(f"{who}-{number}" for who in ("parent", "child") for number in range(20))}
    assert (set(assay.stored), set(assay.arrivals.values())) == (everything, {1})


@forks
def test_fork_while_others_submit(assay: FakeAssay) -> None:
    """A child never inherits a held lock, whatever other threads do at the moment of the fork."""
    script = """
import threading

client = made(buffer_items=100)
ended = threading.Event()

def work():
    while not ended.is_set():
        client.submit(response="r")

threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
results = [in_child(lambda: client.submit(response="r") is not None and client.close(10)) for _ in range(10)]
ended.set()
for thread in threads:
    thread.join()
print(all(results))
"""
    run_forking(script, assay.url)


@forks
def test_counts_of_parent_and_child_are_apart(assay: FakeAssay) -> None:
    """A child counts under a name of its own, so that neither takes the other's for a repetition."""
    assay.policy = {**POLICY, "default": {"stratum": "default", "rate": 0.0}}
    script = """
client = made(counts_interval_s=30.0)
client.submit(response="r")
until(lambda: client.engine.shared.policy)
for _ in range(4):
    client.submit(response="r")
good = in_child(lambda: client.submit(response="r") is not None and client.flush(10))
print(good and client.flush(10))
"""
    run_forking(script, assay.url)
    assert (assay.counts("sampled_out"), len({name for name, _ in assay.counted})) == (6, 2)


def test_exit_delivers_the_rest(assay: FakeAssay) -> None:
    """A script that submits and ends loses nothing, warns of nothing, and ends soon."""
    done = run("c = AssayClient(URL)\nfor n in range(50): c.submit(response='r', id=f's-{n}')", assay.url)
    assert (done.returncode, done.stderr, len(assay.stored)) == (0, "", 50)


def test_exit_by_an_exception_delivers_too(assay: FakeAssay) -> None:
    """An application that fails is the one whose last answers matter."""
    done = run("AssayClient(URL).submit(response='r')\nraise SystemExit(3)", assay.url)
    assert (done.returncode, len(assay.stored)) == (3, 1)


def test_exit_resolves_names(assay: FakeAssay) -> None:
    """The first connection may be made while the interpreter exits, also to a host that has to be looked up."""
    done = run("AssayClient(URL).submit(response='r')", assay.url.replace("127.0.0.1", "localhost"))
    assert (done.returncode, done.stderr, len(assay.stored)) == (0, "", 1)


@pytest.mark.timed
@pytest.mark.parametrize("hanging", [True, False])
def test_exit_is_not_held_up(assay: FakeAssay, nowhere: str, *, hanging: bool) -> None:
    """With a hanging or absent sidecar, an exit waits no longer than exit_timeout_s, and says what was lost."""
    assay.always = {path: Fault() for path in ("/sampling", "/score/batch", "/counts")}
    script = "AssayClient(URL, settings=Settings(exit_timeout_s=1.0)).submit(response='r')"
    started = time.monotonic()
    done = run(script, assay.url if hanging else nowhere)
    assert time.monotonic() - started < 6  # with the start of an interpreter, on a busy machine
    assert (done.returncode, "closed 1" in done.stderr) == (0, True)


def test_submit_during_exit(assay: FakeAssay) -> None:
    """A submission from an exit handler, or from an object's last breath, raises nothing."""
    script = """
import atexit
class Last:
    def __del__(self): client.submit(response='last')
last = Last()
client = AssayClient(URL)
client.submit(response='r')
atexit.register(lambda: client.submit(response='early'))
"""
    done = run(script, assay.url)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert {item["response"] for item in assay.stored.values()} == {"r", "early"}


def test_sigterm_delivers_where_it_is_an_exit(assay: FakeAssay) -> None:
    """Python's default for SIGTERM ends at once; made an exit, as servers do, it delivers the rest."""
    script = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
AssayClient(URL, settings=Settings(flush_interval_s=60.0)).submit(response='r')
print('ready', flush=True)
time.sleep(30)
"""
    done = run(script, assay.url, stop=True)
    assert (done.returncode, len(assay.stored)) == (0, 1)


def test_import_starts_nothing() -> None:
    """Importing the package, and making a client, start no thread and open no socket."""
    script = "import threading; AssayClient(URL); assert threading.active_count() == 1"
    assert run(script, "http://127.0.0.1:9").returncode == 0


def test_killed_and_restarted_sidecar(assay: FakeAssay, make: Make) -> None:
    """A sidecar that comes and goes mid-stream: every id ends stored once, or counted as dropped; none both."""
    chance = random.Random(3)
    assay.delay_s = 0.02
    client = make(assay.url, buffer_items=300, batch_items=20)
    running = assay
    ids, refused = set(), 0
    for number in range(2_000):
        sample_id = client.submit(response="r", id=f"s-{number}")
        ids |= {sample_id} - {None}
        refused += sample_id is None
        if number % 400 == 399:
            running.stop()
            time.sleep(chance.uniform(0.1, 0.4))
            kept = {name: getattr(running, name) for name in ("stored", "arrivals", "counted", "port", "delay_s")}
            running = FakeAssay(**kept).start()
            running.faults["/score/batch"] = deque([Fault(after=True, hang_up=True)])
        time.sleep(chance.choice([0.0, 0.001]))
    assert client.flush(60)
    stats = client.stats()
    running.stop()
    assert set(running.stored) == ids
    assert (stats.delivered, stats.held, stats.dropped.get("buffer_full", 0)) == (len(ids), 0, refused)
    assert running.counts("dropped_by_client") == refused


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no such timer here")
def test_submit_from_a_signal_handler(assay: FakeAssay) -> None:
    """A handler that submits while its own thread is inside submit does not wait for itself."""
    script = """
import signal, time

client = AssayClient(URL, settings=Settings(buffer_items=1_000))
handled = []
signal.signal(signal.SIGALRM, lambda *_: handled.append(client.submit(response="handler")))
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
deadline = time.monotonic() + 20.0
while len(handled) < 200 and time.monotonic() < deadline:
    client.submit(response="main")
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(handled))
"""
    done = run(script, assay.url)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 200
