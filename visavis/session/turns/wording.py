"""What the words say about the turn: whether a sentence is whole, whether it only murmurs assent, whether it is an echo."""

from __future__ import annotations

import re
from enum import Enum
from itertools import pairwise
from typing import Final

from visavis.speech.types import Language

_HAN: Final = re.compile(r"[\u3400-\u9fff]")
_WORDS: Final = re.compile(r"[a-z]+(?:['\u2019][a-z]+)?|\d+", re.IGNORECASE)
_TRAILS_OFF: Final = re.compile(r"(?:\.{2,}|…|[,，、:：;；—\-])\W*$")
_ENDED: Final = re.compile(r"[.!?。！？]\W*$")


class Shape(Enum):
    """How whole a text is, as the words tell."""

    UNFINISHED = "unfinished"
    """Something must follow: it ends with a word that leads on, or with a sound of hesitation."""
    OPEN = "open"
    """It may be all, or not."""
    FINISHED = "finished"
    """A whole question, sentence or command."""


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


HESITATION: Final = _set("um umm uhm uh uhh er erm hmm hm mm ah eh well like")
"""English sounds of somebody who looks for a word; at the end of a text they hold the floor."""
_LEADS_ON: Final = HESITATION | _set(
    "a an the my your his her its our their this these those some any every each which what's who's where's how's "
    "and or but because so if when while although though unless until since than that whether as then also plus "
    "of to in on at for from with by about into between during without within through under over near per via "
    "is are was were am be been being do does did has had have can could will would shall should may might must "
    "i we they he she i'm i'd i'll we'd you're they're it's there's let's "
    "very more most less quite really please not no-one mr mrs ms dr "
    "want wants need needs tell show give know wonder wondering looking trying going gonna wanna like"
)
_MAY_END: Final = _set("this that these those then more most less any some each")
"""These lead on as well, but a sentence with a verb may end with them: how would I do that?"""
_IN_PASSING: Final = _set("perhaps maybe possibly also just even actually really please")
_STRANDED: Final = _set("for from with about to in on at of like")
"""With these a whole question may end: where are you from?"""
_ASKS: Final = _set("what which who whom whose when where why how")
_VERBS: Final = _set(
    "is are was were am be do does did has have had can could will would shall should may might must isn't aren't don't doesn't "
    "can't won't what's who's where's how's it's there's that's i'm you're let's i'd i'll "
    "tell show give say speak talk stop wait go come help explain describe open close start end begin repeat find take turn play "
    "want need like know think see hear get make use work mean cost live love have thank thanks call book order buy pay sell "
    "please try set put read write send bring keep leave look listen learn change continue sing dance happen"
)
_JOINS: Final = _set("and or but because so if when while although though unless until since than whether as")
_SUBJECTS: Final = _set("you it he she they we i")
_AUXILIARIES: Final = _set("can could will would shall should do does did may might")
_WHOLE: Final = _set(
    "yes no yeah yep nope ok okay hello hi hey bye goodbye thanks stop wait enough sorry sure right exactly never"
)
_ENDS_WELL: Final = re.compile(
    r"\b(?:what|which|who|where|when|how|why)(?:\s+\w+)?\s+(?:is|are|was|were)\s+(?:it|this|that|these|those|they|he|she|you)$"
    r"|\b(?:can|could|do|does|did|will|would|should|may|is|are)\s+(?:i|you|we|they|he|she|it)\s+\w.*"
    r"\s+(?:for|with|from|to|in|on|about|of|do|like|know|have|be)$"
    r"|\bhow (?:old|tall|big|far|long|much|many|are)\b.*\b(?:is|are|it|you)$"
    r"|\b(?:yes|no) (?:i|we|they|it|he|she) (?:do|does|did|is|are|am|can|will|would|have|has)$"
    r"|\bwhat (?:else )?(?:can|do|does|did|could|should|would|will) (?:i|you|we|they|it) (?:do|like|know|have|want|need|mean)$",
    re.IGNORECASE,
)

