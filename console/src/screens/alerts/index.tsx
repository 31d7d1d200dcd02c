// Alerts of one's own: which of them fire, since when, and by which rows.
import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useMayAct } from '@/api/acts';
import { useOwnAlerts, type OwnAlert } from '@/api/alerts';
import type { Row } from '@/api/types';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { ago, clipped, number, rowSaid, text, whenOf } from '@/components/format';
import { ErrorNotice } from '@/components/Notice';
import { Badge, Figures, PageHead, Panel } from '@/components/Panel';
import { useUrlState } from '@/components/urlState';
import { AlertsPanel } from '@/screens/overview/AlertsPanel';
import { AlertForm } from './Form';

export const ALERT_TONES = { critical: 'bad', warning: 'care', notice: 'accent' } as const;

function stateOf(alert: OwnAlert): 'firing' | 'broken' | 'quiet' {
  if (alert.error !== null) return 'broken';
  return alert.is_firing ? 'firing' : 'quiet';
}

function Firing({ alert, now }: { alert: OwnAlert; now: number }) {
  const { t } = useTranslation();
  return (
    <li style={{ display: 'block' }} data-testid={`firing-${alert.id}`}>
      <div style={{ display: 'flex', gap: 10, alignItems: 'baseline' }}>
        <Badge tone={ALERT_TONES[alert.severity]}>{t(`alerts.is_${alert.severity}`)}</Badge>
        <strong className="grow">{clipped(alert.title)}</strong>
        <span className="soft">
          {t('alerts.since', { ago: ago(Math.max(0, now - (alert.since_ms ?? now))) })}
        </span>
        <Link to="/catalogue" search={{ view: alert.view } as never}>
          {t('alerts.rows', { rows: number(alert.rows), count: alert.rows })}
        </Link>
      </div>
      <ul className="reasons">
        {alert.some.map((row, at) => (
          <li key={at} className="mono">
            {clipped(rowSaid(row, 5), 200)}
          </li>
        ))}
      </ul>
    </li>
  );
}

export function AlertsScreen() {
  const { t } = useTranslation();
  const may = useMayAct();
  const { data, error } = useOwnAlerts();
  const [open, setOpen] = useUrlState('open');
  // A link may bring along what a new alert begins with.
  const [of] = useUrlState('of');
  const [condition] = useUrlState('if');
  const alerts = useMemo(() => data?.alerts ?? [], [data]);
  const firing = alerts.filter((alert) => alert.is_firing);
  const byId = useMemo(() => new Map(alerts.map((alert) => [alert.id, alert])), [alerts]);
  const rows = useMemo(
    () =>
      alerts.map((alert): Row => ({
        id: alert.id,
        title: alert.title,
        state: t(`alerts.${stateOf(alert)}`),
        view: alert.view,
        condition: alert.condition,
        severity: t(`alerts.is_${alert.severity}`),
        actor: alert.actor,
        changed: new Date(alert.changed_ms).toISOString(),
      })),
    [alerts, t],
  );
  const columns = useMemo<TableColumn[]>(() => {
    const plain = (id: string, width: string): TableColumn => ({
      id,
      header: t(`alerts.${id}`),
      value: (row) => row[id],
      width,
    });
    return [
      plain('title', 'minmax(160px, 1.200fr)'),
      {
        ...plain('state', '130px'),
        cell: (row) => {
          const alert = byId.get(text(row.id));
          const tones = { firing: 'bad', broken: 'care', quiet: 'good' };
          return <Badge tone={alert && tones[stateOf(alert)]}>{text(row.state)}</Badge>;
        },
      },
      plain('severity', '110px'),
      plain('view', 'minmax(150px, 1fr)'),
      { ...plain('condition', 'minmax(180px, 1.500fr)') },
      plain('actor', '110px'),
      { ...plain('changed', '170px'), cell: (row) => whenOf(Date.parse(text(row.changed))) },
    ];
  }, [t, byId]);
  const broken = alerts.find((alert) => alert.error !== null);
  const chosen = open === 'new' ? 'new' : (byId.get(open) ?? null);
  return (
    <>
      <PageHead title={t('nav.alerts')} note={t('alerts.note')}>
        <Button size="xs" color="lagoon.6" onClick={() => setOpen('new')}>
          {t('alerts.new')}
        </Button>
      </PageHead>
      <ErrorNotice error={error ?? (data?.error ? new Error(data.error) : null)} />
      {broken && <ErrorNotice error={new Error(`${broken.title}: ${broken.error}`)} />}
      <Figures
        figures={[
          {
            label: t('alerts.firing'),
            value: number(firing.length),
            tone: firing.length > 0 ? 'bad' : 'good',
          },
          { label: t('alerts.watched'), value: number(alerts.length) },
        ]}
      />
      <div className="grid">
        <Panel title={t('alerts.firingNow')} span={6} flush>
          {firing.length === 0 && (
            <div className="empty">
              <strong>{t(alerts.length === 0 ? 'alerts.none' : 'alerts.allQuiet')}</strong>
              {alerts.length === 0 && t('alerts.noneMore')}
            </div>
          )}
          <ul className="list">
            {firing.map((alert) => (
              <Firing key={alert.id} alert={alert} now={data?.now_ms ?? 0} />
            ))}
          </ul>
        </Panel>
        <AlertsPanel span={6} shown={4} packsOnly />
        {rows.length > 0 && (
          <div className="panel span-12">
            <DataTable
              name="alerts"
              label={t('alerts.all')}
              columns={columns}
              rows={rows}
              rowKey={(row) => text(row.id)}
              height={Math.min(420, 90 + Math.max(2, rows.length) * 33)}
              onOpen={(row) => setOpen(text(row.id))}
              openKey={open}
            />
          </div>
        )}
      </div>
      <AlertForm
        alert={chosen}
        begin={{ view: of, condition }}
        taken={[...byId.keys()]}
        may={may}
        close={() => setOpen('')}
      />
    </>
  );
}
