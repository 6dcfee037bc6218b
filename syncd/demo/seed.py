"""The contents of the demonstration's portal: four school classes, a product team and the clients of a clinic."""

from __future__ import annotations

from syncd.sandbox.seed.world_schema import (
    SeedApplication,
    SeedElement,
    SeedGroup,
    SeedSection,
    SeedUser,
    SeedWebhook,
    WorldSeed,
)

CODE = "demoadmin0webhook"
CLIENT_ID = "local.5a0db0c0ffee00.00000002"
CLIENT_SECRET = "secretoftheapplicationofthedemo"  # noqa: S105 - it protects nothing
ADMIN = 1
_PEOPLE = (
    (ADMIN, "Елена", "Орлова", "elena.orlova", "Europe/Moscow"),
    (2, "Anna", "Smirnova", "anna.smirnova", "Europe/Moscow"),
    (3, "Jonas", "Weber", "jonas.weber", "Europe/Berlin"),
    (4, "Igor", "Volkov", "igor.volkov", "Europe/Moscow"),
    (5, "Maria", "Ivanova", "maria.ivanova", "Asia/Yekaterinburg"),
)
_CLIENTS = (
    ("Ольга", "Белова", ("+7 916 200-10-01",)),
    ("Павел", "Жуков", ("8 (916) 200-10-02",)),
    ("Ирина", "Лебедева", ("+7 916 200-10-03", "+7 495 200-10-03")),
    ("Oscar", "Lind", ("+46 70 200 10 04",)),
    ("Nina", "Kask", ("+371 29 200 105",)),
    ("Сергей", "Носов", ("8-916-200-10-06",)),
    ("Татьяна", "Рябова", ("+79162001007",)),
    ("Denis", "Fox", ("+44 20 7946 0108",)),
    ("Алла", "Чернова", ("+7 916 200 10 09",)),
    ("Viktor", "Ozols", ("+371 29 200 110",)),
    ("Юлия", "Щукина", ("+7 (916) 200-10-11",)),
    ("Марк", "Левин", ("89162001012",)),
)
_CLASSES = ((11, "7А"), (12, "7Б"), (13, "8А"), (14, "9В"))


def demo_world() -> WorldSeed:
    """Return the portal before anything was synced into it."""
    return WorldSeed(
        server_zone="Europe/Moscow",
        culture="ru",
        language="en",
        host="demo.example",
        users=tuple(
            SeedUser(
                id=number,
                name=name,
                last_name=last_name,
                email=f"{mailbox}@example.com",
                zone=zone,
                admin=number == ADMIN,
            )
            for number, name, last_name, mailbox, zone in _PEOPLE
        ),
        groups=tuple(SeedGroup(id=number, name=name, owner=ADMIN) for number, name in _CLASSES),
        webhooks=(SeedWebhook(user=ADMIN, code=CODE),),
        applications=(SeedApplication(client_id=CLIENT_ID, client_secret=CLIENT_SECRET),),
        sections=tuple(
            SeedSection(id=number, name="My calendar", owner=number, color="#8fb8de") for number, *_ in _PEOPLE
        ),
        elements=tuple(
            SeedElement(
                type="contact", id=number, name=name, last_name=last_name, phones=phones, assigned_by=2 + number % 4
            )
            for number, (name, last_name, phones) in enumerate(_CLIENTS, start=1)
        ),
    )
