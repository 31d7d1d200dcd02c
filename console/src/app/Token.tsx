// Where a server needs tokens: the form that takes one, and the button that forgets it.
import { Button, PasswordInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { keepToken, useHasToken, useTokenAsked } from '@/api/token';

// Streams and questions begin anew with it: as a new page, so that nothing of before is left.
const begin = (token: string | null) => {
  keepToken(token);
  location.reload();
};

export function AskToken() {
  const { t } = useTranslation();
  const asked = useTokenAsked();
  const [token, setToken] = useState('');
  if (!asked) return null;
  const send = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim()) begin(token.trim());
  };
  return (
    <form className="notice" onSubmit={send} data-testid="token" aria-label={t('token.title')}>
      <div style={{ flex: 1 }}>
        <strong>{t('token.title')}</strong>
        <div>{t('token.about')}</div>
        <PasswordInput
          size="xs"
          mt={6}
          maw={460}
          aria-label={t('token.token')}
          autoComplete="off"
          value={token}
          onChange={(event) => setToken(event.currentTarget.value)}
        />
      </div>
      <Button size="xs" type="submit" variant="default" disabled={!token.trim()}>
        {t('token.use')}
      </Button>
    </form>
  );
}

export function ForgetToken() {
  const { t } = useTranslation();
  if (!useHasToken()) return null;
  return (
    <Button size="xs" variant="default" onClick={() => begin(null)}>
      {t('token.forget')}
    </Button>
  );
}
