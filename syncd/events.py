"""The names of all log events: `noun.past_verb`; the facts are fields. Scripts filter by them, so they never change.

The text after each says when it is written, at which level, and with which fields; a test compares these with the code.
"""

from __future__ import annotations

from typing import Final

# Passes: one canonical line each, by the command line and the daemon alike.

PASS_DONE: Final = "pass.done"
"""A pass has ended (info; error if an error ended it). `sync` `run` `state` `problems` `requests` `commands` `waited_s`
`seconds` `error`, and every count of the run by its name, such as `created`.
"""
PASS_FAILED: Final = "pass.failed"
"""A pass could not be recorded, because the state cannot be written (error). `sync` `error`"""
PASS_CRASHED: Final = "pass.crashed"
"""A pass met a defect of syncd (error, with the traceback); the other syncs go on. `sync`"""
PASS_BACKED_OFF: Final = "pass.backed_off"
"""A pass failed and is retried at `next` (warning). `sync` `failures` `next`"""
PASS_CUT_OFF: Final = "pass.cut_off"
"""A pass ended unsettled, because another machine may write to its portal now; that one goes on (warning). `sync`
`reason`
"""
SOURCE_UNREADABLE: Final = "source.unreadable"
"""A pass ended because its source could not be read (warning). `sync` `reason`"""

PROBLEM_FOUND: Final = "problem.found"
"""A pass of the daemon has met a problem that the pass before had not, and names its row (warning). `sync` `run`
`where` `kind` `reason`
"""
PROBLEMS_MORE: Final = "problems.more"
"""There are `more` new problems of a pass than are named one by one (warning). `sync` `run` `more`"""
CHANGE_PLANNED: Final = "change.planned"
"""A pass of the daemon is about to change something (debug). `sync` `op` `where` `title` `start` `reason`"""

# The ledger.

LEDGER_DOUBTED: Final = "ledger.doubted"
"""The state may be older than the portal, so the next pass of each sync reads the portal before it creates anything
(warning if the file was put back or replaced; info after a crash or a new start of the machine). `path` `reason`
"""
LEDGER_AWAITED: Final = "ledger.awaited"
"""The database that holds the ledger cannot be reached, and the start tries again (warning). `reason` `seconds`"""
LEDGER_SHARED: Final = "ledger.shared"
"""The state has runs of these syncs from another config that is still there (warning). `path` `config` `other` `syncs`
"""
STATE_KEPT: Final = "state.kept"
"""The state stands where earlier versions kept it by default, and is used there (info). `path`"""
CLOCK_MOVED: Final = "clock.moved"
"""The clock was set or the machine put back while syncd ran, so each sync reads its portal (info)."""
LOG_SET_ASIDE: Final = "log.set_aside"
"""The -wal beside the state belonged to a newer file and was renamed to `kept` (warning). `path` `kept`"""

# Steps of a pass.

SECTION_RENAMED: Final = "section.renamed"
"""A person has renamed a section, which is used further (warning, once). `sync` `calendar` `before` `after`"""
SECTIONS_CREATED: Final = "sections.created"
"""A pass has created missing sections (info). `sync` `wanted` `refused`"""
SECTIONS_REMOVED: Final = "sections.removed"
"""A purge has removed empty sections that syncd had made (info). `sync` `removed` `left`"""
INTENTS_RECOVERED: Final = "intents.recovered"
"""The outcomes of changes left open by a crash or a lost answer are known (info). `sync` `intents` `created` `updated`
`deleted` `planned_anew` `refused`
"""
DOUBLES_REMOVED: Final = "doubles.removed"
"""Events were deleted that stood twice, for requests were carried out long after they had been given up (warning).
`sync` `found` `removed`
"""
RECOVERY_WAITED: Final = "recovery.waited"
"""A pass waits until the portal must have finished what was sent to it before (info). `seconds`, and `intents` or
`sections`: how many
"""

