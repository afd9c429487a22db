"""Which gesture fits what is said (``enable_semantic_action``): rules over the words of one sentence.

The rules are few and careful: a wrong gesture is worse than none. Negation in a fixed phrase that means the opposite
("no problem", "not only", 没问题, 不但) is taken out first; a question shakes no head and nods none, though one may greet
in it ("Hello, how can I help?").
"""

from __future__ import annotations

import re
from typing import Final

from visavis.motion.gestures import Gesture

_HAN: Final = re.compile(r"[㐀-鿿]")
_LONGEST: Final = 600
"""Characters of a sentence that are looked at."""
_QUESTION_MARK: Final = re.compile(r"[?？][\s\"'”’)）]*$")


def _words(*alternatives: str) -> re.Pattern[str]:
    """Any of these as whole words."""
    return re.compile(rf"(?<![\w'])(?:{'|'.join(alternatives)})(?![\w'])")


def _begins(*alternatives: str) -> re.Pattern[str]:
    """Any of these as the first words, at most after a filler."""
    fillers = r"(?:(?:well|oh|ah|hmm?|so|and|but|okay|ok|right|please)[,!. ]+)*"
    return re.compile(rf"^\W*{fillers}(?:{'|'.join(alternatives)})(?![\w'-])")


# --- English ----------------------------------------------------------------------------------------------------------

_EN_NOT_NEGATIVE: Final = _words(
    r"no (?:problems?|worries|doubt|matter|need to worry|longer than|trouble at all|later than|less than|fewer than)",
    r"no(?:t)? (?:wonder|question about it)", r"not (?:only|just|merely|at all a problem|bad|to worry|to mention|least)",
    r"why not", r"whether or not", r"if not", r"or not", r"(?:do not|don't|can't|cannot|can not) (?:worry|wait|hesitate)",
    r"no\. ?\d+", r"no one (?:else )?but", r"nothing but", r"can't (?:thank|say) (?:you )?enough", r"yes and no",
    r"(?:do not|don't) forget", r"(?:do not|don't) mention it", r"isn't it", r"aren't (?:you|they|we)", r"doesn't it",
    r"don't (?:you|we|they)", r"won't (?:you|it)", r"no more than",
)  # fmt: skip
_EN_GREET: Final = _begins(
    r"(?:hello|hi|hey|hiya)(?! (?:is|was|means|or))", r"greetings", r"welcome(?! to use)", r"good (?:morning|afternoon|evening|day)",
    r"good ?bye", r"bye(?:[- ]bye)?", r"see you", r"nice to (?:meet|see) you", r"pleased to meet you",
    r"how do you do", r"good ?night", r"farewell", r"take care",
)  # fmt: skip
_EN_SMILE: Final = _words(
    r"thanks", r"thank you", r"congratulations", r"well done", r"(?:i'm|i am|we're|we are) (?:so |very )?(?:glad|happy|delighted|pleased)",
    r"(?:you are|you're) (?:very |most )?welcome", r"my pleasure", r"with pleasure", r"wonderful", r"fantastic", r"happy birthday",
    r"great (?:news|job|idea|choice|question)", r"good (?:news|job|luck)", r"excellent", r"awesome", r"lovely", r"hooray",
    r"haha+", r"enjoy your", r"have a (?:nice|good|great|lovely|wonderful) \w+", r"(?:i|we) appreciate", r"that's great",
)  # fmt: skip
_EN_NO: Final = re.compile(
    _begins(
        r"no(?=[,.!;:\s]*$|[,.!;:]| not| it | that | there | i | we | you )", r"nope", r"never(?! mind)",
        r"not (?:really|exactly|quite|yet)",
        r"none",
    ).pattern
    + "|"
    + _words(
        r"sorry", r"i apologi[sz]e", r"we apologi[sz]e", r"my apologies", r"unfortunately", r"i'm afraid", r"i am afraid",
        r"regrettably", r"impossible", r"not (?:possible|available|allowed|true|correct|supported)",
        r"(?:i|we|you) (?:do not|don't|cannot|can't|can not|won't|will not|couldn't) (?!need|have to|forget|only|just|mind|help but)\w+",
        r"that(?:'s| is) (?:not|wrong)", r"there (?:isn't|is not|is no|are no)(?= )",
    ).pattern
)  # fmt: skip
_EN_YES: Final = re.compile(
    _begins(
        r"yes(?! or)", r"yeah", r"yep", r"yup", r"sure", r"certainly", r"of course", r"absolutely", r"definitely", r"exactly", r"indeed",
        r"correct(?=[,.!]|\W*$)", r"right(?=[,.!]|\W*$)", r"that(?:'s| is) (?:right|correct|true|it)", r"you(?:'re| are) right",
        r"no problem", r"no worries",
        r"all right", r"alright", r"ok(?:ay)?(?=[,.!]|\W*$)", r"agreed", r"i agree", r"i see", r"i understand", r"understood", r"got it",
        r"no doubt", r"without (?:a )?doubt", r"by all means", r"don't worry", r"do not worry", r"not at all",
    ).pattern
    + "|"
    + _words(r"you(?:'re| are) (?:quite |absolutely )?right", r"i(?: completely| fully)? agree").pattern
)  # fmt: skip
_EN_IF: Final = _words("if", "unless", "in case")
_EN_ASKS: Final = _begins(
    r"(?:who|what|when|where|why|which|how|whose)", r"(?:do|does|did|is|are|was|were|can|could|would|will|shall|should|have|has|may)"
    r" (?:you|i|we|he|she|it|they|there|this|that)",
)  # fmt: skip

