"""Codes and the words that people say for them: EUR for euros, fr for French, DE for Germany, JFK for New York.

Each line of a table is a code and, after it, the words and signs that mean it; a word of several parts has underscores.
Only what is said often is listed: a code that is not must stand in the dialogue itself.
"""

from __future__ import annotations

from functools import lru_cache

_CURRENCIES = """
USD dollar dollars $ bucks american 美元 美金 ドル 달러
EUR euro euros € 欧元 ユーロ 유로
GBP pound pounds £ quid sterling british uk 英镑 ポンド
JPY yen ¥ japanese 日元 円 엔
CNY yuan rmb renminbi ¥ chinese 人民币 元
INR rupee rupees ₹ indian 卢比
KRW won ₩ korean 韩元 원
CHF franc francs swiss 瑞士法郎
CAD canadian 加元
AUD australian aussie 澳元
NZD kiwi new_zealand
MXN peso pesos mexican
BRL real reais brazilian
RUB ruble rubles rouble roubles ₽ 卢布
SEK krona kronor swedish
NOK krone kroner norwegian
DKK krone kroner danish
PLN zloty zlotys polish
TRY lira turkish ₺
ZAR rand south_african
SGD singapore 新加坡元
HKD hong_kong 港元 港币
THB baht ฿ บาท
TWD taiwan taiwanese 台币
AED dirham dirhams
ILS shekel shekels ₪
BTC bitcoin bitcoins ₿ 比特币
ETH ethereum ether 以太坊
"""
_LANGUAGES = """
en english eng 英语 英文 英語 영어
zh chinese mandarin 中文 汉语 中国語 중국어
es spanish español spa 西班牙语 スペイン語
fr french français fra fre 法语 法文 フランス語
de german deutsch deu ger 德语 ドイツ語
it italian italiano ita 意大利语
pt portuguese português por 葡萄牙语
ja japanese jpn 日语 日文 日本語
ko korean kor 韩语 한국어
ru russian rus 俄语
ar arabic ara 阿拉伯语
hi hindi hin
nl dutch nld
sv swedish swe
pl polish pol
tr turkish tur
vi vietnamese vie
th thai tha ไทย
id indonesian ind
el greek ell
he hebrew heb
uk ukrainian ukr
"""
_COUNTRIES = """
US usa united_states america american u_s 美国 アメリカ
GB uk gbr united_kingdom britain british england 英国
CA can canada canadian 加拿大
AU aus australia australian 澳大利亚
DE deu germany german 德国
FR fra france french 法国
IT ita italy italian 意大利
ES esp spain spanish 西班牙
CN chn china chinese 中国
JP jpn japan japanese 日本
KR kor korea korean 韩国
IN ind india indian 印度
BR bra brazil brazilian 巴西
MX mex mexico mexican 墨西哥
RU rus russia russian 俄罗斯
NL nld netherlands dutch holland 荷兰
CH che switzerland swiss 瑞士
AT aut austria austrian
BE bel belgium belgian
SE swe sweden swedish
NO nor norway norwegian
DK dnk denmark danish
FI fin finland finnish
IE irl ireland irish
PT prt portugal portuguese
GR grc greece greek
PL pol poland polish
TR tur turkey turkish
ZA zaf south_africa
EG egy egypt egyptian
NG nga nigeria nigerian
AR arg argentina argentinian
SG sgp singapore 新加坡
TH tha thailand thai 泰国
NZ nzl new_zealand
AE are emirates uae
"""
_STATES = """
AL alabama
AK alaska
AZ arizona
AR arkansas
CA california
CO colorado
CT connecticut
DE delaware
FL florida
GA georgia
HI hawaii
ID idaho
IL illinois
IN indiana
IA iowa
KS kansas
KY kentucky
LA louisiana
ME maine
MD maryland
MA massachusetts
MI michigan
MN minnesota
MS mississippi
MO missouri
MT montana
NE nebraska
NV nevada
NH new_hampshire
NJ new_jersey
NM new_mexico
NY new_york
NC north_carolina
ND north_dakota
OH ohio
OK oklahoma
OR oregon
PA pennsylvania
RI rhode_island
SC south_carolina
SD south_dakota
TN tennessee
TX texas
UT utah
VT vermont
VA virginia
WA washington
WV west_virginia
WI wisconsin
WY wyoming
"""
_AIRPORTS = """
JFK new_york nyc
LGA new_york nyc laguardia
EWR new_york nyc newark
LAX los_angeles
ORD chicago
MDW chicago
SFO san_francisco
SEA seattle
DFW dallas fort_worth
IAH houston
ATL atlanta
BOS boston
MIA miami
DEN denver
PHX phoenix
LAS las_vegas vegas
MCO orlando
CLT charlotte
PHL philadelphia
MSP minneapolis
DTW detroit
DCA washington
IAD washington
YYZ toronto
LHR london heathrow
LGW london gatwick
CDG paris
FRA frankfurt
MUC munich
AMS amsterdam
MAD madrid
FCO rome
HND tokyo haneda 东京
NRT tokyo narita 东京
PEK beijing 北京
PVG shanghai 上海
HKG hong_kong
SIN singapore
DXB dubai
SYD sydney
"""
_SHARES = """
AAPL apple 苹果 アップル
MSFT microsoft 微软 マイクロソフト
GOOGL google alphabet 谷歌 グーグル
GOOG google alphabet 谷歌
AMZN amazon 亚马逊 アマゾン
META facebook 脸书
FB facebook 脸书
TSLA tesla 特斯拉 テスラ
NVDA nvidia 英伟达
NFLX netflix 奈飞
BABA alibaba 阿里巴巴
IBM international_business_machines
"""
_UNITS = """
c celsius °c ℃ centigrade 摄氏
f fahrenheit °f ℉ 华氏
k kelvin
celsius c °c ℃ centigrade 摄氏
fahrenheit f °f ℉ 华氏
metric celsius °c kg kilograms cm centimeters km kilometers
imperial fahrenheit °f lb lbs pounds inches feet miles
kg kilo kilos kilogram kilograms 公斤 千克
kilogram kg kilo kilos 公斤 千克
lb lbs pound pounds
km kilometer kilometers kilometre kilometres 公里 千米
千米 公里 km kilometers
公里 千米 km kilometers
mi mile miles 英里
m meter meters metre metres 米
cm centimeter centimeters 厘米
ft foot feet
"""


@lru_cache(maxsize=1)
def _read_tables() -> dict[str, frozenset[str]]:
    """Code in lower case -> every word for it, with blanks for underscores."""
    words: dict[str, set[str]] = {}
    for line in "\n".join((_CURRENCIES, _LANGUAGES, _COUNTRIES, _STATES, _AIRPORTS, _SHARES, _UNITS)).split("\n"):
        for code, *said in [line.split()] if line else ():
            # the codes of three letters among the words ("eng", "usa") mean the same as the one of two
            for one in (code, *(word for word in said if len(word) == 3 and len(code) == 2 and word.isascii())):
                words.setdefault(one.lower(), set()).update(word.replace("_", " ") for word in said)
    return {code: frozenset(said) for code, said in words.items()}


def words_for_code(code: str) -> frozenset[str]:
    """What people say for a code, in lower case; nothing for one that is not in the tables."""
    return _read_tables().get(code.casefold(), frozenset())
