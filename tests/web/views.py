"""A view with something of everything in it, hostile texts included."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from syncd.lang.saying import say
from syncd.model.entry import Problem
from syncd.model.item import Hold, Key, Place
from syncd.model.record import RunRecord, Tally
from syncd.portal.client import MethodBudget, Usage
from syncd.web.views import ChangeLine, PlanView, PortalView, ProgressView, SyncView, Totals, View

NOW = 1_795_230_000.0
HOSTILE = "<script>alert(1)</script>\"'&"


def run(number: int, **facts: Any) -> RunRecord:
    started = NOW - 900.0 * (61 - number)
    usual: dict[str, Any] = {
        "state": "done",
        "counts": {"created": number % 3, "unchanged": 90},
        "seconds": 1.0 + number,
    }
    facts = usual | facts
    return RunRecord(id=number, sync="timetable", started=started, finished=started + facts["seconds"], **facts)


def hold(**facts: Any) -> Hold:
    key = Key(uid="7", place=Place(kind="user", owner=3))
    usual: dict[str, Any] = {"reason": f"the portal refused it: {HOSTILE}", "retry_at": NOW + 900, "title": HOSTILE}
    facts = usual | facts
    return Hold(key=key, fingerprint="x", attempts=1, since=NOW - 60, where="shifts.csv:14", **facts)


PLAN = PlanView(
    counts={"create": 2, "unchanged": 97},
    changes=(
        ChangeLine(op="create", title=HOSTILE, where="shifts.csv:3", start="2026-12-01T09:00:00+03:00", reason="new"),
        ChangeLine(op="delete", title="Old", where="shifts.csv:9", start="2026-12-02", reason="gone from the source"),
    ),
    total=40,
    notices=3,
    seconds=7200.0,
)
PROBLEMS = (
    Problem(where="shifts.csv:17", kind="rejected", reason=f"end is before start {HOSTILE}"),
    Problem(where="shifts.csv:20", kind="held", reason="nobody is called nobody@school.example"),
)


def sync(**facts: Any) -> SyncView:
    usual: dict[str, Any] = {
        "name": "timetable", "portal": "main", "source": "csv shifts.csv", "schedule": 900.0, "due": NOW + 400,
        "running_since": None, "failures": 0, "freshness": "fresh", "stale_at": NOW + 3000, "last_success": NOW - 500,
        "tally": Tally(entries=1240, items=1312, held=1, open_intents=0), "holds": (hold(),),
        "runs": tuple(run(number) for number in range(60, 0, -1)), "plan": None,
    }  # fmt: skip
    return SyncView(**(usual | facts))


def portal(**facts: Any) -> PortalView:
    usual: dict[str, Any] = {
        "name": "main", "host": "example.bitrix24.com", "refused": "",
        "operating": {
            "calendar.event.add": MethodBudget(used_s=412.0, limit_s=480.0, resets_at=NOW + 300),
            "calendar.event.get": MethodBudget(used_s=35.5, limit_s=480.0, resets_at=NOW + 120),
            "calendar.event.update": MethodBudget(used_s=466.0, limit_s=480.0, resets_at=NOW + 30),
        },
        "usage": Usage(requests=1207, commands=58_012, waited_s=812.0), "refused_rate": 0,
        "waiting_for": say("operating time of {method}", method="calendar.event.add"), "waiting_until": NOW + 240,
    }  # fmt: skip
    return PortalView(**(usual | facts))


def view(**facts: Any) -> View:
    failed = run(60, state="failed", error="shifts.csv: No such file or directory (check path in [sync.source])")
    usual: dict[str, Any] = {
        "now": NOW, "began": NOW - 86_400, "version": "0.1.0", "config_refused": "",
        "syncs": (
            sync(runs=(run(60, problems=PROBLEMS, problem_count=2), *sync().runs[1:])),
            sync(name="duty-roster", freshness="stale", failures=5, last_success=NOW - 40_000, holds=(),
                 runs=(failed, *sync().runs[1:])),
            sync(name="rooms", running_since=NOW - 95, plan=PLAN, holds=(),
                 progress=ProgressView(done=412, total=1300, eta_s=300.0)),
            sync(name="holidays", source="ics holidays.ics", freshness="new", runs=(), last_success=None, holds=(),
                 tally=Tally(entries=0, items=0, held=0, open_intents=0), schedule="cron 0 3 * * * (Europe/Moscow)"),
        ),
        "portals": (portal(), portal(name="branch", host="branch.bitrix24.ru", operating={}, waiting_for=None,
                                     waiting_until=None, refused="the webhook was removed")),
        "totals": Totals(passes={("timetable", "done"): 61}, changes={("timetable", "created"): 60}),
    }  # fmt: skip
    return View(**(usual | facts))


def well() -> View:
    """Return a view in which nothing is wrong."""
    healthy = sync(holds=(), tally=Tally(entries=9, items=9, held=0, open_intents=0))
    return replace(view(), syncs=(healthy,), portals=(portal(waiting_for=None, waiting_until=None),))
