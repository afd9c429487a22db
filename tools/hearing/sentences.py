"""What the synthesisers say for training: sentences of our own, and templates filled with dictionary words.

A tenth of the dictionary words (by hash), half of the whole sentences and their own templates are kept for the
held-out set, so that it shares neither sentence nor rare word with the training set.
"""

from __future__ import annotations

import json
import random
import zlib
from importlib.resources import files
from pathlib import Path
from typing import Literal

Part = Literal["train", "held_out"]

_ENGLISH: dict[Part, tuple[str, ...]] = {
    "train": (
        "Could you tell me which platform the morning train leaves from?",
        "My brother bought a pair of brown boots before the winter came.",
        "We should move the meeting from Monday to Wednesday afternoon.",
        "Five of the very old villages have no river above them.",
        "Perhaps people believe what they want to believe.",
        "The museum opens at half past nine, and entry is free on Sundays.",
        "Put the apples, the pumpkin and the bananas on the table by the lamp.",
        "I think that both of them are worth thirty thousand pounds.",
        "She was washing the windows while we were walking westwards.",
        "Yes, I can help you with that; please give me a moment.",
        "Through the thin fog they saw seven ships and a fishing boat.",
        "He jumped over the muddy puddle, slipped, and laughed about it.",
        "Would you like me to repeat the number more slowly?",
        "The chef chose cheese, cherries and a rich chocolate mousse.",
        "A good cook never hurries: look, smell, taste, and then add salt.",
        "Our company was founded by five families in the valley.",
        "Please press the blue button to begin, or the black one to stop.",
        "How far away is the nearest airport from where you are now?",
        "Few of us ever have enough time to finish everything.",
        "Baby pandas climb bamboo before they can properly run.",
    ),
    "held_out": (
        "Maybe the bus will be empty, but probably it is better to walk.",
        "What a beautiful evening for a swim in the warm sea!",
        "Peter's mother made plum jam and put it in small pots.",
        "The fifth volume of the novel is very funny and never too long.",
        "Please remember to bring both of the maps tomorrow.",
        "I would rather have tea with lemon, thank you very much.",
        "George enjoys the strange music of his huge orange machine.",
        "They have moved the big old piano from the bedroom upstairs.",
    ),
}
_ENGLISH_TEMPLATES: dict[Part, tuple[str, ...]] = {
    "train": (
        "The {} and the {} were more {} than the {} by the {}.",
        "He said {}, she heard {}, and we wrote {} or {}.",
        "Is it a {} {}, or do you mean the {} {}?",
        "When {} comes before {}, then {} follows; {} does not.",
        "{}, {}, {}, {}, {}, and finally {}.",
        "I bought {} {} for my {} because of the {} {}.",
        "Most {} people prefer {} to {}; some love {}.",
        "Look up {} in the book, then spell {}, {} and {}.",
    ),
    "held_out": (
        "Between {} and {} there may be a {} {}, if {} permits.",
        "Nobody has ever seen a {} with a {} or even {} {}!",
    ),
}
_MANDARIN: dict[Part, tuple[str, ...]] = {
    "train": (
        "请问去火车站应该坐哪一路公共汽车？",
        "妈妈把买来的苹果和面包放在桌子上面了。",
        "明天下午三点我们在会议室门口见面，好不好？",
        "他慢慢地爬上山坡，看见一片美丽的湖水。",
        "保护环境，人人有责，从身边的小事做起。",
        "这本小说非常有名，我已经读了两遍。",
        "别忘了把护照、机票和钱包都带好。",
        "北方的冬天比较冷，不过屋里有暖气。",
        "服务员，麻烦您给我们拿一份菜单，谢谢。",
        "弟弟喜欢跑步，妹妹喜欢跳舞，我喜欢下棋。",
        "春眠不觉晓，处处闻啼鸟，夜来风雨声，花落知多少。",
        "您好，很高兴为您服务，有什么可以帮您的吗？",
        "如果明天不下雨，我们就去公园放风筝。",
        "这种药每天吃三次，每次两片，饭后服用。",
        "老板，这条蓝色的裤子便宜一点儿行吗？",
        "无论遇到什么困难，他都不会轻易放弃。",
        "吃葡萄不吐葡萄皮，不吃葡萄倒吐葡萄皮。",
        "四是四，十是十，十四是十四，四十是四十。",
    ),
    "held_out": (
        "爸爸平时骑摩托车上班，偶尔也坐地铁。",
        "白头发的木匠把木板搬到门外面去了。",
        "请您慢慢说，我会一边听一边帮您记下来。",
        "我们班的同学暑假都跑到海边玩儿去了。",
        "八百标兵奔北坡，炮兵并排北边跑。",
        "粉红墙上画凤凰，凤凰画在粉红墙。",
        "姑姑在厨房里煮鱼汤，满屋子都是香味。",
    ),
}
_MANDARIN_TEMPLATES: dict[Part, tuple[str, ...]] = {
    "train": (
        "{}和{}比{}更{}，可是{}呢？",
        "他说{}，我听见{}，你写的是{}。",
        "从{}到{}，要经过{}和{}。",
        "{}、{}、{}、{}，最后是{}。",
        "因为{}不{}，所以我们需要{}{}。",
        "你觉得{}的{}怎么样？我更喜欢{}。",
    ),
    "held_out": ("不管{}还是{}，都没有{}那么{}。", "每当{}的时候，{}就会想起{}{}。"),
}
_WORDS: dict[str, list[str]] = {}


def _kept(word: str) -> bool:
    """Whether a dictionary word belongs to the held-out set."""
    return zlib.crc32(word.encode()) % 10 == 0


def _words(language: str) -> list[str]:
    """Dictionary words, in a fixed order: English ones of misaki's lexicon, frequent ones of jieba's."""
    if language not in _WORDS:
        if language == "en":
            lexicon = json.loads((files("misaki") / "data" / "us_gold.json").read_text("utf-8"))
            _WORDS["en"] = sorted(
                w for w in lexicon if w.isascii() and w.islower() and w.isalpha() and 3 <= len(w) < 10
            )
        else:
            import jieba

            lines = Path(jieba.__file__).with_name("dict.txt").read_text("utf-8").splitlines()
            rows = [line.split(" ") for line in lines]
            _WORDS["zh"] = sorted(word for word, count, *_ in rows if 2 <= len(word) <= 4 and int(count) >= 300)
    return _WORDS[language]


def sentence(language: str, part: Part, rng: random.Random, whole_share: float = 0.33) -> str:
    """One sentence of ``language`` ("en", "zh"): a whole one in ``whole_share`` of the cases, else a template filled."""
    whole, templates = (_ENGLISH, _ENGLISH_TEMPLATES) if language == "en" else (_MANDARIN, _MANDARIN_TEMPLATES)
    if rng.random() < whole_share:
        return rng.choice(whole[part])
    text = rng.choice(templates[part])
    words = _words(language)
    filled = []
    while len(filled) < text.count("{}"):
        word = rng.choice(words)
        if _kept(word) == (part == "held_out"):
            filled.append(word)
    return text.format(*filled)
