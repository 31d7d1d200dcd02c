// What becomes of a good question: a view, an address that others ask, or an alert.
import { Button, Menu, Modal } from '@mantine/core';
import { IconBell, IconChevronDown, IconDeviceFloppy, IconPlug } from '@tabler/icons-react';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useMayAct } from '@/api/acts';
import { useExplained, type Saved } from '@/api/project';
import { useViews } from '@/api/hooks';
import { ApiLines } from '@/components/ApiLines';
import { SaveForm } from '@/components/SaveView';
import { alertOf } from './alertOf';
import { wholeView } from './changelog';

type As = 'view' | 'api' | 'alert';

/** A view that was just saved, as others will ask for it. */
function SavedApi({ saved, query }: { saved: Saved; query: string }) {
  const { t } = useTranslation();
  const key = useExplained(query).data?.steps[0]?.key ?? [];
  return (
    <>
      <p>{t('api.soon')}</p>
      <ApiLines view={{ ...saved, key }} />
    </>
  );
}

export function Use({ query }: { query: () => string | null }) {
  const { t } = useTranslation();
  const may = useMayAct();
  const views = useViews();
  const navigate = useNavigate();
  const [asked, setAsked] = useState<{ as: As; query: string } | null>(null);
  const begin = (as: As) => {
    const text = query();
    if (text === null) return;
    const alert = as === 'alert' ? alertOf(text) : null;
    // Rows of one view that fulfil a condition: that is what an alert is, without another view.
    if (alert && views?.has(alert.view)) {
      void navigate({
        to: '/alerts',
        search: { open: 'new', of: alert.view, if: alert.condition } as never,
      });
    } else setAsked({ as, query: text });
  };
  const close = () => setAsked(null);
  const served = asked?.as === 'api' ? views?.get(wholeView(asked.query) ?? '') : undefined;
  return (
    <>
      <Menu shadow="md" position="bottom-start" transitionProps={{ duration: 0 }}>
        <Menu.Target>
          <Button
            size="xs"
            variant="default"
            leftSection={<IconDeviceFloppy size={14} />}
            rightSection={<IconChevronDown size={14} />}
          >
            {t('sql.save')}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item
            leftSection={<IconDeviceFloppy size={14} />}
            disabled={!may}
            title={may ? undefined : t('save.mayNot')}
            onClick={() => begin('view')}
          >
            {t('save.asView')}
          </Menu.Item>
          <Menu.Item leftSection={<IconPlug size={14} />} onClick={() => begin('api')}>
            {t('sql.asApi')}
          </Menu.Item>
          <Menu.Item
            leftSection={<IconBell size={14} />}
            disabled={!may}
            title={may ? undefined : t('save.mayNot')}
            onClick={() => begin('alert')}
          >
            {t('sql.asAlert')}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal
        opened={asked !== null}
        onClose={close}
        size={asked?.as === 'api' ? 640 : 'md'}
        title={asked && t(TITLES[asked.as])}
        closeButtonProps={{ 'aria-label': t('why.close') }}
        transitionProps={{ duration: 0 }}
      >
        {served && <ApiLines view={served} />}
        {asked && !served && (
          <>
            {asked.as !== 'view' && (
              <p className="soft" style={{ marginTop: 0 }}>
                {t(asked.as === 'api' ? 'sql.apiFirst' : 'sql.alertFirst')}
              </p>
            )}
            {may ? (
              <SaveForm
                query={asked.query}
                name=""
                close={close}
                then={(saved) => {
                  if (asked.as === 'api') return <SavedApi saved={saved} query={asked.query} />;
                  if (asked.as === 'view') return null;
                  const search = { open: 'new', of: saved.name, if: 'TRUE' } as never;
                  return (
                    <p>
                      <Link to="/alerts" search={search}>
                        {t('sql.alertThen')}
                      </Link>
                    </p>
                  );
                }}
              />
            ) : (
              <p>{t('save.mayNot')}</p>
            )}
          </>
        )}
      </Modal>
    </>
  );
}

const TITLES: Record<As, string> = {
  view: 'save.asView',
  api: 'sql.asApi',
  alert: 'sql.asAlert',
};
