// How visits become orders, where they are lost, and what each campaign brings.
import { Select } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { usePage, useRows, useViews } from '@/api/hooks';
import type { Row } from '@/api/types';
import { Chart, type Palette } from '@/components/Chart';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { dayName, NONE, number, percent, text, timeOf, toNumber } from '@/components/format';
import { NeedsPack, Nothing } from '@/components/Notice';
import { Figures, PageHead, Panel } from '@/components/Panel';
import { useUrlState } from '@/components/urlState';

const byStep = (a: Row, b: Row) => (toNumber(a.step_no) ?? 0) - (toNumber(b.step_no) ?? 0);

function Steps({ rows }: { rows: Row[] }) {
  const { t } = useTranslation();
  const most = Math.max(1, toNumber(rows[0]?.sessions) ?? 1);
  return (
    <Panel title={t('funnel.steps')} span={5}>
      {rows.length === 0 && <p className="soft">{t('table.empty')}</p>}
      <ol className="steps">
        {rows.map((row, at) => {
          const share = (toNumber(row.sessions) ?? 0) / most;
          return (
            <li key={text(row.step)}>
              {at > 0 && <span className="soft step-rate">↓ {percent(row.step_conversion_percent)}</span>}
              <div className="step-bar" style={{ ['--share' as string]: `${Math.max(share * 100, 0.6)}%` }}>
                <span>{t(`funnel.step.${text(row.step)}`, { defaultValue: text(row.step) })}</span>
                <strong>{number(row.sessions)}</strong>
                <span className="soft">{percent(row.total_conversion_percent)}</span>
              </div>
            </li>
          );
        })}
      </ol>
    </Panel>
  );
}

function Trend({ rows }: { rows: Row[] }) {
  const { t } = useTranslation();
  const days = useMemo(() => [...new Set(rows.map((row) => text(row.funnel_day)))].sort(), [rows]);
  const steps = ['cart', 'checkout', 'purchase'];
  const option = useMemo(() => (_: Palette) => ({
    xAxis: { type: 'category', data: days.map((day) => dayName(day)), boundaryGap: days.length < 3 },
    yAxis: { type: 'value', axisLabel: { formatter: (value: number) => `${value} %` } },
    series: steps.map((step) => ({
      type: 'line', name: t(`funnel.step.${step}`), showSymbol: days.length < 20, symbolSize: 5, lineStyle: { width: 2 },
      data: days.map((day) => toNumber(rows.find((row) => row.funnel_day === day && row.step === step)?.total_conversion_percent)),
    })),
  }), [rows, days, t]);
  return (
    <Chart name="conversion" title={t('funnel.trend')} span={7} height={240} option={option} rows={rows} columns={[
      { id: 'day', header: t('overview.day'), value: (row) => row.funnel_day },
      { id: 'step', header: t('funnel.stepName'), value: (row) => row.step, cell: (row) => t(`funnel.step.${text(row.step)}`, { defaultValue: text(row.step) }) },
      { id: 'sessions', header: t('funnel.sessions'), numeric: true, value: (row) => row.sessions },
      { id: 'total', header: t('funnel.conversion'), numeric: true, value: (row) => row.total_conversion_percent, cell: (row) => percent(row.total_conversion_percent) },
    ]} />
  );
}

function Campaigns({ day }: { day: string }) {
  const { t } = useTranslation();
  const rows = useRows('behavior_marketing_report', day ? { visit_day: day } : {});
  const columns = useMemo<TableColumn[]>(() => [
    { id: 'campaign', header: t('funnel.campaign'), width: 'minmax(130px, 2fr)', value: (row) => row.campaign_id,
      cell: (row) => (row.campaign_id === 'none' ? <span className="soft">{t('funnel.noCampaign')}</span> : text(row.campaign_id)) },
    ...(['sessions', 'visitors', 'views', 'sessions_with_cart', 'orders'] as const).map((id) => ({
      id, header: t(`funnel.${id}`), numeric: true, width: '104px', value: (row: Row) => row[id], cell: (row: Row) => number(row[id]) })),
    { id: 'conversion', header: t('funnel.conversion'), numeric: true, width: '104px', value: (row) => row.conversion_percent, cell: (row) => percent(row.conversion_percent) },
    { id: 'revenue', header: t('funnel.revenue'), numeric: true, width: '112px', value: (row) => row.revenue, cell: (row) => number(row.revenue, 2) },
    { id: 'per', header: t('funnel.perSession'), numeric: true, width: '112px', value: (row) => row.revenue_per_session, cell: (row) => number(row.revenue_per_session, 2) },
  ], [t]);
  return (
    <Panel title={t('funnel.campaigns')} flush>
      <DataTable name="campaigns" label={t('funnel.campaigns')} columns={columns} rows={rows} order="-revenue" height={300}
        rowKey={(row) => text(row.campaign_id) + text(row.visit_day)} />
    </Panel>
  );
}

