// All customers, by what they are worth and how they are doing; a row opens one of them.
import { Select } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useLive, useRows, useViews } from '@/api/hooks';
import type { Row } from '@/api/types';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { dayOf, NONE, number, percent, text, toNumber } from '@/components/format';
import { NeedsPack, Nothing, ProblemNotice } from '@/components/Notice';
import { Badge, Figures, PageHead, Panel } from '@/components/Panel';
import { useUrlState } from '@/components/urlState';

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

/** Who has bought, with tier, segments and consent beside. */
function useCustomers() {
  const rfm = useLive('customer_rfm');
  const tiers = useRows('loyalty_tier');
  const members = useRows('segment_member');
  const consents = useRows('customer_consent');
  const rows = useMemo(() => {
    const tierOf = new Map(tiers.map((row) => [row.customer_id, row.tier]));
    const consentOf = new Map(consents.map((row) => [row.customer_id, row.allowed]));
    const segmentsOf = new Map<unknown, string[]>();
    for (const row of members) {
      segmentsOf.set(row.customer_id, [
        ...(segmentsOf.get(row.customer_id) ?? []),
        text(row.segment_id),
      ]);
    }
    return rfm.rows.map((row): Row => ({
      ...row,
      tier: tierOf.get(row.customer_id) ?? null,
      allowed: consentOf.get(row.customer_id) ?? null,
      segments: (segmentsOf.get(row.customer_id) ?? []).sort(),
    }));
  }, [rfm.rows, tiers, members, consents]);
  return { rows, members, rfm };
}

const segmentsOf = (row: Row): string[] =>
  Array.isArray(row.segments) ? row.segments.map(text) : [];

function useColumns(): TableColumn[] {
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

function Segments({
  members,
  all,
  chosen,
  choose,
}: {
  members: Row[];
  all: number;
  chosen: string;
  choose: (name: string) => void;
}) {
  const { t } = useTranslation();
  const counts = new Map<string, number>();
  for (const row of members)
    counts.set(text(row.segment_id), (counts.get(text(row.segment_id)) ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1]);
  return (
    <Panel title={t('customers.segments')} span={3} flush>
      {sorted.length === 0 && <Nothing>{t('table.empty')}</Nothing>}
      <ul className="list">
        {sorted.map(([name, count]) => (
          <li
            key={name}
            className="barred"
            style={{ backgroundSize: `${(count / Math.max(1, all)) * 100}% 100%` }}
          >
            <button
              type="button"
              className="plain grow"
              aria-pressed={chosen === name}
              onClick={() => choose(chosen === name ? '' : name)}
            >
              {t(`customers.segment.${name}`, { defaultValue: name })}
            </button>
            <span className="num">{number(count)}</span>
            <span className="num soft" style={{ width: 48 }}>
              {all > 0 ? percent((count / all) * 100, 0) : NONE}
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

export function Customers() {
  const { t } = useTranslation();
  const views = useViews();
  const navigate = useNavigate();
  const { rows, members, rfm } = useCustomers();
  const columns = useColumns();
  const [segment, setSegment] = useUrlState('segment');
  const [group, setGroup] = useUrlState('group');
  const shown = useMemo(
    () =>
      rows.filter(
        (row) =>
          (!segment || segmentsOf(row).includes(segment)) && (!group || row.rfm_segment === group),
      ),
    [rows, segment, group],
  );
  if (views && !views.has('customer_rfm'))
    return <NeedsPack pack="customers" what={t('nav.customers')} />;
  const groups = [...new Set(rows.map((row) => text(row.rfm_segment)))].sort();
  const total = rows.reduce((all, row) => all + (toNumber(row.monetary) ?? 0), 0);
  const again = rows.filter((row) => (toNumber(row.frequency) ?? 0) > 1).length;
  return (
    <>
      <PageHead title={t('nav.customers')} note={t('customers.note')} />
      {rfm.problem && <ProblemNotice problem={rfm.problem} />}
      <Figures
        figures={[
          {
            label: t('customers.buyers'),
            value: number(rows.length),
            under: t('customers.buyersMean'),
          },
          {
            label: t('customers.again'),
            value: rows.length ? percent((again / rows.length) * 100, 0) : NONE,
            under: t('customers.againMeans', { rows: number(again) }),
          },
          {
            label: t('customers.value'),
            value: number(rows.length ? total / rows.length : null, 2),
            under: t('customers.valueMeans'),
          },
          {
            label: t('customers.slipping'),
            value: number(
              members.filter((row) => row.segment_id === 'slipping' || row.segment_id === 'dormant')
                .length,
            ),
            under: t('customers.slippingMeans'),
          },
          {
            label: t('customers.dissatisfied'),
            value: number(members.filter((row) => row.segment_id === 'dissatisfied').length),
            under: t('customers.dissatisfiedMeans'),
          },
        ]}
      />
      <div className="grid">
        <div className="panel span-9">
          <DataTable
            name="customers"
            label={t('nav.customers')}
            columns={columns}
            rows={shown}
            order="-spent"
            rowKey={(row) => text(row.customer_id)}
            loading={rfm.state === 'loading'}
            height="calc(100vh - 320px)"
            onOpen={(row) =>
              void navigate({ to: '/customers/$id', params: { id: text(row.customer_id) } })
            }
            tools={
              <Select
                size="xs"
                w={150}
                clearable
                placeholder={t('customers.group')}
                aria-label={t('customers.group')}
                value={group || null}
                onChange={(value) => setGroup(value ?? '')}
                data={groups.map((value) => ({
                  value,
                  label: t(`customers.rfm.${value}`, { defaultValue: value }),
                }))}
              />
            }
          />
        </div>
        <Segments members={members} all={rows.length} chosen={segment} choose={setSegment} />
      </div>
    </>
  );
}