_ZH_HESITATION: Final = re.compile(r"(?:嗯+|呃+|额+|啊这|那个|这个|就是说?|然后|怎么说呢?|我想想)[，,、。.…\s]*$")
_ZH_LEADS_ON: Final = re.compile(
    r"(?:和|跟|与|或者?|还是|但是?|可是|不过|因为|所以|如果|要是|虽然|而且|并且|以及|比如说?|例如|关于|对于|由于|为了|除了|"
    r"的话|我想|我要|我们|你们|他们|我|想|想要|想问|请问|请|把|被|给|让|向|从|在|到|往|对|比|用|按|离|很|太|最|更|非常|特别|"
    r"一个|哪个|哪些|什么时|怎|为什|多|几|是不|有没有?|能不|可不可|你会|你能|问一下|可以|需要|应该|知道|告诉我|(?:可以|能|会|想|要).)[，,、\s]*$"
)
_ZH_ENDS_WELL: Final = re.compile(
    r"(?:吗|嘛|(?<![密号代条扫编数解源])码|呢|吧|么|什么|怎么样|怎么办|怎么走|哪里?|哪儿|多少|多少钱|几点|多久|多远|是谁|谁|为什么|好不好|行不行|可不可以|能不能|是不是|对不对)[？?。！!\s]*$"
)
_ZH_ASKS: Final = re.compile(
    r"(?:什么|怎么|哪|多少|多[快慢大小高长远重久贵]|几|谁|为什么|吗|呢|能不能|可不可以|是不是|有没有|如何|是.+还是.{2})"
)
_ZH_BARE: Final = re.compile(
    r"(?:^|[，,。])(?:那么?|请问|然后)?(?:[我你您他她它]们?|咱们)(?:能不能|可不可以|是不是|要不要|会不会|想不想|有没有)$"
    r"|^(?:[你您我他她]们?)[^要想查买找给看去来有是在]{1,2}的[\u3400-\u9fff]{2,6}$"
)
"""A subject with the beginning of a question, or one that nothing is said of yet: 我们能不能, 你用的语音识别."""
_ZH_WHOLE: Final = _set(
    "你好 您好 谢谢 再见 拜拜 停 停下 停一下 等等 等一下 好的 好 是的 是 不是 对 不对 "
    "可以 不可以 不用 不用了 没有 有 行 不行 够了 别说了 算了 在吗"
)


def shape(text: str, language: Language) -> Shape:
    """How whole ``text`` is; of nothing nothing is known."""
    bare = text.strip()
    if not bare:
        return Shape.OPEN
    return _shape_zh(bare) if language == "zh" or _HAN.search(bare) else _shape_en(bare)


def _shape_en(text: str) -> Shape:
    words = [word.lower().replace("\u2019", "'") for word in _WORDS.findall(text)]
    if not words:
        return Shape.OPEN
    if _TRAILS_OFF.search(text) or words[-1] in HESITATION:
        return Shape.UNFINISHED
    if len(words) <= 2 and words[0] in _WHOLE and words[-1] not in _LEADS_ON - _WHOLE:
        return Shape.FINISHED
    plain = " ".join(words)
    asked = text.rstrip().endswith("?") and words[0] in _ASKS and any(word in _VERBS for word in words[1:-1])
    if asked and words[-1] in _STRANDED and len(words) >= 4:
        return Shape.FINISHED
    if words[-2:] in (["tell", "me"], ["show", "me"], ["give", "me"], ["let", "me"]):
        return Shape.UNFINISHED
    last = [word.lower() for word in _WORDS.findall(re.split(r"[.!?]+\s+", text.rstrip(".!? "))[-1])]
    if len(last) >= 3 and last[-1] in _MAY_END and last[-2] not in _JOINS and _acts(last[:-1]) and _ENDED.search(text):
        return Shape.FINISHED if text.rstrip().endswith("?") else Shape.OPEN
    if words[-1] in _LEADS_ON and not _ENDS_WELL.search(plain):
        return Shape.UNFINISHED
    core = list(words)
    while core and core[-1] in _IN_PASSING:
        core.pop()
    if len(core) >= 2 and core[-1] in _SUBJECTS and core[-2] in _AUXILIARIES:
        return Shape.UNFINISHED  # "what time do you": the verb is still to come
    if last and last[0] in _ASKS and len(last) < 6 and not _acts(last) and last[1:2] not in (["about"], ["else"]):
        return Shape.UNFINISHED
    return Shape.FINISHED if _ENDED.search(text) and len(words) >= 3 and _acts(words) else Shape.OPEN


def _acts(words: list[str]) -> bool:
    """Whether there is a verb: one of the list, or what follows "who", or a past tense behind a question word."""
    past = len(words) >= 3 and (words[0] == "who" or (words[0] in _ASKS and words[1].endswith("ed")))
    rest = words[words[0] in _ASKS :]
    return past or any(word in _VERBS or (word.endswith("s") and word[:-1] in _VERBS) for word in rest)


