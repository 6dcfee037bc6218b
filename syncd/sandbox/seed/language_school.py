"""The contents of the simulated portal when no world file is given: a language school with two offices.

It has what a schedule trips over: several zones, a person without a zone, shared phones, elements without a contact.
"""

from __future__ import annotations

from datetime import datetime

from syncd.sandbox.seed.world_schema import (
    SeedApplication,
    SeedChat,
    SeedDepartment,
    SeedElement,
    SeedEvent,
    SeedGroup,
    SeedSection,
    SeedUser,
    SeedWebhook,
    WorldSeed,
)

ADMIN_CODE = "sandboxadmin"
CLIENT_ID = "local.5a0db0c0ffee00.00000001"
CLIENT_SECRET = "sandboxsecretoftheapplication"  # noqa: S105 - it protects nothing
STAFF_CODE = "sandboxstaff"

#: id, first name, last name, mailbox, zone, department
_PEOPLE = (
    (1, "Ольга", "Смирнова", "olga.smirnova", "Europe/Moscow", 1),
    (2, "Дмитрий", "Козлов", "dmitry.kozlov", "Europe/Moscow", 2),
    (3, "Анна", "Петрова", "anna.petrova", "Europe/Moscow", 2),
    (4, "Мария", "Волкова", "maria.volkova", "Asia/Yekaterinburg", 2),
    (5, "Иван", "Соколов", "ivan.sokolov", "Europe/Moscow", 3),
    (6, "Екатерина", "Морозова", "ekaterina.morozova", "Europe/Kaliningrad", 3),
    (7, "Emma", "Clarke", "emma.clarke", "Europe/London", 4),
    (8, "James", "Walker", "james.walker", "Europe/London", 4),
    (9, "Laura", "Bennett", "laura.bennett", "Europe/Riga", 4),
    (10, "Peter", "Novak", "peter.novak", "Europe/Riga", 3),
    (11, "Grace", "Miller", "grace.miller", "America/New_York", 4),
    (12, "Алексей", "Фёдоров", "alexey.fedorov", "", 2),
)

#: id, name, owner, members
_GROUPS = (
    (1, "Timetable", 1, (2, 3, 7, 8)),
    (2, "Учебный отдел", 2, (1, 3, 4)),
    (3, "Front desk", 5, (6, 10)),
    (4, "Exam season", 7, (1, 8, 9, 11)),
)

#: id, first name, last name, phones, e-mails, responsible. Two share a phone, one has none, one belongs to no user.
_CONTACTS: tuple[tuple[int, str, str, tuple[str, ...], tuple[str, ...], int], ...] = (
    (1, "Наталья", "Белова", ("+7 916 111-22-33",), ("n.belova@mail.example",), 3),
    (2, "Oscar", "Lind", ("+371 29 123 456", "+46 70 123 45 67"), ("oscar@lind.example",), 9),
    (3, "Пётр", "Зимин", (), ("zimin@mail.example",), 5),
    (5, "Vera", "Holm", ("8 (916) 555-00-01",), (), 0),
    (6, "Семья", "Орловы", ("+79165550099",), (), 3),
    (8, "Игорь", "Орлов", ("8 916 555 00 99",), ("igor@orlov.example",), 4),
)


def default_world() -> WorldSeed:
    """Return the company: twelve people, four groups, a chat, a company calendar, two rooms, two webhooks."""
    return WorldSeed(
        server_zone="Europe/Moscow",
        culture="ru",
        language="en",
        host="school.example",
        users=tuple(
            SeedUser(
                id=number,
                name=name,
                last_name=last_name,
                email=f"{mailbox}@school.example",
                xml_id=f"E{number:03}",
                zone=zone,
                admin=number == 1,
                departments=(department,),
            )
            for number, name, last_name, mailbox, zone, department in _PEOPLE
        ),
        departments=(
            SeedDepartment(id=1, name="School", head=1),
            SeedDepartment(id=2, name="Teachers", parent=1, head=2),
            SeedDepartment(id=3, name="Administration", parent=1, head=5),
            SeedDepartment(id=4, name="Native speakers", parent=2, head=7),
        ),
        groups=tuple(
            SeedGroup(id=number, name=name, owner=owner, members=members) for number, name, owner, members in _GROUPS
        ),
        chats=(SeedChat(id=42, title="Front desk", members=(1, 5, 6, 10)),),
        webhooks=(SeedWebhook(user=1, code=ADMIN_CODE), SeedWebhook(user=2, code=STAFF_CODE)),
        applications=(SeedApplication(client_id=CLIENT_ID, client_secret=CLIENT_SECRET),),
        sections=_sections(),
        events=(
            SeedEvent(
                id=1,
                section=30,
                name="Weekly planning",
                opens=datetime(2025, 1, 13, 9, 30),
                closes=datetime(2025, 1, 13, 10, 15),
                zone="Europe/Moscow",
                rrule={"FREQ": "WEEKLY", "INTERVAL": 1, "BYDAY": ["MO"]},
            ),
        ),
        crm=("T86_5",),
        elements=_elements(),
    )


def _elements() -> tuple[SeedElement, ...]:
    """Return what stands in the CRM: contacts, and one company, deal and lead."""
    contacts = (
        SeedElement(
            type="contact",
            id=number,
            name=name,
            last_name=last,
            phones=phones,
            emails=emails,
            assigned_by=assigned,
        )
        for number, name, last, phones, emails, assigned in _CONTACTS
    )
    return (
        *contacts,
        SeedElement(type="company", id=1, name="Baltic Trade", phones=("+371 67 000 111",), assigned_by=5),
        SeedElement(type="deal", id=7, name="Summer course", assigned_by=9, contact=2),
        SeedElement(type="lead", id=4, name="Website request", phones=("+79160000044",), assigned_by=5),
    )


def _sections() -> tuple[SeedSection, ...]:
    """Return a calendar for each person and group, the company's, and two rooms."""
    return (
        *(SeedSection(id=number, name="My calendar", owner=number) for number, *_ in _PEOPLE),
        *(
            SeedSection(id=20 + number, name=name, type="group", owner=number, color="#55D0E0")
            for number, name, *_ in _GROUPS
        ),
        SeedSection(id=30, name="School calendar", type="company_calendar", color="#FFA900"),
        SeedSection(id=41, name="Room 1", type="location"),
        SeedSection(id=42, name="Room 2", type="location"),
    )
