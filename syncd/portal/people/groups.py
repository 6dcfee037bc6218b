"""The portal's groups of every kind that the webhook may read: workgroups, projects, scrums, collabs (PORTAL.md 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from syncd.model.json_values import Json
from syncd.portal.line.shapes import rows_of
from syncd.portal.reader import PageReader

_EVERY_KIND = "socialnetwork"
"""The scope of the newer method, which is the only one that knows collabs."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """A workgroup, project, scrum or collab of the portal."""

    id: int
    name: str


async def read_groups(portal: PageReader, *, admin: bool) -> tuple[Group, ...]:
    """Return the groups that the caller may see, by id; an administrator's webhook sees secret ones, too.

    Raises the client's errors.
    """
    # Without IS_ADMIN an administrator sees no secret group that he is no member of; of others it is ignored.
    asked: dict[str, Json] = {"IS_ADMIN": "Y"} if admin else {}
    rows = [*await portal.read_pages("sonet_group.get", {"ORDER": {"ID": "ASC"}, **asked})]
    if _EVERY_KIND in rows_of(await portal.read("scope", {})):
        select: list[Json] = ["ID", "NAME", "TYPE"]
        params: dict[str, Json] = {"select": select, "order": {"ID": "ASC"}, "params": asked}
        rows += await portal.read_pages("socialnetwork.api.workgroup.list", params)
    found = {group.id: group for row in rows if (group := _group(row)) is not None}
    return tuple(found[number] for number in sorted(found))


def _group(row: Json) -> Group | None:
    """Return a row of either method. Their column names differ only in case."""
    if not isinstance(row, Mapping):
        return None
    columns = {name.upper(): value for name, value in row.items()}
    number, name = columns.get("ID"), columns.get("NAME")
    if not str(number).isdecimal() or int(str(number)) <= 0:
        return None
    return Group(id=int(str(number)), name=name.strip() if isinstance(name, str) else "")
