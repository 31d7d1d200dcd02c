// What is what: each field as it comes in, and its name, type, unit and codes from then on.
import { Button, Checkbox, Select, TextInput } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useTranslation } from 'react-i18next';
import { Nothing } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { TYPES } from './connectors';
import { fieldOf, type Draft, type Field } from './draft';

interface Props {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
}

function Line({ field, set, drop }: { field: Field; set: (f: Field) => void; drop: () => void }) {
  const { t } = useTranslation();
  const text = (name: 'name' | 'as' | 'pattern' | 'unit' | 'codes', hint = '') => (
    <TextInput
      size="xs"
      aria-label={t('source.of', { what: t(`source.${name}`), field: field.name })}
      placeholder={hint}
      value={field[name]}
      spellCheck={false}
      onChange={(event) => set({ ...field, [name]: event.currentTarget.value })}
    />
  );
  const type = (name: 'type' | 'into') => (
    <Select
      size="xs"
      allowDeselect={name === 'into'}
      clearable={name === 'into'}
      placeholder={t('source.same')}
      aria-label={t('source.of', { what: t(`source.${name}`), field: field.name })}
      data={field[name] === '' || TYPES.includes(field[name]) ? TYPES : [...TYPES, field[name]]}
      value={field[name] || null}
      onChange={(next) => set({ ...field, [name]: next ?? '' })}
    />
  );
  const isTime = /^(TIMESTAMP|DATE)/.test(field.into);
  return (
    <tr data-field={field.name}>
      <td>{text('name')}</td>
      <td>{type('type')}</td>
      <td>{text('as', t('source.leftOut'))}</td>
      <td>{type('into')}</td>
      <td>{isTime ? text('pattern', 'dd/MM/yyyy HH:mm') : text('unit', '/ 100')}</td>
      <td>{text('codes', 'S = sale, R = return')}</td>
      <td style={{ textAlign: 'center' }}>
        <Checkbox
          size="xs"
          aria-label={t('source.of', { what: t('source.required'), field: field.name })}
          checked={field.required}
          onChange={(event) => set({ ...field, required: event.currentTarget.checked })}
        />
      </td>
      <td>
        <Button
          size="compact-xs"
          variant="subtle"
          color="gray"
          aria-label={t('source.drop', { field: field.name })}
          onClick={drop}
        >
          <IconX size={14} />
        </Button>
      </td>
    </tr>
  );
}

export function Fields({ draft, set }: Props) {
  const { t } = useTranslation();
  const { fields } = draft;
  const add = () => set({ fields: [...fields, fieldOf(`column_${fields.length + 1}`, 'STRING')] });
  const heads = ['name', 'type', 'as', 'into', 'unitOrPattern', 'codes', 'required'] as const;
  return (
    <Panel
      title={t('source.fields')}
      flush
      end={
        <Button
          size="compact-xs"
          variant="default"
          leftSection={<IconPlus size={13} />}
          onClick={add}
        >
          {t('source.addField')}
        </Button>
      }
    >
      {fields.length === 0 ? (
        <Nothing>{t('source.noFields')}</Nothing>
      ) : (
        <div className="source-fields" tabIndex={0} role="region" aria-label={t('source.fields')}>
          <table>
            <thead>
              <tr>
                {heads.map((head) => (
                  <th key={head} scope="col" title={t(`source.meansOf.${head}`)}>
                    {t(`source.${head}`)}
                  </th>
                ))}
                <th />
              </tr>
            </thead>
            <tbody>
              {fields.map((field, at) => (
                <Line
                  key={at}
                  field={field}
                  set={(next) => set({ fields: fields.map((one, k) => (k === at ? next : one)) })}
                  drop={() => set({ fields: fields.filter((_, k) => k !== at) })}
                />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {fields.length > 0 && (
        <div className="source-options" style={{ padding: '10px 14px 14px' }}>
          <Select
            size="xs"
            clearable
            label={t('source.time')}
            description={t('source.timeMeans')}
            inputWrapperOrder={['label', 'input', 'description']}
            data={[...new Set(fields.map(({ name }) => name))]}
            value={draft.time || null}
            onChange={(time) => set({ time: time ?? '' })}
          />
          <Checkbox
            size="xs"
            mt={22}
            label={t('source.withoutBad')}
            description={t('source.withoutBadMeans')}
            checked={draft.withoutBad}
            onChange={(event) => set({ withoutBad: event.currentTarget.checked })}
          />
        </div>
      )}
    </Panel>
  );
}
