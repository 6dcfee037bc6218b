"""How long was waited: requests that wait at once wait the same seconds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncd.portal.exchange.session import Traffic, count
from syncd.portal.exchange.waited import Waited


def test_requests_that_wait_at_once_count_their_seconds_once_in_every_traffic() -> None:
    one, other = Traffic(), Traffic()
    for waited in ((0.0, 30.0), (0.5, 30.0), (1.0, 30.5), (40.0, 41.0), (39.0, 42.0)):
        count((one, other), requests=1, waited=waited)
    assert (one.waited.seconds, other.waited.seconds, one.requests) == (33.5, 33.5, 5)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=30))
def test_what_was_waited_is_the_time_in_which_anything_waited(spans: list[tuple[int, int]]) -> None:
    waits = sorted(((min(span), max(span)) for span in spans), key=lambda span: span[1])
    waited = Waited()
    for since, until in waits:
        before = waited.seconds
        waited.add((float(since), float(until)))
        assert waited.seconds >= before
    assert waited.seconds == sum(any(since <= second < until for since, until in waits) for second in range(40))
