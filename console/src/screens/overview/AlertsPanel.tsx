// The alarms of all packs, by kind; many of a kind are folded behind their number.
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { useOwnAlerts } from '@/api/alerts';
import { Badge, Panel } from '@/components/Panel';
import { Nothing } from '@/components/Notice';
import { clipped, number } from '@/components/format';
import { useAlerts, type Alert } from './alerts';

const SHOWN = 3;

interface Props {
  span?: 4 | 6 | 8 | 12;
  shown?: number;
  /** Without the alerts of one's own, where they stand beside. */
  packsOnly?: boolean;
}
const TONES = { critical: 'bad', warning: 'care', notice: 'accent' } as const;

/** Those of one's own that fire, before those of the packs. */
function useOwn(): Alert[] {
  const { data } = useOwnAlerts();
  return (data?.alerts ?? [])
    .filter((alert) => alert.is_firing)
    .map((alert) => ({
      id: `own:${alert.id}`,
      tone: TONES[alert.severity],
      kind: 'own',
      said: alert.title,
      to: '/alerts',
      search: { open: alert.id },
    }));
}

export function AlertsPanel({ span = 8, shown = SHOWN, packsOnly = false }: Props) {
  const { t } = useTranslation();
  const packs = useAlerts();
  const own = useOwn();
  const alerts = packsOnly ? packs : [...own, ...packs];
  const kinds = new Map<string, Alert[]>();
  for (const alert of alerts) kinds.set(alert.kind, [...(kinds.get(alert.kind) ?? []), alert]);
  return (
    <Panel
      title={t(packsOnly ? 'alerts.packs' : 'overview.alerts')}
      span={span}
      flush
      end={
        <Badge tone={alerts.some((alert) => alert.tone === 'bad') ? 'bad' : ''}>
          {number(alerts.length)}
        </Badge>
      }
    >
      {alerts.length === 0 && <Nothing>{t('overview.quiet')}</Nothing>}
      <ul className="list">
        {[...kinds.values()].flatMap((all) =>
          all.slice(0, shown).map((alert, at) => (
            <li key={alert.id}>
              <span style={{ width: 92, flex: 'none' }}>
                <Badge tone={alert.tone}>{t(`alert.kind.${alert.kind}`)}</Badge>
              </span>
              <span className="grow">{clipped(alert.said)}</span>
              {at === Math.min(shown, all.length) - 1 && (
                <Link to={alert.to} search={(all.length === 1 ? alert.search : undefined) as never}>
                  {all.length > shown
                    ? t('overview.more', {
                        count: all.length - shown,
                        more: number(all.length - shown),
                      })
                    : t('overview.look')}
                </Link>
              )}
            </li>
          )),
        )}
      </ul>
    </Panel>
  );
}
