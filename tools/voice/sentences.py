"""What the tools of this folder let the voices say: written for this project."""

from __future__ import annotations

MANDARIN = (
    "您好，欢迎来到这里，有什么可以帮您的吗？",
    "我能听见你说话，思考，并且用自己的声音回答你。",
    "我们的营业时间是周一到周五，上午九点到下午六点。",
    "图书馆在二楼，乘电梯上去，左转就能看到。",
    "请问您想办理什么业务？",
    "天气预报说明天有小雨，出门请带伞。",
    "这个问题我还不太清楚，我可以帮您转接人工服务。",
    "非常抱歉，刚才没有听清楚，请您再说一遍。",
    "会议室可以提前三天预订，每次最多两个小时。",
    "您可以随时打断我，我会马上停下来听您说。",
    "停车场在大楼的地下一层，前两个小时免费。",
    "孩子们在公园里放风筝，笑声传得很远。",
    "春天来了，山上的桃花都开了，空气里有淡淡的香味。",
    "请把身份证和银行卡准备好，然后到三号窗口排队。",
    "我觉得这本书写得很好，尤其是最后一章。",
    "昨天晚上我和朋友一起吃了火锅，又辣又香。",
    "火车十点二十分从北京出发，下午三点到上海。",
    "如果您忘记了密码，请点击登录页面下方的链接。",
    "他跑得太快了，谁也追不上。",
    "老师说学习要有耐心，不能着急。",
    "产品的保修期是两年，从购买之日起计算。",
    "这座城市有八百多年的历史，古老的城墙还在。",
    "请稍等，我正在查询。",
    "谢谢您的耐心等待，祝您生活愉快，再见！",
    "我们一起来学习数学和物理吧。",
    "洗手间在走廊尽头的右边。",
    "今天的温度是二十五度，适合散步。",
    "苹果五块钱一斤，西瓜两块钱一斤。",
    "他问我为什么不早点告诉他。",
    "窗外的雪越下越大，街上几乎没有人。",
    "您的快递已经送到前台了，请凭取件码领取。",
    "这种药每天吃三次，每次一片，饭后服用。",
)
ENGLISH = (
    "Hello, and welcome. How can I help you today?",
    "I can hear you, think, and answer aloud with moving lips.",
    "The library opens early in the morning, and it closes late.",
    "Please wait a moment while I look that up for you.",
    "Our office is on the second floor, next to the elevator.",
    "She sells sea shells by the sea shore.",
    "The weather tomorrow will be cloudy with a little rain.",
    "I am sorry, I did not understand that. Could you say it again?",
    "You can pay with cash or by card at the front desk.",
    "The quick brown fox jumps over the lazy dog.",
    "If you have any other question, just ask me.",
    "Trains to the airport leave every twenty minutes.",
)
SHORT = {
    "zh": ("你好。", "好的。", "请稍等。", "再见。", "对不起。", "是的，没错。", "谢谢您。", "请问您是？"),
    "en": ("Hello.", "Yes.", "Good day.", "Of course.", "One moment.", "Thank you.", "I see.", "Goodbye."),
}
"""Clauses with more silence around them than voice in them."""
