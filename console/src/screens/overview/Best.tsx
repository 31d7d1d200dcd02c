// What sells best today: articles, and categories.
import { useTranslation } from 'react-i18next';
import { useCalmRows } from '@/api/hooks';
import { money, number, percent, text, toNumber } from '@/components/format';
import { Nothing } from '@/components/Notice';
import { Panel } from '@/components/Panel';
import type { Sales } from './sales';

export function TopProducts({ sales }: { sales: Sales }) {
  const { t } = useTranslation();
  const rows = useCalmRows(sales.today ? 'sales_top_products' : null, {
    business_date: sales.today,
  });
  const top = rows
    .filter((row) => row.currency === sales.currency)
    .sort((a, b) => (toNumber(a.place) ?? 0) - (toNumber(b.place) ?? 0))
    .slice(0, 8);
  const most = Math.max(1, ...top.map((row) => toNumber(row.gmv) ?? 0));
  return (
    <Panel title={t('overview.top')} span={5} flush>
      {top.length === 0 && <Nothing>{t('table.empty')}</Nothing>}
      <ul className="list">
        {top.map((row) => (
          <li
            key={text(row.place)}
            style={{ backgroundSize: `${((toNumber(row.gmv) ?? 0) / most) * 100}% 100%` }}
            className="barred"
          >
            <span className="soft num" style={{ width: 18 }}>
              {text(row.place)}
            </span>
            <span className="grow clip">
              {text(row.description)} <span className="soft">{text(row.sku)}</span>
            </span>
            <span className="num soft">{t('overview.pieces', { units: number(row.units) })}</span>
            <span className="num" style={{ width: 84 }}>
              {money(row.gmv, row.currency)}
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

export function Categories({ sales }: { sales: Sales }) {
  const { t } = useTranslation();
  const rows = useCalmRows(sales.today ? 'sales_top_categories' : null, {
    business_date: sales.today,
  });
  const top = rows
    .filter((row) => row.currency === sales.currency)
    .sort((a, b) => (toNumber(a.place) ?? 0) - (toNumber(b.place) ?? 0))
    .slice(0, 8);
  return (
    <Panel title={t('overview.categories')} span={4} flush>
      {top.length === 0 && <Nothing>{t('table.empty')}</Nothing>}
      <ul className="list">
        {top.map((row) => (
          <li
            key={text(row.place)}
            className="barred"
            style={{ backgroundSize: `${toNumber(row.share_percent) ?? 0}% 100%` }}
          >
            <span className="grow clip">{text(row.category_id)}</span>
            <span className="num soft">{percent(row.share_percent)}</span>
            <span className="num" style={{ width: 84 }}>
              {money(row.gmv, row.currency)}
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
