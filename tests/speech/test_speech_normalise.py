"""Text normalisation: what a person would read aloud."""

from __future__ import annotations

import pytest

from visavis.speech.normalise import normalise, script_runs


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2024年3月5日下午7:30。", "二零二四年三月五日下午七点三十分。"),
        ("温度是-3.5℃，占25%。", "温度是负三点五摄氏度，占百分之二十五。"),
        ("价格￥19.99，重3.5kg。", "价格十九点九九元，重三点五千克。"),
        ("速度25fps，延迟500ms，16kHz。", "速度二十五帧每秒，延迟五百毫秒，十六千赫。"),
        ("共1,250人，1/3的人。", "共一千二百五十人，三分之一的人。"),
        ("电话是13800138000。", "电话是幺三八零零幺三八零零零。"),
        ("分辨率1080x1920。", "分辨率一千零八十乘一千九百二十。"),
        ("版本是1.2.3。", "版本是一点二点三。"),
        ("比分是3:2。", "比分是三比二。"),
        ("我用GPT4和H.264。", "我用GPT4和H.264。"),
        ("我有3个iPhone。", "我有三个iPhone。"),
        ("你好😀，**世界**！", "你好，世界！"),
        ("看[这里](https://example.org/a?b=1)：https://example.org", "看这里："),
    ],
)
def test_mandarin(written: str, read: str) -> None:
    assert normalise(written, "zh") == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("**Hello** [you](http://a.example) 😀 there.", "Hello you there."),
        ("It\u00a0costs\n$5.", "It costs $5."),
        ("At 1080x1920.", "At 1080 by 1920."),
        ("See https://example.org/x for more.", "See for more."),
        ("cafe\u0301", "café"),
    ],
)
def test_english_keeps_numbers_for_the_converter_and_loses_markup(written: str, read: str) -> None:
    assert normalise(written, "en") == read


@pytest.mark.parametrize("nothing", ["", "  \n", "😀🎉", "…", "？！", "***", "\u200b"])
def test_nothing_to_say(nothing: str) -> None:
    assert normalise(nothing, "zh") == ""
    assert normalise(nothing, "en") == ""


def test_english_text_with_chinese_in_it_reads_numbers_in_mandarin() -> None:
    assert normalise("Ask 李雷, 3个.", "en") == "Ask 李雷, 三个."


def test_runs_of_a_mixed_sentence() -> None:
    runs = list(script_runs("visavis是一个open source的项目，用C++写。"))
    assert runs == [
        ("en", "visavis"),
        ("zh", "是一个"),
        ("en", "open source"),
        ("zh", "的项目，用"),
        ("en", "C++"),
        ("zh", "写。"),
    ]
