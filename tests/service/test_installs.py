"""How many installations are looked into, by where they come from."""

from __future__ import annotations

from syncd.service.installs import Installs


def test_whoever_brings_many_uses_up_a_share_of_their_own() -> None:
    installs = Installs()
    assert [installs.admits("flood", 0.0) for _ in range(50)].count(True) == 2
    assert installs.admits("portal", 0.0)
    assert not installs.admits("flood", 9.0)
    assert installs.admits("flood", 10.0)


def test_many_at_many_addresses_use_up_what_there_is_for_all_and_no_more() -> None:
    installs = Installs()
    asked = sum(installs.admits(f"bot {number}", number / 10) for number in range(36_000))
    assert asked <= 12 + 3600 / 5
    assert len(installs._each) <= 256
    assert installs.admits("portal", 3700.0)


def test_a_refusal_is_told_now_and_then() -> None:
    installs = Installs()
    assert [installs.tells(float(at)) for at in range(1200)].count(True) == 2
