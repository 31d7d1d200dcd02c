// One customer, whole: who it is, what is known and from what, what was bought and decided.
import { IconArrowLeft } from '@tabler/icons-react';
import { Link, useParams } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useLive, useLivesOf, useRows, useViews } from '@/api/hooks';
import type { Row } from '@/api/types';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { dayOf, NONE, number, text, timeOf, toNumber } from '@/components/format';
import { NeedsPack, Nothing } from '@/components/Notice';
import { Badge, Figures, Panel } from '@/components/Panel';
import { reasonSaid } from '@/components/reasons';
import { useUrlState } from '@/components/urlState';
import { DecisionWhy, WhyDrawer } from '@/components/Why';
import { decisionViews, useDecisionColumns } from '@/screens/decisions';
import { RFM_TONES } from './columns';

function Tags({ id }: { id: string }) {
  const { t } = useTranslation();
  const tags = useLive('customer_tag', { customer_id: id });
  const groups = useMemo(() => {
    const found = new Map<string, Row[]>();
    for (const row of tags.rows)
      found.set(text(row.tag_group), [...(found.get(text(row.tag_group)) ?? []), row]);
    return [...found].sort((a, b) => a[0].localeCompare(b[0]));
  }, [tags.rows]);
  return (
    <Panel
      title={t('customer.tags')}
      span={7}
      end={<span className="soft">{number(tags.rows.length)}</span>}
    >
      {groups.length === 0 && <p className="soft">{t('table.empty')}</p>}
      {groups.map(([group, rows]) => (
        <section key={group} aria-label={group}>
          <h3 className="why-head">{t(`customer.groups.${group}`, { defaultValue: group })}</h3>
          <dl className="tags">
            {[...rows]
              .sort((a, b) => text(a.tag_code).localeCompare(text(b.tag_code)))
              .map((row) => (
                <div
                  key={text(row.tag_code)}
                  title={t('customer.until', {
                    rule: text(row.rule_version),
                    until: dayOf(row.valid_to),
                  })}
                >
                  <dt>{text(row.tag_code).replaceAll('_', ' ')}</dt>
                  <dd>
                    <strong>{text(row.tag_value).replaceAll('_', ' ')}</strong>{' '}
                    <span className="soft">{text(row.evidence)}</span>
                  </dd>
                </div>
              ))}
          </dl>
        </section>
      ))}
    </Panel>
  );
}

function Orders({ id }: { id: string }) {
  const { t } = useTranslation();
  const rows = useRows('customer_order', { customer_id: id });
  const columns = useMemo<TableColumn[]>(
    () => [
      {
        id: 'at',
        header: t('customer.at'),
        width: '150px',
        value: (row) => row.order_at,
        cell: (row) => timeOf(row.order_at),
      },
      { id: 'receipt', header: t('customer.receipt'), width: '78px', value: (row) => row.receipt },
      {
        id: 'where',
        header: t('customer.where'),
        value: (row) => `${text(row.store_id)} · ${text(row.channel)}`,
        width: 'minmax(96px, 1fr)',
      },
      {
        id: 'items',
        header: t('customer.items'),
        numeric: true,
        width: '66px',
        value: (row) => row.items,
        cell: (row) => number(row.items),
      },
      {
        id: 'amount',
        header: t('customer.amount'),
        numeric: true,
        width: '88px',
        value: (row) => row.amount,
        cell: (row) => number(row.amount, 2),
      },
    ],
    [t],
  );
  return (
    <Panel title={t('customer.ordersTitle')} span={12} flush>
      <DataTable
        bare
        name="orders"
        label={t('customer.ordersTitle')}
        columns={columns}
        rows={rows}
        order="-at"
        height={230}
        rowKey={(row) => text(row.receipt)}
      />
    </Panel>
  );
}

function Lists({ id }: { id: string }) {
  const { t } = useTranslation();
  const rows = useRows('recommend_customer_list', { customer_id: id });
  const lists = [...new Set(rows.map((row) => text(row.list_id)))].sort();
  return (
    <Panel
      title={t('customer.recommended')}
      span={12}
      flush
      end={
        <Link to="/recommendations" search={{ for: id } as never}>
          {t('customer.explore')}
        </Link>
      }
    >
      {lists.length === 0 && <Nothing>{t('table.empty')}</Nothing>}
      {lists.map((list) => (
        <ul className="list" key={list}>
          {rows
            .filter((row) => row.list_id === list)
            .sort((a, b) => (toNumber(a.place) ?? 0) - (toNumber(b.place) ?? 0))
            .slice(0, 3)
            .map((row) => (
              <li key={text(row.place)}>
                <Badge tone="accent">{t(`recommend.list.${list}`, { defaultValue: list })}</Badge>
                <span>{text(row.sku)}</span>
                <span className="grow soft">{reasonSaid(row.reason)}</span>
              </li>
            ))}
        </ul>
      ))}
    </Panel>
  );
}

