// The rules of prices as a table to edit: tried before they are saved, held by the guards.
import { Badge as Tag, Button, Group, NumberInput, Select, Switch, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import {
  useChangeRules,
  useMayAct,
  useRules,
  useSimulate,
  useWho,
  type Kind,
  type KnownRules,
  type Rule,
  type Warning,
} from '@/api/acts';
import { NONE, number, percent, text, timeOf } from '@/components/format';
import { ErrorNotice, Nothing } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { KINDS, changed, editable, hasDays, isName, newRule } from './rules';
import { Simulated } from './Simulated';

const SHARES = ['max_step', 'min_margin', 'approve_step'];

function Guarded({ guards }: { guards: Record<string, number> }) {
  const { t } = useTranslation();
  return (
    <Group gap={6} px={14} pb={10}>
      {Object.entries(guards).map(([guard, value]) => (
        <Tag key={guard} variant="default" radius="sm" tt="none" fw={450}>
          {t(`rules.guard.${guard}`, {
            value: SHARES.includes(guard)
              ? percent(value * 100, 0)
              : number(value, guard === 'round_to' ? 2 : 0),
            defaultValue: guard,
          })}
        </Tag>
      ))}
    </Group>
  );
}

export function Warnings({ warnings }: { warnings: Warning[] }) {
  const { t } = useTranslation();
  if (warnings.length === 0) return null;
  return (
    <ul className="reasons care" style={{ margin: '0 14px 10px' }}>
      {warnings.map((one) => (
        <li key={one.rule_id + one.what}>
          {t(`rules.warn.${one.what}`, {
            rule: one.rule_id,
            step: percent((one.step ?? 0) * 100, 0),
            other: one.with,
          })}
        </li>
      ))}
    </ul>
  );
}

interface RowProps {
  rule: Rule;
  known?: KnownRules['rules'][number];
  change: (rule: Rule) => void;
}

function RuleRow({ rule, known, change }: RowProps) {
  const { t } = useTranslation();
  const { rule_id: id } = rule;
  return (
    <tr data-testid={`rule-${id}`}>
      <td className="mono">{id}</td>
      <td>
        {known ? (
          t(`pricing.rules.${rule.kind}`)
        ) : (
          <Select
            size="xs"
            allowDeselect={false}
            aria-label={t('rules.kind')}
            value={rule.kind}
            data={KINDS.map((value) => ({ value, label: t(`pricing.rules.${value}`) }))}
            onChange={(kind) =>
              kind &&
              change({ ...rule, kind: kind as Kind, days: hasDays(kind as Kind) ? 14 : null })
            }
          />
        )}
      </td>
      <td className="soft">{t(`rules.means.${rule.kind}`)}</td>
      <td>
        <Switch
          size="xs"
          checked={rule.is_active}
          aria-label={t('rules.activeOf', { rule: id })}
          onChange={(event) => change({ ...rule, is_active: event.currentTarget.checked })}
        />
      </td>
      <td>
        <NumberInput
          size="xs"
          w={70}
          min={1}
          max={1000}
          allowDecimal={false}
          aria-label={t('rules.priorityOf', { rule: id })}
          value={rule.priority}
          onChange={(value) => change({ ...rule, priority: Number(value) })}
        />
      </td>
      <td>
        {hasDays(rule.kind) ? (
          <NumberInput
            size="xs"
            w={70}
            min={1}
            max={365}
            allowDecimal={false}
            aria-label={t('rules.daysOf', { rule: id })}
            value={rule.days ?? ''}
            onChange={(value) => change({ ...rule, days: value === '' ? null : Number(value) })}
          />
        ) : (
          <span className="soft">{NONE}</span>
        )}
      </td>
      <td>
        <NumberInput
          size="xs"
          w={84}
          min={0}
          max={95}
          decimalScale={2}
          aria-label={t('rules.rateOf', { rule: id })}
          value={Math.round(rule.rate * 10_000) / 100}
          onChange={(value) => change({ ...rule, rate: Math.round(Number(value) * 100) / 10_000 })}
        />
      </td>
      <td className="soft">
        {!known?.actor || known.actor === 'pack pricing'
          ? t('rules.pack')
          : `${text(known.actor)}, ${timeOf(known.changed_at)}`}
      </td>
    </tr>
  );
}

function Add({ add, taken }: { add: (rule: Rule) => void; taken: string[] }) {
  const { t } = useTranslation();
  const [id, setId] = useState('');
  const right = isName(id) && !taken.includes(id);
  return (
    <Group gap={8}>
      <TextInput
        size="xs"
        w={190}
        aria-label={t('rules.newId')}
        placeholder={t('rules.newId')}
        value={id}
        error={id !== '' && !right ? t('rules.newHint') : null}
        onChange={(event) => setId(event.currentTarget.value)}
      />
      <Button
        size="xs"
        variant="default"
        disabled={!right}
        onClick={() => {
          add(newRule(id, taken.length + 1));
          setId('');
        }}
      >
        {t('rules.add')}
      </Button>
    </Group>
  );
}

export function Rules() {
  const { t } = useTranslation();
  const { data: known, error } = useRules(true);
  const who = useWho();
  const may = useMayAct();
  const simulate = useSimulate();
  const save = useChangeRules();
  const [edited, setEdited] = useState<Record<string, Rule>>({});
  if (!known)
    return (
      <Panel title={t('rules.title')}>
        <ErrorNotice error={error} />
        {!error && <Nothing>{t('table.loading')}</Nothing>}
      </Panel>
    );
  const saved = new Map(known.rules.map((rule) => [rule.rule_id, rule]));
  const added = Object.values(edited).filter((rule) => !saved.has(rule.rule_id));
  const all = [...known.rules.map((rule) => edited[rule.rule_id] ?? editable(rule)), ...added];
  const different = changed(all, saved);
  const change = (rule: Rule) => {
    simulate.reset();
    save.reset();
    setEdited((before) => ({ ...before, [rule.rule_id]: rule }));
  };
  const undo = () => {
    simulate.reset();
    setEdited({});
  };
  const none = different.length === 0;
  return (
    <Panel title={t('rules.title')} flush end={<span className="soft">{t('rules.about')}</span>}>
      <div style={{ overflowX: 'auto' }}>
        <table className="edited" aria-label={t('rules.title')}>
          <thead>
            <tr>
              {['id', 'kind', 'kind', 'active', 'priority', 'days', 'rate', 'by'].map(
                (name, at) => (
                  <th key={`${name}${at}`} scope="col">
                    {at === 2 ? '' : t(`rules.${name}`)}
                  </th>
                ),
              )}
            </tr>
          </thead>
          <tbody>
            {all.map((rule) => (
              <RuleRow
                key={rule.rule_id}
                rule={rule}
                known={saved.get(rule.rule_id)}
                change={change}
              />
            ))}
          </tbody>
        </table>
      </div>
      <Group justify="space-between" p="10px 14px">
        <Add add={change} taken={all.map((rule) => rule.rule_id)} />
        <Group gap={8}>
          {!may && who && <span className="soft">{t('rules.mayNot')}</span>}
          <Button size="xs" variant="subtle" disabled={none} onClick={undo}>
            {t('rules.undo')}
          </Button>
          <Button
            size="xs"
            variant="default"
            disabled={none || who?.may.sql === false}
            loading={simulate.isPending}
            onClick={() => simulate.mutate(different)}
          >
            {t('rules.simulate')}
          </Button>
          <Button
            size="xs"
            color="teal.9"
            disabled={none || !may}
            loading={save.isPending}
            onClick={() => save.mutate(different, { onSuccess: undo })}
          >
            {t('rules.save')}
          </Button>
        </Group>
      </Group>
      <Guarded guards={known.guards} />
      <Warnings warnings={simulate.data?.warnings ?? known.warnings} />
      <div style={{ padding: '0 14px' }} role="status">
        {save.isSuccess && none && <p className="good">{t('rules.saved')}</p>}
      </div>
      <ErrorNotice error={simulate.error ?? save.error} />
      {simulate.data && <Simulated found={simulate.data} />}
    </Panel>
  );
}
