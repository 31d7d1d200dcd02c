// Rows a second, as the page has seen them since it was opened.
import { useTranslation } from 'react-i18next';
import { ChartFrame } from '@/components/ChartFrame';
import { FastSeries } from '@/components/FastSeries';
import { clockOf, number } from '@/components/format';

interface Props {
  times: number[];
  values: (number | null)[];
}
export function Rate({ times, values }: Props) {
  const { t } = useTranslation();
  const rows = times.map((at, index) => ({ at: clockOf(at), rate: values[index] ?? null }));
  return (
    <ChartFrame
      name="rate"
      title={t('jobs.rate')}
      span={8}
      height={150}
      isSvg={false}
      // One look is no rate yet.
      rows={rows.length < 2 ? [] : rows}
      empty={t('jobs.measuring')}
      columns={[
        { id: 'at', header: t('jobs.at'), value: (row) => row.at ?? null },
        {
          id: 'rate',
          header: t('jobs.rate'),
          numeric: true,
          value: (row) => row.rate ?? null,
          cell: (row) => number(row.rate, 1),
        },
      ]}
      picture={<FastSeries label={t('jobs.rate')} times={times} values={values} />}
    />
  );
}
