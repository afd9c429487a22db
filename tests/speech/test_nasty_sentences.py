"""Sentences full of figures, signs and short forms, as companies write them into their answers: what is said of them."""

from __future__ import annotations

import pytest
from test_spoken_text import sound

from visavis.speech.normalise import normalise

ENGLISH = [
    ("Meet Dr. Lee at 13:05 on 2026-11-23.", "Meet Doctor Lee at thirteen oh five on November twenty third, twenty twenty six."),
    ("It moved from 23.11.2026 to 2026.12.01.",
     "It moved from November twenty third, twenty twenty six to December first, twenty twenty six."),
    ("We open 9:30-18:00, Jan.-Mar.", "We open nine thirty to eighteen o'clock, January to March."),
    ("Open 9am-5pm, Sat. too", "Open nine AM to five PM, Saturday too"),
    ("Everything is 30%-50% off.", "Everything is thirty percent to fifty percent off."),
    ("It fell by -3.5% to 0.5 %.", "It fell by minus three point five percent to zero point five percent."),
    ("Tonight -12°C, tomorrow 68°F.", "Tonight minus twelve degrees Celsius, tomorrow sixty eight degrees Fahrenheit."),
    ("Wind of 5 m/s, cars at 60 km/h and 65 mph.",
     "Wind of five meters per second, cars at sixty kilometers per hour and sixty five miles per hour."),
    ("Our AI runs on 5G, in 4K and 3D.", "Our A.I. runs on five G, in four K and three D."),
    ("Call 400-123-4567 or 1-800-555-0199.",
     "Call four zero zero, one two three, four five six seven or one, eight zero zero, five five five, zero one nine nine."),
    ("In an emergency call 911 or dial 112.", "In an emergency call nine one one or dial one one two."),
    ("We call 300 people.", "We call three hundred people."),
    ("Ask at 12 Main St., near St. Mary.", "Ask at twelve Main Street, near Saint Mary."),
    ("No. 10 is on the 21st floor.", "Number ten is on the twenty first floor."),
    ("Drink tea, e.g. green, i.e. unfermented, etc.", "Drink tea, for example green, that is unfermented, et cetera."),
    ("Kay, a.k.a. Prof. Kim", "Kay, also known as Professor Kim"),
    ("Version 2.0.1 follows v1.9.", "Version two point zero point one follows version one point nine."),
    ("The address is 192.168.1.1.", "The address is one nine two dot one six eight dot one dot one."),
    ("Your code is 482913, your PIN 0042.", "Your code is four eight two nine one three, your PIN zero zero four two."),
    ("Your order number is 20261123001.", "Your order number is two zero two six one one two three zero zero one."),
    ("Parcel AB-12345 has come.", "Parcel A.B. one two three four five has come."),
    ("Write to kay.li@example.com, not to www.example.com/help?x=1.", "Write to kay dot li at example dot com, not to."),
    ("It costs $1,299.00, €0.99 or 10€.", "It costs one thousand two hundred ninety nine dollars, ninety nine cents or ten euros."),
    ("US$100 is HK$780.", "one hundred US dollars is seven hundred eighty Hong Kong dollars."),
    ("They paid £2m, we $3 bn.", "They paid two million pounds, we three billion dollars."),
    ("It carries 10 kg/m².", "It carries ten kilograms per square meter."),
    ("It takes 1 h 30 min.", "It takes one hour thirty minutes."),
    ("A 24h service, 24/7", "A twenty four hours service, twenty four seven"),
    ("1.5L at 220V and 50Hz", "one point five liters at two hundred twenty volts and fifty hertz"),
    ("A map of 1:1000 for a 16:9 screen", "A map of one to one thousand for a sixteen to nine screen"),
    ("1/100 of 2/3 is 50/50 luck.", "one hundredth of two thirds is fifty fifty luck."),
    ("If x = 5, then x > 3 and 10 ÷ 2 = 5 ± 1.",
     "If x equals five, then x more than three and ten divided by two equals five plus or minus one."),
    ("You must be ≥18 and ≤ 99.", "You must be at least eighteen and at most ninety nine."),
    ("10² and 2^10", "ten squared and two to the power of ten"),
    ("C# beats C++?", "C sharp beats C plus plus?"),
    ("Read pp. 3-5 of chapter IV.", "Read pages three to five of chapter four."),
    ("20-30 people in 2024-2026", "twenty to thirty people in twenty twenty four to twenty twenty six"),
    ("The man is 5'10\".", "The man is five feet ten inches."),
    ("Mt. Everest & the 100Mbps line", "Mount Everest and the one hundred megabits per second line"),
    ("It has 100+ shops and a 2TB disk.", "It has one hundred plus shops and a two terabytes disk."),
]  # fmt: skip

