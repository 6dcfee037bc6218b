"""What Prometheus reads: the whole view as metrics named by its conventions, collected at every scrape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from syncd.web.views import PortalView, SyncView, View

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """Writes a view in the exposition format, with the memory, CPU time and file descriptors of the process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()  # the global one would also hold what other libraries register
        self._view = _ViewCollector()
        self._registry.register(self._view)
        ProcessCollector(registry=self._registry)

    def exposition(self, view: View) -> bytes:
        """Return the response to a scrape."""
        self._view.view = view
        text = generate_latest(self._registry)
        self._view.view = None  # a view may hold thousands of lines; until the next scrape it is only memory
        return text


class _ViewCollector(Collector):
    def __init__(self) -> None:
        self.view: View | None = None

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the view, none if there is none."""
        view = self.view
        if view is None:
            return
        yield _gauge("syncd_build_info", "Always 1; the version is a label.", ["version"], [([view.version], 1.0)])
        refused = float(bool(view.config_refused))
        yield _gauge("syncd_config_refused", "Whether the last change of the config was refused.", [], [([], refused)])
        yield from _syncs([sync for sync in view.syncs if sync.here])  # another machine reports on the others
        portal_of = {sync.name: sync.portal for sync in view.syncs}
        yield _counter(
            "syncd_passes", "Passes since the daemon started, by how they ended.", ["sync", "state", "portal"],
            _by_portal(view.totals.passes, portal_of),
        )  # fmt: skip
        yield _counter(
            "syncd_changes", "Changes that the portal confirmed since the daemon started.",
            ["sync", "change", "portal"], _by_portal(view.totals.changes, portal_of),
        )  # fmt: skip
        yield from _portals([portal for portal in view.portals if portal.here])


def _syncs(syncs: Sequence[SyncView]) -> Iterator[Metric]:
    def gauge(name: str, text: str, values: list[float | None]) -> Metric:
        samples = [
            ([sync.name, sync.portal], value) for sync, value in zip(syncs, values, strict=True) if value is not None
        ]
        return _gauge(f"syncd_sync_{name}", text, ["sync", "portal"], samples)

    last = [sync.last_run for sync in syncs]
    yield gauge(
        "stale", "Whether the sync has not succeeded for too long.", [float(s.freshness == "stale") for s in syncs]
    )
    yield gauge("last_success_timestamp_seconds", "When a pass last succeeded.", [sync.last_success for sync in syncs])
    yield gauge("stale_timestamp_seconds", "When the sync counts as stale.", [_finite(sync.stale_at) for sync in syncs])
    yield gauge("next_pass_timestamp_seconds", "When the next pass is due.", [_finite(sync.due) for sync in syncs])
    yield gauge(
        "last_pass_timestamp_seconds", "When the last pass ended.", [run.finished if run else None for run in last]
    )
    yield gauge(
        "last_pass_duration_seconds", "How long the last pass took.", [run.seconds if run else None for run in last]
    )
    yield gauge(
        "last_pass_problems", "Problems of the last pass.", [run.problem_count if run else None for run in last]
    )
    yield gauge("running", "Whether a pass is running.", [float(sync.running_since is not None) for sync in syncs])
    yield gauge("paused", "Whether somebody wants it left alone.", [float(s.paused is not None) for s in syncs])
    yield gauge("failures", "Passes that failed in a row.", [float(sync.failures) for sync in syncs])
    yield gauge("entries", "Entries of the source that are kept in the portal.", [s.tally.entries for s in syncs])
    yield gauge("items", "Events that syncd keeps in the portal.", [sync.tally.items for sync in syncs])
    yield gauge("held", "Items set aside.", [sync.held for sync in syncs])
    yield gauge("open_intents", "Changes whose outcome is not known yet.", [s.tally.open_intents for s in syncs])


def _portals(portals: Sequence[PortalView]) -> Iterator[Metric]:
    def each(values: list[float]) -> list[tuple[list[str], float]]:
        return [([portal.name], value) for portal, value in zip(portals, values, strict=True)]

    methods = [
        (portal.name, method, budget) for portal in portals for method, budget in sorted(portal.operating.items())
    ]
    yield _gauge(
        "syncd_portal_refused", "Whether the portal refuses syncd.", ["portal"],
        each([float(bool(portal.refused)) for portal in portals]),
    )  # fmt: skip
    yield _gauge(
        "syncd_operating_used_seconds", "Operating time used of the last ten minutes.", ["portal", "method"],
        [([portal, method], budget.used_s) for portal, method, budget in methods],
    )  # fmt: skip
    yield _gauge(
        "syncd_operating_limit_seconds", "Operating time the portal allows in ten minutes.", ["portal", "method"],
        [([portal, method], budget.limit_s) for portal, method, budget in methods if isfinite(budget.limit_s)],
    )  # fmt: skip
    yield _counter("syncd_requests", "Requests sent.", ["portal"], each([float(p.usage.requests) for p in portals]))
    yield _counter("syncd_commands", "Commands sent.", ["portal"], each([float(p.usage.commands) for p in portals]))
    yield _counter(
        "syncd_limit_wait_seconds", "Seconds in which requests waited for the limits.", ["portal"],
        each([portal.usage.waited_s for portal in portals]),
    )  # fmt: skip
    yield _counter(
        "syncd_rate_refusals", "Requests that the portal refused as too many.", ["portal"],
        each([float(portal.refused_rate) for portal in portals]),
    )  # fmt: skip


def _by_portal(totals: Mapping[tuple[str, str], int], portal_of: Mapping[str, str]) -> list[tuple[list[str], float]]:
    """Return counts by sync and kind with the sync's portal, "" for a sync that has left the config."""
    return [([*key, portal_of.get(key[0], "")], float(count)) for key, count in sorted(totals.items())]


def _gauge(name: str, text: str, labels: list[str], samples: Sequence[tuple[list[str], float]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _counter(name: str, text: str, labels: list[str], samples: Sequence[tuple[list[str], float]]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
