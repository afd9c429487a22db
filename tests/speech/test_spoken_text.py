"""What is written, as it is said aloud: numbers, dates, units, abbreviations and markup in both languages."""

from __future__ import annotations

import re
from functools import cache

import pytest

from visavis.speech.g2p import Phonemiser
from visavis.speech.normalise import normalise

ENGLISH = [
    # numbers
    ("There are 1,234,567 people.", "There are one million two hundred thirty four thousand five hundred sixty seven people."),
    ("It is -5 outside.", "It is minus five outside."),
    ("Pi is 3.14.", "Pi is three point one four."),
    ("She came 1st, he 22nd.", "She came first, he twenty second."),
    ("Half of it is 1/2.", "Half of it is one half."),
    ("Use 3/4 cup.", "Use three quarters cup."),
    ("2 ½ hours", "two and a half hours"),
    ("About 5-10 minutes.", "About five to ten minutes."),
    ("Read pages 10–15.", "Read pages ten to fifteen."),
    ("It grew by 3.5%.", "It grew by three point five percent."),
    ("We are open 24/7.", "We are open twenty four seven."),
    ("The score was 3:2.", "The score was three to two."),
    ("A 4x4 car", "A four by four car"),
    ("It measures 20x30 cm.", "It measures twenty by thirty centimeters."),
    ("You are #1.", "You are number one."),
    ("No. 5 is alive.", "Number five is alive."),
    ("Nos. 3 and 4", "Numbers three and four"),
    # dates and times
    ("On 2024-03-05.", "On March fifth, twenty twenty four."),
    ("On Mar 5, 2024.", "On March fifth, twenty twenty four."),
    ("In the 1990s.", "In the nineteen nineties."),
    ("In 1984.", "In nineteen eighty four."),
    ("At 5:30 pm.", "At five thirty PM."),
    ("At 9:05.", "At nine oh five."),
    ("At 14:00.", "At fourteen o'clock."),
    ("At 9 a.m. sharp", "At nine AM sharp"),
    ("Mon-Fri", "Monday to Friday"),
    ("Open Tue. and Thu.", "Open Tuesday and Thursday."),
    # money
    ("It costs $5.50.", "It costs five dollars and fifty cents."),
    ("That is €20.", "That is twenty euros."),
    ("Only £3!", "Only three pounds!"),
    ("$1.5 million", "one point five million dollars"),
    ("¥300", "three hundred yen"),
    ("20 USD", "twenty US dollars"),
    # units
    ("It weighs 5 kg.", "It weighs five kilograms."),
    ("Run 100 m.", "Run one hundred meters."),
    ("1 km away", "one kilometer away"),
    ("At 50 km/h.", "At fifty kilometers per hour."),
    ("It is 25°C.", "It is twenty five degrees Celsius."),
    ("A 16 kHz sound", "A sixteen kilohertz sound"),
    ("8 GB of RAM", "eight gigabytes of ram"),
    ("within 300 ms", "within three hundred milliseconds"),
    ("at 25 fps", "at twenty five frames per second"),
    ("10 m²", "ten square meters"),
    ("500 ml of milk", "five hundred milliliters of milk"),
    ("6 ft 2 in tall", "six feet two inches tall"),
    ("a 60 W lamp", "a sixty watt lamp"),
    # telephone, addresses
    ("Call +1 555 123 4567.", "Call plus one, five five five, one two three, four five six seven."),
    ("Call 555-123-4567.", "Call five five five, one two three, four five six seven."),
    ("Call (020) 7946-0958.", "Call zero two zero, seven nine four six, zero nine five eight."),
    ("Write to info@example.com.", "Write to info at example dot com."),
    ("See https://example.org/x?y=1 for more.", "See for more."),
    ("Visit example.com today.", "Visit example dot com today."),
    # abbreviations
    ("Dr. Smith is in.", "Doctor Smith is in."),
    ("Mr. and Mrs. Lee", "Mister and Missus Lee"),
    ("Fruit, e.g. apples.", "Fruit, for example apples."),
    ("The best, i.e. ours.", "The best, that is ours."),
    ("Apples, pears, etc.", "Apples, pears, et cetera."),
    ("Cats vs. dogs", "Cats versus dogs"),
    ("It takes approx. an hour.", "It takes approximately an hour."),
    ("The GPU and the CPU.", "The G P U and the C P U."),
    ("AI is everywhere.", "A.I. is everywhere."),
    ("NATO met the EU.", "Nayto met the E U."),
    ("Ask for the FAQ.", "Ask for the F A Q."),
    ("Apt. 4, 12 Main St.", "Apartment four, twelve Main Street."),
    ("St. James lived there.", "Saint James lived there."),
    ("R&D costs", "R and D costs"),
    ("and/or", "and or"),
    ("w/o sugar", "without sugar"),
    # markup
    ("# Opening hours", "Opening hours"),
    ("**Very** *important* ~~old~~", "Very important old"),
    ("Look [here](https://a.example/b).", "Look here."),
    ("![A map](map.png) of it", "A map of it"),
    ("Use `pip install` now.", "Use pip install now."),
    ("Run this:\n```python\nprint(1)\n```\nDone.", "Run this: Done."),
    ("- One\n- Two", "One, Two"),
    ("1. First\n2. Second", "one. First, two. Second"),
    ("| Day | Hours |\n|---|---|\n| Monday | nine |", "Day, Hours, Monday, nine"),
    ("<b>Bold</b> and<br>new &amp; nice", "Bold and, new and nice"),
    ("> He said so.", "He said so."),
    ("That is true.[1][^2]", "That is true."),
    ("Great! 🎉🎉 :-)", "Great!"),
    ("1️⃣ Sign in ✔️", "one Sign in"),
    ("snake_case and __init__", "snake case and init"),
    ("Well... I see -- yes", "Well, I see, yes"),
]  # fmt: skip

