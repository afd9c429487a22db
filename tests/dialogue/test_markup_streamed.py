"""A model's Markdown, cut anywhere as tokens are: always the same is said, and nothing of its code, addresses and marks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import pytest

from visavis.dialogue import phrases
from visavis.dialogue.assistant.clauses import ClauseStream
from visavis.dialogue.model import Spoken
from visavis.speech.normalise import normalise
from visavis.speech.types import Language

NASTY: dict[Language, str] = {
    "en": """# Opening **hours**!

We open at nine. See [the plan? It is here!](https://xerxes.example/plan?xa=1!&xb=(2) "Xylo? No. Yes!") for more? Sure.

```python
def xalpha(): return "xbeta! xgamma?"   # xdelta. Xepsilon!
print(f"```xzeta")
```

> ~~~
> xeta? Xtheta!
> ~~~

| Day | Hours? Yes! |
|:---|---:|
| Monday | nine. Then [closed](https://xiota.example/?a=b) |

<div class="xkappa? Xlambda!" title='x'>Inside</div> is <b>bold</b>. <!-- xmu! Xnu? --> Fine! <script>xomicron("!");</script>

[![Picture](https://xpi.example/a.png)](https://xrho.example/?q) is linked. Use `pip install` and a < b. Three~~~
Good `code ` then ***strong? yes!*** ~~struck~~ &amp; done 🎉👍🏽. Address: https://xsigma.example/a?xtau=1!xupsilon now. Text [1][2] ends.

1. First! Really?
2. Second

---
[plan]: https://xchi.example/?a=1 "Xpsi! Xomega?"
Last ```bash
xend && xfinish?
""",
    "zh": """## 开放**时间**！

我们九点开门。请看[地图？在这里！](https://xerxes.example/plan?xa=1!&xb=(2) "Xylo。是！")。好的~~~
当然！

````
xalpha！xbeta？
```
xgamma。
````

| 日期 | 时间？是！ |
|---|---|
| 周一 | 九点。然后[关门](https://xiota.example/?a=b) |

<span style="xkappa！">里面</span>很好。<!-- xmu！ -->不错！😀

- **苹果**！很甜？
- 香蕉

[![图片](https://xpi.example/a.png)](https://xrho.example/?q)在此。网址https://xsigma.example/a?xtau=1 请看。完。
最后：
~~~sh
xend！
""",
}
SAID: dict[Language, str] = {
    "en": "opening hours we open at nine see the plan it is here for more sure day hours yes monday nine then closed inside is bold "
    "fine picture is linked use pip install and a b three good code then strong yes struck done address now text 1 ends "
    "1 first really 2 second last",
    "zh": "开放时间我们九点开门请看地图在这里好的当然日期时间是周一九点然后关门里面很好不错苹果很甜香蕉图片在此网址请看完最后",
}

Stream = Callable[[Language], phrases.SentenceStream]
STREAMS: Sequence[Stream] = (phrases.SentenceStream, ClauseStream)


def heard(pieces: Iterable[str], language: Language, stream: Stream) -> str:
    """The words that synthesis is given, of all sentences."""
    spoken = Spoken(language, stream(language))
    sentences = [sentence for piece in pieces for sentence in spoken.push(piece)] + spoken.finish()
    texts = " ".join(normalise(sentence.text, language) for sentence in sentences)
    words = re.findall(r"[^\W_]+", texts.lower())
    return "".join(words) if language == "zh" else " ".join(words)


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_same_is_said_wherever_the_text_is_cut(language: Language, stream: Stream) -> None:
    text = NASTY[language]
    assert heard([text], language, stream) == SAID[language]
    for size in (1, 2, 3, 5, 8, 13, 40):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert heard(pieces, language, stream) == SAID[language], f"pieces of {size}"
    for at in range(1, len(text)):
        assert heard([text[:at], text[at:]], language, stream) == SAID[language], f"cut before {text[at : at + 20]!r}"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_text_that_breaks_off_anywhere_says_nothing_of_it_either(language: Language) -> None:
    text = NASTY[language]
    for at in range(1, len(text)):
        said = heard([text[:at]], language, ClauseStream)
        assert not re.search(r"x(?:[a-z]{2,})|python|script|www|class|href", said), (
            f"ends {text[max(0, at - 20) : at]!r}"
        )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_stored_text_is_said_like_a_streamed_one(language: Language) -> None:
    texts = (normalise(sentence, language) for sentence in phrases.sentences(NASTY[language], language))
    words = re.findall(r"[^\W_]+", " ".join(texts).lower())
    assert ("" if language == "zh" else " ").join(words) == SAID[language]


def test_a_plain_text_is_not_held_back() -> None:
    stream = phrases.SentenceStream("en")
    assert stream.push("Really! ") == ["Really!"]
    assert stream.push("At 10~15 or a* b, x[0] is 5 > 4. Next") == ["At 10~15 or a* b, x[0] is 5 > 4."]


def test_what_only_begins_like_markup_is_said_in_the_end() -> None:
    long = "word " * 300
    assert heard([f"A <b {long}", "end."], "en", phrases.SentenceStream).endswith("end")
    assert heard([f"A [b {long}", "end."], "en", phrases.SentenceStream).endswith("end")
