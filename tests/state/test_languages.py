"""What is told to people is kept as message and values, in either store, so that each reads it in his language."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from syncd.config.database import Database
from syncd.lang.catalog import told
from syncd.lang.saying import say
from syncd.model.entry import Problem
from syncd.model.labels import labels
from syncd.model.record import RunRecord, Settlement, ToldTrouble, Unsettled, refusal, refused_for
from syncd.model.settled import Circumstances, Findings, Settled
from syncd.portal.line.remedies import explained, meaning_of
from syncd.state.ledger import Ledger
from tests.state.values import SYNC, hold, intent

DENIED = explained("Доступ запрещен", meaning_of("calendar.event.update", "", "Доступ запрещен"))
EDITED = say("edited in the portal: {what}", what=labels(("name", "start")))


async def again(ledger: Ledger, place: Path | Database) -> Ledger:
    await ledger.close()
    return await Ledger.open(place, now=5000.0)


async def test_the_reason_of_a_hold_is_read_in_either_language_by_a_later_process(
    ledger: Ledger, place: Path | Database
) -> None:
    await ledger.of(SYNC).hold([hold("a", reason=EDITED), hold("b", reason="what an older version wrote")])
    later = await again(ledger, place)
    edited, older = await later.of(SYNC).holds()
    await later.close()
    assert (told(edited.reason, "en"), told(edited.reason, "ru")) == (
        "edited in the portal: name, start",
        "изменено на портале: название, начало",
    )
    assert told(older.reason, "ru") == "what an older version wrote"


async def test_the_problems_and_the_error_of_an_old_run_are_read_in_either_language(ledger: Ledger) -> None:
    run_id = await ledger.of(SYNC).begin_run(1.0)
    where = say("{name}: {answer}", name="google", answer=EDITED)  # as a source with several calendars tells its place
    problem = Problem(where=where, kind="held", reason=DENIED)
    error = say("its calendar could not be read")
    record = RunRecord(id=run_id, sync=SYNC, started=1.0, finished=2.0, state="failed", error=error)
    await ledger.of(SYNC).end_run(run_id, replace(record, problems=(problem,), problem_count=1))
    run = await ledger.of(SYNC).last_pass()
    assert run is not None
    assert run.problems[0].reason == DENIED
    russian = told(run.problems[0].reason, "ru")
    assert russian.startswith("Доступ запрещен (пользователю syncd нельзя писать в этот календарь")
    assert told(run.problems[0].where, "ru") == "google: изменено на портале: название, начало"
    assert told(run.error, "ru") == "не удалось прочитать его календарь"


async def test_a_run_that_a_crash_has_ended_says_so_in_either_language(ledger: Ledger, place: Path | Database) -> None:
    await ledger.of(SYNC).begin_run(1000.0)
    later = await again(ledger, place)
    await later.of(SYNC).end_left_runs(5000.0)
    run = await later.of(SYNC).last_pass()
    await later.close()
    assert run is not None
    assert run.error == "syncd ended in the middle of this pass"
    assert told(run.error, "ru") == "syncd завершился посреди этого прохода"


async def test_a_refusal_in_doubt_keeps_its_reason_until_somebody_has_looked(ledger: Ledger) -> None:
    run_id = await ledger.of(SYNC).begin_run(1.0)
    (number,) = await ledger.of(SYNC).reserve_ids(1)
    await ledger.of(SYNC).intend(run_id, [intent(number, run_id)])
    outcome = Unsettled(reason=refusal(DENIED), ended=True)
    await ledger.of(SYNC).settle(run_id, [Settlement(intent_id=number, outcome=outcome, at=2.0)])
    (left,) = await ledger.of(SYNC).open_intents()
    reason = refused_for(left.note)
    assert reason == DENIED
    assert reason is not None
    assert "нельзя писать" in told(reason, "ru")


def test_a_refusal_that_an_older_version_noted_is_one_still() -> None:
    assert refused_for("refused: Access denied") == "Access denied"
    assert refused_for("no answer within 60 s") is None
    assert refused_for(say("no answer within {seconds:g} s", seconds=60)) is None


async def test_what_a_settled_pass_told_is_told_again_in_either_language(ledger: Ledger) -> None:
    mark = Circumstances(source="a", settings="b", days="c", directory="d", ledger="e")
    problem = Problem(where=say("stands twice"), kind="warning", reason=EDITED)
    findings = Findings(
        unchanged=1, held=0, rejected=0, skipped=0, known_uids=1, complete=False,
        incomplete_because=say("stands twice"), problems=(problem,),
    )  # fmt: skip
    await ledger.of(SYNC).note_settled(Settled(circumstances=mark, since=1.0, until=None, findings=findings))
    settled = await ledger.of(SYNC).settled()
    assert settled is not None
    assert told(settled.findings.incomplete_because, "ru") == "стоит дважды"
    assert told(settled.findings.problems[0].where, "ru") == "стоит дважды"
    assert told(settled.findings.problems[0].reason, "ru") == "изменено на портале: название, начало"


async def test_an_alert_remembers_the_message_that_people_were_told(ledger: Ledger) -> None:
    await ledger.note_told_alerts({"a": ToldTrouble(text=EDITED, portal="main")}, 1.0)
    trouble = (await ledger.told_alerts())["a"]
    assert (trouble.text, trouble.portal) == (EDITED, "main")
    assert told(trouble.text, "ru") == "изменено на портале: название, начало"


async def test_values_are_cleaned_of_secrets_before_they_are_kept(ledger: Ledger) -> None:
    ledger.thread.clean = lambda text: text.replace("hunter2hunter2", "***")
    await ledger.of(SYNC).hold([hold("a", reason=explained("hunter2hunter2 is wrong", EDITED))])
    (kept,) = await ledger.of(SYNC).holds()
    assert told(kept.reason, "ru") == "*** is wrong (изменено на портале: название, начало)"
