from datetime import timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.model.zones import accepted_names, agree, as_read, canonical, guess, offsets, resolve

NAMES = sorted(available_timezones() - {"Factory", "localtime", "posixrules"})
CHECKED_YEARS = range(2015, 2038)


def test_every_iana_name_resolves_to_itself_in_any_case() -> None:
    assert [name for name in NAMES if resolve(name) != name] == []
    assert [name for name in NAMES if resolve(name.upper()) != name] == []


def test_every_iana_name_becomes_an_accepted_name_with_the_same_local_time() -> None:
    without = []
    for name in NAMES:
        try:
            found = canonical(name)
        except LookupError:
            without.append(name)
            continue
        assert found in accepted_names()
        assert offsets(found, CHECKED_YEARS) == offsets(name, CHECKED_YEARS), (name, found)
    assert without == ["Etc/GMT+12"]  # nobody lives there, so no place of zone.tab keeps this offset


@pytest.mark.parametrize("name", ["Europe/Kyiv", "UTC", "Europe/Moscow", "Europe/Oslo", "Asia/Kolkata"])
def test_a_name_of_the_portals_list_stays_as_it_is(name: str) -> None:
    assert canonical(name) == name


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("Europe/Kiev", "Europe/Kyiv"),
        ("US/Eastern", "America/New_York"),
        ("EST5EDT", "America/New_York"),
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("Etc/UTC", "UTC"),
        ("GMT", "UTC"),
    ],
)
def test_a_name_the_portal_does_not_know_is_replaced(alias: str, name: str) -> None:
    assert canonical(alias) == name


def test_a_fixed_offset_becomes_a_place_that_always_keeps_it() -> None:
    place = canonical("Etc/GMT+3")
    assert place in accepted_names()
    assert set(offsets(place)) == {timedelta(hours=-3)}


@pytest.mark.parametrize("name", ["Etc/GMT+12", "Factory", "Nowhere/Else", ""])
def test_what_the_portal_cannot_keep_is_refused(name: str) -> None:
    with pytest.raises(LookupError, match="no time zone like"):
        canonical(name)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("Russian Standard Time", "Europe/Moscow"),
        ("Russian Daylight Time", "Europe/Moscow"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("w. europe daylight time", "Europe/Berlin"),
        ("W. Europe", "Europe/Berlin"),
        ("RTZ 2 (зима)", "Europe/Moscow"),
        ("Russia TZ 11 Standard Time", "Asia/Kamchatka"),
        ("RTZ 12 (зима)", None),
        ("Europe-Moscow", "Europe/Moscow"),
        ("Europe\\Moscow", "Europe/Moscow"),
        ("europe moscow", "Europe/Moscow"),
        ("Europe/ Moscow", "Europe/Moscow"),
        ("Europe%2FMoscow", "Europe/Moscow"),
        ("Europe_Moscow", "Europe/Moscow"),
        ("/freeassociation.sourceforge.net/Europe/Moscow", "Europe/Moscow"),
        ("Europe/Moscow (MSK)", "Europe/Moscow"),
        ("America-Port-au-Prince", "America/Port-au-Prince"),
        ("America-Argentina-Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("US-Eastern", "US/Eastern"),
        ("Etc-GMT-3", None),  # with another separator the sign cannot be told from one
        ("(UTC+03:00) Europe/Moscow", "Europe/Moscow"),
        ("(UTC+04:00) Europe/Moscow", None),
        ("GMT+03:00 Moscow", "Europe/Moscow"),
        ("(GMT+03.00) Moscow / St. Petersburg / Volgograd", "Europe/Moscow"),
        ("UTC+3 Moscow", "Europe/Moscow"),
        ("MSK+2", "Etc/GMT-5"),
        ("МСК -1", "Etc/GMT-2"),
        ("Moscow", None),
        ("(UTC+03:00) Moscow, St. Petersburg", "Europe/Moscow"),
        ("(UTC+03:00) Москва, Санкт-Петербург, Волгоград", "Europe/Moscow"),
        ("(UTC-05:00) Eastern Time (US & Canada)", "America/New_York"),
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", "Europe/Amsterdam"),
        ("(UTC+08:00) Beijing, Chongqing, Hong Kong, Urumqi", "Asia/Shanghai"),
        ("(UTC) Coordinated Universal Time", "UTC"),
        ("(UTC+04:00) Moscow, St. Petersburg, Volgograd", None),  # the offset of 2011-2014
        ("(UTC+06:00) Almaty, Novosibirsk", None),  # the two have parted since
        ("/freeassociation.sourceforge.net/Europe/Berlin", "Europe/Berlin"),
        ("/mozilla.org/20050126_1/America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("tzone://Microsoft/Utc", "UTC"),
        ("tzone://Microsoft/Custom", None),
        ('"Europe/Berlin"', "Europe/Berlin"),
        ("America/New York", "America/New_York"),
        ("GMT+0300", "Etc/GMT-3"),
        ("UTC+3", "Etc/GMT-3"),
        ("Etc/GMT-3", "Etc/GMT-3"),
        ("UTC-02", "Etc/GMT+2"),
        ("\N{MINUS SIGN}05:00", "Etc/GMT+5"),
        ("UTC+05:30", "Asia/Kolkata"),
        ("UTC+01:17", None),
        ("UTC+99", None),
        ("Z", "UTC"),
        ("CST", None),
        ("Customized Time Zone", None),
        ("Moon/Base", None),
        ("", None),
    ],
)
def test_a_spelling_resolves_only_when_it_is_certain(spelling: str, name: str | None) -> None:
    assert resolve(spelling) == name


@settings(deadline=None)
@given(st.text(max_size=40))
def test_whatever_resolves_is_a_zone(text: str) -> None:
    name = resolve(text)
    assert name is None or ZoneInfo(name).key == name


def test_zones_that_part_later_do_not_agree() -> None:
    assert agree(("Europe/Moscow", "Europe/Volgograd"))
    assert not agree(("Europe/Moscow", "Europe/Samara"))
    assert not agree(("Europe/Berlin", "Africa/Algiers"))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Moscow", "Europe/Moscow"),
        ("Home/Moscow", "Europe/Moscow"),
        ("Europe/Moskow", "Europe/Moscow"),
        ("Moon/Base", ""),
        ("", ""),
    ],
)
def test_a_name_that_does_not_resolve_has_the_place_that_it_may_mean(name: str, meant: str) -> None:
    assert guess(name) == meant


@pytest.mark.parametrize(
    ("start", "zone", "read"),
    [
        ("2026-12-01", "Europe/Moscow", "2026-12-01"),
        ("2026-12-01T09:00:00+03:00", "Europe/Moscow", "2026-12-01 09:00"),
        ("2026-12-01T23:30:00+00:00", "Asia/Omsk", "2026-12-02 05:30"),
        ("2026-12-01T09:00:00+03:00", None, "2026-12-01 09:00+03:00"),
        ("2026-12-01T09:00:00", "Asia/Omsk", "2026-12-01 09:00"),
    ],
)
def test_a_start_is_read_in_the_zone_given_or_with_its_own_offset(start: str, zone: str | None, read: str) -> None:
    assert as_read(start, zone) == read
