// Why a decision was made: its action, its reasons, what it was made from, and who was left out.
import { Code, Drawer } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import type { Row, Value } from '@/api/types';
import { Badge } from './Panel';
import { parsed, reasonsOf } from './reasons';
import { Review } from './Review';
import { clipped, money, NONE, number, percent, text, timeOf, toNumber } from './format';

export const STATUS_TONES: Record<string, string> = {
  proposed: 'accent',
  approved: 'good',
  applied: 'good',
  rejected: 'bad',
  expired: 'care',
};

export function StatusBadge({ status }: { status: string }) {
  const { t } = useTranslation();
  const said = t(`status.${status}`, { defaultValue: status });
  return <Badge tone={STATUS_TONES[status]}>{said}</Badge>;
}

const ARTICLES_MAX = 3;

/** The articles of a list, by their places: {"01": "tea", "02": "pot"}. */
export const articlesOf = (action: Record<string, Value> | null): string[] =>
  Object.entries(action ?? {})
    .filter(([place]) => /^\d+$/.test(place))
    .sort(([one], [other]) => Number(one) - Number(other))
    .map(([, sku]) => text(sku));

/** What a decision wants, in few words. */
export function useWanted(): (row: Row) => string {
  const { t } = useTranslation();
  return (row) => {
    const type = text(row.decision_type);
    const action = parsed(row.action) as Record<string, string> | null;
    const articles = articlesOf(action);
    const more = articles.length > ARTICLES_MAX ? ', …' : '';
    const values = {
      articles: clipped(articles.slice(0, ARTICLES_MAX).join(', ') + more, 120),
      quantity: number(row.quantity),
      location: text(row.location_id),
      from: text(action?.from_location_id),
      amount: money(row.amount, row.currency),
      was: money(action?.was ?? null, row.currency),
      share: percent((toNumber(row.amount) ?? 0) * 100, 0),
      template: text(action?.template),
    };
    return t(`wanted.${type}`, { ...values, defaultValue: type });
  };
}

export function subjectLink(row: Row) {
  const said = clipped(text(row.subject_id), 60);
  if (row.subject_type !== 'customer') return said;
  return (
    <Link
      to="/customers/$id"
      params={{ id: text(row.subject_id) }}
      onClick={(e) => e.stopPropagation()}
    >
      {said}
    </Link>
  );
}

export function DecisionWhy({ row }: { row: Row }) {
  const { t } = useTranslation();
  const wanted = useWanted();
  const action = parsed(row.action);
  const age = toNumber(row.data_age_ms);
  const odds = percent((toNumber(row.propensity) ?? 0) * 100, 0);
  const pairs: [string, React.ReactNode][] = [
    [t('why.subject'), subjectLink(row)],
    [t('why.decided'), timeOf(row.decided_at)],
    [
      t('why.policy'),
      `${text(row.policy)} · ${t('why.version', { version: text(row.policy_version) })}`,
    ],
    [t('why.age'), age === null ? NONE : t('why.minutes', { minutes: number(age / 60_000) })],
    [
      t('why.experiment'),
      row.experiment ? `${text(row.experiment)} · ${text(row.variant)} · ${odds}` : NONE,
    ],
    [t('why.actor'), text(row.actor)],
    [
      t('why.id'),
      <span className="mono" key="id">
        {clipped(text(row.decision_id))}
      </span>,
    ],
  ];
  return (
    <>
      <p style={{ display: 'flex', gap: 8, alignItems: 'center', margin: '0 0 12px' }}>
        <StatusBadge status={text(row.status)} />
        <strong style={{ fontSize: 15 }}>{wanted(row)}</strong>
      </p>
      <Review key={text(row.decision_id)} row={row} />
      <h3 className="why-head">{t('why.reasons')}</h3>
      <ul className="reasons">
        {reasonsOf(row).map((reason, at) => (
          <li key={at}>{clipped(reason, 2000)}</li>
        ))}
      </ul>
      <h3 className="why-head">{t('why.from')}</h3>
      <dl className="pairs">
        {pairs.map(([label, value]) => (
          <div key={label} style={{ display: 'contents' }}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <h3 className="why-head">{t('why.action')}</h3>
      <Code block>
        {clipped(typeof action === 'string' ? action : JSON.stringify(action, null, 2), 4000)}
      </Code>
    </>
  );
}

export function WhyDrawer(props: {
  title: string;
  open: boolean;
  onClose: () => void;
  children: React.ReactNode;
}) {
  const { t } = useTranslation();
  return (
    <Drawer
      opened={props.open}
      onClose={props.onClose}
      position="right"
      size={460}
      padding="lg"
      title={
        <strong style={{ fontSize: 16, overflowWrap: 'anywhere' }}>
          {clipped(props.title, 120)}
        </strong>
      }
      closeButtonProps={{ 'aria-label': t('why.close') }}
      overlayProps={{ backgroundOpacity: 0.18 }}
      transitionProps={{ duration: 120 }}
    >
      {props.children}
    </Drawer>
  );
}
