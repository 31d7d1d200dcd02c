// The pictures of the ads: to whom revenue is owed, and what is spent for it.
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useRows } from '@/api/hooks';
import type { Row } from '@/api/types';
import { Chart, type Palette } from '@/components/Chart';
import { dayName, number, short, text, toNumber } from '@/components/format';

export function Attribution() {
  const { t } = useTranslation();
  const all = useRows('ads_attribution');
  const models = ['first', 'last', 'linear', 'position'];
  const rows = useMemo(() => {
    const sums = new Map<string, Row>();
    for (const row of all) {
      const key = `${text(row.campaign_id)}`;
      const found = sums.get(key) ?? { campaign_id: row.campaign_id ?? null };
      const model = text(row.model);
      found[model] = (toNumber(found[model]) ?? 0) + (toNumber(row.revenue) ?? 0);
      sums.set(key, found);
    }
    return [...sums.values()].sort((a, b) => (toNumber(b.linear) ?? 0) - (toNumber(a.linear) ?? 0));
  }, [all]);
  const paid = useMemo(() => rows.filter((row) => row.campaign_id !== 'none'), [rows]);
  const option = useMemo(
    () => (_: Palette) => ({
      xAxis: { type: 'category', data: paid.map((row) => text(row.campaign_id)) },
      yAxis: { type: 'value', axisLabel: { formatter: (value: number) => short(value) } },
      series: models.map((model) => ({
        type: 'bar',
        name: t(`ads.model.${model}`),
        barMaxWidth: 16,
        data: paid.map((row) => toNumber(row[model])),
      })),
    }),
    [paid, t],
  );
  return (
    <Chart
      name="attribution"
      title={t('ads.attribution')}
      span={7}
      height={250}
      option={option}
      rows={paid.length ? rows : []}
      empty={t('ads.noTouch')}
      columns={[
        {
          id: 'campaign',
          header: t('funnel.campaign'),
          value: (row) => row.campaign_id,
          cell: (row) =>
            row.campaign_id === 'none' ? (
              <span className="soft">{t('funnel.noCampaign')}</span>
            ) : (
              text(row.campaign_id)
            ),
        },
        ...models.map((model) => ({
          id: model,
          header: t(`ads.model.${model}`),
          numeric: true,
          value: (row: Row) => row[model] ?? null,
          cell: (row: Row) => number(row[model], 2),
        })),
      ]}
    />
  );
}

export function Spend({ rows }: { rows: Row[] }) {
  const { t } = useTranslation();
  const days = useMemo(() => {
    const sums = new Map<string, { cost: number; revenue: number }>();
    for (const row of rows) {
      const found = sums.get(text(row.day)) ?? { cost: 0, revenue: 0 };
      found.cost += toNumber(row.cost) ?? 0;
      found.revenue += toNumber(row.revenue) ?? 0;
      sums.set(text(row.day), found);
    }
    return [...sums]
      .sort((a, b) => a[0].localeCompare(b[0]))
      .slice(-28)
      .map(([day, found]): Row => ({ day, ...found }));
  }, [rows]);
  const option = useMemo(
    () => (palette: Palette) => ({
      xAxis: { type: 'category', data: days.map((row) => dayName(row.day)) },
      yAxis: { type: 'value', axisLabel: { formatter: (value: number) => short(value) } },
      series: [
        {
          type: 'bar',
          name: t('ads.cost'),
          barMaxWidth: 26,
          data: days.map((row) => row.cost),
          itemStyle: { color: palette.series[1] },
        },
        {
          type: 'line',
          name: t('ads.revenue'),
          data: days.map((row) => row.revenue),
          symbolSize: 5,
          itemStyle: { color: palette.series[0] },
        },
      ],
    }),
    [days, t],
  );
  return (
    <Chart
      name="spend"
      title={t('ads.spend')}
      span={12}
      height={200}
      option={option}
      rows={days}
      columns={[
        { id: 'day', header: t('overview.day'), value: (row) => row.day },
        {
          id: 'cost',
          header: t('ads.cost'),
          numeric: true,
          value: (row) => row.cost,
          cell: (row) => number(row.cost, 2),
        },
        {
          id: 'revenue',
          header: t('ads.revenue'),
          numeric: true,
          value: (row) => row.revenue,
          cell: (row) => number(row.revenue, 2),
        },
      ]}
    />
  );
}
