// The answer to a question: a table, or a chart of its first text or time and its numbers.
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { Row, SqlAnswer } from '@/api/types';
import { Chart, type Palette } from '@/components/Chart';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { clipped, isNumeric, NONE, plain, short, text, toNumber } from '@/components/format';
import { WhyDrawer } from '@/components/Why';
import { useState } from 'react';

const SERIES_MAX = 6;
const POINTS_MAX = 400;

export function columnsOf(columns: { name: string; type: string }[]): TableColumn[] {
  return columns.map(({ name, type }) => {
    const numeric = isNumeric(type);
    return {
      id: name,
      header: name,
      numeric,
      width: numeric
        ? 'minmax(112px, 1fr)'
        : /^TIMESTAMP/.test(type)
          ? '190px'
          : 'minmax(130px, 1.600fr)',
      value: (row) => row[name],
      cell: (row) => {
        const value = row[name];
        if (value === null || value === undefined) return <span className="soft">{NONE}</span>;
        // Text that the server sent for a number has more digits than we could show rightly.
        if (numeric && typeof value === 'number') return plain(value);
        return clipped(text(value));
      },
    };
  });
}

export function RowDetail({
  row,
  columns,
}: {
  row: Row;
  columns: { name: string; type: string }[];
}) {
  return (
    <dl className="pairs">
      {columns.map(({ name, type }) => (
        <div key={name} style={{ display: 'contents' }}>
          <dt title={type}>{name}</dt>
          <dd style={{ whiteSpace: 'pre-wrap' }}>{clipped(text(row[name]), 20_000)}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Answer({ answer, form }: { answer: SqlAnswer; form: 'table' | 'chart' }) {
  const { t } = useTranslation();
  const columns = useMemo(() => columnsOf(answer.columns), [answer.columns]);
  const numbered = useMemo(() => {
    const keys = new Map<Row, string>();
    answer.rows.forEach((row, at) => keys.set(row, String(at)));
    return keys;
  }, [answer.rows]);
  const [open, setOpen] = useState<Row | null>(null);
  const label = answer.columns.find((column) => !isNumeric(column.type));
  const numbers = answer.columns.filter((column) => isNumeric(column.type)).slice(0, SERIES_MAX);
  const rows = useMemo(() => answer.rows.slice(0, POINTS_MAX), [answer.rows]);
  const option = useMemo(
    () => (_: Palette) => ({
      xAxis: {
        type: 'category',
        data: rows.map((row, at) => (label ? clipped(text(row[label.name]), 40) : String(at + 1))),
      },
      yAxis: { type: 'value', axisLabel: { formatter: (value: number) => short(value) } },
      series: numbers.map((column) => ({
        name: column.name,
        type: label && /TIME|DATE/.test(label.type) ? 'line' : 'bar',
        barMaxWidth: 28,
        showSymbol: false,
        data: rows.map((row) => toNumber(row[column.name])),
      })),
    }),
    [rows, label, numbers],
  );
  if (form === 'chart') {
    return (
      <Chart
        name="answer"
        title={t('sql.answer')}
        height={380}
        option={option}
        rows={numbers.length > 0 ? rows : []}
        columns={columns}
        empty={t('sql.noNumbers')}
      />
    );
  }
  return (
    <div className="panel">
      <DataTable
        name="answer"
        label={t('sql.answer')}
        columns={columns}
        rows={answer.rows}
        rowKey={(row) => numbered.get(row) ?? ''}
        height="calc(100vh - 430px)"
        onOpen={setOpen}
      />
      <WhyDrawer open={open !== null} onClose={() => setOpen(null)} title={t('sql.row')}>
        {open && <RowDetail row={open} columns={answer.columns} />}
      </WhyDrawer>
    </div>
  );
}
