// The circuit behind a view as it runs: each operator with what it costs, each line with the rows
// that flow along it.
import { Handle, Position, type Edge, type Node, type NodeProps } from '@xyflow/react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Status } from '@/api/types';
import { bytes, clipped, number, percent, short } from '@/components/format';
import { Flow } from '@/components/Flow';
import { READABLE, usePlaces, useRoom } from '@/components/placed';
import { lookOf, rateOf, runningOf, type Box, type Look } from './lineage';
import './Graph.css';

const WIDTH = 196;
const HEIGHT = 64;
type BoxNode = Node<{ box: Box }, 'box'>;

function BoxView({ data: { box } }: NodeProps<BoxNode>) {
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
      {box.kind !== 'source' && (
        <Handle type="target" position={Position.Left} isConnectable={false} />
      )}
      <strong className="clip">
        {box.kind === 'rest'
          ? t('jobs.rest', { ...values, count: box.operators })
          : box.kind === 'operator'
            ? name
            : box.name}
      </strong>
      <span className="soft clip">{t(`jobs.box.${box.kind}`, values)}</span>
      {box.kind !== 'output' && (
        <Handle type="source" position={Position.Right} isConnectable={false} />
      )}
    </div>
  );
}

// Said beforehand: lines are then drawn with the boxes, not after the boxes were measured.
const handlesOf = (box: Box) => [
  ...(box.kind === 'source'
    ? []
    : [{ type: 'target' as const, position: Position.Left, x: 0, y: HEIGHT / 2 }]),
  ...(box.kind === 'output'
    ? []
    : [{ type: 'source' as const, position: Position.Right, x: WIDTH, y: HEIGHT / 2 }]),
];
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
  const { places, bends, height, isNow, shape } = usePlaces(sized, pairs, { gap: 88, room });
  const nodes = boxes.map((box): BoxNode => ({
    id: box.id,
    type: 'box',
    data: { box },
    position: places?.get(box.id) ?? { x: 0, y: 0 },
    width: WIDTH,
    height: HEIGHT,
    handles: handlesOf(box),
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
        />
      ) : (
        <p className="soft">{t('table.loading')}</p>
      )}
    </div>
  );
}
