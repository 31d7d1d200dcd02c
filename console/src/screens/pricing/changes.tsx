// The price changes as rows of a table: the decision, what it changes, the market beside.
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useLive, useRows } from '@/api/hooks';
import type { Row } from '@/api/types';
import { type TableColumn } from '@/components/DataTable';
import { dayOf, money, NONE, signedPercent, text, toNumber } from '@/components/format';
import { useReviewed } from '@/components/Review';
import { parsed, reasonsOf } from '@/components/reasons';
import { StatusBadge } from '@/components/Why';

/** A decision with the price it changes, the proposal behind it, and the market beside it. */
export function useDecided(): {
  rows: Row[];
  problem?: ReturnType<typeof useLive>['problem'];
  loading: boolean;
} {
  const decisions = useLive('pricing_decision');
  const reviewed = useReviewed(decisions.rows);
  const proposals = useRows('pricing_proposal');
  const market = useRows('market_price_index');
  const rows = useMemo(() => {
    const bySku = new Map(proposals.map((row) => [row.sku, row]));
    const index = new Map(market.map((row) => [row.sku, row]));
    return reviewed.map((row): Row => {
      const action = parsed(row.action) as Record<string, string> | null;
      const was = toNumber(action?.was);
      const amount = toNumber(row.amount);
      const proposal = bySku.get(row.sku);
      return {
        ...row,
        was,
        rule: action?.rule ?? null,
        change: was && amount !== null ? ((amount - was) / was) * 100 : null,
        floor_price: proposal?.floor_price ?? null,
        floored: proposal?.floored ?? false,
        median: index.get(row.sku)?.median ?? null,
      };
    });
  }, [reviewed, proposals, market]);
  return { rows, problem: decisions.problem, loading: decisions.state === 'loading' };
}

export function useColumns(): TableColumn[] {
  const { t } = useTranslation();
  return useMemo(
    () => [
      {
        id: 'decided',
        header: t('pricing.day'),
        width: '112px',
        value: (row) => row.decided_at,
        cell: (row) => dayOf(row.decided_at),
      },
      { id: 'sku', header: t('pricing.sku'), width: 'minmax(100px, 1fr)', value: (row) => row.sku },
      {
        id: 'rule',
        header: t('pricing.rule'),
        width: '128px',
        value: (row) => row.rule,
        cell: (row) => t(`pricing.rules.${text(row.rule)}`, { defaultValue: text(row.rule) }),
      },
      {
        id: 'was',
        header: t('pricing.was'),
        numeric: true,
        width: '92px',
        value: (row) => row.was,
        cell: (row) => money(row.was, row.currency),
      },
      {
        id: 'amount',
        header: t('pricing.becomes'),
        numeric: true,
        width: '92px',
        value: (row) => row.amount,
        cell: (row) => (
          <strong style={{ fontWeight: 600 }}>{money(row.amount, row.currency)}</strong>
        ),
      },
      {
        id: 'change',
        header: t('pricing.change'),
        numeric: true,
        width: '92px',
        value: (row) => row.change,
        cell: (row) => signedPercent(row.change),
      },
      {
        id: 'floor',
        header: t('pricing.floor'),
        numeric: true,
        width: '92px',
        value: (row) => row.floor_price,
        cell: (row) => (
          <span className={row.floored === true ? 'care' : 'soft'}>
            {money(row.floor_price, row.currency)}
          </span>
        ),
      },
      {
        id: 'median',
        header: t('pricing.median'),
        numeric: true,
        width: '104px',
        value: (row) => row.median,
        cell: (row) => (
          <span className="soft">
            {row.median === null ? NONE : money(row.median, row.currency)}
          </span>
        ),
      },
      {
        id: 'status',
        header: t('pricing.status'),
        width: '106px',
        value: (row) => row.status,
        cell: (row) => <StatusBadge status={text(row.status)} />,
      },
      {
        id: 'why',
        header: t('why.title'),
        width: 'minmax(240px, 3fr)',
        value: (row) => reasonsOf(row).join('; '),
        cell: (row) => <span className="soft">{reasonsOf(row).join('; ')}</span>,
      },
    ],
    [t],
  );
}
