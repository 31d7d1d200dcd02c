// The circuit behind a view as it runs: each operator with what it costs, each line with the rows
// that flow along it.
import type { Edge, Node, NodeProps } from '@xyflow/react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Status } from '@/api/types';
import { bytes, clipped, number, percent, short } from '@/components/format';
import { BoxEnds, handlesOf, type Ends } from '@/components/Ends';
import { Flow } from '@/components/Flow';
import { READABLE, usePlaces, useRoom } from '@/components/placed';
import { lookOf, rateOf, runningOf, type Box, type Look } from './lineage';
import './Graph.css';

const WIDTH = 196;
const HEIGHT = 64;
type BoxNode = Node<{ box: Box; ends: Ends }, 'box'>;

const endsOf = ({ kind }: Box, isUpright: boolean): Ends => ({
  isUpright,
  hasInto: kind !== 'source',
  hasOut: kind !== 'output',
});

function BoxView({ data: { box, ends } }: NodeProps<BoxNode>) {
  const { t } = useTranslation();
  const values = {
    rows: short(box.rows),
    share: percent(box.share * 100, 1),
    state: bytes(box.state),
    operators: number(box.operators),
  };
  const name = t(`plan.step.${box.name[0]?.toUpperCase()}${box.name.slice(1)}`, {
    defaultValue: box.name,
  });
  return (
    // No class of its own: React Flow takes what is called `source` for a handle.
    <div
      className="box"
      data-kind={box.kind}
      data-slowest={box.isSlowest}
      title={box.note === null ? box.name : clipped(box.note)}
    >
      <BoxEnds {...ends} connects={false} />
      <strong className="clip">
        {box.kind === 'rest'
          ? t('jobs.rest', { ...values, count: box.operators })
          : box.kind === 'operator'
            ? name
            : box.name}
      </strong>
      <span className="soft clip">{t(`jobs.box.${box.kind}`, values)}</span>
    </div>
  );
}

const types = { box: BoxView };

/** The look before the newest one. */
function useBefore(status: Status): Look | null {
  const last = useRef<Look | null>(null);
  const [before, setBefore] = useState<Look | null>(null);
  useEffect(() => {
    const now = lookOf(status);
    if (last.current && last.current.at < now.at) setBefore(last.current);
    last.current = now;
  }, [status]);
  return before;
}

export function Graph({ status, view }: { status: Status; view: string }) {
  const { t } = useTranslation();
  const { boxes, lines } = useMemo(() => runningOf(status, view), [status, view]);
  const before = useBefore(status);
  const now = useMemo(() => lookOf(status), [status]);
  const sized = boxes.map(({ id }) => ({ id, width: WIDTH, height: HEIGHT }));
  const pairs = lines.map(({ from, to }): [string, string] => [from, to]);
  const { ref, room } = useRoom();
  const { places, bends, height, isUpright, isNow, shape } = usePlaces(sized, pairs, {
    gap: 88,
    room,
  });
  const nodes = boxes.map((box): BoxNode => ({
    id: box.id,
    type: 'box',
    data: { box, ends: endsOf(box, isUpright) },
    position: places?.get(box.id) ?? { x: 0, y: 0 },
    width: WIDTH,
    height: HEIGHT,
    handles: handlesOf({ width: WIDTH, height: HEIGHT }, endsOf(box, isUpright)),
  }));
  const edges = lines.map(({ from, to, nodes: given }): Edge => {
    const rate = rateOf(given, before, now);
    const isMoving = rate !== null && rate > 0;
    return {
      id: `${from}>${to}`,
      type: 'routed',
      source: from,
      target: to,
      data: { bends: bends.get(`${from}>${to}`) ?? [] },
      // Where nothing flows there is nothing to read.
      label: isMoving ? t('jobs.flows', { rows: short(Math.round(rate)) }) : undefined,
      animated: isMoving,
      style: { stroke: isMoving ? 'var(--accent)' : 'var(--line-strong)' },
      labelBgPadding: [3, 1],
    };
  });
  return (
    <div className="graph" ref={ref} style={{ height: Math.min(640, Math.max(220, height)) }}>
      {places && isNow ? (
        <Flow
          nodes={nodes}
          edges={edges}
          types={types}
          shape={shape}
          label={t('jobs.graph')}
          minZoom={0.1}
          fitZoom={READABLE}
          shown={`output:${view}`}
          isGoneThrough
          isSlim={isUpright}
        />
      ) : (
        <p className="soft">{t('table.loading')}</p>
      )}
    </div>
  );
}
