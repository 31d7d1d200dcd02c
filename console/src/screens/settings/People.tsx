// People: what each of them may do, said once, and their tokens.
import { Button, Select, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import {
  ROLES,
  tokenName,
  useCreateToken,
  useKeepPerson,
  usePeople,
  useTokens,
  type Person,
  type Token,
} from '@/api/tokens';
import { clipped } from '@/components/format';
import { ErrorNotice, Nothing } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import { Line, Made } from './Tokens';

const DAYS = 90;

function useRoles() {
  const { t } = useTranslation();
  return ROLES.map((value) => ({ value, label: t(`settings.role_${value}`) }));
}

interface OneProps {
  person: Person;
  tokens: Token[];
  taken: string[];
  own: string | null;
}
function One({ person, tokens, taken, own }: OneProps) {
  const { t } = useTranslation();
  const roles = useRoles();
  const keep = useKeepPerson();
  const create = useCreateToken();
  const { name, title } = person;
  const [asks, setAsks] = useState(false);
  const make = () =>
    create.mutate({ name: tokenName(name, taken), person: name, role: null, days: DAYS });
  return (
    <li style={{ display: 'block' }} data-testid={`person-${name}`}>
      <div style={{ display: 'flex', gap: 8, alignItems: 'center', flexWrap: 'wrap' }}>
        <strong className="clip" style={{ minWidth: 110 }}>
          {clipped(title || name)}
        </strong>
        <span className="soft mono grow clip">{name}</span>
        <Select
          size="xs"
          w={220}
          allowDeselect={false}
          aria-label={t('settings.roleOf', { name })}
          data={roles}
          value={person.role}
          disabled={keep.isPending}
          onChange={(role) => role && keep.mutate({ name, person: { title, role } })}
        />
        <Button
          size="compact-xs"
          variant="default"
          loading={create.isPending}
          aria-label={t('settings.tokenFor', { name })}
          onClick={make}
        >
          {t('settings.create')}
        </Button>
        {asks ? (
          <>
            <span>{t('settings.removeMeans', { count: tokens.length })}</span>
            <Button
              size="compact-xs"
              color="red.8"
              loading={keep.isPending}
              onClick={() => keep.mutate({ name, person: null })}
            >
              {t('settings.removeYes')}
            </Button>
            <Button size="compact-xs" variant="default" onClick={() => setAsks(false)}>
              {t('settings.removeNo')}
            </Button>
          </>
        ) : (
          <Button
            size="compact-xs"
            variant="default"
            aria-label={t('settings.removeOf', { name })}
            onClick={() => setAsks(true)}
          >
            {t('settings.remove')}
          </Button>
        )}
      </div>
      <ErrorNotice error={keep.error ?? create.error} />
      {create.data && <Made token={create.data.token} isFirst={false} />}
      {tokens.length > 0 && (
        <ul className="list" aria-label={t('settings.tokensOf', { name })}>
          {tokens.map((token) => (
            <Line key={token.name} token={token} own={own} />
          ))}
        </ul>
      )}
    </li>
  );
}

function Add() {
  const { t } = useTranslation();
  const roles = useRoles();
  const [draft, setDraft] = useState({ name: '', title: '', role: 'viewer' });
  const keep = useKeepPerson();
  const send = (event: FormEvent) => {
    event.preventDefault();
    const { name, title, role } = draft;
    keep.mutate(
      { name, person: { title, role } },
      { onSuccess: () => setDraft({ ...draft, name: '', title: '' }) },
    );
  };
  const set = (change: Partial<typeof draft>) => setDraft({ ...draft, ...change });
  return (
    <form onSubmit={send} aria-label={t('settings.addPerson')} style={{ padding: '8px 14px 14px' }}>
      <div style={{ display: 'flex', gap: 8, alignItems: 'flex-end', flexWrap: 'wrap' }}>
        <TextInput
          size="xs"
          required
          label={t('settings.personName')}
          placeholder="ann"
          value={draft.name}
          onChange={(event) => set({ name: event.currentTarget.value })}
        />
        <TextInput
          size="xs"
          label={t('settings.personTitle')}
          placeholder="Ann Lee"
          value={draft.title}
          onChange={(event) => set({ title: event.currentTarget.value })}
        />
        <Select
          size="xs"
          w={220}
          allowDeselect={false}
          label={t('settings.role')}
          data={roles}
          value={draft.role}
          onChange={(role) => role && set({ role })}
        />
        <Button size="xs" type="submit" color="lagoon.6" loading={keep.isPending}>
          {t('settings.addPerson')}
        </Button>
      </div>
      <div style={{ marginTop: 10 }}>
        <ErrorNotice error={keep.error} />
      </div>
    </form>
  );
}

export function People({ may }: { may: boolean }) {
  const { t } = useTranslation();
  const { data, error } = usePeople(may);
  const { data: known } = useTokens(may);
  if (!may) return null;
  const people = data?.people ?? [];
  const tokens = known?.tokens ?? [];
  const taken = tokens.map((token) => token.name);
  return (
    <Panel title={t('settings.people')} flush>
      <p className="soft" style={{ padding: '0 14px', margin: '0 0 8px' }}>
        {t(tokens.length === 0 ? 'settings.peopleLater' : 'settings.peopleMeans')}
      </p>
      <ErrorNotice error={error} />
      {data && people.length === 0 && <Nothing>{t('settings.nobody')}</Nothing>}
      <ul className="list" aria-label={t('settings.people')}>
        {people.map((person) => (
          <One
            key={person.name}
            person={person}
            tokens={tokens.filter((token) => token.person === person.name)}
            taken={taken}
            own={known?.own ?? null}
          />
        ))}
      </ul>
      {tokens.length > 0 && <Add />}
    </Panel>
  );
}
