"""The limits of a portal as its tariff and the config set them."""

from __future__ import annotations

from dataclasses import replace

from syncd.config import PortalConfig
from syncd.portal.limits.pace import Limits


def limits_of(config: PortalConfig) -> Limits:
    """Return the limits of a portal: the tariff's, with what the config sets.

    A time-out that it does not set grows with the time a batch may take.
    """
    usual = Limits.tariff(config.tariff)
    timeout = max(usual.timeout, config.limits.longest_batch_s)
    return replace(usual, **{"timeout": timeout, **config.limits.given()})  # type: ignore[arg-type]
