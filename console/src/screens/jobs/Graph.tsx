// Where a view's rows come from, and what it costs on the way. The server does not tell yet which
// operator feeds which, so that all operators of the view are one box.
import { Handle, Position, type Edge, type Node, type NodeProps } from '@xyflow/react';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { Status } from '@/api/types';
import { bytes, clipped, number, percent } from '@/components/format';
import { Flow } from '@/components/Flow';
import { usePlaces } from '@/components/placed';
import { lineageOf, type Box } from './lineage';
import './Graph.css';

const WIDTH = 220;
const HEIGHT = 66;
type BoxNode = Node<{ box: Box }, 'box'>;

function BoxView({ data: { box } }: NodeProps<BoxNode>) {
  const { t } = useTranslation();
  const values = {
    rows: number(box.rows),
    share: percent(box.share * 100, 1),
    state: bytes(box.state),
    operators: number(box.operators),
  };
  return (
    // No class of its own: React Flow takes what is called `source` for a handle.
    <div
      className="box"
      data-kind={box.kind}
      title={box.note === null ? undefined : clipped(box.note)}
    >
      {box.kind !== 'source' && (
        <Handle type="target" position={Position.Left} isConnectable={false} />
      )}
      <strong className="clip">
        {box.kind === 'work' ? t('jobs.work', { ...values, count: box.operators }) : box.name}
      </strong>
      <span className="soft">{t(`jobs.box.${box.kind}`, values)}</span>
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
export function Graph({ status, view }: { status: Status; view: string }) {
  const { t } = useTranslation();
  const { boxes, edges } = useMemo(() => lineageOf(status, view), [status, view]);
  const sized = boxes.map(({ id }) => ({ id, width: WIDTH, height: HEIGHT }));
  const { places, isNow, shape } = usePlaces(sized, edges);
  if (!places || !isNow) return <p className="soft">{t('table.loading')}</p>;
  const nodes = boxes.map((box): BoxNode => ({
    id: box.id,
    type: 'box',
    data: { box },
    position: places.get(box.id) ?? { x: 0, y: 0 },
    width: WIDTH,
    height: HEIGHT,
    handles: handlesOf(box),
  }));
  const lines = edges.map(([source, target]): Edge => ({
    id: `${source}>${target}`,
    source,
    target,
    style: { stroke: 'var(--line-strong)' },
  }));
  return (
    <div
      className="graph"
      style={{ height: Math.min(460, Math.max(220, (boxes.length - 2) * (HEIGHT + 14) + 40)) }}
    >
      <Flow
        nodes={nodes}
        edges={lines}
        types={types}
        shape={shape}
        label={t('jobs.graph')}
        minZoom={0.2}
        fitZoom={0.5}
        shown={`output:${view}`}
        isGoneThrough
      />
    </div>
  );
}
