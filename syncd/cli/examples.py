"""Examples that `--help` shows at the end of each command, and the manual page too."""

from __future__ import annotations

from syncd.lang.catalog import told
from syncd.lang.saying import say

EXAMPLES = {
    "demo": ("syncd demo --no-wait",),
    "init": (
        "syncd init --source shifts.csv -o syncd.toml",
        "syncd init --source https://example.com/feed.ics --webhook https://example.bitrix24.com/rest/1/CODE/",
    ),
    "check": ("syncd check", "syncd check 'north-*' --offline"),
    "plan": (
        "syncd plan shifts",
        say("syncd plan --verify --out reviewed.json    # then: syncd sync --plan reviewed.json"),
    ),
    "sync": ("syncd sync", "syncd sync shifts --report result.csv", "syncd sync --plan reviewed.json"),
    "migrate": ("syncd migrate shifts --report result.csv",),
    "undo": ("syncd undo 17",),
    "purge": ("syncd purge shifts",),
    "run": ("syncd --config /etc/syncd/config.toml run",),
    "status": ("syncd status", "syncd status --json"),
    "report": ("syncd report --since 7d --format html > week.html", "syncd report --format csv"),
    "history": ("syncd history shifts", "syncd history --run 17"),
    "state": (
        "syncd state backup /var/backups/syncd.db",
        "syncd state check",
        "syncd state move --to postgresql://syncd@db.example.com/syncd",
    ),
    "lease": ("syncd lease list", "syncd lease release main"),
    "retry": ("syncd retry", "syncd retry shifts"),
    "poke": ("syncd poke shifts",),
    "pause": ("syncd pause shifts",),
    "resume": ("syncd resume shifts",),
    "portal": (
        "syncd portal owners",
        "syncd portal sections --calendar group --owner 'Class 5b'",
        "syncd portal owners --unresolved shifts > owners.csv",
        "syncd portal probe --json > portal-facts.json",
        "syncd portal authorize main",
    ),
    "sandbox": (
        "syncd sandbox",
        say("syncd sandbox --from-portal main --export company.json    # then: syncd sandbox --world company.json"),
        "syncd sandbox --tariff enterprise --cost calendar.event.add=0.4 --fault help",
        "syncd sandbox --like portal-facts.json",
    ),
    "service": ("sudo /opt/syncd/bin/syncd service install",),
    "source": ("syncd source authorize meetings",),
    "completion": (
        "syncd completion bash > /etc/bash_completion.d/syncd",
        "syncd completion zsh > /usr/local/share/zsh/site-functions/_syncd",
        "syncd completion fish > ~/.config/fish/completions/syncd.fish",
    ),
    "version": ("syncd version",),
}
"""By command: lines to type."""


def epilog_of(command: str, already: str | None) -> str:
    """Return the end of the help of `command`: `already`, then its examples.

    A command below another one, such as "state move", has those examples of the other one that name it.
    """
    own = EXAMPLES.get(command)
    if own is None:
        own = tuple(line for line in EXAMPLES[command.partition(" ")[0]] if f"syncd {command}" in line)
    heading = told(say("example:") if len(own) == 1 else say("examples:"))
    lines = "\n".join(f"  {told(line)}" for line in own)
    return f"{told(already)}\n\n{heading}\n{lines}" if already else f"{heading}\n{lines}"
