// What the ads cost and bring, how the day's budgets last, and to whom a purchase is owed.
import { Select } from '@mantine/core';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useRows, useViews } from '@/api/hooks';
import type { Row } from '@/api/types';
import { Chart, type Palette } from '@/components/Chart';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { dayName, number, percent, short, text, timeOf, toNumber } from '@/components/format';
import { NeedsPack, Nothing } from '@/components/Notice';
import { Badge, Figures, Meter, PageHead, Panel } from '@/components/Panel';
import { useUrlState } from '@/components/urlState';

const PACE_TONES: Record<string, string> = { over: 'care', exhausted: 'bad', under: '', on_course: 'good' };

function Pacing({ rows }: { rows: Row[] }) {
  const { t } = useTranslation();
  return (
    <Panel title={t('ads.pacing')} span={5} flush end={<span className="soft">{timeOf(rows[0]?.as_of)}</span>}>
      {rows.length === 0 && <Nothing>{t('table.empty')}</Nothing>}
      <ul className="list">
        {[...rows].sort((a, b) => (toNumber(b.spent_percent) ?? 0) - (toNumber(a.spent_percent) ?? 0)).map((row) => (
          <li key={text(row.campaign_id)} style={{ alignItems: 'center' }}>
            <span style={{ width: 84 }} className="clip">{text(row.campaign_id)}</span>
            <span className="grow">
              <Meter share={(toNumber(row.spent_percent) ?? 0) / 100} mark={(toNumber(row.day_gone_percent) ?? 0) / 100}
                label={t('ads.meter', { campaign: text(row.campaign_id), spent: percent(row.spent_percent, 0), gone: percent(row.day_gone_percent, 0) })} />
            </span>
            <span className="num" style={{ width: 110 }}>{number(row.cost, 2)} <span className="soft">/ {number(row.daily_budget)}</span></span>
            <span style={{ width: 92, textAlign: 'right' }}><Badge tone={PACE_TONES[text(row.pace)]}>{t(`ads.pace.${text(row.pace)}`, { defaultValue: text(row.pace) })}</Badge></span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Attribution() {
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
  const option = useMemo(() => (_: Palette) => ({
    xAxis: { type: 'category', data: paid.map((row) => text(row.campaign_id)) },
    yAxis: { type: 'value', axisLabel: { formatter: (value: number) => short(value) } },
    series: models.map((model) => ({ type: 'bar', name: t(`ads.model.${model}`), barMaxWidth: 16, data: paid.map((row) => toNumber(row[model])) })),
  }), [paid, t]);
  return (
    <Chart name="attribution" title={t('ads.attribution')} span={7} height={250} option={option} rows={paid.length ? rows : []} empty={t('ads.noTouch')}
      columns={[
        { id: 'campaign', header: t('funnel.campaign'), value: (row) => row.campaign_id },
        ...models.map((model) => ({ id: model, header: t(`ads.model.${model}`), numeric: true, value: (row: Row) => row[model] ?? null, cell: (row: Row) => number(row[model], 2) })),
      ]} />
  );
}

function Spend({ rows }: { rows: Row[] }) {
  const { t } = useTranslation();
  const days = useMemo(() => {
    const sums = new Map<string, { cost: number; revenue: number }>();
    for (const row of rows) {
      const found = sums.get(text(row.day)) ?? { cost: 0, revenue: 0 };
      found.cost += toNumber(row.cost) ?? 0;
      found.revenue += toNumber(row.revenue) ?? 0;
      sums.set(text(row.day), found);
    }
    return [...sums].sort((a, b) => a[0].localeCompare(b[0])).slice(-28).map(([day, found]): Row => ({ day, ...found }));
  }, [rows]);
  const option = useMemo(() => (palette: Palette) => ({
    xAxis: { type: 'category', data: days.map((row) => dayName(row.day)) },
    yAxis: { type: 'value', axisLabel: { formatter: (value: number) => short(value) } },
    series: [
      { type: 'bar', name: t('ads.cost'), barMaxWidth: 26, data: days.map((row) => row.cost), itemStyle: { color: palette.series[1] } },
      { type: 'line', name: t('ads.revenue'), data: days.map((row) => row.revenue), symbolSize: 5, itemStyle: { color: palette.series[0] } },
    ],
  }), [days, t]);
  return (
    <Chart name="spend" title={t('ads.spend')} span={12} height={200} option={option} rows={days} columns={[
      { id: 'day', header: t('overview.day'), value: (row) => row.day },
      { id: 'cost', header: t('ads.cost'), numeric: true, value: (row) => row.cost, cell: (row) => number(row.cost, 2) },
      { id: 'revenue', header: t('ads.revenue'), numeric: true, value: (row) => row.revenue, cell: (row) => number(row.revenue, 2) },
    ]} />
  );
}

export function Ads() {
  const { t } = useTranslation();
  const views = useViews();
  const all = useRows('ads_by_campaign_day');
  const pacing = useRows('ads_pacing');
  const days = useMemo(() => [...new Set(all.map((row) => text(row.day)))].sort().reverse(), [all]);
  const [chosen, setDay] = useUrlState('day');
  const day = chosen || days[0] || '';
  const rows = useMemo(() => all.filter((row) => row.day === day), [all, day]);
  const columns = useMemo<TableColumn[]>(() => [
    { id: 'campaign', header: t('funnel.campaign'), width: 'minmax(120px, 2fr)', value: (row) => row.campaign_id },
    ...(['impressions', 'clicks', 'unmatched_clicks', 'conversions'] as const).map((id) => ({
      id, header: t(`ads.${id}`), numeric: true, width: '112px', value: (row: Row) => row[id], cell: (row: Row) => number(row[id]) })),
    { id: 'ctr', header: t('ads.ctr'), numeric: true, width: '92px', value: (row) => row.ctr_percent, cell: (row) => percent(row.ctr_percent, 2) },
    { id: 'cvr', header: t('ads.cvr'), numeric: true, width: '92px', value: (row) => row.cvr_percent, cell: (row) => percent(row.cvr_percent, 2) },
    { id: 'cpc', header: t('ads.cpc'), numeric: true, width: '92px', value: (row) => row.cpc, cell: (row) => number(row.cpc, 2) },
    { id: 'cost', header: t('ads.cost'), numeric: true, width: '92px', value: (row) => row.cost, cell: (row) => number(row.cost, 2) },
    { id: 'revenue', header: t('ads.revenue'), numeric: true, width: '104px', value: (row) => row.revenue, cell: (row) => number(row.revenue, 2) },
    { id: 'roas', header: t('ads.roas'), numeric: true, width: '80px', value: (row) => row.roas, cell: (row) => number(row.roas, 2) },
  ], [t]);
  if (views && !views.has('ads_by_campaign_day')) return <NeedsPack pack="ads" what={t('nav.ads')} />;
  const sum = (column: string) => rows.reduce((total, row) => total + (toNumber(row[column]) ?? 0), 0);
  const cost = sum('cost');
  return (
    <>
      <PageHead title={t('nav.ads')} note={t('ads.note')}>
        <Select size="xs" w={170} value={day || null} onChange={(value) => setDay(value ?? '')} aria-label={t('overview.day')}
          data={days.map((value) => ({ value, label: dayName(value) }))} allowDeselect={false} />
      </PageHead>
      <Figures figures={[
        { label: t('ads.cost'), value: number(cost, 2), under: t('ads.campaigns', { rows: number(rows.length) }) },
        { label: t('ads.revenue'), value: number(sum('revenue'), 2), under: t('ads.inClickHour') },
        { label: t('ads.roas'), value: number(cost > 0 ? sum('revenue') / cost : null, 2), under: t('ads.roasMeans') },
        { label: t('ads.ctr'), value: percent(sum('impressions') > 0 ? (sum('clicks') / sum('impressions')) * 100 : null, 2), under: t('ads.shown', { rows: number(sum('impressions')) }) },
        { label: t('ads.conversions'), value: number(sum('conversions')), under: t('ads.clicked', { rows: number(sum('clicks')) }) },
      ]} />
      <div className="grid">
        <Pacing rows={pacing} />
        <Attribution />
        <Panel title={t('ads.day', { day: dayName(day) })} flush>
          <DataTable name="ads" label={t('ads.day', { day: dayName(day) })} columns={columns} rows={rows} order="-cost" height={300} rowKey={(row) => text(row.campaign_id)} />
        </Panel>
        <Spend rows={all} />
      </div>
    </>
  );
}
