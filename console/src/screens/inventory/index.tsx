// The inventory board: position, risk, what is proposed, and why.
import { SegmentedControl, Select } from '@mantine/core';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useRows, useViews } from '@/api/hooks';
import type { Row } from '@/api/types';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { NONE, number, text, toNumber } from '@/components/format';
import { NeedsPack, ProblemNotice } from '@/components/Notice';
import { Badge, Figures, PageHead } from '@/components/Panel';
import { useUrlState } from '@/components/urlState';
import { reasonsOf } from '@/components/reasons';
import { StatusBadge, useWanted, WhyDrawer } from '@/components/Why';
import { decisionOf, STATE_TONES, STATES, useBoard, type StockState } from './board';
import { StockDecision, StockLine } from './StockLine';

const keyOf = (row: Row) => `${text(row.sku)}@${text(row.location_id)}`;
const RANK = new Map(STATES.map((state, at) => [state as string, at]));

function useColumns(): TableColumn[] {
  const { t } = useTranslation();
  const wanted = useWanted();
  return useMemo(
    () => [
      {
        id: 'sku',
        header: t('inventory.sku'),
        value: (row) => row.sku,
        width: 'minmax(104px, 1fr)',
      },
      {
        id: 'location',
        header: t('inventory.location'),
        value: (row) => row.location_id,
        width: 'minmax(92px, 1fr)',
      },
      {
        id: 'state',
        header: t('inventory.state'),
        width: '122px',
        value: (row) => RANK.get(text(row.state)),
        cell: (row) => (
          <Badge tone={STATE_TONES[row.state as StockState]}>
            {t(`inventory.is.${text(row.state)}`)}
          </Badge>
        ),
      },
      {
        id: 'on_hand',
        header: t('inventory.onHand'),
        numeric: true,
        width: '92px',
        value: (row) => row.on_hand,
        cell: (row) => number(row.on_hand),
      },
      {
        id: 'reserved',
        header: t('inventory.reserved'),
        numeric: true,
        width: '92px',
        value: (row) => row.reserved,
        cell: (row) =>
          (toNumber(row.reserved) ?? 0) === 0 ? (
            <span className="soft">{NONE}</span>
          ) : (
            number(row.reserved)
          ),
      },
      {
        id: 'available',
        header: t('inventory.available'),
        numeric: true,
        width: '92px',
        value: (row) => row.available,
        cell: (row) => <strong style={{ fontWeight: 600 }}>{number(row.available)}</strong>,
      },
      {
        id: 'speed',
        header: t('inventory.speed'),
        numeric: true,
        width: '98px',
        value: (row) => row.units_a_day,
        cell: (row) =>
          (toNumber(row.units_a_day) ?? 0) === 0 ? (
            <span className="soft">{NONE}</span>
          ) : (
            number(row.units_a_day, 2)
          ),
      },
      {
        id: 'days',
        header: t('inventory.daysLeft'),
        numeric: true,
        width: '104px',
        value: (row) => row.days_left,
        cell: (row) =>
          row.days_left === null ? <span className="soft">{NONE}</span> : number(row.days_left, 1),
      },
      {
        id: 'proposal',
        header: t('inventory.proposal'),
        width: 'minmax(230px, 2.200fr)',
        value: (row) => {
          const found = decisionOf(row);
          return found ? wanted(found) : null;
        },
        cell: (row) => {
          const found = decisionOf(row);
          return (
            found && (
              <span>
                <StatusBadge status={text(found.status)} /> &nbsp;{wanted(found)}
              </span>
            )
          );
        },
      },
      {
        id: 'why',
        header: t('why.title'),
        width: 'minmax(180px, 2.400fr)',
        value: (row) => {
          const found = decisionOf(row);
          return found ? reasonsOf(found).join('; ') : null;
        },
        cell: (row) => {
          const found = decisionOf(row);
          return <span className="soft">{found ? reasonsOf(found)[0] : ''}</span>;
        },
      },
    ],
    [t, wanted],
  );
}

