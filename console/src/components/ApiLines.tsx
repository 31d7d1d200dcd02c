// A view as others ask for it: its address, a filter put together here, and lines to copy.
import { Button, Code, CopyButton, Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useWho } from '@/api/acts';
import type { Column } from '@/api/types';
import { isNumeric } from './format';

export const COMPARISONS = ['eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'in', 'is'] as const;

export interface Asked {
  column: string | null;
  comparison: string;
  value: string;
  order: string | null;
}

/** The path of a view's rows, with a filter and an order. */
export function rowsPath(view: string, { column, comparison, value, order }: Asked): string {
  const query = new URLSearchParams();
  if (column !== null && value !== '') query.set(column, `${comparison}.${value}`);
  if (order !== null) query.set('order', order);
  query.set('limit', '100');
  return `/v1/views/${encodeURIComponent(view)}?${query}`;
}

/** A text as one word of a shell. */
export const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

export function curlOf(path: string, needsToken: boolean, more = ''): string {
  const token = needsToken ? ' -H "Authorization: Bearer $TOKEN"' : '';
  return `curl${more}${token} ${quoted(location.origin + path)}`;
}

function Line({ label, line }: { label: string; line: string }) {
  const { t } = useTranslation();
  return (
    <div style={{ marginTop: 8 }}>
      <div style={{ display: 'flex', alignItems: 'center', gap: 8 }}>
        <span className="soft grow">{label}</span>
        <CopyButton value={line}>
          {({ copied, copy }) => (
            <Button
              size="compact-xs"
              variant="subtle"
              onClick={copy}
              aria-label={`${t('api.copy')}: ${label}`}
            >
              {t(copied ? 'settings.copied' : 'settings.copy')}
            </Button>
          )}
        </CopyButton>
      </div>
      <Code block style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
        {line}
      </Code>
    </div>
  );
}

interface View {
  name: string;
  columns: Column[];
  key: string[];
}
export function ApiLines({ view }: { view: View }) {
  const { t } = useTranslation();
  const needsToken = useWho()?.token != null;
  const names = view.columns.map((column) => column.name);
  const [asked, setAsked] = useState<Asked>({
    column: names[0] ?? null,
    comparison: 'eq',
    value: '',
    order: null,
  });
  const set = (change: Partial<Asked>) => setAsked({ ...asked, ...change });
  const orders = view.columns.flatMap(({ name, type }) =>
    isNumeric(type) ? [`-${name}`, name] : [name],
  );
  const base = `/v1/views/${encodeURIComponent(view.name)}`;
  const key = view.key.map((column) => `{${column}}`).join(',');
  return (
    <div data-testid="api">
      <div style={{ display: 'flex', gap: 6, alignItems: 'flex-end', flexWrap: 'wrap' }}>
        <Select
          size="xs"
          style={{ flex: '2 1 130px' }}
          searchable
          label={t('api.filter')}
          data={names}
          value={asked.column}
          onChange={(column) => set({ column })}
        />
        <Select
          size="xs"
          w={120}
          allowDeselect={false}
          label={t('api.comparison')}
          data={COMPARISONS.map((value) => ({ value, label: t(`api.is.${value}`) }))}
          value={asked.comparison}
          onChange={(comparison) => comparison && set({ comparison })}
        />
        <TextInput
          size="xs"
          style={{ flex: '1 1 90px' }}
          label={t('api.value')}
          placeholder={t(`api.such.${asked.comparison}`, { defaultValue: '' })}
          value={asked.value}
          onChange={(event) => set({ value: event.currentTarget.value })}
        />
        <Select
          size="xs"
          style={{ flex: '1 1 120px' }}
          clearable
          label={t('api.order')}
          data={orders}
          value={asked.order}
          onChange={(order) => set({ order })}
        />
      </div>
      <Line label={t('api.rows')} line={curlOf(rowsPath(view.name, asked), needsToken)} />
      {view.key.length > 0 && (
        <Line label={t('api.row')} line={curlOf(`${base}/${key}`, needsToken)} />
      )}
      <Line label={t('api.changes')} line={curlOf(`${base}/changes`, needsToken, ' -N')} />
      <p className="soft" style={{ margin: '8px 0 0' }}>
        {t(needsToken ? 'api.token' : 'api.local')}
      </p>
    </div>
  );
}
