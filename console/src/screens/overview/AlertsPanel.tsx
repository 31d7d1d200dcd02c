// The alarms of all packs, by kind; many of a kind are folded behind their number.
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { Badge, Panel } from '@/components/Panel';
import { Nothing } from '@/components/Notice';
import { clipped, number } from '@/components/format';
import { useAlerts, type Alert } from './alerts';

const SHOWN = 3;

export function AlertsPanel({ span = 8, shown = SHOWN }: { span?: 4 | 8 | 12; shown?: number }) {
  const { t } = useTranslation();
  const alerts = useAlerts();
  const kinds = new Map<string, Alert[]>();
  for (const alert of alerts) kinds.set(alert.kind, [...(kinds.get(alert.kind) ?? []), alert]);
  return (
    <Panel
      title={t('overview.alerts')}
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