def _shape_zh(text: str) -> Shape:
    bare = re.sub(r"[\s。.！!]+$", "", text)
    last = re.split(r"[。！？!?]\s*", bare)[-1]
    if last in _ZH_WHOLE or re.sub(r"[^\u3400-\u9fff]", "", text) in _ZH_WHOLE:
        return Shape.FINISHED
    if _ZH_BARE.search(bare):
        return Shape.UNFINISHED
    if _ZH_ENDS_WELL.search(bare) and len(bare) >= 3 and not re.search(r"(?:的是什么|知道什么)$", bare):
        return Shape.FINISHED
    if _TRAILS_OFF.search(bare) or _ZH_HESITATION.search(bare) or _ZH_LEADS_ON.search(last or bare):
        return Shape.UNFINISHED
    asked = bool(_ZH_ASKS.search(last))
    if re.search(r"[？?]\s*$", text) and len(_HAN.findall(last or bare)) >= 4:
        return Shape.FINISHED
    return Shape.FINISHED if asked and len(_HAN.findall(last)) >= 6 else Shape.OPEN


# --- while the digital human speaks ------------------------------------------------------------------------------

_MURMURS: Final = HESITATION | _set(
    "mhm mmhm mm-hm uh-huh aha huh oh ooh yeah yep yes yup ok okay right sure really wow cool nice great good fine i see "
    "indeed true exactly absolutely of course all got it gotcha hah ha haha hehe heh hey-ho you bye thank thanks"
)
_MURMUR_PHRASES: Final = re.compile(
    r"^\W*(?:(?:i see|i know|of course|all right|got it|that's (?:right|true|good|nice|great)|makes sense|no way|oh my|fair enough)\W*)+$",
    re.IGNORECASE,
)
_ZH_MURMUR: Final = re.compile(
    r"^(?:嗯+|呃+|额+|哦+|噢+|喔+|啊+|唉+|哎+|诶+|欸+|哈+|呵+|嘿+|唔+|对+|是的?|是啊|是吗|好的?|好吧|好啊|行|这样|这样啊|原来如此|原来是这样|没错|明白了?|知道了|懂了|了解|真的|真的吗|可以|不错|哇+|ok|OK)+$"
)
_ORDERS: Final = _set(
    "stop wait no pause quiet silence enough hello sorry excuse but what hold cancel shut louder slower repeat again"
)
_ZH_ORDERS: Final = re.compile(r"停|等|别|不要|不用|不是|不对|够了|安静|闭嘴|慢|大声|你好|喂|请问|什么")


BRIEF_S: Final = 1.0
"""A voice that lasts less is a word or two."""
UNSURE: Final = 0.45
"""Below this the recogniser guesses: it writes "Memo." for a hum."""


def means_something(text: str, said: str = "", *, voice_s: float = 10.0, confidence: float = 1.0) -> bool:
    """Whether ``text``, heard while the digital human says ``said``, is more than assent, a noise or the echo of that.

    ``voice_s``: how long the voice lasted; ``confidence``: the recogniser's, 0..1."""
    bare = text.strip()
    if not bare or echoes(bare, said):
        return False
    brief = voice_s < BRIEF_S
    if brief and confidence < UNSURE:
        return False
    if _HAN.search(bare):
        han = "".join(re.findall(r"[\u3400-\u9fffA-Za-z]", bare))
        if _ZH_MURMUR.match(han):
            return False
        return len(han) >= 2 or bool(_ZH_ORDERS.search(han))
    words = [word.lower() for word in _WORDS.findall(bare)]
    if any(word in _ORDERS for word in words):
        return True
    if _MURMUR_PHRASES.match(bare):
        return False
    content = [word for word in words if word not in _MURMURS]
    return (len(words) >= 2 and bool(content)) or (not brief and any(len(word) >= 4 for word in content))


def echoes(text: str, said: str) -> bool:
    """Whether ``text`` is made of what was just said, in its order."""
    heard, spoken = _units(text), _units(said)
    if len(heard) < 2 or not spoken:
        return False
    pairs = set(pairwise(spoken))
    found = sum(pair in pairs for pair in pairwise(heard))
    return found >= 0.6 * (len(heard) - 1)


def same(one: str, other: str) -> bool:
    """Whether two texts are the same words."""
    return _units(one) == _units(other)


def _units(text: str) -> list[str]:
    """Words, or characters of Chinese."""
    return [unit.lower() for unit in re.findall(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+", text)]
