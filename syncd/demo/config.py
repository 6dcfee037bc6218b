"""The config of the demonstration, as a user would write it for these three schedules."""

from __future__ import annotations

_CONFIG = """\
state = "syncd.db"

[portals.demo]
{caller}
tariff = "enterprise"

[[sync]]
name = "timetable"
timezone = "Europe/Moscow"

[sync.source]
type = "csv"
path = "timetable.csv"

[sync.source.columns]
uid = "Номер"
title = "Предмет"
owner = "Класс"
location = "Кабинет"
date = "Дата"
start_time = "Начало"
end_time = "Конец"
description = "Примечание"

[sync.target]
calendar = "group"
owner = "{{owner}}"
section = "Расписание"

[sync.fields]
description = "{{Учитель}}\\n{{description}}"

[[sync]]
name = "team"

[sync.source]
type = "ics"
path = "team.ics"

[sync.target]
calendar = "user"
owner = "{{organizer}}"
section = "Team"

[[sync]]
name = "appointments"
timezone = "Europe/Moscow"

[sync.source]
type = "csv"
path = "appointments.csv"

[sync.source.columns]
uid = "Номер"
title = "Тема"
start = "Начало"
duration = "Минут"
owner = "Врач"
location = "Кабинет"
contact_phone = "Телефон"

[sync.target]
type = "activity"
contact = "{{contact_phone}}"
responsible = "{{owner}}"
"""


def config_text(webhook: str) -> str:
    """Return the config as TOML, with the portal called by webhook."""
    return _CONFIG.format(caller=f'webhook = "{webhook}"')


def app_config_text(address: str, client_id: str, client_secret: str) -> str:
    """Return the config as TOML, with the portal called by an application."""
    app = f'app = {{ address = "{address}", client_id = "{client_id}", client_secret = "{client_secret}" }}'
    return _CONFIG.format(caller=app)
