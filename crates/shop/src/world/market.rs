//! What is said and searched outside, and the trends behind it.

use super::World;
use crate::calendar::{DAY, HOUR};
use crate::event::{Body, Signal};
use crate::random::Random;
use crate::table::Table;
use crate::words;

/// For ten days some category is in fashion; it is searched for two days earlier.
#[derive(Debug, Default)]
pub(super) struct Trend {
    category: usize,
    begins: i64,
}

/// How long a fashion lasts, and how much more is bought.
const DAYS: i64 = 10;
const BOOST: f64 = 2.5;

impl Trend {
    /// How much more a category is bought on a day.
    pub fn strength(&self, day: i64, category: usize) -> f64 {
        let on = category == self.category && (self.begins..self.begins + DAYS).contains(&day);
        if on { BOOST } else { 1.0 }
    }
}

impl World {
    /// The signals of a day. The next fashion begins three weeks after the last one did.
    pub(super) fn signals(&mut self, day: i64) {
        let mut random = self.random(&[23, day as u64]);
        if day >= self.trend.begins + DAYS {
            let mut dice = self.random(&[24, day as u64]);
            self.trend.category = dice.below(words::CATEGORIES.len() as u64) as usize;
            self.trend.begins = day + 11;
            let name = words::CATEGORIES[self.trend.category].1;
            self.truth.fashion = Some((name, self.trend.begins));
        }
        for category in 0..words::CATEGORIES.len() {
            let searched = self.trend.strength(day + 2, category);
            self.searches(day, category, searched, &mut random);
            for _ in 0..random.poisson(0.4 * searched * searched) {
                self.rumour(day, category, &mut random);
            }
        }
    }

    fn searches(&mut self, day: i64, category: usize, searched: f64, random: &mut Random) {
        let season = words::CATEGORIES[category].3[crate::calendar::month(day)];
        let value = (1000.0 * season * searched * random.lognormal(1.0, 0.07)).round();
        let category = category as u8;
        self.emit(Table::MarketSignal, day * DAY + HOUR, || {
            Body::Signal(Box::new(Signal {
                kind: "search_trend",
                category,
                value: Some(value),
                text: String::new(),
                lang: "",
            }))
        });
    }

    fn rumour(&mut self, day: i64, category: usize, random: &mut Random) {
        let news = random.chance(0.2);
        let text = words::rumour(random, news, words::CATEGORIES[category].1);
        let time = day * DAY + random.below(DAY as u64) as i64;
        let category = category as u8;
        self.emit(Table::MarketSignal, time, || {
            let kind = if news { "news" } else { "social" };
            Body::Signal(Box::new(Signal { kind, category, value: None, text, lang: "en" }))
        });
    }
}
