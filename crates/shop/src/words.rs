//! The words of the shop: categories, articles, names, reviews. All of them are made up.

use crate::random::{Random, mix};

/// Categories: id, name, the words of its articles, and in which months (from January) it sells
/// how much.
pub(crate) const CATEGORIES: [(&str, &str, &[&str], [f64; 12]); 12] = [
    ("kitchen", "kitchen", &["enamel mug", "cake stand", "jam jar", "tea towel", "milk pan"], FLAT),
    ("home", "home decoration", &["photo frame", "paper lantern", "wall clock", "vase"], FLAT),
    ("candles", "candles", &["cedar candle", "tea light holder", "storm lamp"], WINTER),
    ("garden", "garden", &["bird feeder", "plant pot", "garden gloves", "watering can"], SUMMER),
    ("toys", "toys", &["doll house", "wooden train", "spinning top", "kite"], GIFTS),
    ("stationery", "stationery", &["notebook", "wrapping paper", "greeting card", "pencil"], FLAT),
    ("christmas", "christmas", &["glass bauble", "advent calendar", "stocking"], CHRISTMAS),
    ("bags", "bags", &["lunch bag", "jumbo bag", "wicker basket", "purse"], FLAT),
    ("bath", "bath", &["soap dish", "bath salts", "hand towel"], FLAT),
    ("party", "party", &["bunting", "paper plates", "string of lights"], SUMMER),
    ("jewellery", "jewellery", &["necklace", "bracelet", "hair pin"], GIFTS),
    ("winter", "winter warmers", &["hot water bottle", "hand warmer", "knitted scarf"], WINTER),
];

const FLAT: [f64; 12] = [1.0; 12];
const WINTER: [f64; 12] = [1.4, 1.2, 0.9, 0.7, 0.6, 0.5, 0.5, 0.6, 0.9, 1.3, 1.6, 1.6];
const SUMMER: [f64; 12] = [0.5, 0.6, 0.9, 1.3, 1.6, 1.7, 1.6, 1.3, 0.9, 0.6, 0.5, 0.5];
const GIFTS: [f64; 12] = [0.8, 0.9, 0.8, 0.8, 0.9, 0.8, 0.8, 0.8, 0.9, 1.1, 1.5, 1.7];
const CHRISTMAS: [f64; 12] = [0.1, 0.05, 0.05, 0.05, 0.05, 0.1, 0.2, 0.4, 1.2, 2.4, 4.0, 3.4];

pub(crate) const LOOKS: [&str; 14] = [
    "red", "ivory", "blue", "green", "pink", "vintage", "striped", "spotted", "heart", "robin",
    "fox", "rose", "french", "retro",
];
pub(crate) const BRANDS: [&str; 6] =
    ["Alderley", "Brook & Moss", "Copperfield", "Dovecote", "Elmhurst", "Fernleigh"];
pub(crate) const VARIANTS: [&str; 3] = ["small", "medium", "large"];
pub(crate) const RIVALS: [&str; 3] = ["Giftwell", "Homely", "Presently"];

pub(crate) const CITIES: [&str; 10] = [
    "London", "Leeds", "Bristol", "York", "Cardiff", "Glasgow", "Belfast", "Oxford", "Norwich",
    "Exeter",
];
pub(crate) const SURNAMES: [&str; 16] = [
    "Ashby", "Barlow", "Carter", "Dunn", "Ellis", "Fisher", "Grant", "Hughes", "Ingram", "Jarvis",
    "Kemp", "Lowe", "Marsh", "Norris", "Osborne", "Palmer",
];
const FIRST: [&str; 16] = [
    "Ada", "Ben", "Clara", "Dan", "Eva", "Fred", "Grace", "Hugh", "Iris", "Jack", "Kate", "Leo",
    "Mia", "Ned", "Olive", "Paul",
];
const FAMILY_ZH: [&str; 10] = ["王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴"];
const GIVEN_ZH: [&str; 10] = ["伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "洋", "艳"];

/// The name of a customer.
pub(crate) fn person(customer: u32, chinese: bool) -> String {
    let n = mix(u64::from(customer) + 17) as usize;
    if chinese {
        format!("{}{}", FAMILY_ZH[n % 10], GIVEN_ZH[n / 10 % 10])
    } else {
        format!("{} {}", FIRST[n % 16], SURNAMES[n / 16 % 16])
    }
}

const GOOD_EN: [&str; 6] = [
    "Lovely {}, exactly as shown.",
    "Bought the {} as a present and she was delighted.",
    "Great quality {}, would buy again.",
    "The {} arrived quickly and well packed.",
    "Very happy with this {}, worth every penny.",
    "Our customers love the {}, we order it every month.",
];
const FAIR_EN: [&str; 4] = [
    "The {} is fine, but smaller than I thought.",
    "Nice {}, though the colour is not that of the picture.",
    "The {} is all right for the price.",
    "Delivery of the {} took longer than promised.",
];
const BAD_EN: [&str; 4] = [
    "The {} broke after two days, very disappointed.",
    "Poor quality {}, I want my money back.",
    "The {} arrived damaged and nobody answers.",
    "Do not buy this {}, it looks cheap and smells odd.",
];
const GOOD_ZH: [&str; 5] = [
    "{}很漂亮,和图片一样,非常满意。",
    "质量很好,{}包装也很仔细,会再买。",
    "送朋友的{},她很喜欢,物流很快。",
    "{}性价比很高,值得推荐。",
    "第二次买{}了,一如既往的好。",
];
const FAIR_ZH: [&str; 3] =
    ["{}还可以,就是比想象的小。", "{}一般般,颜色和图片有点不同。", "{}凑合,送货有点慢。"];
const BAD_ZH: [&str; 4] = [
    "{}用了两天就坏了,太失望了。",
    "质量很差,{}要求退款。",
    "{}收到时已经破损,客服不理人。",
    "不要买这个{},有异味,做工粗糙。",
];

/// What somebody writes who gives so many stars.
pub(crate) fn review(random: &mut Random, chinese: bool, rating: u8, article: &str) -> String {
    let lines: &[&str] = match (chinese, rating) {
        (false, 4..) => &GOOD_EN,
        (false, 3) => &FAIR_EN,
        (false, _) => &BAD_EN,
        (true, 4..) => &GOOD_ZH,
        (true, 3) => &FAIR_ZH,
        (true, _) => &BAD_ZH,
    };
    random.pick(lines).replace("{}", article)
}

const SOCIAL: [&str; 3] =
    ["Everybody wants {} this week", "Found the nicest {} today", "{} are back in fashion"];
const NEWS: [&str; 2] = ["Retailers see demand for {} rise", "Why {} sell out this season"];

/// What is said about a category.
pub(crate) fn rumour(random: &mut Random, news: bool, category: &str) -> String {
    let lines: &[&str] = if news { &NEWS } else { &SOCIAL };
    random.pick(lines).replace("{}", category)
}