# --- Mandarin (simplified and traditional) ----------------------------------------------------------------------------

_ZH_NOT_NEGATIVE: Final = re.compile(
    r"没(?:有)?问题|沒(?:有)?問題|没关系|沒關係|没事|沒事|没错|沒錯|不客气|不客氣|不用谢|不用謝|不谢|不謝|不用担心|不用擔心"
    r"|别担心|別擔心|不要紧|不要緊|不但|不仅|不僅|不只|不光|不单|不單|不过|不過|不错|不錯|不断|不斷|不久|不同|不如|不管|不论|不論"
    r"|不得不|不妨|差不多|了不起|对不对|對不對|是不是|好不好|能不能|可不可以|要不要|有没有|有沒有|会不会|會不會|行不行|不瞒|不瞞"
    r"|无论|無論|毫无疑问|毫無疑問|无疑|無疑|说不定|說不定|不一会|不一會|忍不住|不见不散|不見不散|不愧|不少|不多"
)
_ZH_OPENING: Final = r"^[\s\W]*(?:(?:嗯|哦|噢|啊|好的|那么|那麼)[，,。、！!\s]*)*"
_ZH_GREET: Final = re.compile(
    _ZH_OPENING
    + r"(?:您好|你好|大家好|各位好|[嗨嘿]|哈[喽囉啰]|早上好|上午好|中午好|下午好|晚上好|早安|午安|晚安|早[，,。！!]|欢迎|歡迎|再见|再見"
    r"|拜拜|回头见|回頭見|明天见|明天見|很高兴(?:认识|见到)|很高興(?:認識|見到)|幸会|幸會)"
)
_ZH_SMILE: Final = re.compile(
    r"谢谢|謝謝|感谢|感謝|多谢|多謝|恭喜|祝贺|祝賀|祝[您你]|太好了|太棒了|真棒|真好|很高兴|很高興|非常高兴|非常高興|开心|開心|荣幸|榮幸"
    r"|不客气|不客氣|不用谢|不用謝|生日快乐|生日快樂|新年快乐|新年快樂|好消息|哈哈|加油|太好啦|太赞|太讚"
)
_ZH_NO: Final = re.compile(
    r"抱歉|对不起|對不起|不好意思|很遗憾|很遺憾|遗憾的是|遺憾的是|恐怕|可惜|无法|無法|没办法|沒辦法|不可能|不可以|不行|不能(?!不)|不支持|不允许|不允許"
    r"|不对|不對|不知道|不清楚|不是(?!不)|并非|並非|并不|並不|没有|沒有|不会(?!不)|不會(?!不)|暂不|暫不"
    rf"|{_ZH_OPENING}(?:不(?=[，,。！!\s]|$)|不用了|不要|不行|没有|沒有|从来没|從來沒)"
)
_ZH_YES: Final = re.compile(
    _ZH_OPENING + r"(?:是的|是啊|是呀|对[的啊呀，,。！!]|對[的啊呀，,。！!]|没错|沒錯|当然|當然"
    r"|好的|好啊|好呀|好[，,。！!]|行[，,。！!]|可以的?[，,。！!]"
    r"|没问题|沒問題|没有问题|沒有問題|没关系|沒關係|没事|沒事|不用担心|不用擔心|别担心|別擔心|确实|確實|的确|的確"
    r"|明白[了，,。！!]|了解[了，,。！!]|知道了|收到|同意|嗯[，,。！!]"
    r"|正是|毫无疑问|毫無疑問|您说得对|你说得对|您說得對|你說得對|一定[，,。！!会會])"
    r"|说得对|說得對|说得没错|說得沒錯|我同意"
)
_ZH_IF: Final = re.compile(r"如果|要是|假如|若|没有人不|沒有人不")
_ZH_ASKS: Final = re.compile(
    r"[吗嗎呢么麼][？?]?[\s”’）)]*$|^[\s\W]*(?:请问|請問|为什么|為什麼|怎么|怎麼|什么|什麼|哪)"
)


