"""Words that are read in another way: where they are found, what they become, and that nothing else changes."""

from __future__ import annotations

import random
import time
import unicodedata
from pathlib import Path

import pytest

from visavis.errors import VisavisError
from visavis.speech import ipa, pinyin, say_as
from visavis.speech.clauses import split
from visavis.speech.g2p import Phonemiser
from visavis.speech.lexicon import Entry, Lexicon, Reading, composed, from_json, load, moved, to_json
from visavis.speech.normalise import normalise
from visavis.speech.readings import Readings
from visavis.speech.types import Language


@pytest.fixture(scope="module")
def phonemes() -> Phonemiser:
    return Phonemiser()


def found(entries: dict[str, str], text: str) -> list[tuple[str, str]]:
    lexicon = Lexicon(Entry(word, "alias", value) for word, value in entries.items())
    readings = lexicon.find(composed(text))
    assert all(composed(text)[one.start : one.end] == one.word for one in readings)
    return [(one.word, one.value) for one in readings]


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        ("art", "Art starts an art, ARTS of heART art", ["Art", "art", "art"]),
        ("IT", "It is IT, with it.", ["IT"]),
        ("GPU", "用GPU的 GPUs、GPU's and GPU-based ＧＰＵ", ["GPU", "GPU", "GPU", "ＧＰＵ"]),
        ("iPhone", "an IPHONE", ["IPHONE"]),
        ("don", "don't, Don, don's donut", ["Don", "don"]),
        ("5", "5, 2.5, 5.0, 15, 5", ["5", "5"]),
        ("2024", "12024 2024年 2,024", ["2024"]),
        ("New York", "new york New\u00a0York NewYork", ["new york", "New\u00a0York"]),
        ("南京 南京市长", "南京市长江，南京", ["南京市长", "南京"]),
        ("市长 南京市", "南京市长", ["南京市"]),
        ("C++", "C++ and C", ["C++"]),
        ("café", "cafe\u0301, cafés", ["café"]),
        ("重庆", "我在重庆重庆。", ["重庆", "重庆"]),
    ],
)
def test_words_are_found_whole_and_the_longer_one_wins(words: str, text: str, expected: list[str]) -> None:
    names = [words] if words in ("New York",) else words.split(" ")
    assert [word for word, _ in found(dict.fromkeys(names, "x"), text)] == expected


def test_capitals_choose_between_entries_and_the_later_entry_counts() -> None:
    assert found({"US": "country", "us": "we"}, "US us Us") == [("US", "country"), ("us", "we"), ("Us", "we")]
    twice = Lexicon([Entry("a", "alias", "first"), Entry("a", "alias", "second"), Entry(" ", "alias", "x")])
    assert [one.value for one in twice.find("a")] == ["second"]
    assert not Lexicon([])


def test_places_that_are_read_already_are_left_alone() -> None:
    lexicon = Lexicon([Entry("重庆", "alias", "x"), Entry("庆", "alias", "y")])
    taken = (Reading(1, 2, "重", "pinyin", "chong2"),)
    assert lexicon.find("在重庆重庆", taken) == (
        taken[0],
        Reading(2, 3, "庆", "alias", "y"),
        Reading(3, 5, "重庆", "alias", "x"),
    )
    assert moved(lexicon.find("在重庆"), 1, 3) == (Reading(0, 2, "重庆", "alias", "x"),)
    assert moved(lexicon.find("在重庆"), 2, 3) == ()


def test_what_a_text_needs_of_a_lexicon_finds_the_same_in_it() -> None:
    dice = random.Random(1)
    words = ["".join(dice.choices("ab 重庆5A", k=dice.randint(1, 4))) for _ in range(60)]
    whole = Lexicon(Entry(word, "alias", str(number)) for number, word in enumerate(words))
    for _ in range(200):
        text = "".join(dice.choices("ab 重庆5A.", k=30))
        assert whole.within(text).find(text) == whole.find(text)
    assert whole.within("nothing of it").entries == ()