function Segments({ rows }: { rows: Row[] }) {
  const { t } = useTranslation();
  return (
    <Panel title={t('customers.segments')} span={12} flush>
      {rows.length === 0 && <Nothing>{t('customer.noSegment')}</Nothing>}
      <ul className="list">
        {rows.map((row) => (
          <li key={text(row.segment_id)}>
            <Badge tone="accent">
              {t(`customers.segment.${text(row.segment_id)}`, {
                defaultValue: text(row.segment_id),
              })}
            </Badge>
            <span className="grow">{text(row.why)}</span>
            <span className="soft">{t('customer.since', { day: dayOf(row.entered_at) })}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Decided({ id }: { id: string }) {
  const { t } = useTranslation();
  const views = useViews();
  const names = useMemo(() => decisionViews(views), [views]);
  const rows = useLivesOf(names, { customer_id: id });
  const columns = useDecisionColumns().filter(
    (column) => column.id !== 'subject' && column.id !== 'variant',
  );
  const [open, setOpen] = useUrlState('open');
  const opened = rows.find((row) => row.decision_id === open);
  return (
    <Panel title={t('nav.decisions')} flush>
      <DataTable
        bare
        name="decisions"
        label={t('nav.decisions')}
        columns={columns}
        rows={rows}
        order="-at"
        height={240}
        rowKey={(row) => text(row.decision_id)}
        onOpen={(row) => setOpen(text(row.decision_id))}
        openKey={open}
        empty={t('customer.noDecision')}
      />
      <WhyDrawer open={opened !== undefined} onClose={() => setOpen('')} title={id}>
        {opened && <DecisionWhy row={opened} />}
      </WhyDrawer>
    </Panel>
  );
}

export function Customer() {
  const { t } = useTranslation();
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const views = useViews();
  const mine = { customer_id: id };
  const rfm = useRows('customer_rfm', mine)[0];
  const tier = useRows('loyalty_tier', mine)[0];
  const balance = useRows('loyalty_balance', mine)[0];
  const consent = useRows('customer_consent', mine)[0];
  const behavior = useRows('customer_behavior', mine)[0];
  const segments = useRows('segment_member', mine);
  const identities = useRows('customer_identity', mine);
  if (views && !views.has('customer_tag'))
    return <NeedsPack pack="customers" what={t('nav.customers')} />;
  const group = text(rfm?.rfm_segment);
  return (
    <>
      <div className="page-head">
        <div>
          <Link
            to="/customers"
            className="soft"
            style={{ display: 'inline-flex', alignItems: 'center', gap: 4 }}
          >
            <IconArrowLeft size={14} aria-hidden />
            {t('nav.customers')}
          </Link>
          <h1
            className="page-title"
            style={{ display: 'flex', gap: 10, alignItems: 'center', overflowWrap: 'anywhere' }}
          >
            {id}
            {rfm && (
              <Badge tone={RFM_TONES[group]}>
                {t(`customers.rfm.${group}`, { defaultValue: group })}
              </Badge>
            )}
            {tier && <Badge>{text(tier.tier)}</Badge>}
            {consent && (
              <Badge tone={consent.allowed === true ? 'good' : 'care'}>
                {t(consent.allowed === true ? 'customer.mayWrite' : 'customer.mayNotWrite')}
              </Badge>
            )}
          </h1>
          <p className="page-note">
            {identities
              .slice(0, 4)
              .map((row) => `${text(row.id_type)} ${text(row.id_hash)}`)
              .join(' · ')}
          </p>
        </div>
      </div>
      <Figures
        figures={[
          {
            label: t('customers.spent'),
            value: number(rfm?.monetary, 2),
            under: `R ${text(rfm?.r)} · F ${text(rfm?.f)} · M ${text(rfm?.m)}`,
          },
          {
            label: t('customers.orders'),
            value: number(rfm?.frequency),
            under:
              rfm?.cycle_days == null
                ? ''
                : t('customer.every', { days: number(rfm.cycle_days, 1) }),
          },
          {
            label: t('customers.silent'),
            value: rfm ? t('customer.days', { days: number(rfm.recency_days) }) : NONE,
            under: dayOf(rfm?.last_at),
          },
          {
            label: t('customer.points'),
            value: number(balance?.active),
            under: balance ? t('customer.pending', { points: number(balance.pending) }) : '',
          },
          {
            label: t('customer.visits'),
            value: number(behavior?.sessions),
            under: behavior ? t('customer.seen', { at: timeOf(behavior.last_seen_at) }) : '',
          },
        ]}
      />
      <div className="grid">
        <Tags id={id} />
        <div className="span-5 stack">
          <Segments rows={segments} />
          <Orders id={id} />
          {views?.has('recommend_customer_list') && <Lists id={id} />}
        </div>
        <Decided id={id} />
      </div>
    </>
  );
}
