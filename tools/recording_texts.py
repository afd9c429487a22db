"""What the people in the recordings of ``visavis bench response`` say: see make_recordings.py.

``|0.7|`` is a pause of so many seconds. Each question is a paraphrase, as people ask, of an entry of the shipped knowledge.
"""

from __future__ import annotations

from visavis.speech.types import Language

QUESTIONS: dict[Language, dict[str, list[tuple[str, str]]]] = {
    "en": {
        "short": [
            ("Do you have a name?", "name"),
            ("Is it free of charge?", "cost"),
            ("Am I talking to a machine?", "real-person"),
            ("Do you speak Russian?", "other-languages"),
            ("Does it need a GPU?", "cpu"),
            ("Can I type my question?", "typing"),
            ("Does it run on Windows?", "operating-system"),
            ("How quickly do you reply?", "latency"),
            ("Are you recording me?", "privacy"),
        ],
        "long": [
            (
                "Excuse me, I am visiting today with two colleagues, could you tell us which languages you understand?",
                "languages",
            ),
            ("We are thinking of using this in our hotel, so may I ask how much we would have to pay?", "cost"),
            ("I was wondering whether I would be allowed to use this software in a commercial product.", "licence"),
            ("Suppose that I start talking while you are still speaking, what happens then?", "interrupt"),
            ("My laptop is rather old and has no graphics card, will it still run?", "cpu"),
            ("If I wanted to add my own questions and answers, how would I do that?", "own-knowledge"),
        ],
        "noise": [
            ("Who developed this software?", "who-made-it"),
            ("What can you help me with?", "capabilities"),
            ("Can I change the picture behind you?", "background"),
            ("Which browser should I use?", "browser"),
            ("How do I install it on my computer?", "install"),
            ("Why are your eyes closed sometimes?", "sleep"),
        ],
        "pause": [
            ("Is it possible, |0.4| to connect my own language model?", "own-model"),
            ("Does it also work, |0.4| without the internet?", "offline"),
            ("Can you tell me, |0.7| how many people can talk to you at once?", "concurrency"),
            ("What kind of speech recognition, |0.7| do you use?", "recognition"),
            ("I would like to know, |1.0| whether my voice is sent to the cloud.", "privacy"),
            ("And could I perhaps, |1.0| make my own avatar?", "avatars"),
        ],
        "um": [
            ("Um, |0.3| where can I, um, find the source code?", "contribute"),
            ("So, um, |0.5| what is the resolution of the video?", "resolution"),
            ("Well, um, |0.4| how do I wake you up again?", "wake"),
        ],
    },
    "zh": {
        "short": [
            ("你叫什么呀？", "name"),
            ("用这个要收费吗？", "cost"),
            ("你是真人还是机器？", "real-person"),
            ("你会说韩语吗？", "other-languages"),
            ("一定要有显卡吗？", "cpu"),
            ("我能打字问你吗？", "typing"),
            ("支持苹果电脑吗？", "operating-system"),
            ("你回答得有多快？", "latency"),
            ("你会录我的音吗？", "privacy"),
        ],
        "long": [
            ("不好意思打扰一下，我和同事今天第一次来参观，想问问你都会说哪些语言？", "languages"),
            ("我们酒店正在考虑用这个系统，请问大概需要付多少钱？", "cost"),
            ("我想把这个软件用到我们公司的商业产品里，这样可以吗？", "licence"),
            ("如果你正在说话的时候，我突然插一句话，会发生什么？", "interrupt"),
            ("我的电脑比较旧，也没有独立显卡，这样能运行吗？", "cpu"),
            ("要是我想加入我们自己的问题和答案，应该怎么做呢？", "own-knowledge"),
        ],
        "noise": [
            ("这个软件是谁开发的？", "who-made-it"),
            ("你能帮我做些什么？", "capabilities"),
            ("可以把你后面的背景换掉吗？", "background"),
            ("应该用哪个浏览器打开？", "browser"),
            ("怎么在我的电脑上安装？", "install"),
            ("你为什么有时候会闭上眼睛？", "sleep"),
        ],
        "pause": [
            ("我们能不能，|0.4|接入自己的大模型？", "own-model"),
            ("这个系统，|0.4|没有网络也能用吗？", "offline"),
            ("我想问一下，|0.7|你可以同时和多少人聊天？", "concurrency"),
            ("你用的语音识别，|0.7|是什么模型？", "recognition"),
            ("请告诉我，|1.0|我的声音会不会传到云端？", "privacy"),
            ("那我可不可以，|1.0|做一个自己的数字人形象？", "avatars"),
        ],
        "um": [
            ("呃，|0.3|源代码，呃，在哪里可以找到？", "contribute"),
            ("嗯，那个，|0.5|视频的分辨率是多少？", "resolution"),
            ("呃，|0.4|我怎么才能再把你叫醒？", "wake"),
        ],
    },
}
"""By language and kind: what is said, and the entry that answers it."""

BACKCHANNELS: dict[Language, list[str]] = {
    "en": ["Mm-hmm.", "Uh-huh.", "Yeah.", "Okay."],
    "zh": ["嗯。", "嗯嗯。", "对。", "好的。"],
}
"""What a listener says without wanting the floor."""
