"""The encoding of timetables of a few lines, as programs of ten years ago still write them."""

from __future__ import annotations

from time import perf_counter

import pytest

from syncd.errors import SourceError
from syncd.source.encodings import find_encoding

RUSSIAN = """Дата;Время;Предмет;Преподаватель;Кабинет
01.12.2026;08:30;Русский язык;Ёлкина А.П.;каб. 12
02.12.2026;09:25;Физика (лабораторная);Щербаков С.И.;каб. 31
03.12.2026;10:20;Объединённый классный час;Иванова Е.В.;актовый зал
"""
RUSSIAN_CAPITALS = "ДАТА;СМЕНА;СОТРУДНИК\n01.12.2026;НОЧНАЯ;ПЕТРОВ\n02.12.2026;ДНЕВНАЯ;СИДОРОВА\n"
UKRAINIAN = "Дата;Предмет\n01.12.2026;Українська мова\n02.12.2026;Історія України\n03.12.2026;Англійська мова\n"
GERMAN = "Datum;Fach;Lehrer\n01.12.2026;Französisch;Fr. Schröder\n02.12.2026;Übung;Hr. Groß\n03.12.2026;Prüfung;Jäger\n"
FRENCH = (
    "Matière;Début;Salle\nPremière séance;01/12/2026;Bibliothèque\nFête de Noël;02/12/2026;Château\nÀ confirmer;;\n"
)
POLISH = "Zajęcia;Początek;Sala\nJęzyk polski;01.12.2026;Świetlica\nĆwiczenia z fizyki;02.12.2026;Łódź\nŻeglarstwo;;\n"
CZECH = "Předmět;Začátek\nČeský jazyk;01.12.2026\nDějepis;02.12.2026\nTělesná výchova;03.12.2026\nŠkolní výlet;\n"
SPANISH = "Asignatura;Aula\nEspañol;Salón de actos\nMatemáticas;Niños y niñas\n"
HUNGARIAN = "Tantárgy;Terem\nTörténelem;Győr\nFöldrajz;Műhely\n"
TURKISH = "Ders;Salon\nTürkçe;Çalışma odası\nİngilizce;Öğretmen\n"
WIDE = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")


@pytest.mark.parametrize(
    ("text", "encodings"),
    [
        (RUSSIAN, (*WIDE, "cp1251", "koi8-r", "cp866", "mac-cyrillic", "iso8859-5")),
        (RUSSIAN_CAPITALS, ("cp1251", "koi8-r", "cp866", "mac-cyrillic", "iso8859-5")),
        (UKRAINIAN, ("cp1251", "koi8-u", "mac-cyrillic")),
        (GERMAN, (*WIDE, "latin-1", "cp1252", "cp1250", "cp850", "mac-roman")),
        (FRENCH, (*WIDE, "latin-1", "cp1252", "cp850", "mac-roman")),
        (POLISH, (*WIDE, "cp1250", "iso8859-2", "cp852")),
        (CZECH, (*WIDE, "cp1250", "iso8859-2", "cp852")),
        (SPANISH, ("cp1252", "cp850", "mac-roman")),
        (HUNGARIAN, ("cp1250", "iso8859-2", "cp852")),
        (TURKISH, ("cp1254",)),
    ],
    ids=["ru", "RU", "uk", "de", "fr", "pl", "cs", "es", "hu", "tr"],
)
def test_a_timetable_is_read_as_its_author_wrote_it(text: str, encodings: tuple[str, ...]) -> None:
    for encoding in encodings:
        content = text.encode(encoding)
        found = find_encoding(content, name="plan.csv")
        # Two encodings may have the same bytes for these words; which of them is named does not matter.
        assert content.decode(found).removeprefix("\ufeff") == text, (encoding, found)


def test_every_line_alone_is_read_right_or_refused() -> None:
    wrong = []
    for text, encodings in (
        (RUSSIAN, ("cp1251", "koi8-r", "cp866")), (GERMAN, ("cp1252",)), (POLISH, ("cp1250",)), (CZECH, ("cp1250",)),
        (FRENCH, ("cp1252",)),
    ):  # fmt: skip
        for line in text.splitlines():
            for encoding in encodings:
                content = line.encode(encoding)
                try:
                    found = find_encoding(content, name="plan.csv")
                except SourceError:
                    continue
                if content.decode(found) != line:
                    wrong.append((encoding, found, line))
    assert wrong == []


def test_a_word_that_mixes_scripts_proves_a_guess_wrong() -> None:
    assert find_encoding("1,Müller".encode("cp1252"), name="a.csv") == "cp1252"
    # A Latin letter typed for a Cyrillic one, and words of both scripts, are what people write.
    assert find_encoding("1;Cбор у вахты;webинар;SMS-центр".encode("cp1251"), name="a.csv") == "cp1251"


