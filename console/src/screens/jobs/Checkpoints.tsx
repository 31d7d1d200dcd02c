// How old the newest checkpoint is, what it cost, and taking one at once.
import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { takeCheckpoint } from '@/api/http';
import type { CheckpointStatus, Status } from '@/api/types';
import { ago, bytes, duration, NONE, number } from '@/components/format';
import { ErrorNotice } from '@/components/Notice';
import { Badge, Panel } from '@/components/Panel';

function Facts({ kept }: { kept: CheckpointStatus }) {
  const { t } = useTranslation();
  const pairs: [string, React.ReactNode][] = [
    ['every', duration(kept.interval_ms)],
    ['last', kept.last === null ? t('jobs.checkpoint.none') : number(kept.last)],
    ['age', kept.last === null ? NONE : ago(kept.age_ms)],
    ['took', duration(kept.duration_ms)],
    ['held', kept.pause_us === null ? NONE : duration(kept.pause_us / 1000)],
    ['changed', bytes(kept.changed_bytes)],
  ];
  return (
    <>
      {kept.alarm && <Badge tone="bad">{t('jobs.checkpoint.alarm')}</Badge>}
      <dl className="pairs">
        {pairs.map(([name, value]) => (
          <div key={name} style={{ display: 'contents' }}>
            <dt>{t(`jobs.checkpoint.${name}`)}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

export function Checkpoints({ status }: { status: Status }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const take = useMutation({
    mutationFn: takeCheckpoint,
    // The facts below are of the same checkpoint then.
    onSuccess: () => client.invalidateQueries({ queryKey: ['status'] }),
  });
  const kept = status.checkpoints;
  return (
    <Panel
      title={t('jobs.checkpoints')}
      span={4}
      end={
        kept && (
          <Button
            size="compact-xs"
            variant="default"
            loading={take.isPending}
            onClick={() => take.mutate()}
          >
            {t('jobs.take')}
          </Button>
        )
      }
    >
      <ErrorNotice error={take.error} />
      {take.data && (
        <p className="good" role="status" style={{ marginTop: 0 }}>
          {t('jobs.taken', { checkpoint: number(take.data.checkpoint) })}
        </p>
      )}
      {kept ? (
        <Facts kept={kept} />
      ) : (
        <p className="soft" style={{ margin: 0 }}>
          {t('jobs.noCheckpoints')}
        </p>
      )}
    </Panel>
  );
}
