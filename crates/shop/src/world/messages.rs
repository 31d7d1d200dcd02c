//! Registrations, log-ins and messages.

use super::browse::{Intent, Visiting};
use super::{Action, World, next};
use crate::calendar::{DAY, HOUR, MINUTE};
use crate::columns::dimensions::id_number;
use crate::event::{Body, Contact, CustomerRow, Identity, Visit};
use crate::table::Table;

/// A message to a customer.
#[derive(Debug)]
pub(super) struct Letter {
    pub customer: u32,
    pub campaign: &'static str,
    pub decision: Box<str>,
    /// Hidden: the chance that it brings somebody to the shop who would buy.
    pub response: f64,
}

impl World {
    pub(super) fn register(&mut self, time: i64, number: u32) {
        let customer = &self.customers[number as usize];
        let (channel, consent) = (customer.channel, customer.consent);
        let row = CustomerRow {
            customer: number,
            chinese: customer.chinese,
            female: customer.female,
            birth_year: customer.birth_year,
            channel,
            registered_at: customer.registered_at,
            city: customer.city,
            consent,
        };
        self.emit(Table::Customer, time, || Body::Customer(row));
        let known = Identity {
            channel,
            op: "identify",
            id_type: "email",
            id: id_number(2, number),
            customer: number,
            target: None,
            purpose: "",
            evidence: "form",
        };
        self.identity(time, known);
        let device = Identity { id_type: "anonymous_id", id: u64::from(number) * 2, ..known };
        self.identity(time, device);
        let allowed = Identity { id_type: "", purpose: "marketing", ..known };
        let op = if consent { "consent_granted" } else { "consent_withdrawn" };
        self.identity(time, Identity { op, ..allowed });
    }

    fn identity(&mut self, time: i64, identity: Identity) {
        self.emit(Table::IdentityEvent, time, || Body::Identity(identity));
    }

    /// Somebody logs in: now it is known whose device it is.
    pub(super) fn identify(&mut self, time: i64, visit: Visit, customer: u32) {
        self.identity(
            time,
            Identity {
                channel: visit.channel,
                op: "identify",
                id_type: "anonymous_id",
                id: visit.anonymous,
                customer,
                target: None,
                purpose: "",
                evidence: "login",
            },
        );
    }

    /// The newsletter of a Tuesday.
    pub(super) fn plan_newsletter(&mut self, day: i64) {
        for number in 0..self.customers.len() as u32 {
            let customer = &self.customers[number as usize];
            let known = customer.registered_at < day * DAY;
            if !known || !customer.consent || !customer.alive {
                continue;
            }
            let mut random = self.random(&[21, day as u64, u64::from(number)]);
            let response = 0.002 * self.config.hidden.offers;
            let letter =
                Letter { customer: number, campaign: "newsletter", decision: "".into(), response };
            let time = day * DAY + 10 * HOUR + random.below(HOUR as u64) as i64;
            self.later(time, Action::Letter(Box::new(letter)));
        }
    }

    /// A message is sent, perhaps opened, and perhaps it brings somebody.
    pub(super) fn letter(&mut self, time: i64, letter: Letter) {
        let message = next(&mut self.ids.messages);
        let mut random = self.random(&[22, u64::from(letter.customer), time as u64]);
        let contact = |kind: &'static str, reason: &'static str| {
            Body::Contact(Box::new(Contact {
                channel: "email",
                customer: letter.customer,
                kind,
                message,
                decision: letter.decision.clone(),
                campaign: letter.campaign,
                reason,
            }))
        };
        if !self.customers[letter.customer as usize].consent {
            return self.emit(Table::ContactEvent, time, || contact("suppressed", "no_consent"));
        }
        self.customers[letter.customer as usize].messages += 1;
        self.emit(Table::ContactEvent, time, || contact("sent", ""));
        if random.chance(0.015) {
            return self
                .emit(Table::ContactEvent, time + 5000, || contact("bounced", "no_mailbox"));
        }
        self.emit(Table::ContactEvent, time + 3000, || contact("delivered", ""));
        let (opens, acts) = (random.chance(0.22), random.unit() < letter.response);
        let at = time + MINUTE + (random.exponential(6.0) * HOUR as f64) as i64;
        if opens || acts {
            self.emit(Table::ContactEvent, at, || contact("opened", ""));
        }
        if acts || (opens && random.chance(0.08)) {
            self.emit(Table::ContactEvent, at + 20_000, || contact("clicked", ""));
            let customer = letter.customer;
            if acts && !self.customers[customer as usize].alive {
                self.customers[customer as usize].alive = true;
                self.truth.brought_back += 1;
            }
            let visiting = Visiting {
                customer: Some(customer),
                anonymous: u64::from(customer) * 2,
                intent: if acts { Intent::Buy } else { Intent::Look },
                campaign: None,
                click: None,
                category: None,
            };
            self.later(at + 22_000, Action::Visit(visiting));
        }
    }
}
