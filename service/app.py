"""The sidecar's composition root: `create_app(settings)` wires its parts and holds them while it runs."""

import asyncio
import gc
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Self

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from service.access import Access
from service.collectors.alerts import alert_sources
from service.collectors.probes import probe_sources
from service.core.combination import load_combination
from service.core.config import Settings, read_settings
from service.core.db import Database, require_current
from service.core.errors import AssayError, PolicyInvalidError
from service.core.golden.probes import shipped_probes
from service.core.keys import require_valid_key
from service.core.log import configure_logging, log
from service.core.metrics import SidecarMetrics
from service.core.policy import read_policy
from service.core.queue import Doorbell, connect
from service.front import Front
from service.intake import Intake, PolicyInForce
from service.key_limit import KeyLimit
from service.ledger import Ledger
from service.openapi import Application
from service.privacy import make_guard
from service.ringer import Ringer
from service.routes import alerts, client_sampling, feedback, golden, judge, labels, ops, rates, samples, score, submit
from service.routes.problem import on_assay_error, on_bug, on_disconnect, on_http_error
from service.scrape import SOURCES, Scrape
from service.state import Sidecar
from service.watch import Watch
from service.writer import Writer

CLIENT_KEYS = 2_000  # kinds of counts that one tenant's clients may bring in a minute; tens are usual
YOUNG_OBJECTS = 20_000  # before the garbage collector looks: a batch makes as many, and keeps none
ROUTERS = (
    submit.router,
    client_sampling.router,
    score.router,
    rates.router,
    labels.router,
    feedback.router,
    samples.router,
    alerts.router,
    judge.router,
    golden.router,
    ops.router,
)


def from_environment() -> FastAPI:
    """The app with settings from the environment; uvicorn's factory."""
    settings = read_settings()
    configure_logging(settings)
    app = create_app(settings)
    # What is loaded by now stays for good: not looking at it again in every full collection keeps those short, and a
    # full collection in the middle of a request is what its slowest percent waits for.
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
    return app


def create_app(settings: Settings) -> FastAPI:
    """An app that connects to its database when it starts. Raises PolicyInvalidError."""
    in_force = _read_in_force(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with _Running(settings, in_force) as running:
            app.state.sidecar = running.sidecar
            running.watch_reload(asyncio.get_running_loop())
            yield

    app = Application(
        title="Assay",
        version=version("assay-llm"),
        summary="How often does our LLM make things up, since when, and where?",
        lifespan=lifespan,
        redirect_slashes=False,  # a redirect would repeat whatever Host was sent
    )
    for router in ROUTERS:
        app.include_router(router)
    app.add_exception_handler(AssayError, on_assay_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(ClientDisconnect, on_disconnect)
    app.add_exception_handler(Exception, on_bug)
    app.add_middleware(Front, short=submit.router)
    return app


def _read_in_force(settings: Settings) -> PolicyInForce:
    """The policy with all that it names. Raises PolicyInvalidError."""
    policy = read_policy(settings.policy_file)
    return PolicyInForce(
        policy=policy,
        version=policy.version,
        guard=make_guard(policy, settings),
        combination=load_combination(policy.combination) if policy.combination is not None else None,
    )


class _Running:
    """A sidecar's parts, started in order and stopped in reverse."""

    def __init__(self, settings: Settings, policy: PolicyInForce) -> None:
        metrics = SidecarMetrics()
        self._settings = settings
        self._database = Database(settings.database_url.get_secret_value())
        doorbell = Doorbell(connect(settings.redis_url.get_secret_value()), settings.queue_name)
        self._ringer = Ringer(doorbell, metrics)
        self._writer = Writer(self._database, settings.max_pending, metrics, self._ringer.ring)
        self._ledger = Ledger(self._database, settings.flush_interval_s, metrics.unflushed)
        self._access = Access(settings, self._database)
        self._watch = Watch(self._database, lambda: intake.policy.policy)
        intake = Intake(
            writer=self._writer,
            ledger=self._ledger,
            watch=self._watch,
            metrics=metrics,
            timeout_s=settings.accept_timeout_s,
        )
        intake.policy = policy
        collectors = (*SOURCES, *alert_sources(lambda: intake.policy.policy), *probe_sources(shipped_probes()))
        self.sidecar = Sidecar(
            settings=settings,
            database=self._database,
            intake=intake,
            access=self._access,
            metrics=metrics,
            scrape=Scrape(self._database, metrics, collectors),
            doorbell=doorbell,
            client_keys=KeyLimit(CLIENT_KEYS),
        )

    def __enter__(self) -> Self:
        try:
            self._check()
        except AssayError:
            self._database.close()
            raise
        for part in (self._access, self._ringer, self._writer, self._ledger, self._watch):
            part.start()
        log.info("sidecar_started", policy=self.sidecar.intake.policy.version, store=self._database.dialect)
        return self

    def _check(self) -> None:
        require_current(self._database)
        self._access.load()
        if self._settings.keys_required:
            require_valid_key(self._access.keys, self._settings.host)

    def __exit__(self, *exc_info: object) -> None:
        self._watch.stop()
        self._writer.stop()
        self._ledger.stop()
        self._ringer.stop()
        self._access.stop()
        self._database.close()
        log.info("sidecar_stopped")

    def watch_reload(self, loop: asyncio.AbstractEventLoop) -> None:
        """Reloads the policy on SIGHUP; an invalid file leaves the old policy in force."""
        if threading.current_thread() is threading.main_thread():
            loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _reload(self) -> None:
        try:
            in_force = _read_in_force(self._settings)
        except PolicyInvalidError as error:
            log.error("policy_not_reloaded", detail=str(error))
        else:
            self.sidecar.intake.policy = in_force
            log.info("policy_reloaded", policy=in_force.version)