MANDARIN = [
    # numbers
    ("共1,234,567人。", "共一百二十三万四千五百六十七人。"),
    ("气温-5度。", "气温负五度。"),
    ("圆周率是3.14。", "圆周率是三点一四。"),
    ("第1名和第22名", "第一名和第二十二名"),
    ("占1/3。", "占三分之一。"),
    ("增长了3.5%。", "增长了百分之三点五。"),
    ("需要5-10分钟。", "需要五到十分钟。"),
    ("第10~15页", "第十到十五页"),
    ("有2个人", "有两个人"),
    ("2层楼", "两层楼"),
    ("比分是3:2。", "比分是三比二。"),
    ("10+5=15", "十加五等于十五"),
    ("在305室", "在三零五室"),
    ("第5号", "第五号"),
    ("约100多人", "约一百多人"),
    ("超过1.5亿", "超过一点五亿"),
    ("3万元", "三万元"),
    ("一共20个", "一共二十个"),
    # dates and times
    ("2024年3月5日", "二零二四年三月五日"),
    ("2024-03-05", "二零二四年三月五日"),
    ("2024/3/5开始", "二零二四年三月五日开始"),
    ("3月5号", "三月五号"),
    ("下午7:30见。", "下午七点三十分见。"),
    ("9:00开门", "九点开门"),
    ("9:05出发", "九点零五分出发"),
    ("9:00-17:30营业", "九点到十七点三十分营业"),
    ("1990年代", "一九九零年代"),
    ("24小时", "二十四小时"),
    ("周一至周五8点", "周一至周五八点"),
    # money
    ("价格￥19.99。", "价格十九点九九元。"),
    ("¥300", "三百元"),
    ("$5.50", "五点五零美元"),
    ("€20", "二十欧元"),
    ("20元/人", "每人二十元"),
    # units
    ("重3.5kg。", "重三点五千克。"),
    ("跑100m", "跑一百米"),
    ("时速50km/h", "时速五十公里每小时"),
    ("25℃", "二十五摄氏度"),
    ("25°C", "二十五摄氏度"),
    ("延迟500ms", "延迟五百毫秒"),
    ("16kHz", "十六千赫"),
    ("8GB内存", "八GB内存"),
    ("面积10㎡", "面积十平方米"),
    ("10m²", "十平方米"),
    ("500ml牛奶", "五百毫升牛奶"),
    ("25fps", "二十五帧每秒"),
    ("1080x1920", "一千零八十乘一千九百二十"),
    ("60W灯泡", "六十瓦灯泡"),
    # telephone, addresses
    ("电话13800138000。", "电话幺三八零零幺三八零零零。"),
    ("电话138-0013-8000", "电话幺三八，零零幺三，八零零零"),
    ("拨打010-12345678", "拨打零幺零，幺二三四五六七八"),
    ("热线400-810-8000", "热线四零零，八幺零，八零零零"),
    ("请拨打110", "请拨打幺幺零"),
    ("邮箱info@example.com。", "邮箱info艾特example点com。"),
    ("网址：https://example.org/x", "网址："),
    ("见example.com", "见example点com"),
    # abbreviations
    ("我们用AI和GPU。", "我们用AI和GPU。"),
    ("NATO会议", "NATO会议"),
    ("5G网络", "五G网络"),
    ("张三 vs. 李四", "张三 对 李四"),
    ("版本v1.2.3", "版本v一点二点三"),
    ("No.5展厅", "五号展厅"),
    # markup
    ("# 开放时间", "开放时间"),
    ("**非常**重要", "非常重要"),
    ("看[这里](https://a.example/b)。", "看这里。"),
    ("![地图](map.png)如下", "地图如下"),
    ("输入`帮助`。", "输入帮助。"),
    ("代码：\n```python\nprint(1)\n```\n完成。", "代码： 完成。"),
    ("- 苹果\n- 香蕉", "苹果，香蕉"),
    ("| 日期 | 时间 |\n|---|---|\n| 周一 | 九点 |", "日期，时间，周一，九点"),
    ("<b>粗体</b>和<br>换行", "粗体和，换行"),
    ("是真的。[1][^2]", "是真的。"),
    ("太好了！🎉😀", "太好了！"),
    ("好的~~~", "好的"),
    ("您好，请坐～", "您好，请坐"),
    ("1️⃣登记☎️", "一登记"),
    ("他说……好吧——走", "他说……好吧——走"),
]


