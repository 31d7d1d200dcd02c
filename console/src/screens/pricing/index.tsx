// Pricing: what the rules want to change and why, what guards held back, and where we stand.
import { SegmentedControl } from '@mantine/core';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useLive, useRows, useViews } from '@/api/hooks';
import type { Row } from '@/api/types';
import { Chart, type Palette } from '@/components/Chart';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { dayOf, money, NONE, number, signedPercent, text, timeOf, toNumber } from '@/components/format';
import { NeedsPack, ProblemNotice } from '@/components/Notice';
import { Badge, Figures, PageHead, Panel } from '@/components/Panel';
import { useUrlState } from '@/components/urlState';
import { DecisionWhy, parsed, reasonsOf, StatusBadge, WhyDrawer } from '@/components/Why';

const RULES = ['stock_age', 'demand', 'competitor', 'margin'];

/** A decision with the price it changes, the proposal behind it, and the market beside it. */
function useDecided(): { rows: Row[]; problem?: ReturnType<typeof useLive>['problem']; loading: boolean } {
  const decisions = useLive('pricing_decision');
  const proposals = useRows('pricing_proposal');
  const market = useRows('market_price_index');
  const rows = useMemo(() => {
    const bySku = new Map(proposals.map((row) => [row.sku, row]));
    const index = new Map(market.map((row) => [row.sku, row]));
    return decisions.rows.map((row): Row => {
      const action = parsed(row.action) as Record<string, string> | null;
      const was = toNumber(action?.was);
      const amount = toNumber(row.amount);
      const proposal = bySku.get(row.sku);
      return {
        ...row, was, rule: action?.rule ?? null,
        change: was && amount !== null ? ((amount - was) / was) * 100 : null,
        floor_price: proposal?.floor_price ?? null, floored: proposal?.floored ?? false,
        median: index.get(row.sku)?.median ?? null,
      };
    });
  }, [decisions.rows, proposals, market]);
  return { rows, problem: decisions.problem, loading: decisions.state === 'loading' };
}

function useColumns(): TableColumn[] {
  const { t } = useTranslation();
  return useMemo(() => [
    { id: 'decided', header: t('pricing.day'), width: '100px', value: (row) => row.decided_at, cell: (row) => dayOf(row.decided_at) },
    { id: 'sku', header: t('pricing.sku'), width: 'minmax(100px, 1fr)', value: (row) => row.sku },
    { id: 'rule', header: t('pricing.rule'), width: '128px', value: (row) => row.rule,
      cell: (row) => t(`pricing.rules.${text(row.rule)}`, { defaultValue: text(row.rule) }) },
    { id: 'was', header: t('pricing.was'), numeric: true, width: '92px', value: (row) => row.was, cell: (row) => money(row.was, row.currency) },
    { id: 'amount', header: t('pricing.becomes'), numeric: true, width: '92px', value: (row) => row.amount,
      cell: (row) => <strong style={{ fontWeight: 600 }}>{money(row.amount, row.currency)}</strong> },
    { id: 'change', header: t('pricing.change'), numeric: true, width: '92px', value: (row) => row.change, cell: (row) => signedPercent(row.change) },
    { id: 'floor', header: t('pricing.floor'), numeric: true, width: '92px', value: (row) => row.floor_price,
      cell: (row) => <span className={row.floored === true ? 'care' : 'soft'}>{money(row.floor_price, row.currency)}</span> },
    { id: 'median', header: t('pricing.median'), numeric: true, width: '104px', value: (row) => row.median,
      cell: (row) => <span className="soft">{row.median === null ? NONE : money(row.median, row.currency)}</span> },
    { id: 'status', header: t('pricing.status'), width: '106px', value: (row) => row.status, cell: (row) => <StatusBadge status={text(row.status)} /> },
    { id: 'why', header: t('why.title'), width: 'minmax(240px, 3fr)', value: (row) => reasonsOf(row).join('; '),
      cell: (row) => <span className="soft">{reasonsOf(row).join('; ')}</span> },
  ], [t]);
}

function Position() {
  const { t } = useTranslation();
  const found = useRows('market_price_index_by_category');
  const rows = useMemo(() => [...found].sort((a, b) => (toNumber(b.price_index) ?? 0) - (toNumber(a.price_index) ?? 0)), [found]);
  const option = useMemo(() => (palette: Palette) => ({
    legend: { show: false },
    grid: { left: 8, right: 34, top: 6, bottom: 4, containLabel: true },
    xAxis: { type: 'value', min: 80, max: 120, axisLabel: { formatter: (value: number) => number(value) } },
    yAxis: { type: 'category', inverse: true, data: rows.map((row) => text(row.category_id)), axisLabel: { color: palette.ink } },
    series: [{
      type: 'bar', name: t('pricing.index'), barMaxWidth: 12,
      // Bars begin at 100, the median of the others: left of it we are cheaper.
      stack: 'index', itemStyle: { color: 'transparent' }, silent: true, tooltip: { show: false },
      data: rows.map((row) => Math.min(100, toNumber(row.price_index) ?? 100)),
    }, {
      type: 'bar', name: t('pricing.index'), stack: 'index', barMaxWidth: 12,
      label: { show: true, position: 'right', color: palette.soft, fontSize: 11.5,
        formatter: (at: { dataIndex: number }) => number(rows[at.dataIndex]?.price_index) },
      data: rows.map((row) => {
        const index = toNumber(row.price_index) ?? 100;
        return { value: Math.abs(index - 100), itemStyle: { color: index > 100 ? palette.series[2] : palette.series[0], borderRadius: 2 } };
      }),
    }],
    tooltip: { show: false },
  }), [rows, t]);
  return (
    <Chart name="price-position" title={t('pricing.position')} span={6} height={Math.max(120, rows.length * 24)}
      option={option} rows={rows} empty={t('pricing.noMarket')}
      columns={[
        { id: 'category', header: t('pricing.category'), value: (row) => row.category_id },
        { id: 'index', header: t('pricing.index'), numeric: true, value: (row) => row.price_index, cell: (row) => number(row.price_index, 1) },
        { id: 'skus', header: t('pricing.skus'), numeric: true, value: (row) => row.skus },
        { id: 'dearer', header: t('pricing.dearer'), numeric: true, value: (row) => row.dearer },
        { id: 'cheaper', header: t('pricing.cheaper'), numeric: true, value: (row) => row.cheaper },
      ]} />
  );
}

