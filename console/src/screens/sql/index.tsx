// The SQL workspace: the views on the left, a question above, its answer below.
import { Button, NumberInput, SegmentedControl } from '@mantine/core';
import { IconPlayerPlay } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useViews } from '@/api/hooks';
import { ask } from '@/api/http';
import { moment } from '@/api/moment';
import type { SqlAnswer } from '@/api/types';
import { number } from '@/components/format';
import { ErrorNotice } from '@/components/Notice';
import { PageHead } from '@/components/Panel';
import { useUrlState } from '@/components/urlState';
import { openEditor, type Editor } from './editor';
import { Answer } from './Answer';
import { Changes } from './Changes';
import { Tree } from './Tree';
import { Use } from './Use';

const Plan = lazy(() => import('./Plan').then(({ Plan: loaded }) => ({ default: loaded })));
const ROWS_MAX = 10_000;

type Form = 'table' | 'chart' | 'changes' | 'plan';
const FORMS: { value: Form; label: string }[] = [
  { value: 'table', label: 'chart.table' },
  { value: 'chart', label: 'chart.chart' },
  { value: 'changes', label: 'sql.changes' },
  { value: 'plan', label: 'sql.plan' },
];

export function Sql() {
  const { t } = useTranslation();
  const views = useViews();
  const navigate = useNavigate();
  const [kept, keep] = useUrlState('q');
  const [limit, setLimit] = useState<string | number>(1000);
  const [form, setForm] = useUrlState('as', 'table');
  const box = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor | null>(null);
  const text = useRef(kept);
  const [took, setTook] = useState<number | null>(null);
  const question = useMutation({
    mutationFn: async (): Promise<SqlAnswer> => {
      const began = performance.now();
      const query = text.current.trim().replace(/;\s*$/, '');
      keep(query);
      const answer = await ask({
        query,
        as_of: moment(),
        rows_max: Math.min(Number(limit) || 1000, ROWS_MAX),
      });
      setTook(performance.now() - began);
      return answer;
    },
  });
  const run = useRef(() => {});
  run.current = () => question.mutate();
  useEffect(() => {
    if (!box.current) return;
    const made = openEditor(box.current, text.current, t('sql.question'), t('sql.hint'), {
      run: () => run.current(),
      change: (now) => (text.current = now),
    });
    editor.current = made;
    return () => made.view.destroy();
  }, [t]);
  useEffect(() => editor.current?.know([...(views?.values() ?? [])]), [views, t]);
  useEffect(() => {
    if (kept && question.isIdle && isAnswer) run.current();
    // Only when the page is opened: an address with a question shows its answer.
  }, []);
  const pick = (piece: string) => {
    const view = editor.current?.view;
    if (!view) return;
    view.dispatch(
      view.state.replaceSelection(view.state.doc.length === 0 ? piece.trimStart() : piece),
    );
    view.focus();
  };
  const answer = question.data;
  const isAnswer = form !== 'changes' && form !== 'plan';
  return (
    <>
      <PageHead title={t('nav.sql')} note={t('sql.note')} />
      <div className="grid workspace">
        <Tree pick={pick} />
        <div className="span-9 stack">
          <div className="panel">
            <div ref={box} className="editor" data-testid="editor" />
            <div
              style={{
                display: 'flex',
                gap: 10,
                alignItems: 'center',
                padding: '8px 14px',
                borderTop: '1px solid var(--line)',
                flexWrap: 'wrap',
              }}
            >
              <Button
                size="xs"
                color="lagoon.6"
                leftSection={<IconPlayerPlay size={14} />}
                loading={question.isPending}
                onClick={() => question.mutate()}
              >
                {t('sql.run')}
              </Button>
              <span className="soft">Ctrl ↵</span>
              <Use query={() => text.current.trim().replace(/;\s*$/, '') || null} />
              <Button
                size="xs"
                variant="subtle"
                onClick={() => {
                  const query = text.current.trim().replace(/;\s*$/, '');
                  const drawn = query && `CREATE VIEW answer AS\n${query};`;
                  void navigate({ to: '/editor', search: { text: drawn } as never });
                }}
              >
                {t('nav.editor')}
              </Button>
              <NumberInput
                size="xs"
                w={160}
                min={1}
                max={ROWS_MAX}
                value={limit}
                onChange={setLimit}
                aria-label={t('sql.most')}
                prefix={`${t('sql.most')} `}
                hideControls
              />
              {kept !== '' && (
                <SegmentedControl
                  size="xs"
                  value={form}
                  onChange={setForm}
                  aria-label={t('sql.form')}
                  data={FORMS.map(({ value, label }) => ({ value, label: t(label) }))}
                />
              )}
              {answer && !question.isPending && isAnswer && (
                <span className="soft" style={{ marginLeft: 'auto' }} data-testid="answered">
                  {t('sql.answered', {
                    rows: number(answer.rows.length),
                    step: number(answer.step),
                    ms: number(took),
                  })}
                </span>
              )}
            </div>
          </div>
          {isAnswer && <ErrorNotice error={question.error} />}
          {isAnswer && answer && (
            <Answer answer={answer} form={form === 'chart' ? 'chart' : 'table'} />
          )}
          {form === 'changes' && kept !== '' && <Changes key={kept} query={kept} />}
          {form === 'plan' && kept !== '' && (
            <Suspense fallback={<p className="soft">{t('table.loading')}</p>}>
              <Plan key={kept} query={kept} />
            </Suspense>
          )}
          {!answer && !question.error && (isAnswer || kept === '') && (
            <div className="panel">
              <div className="empty">
                <strong>{t('sql.teach')}</strong>
                {t('sql.teachMore')}
              </div>
            </div>
          )}
        </div>
      </div>
    </>
  );
}
