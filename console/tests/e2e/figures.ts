// A small shop whose every figure can be worked out by hand, for the tests that read them.
import { sale, send } from './rialto';

/** What the shop consists of: no other pack has a say in these figures. */
export const PACKS = ['sales', 'behavior', 'ads', 'recommend'];
/** A day's target that a few sales reach. */
export const SETTINGS = '\n[variables]\nSALES_DAY_TARGET = "200"\n';
export const DAY = '2026-04-02';

/** A line of a basket: those of the same receipt are bought together. */
export function bought(
  receipt: string,
  line: number,
  at: string,
  customer: string | null,
  sku: string,
  price: number,
  more: object = {},
): object {
  const basket = { transaction_id: receipt, line_no: line, customer_id: customer };
  return sale(at, sku, 1, price, { ...basket, product_id: sku, ...more });
}

/** A step of a visit of the second day, at so many minutes past ten. */
export function step(session: number, minute: number, action: string, more: object = {}) {
  return {
    event_id: `step-${session}-${action}`,
    event_time: `${DAY} 10:${String(minute).padStart(2, '0')}:00Z`,
    action,
    session_id: `visit-${session}`,
    anonymous_id: `browser-${session}`,
    sku: 'cup',
    product_id: 'cup',
    channel: 'web',
    quantity: 1,
    unit_price: 12.5,
    currency: 'GBP',
    ...(session < 6 ? { campaign_id: 'spring' } : {}),
    ...more,
  };
}

/** Ten visits: four put something into the cart, three go to pay, one buys. */
function visits(): object[] {
  const steps: Record<string, unknown>[] = [];
  for (let session = 0; session < 10; session += 1) {
    steps.push(step(session, session, 'product_viewed'));
    // Who leaves the cart behind is known.
    const who = session === 3 ? { customer_id: 'c-left' } : {};
    if (session < 4) steps.push(step(session, 10 + session, 'cart_added', who));
    if (session < 3) steps.push(step(session, 20 + session, 'checkout_started'));
  }
  // One who is still there, and looks at tea.
  const tea = { event_time: `${DAY} 12:00:30Z`, sku: 'tea', product_id: 'tea' };
  steps.push({ ...step(9, 0, 'product_viewed', tea), event_id: 'step-9-tea' });
  return inOrder(steps);
}

/** As they happen: what comes ten seconds behind the newest is late. */
function inOrder(events: Record<string, unknown>[]): object[] {
  return events.sort((a, b) => (String(a.event_time) < String(b.event_time) ? -1 : 1));
}

/** An event of an ad on the second day; costs in the currency. */
export function ad(id: string, at: string, kind: string, campaign: string, more: object): object {
  const event = { event_id: id, event_time: `${DAY} ${at}Z`, kind, campaign_id: campaign };
  return { ...event, currency: 'GBP', ...more };
}
export const cost = (pounds: number) => ({ price_micros: pounds * 1_000_000 });

/** Two campaigns: one is shown four times for 10.00 and brings 40.00, the other costs 5.00. */
function ads(): object[] {
  return [
    ...[1, 2, 3, 4].map((at) =>
      ad(`shown-${at}`, `09:0${at}:00`, 'impression', 'search', {
        imp_id: `i-${at}`,
        ...cost(2.5),
      }),
    ),
    ad('clicked-1', '09:10:00', 'click', 'search', {
      imp_id: 'i-1',
      click_id: 'k-1',
      customer_id: 'c-ad',
    }),
    ad('clicked-2', '09:11:00', 'click', 'search', { imp_id: 'i-2', click_id: 'k-2' }),
    ad('shown-5', '09:20:00', 'impression', 'social', { imp_id: 'i-5', ...cost(5) }),
    ad('clicked-3', '09:30:00', 'click', 'social', {
      imp_id: 'i-5',
      click_id: 'k-3',
      customer_id: 'c-ad',
    }),
    ad('came-1', '11:59:30', 'conversion', 'search', { click_id: 'k-1', conversion_value: 40 }),
  ];
}

/** Fills the shop: a day before with baskets, then the day that the tests look at. */
export async function fillFigures(url: string) {
  const before = '2026-04-01 11:00:00';
  await send(url, 'sale_line', [
    bought('b-1', 1, before, 'c-tea', 'tea', 4),
    bought('b-1', 2, before, 'c-tea', 'milk', 2),
    bought('b-2', 1, before, 'c-tea', 'tea', 4),
    bought('b-2', 2, before, 'c-tea', 'milk', 2),
    bought('b-3', 1, before, 'c-tea', 'tea', 4),
    bought('b-3', 2, before, 'c-tea', 'cake', 6),
    bought('b-4', 1, before, 'c-jam', 'jam', 3),
    bought('b-5', 1, before, 'c-other', 'jam', 3),
    bought('b-6', 1, `${DAY} 10:30:00`, null, 'cup', 30, { session_id: 'visit-0' }),
    bought('b-7', 1, `${DAY} 10:40:00`, 'c-ad', 'lamp', 100),
  ]);
  const budget = (campaign_id: string, daily_budget: number) => ({
    campaign_id,
    updated_at: '2026-04-01 08:00:00Z',
    daily_budget,
  });
  await send(url, 'campaign', [budget('search', 20), budget('social', 50)]);
  await send(url, 'behavior_event', visits());
  await send(url, 'ad_event', ads());
}
