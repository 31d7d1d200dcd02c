// The views on the left of the workspace: looked for, opened, and put into the question.
import { TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useCatalogue } from '@/api/hooks';
import { number } from '@/components/format';
import { Panel } from '@/components/Panel';

export function Tree({ pick }: { pick: (text: string) => void }) {
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