function Beside() {
  const { t } = useTranslation();
  const rows = useRows('market_price_index');
  const columns = useMemo<TableColumn[]>(() => [
    { id: 'sku', header: t('pricing.sku'), value: (row) => row.sku, width: 'minmax(90px, 1fr)' },
    { id: 'category', header: t('pricing.category'), value: (row) => row.category_id, width: 'minmax(90px, 1fr)' },
    { id: 'ours', header: t('pricing.ours'), numeric: true, width: '84px', value: (row) => row.our_price, cell: (row) => money(row.our_price, row.currency) },
    { id: 'median', header: t('pricing.median'), numeric: true, width: '104px', value: (row) => row.median, cell: (row) => money(row.median, row.currency) },
    { id: 'index', header: t('pricing.index'), numeric: true, width: '76px', value: (row) => row.price_index,
      cell: (row) => <span className={(toNumber(row.price_index) ?? 100) > 110 ? 'bad' : (toNumber(row.price_index) ?? 100) < 80 ? 'care' : ''}>{number(row.price_index, 1)}</span> },
    { id: 'competitors', header: t('pricing.competitors'), numeric: true, width: '100px', value: (row) => row.competitors },
    { id: 'seen', header: t('pricing.seen'), width: '136px', value: (row) => row.last_seen, cell: (row) => <span className="soft">{timeOf(row.last_seen)}</span> },
  ], [t]);
  return (
    <Panel title={t('pricing.beside')} span={6} flush>
      <DataTable name="market" label={t('pricing.beside')} columns={columns} rows={rows} height={300}
        rowKey={(row) => text(row.sku) + text(row.currency)} order="-index" />
    </Panel>
  );
}

export function Pricing() {
  const { t } = useTranslation();
  const views = useViews();
  const { rows, problem, loading } = useDecided();
  const refused = useRows('pricing_refused');
  const columns = useColumns();
  const [status, setStatus] = useUrlState('status', 'all');
  const [open, setOpen] = useUrlState('open');
  const shown = useMemo(() => (status === 'all' ? rows : rows.filter((row) => row.status === status)), [rows, status]);
  if (views && !views.has('pricing_decision')) return <NeedsPack pack="pricing" what={t('nav.pricing')} />;
  const opened = rows.find((row) => row.decision_id === open);
  const of = (name: string) => rows.filter((row) => row.status === name).length;
  const up = rows.filter((row) => (toNumber(row.change) ?? 0) > 0).length;
  return (
    <>
      <PageHead title={t('nav.pricing')} note={t('pricing.note')} />
      {problem && <ProblemNotice problem={problem} />}
      <Figures figures={[
        { label: t('pricing.waiting'), value: number(of('proposed')), under: t('pricing.waitingMeans') },
        { label: t('status.approved'), value: number(of('approved')), under: t('pricing.approvedMeans') },
        { label: t('status.rejected'), value: number(of('rejected')), under: t('pricing.rejectedMeans') },
        { label: t('pricing.direction'), value: `${number(up)} ↑ ${number(rows.length - up)} ↓`, under: t('pricing.directionMeans') },
        { label: t('pricing.floored'), value: number(rows.filter((row) => row.floored === true).length), under: t('pricing.refused', { rows: number(refused.length) }) },
      ]} />
      <div className="grid">
        <Panel title={t('pricing.changes')} flush end={RULES.map((rule) => {
          const found = rows.filter((row) => row.rule === rule).length;
          return found > 0 && <Badge key={rule}>{t(`pricing.rules.${rule}`)} {number(found)}</Badge>;
        })}>
          <DataTable name="prices" label={t('pricing.changes')} columns={columns} rows={shown} height={420} loading={loading}
            rowKey={(row) => text(row.decision_id)} order="-decided" onOpen={(row) => setOpen(text(row.decision_id))} openKey={open}
            tools={<SegmentedControl size="xs" value={status} onChange={setStatus} aria-label={t('pricing.status')}
              data={['all', 'proposed', 'approved', 'rejected'].map((value) => ({ value, label: value === 'all' ? t('inventory.is.all') : t(`status.${value}`) }))} />} />
        </Panel>
        {views?.has('market_price_index') && <><Position /><Beside /></>}
      </div>
      <WhyDrawer open={opened !== undefined} onClose={() => setOpen('')} title={opened ? text(opened.sku) : ''}>
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
    [t('pricing.lowest'), others ? t('pricing.of', { price: money(others.lowest, row.currency), count: toNumber(others.competitors) ?? 0, others: number(others.competitors) }) : NONE],
  ];
  return (
    <>
      <h3 className="why-head">{t('pricing.guards')}</h3>
      <dl className="pairs">
        {pairs.map(([label, value]) => <div key={label} style={{ display: 'contents' }}><dt>{label}</dt><dd>{value}</dd></div>)}
      </dl>
    </>
  );
}
