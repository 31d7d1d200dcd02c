// What lies beside the funnel: campaigns, what is hot, carts that were left.
import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { usePage, useRows } from '@/api/hooks';
import type { Row } from '@/api/types';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { number, percent, text, timeOf } from '@/components/format';
import { Nothing } from '@/components/Notice';
import { Panel } from '@/components/Panel';

export function Campaigns({ day }: { day: string }) {
  const { t } = useTranslation();
  const rows = useRows('behavior_marketing_report', day ? { visit_day: day } : {});
  const columns = useMemo<TableColumn[]>(
    () => [
      {
        id: 'campaign',
        header: t('funnel.campaign'),
        width: 'minmax(130px, 2fr)',
        value: (row) => row.campaign_id,
        cell: (row) =>
          row.campaign_id === 'none' ? (
            <span className="soft">{t('funnel.noCampaign')}</span>
          ) : (
            text(row.campaign_id)
          ),
      },
      ...(['sessions', 'visitors', 'views', 'sessions_with_cart', 'orders'] as const).map((id) => ({
        id,
        header: t(`funnel.${id}`),
        numeric: true,
        width: '104px',
        value: (row: Row) => row[id],
        cell: (row: Row) => number(row[id]),
      })),
      {
        id: 'conversion',
        header: t('funnel.conversion'),
        numeric: true,
        width: '104px',
        value: (row) => row.conversion_percent,
        cell: (row) => percent(row.conversion_percent),
      },
      {
        id: 'revenue',
        header: t('funnel.revenue'),
        numeric: true,
        width: '112px',
        value: (row) => row.revenue,
        cell: (row) => number(row.revenue, 2),
      },
      {
        id: 'per',
        header: t('funnel.perSession'),
        numeric: true,
        width: '112px',
        value: (row) => row.revenue_per_session,
        cell: (row) => number(row.revenue_per_session, 2),
      },
    ],
    [t],
  );
  return (
    <Panel title={t('funnel.campaigns')} flush>
      <DataTable
        name="campaigns"
        label={t('funnel.campaigns')}
        columns={columns}
        rows={rows}
        order="-revenue"
        height={300}
        rowKey={(row) => text(row.campaign_id) + text(row.visit_day)}
      />
    </Panel>
  );
}

export function Hot() {
  const { t } = useTranslation();
  const page = usePage('behavior_hot_products', { order: '-window_start,place', limit: 10 });
  const rows = page.data?.rows ?? [];
  const newest = rows[0]?.window_start;
  const shown = rows.filter((row) => row.window_start === newest);
  return (
    <Panel
      title={t('funnel.hot')}
      span={5}
      flush
      end={
        <span className="soft">
          {newest ? `${timeOf(newest).slice(11)} – ${timeOf(rows[0]?.window_end).slice(11)}` : ''}
        </span>
      }
    >
      {shown.length === 0 && <Nothing>{t('table.empty')}</Nothing>}
      <ol className="list">
        {shown.map((row) => (
          <li key={text(row.place)}>
            <span className="num soft" style={{ width: 20 }}>
              {text(row.place)}
            </span>
            <span className="grow">{text(row.product_id)}</span>
            <span className="soft">
              {t('funnel.hotFigures', {
                views: number(row.views),
                carts: number(row.carts),
                purchases: number(row.purchases),
              })}
            </span>
            <strong className="num" style={{ width: 36, fontWeight: 600 }}>
              {number(row.score)}
            </strong>
          </li>
        ))}
      </ol>
    </Panel>
  );
}

export function Carts() {
  const { t } = useTranslation();
  const rows = useRows('behavior_abandoned_cart');
  const columns = useMemo<TableColumn[]>(
    () => [
      {
        id: 'at',
        header: t('funnel.left'),
        width: '150px',
        value: (row) => row.abandoned_at,
        cell: (row) => timeOf(row.abandoned_at),
      },
      {
        id: 'customer',
        header: t('customers.id'),
        value: (row) => row.customer_id,
        cell: (row) => (
          <Link to="/customers/$id" params={{ id: text(row.customer_id) }}>
            {text(row.customer_id)}
          </Link>
        ),
      },
      {
        id: 'carts',
        header: t('funnel.added'),
        numeric: true,
        width: '88px',
        value: (row) => row.carts,
        cell: (row) => number(row.carts),
      },
      {
        id: 'value',
        header: t('funnel.cartValue'),
        numeric: true,
        width: '120px',
        value: (row) => row.cart_value,
        cell: (row) => number(row.cart_value, 2),
      },
    ],
    [t],
  );
  return (
    <Panel title={t('funnel.abandoned')} span={7} flush>
      <DataTable
        name="carts"
        label={t('funnel.abandoned')}
        columns={columns}
        rows={rows}
        order="-at"
        height={326}
        rowKey={(row) => text(row.customer_id) + text(row.abandoned_at)}
      />
    </Panel>
  );
}
