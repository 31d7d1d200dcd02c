// Everything that somebody should know of now, of all packs that raise alarms.
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useCalmRows } from '@/api/hooks';
import type { Row } from '@/api/types';
import { money, number, percent, text, toNumber } from '@/components/format';

export interface Alert {
  id: string;
  tone: 'bad' | 'care' | 'accent';
  kind: string;
  said: string;
  to: string;
  search?: Record<string, string>;
}

export function useAlerts(): Alert[] {
  const { t } = useTranslation();
  const sales = useCalmRows('sales_anomaly_alert');
  const oversold = useCalmRows('inventory_oversold');
  const risk = useCalmRows('inventory_stock_out_risk');
  const prices = useCalmRows('market_price_alert');
  const trends = useCalmRows('market_trend_alert');
  const ads = useCalmRows('ads_pacing_alert');
  const ledger = useCalmRows('loyalty_unbalanced');
  return useMemo(() => {
    const alerts: Alert[] = [];
    const add = (
      kind: string,
      tone: Alert['tone'],
      rows: Row[],
      to: string,
      say: (row: Row) => string,
      search?: (row: Row) => Record<string, string>,
    ) => {
      for (const row of rows) {
        const said = say(row);
        alerts.push({ id: `${kind}:${said}`, tone, kind, said, to, search: search?.(row) });
      }
    };
    add(
      'ledger',
      'bad',
      ledger,
      '/catalogue',
      (row) => t('alert.ledger', { entry: text(row.entry_id) }),
      () => ({ view: 'loyalty_unbalanced' }),
    );
    add(
      'oversold',
      'bad',
      oversold,
      '/inventory',
      (row) =>
        t('alert.oversold', {
          sku: text(row.sku),
          location: text(row.location_id),
          missing: number(row.missing),
        }),
      (row) => ({ 'stock.q': text(row.sku) }),
    );
    add('sales', 'bad', sales, '/', (row) =>
      t(`alert.sales.${text(row.direction)}`, {
        store: text(row.store_id),
        gmv: money(row.gmv, row.currency),
        usual: money(row.usual_gmv, row.currency),
        hour: text(row.sale_hour).slice(11, 16),
        defaultValue: text(row.reason),
      }),
    );
    add('ads', 'care', ads, '/ads', (row) =>
      t(`alert.ads.${text(row.pace)}`, {
        campaign: text(row.campaign_id),
        spent: percent(row.spent_percent, 0),
        gone: percent(row.day_gone_percent, 0),
        defaultValue: text(row.pace),
      }),
    );
    const bySpeed = [...risk].sort(
      (a, b) => (toNumber(b.units_a_day) ?? 0) - (toNumber(a.units_a_day) ?? 0),
    );
    add(
      'risk',
      'care',
      bySpeed,
      '/inventory',
      (row) =>
        t((toNumber(row.available) ?? 0) <= 0 ? 'alert.out' : 'alert.risk', {
          sku: text(row.sku),
          location: text(row.location_id),
          available: number(row.available),
          days: number(row.days_left, 1),
          speed: number(row.units_a_day, 1),
        }),
      (row) => ({ 'stock.q': text(row.sku) }),
    );
    add('price', 'accent', prices, '/pricing', (row) =>
      t(`alert.price.${text(row.direction)}`, {
        sku: text(row.sku),
        index: number(row.price_index),
        ours: money(row.our_price, row.currency),
        median: money(row.median, row.currency),
        defaultValue: text(row.reason),
      }),
    );
    add('trend', 'accent', trends, '/', (row) =>
      t(`alert.trend.${text(row.trend)}`, {
        topic: text(row.topic),
        mentions: number(row.mentions),
        usual: number(row.usual),
        defaultValue: text(row.reason),
      }),
    );
    return alerts;
  }, [sales, oversold, risk, prices, trends, ads, ledger, t]);
}
