// Is the job well? Rows, steps, watermarks, what holds a view back, which operator is slow.
import { Button, Select } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import { lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { useStatus } from '@/api/hooks';
import { takeCheckpoint } from '@/api/http';
import type { OutputStatus, Row, Status, Value } from '@/api/types';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { FastSeries } from '@/components/FastSeries';
import { ago, bytes, clipped, NONE, number, percent, text, toNumber } from '@/components/format';
import { ErrorNotice, Nothing } from '@/components/Notice';
import { Badge, Figures, PageHead, Panel } from '@/components/Panel';
import { useUrlState } from '@/components/urlState';

const Graph = lazy(() => import('./Graph').then(({ Graph: loaded }) => ({ default: loaded })));
const KEPT = 300;

/** Rows a second, from one look at the job to the next. */
function useRate(status: Status | undefined): { times: number[]; values: (number | null)[] } {
  const last = useRef<{ at: number; rows: number } | null>(null);
  const [series, setSeries] = useState<{ times: number[]; values: (number | null)[] }>({ times: [], values: [] });
  useEffect(() => {
    if (!status) return;
    const before = last.current;
    last.current = { at: status.at_ms, rows: status.rows };
    if (!before || status.at_ms <= before.at) return;
    const rate = ((status.rows - before.rows) * 1000) / (status.at_ms - before.at);
    setSeries(({ times, values }) => ({
      times: [...times.slice(-KEPT), status.at_ms / 1000], values: [...values.slice(-KEPT), Math.max(0, rate)] }));
  }, [status]);
  return series;
}

function Checkpoints({ status }: { status: Status }) {
  const { t } = useTranslation();
  const take = useMutation({ mutationFn: takeCheckpoint });
  const kept = status.checkpoints;
  const shown = kept ? Object.entries(kept).filter(([, value]) => value === null || typeof value !== 'object') : [];
  const said = (name: string, value: Value) =>
    name.endsWith('_bytes') ? bytes(value)
      : name.endsWith('_ms') && (toNumber(value) ?? 0) > 1e12 ? t('jobs.before', { ago: ago(status.at_ms - (toNumber(value) ?? 0)) })
        : clipped(text(value), 200);
  return (
    <Panel title={t('jobs.checkpoints')} span={4} end={kept && (
      <Button size="compact-xs" variant="default" loading={take.isPending} onClick={() => take.mutate()}>{t('jobs.take')}</Button>)}>
      <ErrorNotice error={take.error} />
      {take.data && <p className="good" style={{ marginTop: 0 }}>{t('jobs.taken', { checkpoint: number(take.data.checkpoint) })}</p>}
      {!kept && <p className="soft" style={{ margin: 0 }}>{t('jobs.noCheckpoints')}</p>}
      <dl className="pairs">
        {shown.map(([name, value]) => (
          <div key={name} style={{ display: 'contents' }}><dt>{name.replaceAll('_', ' ')}</dt><dd>{said(name, value)}</dd></div>
        ))}
      </dl>
    </Panel>
  );
}

function Operators({ status }: { status: Status }) {
  const { t } = useTranslation();
  const rows = useMemo(() => status.operators.map((one): Row => ({ ...one, outputs: one.outputs })), [status.operators]);
  const columns = useMemo<TableColumn[]>(() => [
    { id: 'node', header: t('jobs.node'), numeric: true, width: '70px', value: (row) => row.node },
    { id: 'name', header: t('jobs.operator'), width: 'minmax(140px, 1fr)', value: (row) => row.name },
    { id: 'share', header: t('jobs.share'), numeric: true, width: '96px', value: (row) => row.share, cell: (row) => percent((toNumber(row.share) ?? 0) * 100, 2) },
    { id: 'rows', header: t('jobs.gave'), numeric: true, width: '104px', value: (row) => row.rows, cell: (row) => number(row.rows) },
    { id: 'state', header: t('jobs.keeps'), numeric: true, width: '104px', value: (row) => row.state_rows, cell: (row) => number(row.state_rows) },
    { id: 'bytes', header: t('jobs.memory'), numeric: true, width: '104px', value: (row) => row.state_bytes, cell: (row) => bytes(row.state_bytes) },
    { id: 'outputs', header: t('jobs.feeds'), width: 'minmax(220px, 3fr)',
      value: (row) => (Array.isArray(row.outputs) ? row.outputs.join(', ') : ''), cell: (row) => <span className="soft">{Array.isArray(row.outputs) ? clipped(row.outputs.join(', ')) : ''}</span> },
  ], [t]);
  return (
    <Panel title={t('jobs.operators')} flush>
      <DataTable name="operators" label={t('jobs.operators')} columns={columns} rows={rows} order="-share" height={360} rowKey={(row) => `${text(row.node)} ${text(row.name)}`} />
    </Panel>
  );
}

function Outputs({ outputs }: { outputs: OutputStatus[] }) {
  const { t } = useTranslation();
  const rows = useMemo(() => outputs.map((one): Row => ({ ...one })), [outputs]);
  const columns = useMemo<TableColumn[]>(() => [
    { id: 'name', header: t('jobs.output'), width: 'minmax(200px, 1fr)', value: (row) => row.name },
    { id: 'kind', header: t('jobs.kind'), width: '80px', value: (row) => row.kind, cell: (row) => <span className="soft">{text(row.kind)}</span> },
    { id: 'rows', header: t('jobs.changes'), numeric: true, width: '104px', value: (row) => row.rows, cell: (row) => number(row.rows) },
    { id: 'backlog', header: t('jobs.backlog'), numeric: true, width: '104px', value: (row) => row.backlog_bytes,
      cell: (row) => ((toNumber(row.backlog_bytes) ?? 0) === 0 ? <span className="soft">{NONE}</span> : bytes(row.backlog_bytes)) },
    { id: 'held', header: t('jobs.heldBack'), width: 'minmax(280px, 2fr)', value: (row) => row.away ?? row.held_back_by,
      cell: (row) => (row.away ? <Badge tone="bad">{clipped(text(row.away), 120)}</Badge> : <span className="soft">{row.held_back_by === null ? '' : clipped(text(row.held_back_by))}</span>) },
  ], [t]);
  return (
    <Panel title={t('jobs.outputs')} span={8} flush>
      <DataTable name="outputs" label={t('jobs.outputs')} columns={columns} rows={rows} order="-rows" height={300} rowKey={(row) => text(row.name)} />
    </Panel>
  );
}

export function Jobs() {
  const { t } = useTranslation();
  const { data: status, error } = useStatus(2000);
  const rate = useRate(status);
  const [chosen, choose] = useUrlState('view');
  if (!status) return <><PageHead title={t('nav.jobs')} /><ErrorNotice error={error} /><Nothing>{t('table.loading')}</Nothing></>;
  const slowest = [...status.operators].sort((a, b) => b.share - a.share)[0];
  const memory = status.operators.reduce((total, one) => total + one.state_bytes, 0);
  const names = status.outputs.map((one) => one.name).sort();
  const shown = chosen || slowest?.outputs[0] || names[0] || '';
  return (
    <>
      <PageHead title={t('nav.jobs')} note={t('jobs.note')} />
      <Figures figures={[
        { label: t('jobs.rows'), value: number(status.rows), under: t('jobs.perSecond', { rows: number(rate.values.at(-1) ?? 0) }) },
        { label: t('jobs.steps'), value: number(status.steps), under: status.catching_up ? t('jobs.catchingUp') : t('jobs.upToDate') },
        { label: t('jobs.late'), value: number(status.late_rows), tone: status.late_rows > 0 ? 'care' : '', under: t('jobs.lateMeans') },
        { label: t('jobs.state'), value: bytes(memory), under: t('jobs.stateMeans', { count: status.operators.length, operators: number(status.operators.length) }) },
        { label: t('jobs.slowest'), value: slowest ? percent(slowest.share * 100, 0) : NONE, under: slowest ? t('jobs.slowestMeans', { name: slowest.name, view: slowest.outputs[0] ?? NONE }) : '' },
      ]} />
      <div className="grid">
        <Panel title={t('jobs.rate')} span={8}>{rate.times.length < 2
            ? <p className="soft" style={{ margin: 0 }}>{t('jobs.measuring')}</p>
            : <FastSeries label={t('jobs.rate')} times={rate.times} values={rate.values} />}</Panel>
        <Checkpoints status={status} />
        <Panel title={t('jobs.graph')} end={<Select size="xs" w={280} searchable value={shown || null} data={names} allowDeselect={false}
          onChange={(value) => choose(value ?? '')} aria-label={t('jobs.output')} />}>
          <Suspense fallback={<p className="soft">{t('table.loading')}</p>}><Graph status={status} view={shown} /></Suspense>
        </Panel>
        <Outputs outputs={status.outputs} />
        <Facts status={status} />
        <Operators status={status} />
      </div>
    </>
  );
}

function Facts({ status }: { status: Status }) {
  const { t } = useTranslation();
  const pairs: [string, string][] = [
    [t('jobs.project'), status.project], [t('jobs.process'), String(status.pid)],
    [t('jobs.began'), ago(status.at_ms - status.started_ms)], ['Rialto', status.rialto],
    [t('nav.sources'), number(status.sources.length)], [t('jobs.outputs'), number(status.outputs.length)],
  ];
  return (
    <Panel title={t('jobs.job')} span={4}>
      <dl className="pairs">
        {pairs.map(([label, value]) => <div key={label} style={{ display: 'contents' }}><dt>{label}</dt><dd>{clipped(value, 300)}</dd></div>)}
      </dl>
    </Panel>
  );
}
