// One line for each article and place: what is there, how long it lasts, what is proposed.
import { useMemo } from 'react';
import { useLive, useRows } from '@/api/hooks';
import type { Row } from '@/api/types';
import { text, toNumber } from '@/components/format';
import { useReviewed } from '@/components/Review';

export const STATES = ['oversold', 'out', 'risk', 'low', 'slow', 'over', 'good', 'idle'] as const;
export type StockState = (typeof STATES)[number];
export const STATE_TONES: Record<StockState, string> = {
  oversold: 'bad',
  out: 'bad',
  risk: 'care',
  low: '',
  slow: '',
  over: 'accent',
  good: 'good',
  idle: '',
};

const at = (row: Row) => `${text(row.sku)}\u0000${text(row.location_id)}`;
const indexed = (rows: Row[]) => new Map(rows.map((row) => [at(row), row]));

function stateOf(
  key: string,
  available: number,
  speed: number,
  sets: Record<string, Set<string>>,
): StockState {
  if (sets.oversold!.has(key)) return 'oversold';
  if (available <= 0) return speed > 0 ? 'out' : 'idle';
  if (sets.risk!.has(key)) return 'risk';
  if (sets.slow!.has(key)) return 'slow';
  if (sets.over!.has(key)) return 'over';
  if (sets.low!.has(key)) return 'low';
  return 'good';
}

/** Joins the views of `inventory` and, where it is there, `replenishment`. */
export function useBoard() {
  const stock = useLive('inventory_availability');
  const demand = useRows('inventory_demand');
  const decisions = useReviewed(useRows('replenishment_decision'));
  const risk = useRows('inventory_stock_out_risk');
  const low = useRows('inventory_low_stock');
  const oversold = useRows('inventory_oversold');
  const slow = useRows('inventory_slow_mover');
  const over = useRows('inventory_overstock');
  const sets = useMemo(() => {
    const of = (rows: Row[]) => new Set(rows.map(at));
    return { risk: of(risk), low: of(low), oversold: of(oversold), slow: of(slow), over: of(over) };
  }, [risk, low, oversold, slow, over]);
  const rows = useMemo(() => {
    const speeds = indexed(demand);
    const newest = new Map<string, Row>();
    for (const row of decisions) {
      const before = newest.get(at(row));
      if (!before || text(row.decided_at) > text(before.decided_at)) newest.set(at(row), row);
    }
    return stock.rows.map((row): Row => {
      const key = at(row);
      const sold = speeds.get(key);
      const speed = toNumber(sold?.units_a_day) ?? 0;
      const available = toNumber(row.available) ?? 0;
      return {
        ...row,
        units_a_day: speed,
        last_sold_on: sold?.last_sold_on ?? null,
        days_left: speed > 0 ? Math.max(0, available) / speed : null,
        state: stateOf(key, available, speed, sets),
        decision: (newest.get(key) as never) ?? null,
      };
    });
  }, [stock.rows, demand, decisions, sets]);
  return { rows, stock };
}

export const decisionOf = (row: Row): Row | null => (row.decision as Row | null) ?? null;
