// How visits become orders, where they are lost, and what each campaign brings.
import { Select } from '@mantine/core';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useRows, useViews } from '@/api/hooks';
import type { Row } from '@/api/types';
import { Chart, type Palette } from '@/components/Chart';
import { dayName, NONE, number, percent, text, toNumber } from '@/components/format';
import { NeedsPack } from '@/components/Notice';
import { Figures, PageHead, Panel } from '@/components/Panel';
import { useUrlState } from '@/components/urlState';
import { Campaigns, Hot, Carts } from './parts';

const counted = (row: Row | undefined) => ({
  count: toNumber(row?.sessions) ?? 0,
  rows: number(row?.sessions),
});
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
              {at > 0 && (
                <span className="soft step-rate">↓ {percent(row.step_conversion_percent)}</span>
              )}
              <div
                className="step-bar"
                style={{ ['--share' as string]: `${Math.max(share * 100, 0.6)}%` }}
              >
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
  const option = useMemo(
    () => (_: Palette) => ({
      xAxis: {
        type: 'category',
        data: days.map((day) => dayName(day)),
        boundaryGap: days.length < 3,
      },
      yAxis: { type: 'value', axisLabel: { formatter: (value: number) => `${value} %` } },
      series: steps.map((step) => ({
        type: 'line',
        name: t(`funnel.step.${step}`),
        showSymbol: days.length < 20,
        symbolSize: 5,
        lineStyle: { width: 2 },
        data: days.map((day) =>
          toNumber(
            rows.find((row) => row.funnel_day === day && row.step === step)
              ?.total_conversion_percent,
          ),
        ),
      })),
    }),
    [rows, days, t],
  );
  return (
    <Chart
      name="conversion"
      title={t('funnel.trend')}
      span={7}
      height={240}
      option={option}
      rows={rows}
      columns={[
        { id: 'day', header: t('overview.day'), value: (row) => row.funnel_day },
        {
          id: 'step',
          header: t('funnel.stepName'),
          value: (row) => row.step,
          cell: (row) => t(`funnel.step.${text(row.step)}`, { defaultValue: text(row.step) }),
        },
        {
          id: 'sessions',
          header: t('funnel.sessions'),
          numeric: true,
          value: (row) => row.sessions,
        },
        {
          id: 'total',
          header: t('funnel.conversion'),
          numeric: true,
          value: (row) => row.total_conversion_percent,
          cell: (row) => percent(row.total_conversion_percent),
        },
      ]}
    />
  );
}

export function Funnel() {
  const { t } = useTranslation();
  const views = useViews();
  const all = useRows('behavior_funnel');
  const days = useMemo(
    () => [...new Set(all.map((row) => text(row.funnel_day)))].sort().reverse(),
    [all],
  );
  const [chosen, setDay] = useUrlState('day');
  const day = chosen || days[0] || '';
  const rows = useMemo(() => all.filter((row) => row.funnel_day === day).sort(byStep), [all, day]);
  if (views && !views.has('behavior_funnel'))
    return <NeedsPack pack="behavior" what={t('nav.funnel')} />;
  const of = (step: string) => rows.find((row) => row.step === step);
  const lostAt = [...rows]
    .slice(1)
    .sort(
      (a, b) =>
        (toNumber(a.step_conversion_percent) ?? 100) - (toNumber(b.step_conversion_percent) ?? 100),
    )[0];
  return (
    <>
      <PageHead title={t('nav.funnel')} note={t('funnel.note')}>
        <Select
          size="xs"
          w={170}
          value={day || null}
          onChange={(value) => setDay(value ?? '')}
          aria-label={t('overview.day')}
          data={days.map((value) => ({ value, label: dayName(value) }))}
          allowDeselect={false}
        />
      </PageHead>
      <Figures
        figures={[
          {
            label: t('funnel.sessions'),
            value: number(of('view')?.sessions),
            under: t('funnel.sessionsMean'),
          },
          {
            label: t('funnel.cartRate'),
            value: percent(of('cart')?.total_conversion_percent),
            under: t('funnel.carts', counted(of('cart'))),
          },
          {
            label: t('funnel.conversion'),
            value: percent(of('purchase')?.total_conversion_percent),
            under: t('funnel.bought', counted(of('purchase'))),
          },
          {
            label: t('funnel.lost'),
            value: lostAt
              ? t(`funnel.step.${text(lostAt.step)}`, { defaultValue: text(lostAt.step) })
              : NONE,
            under: lostAt
              ? t('funnel.lostMeans', { rate: percent(lostAt.step_conversion_percent) })
              : '',
          },
        ]}
      />
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
