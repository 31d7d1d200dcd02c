// The first look in the morning: what sells, against yesterday and the target, and what needs care.
import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useCalmRows, useViews } from '@/api/hooks';
import {
  dayName,
  money,
  number,
  percent,
  short,
  signedPercent,
  text,
  timeOf,
  toNumber,
} from '@/components/format';
import { Badge, Figures, Meter, PageHead, Panel } from '@/components/Panel';
import { NeedsPack, Nothing } from '@/components/Notice';
import { Chart } from '@/components/Chart';
import { AlertsPanel } from './AlertsPanel';
import { Categories, TopProducts } from './Best';
import { TodayChart } from './TodayChart';
import { useSales, type Sales } from './sales';

export const toneOf = (change: number | null) =>
  change === null ? '' : change > 0 ? 'good' : change < 0 ? 'bad' : '';

function Today({ sales }: { sales: Sales }) {
  const { t } = useTranslation();
  const { day, hour, currency } = sales;
  const change = toNumber(hour?.change_so_far_percent);
  const before = sales.days.at(-2);
  const share = sales.target > 0 ? (sales.reached / sales.target) * 100 : null;
  const onCourse = sales.reached >= sales.expected;
  return (
    <Figures
      figures={[
        {
          label: t('overview.sold'),
          value: money(day?.gmv, currency),
          under:
            change === null ? (
              t('overview.noYesterday')
            ) : (
              <span className={toneOf(change)}>
                {t('overview.againstYesterday', { change: signedPercent(change) })}
              </span>
            ),
        },
        {
          label: t('overview.orders'),
          value: number(day?.orders),
          under: t('overview.wholeYesterday', { value: number(before?.orders) }),
        },
        {
          label: t('overview.basket'),
          value: money(day?.basket_value, currency),
          under: t('overview.wholeYesterday', { value: money(before?.basket_value, currency) }),
        },
        {
          label: t('overview.returns'),
          value: percent(day?.return_rate),
          under: t('overview.returned', { value: money(day?.returned, currency) }),
        },
        {
          label: t('overview.target'),
          value: share === null ? '–' : percent(share, 0),
          tone: share === null ? '' : onCourse ? 'good' : 'bad',
          under:
            share === null
              ? ''
              : t('overview.expected', { value: money(sales.expected, currency, 0) }),
        },
      ]}
    />
  );
}

function Stores({ sales }: { sales: Sales }) {
  const { t } = useTranslation();
  return (
    <Panel title={t('overview.stores')} span={4} flush>
      {sales.stores.length === 0 && <Nothing>{t('table.empty')}</Nothing>}
      <ul className="list">
        {sales.stores.map((row) => {
          const target = toNumber(row.target) ?? 0;
          const share = target > 0 ? (toNumber(row.net_sales) ?? 0) / target : 0;
          const mark = target > 0 ? (toNumber(row.expected_by_now) ?? 0) / target : null;
          const said = t('overview.store', {
            store: text(row.store_id),
            share: percent(share * 100, 0),
          });
          return (
            <li key={text(row.store_id)} style={{ alignItems: 'center' }}>
              <span style={{ width: 76 }} className="clip">
                {text(row.store_id)}
              </span>
              <span className="grow">
                <Meter share={share} mark={mark} label={said} />
              </span>
              <span className="num" style={{ width: 78 }}>
                {money(row.net_sales, row.currency, 0)}
              </span>
              <span
                className={`num ${row.on_course === true ? 'good' : 'soft'}`}
                style={{ width: 44 }}
              >
                {percent(share * 100, 0)}
              </span>
            </li>
          );
        })}
      </ul>
      <p className="soft" style={{ margin: 0, padding: '6px 14px 12px', fontSize: 12.5 }}>
        {t('overview.mark')}
      </p>
    </Panel>
  );
}

function Days({ sales }: { sales: Sales }) {
  const { t } = useTranslation();
  const rows = useMemo(() => sales.days.slice(-28), [sales.days]);
  const option = useMemo(
    () => () => ({
      legend: { show: false },
      xAxis: { type: 'category', data: rows.map((row) => dayName(row.business_date)) },
      yAxis: { type: 'value', axisLabel: { formatter: (value: number) => short(value) } },
      series: [
        {
          type: 'bar',
          name: t('overview.sold'),
          barMaxWidth: 30,
          data: rows.map((row) => ({
            value: toNumber(row.gmv),
            itemStyle: { opacity: row.business_date === sales.today ? 1 : 0.55 },
          })),
        },
      ],
    }),
    [rows, sales.today, t],
  );
  return (
    <Chart
      name="days"
      title={t('overview.days')}
      span={3}
      height={236}
      rows={rows}
      option={option}
      columns={[
        { id: 'day', header: t('overview.day'), value: (row) => row.business_date },
        {
          id: 'gmv',
          header: t('overview.sold'),
          numeric: true,
          value: (row) => row.gmv,
          cell: (row) => money(row.gmv, row.currency),
        },
        {
          id: 'change',
          header: t('overview.change'),
          numeric: true,
          value: (row) => row.change_percent,
          cell: (row) => signedPercent(row.change_percent),
        },
      ]}
    />
  );
}

function DecisionsToday() {
  const { t } = useTranslation();
  const rows = useCalmRows('decisions_today');
  const types = [...new Set(rows.map((row) => text(row.decision_type)))].sort();
  const count = (type: string, status: string) =>
    rows
      .filter((row) => row.decision_type === type && row.status === status)
      .reduce((total, row) => total + (toNumber(row.decisions) ?? 0), 0);
  return (
    <Panel
      title={t('overview.decisions')}
      span={4}
      flush
      end={<Link to="/decisions">{t('overview.all')}</Link>}
    >
      {types.length === 0 && <Nothing>{t('table.empty')}</Nothing>}
      <ul className="list">
        {types.map((type) => (
          <li key={type}>
            <span className="grow">{t(`type.${type}`, { defaultValue: type })}</span>
            {['proposed', 'approved', 'applied', 'rejected'].map(
              (status) =>
                count(type, status) > 0 && (
                  <Badge
                    key={status}
                    tone={status === 'rejected' ? 'bad' : status === 'proposed' ? 'accent' : 'good'}
                  >
                    {number(count(type, status))} {t(`status.${status}`)}
                  </Badge>
                ),
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

export function Overview() {
  const { t } = useTranslation();
  const views = useViews();
  const sales = useSales();
  if (views && !views.has('sales_by_day'))
    return <NeedsPack pack="sales" what={t('nav.overview')} />;
  const upTo = sales.hour ? timeOf(sales.hour.sale_hour) : '';
  return (
    <>
      <PageHead
        title={sales.today ? dayName(sales.today) : t('nav.overview')}
        note={upTo ? t('overview.upTo', { hour: upTo.slice(11, 16) }) : t('table.loading')}
      />
      <Today sales={sales} />
      <div className="grid">
        <TodayChart sales={sales} />
        <Stores sales={sales} />
        <AlertsPanel span={views?.has('decisions_today') ? 8 : 12} />
        {views?.has('decisions_today') && <DecisionsToday />}
        <TopProducts sales={sales} />
        <Categories sales={sales} />
        <Days sales={sales} />
      </div>
    </>
  );
}
