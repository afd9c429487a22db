"""Which gesture fits a sentence, and above all when none does."""

from __future__ import annotations

import pytest

from visavis.dialogue.actions import action_for

ENGLISH: list[tuple[str, str | None]] = [
    ("Hello! How can I help you today?", "greet"),
    ("Good morning, and welcome to our branch.", "greet"),
    ("Hi there.", "greet"),
    ("Oh, hello again!", "greet"),
    ("Goodbye, and see you soon.", "greet"),
    ("Nice to meet you.", "greet"),
    ("Yes, we are open until six.", "nod"),
    ("Of course, I will show you the way.", "nod"),
    ("Sure.", "nod"),
    ("You are absolutely right about that.", "nod"),
    ("No problem, I can do that for you.", "nod"),
    ("Don't worry, it takes only a minute.", "nod"),
    ("Okay, let us begin.", "nod"),
    ("Got it.", "nod"),
    ("No, the shop is closed on Sundays.", "shake"),
    ("No.", "shake"),
    ("I'm sorry, I did not understand that.", "shake"),
    ("Unfortunately, the last train has left.", "shake"),
    ("I cannot open that page for you.", "shake"),
    ("That is not correct.", "shake"),
    ("I don’t know the answer.", "shake"),
    ("Thank you very much for waiting.", "smile"),
    ("Congratulations on your new job!", "smile"),
    ("You're welcome.", "smile"),
    ("I am so glad to hear it.", "smile"),
    ("Have a nice day!", "smile"),
    ("The office is on the second floor.", None),
    ("Our museum has four hundred paintings.", None),
    ("Not only the price, but also the colour matters.", None),
    ("It costs no more than ten euros.", None),
    ("There is no doubt that spring is here.", None),
    ("Please do not hesitate to ask.", None),
    ("Is there no other way?", None),
    ("Would you like to say yes or no?", None),
    ("Do you know the way?", None),
    ("Can't you come tomorrow?", None),
    ("What is not included in the price?", None),
    ("The Yes campaign began in May.", None),
    ("Open door no. 5 on the left.", None),
    ("High tide is at noon.", None),
    ("The highway is busy.", None),
    ("He notices everything.", None),
    ("Say hello to your parents for me.", None),
    ("Sorry, thank you for waiting.", "shake"),
    ("Hi-fi systems are on the third floor.", None),
    ("Hello is a greeting in English.", None),
    ("Yes or no questions are fine.", None),
    ("Correct answers earn a point.", None),
    ("Right after the bridge you turn left.", None),
    ("Never mind.", None),
    ("It is not far from here.", None),
    ("If you don't like it, you may return it.", None),
    ("I don't think so.", "shake"),
]
CHINESE: list[tuple[str, str | None]] = [
    ("您好，请问有什么可以帮您？", "greet"),
    ("大家好，欢迎来到博物馆。", "greet"),
    ("早上好！", "greet"),
    ("再见，祝您一路顺风。", "greet"),
    ("嗨，我是小美。", "greet"),
    ("是的，我们今天营业到六点。", "nod"),
    ("当然可以，我来帮您。", "nod"),
    ("没问题，马上为您办理。", "nod"),
    ("没关系，慢慢来。", "nod"),
    ("好的，我明白了。", "nod"),
    ("您说得对。", "nod"),
    ("别担心，很快就好。", "nod"),
    ("不，今天不营业。", "shake"),
    ("抱歉，我没有听清楚。", "shake"),
    ("对不起，这个功能暂时无法使用。", "shake"),
    ("很遗憾，票已经卖完了。", "shake"),
    ("我不知道答案。", "shake"),
    ("不可以在这里拍照。", "shake"),
    ("谢谢您的耐心等待。", "smile"),
    ("恭喜您通过考试！", "smile"),
    ("不客气。", "smile"),
    ("太好了，我们开始吧。", "smile"),
    ("办公室在二楼。", None),
    ("我们的产品不但便宜，而且好用。", None),
    ("这不仅是一家餐厅，还是一座花园。", None),
    ("这本书很不错。", None),
    ("不过，价格有一点高。", None),
    ("是不是今天去？", None),
    ("您没有收到邮件吗？", None),
    ("为什么不可以拍照呢", None),
    ("您要不要喝茶？", None),
    ("火车差不多三点到。", None),
    ("沒問題，馬上為您辦理。", "nod"),
    ("了解更多信息请看网站。", None),
    ("一定要带身份证。", None),
    ("如果没有票，可以在门口买。", None),
    ("没有人不喜欢春天。", None),
    ("對不起，我不知道。", "shake"),
]


@pytest.mark.parametrize(("sentence", "gesture"), ENGLISH)
def test_english(sentence: str, gesture: str | None) -> None:
    assert action_for(sentence, "en") == gesture


@pytest.mark.parametrize(("sentence", "gesture"), CHINESE)
def test_chinese(sentence: str, gesture: str | None) -> None:
    assert action_for(sentence, "zh") == gesture
    assert action_for(sentence, "zh_CN") == gesture


def test_the_letters_count_more_than_the_language_said() -> None:
    assert action_for("谢谢您！", "en") == "smile"
    assert action_for("Thank you!", "zh") in ("smile", None)


def test_nothing_and_very_much_are_no_error() -> None:
    assert action_for("", "en") is None
    assert action_for("  \n", "zh") is None
    assert action_for("...", "en") is None
    assert action_for("no " * 100_000, "en") in ("shake", None)
    assert action_for("well, " * 100_000, "en") is None
    assert action_for("嗯，" * 100_000, "zh") in ("nod", None)
