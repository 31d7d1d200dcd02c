// Where rows come from: how many, how old, how far, and how many were refused.
import { Button, Drawer } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { lazy, Suspense, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useStatus } from '@/api/hooks';
import type { Row } from '@/api/types';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { ago, bytes, NONE, number, text, toNumber } from '@/components/format';
import { ErrorNotice, Nothing } from '@/components/Notice';
import { AsOf, Badge, Figures, PageHead } from '@/components/Panel';
import { useUrlState } from '@/components/urlState';
import { fedBy } from '@/screens/jobs/lineage';
import { Letters } from './Letters';

const AddSource = lazy(() => import('./add').then(({ AddSource: one }) => ({ default: one })));
const SILENT_MS = 60_000;
/** A time of the data, as UTC: a watermark is a moment, without the project's zone. */
const moment = (ms: number | null) =>
  ms === null ? NONE : new Date(ms).toISOString().replace('T', ' ').slice(0, 19);

/** The sources, or the form that adds one: each is a link. */
export function Sources() {
  const { t } = useTranslation();
  const [added, setAdded] = useUrlState('add');
  if (added === '') return <All add={() => setAdded('source')} />;
  return (
    <Suspense fallback={<p className="soft">{t('table.loading')}</p>}>
      <AddSource close={() => setAdded('')} />
    </Suspense>
  );
}

function All({ add }: { add: () => void }) {
  const { t } = useTranslation();
  const [open, setOpen] = useUrlState('open');
  const { data: status, error } = useStatus(2000, { operators: 0, source: open });
  const rows = useMemo(
    () =>
      (status?.sources ?? []).map((one): Row => ({
        ...one,
        readers: one.readers.length,
        silence:
          one.last_row_ms === null ? null : Math.max(0, (status?.at_ms ?? 0) - one.last_row_ms),
      })),
    [status],
  );
  const columns = useMemo<TableColumn[]>(
    () => [
      {
        id: 'name',
        header: t('sources.name'),
        width: 'minmax(180px, 2fr)',
        value: (row) => row.name,
      },
      {
        id: 'state',
        header: t('sources.state'),
        width: '128px',
        value: (row) => stateOf(row),
        cell: (row) => <Badge tone={TONES[stateOf(row)]}>{t(`sources.is.${stateOf(row)}`)}</Badge>,
      },
      {
        id: 'rows',
        header: t('sources.rows'),
        numeric: true,
        width: '110px',
        value: (row) => row.rows,
        cell: (row) => number(row.rows),
      },
      {
        id: 'bytes',
        header: t('sources.bytes'),
        numeric: true,
        width: '100px',
        value: (row) => row.bytes,
        cell: (row) => bytes(row.bytes),
      },
      {
        id: 'last',
        header: t('sources.last'),
        numeric: true,
        width: '120px',
        value: (row) => row.silence,
        cell: (row) => (row.silence === null ? NONE : ago(toNumber(row.silence) ?? 0)),
      },
      {
        id: 'watermark',
        header: t('sources.watermark'),
        width: '180px',
        value: (row) => row.watermark_ms,
        cell: (row) => <span className="soft">{moment(toNumber(row.watermark_ms))}</span>,
      },
      {
        id: 'readers',
        header: t('sources.readers'),
        numeric: true,
        width: '84px',
        value: (row) => row.readers,
        cell: (row) => number(row.readers),
      },
      {
        id: 'letters',
        header: t('sources.letters'),
        numeric: true,
        width: '130px',
        value: (row) => row.dead_letters,
        cell: (row) => (
          <span className={(toNumber(row.dead_letters) ?? 0) > 0 ? 'bad' : 'soft'}>
            {number(row.dead_letters)}
          </span>
        ),
      },
      {
        id: 'held',
        header: t('sources.held'),
        width: 'minmax(140px, 2fr)',
        value: (row) => (Array.isArray(row.held_by) ? row.held_by.join(', ') : ''),
      },
    ],
    [t],
  );
  if (!status)
    return (
      <>
        <PageHead title={t('nav.sources')} />
        <ErrorNotice error={error} />
        <Nothing>{t('table.loading')}</Nothing>
      </>
    );
  const letters = status.sources.reduce((total, one) => total + one.dead_letters, 0);
  const silent = rows.filter((row) => stateOf(row) === 'silent').length;
  const source = status.sources.find((one) => one.name === open);
  return (
    <>
      <PageHead title={t('nav.sources')} note={t('sources.note')}>
        <div style={{ display: 'flex', gap: 14, alignItems: 'center' }}>
          <AsOf ms={status.at_ms} />
          <Button size="xs" color="lagoon.6" leftSection={<IconPlus size={14} />} onClick={add}>
            {t('source.add')}
          </Button>
        </div>
      </PageHead>
      <Figures
        figures={[
          {
            label: t('nav.sources'),
            value: number(rows.length),
            under: t('sources.ended', {
              rows: number(rows.filter((row) => row.ended === true).length),
            }),
          },
          {
            label: t('sources.rows'),
            value: number(status.rows),
            under: t('sources.lateRows', { rows: number(status.late_rows) }),
          },
          {
            label: t('sources.is.silent'),
            value: number(silent),
            tone: silent ? 'care' : '',
            under: t('sources.silentMeans'),
          },
          {
            label: t('sources.letters'),
            value: number(letters),
            tone: letters ? 'bad' : '',
            under: letters ? t('sources.lettersDo') : t('sources.lettersNone'),
          },
        ]}
      />
      <div className="panel">
        <DataTable
          name="sources"
          label={t('nav.sources')}
          columns={columns}
          rows={rows}
          order="name"
          rowKey={(row) => text(row.name)}
          height="calc(100vh - 300px)"
          onOpen={(row) => setOpen(text(row.name))}
          openKey={open}
        />
      </div>
      <Drawer
        opened={source !== undefined}
        onClose={() => setOpen('')}
        position="right"
        size={460}
        title={<strong>{open}</strong>}
        closeButtonProps={{ 'aria-label': t('why.close') }}
        overlayProps={{ backgroundOpacity: 0.18 }}
        transitionProps={{ duration: 120 }}
      >
        {source && (
          <>
            {source.dead_letters > 0 && (
              <div className="notice bad">
                <div>
                  <strong>
                    {t('sources.refused', {
                      count: source.dead_letters,
                      rows: number(source.dead_letters),
                    })}
                  </strong>
                  <div>
                    {t('sources.lettersHow')} <code className="mono">rialto dead-letters list</code>
                  </div>
                </div>
              </div>
            )}
            {source.dead_letters > 0 && <Letters table={source.name} />}
            <h3 className="why-head">{t('sources.feeds')}</h3>
            <ul className="reasons">
              {fedBy(status, source.name).map((view) => (
                <li key={view}>
                  <Link to="/catalogue" search={{ view } as never}>
                    {view}
                  </Link>
                </li>
              ))}
            </ul>
          </>
        )}
      </Drawer>
    </>
  );
}

const TONES: Record<string, string> = {
  reading: 'good',
  silent: 'care',
  ended: '',
  held: 'bad',
  waiting: '',
};
function stateOf(row: Row): string {
  if (row.ended === true) return 'ended';
  if (Array.isArray(row.held_by) && row.held_by.length > 0) return 'held';
  const silence = toNumber(row.silence);
  if (silence === null) return 'waiting';
  return silence > SILENT_MS ? 'silent' : 'reading';
}
