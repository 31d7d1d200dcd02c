//! How often somebody may fail: so often at once, and so often a second from then on.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Attempts that may fail at once.
const AT_ONCE: f64 = 20.0;
/// And a second, in the long run.
const A_SECOND: f64 = 1.0;
/// Addresses that are remembered.
const ADDRESSES_MAX: usize = 10_000;

/// Counts attempts that failed, by address.
#[derive(Debug, Default)]
pub struct Limiter {
    left: Mutex<HashMap<IpAddr, (f64, Instant)>>,
}

impl Limiter {
    /// An attempt has failed: after how long the next one may, where this was one too many.
    pub fn failed(&self, address: IpAddr) -> Option<Duration> {
        self.failed_at(address, Instant::now())
    }

    fn failed_at(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let mut all = self.left.lock().unwrap_or_else(|e| e.into_inner());
        let regained = |left: f64, at: Instant| {
            let since = now.saturating_duration_since(at).as_secs_f64();
            (left + since * A_SECOND).min(AT_ONCE)
        };
        if all.len() >= ADDRESSES_MAX {
            all.retain(|_, (left, at)| regained(*left, *at) < AT_ONCE);
            if all.len() >= ADDRESSES_MAX {
                all.clear();
            }
        }
        let entry = all.entry(network(address)).or_insert((AT_ONCE, now));
        let left = regained(entry.0, entry.1);
        *entry = (left, now);
        if left < 1.0 {
            return Some(Duration::from_secs_f64((1.0 - left) / A_SECOND));
        }
        entry.0 = left - 1.0;
        None
    }
}

/// A household has a whole network of addresses of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_fail_and_then_one_a_second() {
        let (limiter, now) = (Limiter::default(), Instant::now());
        let address = IpAddr::from([10, 0, 0, 1]);
        for _ in 0..20 {
            assert_eq!(limiter.failed_at(address, now), None);
        }
        assert_eq!(limiter.failed_at(address, now), Some(Duration::from_secs(1)));
        assert_eq!(limiter.failed_at(IpAddr::from([10, 0, 0, 2]), now), None);
        let later = now + Duration::from_millis(1001);
        assert_eq!(limiter.failed_at(address, later), None);
        assert!(limiter.failed_at(address, later).is_some());
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let (limiter, now) = (Limiter::default(), Instant::now());
        let of = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        for last in 0..20 {
            assert_eq!(limiter.failed_at(of(last), now), None);
        }
        assert!(limiter.failed_at(of(99), now).is_some());
    }
}
