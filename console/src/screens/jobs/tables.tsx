// What the job consists of: its operators, and what each view and sink waits for.
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { OutputStatus, Row, Status } from '@/api/types';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { bytes, clipped, NONE, number, percent, text, toNumber } from '@/components/format';
import { Badge, Panel } from '@/components/Panel';

export function Operators({ status }: { status: Status }) {
  const { t } = useTranslation();
  const rows = useMemo(
    () =>
      status.operators.map((one): Row => ({ ...one, outputs_in_all: one.outputs_in_all ?? null })),
    [status.operators],
  );
  const columns = useMemo<TableColumn[]>(
    () => [
      {
        id: 'node',
        header: t('jobs.node'),
        numeric: true,
        width: '70px',
        value: (row) => row.node,
      },
      {
        id: 'name',
        header: t('jobs.operator'),
        width: 'minmax(140px, 1fr)',
        value: (row) => row.name,
      },
      {
        id: 'share',
        header: t('jobs.share'),
        numeric: true,
        width: '96px',
        value: (row) => row.share,
        cell: (row) => percent((toNumber(row.share) ?? 0) * 100, 2),
      },
      {
        id: 'rows',
        header: t('jobs.gave'),
        numeric: true,
        width: '104px',
        value: (row) => row.rows,
        cell: (row) => number(row.rows),
      },
      {
        id: 'state',
        header: t('jobs.keeps'),
        numeric: true,
        width: '104px',
        value: (row) => row.state_rows,
        cell: (row) => number(row.state_rows),
      },
      {
        id: 'bytes',
        header: t('jobs.memory'),
        numeric: true,
        width: '104px',
        value: (row) => row.state_bytes,
        cell: (row) => bytes(row.state_bytes),
      },
      {
        id: 'outputs',
        header: t('jobs.feeds'),
        width: 'minmax(220px, 3fr)',
        value: (row) => (Array.isArray(row.outputs) ? row.outputs.join(', ') : ''),
        cell: (row) => {
          const named = Array.isArray(row.outputs) ? row.outputs : [];
          const more = (toNumber(row.outputs_in_all) ?? named.length) - named.length;
          return (
            <span className="soft">
              {clipped(named.join(', '))}
              {more > 0 && ` ${t('lineage.more', { count: more })}`}
            </span>
          );
        },
      },
    ],
    [t],
  );
  const { count } = status.operators_in_all;
  return (
    <Panel
      title={t('jobs.operators')}
      flush
      end={
        count > rows.length && (
          <span className="soft">
            {t('jobs.busiest', { rows: number(rows.length), of: number(count) })}
          </span>
        )
      }
    >
      <DataTable
        name="operators"
        label={t('jobs.operators')}
        columns={columns}
        rows={rows}
        order="-share"
        height={360}
        rowKey={(row) => `${text(row.node)} ${text(row.name)}`}
      />
    </Panel>
  );
}

export function Outputs({ outputs }: { outputs: OutputStatus[] }) {
  const { t } = useTranslation();
  // Several INSERTs may write one table.
  const rows = useMemo(() => outputs.map((one, number): Row => ({ ...one, number })), [outputs]);
  const columns = useMemo<TableColumn[]>(
    () => [
      {
        id: 'name',
        header: t('jobs.output'),
        width: 'minmax(200px, 1fr)',
        value: (row) => row.name,
      },
      {
        id: 'kind',
        header: t('jobs.kind'),
        width: '80px',
        value: (row) => row.kind,
        cell: (row) => <span className="soft">{text(row.kind)}</span>,
      },
      {
        id: 'rows',
        header: t('jobs.changes'),
        numeric: true,
        width: '104px',
        value: (row) => row.rows,
        cell: (row) => number(row.rows),
      },
      {
        id: 'backlog',
        header: t('jobs.backlog'),
        numeric: true,
        width: '104px',
        value: (row) => row.backlog_bytes,
        cell: (row) =>
          (toNumber(row.backlog_bytes) ?? 0) === 0 ? (
            <span className="soft">{NONE}</span>
          ) : (
            bytes(row.backlog_bytes)
          ),
      },
      {
        id: 'held',
        header: t('jobs.heldBack'),
        width: 'minmax(280px, 2fr)',
        value: (row) => row.away ?? row.held_back_by,
        cell: (row) =>
          row.away ? (
            <Badge tone="bad">{clipped(text(row.away), 120)}</Badge>
          ) : (
            <span className="soft">
              {row.held_back_by === null ? '' : clipped(text(row.held_back_by))}
            </span>
          ),
      },
    ],
    [t],
  );
  return (
    <Panel title={t('jobs.outputs')} span={8} flush>
      <DataTable
        name="outputs"
        label={t('jobs.outputs')}
        columns={columns}
        rows={rows}
        order="-rows"
        height={300}
        rowKey={(row) => `${text(row.name)} ${text(row.number)}`}
      />
    </Panel>
  );
}
