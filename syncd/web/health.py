"""The document of /healthz: which syncs are fresh or stale, for a monitor."""

from __future__ import annotations

from syncd.lang.catalog import Language, told
from syncd.model.json_values import Json
from syncd.web.language import machine_stamp
from syncd.web.views import View


def health_document(view: View, language: Language | None = None) -> dict[str, Json]:
    """Return the JSON document (app/JSON.md): `ok` unless a sync is stale. Times are ISO 8601 in UTC, or null.

    The reasons of refusals are in `language`, or in the reader's. If several machines share the portals, each reports
    on those that it holds.
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
        "portals": [
            {"name": portal.name, "refused": told(portal.refused, language) or None}
            for portal in view.portals
            if portal.here
        ],
        "config_refused": told(view.config_refused, language) or None,
    }


def _iso(unix: float | None) -> str | None:
    return None if unix is None or unix == float("inf") else machine_stamp(unix)
