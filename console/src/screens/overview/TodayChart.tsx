// Sales so far by the hour, today on top of the day before.
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { Row } from '@/api/types';
import { Chart, type Palette } from '@/components/Chart';
import { money, short } from '@/components/format';
import { curveOf, type Sales } from './sales';

export function TodayChart({ sales, height = 262 }: { sales: Sales; height?: number }) {
  const { t } = useTranslation();
  const rows = useMemo(() => curveOf(sales) as unknown as Row[], [sales]);
  const option = useMemo(
    () => (palette: Palette) => ({
      xAxis: {
        type: 'category',
        boundaryGap: false,
        data: rows.map((row) => `${String(row.hour).padStart(2, '0')}:00`),
      },
      yAxis: { type: 'value', axisLabel: { formatter: (value: number) => short(value) } },
      series: [
        {
          type: 'line',
          name: t('overview.today'),
          data: rows.map((row) => row.today),
          showSymbol: false,
          lineStyle: { width: 2.5 },
          areaStyle: { opacity: 0.09 },
          z: 3,
        },
        {
          type: 'line',
          name: t('overview.yesterday'),
          data: rows.map((row) => row.yesterday),
          showSymbol: false,
          lineStyle: { width: 1.5, type: [4, 4], color: palette.soft },
          itemStyle: { color: palette.soft },
        },
      ],
    }),
    [rows, t],
  );
  return (
    <Chart
      name="today"
      title={t('overview.soFar')}
      span={8}
      height={height}
      option={option}
      rows={sales.today ? rows : []}
      columns={[
        { id: 'hour', header: t('overview.hour'), numeric: true, value: (row) => row.hour },
        {
          id: 'sold',
          header: t('overview.inHour'),
          numeric: true,
          value: (row) => row.sold,
          cell: (row) => money(row.sold, sales.currency),
        },
        {
          id: 'today',
          header: t('overview.today'),
          numeric: true,
          value: (row) => row.today,
          cell: (row) => money(row.today, sales.currency),
        },
        {
          id: 'yesterday',
          header: t('overview.yesterday'),
          numeric: true,
          value: (row) => row.yesterday,
          cell: (row) => money(row.yesterday, sales.currency),
        },
      ]}
    />
  );
}
