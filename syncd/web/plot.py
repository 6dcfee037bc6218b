"""Small pictures in SVG: a gauge of a budget, and a bar chart of the last passes. The style sheet colours them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from math import isfinite, log1p
from typing import Final

from syncd.html import Markup, join, tag
from syncd.lang.catalog import Language, told
from syncd.lang.saying import say_count
from syncd.model.record import RunRecord
from syncd.portal.limits.forecast import MethodBudget
from syncd.web.language import stamp, words

_BARS = 60
_BAR = 4
_STEP = 6
_HEIGHT = 44
_LEAST_SCALE_S = 30.0
"""The duration of a full bar is at least this, so that a second more or less of a quick pass does not stand out."""

_WARM, _HOT = 0.7, 0.9
_REMEMBERED: Final = 4096
"""The page is loaded every few seconds, with the same passes."""


def gauge(budget: MethodBudget) -> Markup:
    """Return a bar that is filled as far as the budget is used, empty if the portal sets no limit."""
    share = min(1.0, budget.used_s / budget.limit_s) if isfinite(budget.limit_s) and budget.limit_s > 0 else 0.0
    kind = "hot" if share >= _HOT else "warm" if share >= _WARM else "calm"
    return tag(
        "svg",
        tag("rect", class_="track", x=0, y=0, width=100, height=6),
        tag("rect", class_=kind, x=0, y=0, width=f"{100 * share:.1f}", height=6) if share > 0 else None,
        class_="gauge", viewBox="0 0 100 6", preserveAspectRatio="none", aria_hidden="true",
    )  # fmt: skip


def history(runs: Sequence[RunRecord], language: Language) -> Markup:
    """Return one bar per pass, the oldest on the left: its height is the duration, its colour how it ended.

    The scale is logarithmic, because one migration takes hours and an ordinary pass a second.
    """
    # Newest first in the view, oldest first in the picture; a running pass has no duration yet.
    ended = [run for run in runs if run.finished is not None][:_BARS][::-1]
    offset = _BARS - len(ended)
    scale = log1p(max(_LEAST_SCALE_S, *(run.seconds for run in ended)) if ended else _LEAST_SCALE_S)
    bars = []
    for index, run in enumerate(ended):
        height = 5 + (_HEIGHT - 7) * log1p(max(0.0, run.seconds)) / scale
        changed = sum(run.counts.get(name, 0) for name in ("created", "updated", "deleted", "adopted"))
        kind = run.state if run.state != "done" or changed else "idle"  # so that passes with changes stand out
        bar = tag(
            "rect", tag("title", _bar_title(run.started, run.state, run.seconds, changed, language)),
            class_=f"bar {kind}",
            x=(offset + index) * _STEP, y=f"{_HEIGHT - height:.1f}", width=_BAR, height=f"{height:.1f}",
        )  # fmt: skip
        bars.append(bar)
    ground = tag("rect", class_="ground", x=0, y=_HEIGHT - 1, width=_BARS * _STEP - 2, height=1)
    return tag(
        "svg", tag("title", words(language)["took_of_runs"]), ground, join(*bars),
        class_="history", preserveAspectRatio="none", viewBox=f"0 0 {_BARS * _STEP - 2} {_HEIGHT}", role="img",
        aria_label=words(language)["took_of_runs"],
    )  # fmt: skip


@lru_cache(maxsize=_REMEMBERED)
def _bar_title(started: float, state: str, seconds: float, changed: int, language: Language) -> str:
    return told(
        say_count(
            "{when}: {state}, {span}, {count:,} change", "{when}: {state}, {span}, {count:,} changes", changed,
            when=stamp(started, language), state=words(language).get(state, state), span=timedelta(seconds=seconds),
        ),
        language,
    )  # fmt: skip
