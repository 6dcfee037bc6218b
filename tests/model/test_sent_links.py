"""What was sent last, by hash: it answers as a dictionary of all links would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncd.model.item import Item, Key, Place, fingerprint
from syncd.model.sent_links import SentLinks, SentRow, Unseen

_KEYS = st.builds(
    lambda uid, owner, piece: Key(uid=uid, place=Place(kind="user", owner=owner), piece=piece),
    st.sampled_from("abcd"),
    st.integers(1, 2),
    st.sampled_from(["", "x", "y"]),
)
_LINKS = st.dictionaries(_KEYS, st.sampled_from("123"))


def item(key: Key, name: str, also: str = "") -> Item:
    return Item(
        key=key,
        section="S",
        section_id=1,
        fields={"name": name},
        title=name,
        where="a.csv:2",
        starts_on="2026-12-01",
        ends_on=None,
        start="2026-12-01",
        also={"name": also} if also else None,
    )


def row(key: Key, sent: str, remote_id: int = 1) -> SentRow:
    return key.uid, key.place.kind, key.place.owner, key.piece, remote_id, sent


def sent_rows(links: dict[Key, str]) -> list[SentRow]:
    return [row(key, fingerprint({"name": links[key]}, "S")) for key in sorted(links)]


def sent_links(links: dict[Key, str]) -> SentLinks:
    found = SentLinks()
    found.add(sent_rows(links))
    return found


@given(_LINKS, st.lists(st.tuples(_KEYS, st.sampled_from("123")), unique_by=lambda one: one[0]), st.sets(_KEYS))
def test_items_as_they_were_sent_are_let_go_and_their_links_are_seen(
    links: dict[Key, str], wanted: list[tuple[Key, str]], apart: set[Key]
) -> None:
    sent = sent_links(links)
    sent.apart.update(apart)
    unseen = Unseen(sent)
    left = dict(links)
    for key, name in wanted:
        one = item(key, name)
        same = links.get(key) == name and key not in apart
        assert unseen.undecided([one]) == (() if same else (one,))
        if same:
            del left[key]
    assert unseen.number == len(left)
    keys, both = unseen.keys(sent_rows(links))
    assert keys == sorted(left)
    gone = {key.uid for key in links if key not in left}
    assert both == {key.uid for key in left} & gone


def test_of_an_entry_all_items_are_let_go_or_none() -> None:
    first, second = (Key(uid="a", place=Place(kind="user", owner=1), piece=piece) for piece in "xy")
    unseen = Unseen(sent_links({first: "1", second: "1"}))
    items = (item(first, "1"), item(second, "2"))
    assert unseen.undecided(items) == items
    assert unseen.number == 2
    assert unseen.undecided((item(first, "1"), item(second, "1"))) == ()
    assert unseen.number == 0


def test_an_item_is_given_in_the_words_that_were_sent() -> None:
    key = Key(uid="a", place=Place(kind="user", owner=1))
    other = Key(uid="b", place=key.place)
    unseen = Unseen(sent_links({key: "old", other: "1"}))
    worded, changed = unseen.undecided((item(key, "new", also="old"), item(other, "2")))
    assert (dict(worded.fields), worded.also, changed) == ({"name": "old"}, None, item(other, "2"))
    assert unseen.undecided((item(key, "new", also="old"),)) == ()


def test_many_links_are_told_apart() -> None:
    count = 40_000
    sent = SentLinks()
    sent.add((f"S{n}", "user", n % 7, "", n, f"print {n}") for n in range(count))
    assert len({sent.find(f"S{n}", "user", n % 7, "", f"print {n}") for n in range(count)} - {-1}) == count
    assert {sent.find(f"S{n}", "user", n % 7, "", f"print {n + 1}") for n in range(count)} == {-1}
