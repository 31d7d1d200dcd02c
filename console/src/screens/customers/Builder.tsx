// A segment out of tags: chosen, counted as the shop moves, saved.
import {
  Button,
  Drawer,
  Group,
  MultiSelect,
  SegmentedControl,
  Select,
  TextInput,
} from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useCount, useMayAct, useSaveSegment, type Condition, type Segment } from '@/api/acts';
import { useSql } from '@/api/hooks';
import { number, text, timeOf } from '@/components/format';
import { ErrorNotice, Nothing } from '@/components/Notice';
import { nameOf, type Tags, tagsOf } from './segments';

const TAGS =
  'SELECT tag_code, tag_value, COUNT(*) AS n FROM customer_tag GROUP BY tag_code, tag_value';

interface PartProps {
  condition: Condition;
  tags: Tags;
  change: (condition: Condition | null) => void;
}

function Part({ condition, tags, change }: PartProps) {
  const { t } = useTranslation();
  const tag = condition.tag_code;
  return (
    <div className="condition" data-testid="condition">
      <Group gap={8} wrap="nowrap">
        <SegmentedControl
          size="xs"
          aria-label={t('segments.form', { tag })}
          value={condition.is_excluded ? 'not' : 'has'}
          onChange={(value) => change({ ...condition, is_excluded: value === 'not' })}
          data={[
            { value: 'has', label: t('segments.has') },
            { value: 'not', label: t('segments.hasNot') },
          ]}
        />
        <Select
          size="xs"
          searchable
          allowDeselect={false}
          style={{ flex: 1 }}
          aria-label={t('segments.tag')}
          placeholder={t('segments.tag')}
          value={tag || null}
          data={[...tags.keys()]}
          onChange={(value) => value && change({ ...condition, tag_code: value, values: [] })}
        />
        <Button
          size="xs"
          variant="subtle"
          aria-label={t('segments.drop', { tag })}
          onClick={() => change(null)}
        >
          ×
        </Button>
      </Group>
      {tag && (
        <MultiSelect
          size="xs"
          mt={6}
          searchable
          aria-label={t('segments.valuesOf', { tag })}
          placeholder={condition.values?.length ? undefined : t('segments.any')}
          value={condition.values ?? []}
          data={[...new Set([...(tags.get(tag) ?? []), ...(condition.values ?? [])])]}
          onChange={(values) => change({ ...condition, values })}
        />
      )}
    </div>
  );
}

function Count({ conditions }: { conditions: Condition[] }) {
  const { t } = useTranslation();
  const counted = useCount(conditions);
  const isBefore = counted.isPending || counted.isPlaceholderData;
  const usable = conditions.some((one) => !one.is_excluded);
  if (!usable) return <Nothing>{t('segments.choose')}</Nothing>;
  return (
    <>
      <p
        data-testid="count"
        role="status"
        // The count of before stays, pale, until that of these conditions is there.
        aria-busy={isBefore}
        className={isBefore ? 'soft' : undefined}
        style={{ fontSize: 20, margin: '14px 0 6px' }}
      >
        {counted.data
          ? t('segments.count', {
              members: number(counted.data.members),
              of: number(counted.data.of),
            })
          : t('table.loading')}
      </p>
      <ErrorNotice error={counted.error} />
      {(counted.data?.some.length ?? 0) > 0 && (
        <>
          <h3 className="why-head">{t('segments.some')}</h3>
          <ul className="reasons">
            {counted.data!.some.slice(0, 8).map((row) => (
              <li key={text(row.customer_id)}>
                <Link to="/customers/$id" params={{ id: text(row.customer_id) }}>
                  {text(row.customer_id)}
                </Link>{' '}
                <span className="soft">{timeOf(row.entered_at)}</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

function Form({ segment, done }: { segment: Segment | null; done: () => void }) {
  const { t } = useTranslation();
  const may = useMayAct();
  const tags = tagsOf(useSql(TAGS, 10_000).data?.rows ?? []);
  const save = useSaveSegment();
  const [title, setTitle] = useState(segment?.title ?? '');
  const [parts, setParts] = useState<Condition[]>(segment?.conditions ?? [{ tag_code: '' }]);
  const [id, setId] = useState(segment?.segment_id ?? '');
  const name = id || nameOf(title);
  const conditions = parts.filter((part) => part.tag_code !== '');
  const usable = conditions.some((part) => !part.is_excluded);
  const change = (at: number) => (part: Condition | null) => {
    save.reset();
    setParts((before) =>
      part === null ? before.filter((_, i) => i !== at) : before.with(at, part),
    );
  };
  const put = (kept: Condition[] | null) =>
    save.mutate(
      { id: name, title, conditions: kept },
      { onSuccess: () => kept === null && done() },
    );
  return (
    <>
      <TextInput
        size="xs"
        label={t('segments.title')}
        value={title}
        maxLength={200}
        onChange={(event) => setTitle(event.currentTarget.value)}
      />
      {!segment && (
        <TextInput
          size="xs"
          mt={6}
          label={t('segments.id')}
          value={name}
          onChange={(event) => setId(event.currentTarget.value)}
        />
      )}
      <div style={{ margin: '14px 0 8px', display: 'grid', gap: 10 }}>
        {parts.map((part, at) => (
          <Part key={at} condition={part} tags={tags} change={change(at)} />
        ))}
      </div>
      <Button size="xs" variant="default" onClick={() => setParts([...parts, { tag_code: '' }])}>
        {t('segments.more')}
      </Button>
      <Count conditions={conditions} />
      <Group gap={8} mt={14}>
        <Button
          size="xs"
          color="teal.9"
          disabled={!may || !usable || !title.trim() || !name}
          loading={save.isPending}
          onClick={() => put(conditions)}
        >
          {t('segments.save')}
        </Button>
        {segment && (
          <Button size="xs" variant="default" disabled={!may} onClick={() => put(null)}>
            {t('segments.remove')}
          </Button>
        )}
      </Group>
      {!may && <p className="soft">{t('segments.mayNot')}</p>}
      {save.isSuccess && (
        <p className="good" role="status">
          {t('segments.saved')}
        </p>
      )}
      <ErrorNotice error={save.error} />
    </>
  );
}

/** `open`: `new`, or the name of a segment; empty: closed. */
export function Builder(props: { open: string; segments: Segment[]; onClose: () => void }) {
  const { t } = useTranslation();
  const segment = props.segments.find((one) => one.segment_id === props.open) ?? null;
  return (
    <Drawer
      opened={props.open !== '' && (props.open === 'new' || segment !== null)}
      onClose={props.onClose}
      position="right"
      size={480}
      padding="lg"
      title={<strong>{segment?.title ?? t('segments.build')}</strong>}
      closeButtonProps={{ 'aria-label': t('why.close') }}
      overlayProps={{ backgroundOpacity: 0.18 }}
      transitionProps={{ duration: 120 }}
    >
      <Form key={props.open} segment={segment} done={props.onClose} />
    </Drawer>
  );
}
