// The columns of the table of customers.
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { Row } from '@/api/types';
import type { TableColumn } from '@/components/DataTable';
import { dayOf, NONE, number, text } from '@/components/format';
import { Badge } from '@/components/Panel';

export const RFM_TONES: Record<string, string> = {
  champion: 'good',
  loyal: 'good',
  promising: 'accent',
  new: 'accent',
  needs_attention: 'care',
  at_risk: 'care',
  cannot_lose: 'bad',
  hibernating: '',
};

export const segmentsOf = (row: Row): string[] =>
  Array.isArray(row.segments) ? row.segments.map(text) : [];

export function useColumns(): TableColumn[] {
  const { t } = useTranslation();
  return useMemo(
    () => [
      {
        id: 'id',
        header: t('customers.id'),
        value: (row) => row.customer_id,
        width: 'minmax(84px, 1fr)',
      },
      {
        id: 'group',
        header: t('customers.group'),
        value: (row) => row.rfm_segment,
        width: '136px',
        cell: (row) => (
          <Badge tone={RFM_TONES[text(row.rfm_segment)]}>
            {t(`customers.rfm.${text(row.rfm_segment)}`, { defaultValue: text(row.rfm_segment) })}
          </Badge>
        ),
      },
      {
        id: 'spent',
        header: t('customers.spent'),
        numeric: true,
        width: '96px',
        value: (row) => row.monetary,
        cell: (row) => <strong style={{ fontWeight: 600 }}>{number(row.monetary, 2)}</strong>,
      },
      {
        id: 'orders',
        header: t('customers.orders'),
        numeric: true,
        width: '72px',
        value: (row) => row.frequency,
        cell: (row) => number(row.frequency),
      },
      {
        id: 'silent',
        header: t('customers.silent'),
        numeric: true,
        width: '96px',
        value: (row) => row.recency_days,
        cell: (row) => number(row.recency_days),
      },
      {
        id: 'last',
        header: t('customers.last'),
        width: '108px',
        value: (row) => row.last_at,
        cell: (row) => <span className="soft">{dayOf(row.last_at)}</span>,
      },
      {
        id: 'segments',
        header: t('customers.segments'),
        width: 'minmax(200px, 3fr)',
        value: (row) => segmentsOf(row).join(', '),
        cell: (row) =>
          segmentsOf(row).map((name) => (
            <Badge key={name}>{t(`customers.segment.${name}`, { defaultValue: name })}</Badge>
          )),
      },
      {
        id: 'tier',
        header: t('customers.tier'),
        width: '92px',
        value: (row) => row.tier,
        cell: (row) => text(row.tier),
      },
      {
        id: 'consent',
        header: t('customers.consent'),
        width: '112px',
        value: (row) => row.allowed,
        cell: (row) =>
          row.allowed === null ? (
            NONE
          ) : row.allowed === true ? (
            t('customers.yes')
          ) : (
            <span className="soft">{t('customers.no')}</span>
          ),
      },
      {
        id: 'cycle',
        header: t('customers.cycle'),
        numeric: true,
        width: '112px',
        value: (row) => row.cycle_days,
        cell: (row) => number(row.cycle_days, 1),
      },
      {
        id: 'score',
        header: 'R · F · M',
        width: '84px',
        value: (row) => `${text(row.r)}${text(row.f)}${text(row.m)}`,
        cell: (row) => (
          <span className="soft">{`${text(row.r)} · ${text(row.f)} · ${text(row.m)}`}</span>
        ),
      },
    ],
    [t],
  );
}