INDEX_DISCARDED: Final = "index.discarded"
"""What was parsed, or what series became, was kept for this process and cannot be used, so it is worked out again
(warning if it is damaged, info if another program or config has written it). `sync` `reason`
"""
ENTRY_CRASHED: Final = "entry.crashed"
"""An entry met an error that nobody foresaw and is rejected (debug, with the traceback). `where` `exc_info`"""

# Finding out how a portal behaves.

PROBE_ASKED: Final = "probe.asked"
"""One experiment of a probe was made (debug). `portal` `facts` `requests`"""

# Requests and the portal's limits.

BATCH_SENT: Final = "batch.sent"
"""A request is sent (debug). `commands` `single` `expected_s`"""
BATCH_ANSWERED: Final = "batch.answered"
"""A request was answered (debug). `commands` `seconds`"""
BATCH_FAILED: Final = "batch.failed"
"""A request had no usable answer (warning); what became of its commands is unknown. `commands` `seconds` `reason`"""
LIMIT_WAITED: Final = "limit.waited"
"""Requests wait for a limit of the portal (info). `why` `seconds`, and for operating time `method` `used_s` `limit_s`
`resets_at`
"""
LIMIT_MET: Final = "limit.met"
"""The portal refused commands for a limit (warning). `refused` `method` `used_s` `limit_s` `resets_at`"""
LIMIT_TOLD: Final = "limit.told"
"""The portal reported the operating time of a method (debug). `method` `used_s` `limit_s` `resets_at`"""
BUDGET_UNREADABLE: Final = "budget.unreadable"
"""What the state remembers of a portal's limits cannot be read, and is learned again (warning). `portal` `reason`"""
DIRECTORY_ROW_UNREADABLE: Final = "directory.row_unreadable"
"""A user, group or section of the portal has an unknown form and is left out (warning). `reason`"""

# The daemon.

