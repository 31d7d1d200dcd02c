// What changed rules would bring: prices from and to, and what that is worth a day.
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { Simulated as Found } from '@/api/acts';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { money, number, text, toNumber } from '@/components/format';
import { reasonSaid } from '@/components/reasons';

export function Simulated({ found }: { found: Found }) {
  const { t } = useTranslation();
  const columns = useMemo<TableColumn[]>(() => {
    const rule = (name: string) =>
      name === '' ? t('rules.stays') : t(`pricing.rules.${name}`, { defaultValue: name });
    return [
      { id: 'sku', header: t('pricing.sku'), value: (row) => row.sku, width: 'minmax(90px, 1fr)' },
      {
        id: 'was',
        header: t('pricing.was'),
        numeric: true,
        width: '92px',
        value: (row) => row.price,
        cell: (row) => money(row.price, row.currency),
      },
      {
        id: 'now',
        header: t('rules.now'),
        numeric: true,
        width: '150px',
        value: (row) => row.now_price,
        cell: (row) => (
          <span className="soft">
            {rule(text(row.now_rule))} {money(row.now_price, row.currency)}
          </span>
        ),
      },
      {
        id: 'then',
        header: t('rules.then'),
        numeric: true,
        width: '150px',
        value: (row) => row.new_price,
        cell: (row) => (
          <strong style={{ fontWeight: 600 }}>
            {rule(text(row.rule))} {money(row.new_price, row.currency)}
          </strong>
        ),
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
        id: 'margin',
        header: t('rules.margin'),
        numeric: true,
        width: '116px',
        value: (row) => row.margin_a_day,
        cell: (row) => {
          const worth = toNumber(row.margin_a_day) ?? 0;
          const tone = worth < 0 ? 'bad' : worth > 0 ? 'good' : 'soft';
          return <span className={tone}>{money(row.margin_a_day, row.currency)}</span>;
        },
      },
      {
        id: 'why',
        header: t('rules.why'),
        width: 'minmax(200px, 3fr)',
        value: (row) => (row.is_cooling === true ? t('rules.cooling') : reasonSaid(row.reason)),
      },
    ];
  }, [t]);
  return (
    <section aria-label={t('rules.found')} data-testid="simulated">
      <div className="notice" style={{ margin: '4px 14px 10px' }}>
        <div>
          <strong>
            {found.differ === 0
              ? t('rules.nothing')
              : t('rules.differ', { count: found.differ, rows: number(found.differ) })}
          </strong>
          {found.effects.map(({ currency, margin_a_day }) => (
            <div key={currency}>{t('rules.effect', { amount: money(margin_a_day, currency) })}</div>
          ))}
          <div className="soft">{t('rules.step', { step: number(found.step) })}</div>
        </div>
      </div>
      {found.differ > 0 && (
        <DataTable
          name="simulated"
          label={t('rules.found')}
          columns={columns}
          rows={found.rows}
          rowKey={(row) => text(row.sku)}
          height={260}
        />
      )}
    </section>
  );
}
