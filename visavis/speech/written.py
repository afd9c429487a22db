"""What is written short and said long: addresses, telephone numbers, fractions, ranges, units and abbreviations, as words.

English: what hibari's converter does not know or reads in another way (it knows years, money, ordinals and most units).
Mandarin: what WeTextProcessing's grammars do not know.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from visavis.speech import say_as
from visavis.speech.types import Language

_Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_EMAIL: Final = re.compile(r"(?<![\w.@])[\w.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}", re.ASCII)
_DOMAIN: Final = re.compile(
    r"(?<![\w.@/-])(?:[A-Za-z0-9-]+\.)+(?:com|org|net|cn|io|ai|dev|edu|gov|co|uk|de|eu|info|app)(?![\w@-]|\.\w)",
    re.ASCII,
)
_LOOKS: Final = re.compile(r"[\ufe0e\ufe0f\u20e3]")
"""Say how the sign before is to look: as an emoji, in a key."""

_HALVES: Final = {"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅕": "1/5", "⅛": "1/8"}
_PARTS: Final = {
    2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth", 9: "ninth", 10: "tenth",
}  # fmt: skip
_DAYS: Final = {
    "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday", "Thur": "Thursday",
    "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip
_MONEY: Final = {"USD": "US dollars", "EUR": "euros", "GBP": "pounds", "CNY": "yuan", "RMB": "yuan", "JPY": "yen"}
_LENGTHS: Final = {"mm": "millimeter", "cm": "centimeter", "m": "meter", "km": "kilometer", "ft": "feet", "in": "inch"}
_POWERS: Final = {"²": "square", "³": "cubic", "^2": "square", "^3": "cubic"}


def _number(text: str) -> str:
    return say_as.as_text(text, "figure", "en")


def _fraction(whole: str, above: int, below: int) -> str:
    if whole and (above, below) == (1, 2):
        return f"{whole} and a half"
    part = _PARTS[below] if above == 1 else "halves" if below == 2 else f"{_PARTS[below]}s"
    said = f"{_number(str(above))} {part}"
    return f"{whole} and {said}" if whole else said


def _days(match: re.Match[str]) -> str:
    return f"{_DAYS[match[1]]} to {_DAYS[match[2]]}"


def _power(match: re.Match[str]) -> str:
    return f"{match[1]} {_POWERS[match[3]]} {_LENGTHS[match[2]]}s"


def _plural(match: re.Match[str], one: str) -> str:
    return f"{match[1]} {one}" if match[1] == "1" else f"{match[1]} {one}s"


def _singly(match: re.Match[str]) -> str:
    return match[1] + say_as.as_text(match[2], "number", "en")


def _dotted(match: re.Match[str]) -> str:
    """A version, or an address of four numbers, whose long ones are read digit by digit."""
    parts = match[0].split(".")
    if len(parts) != 4:
        return " point ".join(parts)
    return " dot ".join(say_as.as_text(part, "number", "en") if len(part) > 2 else part for part in parts)


def _dollars(match: re.Match[str]) -> str:
    return f"{match[2]} {_DOLLARS[match[1]]} dollars"


_NOT_IN_NUMBER: Final = r"(?<![\w.,/:-])"
_DOLLARS: Final = {"US": "US", "HK": "Hong Kong", "NT": "Taiwan", "A": "Australian", "C": "Canadian", "S": "Singapore"}
_MONTHS: Final = {
    "Jan": "January", "Feb": "February", "Mar": "March", "Apr": "April", "Jun": "June", "Jul": "July", "Aug": "August",
    "Sep": "September", "Sept": "September", "Oct": "October", "Nov": "November", "Dec": "December",
}  # fmt: skip
_CODED: Final = (
    r"(?i:\b(?:code|pin|password|passcode|(?:order|account|card|phone|telephone|tracking|ticket|reference|serial|id) (?:number|no\.))"
    r"(?: is|:)? |\b(?:dial|extension|ext\.|hotline|helpline) |\bcall (?=(?:911|999|112|110|119|120|101|111|000)(?!\d| \w+s\b)))"
)
"""Before digits that are read one by one."""
_ENGLISH: Final[tuple[_Rule, ...]] = (
    (re.compile(rf"({_CODED})(\d{{3,}})(?![\d,.:/-]*\d)"), _singly),
    (re.compile(r"(?<![\w.,$€£¥+-])()(\d{9,})(?![\w,]|\.\d|-\d)"), _singly),
    (re.compile(r"(?<![\d.])(\d{1,2})\.(\d{1,2})\.((?:19|20)\d\d)(?!\d|\.\d)"), lambda match: "-".join(match.groups()[::-1])),
    (re.compile(r"(?<![\d.])((?:19|20)\d\d)\.(\d{1,2})\.(\d{1,2})(?!\d|\.\d)"), lambda match: "-".join(match.groups())),
    (re.compile(r"(?<![\w.])[vV](?=\d+\.\d)"), lambda _: "version "),
    (re.compile(r"(?<![\w.])\d{1,4}(?:\.\d{1,4}){2,}(?![\w]|\.\d)"), _dotted),
    (re.compile(r"(?<![A-Za-z])(US|HK|NT|A|C|S)\$\s?(\d[\d,.]*\d|\d)"), _dollars),
    (re.compile(r"(?<![\w.,$€£¥])(\d[\d,.]*)\s?([$€£¥])(?!\s?\d)"), lambda match: f"{match[2]}{match[1]}"),
    (re.compile(r"(?<=\d)\s?bn\b"), lambda _: " billion"),
    (re.compile(r"(?<=\d)\s?([ap])\.?m\b\.?(?=\s*[-–—]\s*\d)"), lambda match: f" {match[1].upper()}M"),
    (re.compile(r"(?<=\d)\s?([ap])m\b"), lambda match: f" {match[1].upper()}M"),
    (re.compile(r"(?<=[AP]M)\s*[-–—]\s*(?=\d)|(?<=\d%)\s*[-–—~]\s*(?=\d)|(?<=:\d\d)\s*[-–—]\s*(?=\d{1,2}:\d\d)"), lambda _: " to "),
    (
        re.compile(rf"\b({'|'.join(_MONTHS)})\.?\s*[-–—]\s*({'|'.join(_MONTHS)})\b\.?"),
        lambda match: f"{_MONTHS[match[1]]} to {_MONTHS[match[2]]}",
    ),
    (re.compile(r"(?<![\d/])(\d{2})\s?/\s?\1(?![\d/])"), lambda match: f"{match[1]} {match[1]}"),
    (
        re.compile(rf"{_NOT_IN_NUMBER}(\d{{1,2}})/(100|1000)(?![\w/]|[.,]\d)"),
        lambda match: f"{match[1]} {'hundredth' if match[2] == '100' else 'thousandth'}{'' if match[1] == '1' else 's'}",
    ),
    (re.compile(rf"{_NOT_IN_NUMBER}(\d{{1,3}}):(\d{{3,5}})(?![\d:])"), lambda match: f"{match[1]} to {match[2]}"),
    (re.compile(r"(?<![\w.,])(\d[\d,.]*)\s?m/s\b"), lambda match: _plural(match, "meter") + " per second"),
    (re.compile(r"(?<=[a-z])/(m²|m\^2|m³|m\^3)"), lambda match: f" per {_POWERS[match[1][1:]]} meter"),
    (re.compile(r"(?<![\w.,])(\d[\d,.]*)\s?L\b"), lambda match: _plural(match, "liter")),
    (re.compile(r"(?<![\w.,])(\d[\d,.]*)\s?V\b"), lambda match: _plural(match, "volt")),
    (re.compile(r"(?<![\w.,$€£¥])(\d[\d,.]*)\s?h\b(?!/)"), lambda match: _plural(match, "hour")),
    (re.compile(r"(?:≥|>=)\s*(?=\d)"), lambda _: "at least "),
    (re.compile(r"(?:≤|<=)\s*(?=\d)"), lambda _: "at most "),
    (re.compile(r"(?<![\w<])<\s*(?=\d)"), lambda _: "less than "),
    (re.compile(r"(?<![\w>])>\s*(?=\d)"), lambda _: "more than "),
    (re.compile(r"\b([A-G])#(?!\w)"), lambda match: f"{match[1]} sharp"),
    (re.compile(r"(?<=\d)\^(\d+)"), lambda match: f" to the power of {match[1]}"),
    (re.compile(r"\ba\.\s?k\.\s?a\.(,?)", re.IGNORECASE), lambda _: "also known as"),
    (
        re.compile(r"\b([A-Z]{1,3})-(\d{4,})\b"),
        lambda match: "".join(f"{letter}." for letter in match[1]) + f" {say_as.as_text(match[2], 'number', 'en')}",
    ),
    (
        re.compile(r"(?<![\w.])(?:\+\d{1,3}[\s.-]?(?:\(?\d{1,4}\)?[\s.-]?){2,4}\d{2,4}|(?:\(\d{3,4}\)\s?|\d{3}[.-])\d{3,4}[\s.-]\d{4})(?![\w])"),
        lambda match: say_as.as_text(match[0].strip("("), "telephone", "en"),
    ),
    (re.compile(r"(?<![\w/])24/7(?![\w/])"), lambda _: "twenty-four seven"),
    (
        re.compile(rf"(?:{_NOT_IN_NUMBER}(\d+)\s+)?{_NOT_IN_NUMBER}(\d{{1,2}})/([2-9]|10)(?![\w/]|[.,]\d)"),
        lambda match: _fraction(match[1] or "", int(match[2]), int(match[3])) if int(match[2]) < int(match[3]) else match[0],
    ),
    (re.compile(r"(?<=\d)\s*[–—~]\s*(?=\d)"), lambda _: " to "),
    (re.compile(rf"{_NOT_IN_NUMBER}(\d{{1,2}}):(\d)(?![\d:])"), lambda match: f"{match[1]} to {match[2]}"),
    (re.compile(r"(?<=\d)\s*[xX×*]\s*(?=\d)"), lambda _: " by "),
    (re.compile(r"(?<!\w)#\s?(?=\d)"), lambda _: "number "),
    (
        re.compile(rf"\b({'|'.join(_DAYS)})\.?\s*[-–—]\s*({'|'.join(_DAYS)})\b\.?"),
        _days,
    ),
    (re.compile(rf"(?<![\d,.])(\d[\d,.]*)\s?({'|'.join(_MONEY)})\b"), lambda match: f"{match[1]} {_MONEY[match[2]]}"),
    (re.compile(r"(?<![\d,.])(\d[\d,.]*)\s?(mm|cm|km|m)(²|³|\^2|\^3)"), _power),
    (re.compile(r"(\d+)\s?(?:ft|′|')\s?(\d+)\s?(?:in\b|″|\")\.?"), lambda match: f"{match[1]} feet {match[2]} inches"),
    (re.compile(r"(?<![\w.,$€£¥])(\d[\d,.]*)\s?m\b(?![²³/’'.]\w)"), lambda match: _plural(match, "meter")),
    (re.compile(r"(?<=\ba )(\d[\d,.]*)\s?W\b"), lambda match: f"{match[1]} watt"),
    (re.compile(r"(?<![\w.,])(\d[\d,.]*)\s?W\b"), lambda match: _plural(match, "watt")),
    (re.compile(r"\be\.\s?g\.(,?)", re.IGNORECASE), lambda _: "for example"),
    (re.compile(r"\bi\.\s?e\.(,?)", re.IGNORECASE), lambda _: "that is"),
    (re.compile(r"(?<=\w)(?:\s*\.{3,}|\s*…|\s+--+)(?=\s*\w)"), lambda _: ","),
)  # fmt: skip

_CALLED: Final = r"(?:拨打|致电|电话|热线|呼叫|手机号?|联系电话|打)[：:是为]?\s*"
_NUMBERED: Final = (
    r"(?:身份证号?|(?:订单|快递|运单|证件|护照|会员|银行卡|信用卡|手机|取件|尾|卡|账|帐|编|单|工|学|房间|座位)号码?"
    r"|验证码|取件码|邀请码|密码|口令|邮编|邮政编码|QQ群?号?|群号|警号|证号)\s*[：:是为]{0,2}\s*"
)
"""Before digits that are read one by one."""
_NAMED: Final = r"(?:微信(?:号|ID)?|公众号|账号|帐号|用户名|QQ号?)\s*[：:是为]?\s*"
_PRICES: Final = {"US": "美元", "HK": "港元", "NT": "新台币", "A": "澳元", "C": "加元", "S": "新加坡元"}
_CIRCLED: Final = "①②③④⑤⑥⑦⑧⑨⑩"
_TITLES: Final = {"Dr": "Doctor", "Mr": "Mister", "Mrs": "Missus", "Ms": "Miss", "Prof": "Professor", "St": "Saint"}
_HAN: Final = r"[\u3400-\u9fff]"


def _digits(match: re.Match[str]) -> str:
    return match[1] + say_as.as_text(match[2], "telephone", "zh")


def _name(match: re.Match[str]) -> str:
    """A name of letters and digits, as one tells it to somebody who writes it down."""
    signs = {"_": "下划线", "-": "杠", ".": "点"}
    parts = (
        signs.get(part) or (say_as.as_text(part, "number", "zh") if part.isdigit() else part)
        for part in re.findall(r"[A-Za-z]+|\d+|[_.-]", match[2])
    )
    return f"{match[1]}{' '.join(parts)}"


_MANDARIN: Final[tuple[_Rule, ...]] = (
    (re.compile(rf"({_NUMBERED})(\d{{3,}})(?![\d.年月]|[-:]\d)"), _digits),
    (re.compile(rf"({_NAMED})((?=[\w.-]*[\d_-])[A-Za-z][\w.-]*[A-Za-z0-9])", re.ASCII), _name),
    (
        re.compile(
            r"(?<![\d.\w-])(?:(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}|0\d{2,3}[- ]\d{3,4}[- ]?\d{4}"
            r"|[（(]0\d{2,3}[)）]\s?\d{3,4}[- ]?\d{4}|[48]00[- ]\d{3,4}[- ]\d{3,4})(?![\d.]|-\d)",
            re.ASCII,
        ),
        lambda match: say_as.as_text(re.sub("[（）]", "-", match[0]), "telephone", "zh"),
    ),
    (re.compile(rf"({_CALLED})(\d{{3,8}})(?!\d|[.年月个块元次])"), _digits),
    (re.compile(r"(?<![\d.,])()(\d{12,}[xX]?)(?![\d.,])"), _digits),
    (re.compile(r"(?<=\d),(?=\d{3}(?!\d))"), lambda _: ""),
    (re.compile(r"([¥￥$€£]\s?\d+|\d)\.00(?!\d)(?=(\s*元)?)"), lambda match: match[1] if match[2] or len(match[1]) > 1 else match[0]),
    (
        re.compile(r"(?<![A-Za-z])(US|HK|NT|A|C|S)\$\s?(\d[\d,.]*\d|\d)(万|亿|千|百万)?"),
        lambda match: f"{match[2]}{match[3] or ''}{_PRICES[match[1]]}",
    ),
    (re.compile(r"(?<![\d.])((?:19|20)\d\d)\.(\d{1,2})\.(\d{1,2})(?!\d|\.\d)"), lambda match: "-".join(match.groups())),
    (re.compile(r"(?<![\d:])0:([0-5]\d)(?![\d:])"), lambda match: f"00:{match[1]}"),
    (
        re.compile(r"第\s?(\d{1,6})(?![\d.,/:年~～–—到-])"),
        lambda match: "第" + say_as.as_text(match[1], "figure", "zh").replace("两", "二"),
    ),
    (re.compile(r"第\s?(\d+)/(\d+)页"), lambda match: f"第{match[1]}页，共{match[2]}页"),
    (re.compile(r"(?:全天)?(?<![A-Za-z0-9/])24/7(?![A-Za-z0-9/])"), lambda _: "全天24小时"),
    (re.compile(r"(?<![\d/])(\d{2,3})/\1(?![\d/])"), lambda match: f"{match[1]}比{match[1]}"),
    (re.compile(r"((?:比分|以)[为是：:]?\s*)(\d{1,3})\s*[-–]\s*(\d{1,3})(?!\d)"), lambda match: f"{match[1]}{match[2]}比{match[3]}"),
    (
        # Else it would be a day of a month.
        re.compile(r"(?<![\d.$¥￥€£:-])(?:1[0-2]|[1-9])\.[0-3]\d(?![\d.%％]|\s*[A-Za-z℃℉°万亿千百日号])"),
        lambda match: say_as.as_text(match[0], "figure", "zh"),
    ),
    (re.compile(r"(?<![A-Za-z0-9)）%℃])[-−](\d+(?:\.\d+)?)\s?[%％]"), lambda match: f"负{match[1]}%"),
    (re.compile(r"(?<=[\d%％℃℉度])\s*[~～–—]\s*(?=[\d-])|(?<=[%％℃℉])\s*-\s*(?=\d)"), lambda _: "到"),
    (re.compile(rf"(?<={_HAN})\s*[~～]\s*(?=[\d\u3400-\u9fff])"), lambda _: "到"),
    (re.compile(r"[~～]+"), lambda _: ""),
    (re.compile(r"(?<![\d.])(\d{3,4})(?=室|房间|号房|房(?![价租款子贷产]))"), lambda match: say_as.as_text(match[1], "number", "zh")),
    (re.compile(r"(?<=[楼栋幢号])2(?=单元)"), lambda _: "二"),
    (re.compile(r"°\s?C(?![A-Za-z])"), lambda _: "℃"),
    (re.compile(r"°\s?F(?![A-Za-z])"), lambda _: "℉"),
    (re.compile(r"(?<=[\d/])\s*(?:㎡|m²|m\^2)"), lambda _: "平方米"),
    (re.compile(r"(?<=\d)\s*(?:km²|km\^2)"), lambda _: "平方公里"),
    (re.compile(r"(?<=[\d/])\s*(?:m³|m\^3)"), lambda _: "立方米"),
    (re.compile(r"(?<![\d.])([2-6])g(?=\s*(?:网|信号|手机|时代|基站|套餐|流量|通信|技术|芯片|模块|制式))"), lambda match: f"{match[1]}G"),
    (re.compile(r"(?<!\d)(480|720|1080|1440|2160)[pP](?![A-Za-z])"), lambda match: say_as.as_text(match[1], "number", "zh") + "P"),
    (re.compile(r"(?<=\d)\^(\d+)"), lambda match: f"的{match[1]}次方"),
    (re.compile(r"(?<=\d)²"), lambda _: "的平方"),
    (re.compile(r"(?<=\d)³"), lambda _: "的立方"),
    (re.compile(r"元/(?=[A-Za-z])"), lambda _: "元每"),
    (re.compile(r"(?<=\d)\s*÷\s*(?=\d)"), lambda _: "除以"),
    (re.compile(r"(?<=[\w)）])\s*=\s*(?=[\d-])(?<!\d=)(?<!\d = )"), lambda _: "等于"),
    (re.compile(r"\s*≈\s*(?=\d)"), lambda _: "约等于"),
    (re.compile(r"<=\s*(?=\d)"), lambda _: "小于等于"),
    (re.compile(r">=\s*(?=\d)"), lambda _: "大于等于"),
    (re.compile(r"<\s*(?=\d)"), lambda _: "小于"),
    (re.compile(r">\s*(?=\d)"), lambda _: "大于"),
    (re.compile(rf"(?<=\d)\+(?=$|[\s，。；、）)]|{_HAN})"), lambda _: "加"),
    (re.compile(r"(?<![A-Za-z])C#"), lambda _: "C井"),
    (re.compile(f"[{_CIRCLED}]"), lambda match: f"{_CIRCLED.index(match[0]) + 1}，"),
    (
        re.compile(r"(?<![A-Za-z])([vV])(\d+(?:\.\d+)+)"),
        lambda match: match[1] + say_as.as_text(match[2], "number", "zh"),
    ),
    (re.compile(r"(?<![A-Za-z])No\.\s?(\d+)", re.IGNORECASE), lambda match: f"{match[1]}号"),
    (re.compile(rf"(?<![A-Za-z])({'|'.join(_TITLES)})\.\s?(?=[A-Z\u3400-\u9fff])"), lambda match: f"{_TITLES[match[1]]} "),
    (re.compile(r"(?<![A-Za-z])vs\.?(?![A-Za-z])", re.IGNORECASE), lambda _: "对"),
    (re.compile(r"(?<![A-Za-z])e\.g\.,?", re.IGNORECASE), lambda _: "例如"),
    (re.compile(r"(?<![A-Za-z])i\.e\.,?", re.IGNORECASE), lambda _: "也就是"),
    (re.compile(r"(?<![A-Za-z])etc\.", re.IGNORECASE), lambda _: "等等"),
)  # fmt: skip


def spelt_out(text: str, language: Language) -> str:
    """``text`` (without markup) with these things as words; the rest is left to what follows in that language."""
    mandarin = language == "zh"
    text = _LOOKS.sub("", text)
    text = _EMAIL.sub(lambda match: _address(match[0], mandarin), text)
    text = _DOMAIN.sub(lambda match: _address(match[0], mandarin), text)
    if not mandarin:
        for sign, written in _HALVES.items():
            text = re.sub(rf"(?<=\d)\s*{sign}", f" {written}", text).replace(sign, written)
    for pattern, said in _MANDARIN if mandarin else _ENGLISH:
        text = pattern.sub(said, text)
    return text


def _address(written: str, mandarin: bool) -> str:
    names = {"@": "艾特", ".": "点", "-": "杠", "_": "下划线", "+": "加"} if mandarin else {
        "@": " at ", ".": " dot ", "-": " dash ", "_": " underscore ", "+": " plus ",
    }  # fmt: skip
    return " ".join(re.sub(r"[@._+-]", lambda sign: names[sign[0]], written).split())
