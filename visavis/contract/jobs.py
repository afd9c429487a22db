"""The state machine of a smart chat job: (state, event) -> next state and effects. Everything else is an error.

``HEARTBEAT`` is in the published enumeration of *states*, but nothing public says what it means. Here it is an event: a
heartbeat moves ``lastupdate_time`` and leaves the job in PROCESSING, so no client ever reads the state HEARTBEAT.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

from visavis.errors import VisavisError


class JobState(StrEnum):
    """The states a client can read."""

    WAITING = "WAITING"
    PROCESSING = "PROCESSING"
    SUCCEED = "SUCCEED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"

    @property
    def final(self) -> bool:
        """Whether nothing can happen to the job any more."""
        return self in (JobState.SUCCEED, JobState.FAILED, JobState.CANCELED)


ACTIVE_STATES = (JobState.WAITING, JobState.PROCESSING)
"""The states that count against a room's concurrency."""


class JobEventType(StrEnum):
    """What can happen to a job."""

    HELD = "held"
    HEARTBEAT = "heartbeat"
    CHAT_STATE = "chat_state"
    LANGUAGE = "language"
    STOP = "stop"
    ENDED = "ended"
    MUTE_TIMEOUT = "mute_timeout"
    CANCELED = "canceled"
    FAILED = "failed"
    REFUSED = "refused"
    SERVER_RESTARTED = "server_restarted"


class Effect(Enum):
    """What a transition does besides changing the state. Every transition sets ``lastupdate_time``."""

    SET_START = "start_time = now"
    SET_END = "end_time = now, duration fixed, chat_state = 1"
    SET_ERROR = "error_info = the event's"
    SET_CHAT_STATE = "chat_state = the event's"
    SET_LANGUAGE = "language = the event's"
    STOP_WORKER = "the worker is asked to end the job"
    REASON_NORMAL = "job_finish_reason = NORMAL"
    REASON_MUTE_TIMEOUT = "job_finish_reason = MUTE_TIMEOUT"


class IllegalEventError(VisavisError):
    """The event cannot happen in this state."""

    def __init__(self, state: JobState, event: JobEventType) -> None:
        super().__init__(f"a job that is {state} cannot take the event {event}")
        self.state = state
        self.event = event


@dataclass(frozen=True, slots=True)
class Transition:
    """Where an event leads, and what it does on the way."""

    state: JobState
    effects: frozenset[Effect]


def _to(state: JobState, *effects: Effect) -> Transition:
    return Transition(state, frozenset(effects))


_S, _E, _F = JobState, JobEventType, Effect

TRANSITIONS: dict[tuple[JobState, JobEventType], Transition] = {
    # A job that no worker holds yet.
    (_S.WAITING, _E.HELD): _to(_S.PROCESSING, _F.SET_START),
    (_S.WAITING, _E.STOP): _to(_S.WAITING, _F.STOP_WORKER),
    (_S.WAITING, _E.ENDED): _to(_S.CANCELED, _F.SET_END),
    (_S.WAITING, _E.MUTE_TIMEOUT): _to(_S.CANCELED, _F.SET_END),
    (_S.WAITING, _E.CANCELED): _to(_S.CANCELED, _F.SET_END),
    (_S.WAITING, _E.FAILED): _to(_S.FAILED, _F.SET_END, _F.SET_ERROR),
    (_S.WAITING, _E.REFUSED): _to(_S.FAILED, _F.SET_END, _F.SET_ERROR),
    (_S.WAITING, _E.SERVER_RESTARTED): _to(_S.FAILED, _F.SET_END, _F.SET_ERROR),
    # A job that a worker holds.
    (_S.PROCESSING, _E.HEARTBEAT): _to(_S.PROCESSING),
    (_S.PROCESSING, _E.CHAT_STATE): _to(_S.PROCESSING, _F.SET_CHAT_STATE),
    (_S.PROCESSING, _E.LANGUAGE): _to(_S.PROCESSING, _F.SET_LANGUAGE),
    (_S.PROCESSING, _E.STOP): _to(_S.PROCESSING, _F.STOP_WORKER),
    (_S.PROCESSING, _E.ENDED): _to(_S.SUCCEED, _F.SET_END, _F.REASON_NORMAL),
    (_S.PROCESSING, _E.MUTE_TIMEOUT): _to(_S.SUCCEED, _F.SET_END, _F.REASON_MUTE_TIMEOUT),
    (_S.PROCESSING, _E.CANCELED): _to(_S.CANCELED, _F.SET_END),
    (_S.PROCESSING, _E.FAILED): _to(_S.FAILED, _F.SET_END, _F.SET_ERROR),
    (_S.PROCESSING, _E.SERVER_RESTARTED): _to(_S.FAILED, _F.SET_END, _F.SET_ERROR),
}
"""The whole table; the final states take no event."""


def advance(state: JobState, event: JobEventType) -> Transition:
    """The transition of ``event`` in ``state``.

    Raises:
        IllegalEventError: there is none.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalEventError(state, event) from None


def ending(linked: bool, reason: str) -> JobEventType:
    """The event of a worker's finish ``reason`` (NORMAL, MUTE_TIMEOUT, CANCELED, FAILED).

    A job that was stopped before anyone linked was cancelled, whatever the worker calls it.
    """
    if reason == "NORMAL":
        return JobEventType.ENDED if linked else JobEventType.CANCELED
    return {
        "MUTE_TIMEOUT": JobEventType.MUTE_TIMEOUT,
        "CANCELED": JobEventType.CANCELED,
        "FAILED": JobEventType.FAILED,
    }[reason]