def test_what_reads_well_in_two_ways_is_an_error_with_both_readings_and_the_key() -> None:
    with pytest.raises(SourceError) as caught:
        find_encoding("Урок".encode("mac-cyrillic"), name="a.csv")
    assert "a.csv is not UTF-8, and its encoding cannot be told" in caught.value.message
    assert "mac-cyrillic reads 'Урок'" in caught.value.message
    assert "encoding in [sync.source]" in caught.value.remedy


@pytest.mark.parametrize(
    "content", ["会議室の予約、月曜日".encode("shift_jis"), "ห้องประชุม วันจันทร์".encode("cp874"), b"\xff"]
)
def test_a_script_that_is_not_known_is_refused_and_not_written_as_another(content: bytes) -> None:
    with pytest.raises(SourceError, match="cannot be told"):
        find_encoding(b"ID,Title\n1," + content, name="a.csv")


def test_a_large_file_is_judged_by_a_sample_and_its_first_word_may_come_late() -> None:
    content = b"2026-12-01;Room 5\n" * 50_000 + RUSSIAN.encode("koi8-r") * 2_000
    assert find_encoding(content, name="a.csv") == "koi8-r"


@pytest.mark.parametrize("rows", [("Урок физики", "Совещание отдела"), ("Урок", "Физика"), ("Собрание", "Уборка")])
def test_capitals_of_a_mac_are_no_quotation_marks_of_windows(rows: tuple[str, ...]) -> None:
    content = "".join(f"{number};{row};05.12.2026\n" for number, row in enumerate(rows)).encode("mac-cyrillic")
    try:
        assert find_encoding(content, name="plan.csv") == "mac-cyrillic"
    except SourceError as error:
        assert "mac-cyrillic" in str(error)


def test_a_short_text_is_not_doubted_for_a_reading_with_hyphens_inside_its_words() -> None:
    assert find_encoding("1;Ура\n2;а\n".encode("cp1251"), name="plan.csv") == "cp1251"


@pytest.mark.parametrize(
    ("first", "then"), [("Урок", "Физика, химия"), ("Ёж", "Математика"), ("Müller", "Größe, Übung")]
)
def test_a_file_of_two_encodings_is_utf8_so_that_its_other_lines_are_told(first: str, then: str) -> None:
    content = f"1;{first}\n".encode() + f"2;{then}\n".encode("cp1252" if then.startswith("G") else "cp1251")
    assert find_encoding(content, name="plan.csv") == "utf-8"


def one_word(word: str, encoding: str) -> str:
    """Return a file of one word beyond ASCII as it is read, "" if the encoding is said to be unknown."""
    content = f"title,start\n{word},2026-12-01\n".encode(encoding)
    try:
        return content.decode(find_encoding(content, name="a.csv")).split("\n")[1].split(",")[0]
    except SourceError:
        return ""


WORDS = (
    "Ёлка ёлка Ёж Ёмкость Ёршова Юрий Эдуард Элла Эльвира Эмма сад шаг чай ряд рад Урок Смена Дежурство Её её Физика"
    " День Ночь Отпуск Собрание Планёрка Звонок Обед Приём Врач Пётр Анна Иван Ольга ОТПУСК УТРО НОЧЬ Щербаков ещё всё"
)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1251", "cp866", "koi8-r", "mac-cyrillic", "iso8859-5"])
def test_a_single_short_word_is_read_right_or_its_encoding_is_asked_for(encoding: str) -> None:
    # Two letters of the rarest encoding are as well two of another.
    words = WORDS.split() if encoding == "iso8859-5" else [*WORDS.split(), "Пн", "Вт"]
    read = {word: one_word(word, encoding) for word in words}
    assert {word: found for word, found in read.items() if found not in ("", word)} == {}
    if encoding in ("utf-8", "cp1251"):
        assert sum(map(bool, read.values())) >= len(read) * 4 // 5


@pytest.mark.parametrize("word", ["会議", "早", "日本語", "Zoë", "à", "ω", "שלום", "نوبت", "☎", "🎄", "—", "é", "в"])
def test_short_words_of_utf8_stay_utf8(word: str) -> None:
    assert one_word(word, "utf-8") == word


def test_a_letter_that_nobody_writes_is_told_with_both_readings() -> None:
    reading = r"a\.csv may not be UTF-8, .*: cp866 reads 'сад', utf-8 reads 'ᠤ'"
    with pytest.raises(SourceError, match=reading) as caught:
        find_encoding("a,сад".encode("cp866"), name="a.csv")
    # Saved as UTF-8 it would have the same bytes.
    assert str(caught.value).endswith('such as encoding = "cp866", or "utf-8" if it is that)')


def test_a_word_of_a_million_letters_is_looked_through_once() -> None:
    started = perf_counter()
    assert find_encoding(b"x" * 1_000_000 + " \u2192 ".encode(), name="a.csv") == "utf-8"
    assert perf_counter() - started < 2.0
