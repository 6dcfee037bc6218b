"""The simulated portal of the demonstration: four school classes and a product team."""

from __future__ import annotations

from syncd.sandbox.seed_schema import SeedGroup, SeedSection, SeedUser, SeedWebhook, WorldSeed

CODE = "demonstration"
ADMIN = 1
_PEOPLE = (
    (ADMIN, "Елена", "Орлова", "elena.orlova", "Europe/Moscow"),
    (2, "Anna", "Smirnova", "anna.smirnova", "Europe/Moscow"),
    (3, "Jonas", "Weber", "jonas.weber", "Europe/Berlin"),
    (4, "Igor", "Volkov", "igor.volkov", "Europe/Moscow"),
    (5, "Maria", "Ivanova", "maria.ivanova", "Asia/Yekaterinburg"),
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
        sections=tuple(
            SeedSection(id=number, name="My calendar", owner=number, color="#8fb8de") for number, *_ in _PEOPLE
        ),
    )