function Hot() {
  const { t } = useTranslation();
  const page = usePage('behavior_hot_products', { order: '-window_start,place', limit: 10 });
  const rows = page.data?.rows ?? [];
  const newest = rows[0]?.window_start;
  const shown = rows.filter((row) => row.window_start === newest);
  return (
    <Panel title={t('funnel.hot')} span={5} flush end={<span className="soft">{newest ? `${timeOf(newest).slice(11)} – ${timeOf(rows[0]?.window_end).slice(11)}` : ''}</span>}>
      {shown.length === 0 && <Nothing>{t('table.empty')}</Nothing>}
      <ol className="list">
        {shown.map((row) => (
          <li key={text(row.place)}>
            <span className="num soft" style={{ width: 20 }}>{text(row.place)}</span>
            <span className="grow">{text(row.product_id)}</span>
            <span className="soft">{t('funnel.hotFigures', { views: number(row.views), carts: number(row.carts), purchases: number(row.purchases) })}</span>
            <strong className="num" style={{ width: 36, fontWeight: 600 }}>{number(row.score)}</strong>
          </li>
        ))}
      </ol>
    </Panel>
  );
}

function Carts() {
  const { t } = useTranslation();
  const rows = useRows('behavior_abandoned_cart');
  const columns = useMemo<TableColumn[]>(() => [
    { id: 'at', header: t('funnel.left'), width: '136px', value: (row) => row.abandoned_at, cell: (row) => timeOf(row.abandoned_at) },
    { id: 'customer', header: t('customers.id'), value: (row) => row.customer_id,
      cell: (row) => <Link to="/customers/$id" params={{ id: text(row.customer_id) }}>{text(row.customer_id)}</Link> },
    { id: 'carts', header: t('funnel.added'), numeric: true, width: '88px', value: (row) => row.carts, cell: (row) => number(row.carts) },
    { id: 'value', header: t('funnel.cartValue'), numeric: true, width: '120px', value: (row) => row.cart_value, cell: (row) => number(row.cart_value, 2) },
  ], [t]);
  return (
    <Panel title={t('funnel.abandoned')} span={7} flush>
      <DataTable name="carts" label={t('funnel.abandoned')} columns={columns} rows={rows} order="-at" height={326}
        rowKey={(row) => text(row.customer_id) + text(row.abandoned_at)} />
    </Panel>
  );
}

export function Funnel() {
  const { t } = useTranslation();
  const views = useViews();
  const all = useRows('behavior_funnel');
  const days = useMemo(() => [...new Set(all.map((row) => text(row.funnel_day)))].sort().reverse(), [all]);
  const [chosen, setDay] = useUrlState('day');
  const day = chosen || days[0] || '';
  const rows = useMemo(() => all.filter((row) => row.funnel_day === day).sort(byStep), [all, day]);
  if (views && !views.has('behavior_funnel')) return <NeedsPack pack="behavior" what={t('nav.funnel')} />;
  const of = (step: string) => rows.find((row) => row.step === step);
  const lostAt = [...rows].slice(1).sort((a, b) => (toNumber(a.step_conversion_percent) ?? 100) - (toNumber(b.step_conversion_percent) ?? 100))[0];
  return (
    <>
      <PageHead title={t('nav.funnel')} note={t('funnel.note')}>
        <Select size="xs" w={170} value={day || null} onChange={(value) => setDay(value ?? '')} aria-label={t('overview.day')}
          data={days.map((value) => ({ value, label: dayName(value) }))} allowDeselect={false} />
      </PageHead>
      <Figures figures={[
        { label: t('funnel.sessions'), value: number(of('view')?.sessions), under: t('funnel.sessionsMean') },
        { label: t('funnel.cartRate'), value: percent(of('cart')?.total_conversion_percent), under: t('funnel.carts', { rows: number(of('cart')?.sessions) }) },
        { label: t('funnel.conversion'), value: percent(of('purchase')?.total_conversion_percent), under: t('funnel.bought', { rows: number(of('purchase')?.sessions) }) },
        { label: t('funnel.lost'), value: lostAt ? t(`funnel.step.${text(lostAt.step)}`, { defaultValue: text(lostAt.step) }) : NONE,
          under: lostAt ? t('funnel.lostMeans', { rate: percent(lostAt.step_conversion_percent) }) : '' },
      ]} />
      <div className="grid">
        <Steps rows={rows} />
        <Trend rows={all} />
        <Campaigns day={day} />
        <Hot />
        <Carts />
      </div>
    </>
  );
}
