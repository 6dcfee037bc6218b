"""What syncd says of entries, portals and its state, in Russian: each English message with its Russian one.

A message is a whole sentence with its values in braces, as in a gettext catalogue (python-brace-format), never glued
from parts. The value of {reason} and {remedy} is a message itself, that of {fields} a list of names of fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FIELDS: Final[Mapping[str, str]] = {
    "name": "название",
    "start": "начало",
    "end": "конец",
    "all_day": "весь день",
    "zone_from": "часовой пояс начала",
    "zone_to": "часовой пояс конца",
    "rule": "повторение",
    "description": "описание",
    "location": "место",
    "color": "цвет",
    "text_color": "цвет текста",
    "accessibility": "занятость",
    "importance": "важность",
    "private": "приватность",
    "remind": "напоминания",
    "meeting": "участники",
    "crm": "связи с CRM",
    "mark": "метка",
    "subject": "тема",
    "bbcode": "разметка",
    "priority": "приоритет",
    "responsible": "ответственный",
    "notify": "напоминание",
    "completed": "выполнено",
    "communication": "контактные данные",
    "origin": "происхождение",
    "title": "название",
    "deadline": "срок",
    "pings": "напоминания",
    "section": "раздел",
}
"""The fields of events, activities and to-dos, as a pass names those that it changes."""

MESSAGES: Final = (
    # Why a plan changes something.
    ("new in the source", "новое в источнике"),
    ("source changed", "изменено в источнике"),
    ("section changed", "изменён раздел"),
    ("the outcome of its last update is not known", "неизвестно, чем кончилось последнее изменение"),
    ("a change of ours that nobody answered came after the later one: {fields}",
     "изменение без ответа пришло позже следующего: {fields}"),
    ("gone from the source", "исчезло из источника"),
    ("gone from the source for {n} of {of} passes (removed_after); not deleted yet",
     "исчезло из источника, проход {n} из {of} (removed_after); пока не удалено"),
    ("gone from the source, but edited in the portal since", "исчезло из источника, но изменено на портале"),
    ("no longer part of its entry, but edited in the portal since", "больше не часть записи, но изменено на портале"),
    ("no longer part of its entry", "больше не часть записи"),
    ("{reason}, but another event has its id in the portal now: that one is left alone",
     "{reason}, но на портале этот id теперь у другого события: оно не тронуто"),
    ("deleted in the portal", "удалено на портале"),
    ("deleted in the portal by {who}", "удалено на портале, кем: {who}"),
    ("edited in the portal", "изменено на портале"),
    ("edited in the portal: {fields}", "изменено на портале: {fields}"),
    ("edited in the portal by {who}: {fields}", "изменено на портале, кем: {who}: {fields}"),
    ("edited in the portal since: {fields}", "с тех пор изменено на портале: {fields}"),
    ("{reason}; corrected {n} times in a row and edited again each time, so it is left",
     "{reason}; исправлено {n} раз подряд и каждый раз изменено снова, поэтому оставлено как есть"),
    ("bears the mark of this entry", "несёт метку этой записи"),
    ("an identical event already exists", "такое же событие уже есть"),
    ("an identical event already exists, in another section", "такое же событие уже есть в другом разделе"),
    ("an event at this time already exists, which differs in {fields}",
     "событие в это время уже есть, отличается: {fields}"),
    ("adopted, but differs in {fields}", "принято, но отличается: {fields}"),
    ("another event has its id in the portal now", "на портале этот id теперь у другого события"),
    ("what stands at its id in the portal cannot be read, so it is not touched; the next pass tries again",
     "то, что стоит на портале под этим id, не читается и потому не тронуто; следующий проход попробует снова"),
    ("made again", "создаётся заново"),
    ("stands twice", "стоит дважды"),
    ("created by this sync", "создано этой синхронизацией"),
    ("created by the run", "создано этим проходом"),
    ("changed by the run", "изменено этим проходом"),
    ("deleted by the run", "удалено этим проходом"),
    ("moved to another section in the portal, which moves no meeting of another person's calendar back",
     "на портале перенесено в другой раздел; обратно встречу из чужого календаря портал не переносит"),
    ("section changed: the portal moves no meeting of another person's calendar from «{old}» to «{new}», so it is"
     " deleted"
     " and made again there",
     "изменён раздел: портал не переносит встречи чужого календаря из «{old}» в «{new}», поэтому она удаляется и"
     " создаётся там заново"),
    ("stays in the section «{old}»: it was taken over with guests of its own, and the portal does not move it to"
     " «{new}»;"
     " move it by hand",
     "остаётся в разделе «{old}»: принято вместе с участниками, и портал не переносит его в «{new}»; перенесите"
     " вручную"),
    ("organiser changed from user {old} to user {new}: the portal lets no update change it, so the event is deleted and"
     " made again",
     "организатор сменился с пользователя {old} на {new}: портал не даёт его изменить, поэтому событие удаляется и"
     " создаётся заново"),
    ("its organiser stays user {old}, not user {new}: no update can change that. With on_host_change = \"recreate\" the"
     " event is deleted and made again, and its guests are told of both",
     "организатором остаётся пользователь {old}, а не {new}: изменить это нельзя. С on_host_change = \"recreate\""
     " событие"
     " удаляется и создаётся заново, и участники узнают об обоих"),
    ("event {copy} looks like a copy of {of}; unless somebody meant it, delete it in the portal",
     "событие {copy} похоже на копию {of}; если это не задумано, удалите его на портале"),
    ("stands twice: event {copy} came late, when {of} had been made in its place; it is removed",
     "стоит дважды: событие {copy} пришло позже, когда вместо него уже было создано {of}; оно убирается"),
    # Why an entry waits.
    ("looks like «{title}» ({start}, id {id}), which syncd did not make and which differs in {fields}; not taken"
     " over, and"
     " nothing is made beside it. Change or delete that one, or set adopt = \"same-time\" to take it over, or adopt ="
     " false to have another made",
     "похоже на «{title}» ({start}, id {id}): его создал не syncd, и оно отличается: {fields}; не принято, и рядом"
     " ничего"
     " не создано. Измените или удалите его, либо задайте adopt = \"same-time\", чтобы принять его, или adopt = false,"
     " чтобы создать ещё одно"),
    ("looks like «{title}» ({start}, id {id}) in another section of the calendar, which syncd may have made and which"
     " differs in {fields}; not taken over, and nothing is made beside it. Delete that one or move it to the section of"
     " the sync, or set adopt = \"same-time\" to take it over where it stands, or adopt = false to have another made",
     "похоже на «{title}» ({start}, id {id}) в другом разделе календаря: возможно, его создал syncd, и оно отличается:"
     " {fields}; не принято, и рядом ничего не создано. Удалите его или перенесите в раздел синхронизации, либо задайте"
     " adopt = \"same-time\", чтобы принять его там, или adopt = false, чтобы создать ещё одно"),
    ("a private event that syncd's user may not see stands there at that time (id {id}); it may be this one, so"
     " nothing is made beside it. Let syncd work as somebody who may see it: who made it, the calendar's owner, or a"
     " guest",
     "в это время там стоит приватное событие, которого пользователь syncd не видит (id {id}); возможно, это оно и"
     " есть, поэтому рядом ничего не создано. Пусть syncd работает от имени того, кто его видит: автора, владельца"
     " календаря или участника"),
    ("waits for another piece of its entry: {reason}", "ждёт другой части своей записи: {reason}"),
    ("changed in a source that could not be read completely; waits for a complete one",
     "изменено в источнике, прочитанном не до конца; ждёт полного"),
    ("reads back differently: {fields}", "на портале прочитано другое: {fields}"),
    ("it is gone from the portal", "на портале этого больше нет"),
    ("it could not be read back", "прочитать обратно не удалось"),
    ("its section could not be found or created", "раздел не найден и не создан"),
    ("section {name} could not be created: {reason}", "раздел {name} не удалось создать: {reason}"),
    ("section {name} was created, but the portal changed its name: use its id",
     "раздел {name} создан, но портал изменил его имя: укажите id"),
    ("the sections of {place} could not be read, so none is created",
     "разделы календаря {place} не читаются, поэтому раздел не создаётся"),
    ("calendar {place} has no section {name}, and none is created, because {reason}",
     "в календаре {place} нет раздела {name}, и он не создаётся: {reason}"),
    ("calendar {place} has no section with id {id}; it has: {list}",
     "в календаре {place} нет раздела с id {id}; есть: {list}"),
    ("section {name} of calendar {place} cannot be written to by syncd's user",
     "в раздел {name} календаря {place} пользователь syncd писать не может"),
    ("syncd's user is no administrator and could not write into it",
     "пользователь syncd не администратор и писать туда не смог бы"),
    ("syncd's user is no administrator, and only they are sure to be allowed it in the company's calendar",
     "пользователь syncd не администратор, а в календаре компании это наверняка можно только администраторам"),
    ("the group has its calendar switched off, or does not let syncd's user write",
     "календарь группы выключен или не даёт пользователю syncd писать"),
    ("more than one user is called {name}: {list}", "пользователей с именем {name} несколько: {list}"),
    ("the user {name} (id {id}) is dismissed", "пользователь {name} (id {id}) уволен"),
    ("no user {name} in the portal", "на портале нет пользователя {name}"),
    ("no user {name} in the portal; nearest: {list}", "на портале нет пользователя {name}; похожи: {list}"),
    ("cannot look up {name}: syncd may not read e-mail addresses",
     "{name} не найти: syncd нельзя читать адреса почты"),
    ("more than one group is called {name}: ids {list}", "групп с именем {name} несколько: id {list}"),
    ("no group {name} that syncd's user can see", "пользователь syncd не видит группы {name}"),
    ("no group {name} that syncd's user can see; nearest: {list}",
     "пользователь syncd не видит группы {name}; похожи: {list}"),
    ("the owner is empty", "владелец не указан"),
    ("no {kind} with {what} that syncd's user may see", "пользователь syncd не видит {kind}: {what}"),
    ("a deal cannot be found by {what}", "сделку нельзя найти по {what}"),
    ("{client} has no responsible person", "у {client} нет ответственного"),
    ("{client} has no phone, and a call needs one", "у {client} нет телефона, а звонку он нужен"),
    ("the client was deleted in the CRM since it was looked up", "клиент с тех пор удалён из CRM"),
    ("somebody deleted it in the portal", "кто-то удалил это на портале"),
    ("somebody has completed it; it is left as it is", "кто-то отметил выполненным; оставлено как есть"),
    ("the portal gives no usable answer to it, even sent alone: {reason}",
     "портал не даёт на это годного ответа, даже по отдельности: {reason}"),
    ("the portal answered the create with {id}, the id of an event that is linked already",
     "портал ответил на создание id {id}, который уже связан с другой записью"),
    ("the portal refused it: {reason}", "портал отклонил: {reason}"),
    ("refused without a reason", "отклонено без объяснения"),
    ("the portal asks whether user {user}, the host, may write to {place}; see host in the config",
     "портал проверяет, может ли организатор {user} писать в {place}; см. host в конфигурации"),
    # What syncd says of an entry besides.
    ("the title has {n} characters, the portal holds {of}; it is cut at a word",
     "в названии {n} знаков, портал хранит {of}; обрезано по слову"),
    ("the description takes {n} bytes, the portal holds {of}; it is cut at a word",
     "описание занимает {n} байт, портал хранит {of}; обрезано по слову"),
    ("the location has {n} characters, the portal holds {of}; it is cut",
     "в месте {n} знаков, портал хранит {of}; обрезано"),
    ("the location {name} would book a room of the portal; it is written in brackets",
     "место {name} заняло бы переговорную портала; записано в скобках"),
    ("the {fields} has several lines, the portal shows one; they are joined by blanks",
     "в поле «{fields}» несколько строк, портал показывает одну; соединены пробелами"),
    ("the title is blank", "название пустое"),
    ("the title is \"0\", which the portal takes for none", "название «0» портал считает отсутствующим"),
    ("colour {name} is neither #rrggbb nor a known name; the section's colour is used",
     "цвет {name} не #rrggbb и не известное имя; взят цвет раздела"),
    ("not linked to the CRM: {reason}", "с CRM не связано: {reason}"),
    ("not invited, because they are no active users of the portal: {list}; named in the description",
     "не приглашены, потому что не работают на портале: {list}; названы в описании"),
    ("not invited, because they are no active users of the portal: {list}; {done}",
     "не приглашены, потому что не работают на портале: {list}"),
    ("no copy for {name}: {reason}", "нет копии для {name}: {reason}"),
    ("the host is left to the calendar's owner: {reason}", "организатором остаётся владелец календаря: {reason}"),
    ("the portal knows no time zone like {name}", "портал не знает часового пояса {name}"),
    ("no time zone is called {name}", "часового пояса {name} нет"),
    ("the time zone is not known: {name}; use an IANA name such as Europe/Berlin",
     "часовой пояс не известен: {name}; укажите имя IANA, например Europe/Moscow"),
    ("the recurrence rule cannot be used: {why}; correct RRULE in the source",
     "правило повторения не годится: {why}; исправьте RRULE в источнике"),
    ("the recurrence rule fires too often for a calendar; use a rarer one or give it an end (UNTIL, COUNT)",
     "правило повторения срабатывает слишком часто для календаря; возьмите более редкое или задайте конец (UNTIL,"
     " COUNT)"),
    ("the entry would become {n} portal events, more than {of}; narrow the window, simplify the rule or give it an end"
     " (UNTIL, COUNT)",
     "запись стала бы {n} событиями портала, больше {of}; сузьте окно, упростите правило или задайте конец (UNTIL,"
     " COUNT)"),
    ("the series begins beyond the year 9000", "серия начинается после 9000 года"),
    ("the series has no end, the window neither, and the portal cannot repeat it by itself: it is shown until {day};"
     " bound the window, or let later passes carry it on",
     "у серии нет конца, у окна тоже, а сам портал так повторять не умеет: показано до {day}; ограничьте окно, или"
     " следующие проходы продолжат её"),
    ("an activity holds one reminder: the one nearest to the start is kept",
     "дело хранит одно напоминание: оставлено ближайшее к началу"),
    # What a pass says of its source as a whole.
    ("{reason}; nothing is deleted", "{reason}; ничего не удаляется"),
    ("no entries, where {n} known (removed_after = {of} passes in a row)",
     "нет записей, а известно было {n} (removed_after = {of} проходов подряд)"),
    ("[sync.filter] leaves out all {n} of the source", "[sync.filter] не пропускает ни одной записи источника: {n}"),
    ("rows without an id were recognised by owner and title although their start (or the writing of their title)"
     " changed,"
     " so their events move: {list}; give the rows an id (uid in [sync.source.columns]) to have this certain",
     "строки без id узнаны по владельцу и названию, хотя изменилось начало (или написание названия), поэтому их события"
     " переносятся: {list}; для надёжности дайте строкам id (uid в [sync.source.columns])"),
    ("the source has new uids for {n} of the {of} entries known of it; they were recognised by calendar, title and"
     " start,"
     " so nothing is made twice. {more}",
     "у {n} из {of} известных записей источника новые uid; они узнаны по календарю, названию и началу, поэтому ничего"
     " не"
     " создано дважды. Пусть источник сохраняет uid; где это невозможно, задайте uids = \"content\" в [[sync]]"),
    ("some entries cannot be used and have uids that say nothing, so {n} gone from the source may be theirs and stay;"
     " fix"
     " those entries",
     "часть записей негодна, а их uid ничего не говорят, поэтому исчезнувшие из источника ({n}) могут быть ими и"
     " остаются;"
     " исправьте эти записи"),
    # Guards.
    ("{sync}: {n} of {of} known entries are gone from the source and would be deleted, more than max_removed = {limit}"
     " allows ({list}); nothing was sent",
     "{sync}: из источника исчезло {n} из {of} известных записей, и они были бы удалены; max_removed = {limit}"
     " столько не"
     " допускает ({list}); ничего не отправлено"),
    ("check the source; if this is right, run once with --force or raise max_removed in [[sync]] {sync}",
     "проверьте источник; если всё верно, запустите один раз с --force или увеличьте max_removed в [[sync]] {sync}"),
    ("{sync}: the events of {n} of {of} known entries no longer exist in the portal and would be created again, more"
     " than"
     " max_changed = {limit} allows ({list}); nothing was sent",
     "{sync}: событий {n} из {of} известных записей на портале больше нет, и они были бы созданы заново; max_changed ="
     " {limit} столько не допускает ({list}); ничего не отправлено"),
    ("check that syncd's user can still see these calendars; if people have deleted the events, run once with"
     " --force or raise max_changed in [[sync]] {sync}",
     "проверьте, видит ли пользователь syncd эти календари; если события удалили люди, запустите один раз с --force"
     " или"
     " увеличьте max_changed в [[sync]] {sync}"),
    ("{sync}: {n} of {of} known entries would change, more than max_changed = {limit} allows ({list}); nothing was"
     " sent",
     "{sync}: изменилось бы {n} из {of} известных записей; max_changed = {limit} столько не допускает ({list});"
     " ничего не"
     " отправлено"),
    ("look at `syncd plan {sync}`; if this is right, run once with --force or raise max_changed in [[sync]] {sync2}",
     "посмотрите `syncd plan {sync}`; если всё верно, запустите один раз с --force или увеличьте max_changed в [[sync]]"
     " {sync}"),
    ("{sync}: {n} of {of} events can no longer be seen in the portal and would be forgotten; nothing was sent,"
     " nothing is"
     " forgotten",
     "{sync}: {n} из {of} событий на портале больше не видны и были бы забыты; ничего не отправлено и не забыто"),
    ("may syncd's user still see these calendars? If people have deleted the events, run it with --force",
     "видит ли пользователь syncd эти календари? Если события удалили люди, запустите с --force"),
    ("{sync}: it has written {n} items to {old}, but {portal} is {new} now; nothing was sent",
     "{sync}: записано {n} событий на {old}, а {portal} теперь {new}; ничего не отправлено"),
    ("another portal: give this config a `state` file of its own; the same one under a new address: run `syncd sync"
     " {sync} --force` once",
     "другой портал: дайте этой конфигурации свой файл `state`; тот же под новым адресом: запустите один раз `syncd"
     " sync"
     " {sync} --force`"),
    # What stops a pass or a portal.
    ("operating time of {method}", "операционное время метода {method}"),
    ("the request rate", "частота запросов"),
    ("{origin} refuses the webhook: {reason}", "{origin} не принимает вебхук: {reason}"),
    ("{origin} refuses the application: {reason}", "{origin} не принимает приложение: {reason}"),
    ("{origin} does not let anything through: {reason}", "{origin} ничего не пропускает: {reason}"),
    ("{origin} refuses everything: {reason}", "{origin} отклоняет всё: {reason}"),
    ("{origin} does not answer: {reason}", "{origin} не отвечает: {reason}"),
    ("the portal refused {method}: {reason}", "портал отклонил {method}: {reason}"),
    ("{method} was not answered: {reason}", "на {method} нет ответа: {reason}"),
    ("it gave no reason", "без объяснения"),
    ("no connection in time", "нет соединения за отведённое время"),
    ("no secure connection", "нет защищённого соединения"),
    ("no secure connection: {why}", "нет защищённого соединения: {why}"),
    ("no answer within {n} s", "нет ответа за {n} с"),
    ("the connection broke ({why})", "соединение оборвалось ({why})"),
    ("HTTP {status} without readable JSON{kind}", "HTTP {status} без читаемого JSON{kind}"),
    ("HTTP {status} with JSON that is not an answer", "HTTP {status} с JSON, который не ответ портала"),
    ("HTTP {status} without a result", "HTTP {status} без результата"),
    ("the answer is not of the documented form", "ответ не того вида, что в документации"),
    ("the next pass tries again", "следующий проход попробует снова"),
    ("try again later", "попробуйте позже"),
    ("is it up, and is the address right?", "работает ли он и верен ли адрес?"),
    ("no progress for {n} minutes", "нет движения уже {n} мин"),
    ("the portal refused all {n} changes", "портал отклонил все изменения: {n}"),
    ("syncd ended in the middle of this pass", "syncd завершился посреди этого прохода"),
    ("the memory that syncd may use was not enough; nothing was sent that is not written down",
     "не хватило памяти, отведённой syncd; всё отправленное записано"),
    ("let it have more (MemoryMax in its unit), or divide a large source among several syncs",
     "дайте больше (MemoryMax в его юните) или разделите большой источник на несколько синхронизаций"),
    ("a defect of syncd: {why}", "ошибка в самом syncd: {why}"),
    # What to do about refusals.
    ("the webhook was removed, mistyped or has expired, its code was made anew because an administrator edited it, or"
     " the"
     " vendor has blocked it because its code was found in public: create a new inbound webhook in the portal and put"
     " its"
     " address into the config",
     "вебхук удалён, набран с ошибкой или истёк, его код обновился после правки администратором, или разработчик"
     " заблокировал его, найдя код в открытом доступе: создайте на портале новый входящий вебхук и впишите его адрес в"
     " конфигурацию"),
    ("REST needs a commercial plan and, where the vendor sells it apart, the Market subscription or its trial: in the"
     " portal, My plan > Market",
     "REST нужен коммерческий тариф, а где подписка на Маркет продаётся отдельно, то и она или её пробный период: на"
     " портале, Мой тариф > Маркет"),
    ("give the webhook, or the application, the scopes calendar, user_basic, sonet_group and, for activities, crm",
     "дайте вебхуку или приложению права calendar, user_basic, sonet_group и, для дел, crm"),
    ("syncd's user may not write to this calendar: let syncd work as an administrator, or have the right to edit"
     " granted in the calendar's settings",
     "пользователь syncd не может писать в этот календарь: пусть syncd работает от имени администратора, или выдайте"
     " право редактирования в настройках календаря"),
    ("syncd's user may not change this card: give them the right in the CRM",
     "пользователь syncd не может менять эту карточку: дайте ему право в CRM"),
    ("syncd's user is dismissed: create a webhook of an active user",
     "пользователь syncd уволен: создайте вебхук действующего сотрудника"),
    ("syncd's user is an extranet user: let syncd work as an employee",
     "пользователь syncd из экстранета: пусть syncd работает от имени сотрудника"),
    ("syncd's user has no right to this", "у пользователя syncd нет на это права"),
    ("the portal's licence does not allow this", "лицензия портала этого не позволяет"),
    ("the vendor has blocked the REST API of this portal by hand: contact its support",
     "разработчик вручную заблокировал REST API этого портала: обратитесь в поддержку"),
    ("do other programs use up the portal's operating time? see `syncd portal limits`",
     "не расходуют ли операционное время портала другие программы? см. `syncd portal limits`"),
    ("the section was deleted or is hidden from syncd's user; the next pass looks for it again, by its name",
     "раздел удалён или скрыт от пользователя syncd; следующий проход снова поищет его по имени"),
    ("is the calendar switched on in this group or company? make the section by hand, or name another in section",
     "включён ли календарь в этой группе или компании? создайте раздел вручную или укажите другой в section"),
    ("the portal does not take this title: change it in the source", "портал не принимает это название: измените его"),
    ("the portal does not take this description: change it in the source",
     "портал не принимает это описание: измените его"),
    ("the portal gives no reason; most often {reason}, or so may not the host",
     "портал не объясняет; чаще всего {reason}, или этого не может организатор"),
    ("the portal gives no reason; most often {reason}, or the event is gone",
     "портал не объясняет; чаще всего {reason}, или события больше нет"),
    ("it is gone already, or {reason}", "этого уже нет, или {reason}"),
    # What is wrong with a source (source/).
    ("{path}: No such file or directory", "{path}: такого файла нет"),
    ("{path}: Permission denied", "{path}: нет доступа"),
    ("{path}: there is not {what}", "{path}: нет {what}"),
    ("check path in [sync.source]", "проверьте path в [sync.source]"),
    ("{name} is empty", "{name}: файл пуст"),
    ("{name} has no rows", "{name}: нет строк"),
    ("{name} is an HTML page, not {what}", "{name}: это страница HTML, а не {what}"),
    ("{name} is a binary file, not {what}, or was only half written",
     "{name}: это двоичный файл, а не {what}, или он записан наполовину"),
    ("{name} has more than {n} bytes, or the files before it had", "{name}: больше {n} байт вместе с предыдущими"),
    ("{name} is not iCalendar: there is no BEGIN:VCALENDAR in it", "{name}: не iCalendar, в нём нет BEGIN:VCALENDAR"),
    ("{where}: no column {column} for {field}", "{where}: нет столбца {column} для {field}"),
    ("{where}: columns {list} are both called {column}", "{where}: столбцы {list} оба называются {column}"),
    ("{name} has no sheet {sheet}", "{name}: нет листа {sheet}"),
    ("{name} did not send everything within {n} s", "{name}: не всё получено за {n} с"),
    ("there is no title", "нет названия"),
    ("there is no start", "нет начала"),
    ("there is no title (fill it in)", "нет названия (впишите)"),
    ("there is no {field} (fill it in)", "нет поля {field} (впишите)"),
    ("there is no start time beside the end time (fill it in)", "есть время конца, но нет времени начала (впишите)"),
    ("the end is before the start", "конец раньше начала"),
    ("end is before start", "конец раньше начала"),
    ("end is before start ({end} is before {start}; correct one)",
     "конец раньше начала ({end} раньше {start}; исправьте одно из двух)"),
    ("end is before start ({end} is before {start})", "конец раньше начала ({end} раньше {start})"),
    ("the end lies past the year 9999", "конец после 9999 года"),
    ("the time has no zone (set timezone = \"Europe/Moscow\" or the like in [[sync]])",
     "у времени нет часового пояса (задайте timezone = \"Europe/Moscow\" или подобное в [[sync]])"),
    ("{field} {text} is not a date (write it like {like})", "{field} {text}: не дата (пишите как {like})"),
    ("{field} {text} is not a date or a time (write it like {like})",
     "{field} {text}: не дата и не время (пишите как {like})"),
    ("{text} is not a date (write it like {like})", "{text}: не дата (пишите как {like})"),
    ("{text} is not a date or a time (write it like {like})", "{text}: не дата и не время (пишите как {like})"),
    ("{text} is not a time (write it like 9:00, 21:30 or 9:30 pm)", "{text}: не время (пишите как 9:00 или 21:30)"),
    ("{text} could be read day first or month first (set dates = \"dmy\" or \"mdy\")",
     "{text}: непонятно, где день, а где месяц (задайте dates = \"dmy\" или \"mdy\")"),
    ("there is no day {day} (correct it)", "дня {day} нет (исправьте)"),
    ("there is no DTSTART", "нет DTSTART"),
    ("the row has only {n} of {of} cells (is it cut off? complete it)",
     "в строке только {n} из {of} ячеек (обрезана? дополните)"),
    ("{where} has the same uid{more}", "{where}: тот же uid{more}"),
    # What is wrong with the state.
    ("{path} is damaged: {why}", "{path} повреждён: {why}"),
    ("no room left to write {path}", "нет места, чтобы записать {path}"),
    ("make room on that disk; nothing is lost, syncd goes on where it was",
     "освободите место на диске; ничего не потеряно, syncd продолжит с того же места"),
    ("{path} is held by another program: {why}", "{path} занят другой программой: {why}"),
    ("close whatever has the file open for writing", "закройте то, что держит файл открытым для записи"),
    ("{path} cannot be read or written: {why}", "{path} не читается и не пишется: {why}"),
    ("{path} cannot be opened for this: {why}", "{path} не открыть для этого: {why}"),
    ("{path} is gone: it was deleted, moved or replaced while syncd works with it",
     "{path} исчез: удалён, перенесён или заменён, пока syncd с ним работает"),
    # What is wrong with the config, and what to do: the form that the checks of it share.
    ("{where} is not a known key", "{where}: такого ключа нет"),
    ("{where} is missing", "{where}: отсутствует"),
    ("did you mean {name}?", "может быть, {name}?"),
    ("known here: {list}", "здесь известны: {list}"),
    ("see on_unresolved", "см. on_unresolved"),
    ("use the id or the e-mail", "укажите id или почту"),
    ("name another owner or an alias", "укажите другого владельца или псевдоним"),
    ("see owner, owners and on_unresolved in [sync.target]", "см. owner, owners и on_unresolved в [sync.target]"),
)  # fmt: skip
