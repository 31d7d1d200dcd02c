// All customers, by what they are worth and how they are doing; a row opens one of them.
import { Button, Select } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useSegments, type Segment } from '@/api/acts';
import { useLive, useRows, useViews } from '@/api/hooks';
import type { Row } from '@/api/types';
import { DataTable } from '@/components/DataTable';
import { NONE, number, percent, text, toNumber } from '@/components/format';
import { NeedsPack, Nothing, ProblemNotice } from '@/components/Notice';
import { Figures, PageHead, Panel } from '@/components/Panel';
import { useUrlState } from '@/components/urlState';
import { Builder } from './Builder';
import { useColumns, segmentsOf } from './columns';

/** Who has bought, with tier, segments and consent beside. */
function useCustomers() {
  const rfm = useLive('customer_rfm');
  const tiers = useRows('loyalty_tier');
  const given = useRows('segment_member');
  const built = useRows('segment_built_member');
  const members = useMemo(() => [...given, ...built], [given, built]);
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

interface SegmentsProps {
  members: Row[];
  built: Segment[];
  all: number;
  chosen: string;
  choose: (name: string) => void;
  build?: (name: string) => void;
}

function Segments({ members, built, all, chosen, choose, build }: SegmentsProps) {
  const { t } = useTranslation();
  const titles = new Map(built.map((one) => [one.segment_id, one.title]));
  // A segment that somebody builds is there before it has a member.
  const counts = new Map<string, number>(built.map((one) => [one.segment_id, 0]));
  for (const row of members)
    counts.set(text(row.segment_id), (counts.get(text(row.segment_id)) ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1]);
  return (
    <Panel
      title={t('customers.segments')}
      span={3}
      flush
      end={
        build && (
          <Button size="compact-xs" variant="default" onClick={() => build('new')}>
            {t('segments.build')}
          </Button>
        )
      }
    >
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
              {titles.get(name) ?? t(`customers.segment.${name}`, { defaultValue: name })}
            </button>
            {build && titles.has(name) && (
              <Button size="compact-xs" variant="subtle" onClick={() => build(name)}>
                {t('segments.edit')}
              </Button>
            )}
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
  const [build, setBuild] = useUrlState('build');
  const built = useSegments(views?.has('segment_built') ?? false).data ?? [];
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
        <Segments
          members={members}
          built={built}
          all={rows.length}
          chosen={segment}
          choose={setSegment}
          build={views?.has('segment_built') ? setBuild : undefined}
        />
      </div>
      {views?.has('segment_built') && (
        <Builder open={build} segments={built} onClose={() => setBuild('')} />
      )}
    </>
  );
}
