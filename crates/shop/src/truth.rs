//! What is true of a world, for the bench that judges policies. No table has any of it.

/// Sums since the world began.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Truth {
    /// Visits of the web shop.
    pub visits: u64,
    /// Orders that were paid.
    pub orders: u64,
    /// Receipts of the stores.
    pub receipts: u64,
    /// Lines of orders and receipts.
    pub lines: u64,
    /// Pieces that were sold.
    pub units: i64,
    /// What was paid, without shipping, in ten-thousandths.
    pub revenue: i64,
    /// What the sold pieces had cost.
    pub cost: i64,
    /// Pieces that somebody wanted and that were not there.
    pub units_lost: i64,
    /// What they would have brought.
    pub revenue_lost: i64,
    /// The sum over all days of the stock's value at cost.
    pub stock_value_days: i64,
    /// What ads cost, in millionths.
    pub ads_micros: i64,
    /// What orders earned that were made on a visit which began with the click of an ad, in
    /// ten-thousandths. Without the ad there is no such visit.
    pub ads_margin: i64,
    /// Customers who came back because of an offer or a message.
    pub brought_back: u64,
    /// Discounts that offers cost.
    pub offers_cost: i64,
}
