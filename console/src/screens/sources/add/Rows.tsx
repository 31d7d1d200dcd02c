// The first rows of a source: as they come in, as they are mapped, and what cannot be used.
import { SegmentedControl } from '@mantine/core';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Preview } from '@/api/sources';
import type { Row, Value } from '@/api/types';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { clipped, NONE, number, text } from '@/components/format';
import { Badge, Panel } from '@/components/Panel';
import { taken, type Draft } from './draft';
import { mappedOf, type Bad } from './infer';

type Which = 'raw' | 'mapped' | 'bad';
const NUMBER = ' number';
const WHY = ' why';

const cell = (value: Value | undefined) =>
  value === null || value === undefined ? (
    <span className="soft">{NONE}</span>
  ) : (
    clipped(text(value), 200)
  );
const columnOf = (name: string): TableColumn => ({
  id: name,
  header: name,
  width: 'minmax(120px, 1fr)',
  value: (row) => row[name],
  cell: (row) => cell(row[name]),
});

export function Rows({ found, draft }: { found: Preview; draft: Draft }) {
  const { t } = useTranslation();
  const [which, choose] = useState<Which>('mapped');
  const mapped = useMemo(() => mappedOf(found.rows, draft), [found, draft]);
  const why = ({ field, value, why: kind, into }: Bad) =>
    t(`source.bad.${kind}`, { field, value: clipped(text(value), 60), into });
  const numbered = (rows: Row[]) => rows.map((row, at): Row => ({ ...row, [NUMBER]: at + 1 }));
  const bad = mapped.flatMap((one, at) => (one.bad.length > 0 ? [{ ...one, at }] : []));
  const rows: Record<Which, Row[]> = {
    raw: numbered(mapped.map(({ raw }) => raw)),
    mapped: numbered(
      mapped.map((one): Row => ({ ...one.row, [WHY]: one.bad.map(why).join('; ') })),
    ),
    bad: [
      ...found.refused.map((one): Row => ({
        where: one.position,
        why: one.reason,
        record: one.record,
      })),
      ...bad.map((one): Row => ({
        where: t('source.rowAt', { row: one.at + 1 }),
        why: one.bad.map(why).join('; '),
        record: JSON.stringify(one.raw),
      })),
    ].map((row, at) => ({ ...row, [NUMBER]: at + 1 })),
  };
  const first: TableColumn = {
    id: NUMBER,
    header: '#',
    width: '56px',
    numeric: true,
    value: (row) => row[NUMBER],
  };
  const columns: Record<Which, TableColumn[]> = {
    raw: [first, ...draft.fields.map(({ name }) => columnOf(name))],
    mapped: [
      first,
      ...taken(draft).map((field) => columnOf(field.as)),
      {
        id: WHY,
        header: t('source.why'),
        width: 'minmax(180px, 2fr)',
        value: (row) => row[WHY],
        cell: (row) =>
          row[WHY] !== '' && <span className="bad">{clipped(text(row[WHY]), 300)}</span>,
      },
    ],
    bad: [
      first,
      { ...columnOf('where'), header: t('source.where'), width: 'minmax(140px, 1fr)' },
      { ...columnOf('why'), header: t('source.why'), width: 'minmax(240px, 2fr)' },
      { ...columnOf('record'), header: t('letters.record'), width: 'minmax(240px, 2fr)' },
    ],
  };
  const count = rows.bad.length;
  return (
    <Panel
      title={t('source.rows')}
      flush
      end={
        <SegmentedControl
          size="xs"
          aria-label={t('source.rows')}
          value={which}
          onChange={(next) => choose(next as Which)}
          data={[
            { value: 'raw', label: t('source.raw', { rows: number(rows.raw.length) }) },
            { value: 'mapped', label: t('source.mapped', { rows: number(mapped.length) }) },
            { value: 'bad', label: t('source.badRows', { rows: number(count) }) },
          ]}
        />
      }
    >
      <p className="soft" role="status" style={{ padding: '0 14px', margin: '0 0 8px' }}>
        {count > 0 ? (
          <Badge tone="bad">{t('source.someBad', { count, rows: number(count) })}</Badge>
        ) : (
          <Badge tone="good">{t('source.allGood')}</Badge>
        )}{' '}
        {t(found.ended ? 'source.whole' : 'source.firstOnly')}
      </p>
      <DataTable
        key={which}
        bare
        name={`source-${which}`}
        label={t('source.rows')}
        columns={columns[which]}
        rows={rows[which]}
        rowKey={(row) => text(row[NUMBER])}
        height={360}
        empty={t('source.noRows')}
      />
    </Panel>
  );
}
