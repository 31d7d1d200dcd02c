// What the overview and the big screen say about sales: today, and against what.
import { useMemo } from 'react';
import { useRows } from '@/api/hooks';
import type { Row } from '@/api/types';
import { text, toNumber } from '@/components/format';

const newest = (rows: Row[], column: string): string =>
  rows.reduce((last, row) => (text(row[column]) > last ? text(row[column]) : last), '');

const sum = (rows: Row[], column: string): number =>
  rows.reduce((total, row) => total + (toNumber(row[column]) ?? 0), 0);

export interface Sales {
  today: string;
  currency: string;
  day: Row | undefined;
  days: Row[];
  /** The newest hour: its sums so far stand against those of yesterday at the same time. */
  hour: Row | undefined;
  hours: Row[];
  stores: Row[];
  target: number;
  reached: number;
  expected: number;
}

/** Today is the newest day of the data; amounts of several currencies are never added. */
export function useSales(): Sales {
  const days = useRows('sales_by_day');
  const hours = useRows('sales_by_hour');
  const targets = useRows('sales_against_target');
  return useMemo(() => {
    const today = newest(days, 'business_date');
    const todays = days.filter((row) => row.business_date === today);
    const day = todays.sort((a, b) => (toNumber(b.gmv) ?? 0) - (toNumber(a.gmv) ?? 0))[0];
    const currency = day ? text(day.currency) : '';
    const ours = (row: Row) => row.currency === currency;
    const of = (rows: Row[], column: string) =>
      rows.filter(ours).sort((a, b) => text(a[column]).localeCompare(text(b[column])));
    const todaysHours = of(hours, 'sale_hour').filter((row) =>
      text(row.sale_hour).startsWith(today),
    );
    const stores = targets
      .filter((row) => row.business_date === today && ours(row))
      .sort((a, b) =>
        text(a.store_id).localeCompare(text(b.store_id), undefined, { numeric: true }),
      );
    return {
      today,
      currency,
      day,
      days: of(days, 'business_date'),
      hours: of(hours, 'sale_hour'),
      hour: todaysHours.at(-1),
      stores,
      target: sum(stores, 'target'),
      reached: sum(stores, 'net_sales'),
      expected: sum(stores, 'expected_by_now'),
    };
  }, [days, hours, targets]);
}

export interface DayCurve {
  hour: number;
  today: number | null;
  yesterday: number | null;
  sold: number;
}

/** Sums so far by the hour, today and the day before. */
export function curveOf(sales: Sales): DayCurve[] {
  const before = sales.days.at(-2)?.business_date;
  const at = (day: unknown, hour: number) => {
    const name = `${text(day as string)} ${String(hour).padStart(2, '0')}`;
    return sales.hours.find((row) => text(row.sale_hour).startsWith(name));
  };
  const nowHour = sales.hour ? Number(text(sales.hour.sale_hour).slice(11, 13)) : 0;
  const curve: DayCurve[] = [];
  let today = 0;
  let yesterday = 0;
  for (let hour = 0; hour < 24; hour += 1) {
    const now = toNumber(at(sales.today, hour)?.gmv);
    today += now ?? 0;
    yesterday += before ? (toNumber(at(before, hour)?.gmv) ?? 0) : 0;
    curve.push({
      hour,
      today: hour <= nowHour ? today : null,
      yesterday: before ? yesterday : null,
      sold: now ?? 0,
    });
  }
  return curve;
}
