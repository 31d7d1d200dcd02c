// Pricing: what the rules want to change and why, what guards held back, and where we stand.
import { SegmentedControl } from '@mantine/core';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useRows, useViews } from '@/api/hooks';
import type { Row } from '@/api/types';
import { DataTable } from '@/components/DataTable';
import { money, NONE, number, text, toNumber } from '@/components/format';
import { NeedsPack, ProblemNotice } from '@/components/Notice';
import { Badge, Figures, PageHead, Panel } from '@/components/Panel';
import { useUrlState } from '@/components/urlState';
import { DecisionWhy, WhyDrawer } from '@/components/Why';
import { Position, Beside } from './Market';
import { useDecided, useColumns } from './changes';
import { Rules } from './Rules';

const RULES = ['stock_age', 'demand', 'competitor', 'margin'];

export function Pricing() {
  const { t } = useTranslation();
  const views = useViews();
  const { rows, problem, loading } = useDecided();
  const refused = useRows('pricing_refused');
  const columns = useColumns();
  const [status, setStatus] = useUrlState('status', 'all');
  const [open, setOpen] = useUrlState('open');
  const shown = useMemo(
    () => (status === 'all' ? rows : rows.filter((row) => row.status === status)),
    [rows, status],
  );
  if (views && !views.has('pricing_decision'))
    return <NeedsPack pack="pricing" what={t('nav.pricing')} />;
  const opened = rows.find((row) => row.decision_id === open);
  const of = (name: string) => rows.filter((row) => row.status === name).length;
  const up = rows.filter((row) => (toNumber(row.change) ?? 0) > 0).length;
  return (
    <>
      <PageHead title={t('nav.pricing')} note={t('pricing.note')} />
      {problem && <ProblemNotice problem={problem} />}
      <Figures
        figures={[
          {
            label: t('pricing.waiting'),
            value: number(of('proposed')),
            under: t('pricing.waitingMeans'),
          },
          {
            label: t('status.approved'),
            value: number(of('approved')),
            under: t('pricing.approvedMeans'),
          },
          {
            label: t('status.rejected'),
            value: number(of('rejected')),
            under: t('pricing.rejectedMeans'),
          },
          {
            label: t('pricing.direction'),
            value: `${number(up)} ↑ ${number(rows.length - up)} ↓`,
            under: t('pricing.directionMeans'),
          },
          {
            label: t('pricing.floored'),
            value: number(rows.filter((row) => row.floored === true).length),
            under: t('pricing.refused', { rows: number(refused.length) }),
          },
        ]}
      />
      <div className="grid">
        <Panel
          title={t('pricing.changes')}
          flush
          end={RULES.map((rule) => {
            const found = rows.filter((row) => row.rule === rule).length;
            return (
              found > 0 && (
                <Badge key={rule}>
                  {t(`pricing.rules.${rule}`)} {number(found)}
                </Badge>
              )
            );
          })}
        >
          <DataTable
            name="prices"
            label={t('pricing.changes')}
            columns={columns}
            rows={shown}
            height={420}
            loading={loading}
            rowKey={(row) => text(row.decision_id)}
            order="-decided"
            onOpen={(row) => setOpen(text(row.decision_id))}
            openKey={open}
            tools={
              <SegmentedControl
                size="xs"
                value={status}
                onChange={setStatus}
                aria-label={t('pricing.status')}
                data={['all', 'proposed', 'approved', 'rejected'].map((value) => ({
                  value,
                  label: value === 'all' ? t('inventory.is.all') : t(`status.${value}`),
                }))}
              />
            }
          />
        </Panel>
        {views?.has('pricing_rule') && <Rules />}
        {views?.has('market_price_index') && (
          <>
            <Position />
            <Beside />
          </>
        )}
      </div>
      <WhyDrawer
        open={opened !== undefined}
        onClose={() => setOpen('')}
        title={opened ? text(opened.sku) : ''}
      >
        {opened && <DecisionWhy row={opened} />}
        {opened && <Guards row={opened} />}
      </WhyDrawer>
    </>
  );
}

function Guards({ row }: { row: Row }) {
  const { t } = useTranslation();
  const reference = useRows('pricing_reference', { sku: text(row.sku) })[0];
  const others = useRows('pricing_competitor', { sku: text(row.sku) })[0];
  const pairs: [string, string][] = [
    [t('pricing.floor'), money(row.floor_price, row.currency)],
    [t('pricing.reference'), money(reference?.lowest_30_days, row.currency)],
    [
      t('pricing.lowest'),
      others
        ? t('pricing.of', {
            price: money(others.lowest, row.currency),
            count: toNumber(others.competitors) ?? 0,
            others: number(others.competitors),
          })
        : NONE,
    ],
  ];
  return (
    <>
      <h3 className="why-head">{t('pricing.guards')}</h3>
      <dl className="pairs">
        {pairs.map(([label, value]) => (
          <div key={label} style={{ display: 'contents' }}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
