// Every view of the project: its columns, its key, its rows as they change.
import { Link } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useCatalogue, useLive, usePage, useViews } from '@/api/hooks';
import type { Row, ViewInfo } from '@/api/types';
import { ApiLines } from '@/components/ApiLines';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { number, text, toNumber } from '@/components/format';
import { ErrorNotice, ProblemNotice } from '@/components/Notice';
import { Badge, PageHead, Panel } from '@/components/Panel';
import { useUrlState } from '@/components/urlState';
import { WhyDrawer } from '@/components/Why';
import { Saved } from './Saved';
import { columnsOf, RowDetail } from '@/screens/sql/Answer';

/** A view up to this size is followed; of a larger one the first rows are read again and again. */
const FOLLOWED_ROWS_MAX = 20_000;
const PAGE_ROWS = 1000;

function Rows({ view }: { view: ViewInfo }) {
  const { t } = useTranslation();
  const follows = view.rows <= FOLLOWED_ROWS_MAX;
  const live = useLive(follows ? view.name : null);
  const page = usePage(follows ? '' : view.name, { limit: PAGE_ROWS });
  const rows = follows ? live.rows : (page.data?.rows ?? []);
  const columns = useMemo(() => columnsOf(view.columns), [view]);
  const [open, setOpen] = useState<Row | null>(null);
  const [showsApi, setShowsApi] = useState(false);
  const keys = useMemo(() => new Map(rows.map((row, at) => [row, String(at)])), [rows]);
  const keyOf = (row: Row) =>
    view.key.length > 0 ? JSON.stringify(view.key.map((name) => row[name])) : (keys.get(row) ?? '');
  return (
    <>
      {live.problem && <ProblemNotice problem={live.problem} />}
      <ErrorNotice error={page.error} />
      <Panel
        title={view.name}
        flush
        end={
          <>
            {!follows && (
              <span className="soft">{t('table.cut', { rows: number(PAGE_ROWS) })}</span>
            )}
            <Badge>
              {t('catalogue.key', { key: view.key.length > 0 ? view.key.join(', ') : '–' })}
            </Badge>
            <Link to="/sql" search={{ q: `SELECT * FROM ${view.name} LIMIT 100` } as never}>
              {t('catalogue.ask')}
            </Link>
            <button
              type="button"
              className="plain link"
              aria-expanded={showsApi}
              onClick={() => setShowsApi(!showsApi)}
            >
              {t('api.use')}
            </button>
            <Link to="/lineage" search={{ view: view.name } as never}>
              {t('catalogue.lineage')}
            </Link>
          </>
        }
      >
        {showsApi && (
          <div style={{ padding: '0 14px 14px' }}>
            <ApiLines key={view.name} view={view} />
          </div>
        )}
        <DataTable
          key={view.name}
          name="rows"
          label={view.name}
          columns={columns}
          rows={rows}
          rowKey={keyOf}
          height="calc(100vh - 290px)"
          loading={follows ? live.state === 'loading' : page.isLoading}
          onOpen={setOpen}
        />
      </Panel>
      <WhyDrawer open={open !== null} onClose={() => setOpen(null)} title={view.name}>
        {open && <RowDetail row={open} columns={view.columns} />}
      </WhyDrawer>
    </>
  );
}

export function CatalogueScreen() {
  const { t } = useTranslation();
  const { data } = useCatalogue();
  const views = useViews();
  const [chosen, choose] = useUrlState('view');
  const rows = useMemo(
    () =>
      (data?.views ?? []).map((view): Row => ({
        name: view.name,
        rows: view.rows,
        columns: view.columns.length,
        key: view.key.join(', '),
      })),
    [data],
  );
  const columns = useMemo<TableColumn[]>(
    () => [
      {
        id: 'name',
        header: t('catalogue.view'),
        value: (row) => row.name,
        width: 'minmax(210px, 1fr)',
      },
      {
        id: 'rows',
        header: t('catalogue.rows'),
        numeric: true,
        width: '84px',
        value: (row) => toNumber(row.rows),
        cell: (row) => number(row.rows),
      },
    ],
    [t],
  );
  const view = views?.get(chosen);
  const now = data?.views.find((one) => one.name === chosen);
  return (
    <>
      <PageHead title={t('nav.catalogue')} note={t('catalogue.note')} />
      <div className="grid">
        <div className="span-4 stack">
          <Saved />
          <div className="panel">
            <DataTable
              name="views"
              label={t('nav.catalogue')}
              columns={columns}
              rows={rows}
              rowKey={(row) => text(row.name)}
              onOpen={(row) => choose(text(row.name))}
              openKey={chosen}
              height="calc(100vh - 240px)"
            />
          </div>
        </div>
        <div className="span-8 stack">
          {view && now ? (
            <Rows
              view={{
                ...view,
                rows: Math.max(view.rows, now.rows > FOLLOWED_ROWS_MAX ? now.rows : 0),
              }}
            />
          ) : (
            <div className="panel">
              <div className="empty">
                <strong>{t('catalogue.choose')}</strong>
                {t('catalogue.chooseMore')}
              </div>
            </div>
          )}
        </div>
      </div>
    </>
  );
}