@cache
def phonemiser() -> Phonemiser:
    return Phonemiser()


def sound(text: str) -> str:
    """Phonemes without stress, pauses and the shades of short vowels."""
    said = phonemiser()(normalise(text, "en"))
    bare = re.sub(r"[^\w]|[ˈˌː]", "", said).translate(str.maketrans("ᵊᵻəɐTʌɜ", "ɪɪɪɪtɪɪ"))
    return re.sub(r"(.)\1", r"\1", bare)


@pytest.mark.parametrize(("written", "read"), ENGLISH)
def test_english_sounds_like_the_words_it_stands_for(written: str, read: str) -> None:
    assert sound(written) == sound(read), f"{normalise(written, 'en')!r}: {phonemiser()(normalise(written, 'en'))}"


@pytest.mark.parametrize(("written", "read"), MANDARIN)
def test_mandarin_is_written_out(written: str, read: str) -> None:
    assert normalise(written, "zh") == read


@pytest.mark.parametrize(
    "cut",
    [
        "Look [here](https://a.exam",
        "Look **here",
        "Look `here",
        "Look here <b",
        "Look here ```python\nprint(1)",
        "Look ![here](x",
    ],
)
def test_markup_that_is_cut_short_is_not_said_either(cut: str) -> None:
    """A model's words come in pieces, and may end anywhere."""
    assert normalise(cut, "en") == "Look here"


def test_entities_make_no_slots_for_readings() -> None:
    assert normalise("a &#xE000;&#57345; b", "en") == "a b"


def test_there_are_enough_of_each() -> None:
    assert min(len(ENGLISH), len(MANDARIN)) >= 60
