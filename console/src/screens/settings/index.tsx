// Settings: how the page looks and speaks, who one is here, and who may ask.
import { SegmentedControl, useMantineColorScheme } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { useWho } from '@/api/acts';
import { useStatus } from '@/api/hooks';
import { text } from '@/components/format';
import { Badge, PageHead, Panel } from '@/components/Panel';
import { LANGUAGES, speak, type Language } from '@/i18n';
import { People } from './People';
import { Tokens } from './Tokens';

const RIGHTS = ['read', 'sql', 'send', 'administer'] as const;
const SCHEMES = ['light', 'dark', 'auto'] as const;

function Look() {
  const { t, i18n } = useTranslation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Panel title={t('settings.look')} span={4}>
      <p className="soft" id="settings-language">
        {t('prefs.language')}
      </p>
      <SegmentedControl
        size="xs"
        aria-labelledby="settings-language"
        data={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
        value={i18n.language}
        onChange={(value) => speak(value as Language)}
      />
      <p className="soft" id="settings-theme">
        {t('settings.theme')}
      </p>
      <SegmentedControl
        size="xs"
        aria-labelledby="settings-theme"
        data={SCHEMES.map((value) => ({ value, label: t(`settings.${value}`) }))}
        value={colorScheme}
        onChange={(value) => setColorScheme(value as (typeof SCHEMES)[number])}
      />
      <p className="soft">{t('settings.lookMeans')}</p>
    </Panel>
  );
}

function Me() {
  const { t } = useTranslation();
  const who = useWho();
  const { data: status } = useStatus();
  const told = status as Record<string, unknown> | undefined;
  return (
    <Panel title={t('settings.me')} span={4}>
      <dl className="pairs">
        {who?.person && (
          <>
            <dt>{t('settings.person')}</dt>
            <dd>{who.person}</dd>
          </>
        )}
        <dt>{t('settings.token')}</dt>
        <dd>{who?.token ?? t('settings.local')}</dd>
        <dt>{t('settings.role')}</dt>
        <dd>{who && t(`settings.role_${who.role}`)}</dd>
        <dt>{t('settings.rights')}</dt>
        <dd style={{ display: 'flex', gap: 6, flexWrap: 'wrap' }}>
          {RIGHTS.map((right) => (
            <Badge key={right} tone={who?.may[right] ? 'good' : ''}>
              {t(who?.may[right] ? `settings.may_${right}` : `settings.mayNot_${right}`)}
            </Badge>
          ))}
        </dd>
        <dt>{t('jobs.project')}</dt>
        <dd className="mono">{text((told?.project as string) ?? null)}</dd>
        <dt>Rialto</dt>
        <dd>{text((told?.rialto as string) ?? null)}</dd>
      </dl>
    </Panel>
  );
}

export function Settings() {
  const { t } = useTranslation();
  const may = useWho()?.may.administer ?? false;
  return (
    <>
      <PageHead title={t('nav.settings')} note={t('settings.note')} />
      <div className="grid">
        <div className="span-4 stack">
          <Look />
          <Me />
        </div>
        <div className="span-8 stack">
          <Tokens may={may} />
          <People may={may} />
        </div>
      </div>
    </>
  );
}
