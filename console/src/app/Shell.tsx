// The frame around every screen: menu, connection, moment, language, theme.
import {
  ActionIcon,
  Button,
  NativeSelect,
  Tooltip,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import { IconMenu2, IconMoon, IconSun } from '@tabler/icons-react';
import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useConnection } from '@/api/connection';
import { useCatalogue } from '@/api/hooks';
import { hold, useMoment } from '@/api/moment';
import { ago, number } from '@/components/format';
import { ErrorNotice } from '@/components/Notice';
import { LANGUAGES, speak, type Language } from '@/i18n';
import { Moment } from './Moment';
import { SHOP, WORK, type Screen } from './screens';
import { AskToken, ForgetToken } from './Token';

function Mark() {
  return (
    <svg width="24" height="24" viewBox="0 0 32 32" aria-hidden fill="none" strokeLinecap="round">
      <path
        d="M3 23h26M6 23c0-7.500 4.200-12.500 10-12.500S26 15.500 26 23"
        stroke="var(--accent)"
        strokeWidth="2.800"
      />
      <path
        d="M11.200 23c0-4.200 1.900-6.800 4.800-6.800s4.800 2.600 4.800 6.800"
        stroke="#c28e1d"
        strokeWidth="2.200"
      />
    </svg>
  );
}

function Items({ screens }: { screens: Screen[] }) {
  const { t } = useTranslation();
  return screens.map(({ path, name, icon: Icon }) => (
    <Link
      key={path}
      to={path}
      className="item"
      activeOptions={{ exact: path === '/', includeSearch: false }}
    >
      <Icon size={17} stroke={1.7} aria-hidden />
      {t(`nav.${name}`)}
    </Link>
  ));
}

function Preferences() {
  const { t, i18n } = useTranslation();
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light');
  return (
    <>
      <NativeSelect
        size="xs"
        w={96}
        aria-label={t('prefs.language')}
        data={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
        value={i18n.language}
        onChange={(event) => speak(event.currentTarget.value as Language)}
      />
      <Tooltip label={t('prefs.theme')}>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="md"
          aria-label={t('prefs.theme')}
          onClick={() => setColorScheme(scheme === 'dark' ? 'light' : 'dark')}
        >
          {scheme === 'dark' ? <IconSun size={17} /> : <IconMoon size={17} />}
        </ActionIcon>
      </Tooltip>
    </>
  );
}

function useClock(on: boolean): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!on) return;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [on]);
  return now;
}

/** What everybody must know before reading a number: that it is old, or held. */
export function Banners() {
  const { t } = useTranslation();
  const { data, error } = useCatalogue();
  const connection = useConnection();
  const asOf = useMoment();
  const isLost = connection.state === 'lost';
  const now = Math.max(useClock(isLost), connection.since);
  return (
    <>
      {isLost && (
        <div className="notice bad" role="alert" data-testid="lost">
          {t('connection.banner', {
            ago: ago(now - connection.since),
            step: number(data?.step ?? 0),
          })}
        </div>
      )}
      {asOf !== null && (
        <div className="notice" role="status">
          {t('moment.banner', { step: number(asOf) })}
          <Button size="compact-xs" variant="default" onClick={() => hold(null)}>
            {t('moment.release')}
          </Button>
        </div>
      )}
      <ErrorNotice error={error} />
    </>
  );
}

export function Shell() {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  useEffect(() => setOpen(false), [path]);
  return (
    <div className="shell">
      <a className="skip" href="#main">
        {t('nav.skip')}
      </a>
      <nav className={open ? 'rail open' : 'rail'} aria-label={t('nav.label')}>
        <Link to="/" className="brand">
          <Mark />
          Rialto
        </Link>
        <Items screens={SHOP} />
        <h2>{t('nav.work')}</h2>
        <Items screens={WORK} />
      </nav>
      <div style={{ minWidth: 0 }}>
        <header className="top">
          <ActionIcon
            className="only-small"
            variant="subtle"
            color="gray"
            aria-label={t('nav.menu')}
            onClick={() => setOpen(!open)}
          >
            <IconMenu2 size={18} />
          </ActionIcon>
          <Moment />
          <div style={{ marginLeft: 'auto', display: 'flex', gap: 8, alignItems: 'center' }}>
            <ForgetToken />
            <Preferences />
          </div>
        </header>
        <main className="main" id="main" tabIndex={-1}>
          <AskToken />
          <Banners />
          <Outlet />
        </main>
      </div>
    </div>
  );
}
