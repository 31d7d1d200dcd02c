// Some rows of what the chosen node gives, asked of the running job's views.
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { ask } from '@/api/http';
import { useMoment } from '@/api/moment';
import type { Row } from '@/api/types';
import { DataTable } from '@/components/DataTable';
import { number } from '@/components/format';
import { ErrorNotice, Nothing } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { columnsOf } from '@/screens/sql/Answer';
import type { GraphNode } from './graph';
import type { Pipeline } from './model';
import { SAMPLE_ROWS, sampleOf } from './query';

export function Sample({ pipeline, node }: { pipeline: Pipeline; node: GraphNode }) {
  const { t } = useTranslation();
  const asOf = useMoment();
  const query = sampleOf(pipeline, node);
  const found = useQuery({
    queryKey: ['sample', query, asOf],
    queryFn: ({ signal }) => ask({ query: query ?? '', as_of: asOf }, signal),
    enabled: query !== null,
    placeholderData: keepPreviousData,
  });
  const answer = found.isError ? undefined : found.data;
  const names = (answer?.columns ?? []).map((column) => column.name);
  // Of several of one name a row holds one value: which, nobody could tell.
  const twice = [...new Set(names.filter((name, at) => names.indexOf(name) !== at))];
  const columns = useMemo(() => {
    const all = answer?.columns ?? [];
    const often = (name: string) => all.filter((one) => one.name === name).length > 1;
    return columnsOf(all.filter((column) => !often(column.name)));
  }, [answer]);
  const keys = useMemo(() => {
    const numbered = new Map<Row, string>();
    answer?.rows.forEach((row, at) => numbered.set(row, String(at)));
    return numbered;
  }, [answer]);
  return (
    <Panel
      title={t('editor.sample')}
      span={12}
      flush
      end={
        answer && (
          <span className="soft" data-testid="sampled">
            {t('editor.sampled', { rows: number(answer.rows.length), step: number(answer.step) })}
          </span>
        )
      }
    >
      {twice.length > 0 && <Nothing>{t('editor.twice', { names: twice.join(', ') })}</Nothing>}
      {query === null && <Nothing>{t('editor.noSample')}</Nothing>}
      <div style={{ padding: found.error ? '0 14px 14px' : 0 }}>
        <ErrorNotice error={found.error} />
      </div>
      {answer && (
        <DataTable
          key={node.id}
          name="sample"
          label={t('editor.sample')}
          columns={columns}
          rows={answer.rows}
          rowKey={(row) => keys.get(row) ?? ''}
          height={Math.min(260, 70 + Math.max(1, Math.min(answer.rows.length, SAMPLE_ROWS)) * 33)}
          bare
        />
      )}
    </Panel>
  );
}