MANDARIN = [
    ("会议在2026-11-23 13:05开始。", "会议在二零二六年十一月二十三日 十三点零五分开始。"),
    ("2026.11.23和2026/11/23是同一天。", "二零二六年十一月二十三日和二零二六年十一月二十三日是同一天。"),
    ("现在是13:05:30，末班车0:10开。", "现在是十三点零五分三十秒，末班车零点十分开。"),
    ("周一~周五9:30-18:00营业。", "周一到周五九点三十分到十八点营业。"),
    ("全天24/7服务", "全天二十四小时服务"),
    ("降价30%~50%，也就是30%-50%。", "降价百分之三十到百分之五十，也就是百分之三十到百分之五十。"),
    ("利润-3%，成本增长0.5%。", "利润负百分之三，成本增长百分之零点五。"),
    ("今晚-12℃，明天10℃~15℃。", "今晚负十二摄氏度，明天十摄氏度到十五摄氏度。"),
    ("风速5m/s，限速60km/h。", "风速五米每秒，限速六十公里每小时。"),
    ("5G、5g网络和3D打印都用AI。", "五G、五G网络和三D打印都用AI。"),
    ("请打400-123-4567或021-6234 5678。", "请打四零零，幺二三，四五六七或零二幺，六二三四，五六七八。"),
    ("手机13812345678，或+86 138 0013 8000", "手机幺三八幺二三四五六七八，或加八六，幺三八，零零幺三，八零零零"),
    ("客服热线95588，报警110报警", "客服热线九五五八八，报警幺幺零报警"),
    ("身份证号是11010119900307851X", "身份证号是幺幺零幺零幺幺九九零零三零七八五幺X"),
    ("订单号20261123001，验证码：482913。", "订单号二零二六幺幺二三零零幺，验证码：四八二九幺三。"),
    ("密码1234，邮编100084", "密码幺二三四，邮编幺零零零八四"),
    ("微信号：abc_123，QQ：123456789", "微信号：abc 下划线 一二三，QQ：幺二三四五六七八九"),
    ("加微信wx2026ok。", "加微信wx 二零二六 ok。"),
    ("发邮件到kay.li@example.com", "发邮件到kay点li艾特example点com"),
    ("访问https://example.com/help?x=1了解更多", "访问 了解更多"),
    ("第1名奖¥3.5，第2名奖￥1,299.00。", "第一名奖三点五元，第二名奖一千二百九十九元。"),
    ("共1,234.56元，US$100，HK$50", "共一千二百三十四点五六元，一百美元，五十港元"),
    ("每斤11.23元，得分9.15。", "每斤十一点二三元，得分九点一五。"),
    ("苹果5元/kg，停车30元/小时", "苹果五元每千克，停车每小时三十元"),
    ("承重30kg/m²，每人5kg/人", "承重三十千克每平方米，每人五千克每人"),
    ("一瓶1.5L，重250g，220V，3kWh", "一瓶一点五升，重两百五十克，两百二十伏，三千瓦时"),
    ("需要1h，也就是60min。", "需要一小时，也就是六十分钟。"),
    ("比例1:1000，屏幕16:9，比分3-1。", "比例一比一千，屏幕十六比九，比分三比一。"),
    ("占1/2，机会50/50，第1/3页", "占二分之一，机会五十比五十，第一页，共三页"),
    ("3+2=5，10÷2=5，x=5", "三加二等于五，十除以二等于五，x等于五"),
    ("≥18岁，<5人，±5", "大于等于十八岁，小于五人，正负五"),
    ("10²是100，2^10是1024", "十的平方是一百，二的十次方是一千零二十四"),
    ("版本v2.0.1和Python 3.11", "版本v二点零点一和Python 三点一一"),
    ("地址是192.168.1.1", "地址是一九二点一六八点一点一"),
    ("3号楼2单元1208房", "三号楼二单元一二零八房"),
    ("20~30岁，3个-5个，1990-2000年", "二十到三十岁，三个到五个，一九九零到二零零零年"),
    ("视频1080p，速率100Mbps", "视频一零八零P，速率一百兆比特每秒"),
    ("用户100+，会C#和C++", "用户一百加，会C井和C++"),
    ("①扫码②付款", "一，扫码二，付款"),
    ("请找Dr. Li，e.g. 周三", "请找Doctor Li，例如 周三"),
    ("iPhone 5S有16GB内存", "iPhone 五S有十六GB内存"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "read"), ENGLISH)
def test_english(written: str, read: str) -> None:
    assert sound(written) == sound(read), normalise(written, "en")


@pytest.mark.parametrize(("written", "read"), MANDARIN)
def test_mandarin(written: str, read: str) -> None:
    assert normalise(written, "zh") == read


def test_there_are_enough_of_each() -> None:
    assert min(len(ENGLISH), len(MANDARIN)) >= 40
