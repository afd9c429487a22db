"""The application: what is opened at the start and closed at the end, and all routes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from visavis import __version__, log
from visavis.api import (
    asyncapi,
    drive,
    errors,
    health,
    iam,
    openapi,
    operations,
    packs,
    page,
    rtc,
    site,
    transport,
)
from visavis.api.auditing import Auditing
from visavis.api.catalogue import Catalogue, FixedCatalogue
from visavis.api.context import Context
from visavis.api.metrics import Metrics
from visavis.api.middleware import RequestMiddleware, RtcCors
from visavis.api.services import events
from visavis.api.services.assets import Assets
from visavis.api.services.jobs import JobService
from visavis.api.services.pictures import Pictures
from visavis.api.services.reporting import Reports
from visavis.api.services.warming import Warming
from visavis.api.skeleton import ContractDoor, make_routes
from visavis.api.throttle import Rate
from visavis.contract.loading import contract
from visavis.dispatch.types import Dispatcher
from visavis.settings import Settings
from visavis.store.database import Database

_log = log.get(__name__)

# A graceful stop takes at most 10 s, of which the HTTP server gives open requests the first 4.
_WORKERS_GRACE_S = 4.0
_EVENTS_GRACE_S = 0.5


def create_app(
    settings: Settings,
    dispatcher: Dispatcher,
    catalogue: Catalogue | None = None,
    *,
    clock: Callable[[], float] = time.time,
    web: Path = site.WEB,
) -> FastAPI:
    """The HTTP application. Its lifespan opens the database and the dispatcher, and closes both within 10 s.

    Args:
        catalogue: voices and avatars that rooms may name; None: only "default".
        clock: epoch seconds.
        web: folder of the page.
    """
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = await Database.open(settings)
        try:
            library = Assets(settings, database, clock)
            await library.sweep()
            reports = Reports(settings, database, metrics, clock)
            service = JobService(settings, database, dispatcher, Pictures(settings), library, metrics, clock, reports)
            await service.abandon("the server restarted while the job ran")
            app.state.context = Context(
                settings,
                database,
                dispatcher,
                catalogue or FixedCatalogue(),
                service,
                library,
                metrics,
                clock,
                Warming(settings, database, dispatcher),
                rate=Rate(settings.project_rate, settings.project_burst),
            )
            await app.state.context.segmenting.resume(app.state.context)
            await app.state.context.speaking.resume(app.state.context)
            await dispatcher.open()
            await app.state.context.warming.resume()
            drivers = app.state.context.drivers
            consumer = asyncio.create_task(
                events.consume(dispatcher, service, metrics, reports, drivers), name="job-events"
            )
            consumer.add_done_callback(_report)
            app.state.events = consumer
            app.state.reports = reports
            delivering = asyncio.create_task(reports.run(), name="deliveries")
            try:
                yield
            finally:
                await app.state.context.warming.close()
                await _shut(dispatcher, service, consumer)
                delivering.cancel()
                await asyncio.gather(delivering, return_exceptions=True)
        finally:
            if (context := getattr(app.state, "context", None)) is not None:
                await context.segmenting.close()
                await context.speaking.close()
                await context.chats.aclose()
            await database.close()

    app = FastAPI(
        title="visavis",
        version=__version__,
        lifespan=lifespan,
        # FastAPI knows only a part of the routes; visavis/api/openapi.py describes the contract.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # The server has metrics and logs of its own; asking for OpenTelemetry's would cost every request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    operations.load()
    routes = make_routes(contract())
    app.add_middleware(ContractDoor, routes=routes)
    app.add_middleware(Auditing)
    app.add_middleware(RtcCors)
    app.add_middleware(
        RequestMiddleware, metrics=metrics, max_body_bytes=settings.max_body_bytes
    )  # the outermost: added last
    errors.install(app)
    app.router.routes.append(routes)
    for module in (iam, transport, rtc, drive, packs, page, health, openapi, asyncapi):
        app.include_router(module.router)
    app.include_router(site.make_router(web))
    return app


async def _shut(dispatcher: Dispatcher, service: JobService, consumer: asyncio.Task[None]) -> None:
    """Workers first: the last events of their jobs are still taken in."""
    try:
        async with asyncio.timeout(_WORKERS_GRACE_S + 0.5):
            await dispatcher.close(_WORKERS_GRACE_S)
    except Exception:
        _log.exception("dispatcher_close_failed")
    drained = asyncio.create_task(service.drained())
    await asyncio.wait([consumer, drained], timeout=_EVENTS_GRACE_S, return_when=asyncio.FIRST_COMPLETED)
    for task in (consumer, drained):
        task.cancel()
    await asyncio.gather(consumer, drained, return_exceptions=True)
    await service.close()
    await service.abandon("the server stopped while the job ran")


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        # Without its events the server would go blind: jobs would neither link nor end.
        _log.critical("job_events_ended", exc_info=error)
