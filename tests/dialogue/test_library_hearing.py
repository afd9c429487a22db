"""Questions as a recogniser wrote them down: what it misheard is found all the same, and what is nothing stays nothing."""

from __future__ import annotations

import pytest

from visavis.dialogue.retrieval import Index
from visavis.dialogue.sounds import Sounds

ANSWER = 0.55


@pytest.mark.parametrize(
    ("heard", "entry"),
    [
        # As Whisper base wrote synthetic voices, clean and with noise at 10 dB.
        ("支持那些流懒器", "browser"),
        ("去哪里下载原带马?", "contribute"),
        ("怎么换行你", "wake"),
        ("你是真人还是激气。", "real-person"),
        ("圈带妈,我在哪里可以找到?", "contribute"),
        ("应该用哪个流暖器打开", "browser"),
        ("你为什么有时候会闭上眼镜", "sleep"),
        ("V字V是什么?", "what-is-visavis"),
        ("What is this Vist A Vist thing about?", "what-is-visavis"),
        ("Tell me about vis-visit.", "what-is-visavis"),
        ("位撒位是什么？", "what-is-visavis"),
        ("维萨维斯是什么？", "what-is-visavis"),
        ("Thumb, where can I? Thumb find the source code.", "contribute"),
        ("Does it need a GPS?", "cpu"),
    ],
)
async def test_what_was_misheard_is_answered(shipped: Index, heard: str, entry: str) -> None:
    best = (await shipped.search(heard))[0]
    assert (best.entry.id, best.score >= ANSWER) == (entry, True), best.score


@pytest.mark.parametrize(
    ("said", "entry"),
    [
        ("我们酒店正在考虑用这个系统，请问大概需要付多少钱？", "cost"),
        ("We run a small hotel by the sea, so may I ask what it costs?", "cost"),
        ("My sister told me about you. Which languages do you speak? I am curious.", "languages"),
    ],
)
async def test_who_explains_before_asking_is_answered(shipped: Index, said: str, entry: str) -> None:
    best = (await shipped.search(said))[0]
    assert (best.entry.id, best.score >= ANSWER) == (entry, True), best.score


@pytest.mark.parametrize(
    "said",
    [
        "I was at the bakery this morning, and what is the capital of France?",
        "昨天我去了超市，红烧肉应该怎么做？",
        "明天会下雨吗，要不要带伞？",
        "Well, you know, my cat likes fish, and so do I.",
    ],
)
async def test_clauses_and_sounds_make_nothing_of_what_is_unknown(shipped: Index, said: str) -> None:
    assert (await shipped.search(said))[0].score < ANSWER


def test_words_are_written_back_as_the_stored_questions_have_them() -> None:
    sounds = Sounds(["支持哪些浏览器？", "需要显卡吗？"])
    assert sounds.respelt("用哪个流懒器") == "用哪个浏览器"
    assert sounds.respelt("需要险卡吗") == "需要显卡吗"
    assert sounds.respelt("需要显卡吗") == "需要显卡吗", "what is written so stays"
    assert sounds.respelt("which browser") == "which browser"
    assert Sounds([]).respelt("流懒器") == "流懒器"