def test_a_thousand_words_that_are_nearly_the_same_take_no_time() -> None:
    lexicon = Lexicon(Entry("a" * length + "b", "alias", "x") for length in range(1, 501))
    lexicon = Lexicon([*lexicon.entries, *(Entry(f"词{number}", "alias", "y") for number in range(500))])
    text = "a" * 2000 + "词499"
    began = time.process_time()
    assert [one.word for one in lexicon.find(text)] == ["词499"]
    assert time.process_time() - began < 2


def test_a_lexicon_goes_through_a_file(tmp_path: Path) -> None:
    path = tmp_path / "words.json"
    lexicon = Lexicon([Entry("重庆", "pinyin", "chong2 qing4"), Entry("New York", "linked")])
    path.write_text(to_json(lexicon), "utf-8")
    assert load(path).entries == lexicon.entries
    assert load(path) is load(path)
    for damaged in ("{", "[]", '{"format": "visavis-lexicon", "version": 1, "entries": [["a", "magic", "b"]]}'):
        with pytest.raises(VisavisError, match="no lexicon"):
            from_json(damaged)
    with pytest.raises(VisavisError, match="no lexicon"):
        load(tmp_path / "nowhere.json")


# --- what values mean -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "count", "read"),
    [
        ("chong2 qing4", 2, "chong2 qing4"),
        ("CHONG2QING4", 2, "chong2 qing4"),
        ("lǚxíng", 2, "lü3 xing2"),
        ("lv3 xing2", 2, "lü3 xing2"),
        ("lu:e4", 1, "lüe4"),
        ("nüe4", 1, "nüe4"),
        ("xian1", 1, "xian1"),
        ("xian", 2, "xi5 an5"),
        ("xi'an", None, "xi5 an5"),
        ("nǚér", 2, "nü3 er2"),
        ("wan2r", None, "wan2 er5"),
        ("de0", 1, "de5"),
    ],
)
def test_pinyin(written: str, count: int | None, read: str) -> None:
    assert " ".join(pinyin.syllables(written, count)) == read


@pytest.mark.parametrize("wrong", ["", "bank", "chong6", "中国", "4", "zh1", "chong2 qing4 shi4", "a" * 5000])
def test_what_is_no_pinyin_for_two_characters(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"pinyin|syllable"):
        pinyin.syllables(wrong, 2)


def test_the_synthesiser_speaks_every_syllable(phonemes: Phonemiser) -> None:
    from pypinyin import pinyin_dict
    from pypinyin.contrib.tone_convert import to_normal

    for syllable in sorted(pinyin.SYLLABLES):
        assert phonemes("\U000f0000", (Reading(0, 1, "字", "pinyin", f"{syllable}1"),)), syllable
    # All readings of the dictionary that the voices use, but for a dozen of dialects and onomatopoeia.
    known = {to_normal(one).replace("v", "ü") for ones in pinyin_dict.pinyin_dict.values() for one in ones.split(",")}
    assert len(known - pinyin.SYLLABLES) <= 15, known - pinyin.SYLLABLES


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("/ˈrekərd/", "ɹˈɛkəɹd"),
        ("rɪˈkɔːd", "ɹɪkˈɔd"),
        ("[dʒɪf]", "ʤˈɪf"),
        ("/ˈtʃɜː(r)tʃ/", "ʧˈɜɹʧ"),
        ("/ˈbʌtn̩/", "bˈʌtᵊn"),
        ("həlˈoʊ", "həlˈO"),
        ("/həˈləʊ/; /heˈləʊ/", "həlˈO"),
        ("'ju:nɪks", "jˈunɪks"),
    ],
)
def test_phonetic_symbols(printed: str, said: str) -> None:
    assert ipa.to_phonemes(printed) == said


@pytest.mark.parametrize("wrong", ["", "tʃ", "日", "K AH0 D", "ɠa", "ˈ"])
def test_what_are_no_phonetic_symbols(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"symbol|vowel"):
        ipa.to_phonemes(wrong)


