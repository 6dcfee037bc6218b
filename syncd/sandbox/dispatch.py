"""The execution of one HTTP request: method, credentials, scope, operating limit, commands, envelope.

The order of checks is that of PORTAL.md 1.3: the method exists -> auth and scope -> operating limit -> method. A batch
runs strictly in sequence and is never rolled back; each command is checked on its own (PORTAL.md 2.1).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.sandbox.call import Method, MethodCall, Refusal
from syncd.sandbox.php.query import parse_command, substitute
from syncd.sandbox.php.scalars import PhpValue, PortalCrash, as_map, as_php_array, to_int, truthy, without
from syncd.sandbox.php.timezones import zone
from syncd.sandbox.php.waf import filter_params
from syncd.sandbox.tables.database import AppAccess, Webhook

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from syncd.sandbox.applications.authority import Authority
    from syncd.sandbox.faults import Fault
    from syncd.sandbox.limits import OperatingRequest, Traffic
    from syncd.sandbox.settings import Settings
    from syncd.sandbox.tables.database import Tables, User

    _Access = Webhook | AppAccess

BATCH = "batch"
BATCH_LIMIT = 50
NEVER_BATCHED = frozenset({"batch", "download", "upload"})
AUTH_PARAMETERS = ("auth", "access_token", "state")
REFUSAL_COST_S = 0.005

#: Documented statuses of authentication failures; the source answers 401 to all (PORTAL.md 1.4).
DOCS_STATUSES = MappingProxyType({"INVALID_CREDENTIALS": 403, "insufficient_scope": 403})
SCOPE_TEXT = "The request requires higher privileges than provided by the webhook token"
APP_SCOPE_TEXT = "The request requires higher privileges than provided by the access token"

Credentials = tuple[int, str] | str
"""User and code of a webhook, or an access token."""


class RequestCut(Exception):  # noqa: N818 - an outcome, not an error of this program
    """The request was cut; what was executed by then stays. `status` 0 means no answer at all."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(slots=True, kw_only=True)