def action_for(sentence: str, language: str) -> Gesture | None:
    """The gesture that goes with ``sentence``, or None. ``language``: "en", "zh" (with or without a region).

    A sentence with Chinese characters is read as Chinese whatever ``language`` says.
    """
    text = sentence[:_LONGEST].strip().lower().replace("’", "'")
    if not text:
        return None
    if language.lower().startswith("zh") or _HAN.search(text):
        return _chinese(text)
    return _english(text)


def asks(sentence: str, language: str) -> bool:
    """Whether ``sentence`` is a question."""
    text = sentence[:_LONGEST].strip().lower().replace("’", "'")
    pattern = _ZH_ASKS if language.lower().startswith("zh") or _HAN.search(text) else _EN_ASKS
    return _QUESTION_MARK.search(text) is not None or pattern.search(text) is not None


def _english(text: str) -> Gesture | None:
    if _EN_GREET.search(text):
        return "greet"
    if _QUESTION_MARK.search(text) or _EN_ASKS.search(text):
        return None
    if _EN_SMILE.search(text) and not _EN_NO.search(_without(_EN_NOT_NEGATIVE, text)):
        return "smile"
    if _EN_YES.search(text):
        return "nod"
    if _EN_IF.search(text):
        return None  # what would be so is not so
    return "shake" if _EN_NO.search(_without(_EN_NOT_NEGATIVE, text)) else None


def _chinese(text: str) -> Gesture | None:
    if _ZH_GREET.search(text):
        return "greet"
    if _QUESTION_MARK.search(text) or _ZH_ASKS.search(text):
        return None
    refused = _ZH_NO.search(_without(_ZH_NOT_NEGATIVE, text)) is not None
    if _ZH_SMILE.search(text) and not refused:
        return "smile"
    if _ZH_YES.search(text):
        return "nod"
    return "shake" if refused and not _ZH_IF.search(text) else None


def _without(phrases: re.Pattern[str], text: str) -> str:
    """What is left of ``text`` when ``phrases`` are taken out; a mark stays, so that their neighbours do not meet."""
    return phrases.sub("\N{MIDDLE DOT}", text)
