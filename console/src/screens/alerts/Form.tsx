// An alert: a view and a condition, tried while it is written.
import { Button, Drawer, Select, Textarea, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState, type FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import {
  SEVERITIES,
  useKeepAlert,
  useTried,
  type NewAlert,
  type OwnAlert,
  type Severity,
} from '@/api/alerts';
import { useViews } from '@/api/hooks';
import { clipped, number, rowSaid } from '@/components/format';
import { ErrorNotice } from '@/components/Notice';

const TRY_MS = 400;
const OPERATORS = ['=', '<>', '<', '<=', '>', '>='];
const EMPTY: NewAlert = { title: '', view: '', condition: '', severity: 'warning' };

/** A name made of a title: what is no letter or digit becomes one underscore. */
export function idOf(title: string, taken: string[]): string {
  const plain = title
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_');
  const base = plain.replace(/^_+|_+$/g, '').slice(0, 50) || 'alert';
  let id = base;
  for (let at = 2; taken.includes(id); at += 1) id = `${base}_${at}`;
  return id;
}

/** A comparison put together without knowing SQL. */
function Compare({ view, add }: { view: string; add: (piece: string) => void }) {
  const { t } = useTranslation();
  const columns = useViews()?.get(view)?.columns ?? [];
  const [column, setColumn] = useState<string | null>(null);
  const [operator, setOperator] = useState('<');
  const [value, setValue] = useState('');
  const type = columns.find((one) => one.name === column)?.type ?? '';
  const isNumber = /INT|DECIMAL|DOUBLE|FLOAT/.test(type) && value.trim() !== '' && !isNaN(+value);
  const literal = isNumber ? value.trim() : `'${value.replaceAll("'", "''")}'`;
  return (
    <div style={{ display: 'flex', gap: 6, alignItems: 'flex-end', marginTop: 8 }}>
      <Select
        size="xs"
        searchable
        style={{ flex: 2 }}
        label={t('alerts.column')}
        data={columns.map((one) => one.name)}
        value={column}
        onChange={setColumn}
      />
      <Select
        size="xs"
        w={74}
        allowDeselect={false}
        label={t('alerts.is')}
        data={OPERATORS}
        value={operator}
        onChange={(next) => next && setOperator(next)}
      />
      <TextInput
        size="xs"
        style={{ flex: 1 }}
        label={t('alerts.value')}
        value={value}
        onChange={(event) => setValue(event.currentTarget.value)}
      />
      <Button
        size="xs"
        variant="default"
        disabled={column === null || value === ''}
        onClick={() => add(`\`${column}\` ${operator} ${literal}`)}
      >
        {t('alerts.add')}
      </Button>
    </div>
  );
}

function Tried({ view, condition }: { view: string; condition: string }) {
  const { t } = useTranslation();
  const [said] = useDebouncedValue(condition, TRY_MS);
  const tried = useTried(view, said);
  const isBefore = tried.isPending || tried.isPlaceholderData || said !== condition;
  if (view === '' || condition.trim() === '') return <p className="soft">{t('alerts.teach')}</p>;
  if (tried.error) return <ErrorNotice error={tried.error} />;
  return (
    // What was found before stays, pale, until this condition is tried.
    <div
      role="status"
      data-testid="tried"
      aria-busy={isBefore}
      className={isBefore ? 'soft' : undefined}
    >
      {tried.data
        ? t('alerts.tried', { rows: number(tried.data.rows), count: tried.data.rows })
        : t('table.loading')}
      <ul className="reasons">
        {tried.data?.some.map((row, at) => (
          <li key={at} className="mono">
            {clipped(rowSaid(row, 4), 160)}
          </li>
        ))}
      </ul>
    </div>
  );
}

interface Props {
  /** What a new one begins with. */
  begin?: Partial<NewAlert>;
  alert: OwnAlert | 'new' | null;
  taken: string[];
  may: boolean;
  close: () => void;
}
function Fields({ alert, begin, taken, may, close }: Props & { alert: OwnAlert | 'new' }) {
  const { t } = useTranslation();
  const views = useViews();
  const [draft, setDraft] = useState<NewAlert>(alert === 'new' ? { ...EMPTY, ...begin } : alert);
  const keep = useKeepAlert();
  const send = (event: FormEvent) => {
    event.preventDefault();
    const { title, view, condition, severity } = draft;
    const id = alert === 'new' ? idOf(title, taken) : alert.id;
    keep.mutate({ id, alert: { title, view, condition, severity } }, { onSuccess: close });
  };
  const set = (change: Partial<NewAlert>) => setDraft({ ...draft, ...change });
  return (
    <form onSubmit={send}>
      <TextInput
        size="xs"
        required
        data-autofocus
        label={t('alerts.title')}
        value={draft.title}
        onChange={(event) => set({ title: event.currentTarget.value })}
      />
      <Select
        size="xs"
        mt={8}
        required
        searchable
        allowDeselect={false}
        label={t('alerts.view')}
        data={[...(views?.keys() ?? [])]}
        value={draft.view || null}
        onChange={(view) => view && set({ view })}
      />
      <Compare
        key={draft.view}
        view={draft.view}
        add={(piece) =>
          set({ condition: draft.condition.trim() ? `${draft.condition} AND ${piece}` : piece })
        }
      />
      <Textarea
        size="xs"
        mt={8}
        required
        autosize
        minRows={2}
        label={t('alerts.condition')}
        description={t('alerts.conditionMeans')}
        value={draft.condition}
        onChange={(event) => set({ condition: event.currentTarget.value })}
      />
      <Select
        size="xs"
        mt={8}
        mb={12}
        allowDeselect={false}
        label={t('alerts.severity')}
        data={SEVERITIES.map((value) => ({ value, label: t(`alerts.is_${value}`) }))}
        value={draft.severity}
        onChange={(severity) => severity && set({ severity: severity as Severity })}
      />
      <Tried view={draft.view} condition={draft.condition} />
      <ErrorNotice error={keep.error} />
      <div style={{ display: 'flex', gap: 8, marginTop: 14 }}>
        <Button size="xs" type="submit" color="lagoon.6" disabled={!may} loading={keep.isPending}>
          {t('alerts.save')}
        </Button>
        {alert !== 'new' && (
          <Button
            size="xs"
            variant="default"
            disabled={!may}
            onClick={() => keep.mutate({ id: alert.id, alert: null }, { onSuccess: close })}
          >
            {t('alerts.delete')}
          </Button>
        )}
      </div>
      {!may && <p className="soft">{t('save.mayNot')}</p>}
    </form>
  );
}

export function AlertForm(props: Props) {
  const { t } = useTranslation();
  const { alert, close } = props;
  return (
    <Drawer
      opened={alert !== null}
      onClose={close}
      position="right"
      size={520}
      title={t(alert === 'new' ? 'alerts.new' : 'alerts.change')}
      closeButtonProps={{ 'aria-label': t('why.close') }}
      transitionProps={{ duration: 0 }}
    >
      {alert !== null && <Fields {...props} alert={alert} key={alert === 'new' ? '' : alert.id} />}
    </Drawer>
  );
}