class Execution:
    """One HTTP request being executed; `elapsed_s` grows with every command."""

    tables: Tables
    settings: Settings
    authority: Authority
    methods: Mapping[str, Method]
    random: Random
    traffic: Traffic
    operating: OperatingRequest | None
    faults: tuple[Fault, ...]
    started: float
    elapsed_s: float = 0.0

    def execute(self, by: Credentials, method: str, params: dict[str, PhpValue]) -> PhpValue:
        """Execute a request and return its success envelope.

        Raises Refusal for an error envelope, PortalCrash for a PHP Error, RequestCut when the connection breaks.
        """
        self.elapsed_s = REFUSAL_COST_S
        entry = self.methods.get(method)
        if entry is None and method != BATCH:
            # Before the credentials: a wrong method is 404 even for a stranger (PORTAL.md 1.3).
            raise self.refused(Refusal("ERROR_METHOD_NOT_FOUND", "Method not found!", 404))
        webhook, caller = self._authorize(by)
        if self.settings.waf:
            params = as_map(filter_params(params))
        params = without(params, *AUTH_PARAMETERS)
        if entry is None:
            return {"result": self._batch(webhook, caller, params), "time": self._outer_time()}
        self.elapsed_s = 0.0
        # A single call is counted per webhook; batched ones share one counter per method (PORTAL.md 3.2, trap 33).
        envelope = self._command(entry, method, params, webhook, caller, entity=webhook.entity, counted=method)
        self._check_length()
        return envelope

    def refused(self, refusal: Refusal) -> Refusal:
        """Count a refusal and return it."""
        self.traffic.refused[refusal.code or "validation"] += 1
        return refusal

    def _authorize(self, by: Credentials) -> tuple[_Access, User]:
        if isinstance(by, str):
            access: _Access | None = self._of_token(by)
        else:
            access = self.tables.webhooks.get(by)
        caller = self.tables.users.get(access.user) if access is not None else None
        if access is None or caller is None or any(fault.kind == "credentials" for fault in self.faults):
            raise self._denied("INVALID_CREDENTIALS", "Invalid request credentials")
        if not caller.active:
            raise self._denied("authorization_error", "Unable to authorize user")
        return access, caller

    def _of_token(self, token: str) -> AppAccess:
        try:
            return self.authority.access(token, self.started)
        except Refusal as refusal:
            raise self.refused(refusal) from None

    def _denied(self, code: str, description: str) -> Refusal:
        status = DOCS_STATUSES.get(code, 401) if self.settings.docs_statuses else 401
        return self.refused(Refusal(code, description, status))

    def _batch(self, webhook: _Access, caller: User, params: dict[str, PhpValue]) -> PhpValue:
        outer = {key.lower(): value for key, value in params.items()}
        maps = _Maps()
        halt = truthy(outer.get("halt"))
        commands = as_map(outer.get("cmd"))
        keep = self._kept_commands(len(commands))
        for number, (key, command) in enumerate(commands.items(), start=1):
            if keep is not None and number > keep:
                raise RequestCut(0)
            if number > BATCH_LIMIT:
                refusal = Refusal("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
                maps.fail(key, self.refused(refusal))
            elif isinstance(command, str):  # anything else is skipped but counts towards the 50 (PORTAL.md 2.1)
                self._check_length()
                self._batched(key, command, maps, webhook, caller)
            if halt and maps.errors:
                break
        self._check_length()
        return maps.result()

    def _batched(self, key: str, command: str, maps: _Maps, webhook: _Access, caller: User) -> None:
        """Execute one command of a batch and file its outcome under its key."""
        written, params = parse_command(command)
        method = written.lower()
        # The filter has seen the command as one text already; now it sees each parameter (PORTAL.md 2.4).
        if self.settings.waf:
            params = as_map(filter_params(params))
        if "$" in command or "%24" in command:
            params = substitute(params, maps.macros())
        params = without(params, *AUTH_PARAMETERS)
        try:
            if method in NEVER_BATCHED:
                code = "ERROR_BATCH_METHOD_NOT_ALLOWED"
                raise self.refused(Refusal(code, "Method is not allowed for batch usage", 405))
            # No `.json` here: inside a command the suffix is part of the name (PORTAL.md 2.1).
            entry = self.methods.get(method) or self.methods.get(written)
            if entry is None:
                raise self.refused(Refusal("ERROR_METHOD_NOT_FOUND", "Method not found!", 404))
            entity, counted = self._batch_counter(webhook, method)
            maps.succeed(key, self._command(entry, method, params, webhook, caller, entity=entity, counted=counted))
        except Refusal as refusal:
            maps.fail(key, refusal)

    def _batch_counter(self, webhook: _Access, method: str) -> tuple[str, str]:
        """Return the entity and the method to whose counter a command of a batch goes (PORTAL.md 3.2, 11.2)."""
        match self.settings.batch_counter:
            case "shared" if isinstance(webhook, Webhook):
                return "", method
            case "shared" | "own":
                return webhook.entity, method
            case "batch":
                return webhook.entity, BATCH

    def _command(
        self,
        entry: Method,
        method: str,
        params: dict[str, PhpValue],
        webhook: _Access,
        caller: User,
        *,
        entity: str,
        counted: str,
    ) -> dict[str, PhpValue]:
        """Check scope and budget, run the method, charge its time to the counter `counted`; return its envelope."""
        if not entry.open_to(webhook.scopes):
            by_application = isinstance(webhook, AppAccess)
            raise self._denied("insufficient_scope", APP_SCOPE_TEXT if by_application else SCOPE_TEXT)
        began = self.started + self.elapsed_s
        kind = "apauth" if isinstance(webhook, Webhook) else "oauth"
        budget = f"{kind}|{entity}|{counted}"  # the key of PORTAL.md 3.2: auth type, entity, method
        self._check_budget(budget, method)
        if any(fault.kind == "crash" and fault.concerns(method) for fault in self.faults):
            raise PortalCrash(method)
        duration = self._cost_s(method)
        self.elapsed_s += duration
        self.traffic.commands[method] += 1
        call = MethodCall(
            method=method,
            params=without(params, "start"),
            start=to_int(params.get("start")),
            now=began,
            tables=self.tables,
            settings=self.settings,
            caller=caller,
            webhook=webhook,
        )
        try:
            result = entry.run(call)
        except Refusal as refusal:
            self._charge(budget, began, duration, ok=False)
            raise self.refused(refusal) from None
        finally:
            self._tell_applications(call)
        envelope: dict[str, PhpValue] = {"result": result}
        if call.next is not None:
            envelope["next"] = call.next
        if call.total is not None:
            envelope["total"] = call.total
        envelope["time"] = self._time(began, duration, self._charge(budget, began, duration, ok=True))
        return envelope

    def _tell_applications(self, call: MethodCall) -> None:
        """Hand what the command has done to the queues; what it did before it failed is done, too."""
        tables = self.tables
        if happened := (*tables.journal, *tables.crm_rows.journal):
            tables.journal.clear()
            tables.crm_rows.journal.clear()
            by = call.webhook.application.client_id if isinstance(call.webhook, AppAccess) else None
            connector = str(call.params.get("auth_connector") or "")
            own = (by, connector) if by is not None else None
            tables.queue.post(happened, user=call.caller.id, by=own, now=call.now)

    def _check_budget(self, budget: str, method: str) -> None:
        switched_on = any(fault.kind == "block" and fault.concerns(method) for fault in self.faults)
        if switched_on or (self.operating is not None and self.operating.blocked(budget)):
            code = "OPERATION_TIME_LIMIT"
            raise self.refused(Refusal(code, "Method is blocked due to operation time limit.", 429))

    def _charge(self, budget: str, began: float, duration: float, *, ok: bool) -> tuple[float, int] | None:
        if self.operating is None:
            return None
        return self.operating.finished(budget, began, duration, ok)

    def _cost_s(self, method: str) -> float:
        cost = self.settings.cost_s(method)
        if self.settings.jitter:
            cost *= 1.0 + self.settings.jitter * (2.0 * self.random.random() - 1.0)
        slow = (fault.seconds for fault in self.faults if fault.kind == "slow" and fault.concerns(method))
        return cost + sum(slow)

    def _check_length(self) -> None:
        limit = self.settings.request_limit_s
        if self.settings.cloud and limit and self.elapsed_s > limit:
            self.elapsed_s = limit
            raise RequestCut(504)

    def _kept_commands(self, commands: int) -> int | None:
        for fault in self.faults:
            if fault.kind == "cut-during":
                return commands // 2 if fault.keep is None else fault.keep
        return None

    def _outer_time(self) -> PhpValue:
        """Return the time block of the batch itself, which is never charged."""
        spent = None if self.operating is None else (0.0, int(self.started) + 600)
        return self._time(self.started, self.elapsed_s, spent)

    def _time(self, began: float, duration: float, spent: tuple[float, int] | None) -> PhpValue:
        finish = began + duration
        start = int(began) if self.settings.integer_stamps else began
        stamps: dict[str, PhpValue] = {
            "start": start,
            "finish": finish,
            "duration": finish - start,
            "processing": int(finish) - int(began) if self.settings.integer_stamps else duration,
            "date_start": _iso(began, self.tables.server_zone),
            "date_finish": _iso(finish, self.tables.server_zone),
        }
        if spent is not None:
            used, reset_at = spent
            stamps["operating_reset_at"] = reset_at
            stamps["operating"] = used or 0
        return stamps


def _iso(at: float, zone_name: str) -> str:
    return datetime.fromtimestamp(int(at), zone(zone_name)).isoformat()


@dataclass(slots=True)
class _Maps:
    """The result maps of a batch: what succeeded and failed so far, by the caller's keys."""

    # Shapes depend on the keys and on what failed: numeric keys turn a map into a list (PORTAL.md 2.1, trap 31).
    results: dict[str, PhpValue] = field(default_factory=dict)
    nexts: dict[str, PhpValue] = field(default_factory=dict)
    totals: dict[str, PhpValue] = field(default_factory=dict)
    times: dict[str, PhpValue] = field(default_factory=dict)
    errors: dict[str, PhpValue] = field(default_factory=dict)

    def succeed(self, key: str, envelope: dict[str, PhpValue]) -> None:
        """File the envelope of a command that succeeded."""
        self.results[key] = envelope["result"]
        self.times[key] = envelope["time"]
        if "next" in envelope:
            self.nexts[key] = envelope["next"]
        if "total" in envelope:
            self.totals[key] = envelope["total"]

    def fail(self, key: str, refusal: Refusal) -> None:
        """File the whole error object of a command that failed."""
        self.errors[key] = refusal.envelope()

    def macros(self) -> dict[str, PhpValue]:
        """Return the maps that macros may name, in the portal's order (PORTAL.md 2.3)."""
        known: dict[str, PhpValue] = {
            "result": as_php_array(self.results),
            "next": as_php_array(self.nexts),
            "total": as_php_array(self.totals),
            "time": as_php_array(self.times),
        }
        parts: dict[str, dict[str, PhpValue]] = {"error": {}}
        for key, error in self.errors.items():
            for part, value in as_map(error).items():
                parts.setdefault(part, {})[key] = value
        return known | {part: as_php_array(values) for part, values in parts.items()}

    def result(self) -> PhpValue:
        """Return the batch's result; empty maps are lists (PORTAL.md 1.2)."""
        return {
            "result": as_php_array(self.results),
            "result_error": as_php_array(self.errors),
            "result_total": as_php_array(self.totals),
            "result_next": as_php_array(self.nexts),
            "result_time": as_php_array(self.times),
        }
