"""Figures for the operator.  Labels are routes, methods, statuses and outcomes: never a name, an id or a mailbox."""

from __future__ import annotations

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)


class Metrics:
    """The counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "hub_requests", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "hub_request_seconds", "Time to answer, waits apart", ["route"], registry=self.registry, buckets=_BUCKETS
        )
        self.log_size = Gauge("hub_log_size", "Leaves in the audit log", registry=self.registry)
        self.checkpoint_size = Gauge("hub_checkpoint_size", "Leaves under the last checkpoint", registry=self.registry)
        self.witnessed_size = Gauge(
            "hub_witnessed_size", "Leaves under the largest checkpoint with a quorum", registry=self.registry
        )
        self.witnesses = Gauge(
            "hub_witnesses", "Witnesses by whether they cosigned the last checkpoint", ["state"], registry=self.registry
        )
        self.witness_failures = Counter(
            "hub_witness_failures", "Outside witnesses asked in vain", ["code"], registry=self.registry
        )
        self.directory_expires = Gauge(
            "hub_directory_expires_seconds", "When the directory expires, Unix seconds", registry=self.registry
        )
        self.deadlines_until = Gauge(
            "hub_deadlines_until_seconds",
            "Up to when all that was due is dealt with, Unix seconds",
            registry=self.registry,
        )
        self.commits = Gauge("hub_store_commits", "Durable commits since the start", registry=self.registry)
        self.body_bytes = Gauge("hub_body_bytes", "Bytes of request bodies held", registry=self.registry)
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._timers: dict[str, Histogram] = {}

    def count(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """Count one answer; *seconds* is ``None`` for what waits on purpose."""
        key = (method, route, status)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = self._requests.labels(method, route, str(status))
            self._timers[route] = self._seconds.labels(route)
        counter.inc()
        if seconds is not None:
            self._timers[route].observe(seconds)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)
