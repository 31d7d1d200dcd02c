// Tokens: who may ask for what. A token is shown once, when it is made.
import { Button, Code, CopyButton, NumberInput, Select, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { keepToken } from '@/api/token';
import { ROLES, useCreateToken, useRevokeToken, useTokens, type Token } from '@/api/tokens';
import { whenOf } from '@/components/format';
import { ErrorNotice } from '@/components/Notice';
import { Badge, Panel } from '@/components/Panel';

const DAYS = 90;

export function Made({ token, isFirst }: { token: string; isFirst: boolean }) {
  const { t } = useTranslation();
  return (
    <div className="notice" role="status" data-testid="made" style={{ display: 'block' }}>
      <strong>{t('settings.shownOnce')}</strong>
      <Code block my={8}>
        {token}
      </Code>
      {isFirst && <p>{t('settings.firstMeans')}</p>}
      <div style={{ display: 'flex', gap: 8 }}>
        <CopyButton value={token}>
          {({ copied, copy }) => (
            <Button size="xs" variant="default" onClick={copy}>
              {t(copied ? 'settings.copied' : 'settings.copy')}
            </Button>
          )}
        </CopyButton>
        {isFirst && (
          <Button
            size="xs"
            variant="default"
            onClick={() => {
              keepToken(token);
              location.reload();
            }}
          >
            {t('settings.useHere')}
          </Button>
        )}
      </div>
    </div>
  );
}

function Create({ isFirst, made }: { isFirst: boolean; made: (token: string) => void }) {
  const { t } = useTranslation();
  const [name, setName] = useState('');
  const [role, setRole] = useState<string>(isFirst ? 'admin' : 'viewer');
  const [days, setDays] = useState<number | string>(isFirst ? '' : DAYS);
  const create = useCreateToken();
  const send = (event: FormEvent) => {
    event.preventDefault();
    const token = { name, role, person: null, days: days === '' ? null : Number(days) };
    create.mutate(token, {
      onSuccess: (answer) => {
        setName('');
        made(answer.token);
      },
    });
  };
  return (
    <form onSubmit={send} aria-label={t('settings.create')}>
      <div style={{ display: 'flex', gap: 8, alignItems: 'flex-end', flexWrap: 'wrap' }}>
        <TextInput
          size="xs"
          required
          label={t('settings.tokenName')}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Select
          size="xs"
          w={230}
          allowDeselect={false}
          label={t('settings.role')}
          data={ROLES.map((value) => ({ value, label: t(`settings.role_${value}`) }))}
          value={role}
          onChange={(next) => next && setRole(next)}
        />
        <NumberInput
          size="xs"
          w={140}
          min={1}
          max={3650}
          label={t('settings.days')}
          placeholder={t('settings.never')}
          value={days}
          onChange={setDays}
        />
        <Button size="xs" type="submit" color="lagoon.6" loading={create.isPending}>
          {t('settings.create')}
        </Button>
      </div>
      <div style={{ marginTop: 10 }}>
        <ErrorNotice error={create.error} />
      </div>
    </form>
  );
}

export function Line({ token, own }: { token: Token; own: string | null }) {
  const { t } = useTranslation();
  const revoke = useRevokeToken();
  return (
    <li style={{ flexWrap: 'wrap' }}>
      <strong style={{ width: 180 }} className="clip">
        {token.name}
      </strong>
      <Badge tone={token.holds ? 'accent' : 'bad'}>{t(`settings.role_${token.role}`)}</Badge>
      {token.name === own && <Badge tone="good">{t('settings.own')}</Badge>}
      <span className="grow soft">
        {t('settings.since', { at: whenOf(token.created_ms) })}
        {token.expires_ms !== null &&
          ` · ${t(token.holds ? 'settings.until' : 'settings.ended', {
            at: whenOf(token.expires_ms),
          })}`}
      </span>
      <Button
        size="compact-xs"
        variant="default"
        loading={revoke.isPending}
        aria-label={t('settings.revokeOf', { name: token.name })}
        onClick={() => revoke.mutate(token.name)}
      >
        {t('settings.revoke')}
      </Button>
      <ErrorNotice error={revoke.error} />
    </li>
  );
}

export function Tokens({ may }: { may: boolean }) {
  const { t } = useTranslation();
  const { data, error } = useTokens(may);
  const [made, setMade] = useState<{ token: string; isFirst: boolean } | null>(null);
  if (!may) {
    return (
      <Panel title={t('settings.tokens')} span={8}>
        {t('settings.tokensMayNot')}
      </Panel>
    );
  }
  // Those of people are with them.
  const tokens = (data?.tokens ?? []).filter((token) => token.person === null);
  const isFirst = data?.tokens.length === 0;
  return (
    <Panel title={t('settings.tokens')} span={8}>
      {/* From the first one on this page needs it too, and is refused until then. */}
      {made ? <Made {...made} /> : <ErrorNotice error={error} />}
      {isFirst && !made && <p>{t('settings.noTokens')}</p>}
      <ul className="list" aria-label={t('settings.tokens')}>
        {tokens.map((token) => (
          <Line key={token.name} token={token} own={data?.own ?? null} />
        ))}
      </ul>
      {data && !(made?.isFirst ?? false) && (
        <Create
          key={String(isFirst)}
          isFirst={isFirst}
          made={(token) => setMade({ token, isFirst })}
        />
      )}
    </Panel>
  );
}
