"""The document of /healthz: which syncs are fresh or stale, for a monitor."""

from __future__ import annotations

from syncd.model.json_values import Json
from syncd.web.language import machine_stamp
from syncd.web.views import View


def health_document(view: View) -> dict[str, Json]:
    """Return the JSON document (app/JSON.md): `ok` unless a sync is stale. Times are ISO 8601 in UTC, or null.

    Of several machines each answers for what it holds.
    """
    return {
        "ok": view.ok,
        "syncs": [
            {
                "name": sync.name,
                "state": sync.freshness,
                "last_success": _iso(sync.last_success),
                "stale_at": _iso(sync.stale_at),
                "failures": sync.failures,
                "paused": _iso(sync.paused),
            }
            for sync in view.syncs
            if sync.here
        ],
        "portals": [{"name": portal.name, "refused": portal.refused or None} for portal in view.portals if portal.here],
        "config_refused": view.config_refused or None,
    }


def _iso(unix: float | None) -> str | None:
    return None if unix is None or unix == float("inf") else machine_stamp(unix)
