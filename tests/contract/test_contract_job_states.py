"""The job's state machine: the whole table, written down a second time."""

from __future__ import annotations

import pytest

from visavis.contract.jobs import (
    ACTIVE_STATES,
    TRANSITIONS,
    Effect,
    IllegalEventError,
    JobEventType,
    JobState,
    advance,
    ending,
)

END = Effect.SET_END
EXPECTED = [
    ("WAITING", "held", "PROCESSING", {Effect.SET_START}),
    ("WAITING", "stop", "WAITING", {Effect.STOP_WORKER}),
    ("WAITING", "ended", "CANCELED", {END}),
    ("WAITING", "mute_timeout", "CANCELED", {END}),
    ("WAITING", "canceled", "CANCELED", {END}),
    ("WAITING", "failed", "FAILED", {END, Effect.SET_ERROR}),
    ("WAITING", "refused", "FAILED", {END, Effect.SET_ERROR}),
    ("WAITING", "server_restarted", "FAILED", {END, Effect.SET_ERROR}),
    ("PROCESSING", "heartbeat", "PROCESSING", set()),
    ("PROCESSING", "chat_state", "PROCESSING", {Effect.SET_CHAT_STATE}),
    ("PROCESSING", "language", "PROCESSING", {Effect.SET_LANGUAGE}),
    ("PROCESSING", "stop", "PROCESSING", {Effect.STOP_WORKER}),
    ("PROCESSING", "ended", "SUCCEED", {END, Effect.REASON_NORMAL}),
    ("PROCESSING", "mute_timeout", "SUCCEED", {END, Effect.REASON_MUTE_TIMEOUT}),
    ("PROCESSING", "canceled", "CANCELED", {END}),
    ("PROCESSING", "failed", "FAILED", {END, Effect.SET_ERROR}),
    ("PROCESSING", "server_restarted", "FAILED", {END, Effect.SET_ERROR}),
]
LEGAL = {(state, event) for state, event, _, _ in EXPECTED}


@pytest.mark.parametrize(("state", "event", "after", "effects"), EXPECTED)
def test_transition(state: str, event: str, after: str, effects: set[Effect]) -> None:
    transition = advance(JobState(state), JobEventType(event))
    assert transition.state == after
    assert transition.effects == effects


@pytest.mark.parametrize(
    ("state", "event"), [(s, e) for s in JobState for e in JobEventType if (s.value, e.value) not in LEGAL]
)
def test_every_other_event_is_an_error(state: JobState, event: JobEventType) -> None:
    with pytest.raises(IllegalEventError, match=state.value):
        advance(state, event)


def test_the_table_has_nothing_more() -> None:
    assert {(state.value, event.value) for state, event in TRANSITIONS} == LEGAL


def test_what_ends_stays_ended_and_every_end_is_dated() -> None:
    for (state, _), transition in TRANSITIONS.items():
        assert not state.final
        assert transition.state.final == (Effect.SET_END in transition.effects)
    assert {state for state in JobState if not state.final} == set(ACTIVE_STATES)


@pytest.mark.parametrize(
    ("linked", "reason", "event"),
    [
        (True, "NORMAL", JobEventType.ENDED),
        (False, "NORMAL", JobEventType.CANCELED),
        (True, "CANCELED", JobEventType.CANCELED),
        (True, "MUTE_TIMEOUT", JobEventType.MUTE_TIMEOUT),
        (False, "FAILED", JobEventType.FAILED),
    ],
)
def test_a_stop_before_anyone_linked_is_a_cancellation(linked: bool, reason: str, event: JobEventType) -> None:
    assert ending(linked, reason) is event
