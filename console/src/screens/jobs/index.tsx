// Is the job well? Rows, steps, watermarks, what holds a view back, which operator is slow.
import { Select } from '@mantine/core';
import { lazy, Suspense, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStatus } from '@/api/hooks';
import type { Status } from '@/api/types';
import { ago, bytes, clipped, NONE, number, percent } from '@/components/format';
import { ErrorNotice, Nothing } from '@/components/Notice';
import { AsOf, Figures, PageHead, Panel } from '@/components/Panel';
import { useUrlState } from '@/components/urlState';
import { Checkpoints } from './Checkpoints';
import { Rate } from './Rate';
import { Operators, Outputs } from './tables';

const Graph = lazy(() => import('./Graph').then(({ Graph: loaded }) => ({ default: loaded })));
const KEPT = 300;
/** So many of the busiest operators are listed. */
const LISTED = 100;

/** Rows a second, from one look at the job to the next. */
function useRate(status: Status | undefined): { times: number[]; values: (number | null)[] } {
  const last = useRef<{ at: number; rows: number } | null>(null);
  const [series, setSeries] = useState<{ times: number[]; values: (number | null)[] }>({
    times: [],
    values: [],
  });
  useEffect(() => {
    if (!status) return;
    const before = last.current;
    last.current = { at: status.at_ms, rows: status.rows };
    if (!before || status.at_ms <= before.at) return;
    const rate = ((status.rows - before.rows) * 1000) / (status.at_ms - before.at);
    setSeries(({ times, values }) => ({
      times: [...times.slice(-KEPT), status.at_ms / 1000],
      values: [...values.slice(-KEPT), Math.max(0, rate)],
    }));
  }, [status]);
  return series;
}

export function Jobs() {
  const { t } = useTranslation();
  const [chosen, choose] = useUrlState('view');
  // Which view's operators are asked for, before one is chosen: that of the slowest, and no other
  // when another becomes the slowest.
  const [first, setFirst] = useState('');
  const shown = chosen || first;
  const { data: status, error } = useStatus(2000, { operators: LISTED, output: shown });
  const rate = useRate(status);
  useEffect(() => {
    if (first !== '' || !status) return;
    const busiest = status.operators[0]?.outputs[0];
    setFirst(busiest ?? status.outputs[0]?.name ?? '');
  }, [first, status]);
  if (!status)
    return (
      <>
        <PageHead title={t('nav.jobs')} />
        <ErrorNotice error={error} />
        <Nothing>{t('table.loading')}</Nothing>
      </>
    );
  // They come with the busiest first.
  const slowest = status.operators[0];
  const all = status.operators_in_all;
  // Several INSERTs may write one table.
  const names = [...new Set(status.outputs.map((one) => one.name))].sort();
  return (
    <>
      <PageHead title={t('nav.jobs')} note={t('jobs.note')}>
        <AsOf ms={status.at_ms} />
      </PageHead>
      <Figures
        figures={[
          {
            label: t('jobs.rows'),
            value: number(status.rows),
            under: t('jobs.perSecond', { rows: number(rate.values.at(-1) ?? 0) }),
          },
          {
            label: t('jobs.steps'),
            value: number(status.steps),
            under: status.catching_up ? t('jobs.catchingUp') : t('jobs.upToDate'),
          },
          {
            label: t('jobs.late'),
            value: number(status.late_rows),
            tone: status.late_rows > 0 ? 'care' : '',
            under: t('jobs.lateMeans'),
          },
          {
            label: t('jobs.state'),
            value: bytes(all.state_bytes),
            under: t('jobs.stateMeans', { count: all.count, operators: number(all.count) }),
          },
          {
            label: t('jobs.slowest'),
            value: slowest ? percent(slowest.share * 100, 0) : NONE,
            under: slowest
              ? t('jobs.slowestMeans', { name: slowest.name, view: slowest.outputs[0] ?? NONE })
              : '',
          },
        ]}
      />
      <div className="grid">
        <Rate {...rate} />
        <Checkpoints status={status} />
        <Panel
          title={t('jobs.graph')}
          end={
            <Select
              size="xs"
              w={280}
              searchable
              value={shown || null}
              data={names}
              allowDeselect={false}
              onChange={(value) => choose(value ?? '')}
              aria-label={t('jobs.output')}
            />
          }
        >
          <Suspense fallback={<p className="soft">{t('table.loading')}</p>}>
            {chosen === '' || names.includes(chosen) ? (
              <Graph status={status} view={shown} />
            ) : (
              <Nothing>{t('jobs.noOutput', { view: clipped(chosen, 80) })}</Nothing>
            )}
          </Suspense>
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
    [t('jobs.project'), status.project],
    [t('jobs.process'), String(status.pid)],
    [t('jobs.began'), ago(status.at_ms - status.started_ms)],
    ['Rialto', status.rialto],
    [t('nav.sources'), number(status.sources.length)],
    [t('jobs.outputs'), number(status.outputs.length)],
  ];
  return (
    <Panel title={t('jobs.job')} span={4}>
      <dl className="pairs">
        {pairs.map(([label, value]) => (
          <div key={label} style={{ display: 'contents' }}>
            <dt>{label}</dt>
            <dd>{clipped(value, 300)}</dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}