def test_what_the_dictionary_shows_is_read_as_the_voice_speaks_it(phonemes: Phonemiser) -> None:
    """show_tts_phonetic_symbol's answers can be given back as readings."""
    shown = Readings()
    words = (
        "hello",
        "water",
        "judge",
        "church",
        "measure",
        "button",
        "voice",
        "about",
        "record",
        "bird",
        "near",
        "cure",
    )
    for word in (*words, "fire", "roses", "street", "visual", "queue", "thorough"):
        own = phonemes(word).replace("ˌ", "").replace("ᵻ", "ɪ").replace("ᵊ", "ə")
        again = ipa.to_phonemes(shown(word)[0]).replace("ˌ", "").replace("ᵊ", "ə")
        assert again == own, word


@pytest.mark.parametrize(
    ("word", "way", "mandarin", "english"),
    [
        ("2024-03-05", "date", "二零二四年三月五日", "March 5th, 2024"),
        ("20240321", "date", "二零二四年三月二十一日", "March 21st, 2024"),
        ("2024/3", "date", "二零二四年三月", "March 2024"),
        ("3/12", "date", "三月十二日", "March 12th"),
        ("2024", "date", "二零二四", "2024"),
        ("2024", "number", "二零二四", "two zero two four"),
        ("3.14", "number", "三点一四", "three point one four"),
        ("2024", "figure", "两千零二十四", "two thousand twenty-four"),
        ("-1,250.5", "figure", "负一千二百五十点五", "minus one thousand two hundred fifty point five"),
        ("25%", "figure", "百分之二十五", "twenty-five percent"),
        ("10010", "figure", "一万零一十", "ten thousand ten"),
        ("200000005", "figure", "两亿零五", "two hundred million five"),
        ("010-110", "telephone", "零幺零，幺幺零", "zero one zero, one one zero"),
        ("+86 138", "telephone", "加八六，幺三八", "plus eight six, one three eight"),
        ("２０２４", "number", "二零二四", "two zero two four"),
    ],
)
def test_numbers_and_dates(word: str, way: str, mandarin: str, english: str) -> None:
    say_as.check(word, way)
    assert (say_as.as_text(word, way, "zh"), say_as.as_text(word, way, "en")) == (mandarin, english)


@pytest.mark.parametrize("value", [0, 7, 10, 19, 20, 105, 110, 1001, 1010, 20002, 100_000, 10_000_001, 123_456_789])
def test_values_are_those_of_the_grammars(value: int) -> None:
    """The voices' own grammar reads numbers; a figure is read alike (两 or 二 as each has it)."""

    def plain(text: str) -> str:
        return text.replace("两", "二").replace("零一十", "零十")

    assert plain(say_as.as_text(str(value), "figure", "zh")) == plain(normalise(f"共{value}个", "zh")[1:-1])


@pytest.mark.parametrize(
    ("word", "way"),
    [("2024-13-05", "date"), ("abc", "number"), ("两个", "telephone"), ("12", "english"), ("1", "poem")],
)
def test_what_cannot_be_read_so(word: str, way: str) -> None:
    with pytest.raises(ValueError, match="needed"):
        say_as.check(word, way)


# --- what becomes of a text -------------------------------------------------------------------------------

WORDS = Lexicon(
    [
        Entry("重庆", "pinyin", "zhong4 qing4"),
        Entry("gif", "ipa", "/dʒɪf/"),
        Entry("AI", "alias", "人工智能"),
        Entry("CEO", "alias", "chief executive"),
        Entry("2024", "say-as", "figure"),
        Entry("SQL", "say-as", "spell"),
        Entry("UNIX", "say-as", "english"),
        Entry("北京、上海", "linked"),
        Entry("Yes, we can", "linked"),
        Entry("broken", "ipa", "日"),
    ]
)


