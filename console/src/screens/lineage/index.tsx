// Lineage: where a view comes from, column by column, and who reads it.
import { Code, Select } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useLineage, useProject, type Lineage } from '@/api/project';
import { clipped } from '@/components/format';
import { ErrorNotice, Nothing } from '@/components/Notice';
import { PageHead, Panel } from '@/components/Panel';
import { useUrlState } from '@/components/urlState';
import { LineageGraph } from './Graph';
import { rowsBy, traced } from './trace';

const NAMED_MAX = 40;

function Names({ columns }: { columns: [string, string][] }) {
  const { t } = useTranslation();
  return (
    <>
      <ul className="reasons">
        {columns.slice(0, NAMED_MAX).map(([relation, column]) => (
          <li key={`${relation}.${column}`} className="mono">
            {relation}.{column}
          </li>
        ))}
      </ul>
      {columns.length > NAMED_MAX && (
        <p className="soft">{t('lineage.more', { count: columns.length - NAMED_MAX })}</p>
      )}
    </>
  );
}

function About({ lineage, column }: { lineage: Lineage; column: string }) {
  const { t } = useTranslation();
  const { origins } = useMemo(() => traced(lineage, column), [lineage, column]);
  const rows = useMemo(() => rowsBy(lineage), [lineage]);
  return (
    <>
      {column !== '' && (
        <Panel title={t('lineage.origins', { column })} span={4}>
          {origins.length === 0 ? t('lineage.noOrigin') : <Names columns={origins} />}
        </Panel>
      )}
      <Panel title={t('lineage.rows')} span={4}>
        {rows.length === 0 ? t('lineage.noRows') : <Names columns={rows} />}
      </Panel>
      <Panel title={t('lineage.readBy')} span={4}>
        {lineage.read_by.length === 0 && t('lineage.nobody')}
        <ul className="reasons">
          {lineage.read_by.map((name) => (
            <li key={name}>
              <Link to="/lineage" search={{ view: name } as never}>
                {name}
              </Link>
            </li>
          ))}
        </ul>
      </Panel>
      {lineage.query !== null && (
        <Panel
          title={t('lineage.query')}
          span={12}
          end={
            <Link
              to="/editor"
              search={{ text: `CREATE VIEW ${lineage.name}_2 AS\n${lineage.query};` } as never}
            >
              {t('lineage.edit')}
            </Link>
          }
        >
          <Code block tabIndex={0} style={{ maxHeight: 360, overflow: 'auto' }}>
            {clipped(lineage.query, 20_000)}
          </Code>
        </Panel>
      )}
    </>
  );
}

export function LineageScreen() {
  const { t } = useTranslation();
  const project = useProject();
  const [view, chooseView] = useUrlState('view');
  const [column, chooseColumn] = useUrlState('column');
  const found = useLineage(view);
  const lineage = found.isError ? undefined : found.data;
  const relations = project.data?.relations ?? [];
  const graph = useMemo(() => lineage && traced(lineage, column), [lineage, column]);
  const choose = (next: string, own: string) => {
    if (next !== view) chooseView(next);
    chooseColumn(own === column && next === view ? '' : own);
  };
  const columns = lineage?.members[0]?.columns.map((one) => one.name) ?? [];
  return (
    <>
      <PageHead title={t('nav.lineage')} note={t('lineage.note')} />
      <ErrorNotice error={project.error ?? found.error} />
      <div className="grid">
        <section className="panel span-12" aria-label={t('lineage.graph')}>
          <div className="palette">
            <Select
              size="xs"
              w={300}
              searchable
              aria-label={t('lineage.view')}
              placeholder={t('lineage.view')}
              data={relations.map((one) => one.name)}
              value={view || null}
              onChange={(name) => choose(name ?? '', '')}
            />
            <Select
              size="xs"
              w={240}
              searchable
              clearable
              disabled={columns.length === 0}
              aria-label={t('lineage.column')}
              placeholder={t('lineage.column')}
              data={columns}
              value={columns.includes(column) ? column : null}
              onChange={(name) => chooseColumn(name ?? '')}
              clearButtonProps={{ 'aria-label': t('lineage.all') }}
            />
            {lineage?.is_cut && <span className="soft">{t('lineage.cut')}</span>}
          </div>
          {graph && lineage ? (
            <LineageGraph traced={graph} view={lineage.name} column={column} choose={choose} />
          ) : (
            <div className="empty">
              {found.isLoading ? (
                t('lineage.working')
              ) : (
                <>
                  <strong>{t('lineage.choose')}</strong>
                  {t('lineage.chooseMore')}
                </>
              )}
            </div>
          )}
        </section>
        {lineage && <About lineage={lineage} column={columns.includes(column) ? column : ''} />}
        {view === '' && relations.length === 0 && project.isSuccess && (
          <Nothing>{t('table.empty')}</Nothing>
        )}
      </div>
    </>
  );
}
