// The big screen: for a wall of 1920 by 1080, read from across the room. It needs no hand.
import { Link } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useCatalogue, useCalmRows, useViews } from '@/api/hooks';
import { useConnection } from '@/api/connection';
import {
  dayName,
  money,
  number,
  percent,
  signedPercent,
  text,
  toNumber,
} from '@/components/format';
import { NeedsPack } from '@/components/Notice';
import { Badge, Meter } from '@/components/Panel';
import { Banners } from '@/app/Shell';
import { useAlerts } from '@/screens/overview/alerts';
import { toneOf } from '@/screens/overview';
import { useSales } from '@/screens/overview/sales';
import { TodayChart } from '@/screens/overview/TodayChart';
import './wall.css';

function useNow() {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

function Big({
  label,
  value,
  under,
  tone = '',
}: {
  label: string;
  value: string;
  under: string;
  tone?: string;
}) {
  return (
    <div className="big">
      <span className="soft">{label}</span>
      <strong>{value}</strong>
      <span className={tone || 'soft'}>{under}</span>
    </div>
  );
}

export function Wall() {
  const { t, i18n } = useTranslation();
  const views = useViews();
  const { data } = useCatalogue();
  const connection = useConnection();
  const sales = useSales();
  const alerts = useAlerts();
  const now = useNow();
  const top = useCalmRows(sales.today ? 'sales_top_products' : null, { business_date: sales.today })
    .filter((row) => row.currency === sales.currency)
    .sort((a, b) => (toNumber(a.place) ?? 0) - (toNumber(b.place) ?? 0))
    .slice(0, 8);
  const change = toNumber(sales.hour?.change_so_far_percent);
  const share = sales.target > 0 ? (sales.reached / sales.target) * 100 : null;
  if (views && !views.has('sales_by_day'))
    return (
      <main className="main">
        <NeedsPack pack="sales" what={t('nav.wall')} />
      </main>
    );
  return (
    <main className="wall">
      <header>
        <Link to="/" className="wall-brand">
          Rialto
        </Link>
        <h1>{sales.today ? dayName(sales.today) : t('nav.wall')}</h1>
        <span className="wall-end soft">
          <span className={`dot ${connection.state}`} /> {t(`connection.${connection.state}`)}
          <span>{t('moment.step', { step: number(data?.step ?? 0) })}</span>
          <time>{now.toLocaleTimeString(i18n.language)}</time>
        </span>
      </header>
      <Banners />
      <section className="bigs" aria-label={t('overview.today')}>
        <Big
          label={t('overview.sold')}
          value={money(sales.day?.gmv, sales.currency, 0)}
          tone={toneOf(change)}
          under={
            change === null
              ? t('overview.noYesterday')
              : t('overview.againstYesterday', { change: signedPercent(change) })
          }
        />
        <Big
          label={t('overview.orders')}
          value={number(sales.day?.orders)}
          under={t('overview.wholeYesterday', { value: number(sales.days.at(-2)?.orders) })}
        />
        <Big
          label={t('overview.basket')}
          value={money(sales.day?.basket_value, sales.currency)}
          under={t('overview.wholeYesterday', {
            value: money(sales.days.at(-2)?.basket_value, sales.currency),
          })}
        />
        <Big
          label={t('overview.target')}
          value={share === null ? '–' : percent(share, 0)}
          tone={sales.reached >= sales.expected ? 'good' : 'bad'}
          under={t('overview.expected', { value: money(sales.expected, sales.currency, 0) })}
        />
      </section>
      <section className="wall-grid">
        <TodayChart sales={sales} height={Math.max(240, Math.round(innerHeight * 0.4))} />
        <div className="panel span-4">
          <header>
            <h2>{t('overview.top')}</h2>
          </header>
          <ol className="list">
            {top.map((row) => (
              <li key={text(row.place)}>
                <span className="soft num" style={{ width: 22 }}>
                  {text(row.place)}
                </span>
                <span className="grow clip">{text(row.description)}</span>
                <span className="num">{money(row.gmv, row.currency, 0)}</span>
              </li>
            ))}
          </ol>
        </div>
        <div className="panel span-5">
          <header>
            <h2>{t('overview.stores')}</h2>
          </header>
          <ul className="list">
            {sales.stores.map((row) => {
              const target = toNumber(row.target) || 1;
              const reached = (toNumber(row.net_sales) ?? 0) / target;
              return (
                <li key={text(row.store_id)} style={{ alignItems: 'center' }}>
                  <span style={{ width: 'min(110px, 18vw)' }} className="clip">
                    {text(row.store_id)}
                  </span>
                  <span className="grow">
                    <Meter
                      share={reached}
                      mark={(toNumber(row.expected_by_now) ?? 0) / target}
                      label={text(row.store_id)}
                    />
                  </span>
                  <span className="num" style={{ width: 'min(110px, 20vw)' }}>
                    {money(row.net_sales, row.currency, 0)}
                  </span>
                  <span
                    className={`num ${row.on_course === true ? 'good' : 'soft'}`}
                    style={{ width: 'min(64px, 14vw)' }}
                  >
                    {percent(reached * 100, 0)}
                  </span>
                </li>
              );
            })}
          </ul>
        </div>
        <div className="panel span-7">
          <header>
            <h2>{t('overview.alerts')}</h2>
            <div className="end">
              <Badge>{number(alerts.length)}</Badge>
            </div>
          </header>
          <ul className="list">
            {alerts.slice(0, 6).map((alert) => (
              <li key={alert.id}>
                <Badge tone={alert.tone}>{t(`alert.kind.${alert.kind}`)}</Badge>
                <span className="grow clip">{alert.said}</span>
              </li>
            ))}
            {alerts.length === 0 && <li className="soft">{t('overview.quiet')}</li>}
          </ul>
        </div>
      </section>
    </main>
  );
}
