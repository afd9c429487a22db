"""Error codes of jobs that end without their session's doing. All lie in the published range of worker errors."""

from __future__ import annotations

WORKER_DIED = "MSS.47000001"
"""The worker process that held the job died or hung."""

START_REFUSED = "MSS.47000002"
"""The session could not be started; the message says why."""

INTERNAL = "MSS.47000003"
"""The session failed to start by an error of ours; the log has it."""
