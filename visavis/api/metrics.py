"""Prometheus metrics: all names in one place."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from visavis.dispatch.types import WorkerInfo

_LATENCY_BUCKETS = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 13.0)
_HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_COUNTED = {
    "frames": "frames",
    "late_frames": "late_frames",
    "speaking_frames": "speaking_frames",
    "speaking_late_frames": "speaking_late_frames",
    "false_alarms": "false_alarms",
}


class Metrics:
    """The metrics of one server. ``registry`` is its own, so that tests can make many."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self.requests = Counter(
            "visavis_http_requests", "HTTP requests", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "visavis_http_request_seconds", "Time to answer", ["route"], buckets=_HTTP_BUCKETS, registry=registry
        )
        self.auth_failures = Counter("visavis_auth_failures", "Refused credentials", ["kind"], registry=registry)
        self.sessions = Gauge("visavis_sessions", "Jobs that are waiting or processing", registry=registry)
        self.jobs_started = Counter("visavis_jobs_started", "Jobs placed on a worker", registry=registry)
        self.jobs_finished = Counter("visavis_jobs_finished", "Jobs that ended", ["state"], registry=registry)
        self.jobs_refused = Counter("visavis_jobs_refused", "Starts that failed", ["error_code"], registry=registry)
        self.workers = Gauge("visavis_workers", "Worker processes", ["state"], registry=registry)
        self.worker_capacity = Gauge("visavis_worker_capacity", "Jobs all ready workers can hold", registry=registry)
        self.worker_memory = Gauge(
            "visavis_worker_rss_bytes", "Resident memory of a worker", ["worker"], registry=registry
        )
        self.preparing = Gauge(
            "visavis_ahead_sentences",
            "Stored sentences that a worker is to synthesise ahead",
            ["worker"],
            registry=registry,
        )
        self.prepared = Gauge(
            "visavis_ahead_sentences_made", "Of those, the ones that are synthesised", ["worker"], registry=registry
        )
        self.turns = Counter("visavis_turns", "Questions answered", ["language", "interrupted"], registry=registry)
        self.turn_seconds = Histogram(
            "visavis_turn_seconds",
            "Seconds from the end of the person's speech to the end of a stage",
            ["stage"],
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self.frames = Counter("visavis_frames", "Pictures sent", registry=registry)
        self.late_frames = Counter("visavis_late_frames", "Pictures that missed their time", registry=registry)
        self.speaking_frames = Counter("visavis_speaking_frames", "Pictures sent while it spoke", registry=registry)
        self.speaking_late_frames = Counter(
            "visavis_speaking_late_frames", "Of those, the ones that missed their time", registry=registry
        )
        self.false_alarms = Counter(
            "visavis_false_alarms",
            "Voices during an answer (coughs, assent, echo) that made it pause and were not meant",
            registry=registry,
        )
        self.deliveries = Counter(
            "visavis_deliveries",
            "Dialogue reports and recordings: delivered, failed (tried again), given_up, erased",
            ["kind", "result"],
            registry=registry,
        )
        self.deliveries_waiting = Gauge(
            "visavis_deliveries_waiting",
            "Objects that wait to be put into a bucket or deleted there",
            registry=registry,
        )
        self.drive_connections = Gauge(
            "visavis_drive_connections", "Third parties that drive a job just now", registry=registry
        )
        self.drive_frames = Counter("visavis_drive_frames", "Frames that drivers sent", ["command"], registry=registry)
        self.drive_refused = Counter(
            "visavis_drive_refused",
            "Handshakes and frames of drivers that were refused",
            ["error_code"],
            registry=registry,
        )
        self.fps = Gauge("visavis_session_fps", "Pictures a second, by job", ["job_id"], registry=registry)
        self.viewers = Gauge("visavis_session_viewers", "Peers in the RTC room, by job", ["job_id"], registry=registry)
        self._seen: dict[str, dict[str, float]] = {}
        self._answered: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Take in one request. ``method`` and ``route``: of few values, never what a client made up."""
        kind = (method, route, status)
        series = self._answered.get(kind)
        if series is None:  # finding a series by its labels costs more than counting
            series = self.requests.labels(method, route, str(status)), self.request_seconds.labels(route)
            self._answered[kind] = series
        series[0].inc()
        series[1].observe(seconds)

    def heartbeat(self, job_id: str, stats: Mapping[str, float]) -> None:
        """Take in the counters of a running job; they only grow while it runs."""
        before = self._seen.setdefault(job_id, {})
        for key, name in _COUNTED.items():
            if (value := stats.get(key)) is not None:
                counter: Counter = getattr(self, name)
                counter.inc(max(0.0, value - before.get(key, 0.0)))
                before[key] = value
        if "fps" in stats:
            self.fps.labels(job_id).set(stats["fps"])
        if "viewers" in stats:
            self.viewers.labels(job_id).set(stats["viewers"])

    def turn(self, language: str, interrupted: bool, stages: Mapping[str, float]) -> None:
        """Take in one question and answer."""
        self.turns.labels(language if language in ("en", "zh") else "other", str(interrupted).lower()).inc()
        for stage, seconds in stages.items():
            if stage.isidentifier() and len(stage) <= 32:
                self.turn_seconds.labels(stage).observe(seconds)

    def finished(self, job_id: str, state: str) -> None:
        """A job is over: its series end."""
        self.jobs_finished.labels(state).inc()
        if self._seen.pop(job_id, None) is not None:
            for gauge in (self.fps, self.viewers):
                try:
                    gauge.remove(job_id)
                except KeyError:
                    continue

    def render(self, running: int, workers: list[WorkerInfo]) -> bytes:
        """The text that Prometheus reads."""
        self.sessions.set(running)
        self.workers.clear()
        for gauge in (self.worker_memory, self.preparing, self.prepared):
            gauge.clear()
        for state in ("starting", "ready", "draining", "dead"):
            self.workers.labels(state).set(sum(worker.state == state for worker in workers))
        for worker in workers:
            self.worker_memory.labels(worker.name).set(worker.rss_bytes)
            self.preparing.labels(worker.name).set(worker.preparing)
            self.prepared.labels(worker.name).set(worker.prepared)
        self.worker_capacity.set(sum(worker.capacity for worker in workers if worker.state == "ready"))
        return generate_latest(self.registry)
