// The explorer: a customer, a session or an article in; ranked lists with their reasons out.
import { Autocomplete, SegmentedControl } from '@mantine/core';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLive, usePage, useViews } from '@/api/hooks';
import type { Row } from '@/api/types';
import { number, text, toNumber } from '@/components/format';
import { NeedsPack, Nothing } from '@/components/Notice';
import { Badge, PageHead, Panel } from '@/components/Panel';
import { reasonSaid } from '@/components/reasons';
import { useGo, useUrlState } from '@/components/urlState';

const byPlace = (a: Row, b: Row) => (toNumber(a.place) ?? 0) - (toNumber(b.place) ?? 0);

function Ranked({
  title,
  rows,
  why,
  open,
}: {
  title: string;
  rows: Row[];
  why: (row: Row) => string;
  open: (sku: string) => void;
}) {
  const { t } = useTranslation();
  return (
    <Panel title={title} span={6} flush end={<span className="soft">{number(rows.length)}</span>}>
      {rows.length === 0 && <Nothing>{t('recommend.none')}</Nothing>}
      <ol className="list">
        {[...rows].sort(byPlace).map((row) => {
          const sku = text(row.with_sku ?? row.sku);
          return (
            <li key={`${text(row.place)} ${sku}`}>
              <span className="num soft" style={{ width: 20 }}>
                {text(row.place)}
              </span>
              <button type="button" className="plain link" onClick={() => open(sku)}>
                {sku}
              </button>
              <span className="grow soft" style={{ textAlign: 'right' }}>
                {why(row)}
              </span>
            </li>
          );
        })}
      </ol>
    </Panel>
  );
}

function Lists({
  view,
  params,
  fallback,
  open,
}: {
  view: string;
  params: Record<string, string>;
  fallback: string;
  open: (sku: string) => void;
}) {
  const { t } = useTranslation();
  const found = useLive(view, params);
  const lists = [...new Set(found.rows.map((row) => text(row.list_id ?? fallback)))].sort();
  if (lists.length === 0) {
    return (
      <div className="panel span-12">
        <Nothing>{found.state === 'loading' ? t('table.loading') : t('recommend.nobody')}</Nothing>
      </div>
    );
  }
  return lists.map((list) => (
    <Ranked
      key={list}
      title={t(`recommend.list.${list}`, { defaultValue: list })}
      open={open}
      rows={found.rows.filter((row) => text(row.list_id ?? fallback) === list)}
      why={(row) => reasonSaid(row.reason)}
    />
  ));
}

function Article({ sku, open }: { sku: string; open: (sku: string) => void }) {
  const { t } = useTranslation();
  const bought = useLive('recommend_bought_with', { sku }).rows;
  const viewed = useLive('recommend_viewed_with', { sku }).rows;
  const popular = useLive('recommend_popular', { sku }).rows[0];
  const out = useLive('recommend_out_of_stock', { sku }).rows.length > 0;
  return (
    <>
      <p className="span-12" style={{ margin: 0, display: 'flex', gap: 8, alignItems: 'center' }}>
        <strong style={{ fontSize: 16 }}>{sku}</strong>
        {popular && (
          <Badge tone="accent">{t('recommend.popular', { place: number(popular.place) })}</Badge>
        )}
        {out && <Badge tone="bad">{t('recommend.out')}</Badge>}
      </p>
      <Ranked
        title={t('recommend.boughtWith')}
        rows={bought}
        open={open}
        why={(row) =>
          t('recommend.baskets', {
            count: toNumber(row.baskets) ?? 0,
            baskets: number(row.baskets),
          })
        }
      />
      <Ranked
        title={t('recommend.viewedWith')}
        rows={viewed}
        open={open}
        why={(row) =>
          t('recommend.sessions', {
            count: toNumber(row.sessions) ?? 0,
            sessions: number(row.sessions),
          })
        }
      />
    </>
  );
}

const KINDS = {
  customer: { view: 'recommend_customer_list', column: 'customer_id' },
  session: { view: 'recommend_session_list', column: 'session_id' },
  sku: { view: 'recommend_bought_with', column: 'sku' },
} as const;
type Kind = keyof typeof KINDS;

export function Recommendations() {
  const { t } = useTranslation();
  const views = useViews();
  const go = useGo();
  const [kindText] = useUrlState('by', 'customer');
  const kind: Kind = kindText in KINDS ? (kindText as Kind) : 'customer';
  const [subject, setSubject] = useUrlState('for');
  const [typed, setTyped] = useState<string | null>(null);
  const { view, column } = KINDS[kind];
  const first = usePage(view, { limit: 1000 }, 10_000);
  const known = useMemo(
    () => [...new Set((first.data?.rows ?? []).map((row) => text(row[column])))].slice(0, 200),
    [first.data, column],
  );
  const chosen = subject || known[0] || '';
  const openSku = (sku: string) => go({ by: 'sku', for: sku });
  if (views && !views.has('recommend_customer_list'))
    return <NeedsPack pack="recommend" what={t('nav.recommendations')} />;
  return (
    <>
      <PageHead title={t('nav.recommendations')} note={t('recommend.note')} />
      <div style={{ display: 'flex', gap: 12, marginBottom: 16, flexWrap: 'wrap' }}>
        <SegmentedControl
          size="sm"
          value={kind}
          aria-label={t('recommend.by')}
          onChange={(value) => {
            setTyped(null);
            go({ by: value === 'customer' ? '' : value, for: '' });
          }}
          data={(Object.keys(KINDS) as Kind[]).map((value) => ({
            value,
            label: t(`recommend.kind.${value}`),
          }))}
        />
        <Autocomplete
          w={280}
          data={known}
          value={typed ?? chosen}
          aria-label={t('recommend.subject')}
          limit={12}
          maxDropdownHeight={320}
          onChange={setTyped}
          onOptionSubmit={(value) => {
            setTyped(null);
            setSubject(value);
          }}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && typed) {
              setSubject(typed);
              setTyped(null);
            }
          }}
        />
      </div>
      <div className="grid">
        {chosen && kind === 'customer' && (
          <Lists view={view} params={{ customer_id: chosen }} fallback="discover" open={openSku} />
        )}
        {chosen && kind === 'session' && (
          <Lists view={view} params={{ session_id: chosen }} fallback="session" open={openSku} />
        )}
        {chosen && kind === 'sku' && <Article sku={chosen} open={openSku} />}
        {!chosen && (
          <div className="panel span-12">
            <Nothing>{t('recommend.empty')}</Nothing>
          </div>
        )}
      </div>
    </>
  );
}