export function Inventory() {
  const { t } = useTranslation();
  const views = useViews();
  const { rows, stock } = useBoard();
  const transfers = useRows('replenishment_transfer');
  const [location, setLocation] = useUrlState('at');
  const [state, setState] = useUrlState('state', 'all');
  const [open, setOpen] = useUrlState('open');
  const columns = useColumns();
  const here = useMemo(
    () => (location ? rows.filter((row) => row.location_id === location) : rows),
    [rows, location],
  );
  const counts = useMemo(() => {
    const found = new Map<string, number>();
    for (const row of here) found.set(text(row.state), (found.get(text(row.state)) ?? 0) + 1);
    return found;
  }, [here]);
  const shown = useMemo(
    () =>
      state === 'all'
        ? here
        : state === 'proposed'
          ? here.filter((row) => decisionOf(row)?.status === 'proposed')
          : here.filter((row) => row.state === state),
    [here, state],
  );
  if (views && !views.has('inventory_availability'))
    return <NeedsPack pack="inventory" what={t('nav.inventory')} />;
  const locations = [...new Set(rows.map((row) => text(row.location_id)))].sort();
  const opened = rows.find((row) => keyOf(row) === open);
  const proposals = here.filter((row) => decisionOf(row)?.status === 'proposed').length;
  const of = (name: StockState) => number(counts.get(name) ?? 0);
  const choices = ['all', 'proposed', 'oversold', 'out', 'risk', 'low', 'slow', 'over'];
  const sumOf = (column: string) =>
    here.reduce((total, row) => total + (toNumber(row[column]) ?? 0), 0);
  return (
    <>
      <PageHead title={t('nav.inventory')} note={t('inventory.note')} />
      {stock.problem && <ProblemNotice problem={stock.problem} />}
      <Figures
        figures={[
          {
            label: t('inventory.pieces'),
            value: number(sumOf('on_hand')),
            under: t('inventory.places', { rows: number(here.length) }),
          },
          {
            label: t('inventory.kept'),
            value: number(sumOf('reserved')),
            under: t('inventory.keptFor'),
          },
          {
            label: t('inventory.is.out'),
            value: of('out'),
            tone: counts.get('out') ? 'bad' : '',
            under: t('inventory.outMeans'),
          },
          {
            label: t('inventory.is.risk'),
            value: of('risk'),
            tone: counts.get('risk') ? 'care' : '',
            under: t('inventory.riskMeans'),
          },
          {
            label: t('inventory.proposals'),
            value: number(proposals),
            under: t('inventory.transfers', { rows: number(transfers.length) }),
          },
        ]}
      />
      <div className="panel">
        <DataTable
          name="stock"
          label={t('nav.inventory')}
          columns={columns}
          rows={shown}
          rowKey={keyOf}
          order="state"
          loading={stock.state === 'loading'}
          onOpen={(row) => setOpen(keyOf(row))}
          openKey={open}
          height="calc(100vh - 300px)"
          tools={
            <>
              <Select
                size="xs"
                w={150}
                clearable
                placeholder={t('inventory.everywhere')}
                data={locations}
                aria-label={t('inventory.location')}
                value={location || null}
                onChange={(value) => setLocation(value ?? '')}
              />
              <SegmentedControl
                size="xs"
                value={state}
                onChange={setState}
                aria-label={t('inventory.state')}
                data={choices.map((value) => ({ value, label: t(`inventory.is.${value}`) }))}
              />
            </>
          }
        />
      </div>
      <WhyDrawer
        open={opened !== undefined}
        onClose={() => setOpen('')}
        title={opened ? `${text(opened.sku)} · ${text(opened.location_id)}` : ''}
      >
        {opened && <StockLine row={opened} />}
        {opened && <StockDecision row={opened} />}
      </WhyDrawer>
    </>
  );
}
