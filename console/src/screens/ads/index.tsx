// What the ads cost and bring, how the day's budgets last, and to whom a purchase is owed.
import { Select } from '@mantine/core';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useRows, useViews } from '@/api/hooks';
import type { Row } from '@/api/types';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { dayName, number, percent, text, timeOf, toNumber } from '@/components/format';
import { NeedsPack, Nothing } from '@/components/Notice';
import { Badge, Figures, Meter, PageHead, Panel } from '@/components/Panel';
import { useUrlState } from '@/components/urlState';
import { Attribution, Spend } from './charts';

const PACE_TONES: Record<string, string> = {
  over: 'care',
  exhausted: 'bad',
  under: '',
  on_course: 'good',
};

function Pacing({ rows }: { rows: Row[] }) {
  const { t } = useTranslation();
  return (
    <Panel
      title={t('ads.pacing')}
      span={5}
      flush
      end={<span className="soft">{timeOf(rows[0]?.as_of)}</span>}
    >
      {rows.length === 0 && <Nothing>{t('table.empty')}</Nothing>}
      <ul className="list">
        {[...rows]
          .sort((a, b) => (toNumber(b.spent_percent) ?? 0) - (toNumber(a.spent_percent) ?? 0))
          .map((row) => (
            <li key={text(row.campaign_id)} style={{ alignItems: 'center' }}>
              <span style={{ width: 84 }} className="clip">
                {text(row.campaign_id)}
              </span>
              <span className="grow">
                <Meter
                  share={(toNumber(row.spent_percent) ?? 0) / 100}
                  mark={(toNumber(row.day_gone_percent) ?? 0) / 100}
                  label={t('ads.meter', {
                    campaign: text(row.campaign_id),
                    spent: percent(row.spent_percent, 0),
                    gone: percent(row.day_gone_percent, 0),
                  })}
                />
              </span>
              <span className="num" style={{ width: 110 }}>
                {number(row.cost, 2)} <span className="soft">/ {number(row.daily_budget)}</span>
              </span>
              <span style={{ width: 92, textAlign: 'right' }}>
                <Badge tone={PACE_TONES[text(row.pace)]}>
                  {t(`ads.pace.${text(row.pace)}`, { defaultValue: text(row.pace) })}
                </Badge>
              </span>
            </li>
          ))}
      </ul>
    </Panel>
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
  const columns = useMemo<TableColumn[]>(
    () => [
      {
        id: 'campaign',
        header: t('funnel.campaign'),
        width: 'minmax(120px, 2fr)',
        value: (row) => row.campaign_id,
      },
      ...(['impressions', 'clicks', 'unmatched_clicks', 'conversions'] as const).map((id) => ({
        id,
        header: t(`ads.${id}`),
        numeric: true,
        width: '112px',
        value: (row: Row) => row[id],
        cell: (row: Row) => number(row[id]),
      })),
      {
        id: 'ctr',
        header: t('ads.ctr'),
        numeric: true,
        width: '92px',
        value: (row) => row.ctr_percent,
        cell: (row) => percent(row.ctr_percent, 2),
      },
      {
        id: 'cvr',
        header: t('ads.cvr'),
        numeric: true,
        width: '92px',
        value: (row) => row.cvr_percent,
        cell: (row) => percent(row.cvr_percent, 2),
      },
      {
        id: 'cpc',
        header: t('ads.cpc'),
        numeric: true,
        width: '92px',
        value: (row) => row.cpc,
        cell: (row) => number(row.cpc, 2),
      },
      {
        id: 'cost',
        header: t('ads.cost'),
        numeric: true,
        width: '92px',
        value: (row) => row.cost,
        cell: (row) => number(row.cost, 2),
      },
      {
        id: 'revenue',
        header: t('ads.revenue'),
        numeric: true,
        width: '104px',
        value: (row) => row.revenue,
        cell: (row) => number(row.revenue, 2),
      },
      {
        id: 'roas',
        header: t('ads.roas'),
        numeric: true,
        width: '80px',
        value: (row) => row.roas,
        cell: (row) => number(row.roas, 2),
      },
    ],
    [t],
  );
  if (views && !views.has('ads_by_campaign_day'))
    return <NeedsPack pack="ads" what={t('nav.ads')} />;
  const sum = (column: string) =>
    rows.reduce((total, row) => total + (toNumber(row[column]) ?? 0), 0);
  const cost = sum('cost');
  return (
    <>
      <PageHead title={t('nav.ads')} note={t('ads.note')}>
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
            label: t('ads.cost'),
            value: number(cost, 2),
            under: t('ads.campaigns', { count: rows.length, rows: number(rows.length) }),
          },
          {
            label: t('ads.revenue'),
            value: number(sum('revenue'), 2),
            under: t('ads.inClickHour'),
          },
          {
            label: t('ads.roas'),
            value: number(cost > 0 ? sum('revenue') / cost : null, 2),
            under: t('ads.roasMeans'),
          },
          {
            label: t('ads.ctr'),
            value: percent(
              sum('impressions') > 0 ? (sum('clicks') / sum('impressions')) * 100 : null,
              2,
            ),
            under: t('ads.shown', { count: sum('impressions'), rows: number(sum('impressions')) }),
          },
          {
            label: t('ads.conversions'),
            value: number(sum('conversions')),
            under: t('ads.clicked', { count: sum('clicks'), rows: number(sum('clicks')) }),
          },
        ]}
      />
      <div className="grid">
        <Pacing rows={pacing} />
        <Attribution />
        <Panel title={t('ads.day', { day: dayName(day) })} flush>
          <DataTable
            name="ads"
            label={t('ads.day', { day: dayName(day) })}
            columns={columns}
            rows={rows}
            order="-cost"
            height={300}
            rowKey={(row) => text(row.campaign_id)}
          />
        </Panel>
        <Spend rows={all} />
      </div>
    </>
  );
}
