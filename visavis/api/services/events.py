"""What workers tell, one event after the other, into the store and the metrics."""

from __future__ import annotations

from visavis import log
from visavis.api.metrics import Metrics
from visavis.api.services.driving import Drivers
from visavis.api.services.jobs import JobService
from visavis.api.services.reporting import Reports
from visavis.dispatch.types import Dispatcher
from visavis.session.signals import (
    ChatStateEvent,
    DriveEvent,
    FinishedEvent,
    HeartbeatEvent,
    HeldEvent,
    JobEvent,
    TurnEvent,
)
from visavis.store.jobs import Detail

_log = log.get(__name__)


async def consume(
    dispatcher: Dispatcher, jobs: JobService, metrics: Metrics, reports: Reports, drivers: Drivers
) -> None:
    """Take in the dispatcher's events until it closes. One bad event does not end it."""
    async for event in dispatcher.events():
        try:
            await _take(event, jobs, metrics, reports)
            if isinstance(event, DriveEvent | ChatStateEvent | FinishedEvent):
                drivers.take(event)  # what it asks next about the job is in the store already
        except Exception:
            # The stream must go on: the other jobs' events are in it.
            _log.exception("job_event_failed", job_id=event.job_id, event_type=event.kind)


async def _take(event: JobEvent, jobs: JobService, metrics: Metrics, reports: Reports) -> None:
    match event:
        case HeldEvent():
            await jobs.held(event.job_id)
        case HeartbeatEvent():
            if await jobs.heartbeat(event.job_id):
                metrics.heartbeat(event.job_id, event.stats)
        case ChatStateEvent():
            await jobs.chat_state(event.job_id, int(event.chat_state))
        case TurnEvent():
            metrics.turn(event.language, event.interrupted, event.stages)
            await jobs.language(event.job_id, event.language)
            await reports.turn(event)
        case FinishedEvent():
            await jobs.finished(
                event.job_id, event.reason, Detail(error_code=event.error_code, error_msg=event.error_msg)
            )
