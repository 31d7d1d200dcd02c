//! What a world is made from.

/// The size and length of a world. Two worlds of one configuration that are told the same
/// decisions are the same, byte for byte.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Another seed, another shop.
    pub seed: u64,
    /// When the shop opens, in epoch milliseconds; the world begins at the midnight before.
    pub start_ms: i64,
    /// How many days it trades; 0 is no end.
    pub days: u32,
    /// How many people may become customers.
    pub customers: u32,
    /// How many products there are; each has one to three SKUs.
    pub products: u32,
    /// How many stores there are beside the web shop.
    pub stores: u16,
    /// The share of events that come twice.
    pub duplicates: f64,
    /// The share of events that come minutes late, behind every watermark of the model.
    pub late: f64,
    /// What the world hides.
    pub hidden: Hidden,
}

/// How strongly the hidden causes act. 1 is the world as it is; 0 makes a null world, in which a
/// policy that works by that cause can bring nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hidden {
    /// How much prices matter.
    pub elasticity: f64,
    /// How different tastes are.
    pub affinity: f64,
    /// How much offers and messages do.
    pub offers: f64,
    /// How much ads do.
    pub ads: f64,
    /// How much lists that somebody is shown do.
    pub lists: f64,
    /// Lead times are so many times as long.
    pub lead_time: f64,
}

impl Default for Hidden {
    fn default() -> Self {
        Self { elasticity: 1.0, affinity: 1.0, offers: 1.0, ads: 1.0, lists: 1.0, lead_time: 1.0 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 1,
            // 2025-09-01, a Monday before the busy season.
            start_ms: 1_756_684_800_000,
            days: 30,
            customers: 5000,
            products: 400,
            stores: 3,
            duplicates: 0.005,
            late: 0.0,
            hidden: Hidden::default(),
        }
    }
}
