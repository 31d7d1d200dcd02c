// The log of what the packs decided, each with its reasons; what came of it, where that is known.
import { Select } from '@mantine/core';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useLives, useRows, useViews } from '@/api/hooks';
import type { Row, ViewInfo } from '@/api/types';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { clipped, number, text, timeOf } from '@/components/format';
import { NeedsPack } from '@/components/Notice';
import { Figures, PageHead, Panel } from '@/components/Panel';
import { reasonsOf } from '@/components/reasons';
import { useReviewed } from '@/components/Review';
import { useUrlState } from '@/components/urlState';
import { DecisionWhy, StatusBadge, subjectLink, useWanted, WhyDrawer } from '@/components/Why';

/** Every view that has the columns of a decision, of whatever pack or project. */
export function decisionViews(views: Map<string, ViewInfo> | null): string[] {
  return [...(views?.values() ?? [])]
    .filter((view) => {
      const names = new Set(view.columns.map((column) => column.name));
      return ['decision_id', 'decision_type', 'reasons', 'status'].every((name) => names.has(name));
    })
    .map((view) => view.name);
}

/** The journal has each decision, too, and knows more of it: what a pack says again is left out. */
export function once(rows: Row[]): Row[] {
  const found = new Map<string, Row>();
  for (const row of rows) {
    const id = text(row.decision_id);
    const before = found.get(id);
    // Only the journal's rows have this column.
    if (!before || 'review_note' in row) found.set(id, row);
  }
  return [...found.values()];
}

export function useDecisionColumns(): TableColumn[] {
  const { t } = useTranslation();
  const wanted = useWanted();
  return useMemo(
    () => [
      {
        id: 'at',
        header: t('why.decided'),
        width: '150px',
        value: (row) => row.decided_at,
        cell: (row) => <span className="soft">{timeOf(row.decided_at)}</span>,
      },
      {
        id: 'type',
        header: t('decisions.type'),
        width: '100px',
        value: (row) => row.decision_type,
        cell: (row) =>
          t(`type.${text(row.decision_type)}`, { defaultValue: text(row.decision_type) }),
      },
      {
        id: 'subject',
        header: t('why.subject'),
        width: 'minmax(100px, 1fr)',
        value: (row) => row.subject_id,
        cell: (row) => subjectLink(row),
      },
      {
        id: 'wanted',
        header: t('decisions.wants'),
        width: 'minmax(210px, 2fr)',
        value: (row) => wanted(row),
      },
      {
        id: 'status',
        header: t('decisions.status'),
        width: '106px',
        value: (row) => row.status,
        cell: (row) => <StatusBadge status={text(row.status)} />,
      },
      {
        id: 'why',
        header: t('why.reasons'),
        width: 'minmax(260px, 4fr)',
        value: (row) => reasonsOf(row).join('; '),
        cell: (row) => <span className="soft">{clipped(reasonsOf(row).join('; '))}</span>,
      },
      {
        id: 'policy',
        header: t('why.policy'),
        width: 'minmax(110px, 1fr)',
        value: (row) => row.policy,
        cell: (row) => <span className="soft">{clipped(text(row.policy), 60)}</span>,
      },
      {
        id: 'variant',
        header: t('decisions.variant'),
        width: '96px',
        value: (row) => row.variant,
        cell: (row) => <span className="soft">{text(row.variant)}</span>,
      },
    ],
    [t, wanted],
  );
}

function Outcomes() {
  const { t } = useTranslation();
  const rows = useRows('customers_outcome');
  const columns = useMemo<TableColumn[]>(
    () => [
      {
        id: 'at',
        header: t('decisions.happened'),
        value: (row) => row.event_time,
        cell: (row) => timeOf(row.event_time),
      },
      {
        id: 'decision',
        header: t('why.id'),
        value: (row) => row.decision_id,
        width: 'minmax(200px, 3fr)',
      },
      { id: 'kind', header: t('decisions.kind'), value: (row) => row.kind },
      {
        id: 'value',
        header: t('decisions.value'),
        numeric: true,
        value: (row) => row.value,
        cell: (row) => number(row.value, 2),
      },
      { id: 'variant', header: t('decisions.variant'), value: (row) => row.variant },
    ],
    [t],
  );
  return (
    <Panel title={t('decisions.outcomes')} flush>
      <DataTable
        name="outcomes"
        label={t('decisions.outcomes')}
        columns={columns}
        rows={rows}
        height={240}
        rowKey={(row) => text(row.decision_id) + text(row.event_id)}
        empty={t('decisions.noOutcome')}
      />
    </Panel>
  );
}

export function Decisions() {
  const { t } = useTranslation();
  const views = useViews();
  const names = useMemo(() => decisionViews(views), [views]);
  const said = useLives(names);
  const rows = useReviewed(useMemo(() => once(said), [said]));
  const columns = useDecisionColumns();
  const [type, setType] = useUrlState('type');
  const [status, setStatus] = useUrlState('status');
  const [open, setOpen] = useUrlState('open');
  const shown = useMemo(
    () =>
      rows.filter(
        (row) => (!type || row.decision_type === type) && (!status || row.status === status),
      ),
    [rows, type, status],
  );
  if (views && names.length === 0)
    return <NeedsPack pack="replenishment" what={t('nav.decisions')} />;
  const opened = rows.find((row: Row) => row.decision_id === open);
  const types = [...new Set(rows.map((row) => text(row.decision_type)))].sort();
  const statuses = [...new Set(rows.map((row) => text(row.status)))].sort();
  const of = (name: string) => rows.filter((row) => row.status === name).length;
  return (
    <>
      <PageHead title={t('nav.decisions')} note={t('decisions.note')} />
      <Figures
        figures={[
          {
            label: t('decisions.all'),
            value: number(rows.length),
            under: t('decisions.from', { count: names.length, views: number(names.length) }),
          },
          ...['proposed', 'approved', 'rejected'].map((name) => ({
            label: t(`status.${name}`),
            value: number(of(name)),
            under: t(`decisions.means.${name}`),
          })),
        ]}
      />
      <div className="grid">
        <div className="panel span-12">
          <DataTable
            name="decisions"
            label={t('nav.decisions')}
            columns={columns}
            rows={shown}
            order="-at"
            rowKey={(row) => text(row.decision_id)}
            onOpen={(row) => setOpen(text(row.decision_id))}
            openKey={open}
            height="calc(100vh - 330px)"
            tools={
              <>
                <Select
                  size="xs"
                  w={130}
                  clearable
                  placeholder={t('decisions.type')}
                  aria-label={t('decisions.type')}
                  value={type || null}
                  onChange={(value) => setType(value ?? '')}
                  data={types.map((value) => ({
                    value,
                    label: t(`type.${value}`, { defaultValue: value }),
                  }))}
                />
                <Select
                  size="xs"
                  w={130}
                  clearable
                  placeholder={t('decisions.status')}
                  aria-label={t('decisions.status')}
                  value={status || null}
                  onChange={(value) => setStatus(value ?? '')}
                  data={statuses.map((value) => ({
                    value,
                    label: t(`status.${value}`, { defaultValue: value }),
                  }))}
                />
              </>
            }
          />
        </div>
        {views?.has('customers_outcome') && <Outcomes />}
      </div>
      <WhyDrawer
        open={opened !== undefined}
        onClose={() => setOpen('')}
        title={opened ? text(opened.subject_id) : ''}
      >
        {opened && <DecisionWhy row={opened} />}
      </WhyDrawer>
    </>
  );
}
