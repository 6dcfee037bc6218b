"""The document of /healthz: fresh or stale, per sync, for a load balancer or a monitor."""

from __future__ import annotations

from datetime import UTC, datetime

from syncd.model.item import Json
from syncd.web.views import View


def health_document(view: View) -> dict[str, Json]:
    """Return whether no sync is stale, and how each sync and portal stands; times are ISO 8601 in UTC."""
    return {
        "ok": view.ok,
        "syncs": [
            {
                "name": sync.name,
                "state": sync.freshness,
                "last_success": _iso(sync.last_success),
                "stale_at": _iso(sync.stale_at),
                "failures": sync.failures,
            }
            for sync in view.syncs
        ],
        "portals": [{"name": portal.name, "refused": portal.refused or None} for portal in view.portals],
        "config_refused": view.config_refused or None,
    }


def _iso(unix: float | None) -> str | None:
    if unix is None or unix == float("inf"):
        return None
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="seconds")
