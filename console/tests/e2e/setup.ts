// Starts Rialto and the page once for all tests, and fills the shop with two days.
import { ask, pageOf, sale, send, startRialto, until } from './rialto';

export const HOSTILE = '<img src=x onerror="window.hacked=1"><b>bold</b> 🧨 مرحبا ‮txet';
export const MEGABYTE = 'M'.repeat(1_000_000);

async function fill(url: string) {
  const sales: object[] = [];
  for (const day of ['2026-03-02', '2026-03-03']) {
    for (let hour = 9; hour <= 16; hour += 1) {
      for (let at = 0; at < 4; at += 1) {
        sales.push(
          sale(
            `${day} ${String(hour).padStart(2, '0')}:1${at}:00`,
            `sku-${(hour + at) % 7}`,
            1 + at,
            4.5 + hour,
          ),
        );
      }
    }
  }
  sales.push(sale('2026-03-03 12:00:00', 'sku-hostile', 90, 9, { description: HOSTILE }));
  sales.push(sale('2026-03-03 12:01:00', 'sku-large', 80, 9, { description: MEGABYTE }));
  // Bought by one customer alone, and not today: what the others can discover.
  sales.push(sale('2026-03-02 17:00:00', 'sku-rare', 1, 5, { customer_id: 'c-9' }));
  await send(url, 'sale_line', sales);
  const moved = (sku: string, quantity: number, day: string, action = 'add') => ({
    event_id: `m-${sku}-${day}-${action}`,
    event_time: `${day} 08:00:00Z`,
    action,
    sku,
    location_id: 'dc-1',
    quantity,
    ref_id: `r-${sku}`,
  });
  await send(url, 'stock_movement', [
    ...Array.from({ length: 7 }, (_, at) => moved(`sku-${at}`, at * 10, '2026-03-01')),
    moved('sku-hostile', 3, '2026-03-01'),
    moved('sku-1', -4, '2026-03-03', 'delete'),
    moved('<b>sku</b>', 4, '2026-03-01'),
  ]);
  // Four pieces a day go of two articles that are nearly gone: more has to be ordered.
  const sold = (sku: string, day: string) => ({
    ...moved(sku, -4, day, 'delete'),
    event_id: `s-${sku}-${day}`,
    event_time: `${day} 16:00:00Z`,
    ref_type: 'sale',
  });
  await send(
    url,
    'stock_movement',
    ['sku-2', 'sku-3'].flatMap((sku) => [sold(sku, '2026-03-02'), sold(sku, '2026-03-03')]),
  );
  const known = (sku: string) => ({ sku, updated_at: '2026-03-01 00:00:00Z', product_id: 'p' });
  const article = (at: number) => ({ ...known(`sku-${at}`), unit_cost: 2 });
  const term = (at: number) => ({ ...known(`sku-${at}`), supplier_id: 'su-1', lead_time_days: 3 });
  await send(url, 'sku', [1, 2, 3].map(article));
  await send(url, 'sku_supplier', [2, 3].map(term));
  const price = (at: number, kind: string, amount: number) => ({
    event_id: `p-${at}-${kind}`,
    event_time: '2026-03-02 08:00:00Z',
    sku: `sku-${at}`,
    price_type: kind,
    amount,
    currency: 'GBP',
    competitor_id: 'rival',
    in_stock: true,
    match_confidence: 1,
  });
  await send(url, 'price_event', [
    ...[1, 2, 3].map((at) => price(at, 'list', 5 + at)),
    ...[1, 3].map((at) => price(at, 'competitor', 4.8 + at)),
  ]);
  const seen = (at: number, action: string, more: object = {}) => ({
    event_id: `b-${at}-${action}`,
    event_time: `2026-03-03 1${at % 6}:00:0${at % 9}Z`,
    action,
    session_id: `s-${at}`,
    customer_id: `c-${at % 5}`,
    sku: `sku-${at % 7}`,
    product_id: `p-${at % 7}`,
    channel: 'web',
    quantity: 1,
    unit_price: 5,
    currency: 'GBP',
    ...more,
  });
  await send(
    url,
    'behavior_event',
    Array.from({ length: 12 }, (_, at) => [
      seen(at, 'product_viewed'),
      ...(at % 2 ? [seen(at, 'cart_added')] : []),
    ]).flat(),
  );
  await send(url, 'ad_event', [
    {
      event_id: 'a-1',
      event_time: '2026-03-03 10:00:00Z',
      kind: 'impression',
      campaign_id: 'ad-1',
      imp_id: 'i-1',
      price_micros: 900000,
      currency: 'GBP',
    },
    {
      event_id: 'a-2',
      event_time: '2026-03-03 10:00:05Z',
      kind: 'click',
      campaign_id: 'ad-1',
      imp_id: 'i-1',
      click_id: 'k-1',
    },
  ]);
  await until(
    'the sales are in',
    60_000,
    async () =>
      Number((await ask(url, 'SELECT SUM(orders) AS n FROM sales_by_day'))[0]?.n) === sales.length,
  );
}

export default async function setup() {
  const rialto = await startRialto();
  try {
    await fill(rialto.url);
    // The first lineage binds the views that it asks for, and no others.
    const began = Date.now();
    await until('lineage', 120_000, async () => {
      return (await fetch(`${rialto.url}/v1/lineage/sales_by_day`)).ok;
    });
    console.log(`first lineage: ${Date.now() - began} ms`);
    const page = await pageOf(rialto.url);
    process.env.TEST_RIALTO = rialto.url;
    process.env.TEST_PAGE = page.url;
    return async () => {
      await page.stop();
      await rialto.stop();
    };
  } catch (error) {
    await rialto.stop();
    throw error;
  }
}
