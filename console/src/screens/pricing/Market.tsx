// Our prices beside those of others: by category, and article by article.
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useRows } from '@/api/hooks';
import { Chart, type Palette } from '@/components/Chart';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { money, number, text, timeOf, toNumber } from '@/components/format';
import { Panel } from '@/components/Panel';

export function Position() {
  const { t } = useTranslation();
  const found = useRows('market_price_index_by_category');
  const rows = useMemo(
    () =>
      [...found].sort((a, b) => (toNumber(b.price_index) ?? 0) - (toNumber(a.price_index) ?? 0)),
    [found],
  );
  const option = useMemo(
    () => (palette: Palette) => ({
      legend: { show: false },
      grid: { left: 8, right: 34, top: 6, bottom: 4, containLabel: true },
      xAxis: {
        type: 'value',
        min: 80,
        max: 120,
        axisLabel: { formatter: (value: number) => number(value) },
      },
      yAxis: {
        type: 'category',
        inverse: true,
        data: rows.map((row) => text(row.category_id)),
        axisLabel: { color: palette.ink },
      },
      series: [
        {
          type: 'bar',
          name: t('pricing.index'),
          barMaxWidth: 12,
          // Bars begin at 100, the median of the others: left of it we are cheaper.
          stack: 'index',
          itemStyle: { color: 'transparent' },
          silent: true,
          tooltip: { show: false },
          data: rows.map((row) => Math.min(100, toNumber(row.price_index) ?? 100)),
        },
        {
          type: 'bar',
          name: t('pricing.index'),
          stack: 'index',
          barMaxWidth: 12,
          label: {
            show: true,
            position: 'right',
            color: palette.soft,
            fontSize: 11.5,
            formatter: (at: { dataIndex: number }) => number(rows[at.dataIndex]?.price_index),
          },
          data: rows.map((row) => {
            const index = toNumber(row.price_index) ?? 100;
            return {
              value: Math.abs(index - 100),
              itemStyle: {
                color: index > 100 ? palette.series[2] : palette.series[0],
                borderRadius: 2,
              },
            };
          }),
        },
      ],
      tooltip: { show: false },
    }),
    [rows, t],
  );
  return (
    <Chart
      name="price-position"
      title={t('pricing.position')}
      span={6}
      height={Math.max(120, rows.length * 24)}
      option={option}
      rows={rows}
      empty={t('pricing.noMarket')}
      columns={[
        { id: 'category', header: t('pricing.category'), value: (row) => row.category_id },
        {
          id: 'index',
          header: t('pricing.index'),
          numeric: true,
          value: (row) => row.price_index,
          cell: (row) => number(row.price_index, 1),
        },
        { id: 'skus', header: t('pricing.skus'), numeric: true, value: (row) => row.skus },
        { id: 'dearer', header: t('pricing.dearer'), numeric: true, value: (row) => row.dearer },
        { id: 'cheaper', header: t('pricing.cheaper'), numeric: true, value: (row) => row.cheaper },
      ]}
    />
  );
}

export function Beside() {
  const { t } = useTranslation();
  const rows = useRows('market_price_index');
  const columns = useMemo<TableColumn[]>(
    () => [
      { id: 'sku', header: t('pricing.sku'), value: (row) => row.sku, width: 'minmax(90px, 1fr)' },
      {
        id: 'category',
        header: t('pricing.category'),
        value: (row) => row.category_id,
        width: 'minmax(90px, 1fr)',
      },
      {
        id: 'ours',
        header: t('pricing.ours'),
        numeric: true,
        width: '84px',
        value: (row) => row.our_price,
        cell: (row) => money(row.our_price, row.currency),
      },
      {
        id: 'median',
        header: t('pricing.median'),
        numeric: true,
        width: '104px',
        value: (row) => row.median,
        cell: (row) => money(row.median, row.currency),
      },
      {
        id: 'index',
        header: t('pricing.index'),
        numeric: true,
        width: '76px',
        value: (row) => row.price_index,
        cell: (row) => (
          <span
            className={
              (toNumber(row.price_index) ?? 100) > 110
                ? 'bad'
                : (toNumber(row.price_index) ?? 100) < 80
                  ? 'care'
                  : ''
            }
          >
            {number(row.price_index, 1)}
          </span>
        ),
      },
      {
        id: 'competitors',
        header: t('pricing.competitors'),
        numeric: true,
        width: '100px',
        value: (row) => row.competitors,
      },
      {
        id: 'seen',
        header: t('pricing.seen'),
        width: '136px',
        value: (row) => row.last_seen,
        cell: (row) => <span className="soft">{timeOf(row.last_seen)}</span>,
      },
    ],
    [t],
  );
  return (
    <Panel title={t('pricing.beside')} span={6} flush>
      <DataTable
        name="market"
        label={t('pricing.beside')}
        columns={columns}
        rows={rows}
        height={300}
        rowKey={(row) => text(row.sku) + text(row.currency)}
        order="-index"
      />
    </Panel>
  );
}
