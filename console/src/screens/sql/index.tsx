// The SQL workspace: the views on the left, a question above, its answer below.
import { Button, NumberInput, SegmentedControl, TextInput } from '@mantine/core';
import { IconPlayerPlay, IconSearch } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useCatalogue, useViews } from '@/api/hooks';
import { ask } from '@/api/http';
import { moment } from '@/api/moment';
import type { SqlAnswer } from '@/api/types';
import { number } from '@/components/format';
import { ErrorNotice } from '@/components/Notice';
import { PageHead, Panel } from '@/components/Panel';
import { SaveView } from '@/components/SaveView';
import { useUrlState } from '@/components/urlState';
import { openEditor, type Editor } from './editor';
import { Answer } from './Answer';

const ROWS_MAX = 10_000;

function Tree({ pick }: { pick: (text: string) => void }) {
  const { t } = useTranslation();
  const { data } = useCatalogue();
  const [find, setFind] = useState('');
  const [open, setOpen] = useState<string | null>(null);
  const shown = (data?.views ?? []).filter(
    (view) =>
      view.name.includes(find.toLowerCase()) ||
      view.columns.some((column) => column.name.includes(find.toLowerCase())),
  );
  return (
    <Panel title={t('sql.views')} span={3} flush>
      <div style={{ padding: '0 10px 8px' }}>
        <TextInput
          size="xs"
          value={find}
          onChange={(event) => setFind(event.currentTarget.value)}
          leftSection={<IconSearch size={14} />}
          placeholder={t('table.find')}
          aria-label={t('table.search', { label: t('sql.views') })}
        />
      </div>
      <ul className="list tree" tabIndex={0} aria-label={t('sql.views')}>
        {shown.map((view) => (
          <li key={view.name} style={{ display: 'block', padding: '4px 14px' }}>
            <div style={{ display: 'flex', gap: 8 }}>
              <button
                type="button"
                className="plain grow clip"
                aria-expanded={open === view.name}
                title={view.name}
                onClick={() => setOpen(open === view.name ? null : view.name)}
              >
                {view.name}
              </button>
              <span className="soft num" style={{ fontSize: 12 }}>
                {number(view.rows)}
              </span>
            </div>
            {open === view.name && (
              <div style={{ padding: '4px 0 6px 10px' }}>
                {view.columns.map((column) => (
                  <div key={column.name} style={{ display: 'flex', gap: 8 }}>
                    <button
                      type="button"
                      className="plain grow mono clip"
                      onClick={() => pick(column.name)}
                    >
                      {column.name}
                      {view.key.includes(column.name) ? ' *' : ''}
                    </button>
                    <span className="soft mono">{column.type}</span>
                  </div>
                ))}
                <button
                  type="button"
                  className="plain"
                  style={{ color: 'var(--accent)', marginTop: 4 }}
                  onClick={() => pick(`\nSELECT * FROM ${view.name} LIMIT 100`)}
                >
                  {t('sql.insert')}
                </button>
              </div>
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

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
    if (kept && question.isIdle) run.current();
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
              <SaveView query={() => text.current.trim().replace(/;\s*$/, '') || null} />
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
              {answer && (
                <SegmentedControl
                  size="xs"
                  value={form}
                  onChange={setForm}
                  aria-label={t('sql.form')}
                  data={[
                    { value: 'table', label: t('chart.table') },
                    { value: 'chart', label: t('chart.chart') },
                  ]}
                />
              )}
              {answer && !question.isPending && (
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
          <ErrorNotice error={question.error} />
          {answer && <Answer answer={answer} form={form === 'chart' ? 'chart' : 'table'} />}
          {!answer && !question.error && (
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
