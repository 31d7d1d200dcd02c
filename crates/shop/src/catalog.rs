//! What the shop sells, where, and from whom: made once of the seed.
//!
//! The prices of what is sold are those of the Online Retail data in shape: half of all lines cost
//! 2.08 or less, one in ten 7.95 or more. What the packs may not know (elasticity, true lead times)
//! is here too, and no column shows it.

use crate::config::Config;
use crate::event::Money;
use crate::random::{Random, Weighted};
use crate::table::Value;
use crate::words;

/// What the shop is made of.
#[derive(Debug)]
pub struct Catalog {
    pub(crate) categories: Vec<Category>,
    pub(crate) products: Vec<Product>,
    pub(crate) skus: Vec<Sku>,
    pub(crate) suppliers: Vec<Supplier>,
    pub(crate) stores: u16,
}

#[derive(Debug)]
pub(crate) struct Category {
    pub id: &'static str,
    pub name: &'static str,
    pub months: [f64; 12],
    /// Its SKUs, and how popular each is.
    pub skus: Vec<u32>,
    pub popularity: Weighted,
    pub weight: f64,
}

#[derive(Debug)]
pub(crate) struct Product {
    pub name: String,
    pub brand: &'static str,
    pub category: u8,
    pub launched: i32,
}

#[derive(Debug)]
pub(crate) struct Sku {
    pub product: u32,
    pub name: String,
    pub variant: &'static str,
    pub price: Money,
    pub cost: Money,
    pub supplier: u16,
    pub pack: i32,
    pub tagged: bool,
    pub popularity: f64,
    /// Hidden: by how many percent sales fall when the price rises by one.
    pub elasticity: f64,
}

#[derive(Debug)]
pub(crate) struct Supplier {
    pub country: &'static str,
    pub promised_days: u16,
    /// Hidden: what it really takes.
    pub days: f64,
    pub spread: f64,
}

impl Sku {
    /// The least price that may be advertised.
    pub fn price_min(&self) -> Money {
        pence(self.cost as f64 * 1.1)
    }
}

/// Whole pence.
pub(crate) fn pence(amount: f64) -> Money {
    ((amount / 100.0).round() as i64).max(1) * 100
}

/// The name of a location: 0 is the warehouse, the last one the web shop.
pub(crate) fn location_id(location: u16) -> Value<'static> {
    match location {
        0 => Value::Text("dc-1"),
        u16::MAX => Value::Text("web-1"),
        n => Value::Id("store-", u64::from(n)),
    }
}

const TOWNS: [(&str, &str, f64, f64); 8] = [
    ("High Street", "London", 51.51, -0.13),
    ("Briggate", "Leeds", 53.80, -1.54),
    ("Park Row", "Bristol", 51.45, -2.60),
    ("Stonegate", "York", 53.96, -1.08),
    ("Queen Street", "Cardiff", 51.48, -3.18),
    ("Buchanan Street", "Glasgow", 55.86, -4.25),
    ("Royal Avenue", "Belfast", 54.60, -5.93),
    ("Broad Street", "Oxford", 51.75, -1.26),
];

impl Catalog {
    /// The catalogue of a configuration.
    pub fn new(config: &Config) -> Self {
        let mut random = Random::new(config.seed, &[1]);
        let suppliers = (0..12).map(|_| supplier(&mut random, config)).collect();
        let mut catalog = Self {
            categories: Vec::new(),
            products: Vec::new(),
            skus: Vec::new(),
            suppliers,
            stores: config.stores,
        };
        let today = crate::calendar::day_of(config.start_ms) as i32;
        for number in 0..config.products {
            catalog.add_product(&mut random, number, today, config);
        }
        for (index, (id, name, _, months)) in words::CATEGORIES.iter().enumerate() {
            let skus: Vec<u32> = (0..catalog.skus.len() as u32)
                .filter(|s| catalog.category_index(*s) as usize == index)
                .collect();
            let weight = |s: &u32| catalog.skus[*s as usize].popularity;
            let popularity = Weighted::new(skus.iter().map(weight));
            let weight = skus.iter().map(weight).sum();
            catalog.categories.push(Category {
                id,
                name,
                months: *months,
                skus,
                popularity,
                weight,
            });
        }
        catalog
    }

    fn add_product(&mut self, random: &mut Random, number: u32, today: i32, config: &Config) {
        let category = (number as usize) % words::CATEGORIES.len();
        let look = random.pick(&words::LOOKS);
        let name = format!("{look} {}", random.pick(words::CATEGORIES[category].2));
        let brand = random.pick(&words::BRANDS);
        self.products.push(Product {
            name: name.clone(),
            brand,
            category: category as u8,
            launched: today - 30 - random.below(900) as i32,
        });
        // What sells most is cheap: the prices of lines have a lower median than those of a list.
        let price = random.lognormal(2.0, 0.95).clamp(0.29, 49.95);
        // Zipf's law over all products, in no order of their numbers.
        let rank = 1.0 + random.below(u64::from(config.products)) as f64;
        let popularity = rank.powf(-1.05);
        let variants = 1 + random.below(3) as usize;
        for (index, variant) in words::VARIANTS.iter().enumerate().take(variants) {
            let price = pence((price * (0.8 + 0.3 * index as f64) * 20.0).ceil() * 500.0 - 100.0);
            let margin = random.between(0.35, 0.62);
            let drawn = random.lognormal(2.3, 0.3).clamp(1.1, 4.5);
            self.skus.push(Sku {
                product: number,
                name: if variants == 1 { name.clone() } else { format!("{name}, {variant}") },
                variant: if variants == 1 { "one size" } else { variant },
                price,
                cost: pence(price as f64 * (1.0 - margin)),
                supplier: random.below(self.suppliers.len() as u64) as u16,
                pack: [6, 12, 24][random.below(3) as usize],
                tagged: random.chance(0.25),
                popularity: popularity * random.between(0.3, 1.0) / variants as f64,
                elasticity: drawn * config.hidden.elasticity,
            });
        }
    }

    /// The location of the web shop.
    pub(crate) fn web(&self) -> u16 {
        u16::MAX
    }

    pub(crate) fn category_index(&self, sku: u32) -> u8 {
        self.products[self.skus[sku as usize].product as usize].category
    }

    pub(crate) fn category_of(&self, sku: u32) -> &Category {
        &self.categories[self.category_index(sku) as usize]
    }

    pub(crate) fn location_name(&self, location: u16) -> (&'static str, &'static str, f64, f64) {
        match location {
            0 => ("Warehouse", "Daventry", 52.26, -1.16),
            u16::MAX => ("Web shop", "London", 51.51, -0.13),
            n => TOWNS[(n as usize - 1) % TOWNS.len()],
        }
    }
}

fn supplier(random: &mut Random, config: &Config) -> Supplier {
    let days = random.between(3.0, 14.0) * config.hidden.lead_time;
    Supplier {
        country: random.pick(&["GB", "CN", "IN", "DE", "PT"]),
        // What is promised is a little less than what is kept.
        promised_days: (days * 0.9).round().max(1.0) as u16,
        days,
        spread: random.between(0.1, 0.35),
    }
}
