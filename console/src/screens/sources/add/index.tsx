// Adding a source by form: where it reads, what is what, its first rows, and the SQL that is saved.
import { Button, Checkbox, Code, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { useMayAct } from '@/api/acts';
import { tryRows, useSaveSource } from '@/api/sources';
import { text } from '@/components/format';
import { ErrorNotice, Nothing } from '@/components/Notice';
import { PageHead, Panel } from '@/components/Panel';
import { RestartNow } from '@/components/SaveView';
import { connectorOf } from './connectors';
import { columnRows } from './columns';
import { EMPTY, linesSql, previewSql, sourceSql, tableSql, type Draft } from './draft';
import { Fields } from './Fields';
import { columnsOf, fieldsOf } from './infer';
import { Place, Sample } from './Place';
import { Rows } from './Rows';
import './add.css';

const said = (sample: string) => (sample.trim() === '' ? null : sample);

function Saving({ draft, set }: { draft: Draft; set: (change: Partial<Draft>) => void }) {
  const { t } = useTranslation();
  const may = useMayAct();
  const save = useSaveSource();
  const send = (event: FormEvent) => {
    event.preventDefault();
    save.mutate({ name: draft.name, text: sourceSql(draft), comment: draft.comment || null });
  };
  if (save.data)
    return (
      <Panel title={t('source.save')}>
        <div data-testid="saved">
          <p role="status">
            <strong>{t('save.saved', { name: save.data.name })}</strong>
          </p>
          <p className="mono">{save.data.file}</p>
          <RestartNow restart={save.data.restart} />
        </div>
      </Panel>
    );
  return (
    <Panel title={t('source.save')}>
      <form onSubmit={send}>
        <div className="source-options">
          <TextInput
            size="xs"
            required
            label={t('source.table')}
            description={t('save.nameMeans')}
            inputWrapperOrder={['label', 'input', 'description']}
            value={draft.name}
            onChange={(event) => {
              const name = event.currentTarget.value;
              const follows = draft.view === '' || draft.view === `${draft.name}_rows`;
              set({ name, view: follows && name !== '' ? `${name}_rows` : draft.view });
            }}
          />
          <TextInput
            size="xs"
            label={t('source.view')}
            description={t('source.viewMeans')}
            inputWrapperOrder={['label', 'input', 'description']}
            value={draft.view}
            onChange={(event) => set({ view: event.currentTarget.value })}
          />
          <TextInput
            size="xs"
            label={t('save.comment')}
            value={draft.comment}
            onChange={(event) => set({ comment: event.currentTarget.value })}
          />
          <Checkbox
            size="xs"
            mt={22}
            label={t('source.kept')}
            description={t('source.keptMeans')}
            checked={draft.isKept}
            onChange={(event) => set({ isKept: event.currentTarget.checked })}
          />
        </div>
        {draft.fields.length > 0 && (
          <Code
            block
            mt={10}
            data-testid="source-sql"
            style={{ whiteSpace: 'pre-wrap' }}
            tabIndex={0}
          >
            {sourceSql(draft)}
          </Code>
        )}
        <div style={{ marginTop: 10 }}>
          <ErrorNotice error={save.error} />
        </div>
        <Button
          size="xs"
          type="submit"
          color="lagoon.6"
          disabled={!may || draft.fields.length === 0}
          loading={save.isPending}
        >
          {t('save.save')}
        </Button>
        {!may && <span className="soft"> {t('save.mayNot')}</span>}
      </form>
    </Panel>
  );
}

export function AddSource({ close }: { close: () => void }) {
  const { t } = useTranslation();
  const may = useMayAct();
  const [draft, setDraft] = useState<Draft>(EMPTY);
  const [sample, setSample] = useState('');
  const set = (change: Partial<Draft>) => setDraft((before) => ({ ...before, ...change }));
  const find = useMutation({
    mutationFn: async () => {
      const own = said(sample);
      if (own !== null) return fieldsOf(own.split(/\r?\n/), draft);
      // A database knows its columns; of others the records tell.
      if (draft.connector === 'postgres') return columnsOf(await columnRows(draft));
      const { rows } = await tryRows({ table: linesSql(draft), query: null, sample: null });
      return fieldsOf(
        rows.map((row) => text(row.line)),
        draft,
      );
    },
    onSuccess: (fields) => {
      set({ fields });
      if (fields.length > 0) look.mutate({ ...draft, fields });
    },
  });
  const look = useMutation({
    mutationFn: async (of: Draft) => ({
      draft: of,
      found: await tryRows({
        table: tableSql(of),
        query: previewSql(of),
        sample: said(sample),
      }),
    }),
  });
  const { isSentTo = false } = connectorOf(draft.connector);
  const canLook = may && (!isSentTo || sample.trim() !== '' || draft.connector === 'datagen');
  // What it is called changes no row.
  const rowsOf = (of: Draft) => previewSql({ ...of, name: '' }) + tableSql({ ...of, name: '' });
  const isOutdated = look.data !== undefined && rowsOf(look.data.draft) !== rowsOf(draft);
  return (
    <>
      <PageHead title={t('source.add')} note={t('source.note')}>
        <Button size="xs" variant="default" onClick={close}>
          {t('source.back')}
        </Button>
      </PageHead>
      <div className="grid">
        <div className="span-7 stack">
          <Place draft={draft} set={set} />
        </div>
        <div className="span-5 stack">
          <Panel title={t('source.try')}>
            <Sample sample={sample} setSample={setSample} />
            <div style={{ display: 'flex', gap: 8, marginTop: 10, flexWrap: 'wrap' }}>
              {draft.connector !== 'datagen' && (
                <Button
                  size="xs"
                  color="lagoon.6"
                  disabled={!canLook}
                  loading={find.isPending}
                  onClick={() => find.mutate()}
                >
                  {t('source.find')}
                </Button>
              )}
              <Button
                size="xs"
                variant="default"
                disabled={!canLook || draft.fields.length === 0}
                loading={look.isPending}
                onClick={() => look.mutate(draft)}
              >
                {t('source.look')}
              </Button>
            </div>
            <p className="soft" style={{ marginBottom: 0 }}>
              {t(may ? (isSentTo ? 'source.sentTo' : 'source.lookMeans') : 'save.mayNot')}
            </p>
            <ErrorNotice error={find.error ?? look.error} />
            {find.isSuccess && find.data.length === 0 && (
              <p role="status">
                {t(draft.connector === 'postgres' ? 'source.noColumns' : 'source.nothingCame')}
              </p>
            )}
          </Panel>
        </div>
        <div className="span-12 stack">
          <Fields draft={draft} set={set} />
          {look.data ? (
            <div aria-busy={look.isPending} data-testid="source-rows">
              {isOutdated && <p className="soft">{t('source.outdated')}</p>}
              <Rows found={look.data.found} draft={look.data.draft} />
            </div>
          ) : (
            <Panel title={t('source.rows')}>
              <Nothing>{t('source.noLook')}</Nothing>
            </Panel>
          )}
          <Saving draft={draft} set={set} />
        </div>
      </div>
    </>
  );
}
