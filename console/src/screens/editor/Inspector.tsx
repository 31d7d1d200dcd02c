// What the chosen node says, to be said otherwise. An edit is made when its field is left.
import { Button, Checkbox, Select, Textarea, TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { SaveView } from '@/components/SaveView';
import {
  removeNode,
  rename,
  setClause,
  setItems,
  setJoin,
  setMaterialized,
  setText,
  setWindow,
} from './edit';
import { isAggregate, selectAt, type GraphNode, type Place } from './graph';
import type { Clause, Item, Pipeline, WindowKind } from './model';
import { questionOf } from './query';
import { commaParts, plainName } from './tokens';

interface FieldProps {
  label: string;
  value: string;
  set: (value: string) => void;
  long?: boolean;
}
function Field({ label, value, set, long = false }: FieldProps) {
  const [draft, setDraft] = useState(value);
  useEffect(() => setDraft(value), [value]);
  const leave = () => draft !== value && set(draft);
  const shared = {
    size: 'xs' as const,
    label,
    value: draft,
    className: 'code',
    spellCheck: false,
    onBlur: leave,
  };
  if (long) {
    return (
      <Textarea
        {...shared}
        autosize
        minRows={2}
        maxRows={12}
        onChange={(event) => setDraft(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) leave();
        }}
      />
    );
  }
  return (
    <TextInput
      {...shared}
      onChange={(event) => setDraft(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === 'Enter') leave();
      }}
    />
  );
}

interface Props {
  pipeline: Pipeline;
  node: GraphNode;
  relations: string[];
  change: (pipeline: Pipeline) => void;
}
const JOINS = ['INNER', 'LEFT', 'RIGHT', 'FULL', 'CROSS'];
const WINDOWS: WindowKind[] = ['TUMBLE', 'HOP', 'CUMULATE', 'SESSION'];

const itemAt = (pipeline: Pipeline, place: Place): Item | undefined => {
  const select = selectAt(pipeline, place);
  return place.join ? select?.joins[place.join - 1]?.item : select?.from.item;
};

function WindowFields({ pipeline, place, change }: Omit<Props, 'node'> & { place: Place }) {
  const { t } = useTranslation();
  const item = itemAt(pipeline, place);
  if (item?.is !== 'window') return null;
  return (
    <>
      <Select
        size="xs"
        allowDeselect={false}
        label={t('editor.windowKind')}
        data={WINDOWS}
        value={item.kind}
        onChange={(kind) =>
          kind && change(setWindow(pipeline, place, { kind: kind as WindowKind }))
        }
      />
      <Field
        label={t('editor.time')}
        value={item.time}
        set={(time) => change(setWindow(pipeline, place, { time }))}
      />
      <Field
        label={t('editor.sizes')}
        value={item.sizes.join(', ')}
        set={(sizes) => change(setWindow(pipeline, place, { sizes: commaParts(sizes) }))}
      />
    </>
  );
}

function JoinFields({
  pipeline,
  place,
  relations,
  change,
}: Omit<Props, 'node'> & { place: Place }) {
  const { t } = useTranslation();
  const join = selectAt(pipeline, place)?.joins[place.join ?? 0];
  if (!join) return null;
  const other = join.item.is === 'relation' ? plainName(join.item.name) : null;
  return (
    <>
      <Select
        size="xs"
        allowDeselect={false}
        label={t('editor.joinKind')}
        data={JOINS}
        value={join.kind}
        onChange={(kind) => kind && change(setJoin(pipeline, place, { kind }))}
      />
      {other !== null && (
        <Select
          size="xs"
          searchable
          allowDeselect={false}
          label={t('editor.joinWith')}
          data={[...new Set([other, ...relations])]}
          value={other}
          onChange={(name) => name && change(setJoin(pipeline, place, { relation: name }))}
        />
      )}
      {join.on && (
        <Field
          long
          label={join.on.lead.trim().toUpperCase().startsWith('USING') ? 'USING' : 'ON'}
          value={join.on.body}
          set={(on) => change(setJoin(pipeline, place, { on }))}
        />
      )}
    </>
  );
}

function EndFields({ pipeline, node, change }: Props) {
  const { t } = useTranslation();
  const at = node.place?.statement ?? 0;
  const statement = pipeline.statements[at];
  if (!statement || statement.is === 'sql') return null;
  return (
    <>
      {statement.is !== 'query' && (
        <Field
          label={t(statement.is === 'insert' ? 'editor.into' : 'editor.name')}
          value={plainName(statement.name)}
          set={(name) => change(rename(pipeline, at, name))}
        />
      )}
      {statement.is === 'view' && (
        <Checkbox
          size="xs"
          label={t('editor.materialized')}
          checked={statement.materialized}
          onChange={(event) => change(setMaterialized(pipeline, at, event.currentTarget.checked))}
        />
      )}
      {statement.is !== 'insert' && (
        <SaveView query={() => questionOf(pipeline, node)} name={plainName(statement.name)} />
      )}
      {statement.is === 'insert' && <p className="soft">{t('editor.sinkMeans')}</p>}
    </>
  );
}

export function Inspector(props: Props) {
  const { pipeline, node, change } = props;
  const { t } = useTranslation();
  const { place } = node;
  if (!place) return <p className="soft">{t('editor.sourceMeans')}</p>;
  const select = selectAt(pipeline, place);
  const clause = (name: Clause, label: string) => (
    <Field
      key={name}
      long={name !== 'limit'}
      label={label}
      value={select?.[name]?.body ?? ''}
      set={(body) => change(setClause(pipeline, place, name, body))}
    />
  );
  const own = pipeline.statements[place.statement];
  return (
    <div className="inspector stack" style={{ gap: 10 }}>
      {place.part === 'item' && <WindowFields {...props} place={place} />}
      {place.part === 'join' && <JoinFields {...props} place={place} />}
      {place.part === 'where' && clause('where', t('editor.condition'))}
      {place.part === 'having' && clause('having', t('editor.condition'))}
      {place.part === 'items' && select && (
        <>
          <Field
            long
            label={t('editor.columns')}
            value={select.items.body}
            set={(body) => change(setItems(pipeline, place, body))}
          />
          {isAggregate(select) && clause('group', t('editor.group'))}
        </>
      )}
      {place.part === 'order' && (
        <>
          {clause('order', t('editor.order'))}
          {clause('limit', t('editor.limit'))}
        </>
      )}
      {place.part === 'end' && <EndFields {...props} />}
      {place.part === 'text' && own?.is === 'sql' && (
        <Field
          long
          label="SQL"
          value={own.text}
          set={(text) => change(setText(pipeline, place.statement, text))}
        />
      )}
      <Button
        size="xs"
        variant="subtle"
        color="terracotta"
        onClick={() => change(removeNode(pipeline, node))}
      >
        {t('editor.remove')}
      </Button>
    </div>
  );
}
