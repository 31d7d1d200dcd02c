// Views that were saved in the console: which run already, and taking one out again.
import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { useMayAct } from '@/api/acts';
import { useProject, useRemoveView } from '@/api/project';
import { ErrorNotice } from '@/components/Notice';
import { Badge, Panel } from '@/components/Panel';
import { RestartNow } from '@/components/SaveView';

export function Saved() {
  const { t } = useTranslation();
  const may = useMayAct();
  const { data } = useProject();
  const remove = useRemoveView();
  const saved = (data?.relations ?? []).filter((one) => one.is_saved);
  if (saved.length === 0 && !remove.isSuccess) return null;
  return (
    <Panel title={t('save.list')} flush>
      <ul className="list" aria-label={t('save.list')}>
        {saved.map((one) => (
          <li key={one.name}>
            <Link className="grow clip" to="/lineage" search={{ view: one.name } as never}>
              {one.name}
            </Link>
            <Badge tone={one.is_running ? 'good' : 'accent'}>
              {t(one.is_running ? 'save.running' : 'save.waiting')}
            </Badge>
            <Button
              size="compact-xs"
              variant="default"
              disabled={!may}
              loading={remove.isPending && remove.variables === one.name}
              aria-label={t('save.removeOf', { name: one.name })}
              onClick={() => remove.mutate(one.name)}
            >
              {t('save.remove')}
            </Button>
          </li>
        ))}
      </ul>
      <div style={{ padding: remove.isIdle ? 0 : '4px 14px 12px' }}>
        <ErrorNotice error={remove.error} />
        {remove.isSuccess && (
          <>
            <p role="status">{t('save.removed')}</p>
            <RestartNow restart={remove.data.restart} />
          </>
        )}
      </div>
    </Panel>
  );
}
