from __future__ import annotations

from pathlib import Path

import pytest

from visavis.dialogue.knowledge import SHIPPED, KnowledgeError, load

GOOD = """
format: visavis-knowledge
version: 1
aliases: {visavis: [vis a vis]}
entries:
  - id: hours
    questions: {en: [When are you open]}
    answers: {en: From nine to five.}
"""


def write(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_file_is_bilingual_and_fit_for_speaking() -> None:
    knowledge = load()
    assert len(knowledge.entries) >= 25
    for entry in knowledge.entries:
        assert set(entry.questions) == set(entry.answers) == {"en", "zh"}, entry.id
        assert all(len(questions) >= 3 for questions in entry.questions.values()), entry.id
        for language, text in entry.answers.items():
            assert not set(text) & set("*`#/\\<>{}[]@=()（）"), (entry.id, text)
            assert len(text) <= (220 if language == "en" else 80), (entry.id, text)
            assert text[-1] in ".?!。？！", (entry.id, text)
    questions = [q.casefold() for e in knowledge.entries for qs in e.questions.values() for q in qs]
    assert len(questions) == len(set(questions))


def test_files_are_joined(tmp_path: Path) -> None:
    knowledge = load([SHIPPED, write(tmp_path, GOOD)])
    assert knowledge.entries[-1].id == "hours"
    assert knowledge.aliases["微萨维"] == "visavis"


def test_an_answer_falls_back_to_the_language_there_is(tmp_path: Path) -> None:
    entry = load([write(tmp_path, GOOD)]).entries[0]
    assert entry.answer("en") == ("From nine to five.", "en")
    assert entry.answer("zh") == ("From nine to five.", "en")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("    answers: {en: From nine to five.}\n", ""), r"mine\.yaml: entry 'hours' answers: Field required"),
        (("{en: [When are you open]}", "{fr: [Quand]}"), "entry 'hours' questions"),
        (("{en: [When are you open]}", "{en: []}"), r"entry 'hours' questions\.en"),
        (("id: hours", "id: 'a b'"), "entry 'a b' id"),
        (("    answers", "    anwsers"), "anwsers"),
        (("version: 1", "version: 2"), "version"),
        (("entries:", "entries: ["), r"mine\.yaml line \d+: not YAML"),
        (("format: visavis-knowledge", "format: other"), "format"),
    ],
)
def test_a_bad_file_says_where_it_is_wrong(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(KnowledgeError, match=message):
        load([write(tmp_path, GOOD.replace(*change))])


def test_other_bad_files(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match=r"none\.yaml: cannot be read: No such file"):
        load([tmp_path / "none.yaml"])
    with pytest.raises(KnowledgeError, match="wanted a mapping"):
        load([write(tmp_path, "- a\n")])
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff\xfe\n")
    with pytest.raises(KnowledgeError, match="not UTF-8"):
        load([tmp_path / "latin.yaml"])
    with pytest.raises(KnowledgeError, match="'hours' exists twice"):
        load([write(tmp_path, GOOD), write(tmp_path, GOOD, "again.yaml")])
    with pytest.raises(KnowledgeError, match="no knowledge file"):
        load([])


def test_yaml_cannot_run_code(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="not YAML"):
        load([write(tmp_path, "a: !!python/object/apply:os.system ['true']\n")])
