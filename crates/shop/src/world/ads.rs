//! Auctions for places, and the clicks they bring. The second price is paid.

use super::browse::{Intent, Visiting};
use super::{Action, World, next};
use crate::calendar::{DAY, HOUR, HOURS_WEB};
use crate::config::Config;
use crate::event::{Ad, Body, CampaignRow, Money};
use crate::random::{Random, Weighted};
use crate::table::Table;

#[derive(Debug)]
pub(super) struct Campaign {
    category: u8,
    medium: &'static str,
    budget: Money,
    bid: i64,
    spent_today: i64,
    /// Hidden: how often its ads are clicked.
    appeal: f64,
    /// Hidden: what the orders of its clicks brought.
    pub(super) brought: Money,
}

pub(super) fn campaigns(config: &Config) -> Vec<Campaign> {
    let mut random = Random::new(config.seed, &[18]);
    let campaign = |number: usize| Campaign {
        category: [0, 6, 4, 2, 9, 7][number % 6],
        medium: ["search", "display", "social"][number % 3],
        // From a quarter to more than all of what the auctions of a day cost: some budgets bind.
        budget: i64::from(config.customers) * (10 + 10 * random.below(5) as i64),
        bid: 120_000 + 40_000 * random.below(6) as i64,
        spent_today: 0,
        appeal: random.lognormal(0.018, 0.6) * config.hidden.ads,
        brought: 0,
    };
    (0..6).map(campaign).collect()
}

impl World {
    pub(super) fn announce_campaigns(&mut self, time: i64) {
        for campaign in 0..self.campaigns.len() as u32 {
            self.announce_campaign(time, campaign);
        }
    }

    fn announce_campaign(&mut self, time: i64, number: u32) {
        let Campaign { category, medium, budget, bid, .. } = self.campaigns[number as usize];
        let row = CampaignRow { campaign: number, category, medium, budget, bid };
        self.emit(Table::Campaign, time, || Body::Campaign(row));
    }

    pub(super) fn set_budget(&mut self, time: i64, number: u32, budget: Money) {
        self.campaigns[number as usize].budget = budget;
        self.announce_campaign(time, number);
    }

    pub(super) fn plan_ads(&mut self, day: i64) {
        let hours = Weighted::new(HOURS_WEB);
        let mean = f64::from(self.config.customers) * 0.05;
        for number in 0..self.campaigns.len() as u32 {
            self.campaigns[number as usize].spent_today = 0;
            let mut random = self.random(&[19, day as u64, u64::from(number)]);
            for _ in 0..random.poisson(mean) {
                let hour = hours.pick(&mut random) as i64;
                let time = day * DAY + hour * HOUR + random.below(HOUR as u64) as i64;
                self.later(time, Action::Ad(number));
            }
        }
    }

    pub(super) fn auction(&mut self, time: i64, number: u32) {
        let campaign = &self.campaigns[number as usize];
        // Budgets are in ten-thousandths, prices in millionths.
        if campaign.spent_today >= campaign.budget * 100 {
            return;
        }
        let (bid, category, appeal) = (campaign.bid, campaign.category, campaign.appeal);
        let auction = next(&mut self.ids.auctions);
        let mut random = self.random(&[20, time as u64, u64::from(number)]);
        let person = random.below(u64::from(self.config.customers).max(1)) as u32;
        let known = random.chance(0.5);
        let ad = Ad {
            auction: Some(auction),
            creative: number * 10 + random.below(3) as u32,
            placement: random.pick(&["top", "side", "feed"]),
            ..Ad::of(number)
        };
        self.ad(time, Ad { kind: "bid", bid, ..ad });
        let others = random.lognormal(130_000.0, 0.7) as i64;
        if others >= bid {
            return self.ad(time + 60, Ad { kind: "loss", bid, ..ad });
        }
        self.campaigns[number as usize].spent_today += others;
        self.truth.ads_micros += others;
        let anonymous = u64::from(person) * 2;
        let won =
            Ad { impression: Some(auction), anonymous: Some(anonymous), customer: None, ..ad };
        self.ad(time + 60, Ad { kind: "win", bid, price: others, ..won });
        self.ad(time + 400, Ad { kind: "impression", price: others, ..won });
        // Nobody clicks an ad for what they do not care for.
        let taste = self
            .customers
            .get(person as usize)
            .map_or(1.0, |c| c.tastes[category as usize].min(5.0));
        if random.chance((appeal * taste).min(0.5)) {
            let click = next(&mut self.ids.clicks);
            let at = time + 1000 + random.below(8000) as i64;
            self.ad(at, Ad { kind: "click", click: Some(click), ..won });
            let registered = self.customers[person as usize].registered_at < time;
            let customer = (known && registered).then_some(person);
            let buys = customer.is_some() && random.chance(0.1);
            let visiting = Visiting {
                customer,
                anonymous,
                intent: if buys { Intent::Buy } else { Intent::Look },
                campaign: Some(number),
                click: Some(click),
                category: Some(category),
            };
            self.later(at + 800, Action::Visit(visiting));
        }
    }

    fn ad(&mut self, time: i64, ad: Ad) {
        self.emit(Table::AdEvent, time, || Body::Ad(ad));
    }
}