@pytest.mark.parametrize(
    ("text", "language", "without", "spoken"),
    [
        ("在重庆。", "zh", "ʦai↘ ꭧʰʊ↗ŋʨʰi↘ŋ.", "ʦai↘ ꭧʊ↘ŋʨʰi↘ŋ."),
        ("重庆", "zh", "ꭧʰʊ↗ŋʨʰi↘ŋ", "ꭧʊ↘ŋʨʰi↘ŋ"),
        ("The gif's gif-based.", "en", "ðə ɡˈɪfs ɡˈɪfbˈAst.", "ðə ʤˈɪfs ʤˈɪf bˈAst."),
        ("看gif。", "zh", "kʰa↘n ɡˈɪf.", "kʰa↘n ʤˈɪf."),
        ("AI很好。", "zh", "ˌAˈI xə↓n xau↓.", "ɻə↗nkʊ→ŋꭧɨ↘nə↗ŋ xə↓n xau↓."),
        ("Our CEO's car.", "en", "ˌWəɹ sˌiˌiˈOz kˈɑɹ.", "ˌWəɹ ʧˈif ɪɡzˈɛkjəTɪvz kˈɑɹ."),
        ("2024年。", "zh", "ɚ↘li↗ŋɚ↘ sɨ↘njɛ↗n.", "lja↓ŋʨʰjɛ→n li↗ŋ ɚ↘ʂɨ↗sɨ↘njɛ↗n."),
        ("SQL is here.", "en", "sˈikwəl ɪz hˈɪɹ.", "ˈɛs kjˈu ˈɛl ɪz hˈɪɹ."),
        ("Yes, we can do it.", "en", "jˈɛs, wi kæn dˈu ɪt.", "jˈɛs wi kˈæn dˈu ɪt."),
        ("It is broken.", "en", "ɪt ɪz bɹˈOkən.", "ɪt ɪz bɹˈOkən."),
    ],
)
def test_readings_reach_the_phonemes(
    phonemes: Phonemiser, text: str, language: Language, without: str, spoken: str
) -> None:
    def said(readings: tuple[Reading, ...]) -> str:
        heard = [phonemes(clause.text, readings) for clause in split(normalise(text, language, readings))]
        return " ".join(heard).replace("ˌ", "").replace("ˈ", "")

    assert said(()) == without.replace("ˌ", "").replace("ˈ", "")
    assert said(WORDS.find(text)) == spoken.replace("ˌ", "").replace("ˈ", "")


def test_linked_words_are_never_cut() -> None:
    text = "我们都很喜欢北京、上海，也喜欢广州。"
    assert [clause.text for clause in split(normalise(text, "zh"))] == ["我们都很喜欢北京、", "上海，也喜欢广州。"]
    linked = [clause.text for clause in split(normalise(text, "zh", WORDS.find(text)))]
    assert linked == ["我们都很喜欢\U000f0000，", "也喜欢广州。"]


@pytest.mark.parametrize(
    "text",
    ["2024年3月5日下午7:30，电话13800138000。", "价格￥19.99，占25%，共1,250人。", "我用GPT4和H.264，版本1.2.3。"],
)
def test_numbers_beside_a_word_are_read_as_ever(text: str) -> None:
    lexicon = Lexicon([Entry("重庆", "alias", "成都"), Entry("20", "say-as", "number"), Entry("138", "alias", "x")])
    assert normalise(f"重庆，{text}", "zh", lexicon.find(f"重庆，{text}")) == f"成都，{normalise(text, 'zh')}"


def test_a_text_cannot_smuggle_slots_in(phonemes: Phonemiser) -> None:
    text = "\U000f0000重庆\U000f0005"
    read = normalise(text, "zh", WORDS.find(text))
    assert phonemes(read, WORDS.find(text)) == "ꭧʊ↘ŋʨʰi↘ŋ"
    assert normalise("\U000f0000", "zh") == ""


def test_every_text_survives_every_reading(phonemes: Phonemiser) -> None:
    dice = random.Random(2)
    parts = [
        "重庆",
        "gif",
        "AI",
        "SQL",
        "2024",
        "。",
        ", ",
        "\U000f0001",
        "x",
        "'s",
        "-",
        "（",
        "\u0301",
        " ",
        "UNIX",
        "5",
    ]
    for _ in range(150):
        text = unicodedata.normalize("NFC", "".join(dice.choices(parts, k=dice.randint(1, 12))))
        readings = WORDS.find(text)
        for clause in split(normalise(text, dice.choice(("zh", "en")), readings)):
            said = phonemes(clause.text, readings)
            assert all(phonemes.token(symbol) > 0 for symbol in said)
