// All that is known of an article at a place: its stock, its policy, who keeps pieces of it.
import { useTranslation } from 'react-i18next';
import { useRows } from '@/api/hooks';
import type { Row } from '@/api/types';
import { Badge, Meter } from '@/components/Panel';
import { number, text, timeOf, toNumber } from '@/components/format';
import { DecisionWhy } from '@/components/Why';
import { decisionOf, STATE_TONES, type StockState } from './board';

/** What is proposed; once that is ordered and so no longer proposed, what became of it. */
export function StockDecision({ row }: { row: Row }) {
  const here = { sku: text(row.sku), location_id: text(row.location_id) };
  const kept = useRows('decision_state', here);
  const newest = kept.reduce<Row | null>(
    (found, one) => (found && text(found.decided_at) >= text(one.decided_at) ? found : one),
    null,
  );
  const shown = decisionOf(row) ?? newest;
  return shown && <DecisionWhy row={shown} />;
}

export function StockLine({ row }: { row: Row }) {
  const { t } = useTranslation();
  const here = { sku: text(row.sku), location_id: text(row.location_id) };
  const policy = useRows('replenishment_policy', here)[0];
  const position = useRows('inventory_position', here)[0];
  const level = toNumber(policy?.order_up_to) ?? 0;
  const reorder = toNumber(policy?.reorder_point) ?? 0;
  const have = toNumber(policy?.stock_position) ?? 0;
  const pairs: [string, string][] = [
    [t('inventory.onHand'), number(row.on_hand)],
    [t('inventory.reserved'), number(row.reserved)],
    [t('inventory.available'), number(row.available)],
    [t('inventory.speed'), number(row.units_a_day, 2)],
    [t('inventory.daysLeft'), number(row.days_left, 1)],
    [t('inventory.lastSold'), text(row.last_sold_on)],
  ];
  if (position) pairs.push([t('inventory.moved'), timeOf(position.last_moved_at)]);
  if (policy) {
    pairs.push(
      [t('inventory.onOrder'), number(policy.on_order)],
      [t('inventory.reorderPoint'), number(policy.reorder_point)],
      [t('inventory.upTo'), number(policy.order_up_to)],
      [t('inventory.supplier'), text(policy.supplied_from ?? policy.supplier_id)],
      [t('inventory.lead'), t('inventory.days', { days: number(policy.lead_days) })],
    );
  }
  return (
    <div style={{ marginBottom: 22 }}>
      <Badge tone={STATE_TONES[row.state as StockState]}>
        {t(`inventory.is.${text(row.state)}`)}
      </Badge>
      {policy && level > 0 && (
        <div style={{ margin: '12px 0' }}>
          <Meter
            share={have / level}
            mark={reorder / level}
            label={t('inventory.meter', {
              have: number(have),
              reorder: number(reorder),
              level: number(level),
            })}
          />
          <span className="soft" style={{ fontSize: 12.5 }}>
            {t('inventory.meter', {
              have: number(have),
              reorder: number(reorder),
              level: number(level),
            })}
          </span>
        </div>
      )}
      <dl className="pairs" style={{ marginTop: 12 }}>
        {pairs.map(([label, value]) => (
          <div key={label} style={{ display: 'contents' }}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