DAEMON_STARTED: Final = "daemon.started"
"""`syncd run` begins to make passes (info). `syncs`"""
DAEMON_STOPPING: Final = "daemon.stopping"
"""`syncd run` was asked to stop and finishes the passes under way (info). `running`"""
DAEMON_STOPPED: Final = "daemon.stopped"
"""Every pass has settled (info)."""
DAEMON_STALLED: Final = "daemon.stalled"
"""A pass or the scheduler makes no progress, so systemd gets no sign of life (error). `what`"""
LEASE_TAKEN: Final = "lease.taken"
"""This machine writes to a portal from now on (info). `portal` `epoch`, and `orderly`: False if whoever had it before
did not give it back
"""
LEASE_GIVEN_BACK: Final = "lease.given_back"
"""This machine no longer writes to a portal, so that another one may (info). `portal`"""
LEASE_LOST: Final = "lease.lost"
"""The lease of a portal could not be kept; whatever was under way was cut off unsettled (error). `portal` `reason`"""
LEASES_UNREACHABLE: Final = "leases.unreachable"
"""The database cannot be asked who holds what; what is held ends in time unless it answers (warning). `reason`"""
LEASES_REACHED: Final = "leases.reached"
"""The database answers again (info)."""
PORTAL_MOVED: Final = "portal.moved"
"""The portal was renamed and is spoken to at its new address `to` (warning, once). `origin` `to`"""
TOKENS_RENEWED: Final = "tokens.renewed"
"""The access token of an application had expired and was renewed (info). `portal`"""
SPARE_USED: Final = "spare.used"
"""The tokens in use could not be renewed any more, so the spare ones are in use now and there are no others (warning).
`portal`
"""
HINTS_BOUND: Final = "hints.bound"
"""The portal tells of people's edits from now on, but not of the events in `unknown` (info). `portal` `unknown`
`reserves`
"""
HINTS_UNREADABLE: Final = "hints.unreadable"
"""So many `rows` of what the portal tells cannot be understood and are passed over (warning). `portal` `rows`"""
HINTS_STOPPED: Final = "hints.stopped"
"""The portal cannot be asked what people have changed, so that only reading it tells (warning). `portal` `reason`"""
HINTS_CRASHED: Final = "hints.crashed"
"""Asking the portal what people have changed met a defect of syncd (error, with the traceback). `portal`"""
HINTS_ENDED: Final = "hints.ended"
"""The portal tells no more what people have changed, as the config says: so many `events` were bound before (info).
`portal` `events`
"""
HINTS_RESUMED: Final = "hints.resumed"
"""The portal tells again what people have changed (info). `portal`"""
EDITS_HEARD: Final = "edits.heard"
"""People have changed events of a sync, and a pass is to decide on them (info). `portal` `sync` `edits`"""
APPLICATION_INSTALLED: Final = "application.installed"
"""A portal has installed the application and brought its tokens (info). `portal`"""
INSTALLATION_REFUSED: Final = "installation.refused"
"""The tokens that an installation brought were not kept, for they are no use here (warning). `portal` `reason`"""
PORTAL_STOPPED: Final = "portal.stopped"
"""A portal refuses the webhook and is left alone until `again` (error). `portal` `reason` `again`"""
PORTAL_RESUMED: Final = "portal.resumed"
"""A portal that had refused the webhook accepts it again (info). `portal`"""
SOURCE_CHANGED: Final = "source.changed"
"""Files of a source have changed and settled, so a pass starts (info). `sync`"""
SOURCE_UNWATCHED: Final = "source.unwatched"
"""The system cannot watch files, so they are looked at every few `seconds` (warning). `reason` `seconds`"""
STATE_UNWRITABLE: Final = "state.unwritable"
"""The time of the next pass could not be noted for `syncd status` (error). `reason`"""
CONFIG_RELOADED: Final = "config.reloaded"
"""A changed config is in force (info). `syncs` `portals`"""
CONFIG_REFUSED: Final = "config.refused"
"""A changed config has a mistake; the old one stays in force (error). `reason`"""
PAGE_PUBLIC: Final = "page.public"
"""The status page, which has no login, can be reached from other machines (warning). `host` `port`"""
PAGE_CROWDED: Final = "page.crowded"
"""More connections to the status page than the `most` it takes at once (at most once a minute, warning). `cut_off`"""
REQUEST_MALFORMED: Final = "request.malformed"
"""Something that is no HTTP came to the status page. `reason`"""
CONTROL_UNAVAILABLE: Final = "control.unavailable"
"""The socket for commands beside the daemon could not be opened anywhere, so they end with exit code 6 (warning).
`reason`
"""
COMMAND_BEGUN: Final = "command.begun"
"""A command begins that came by the control socket (info). `do` `syncs` `uid`"""
COMMAND_ENDED: Final = "command.ended"
"""It has ended (info). `do` `code`, and `left`: True if its client had gone away before"""
COMMAND_CRASHED: Final = "command.crashed"
"""It met a defect of syncd (error, with the traceback). `do`"""
SYNC_PAUSED: Final = "sync.paused"
"""Somebody wants a sync to be left alone until it is resumed (warning). `sync`"""
SYNC_RESUMED: Final = "sync.resumed"
"""A sync that was paused goes on (info). `sync`"""
SYNC_POKED: Final = "sync.poked"
"""Somebody wants a pass now, by command or by HTTP (info). `sync` `by`"""
ALERT_RAISED: Final = "alert.raised"
"""Something is wrong, and people are told (error). `what` `text`"""
ALERT_RESOLVED: Final = "alert.resolved"
"""What an alert was raised for is over (warning). `what`"""
ALERT_SAID: Final = "alert.said"
"""The program of the alerts printed something, of which this is the end. `by` `text`"""
ALERT_FAILED: Final = "alert.failed"
"""An alert could not be sent (error). `reason`, and of a message or a program `by` `to` `remedy`"""
