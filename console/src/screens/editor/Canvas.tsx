// The graph, drawn: boxes that are buttons, so that it is gone through by keyboard as well.
import { Handle, Position, type Edge, type Node, type NodeProps } from '@xyflow/react';
import { createContext, useContext, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { clipped } from '@/components/format';
import { Flow, useShowFocused } from '@/components/Flow';
import { READABLE, usePlaces, useRoom } from '@/components/placed';
import type { Graph, GraphNode } from './graph';
import './Canvas.css';

const WIDTH = 176;
const HEIGHT = 58;
type BoxNode = Node<{ node: GraphNode; isChosen: boolean }, 'box'>;

interface Hands {
  choose: (id: string) => void;
  remove: (id: string) => void;
}
const HandsContext = createContext<Hands>({ choose: () => {}, remove: () => {} });

function BoxView({ data: { node, isChosen } }: NodeProps<BoxNode>) {
  const { t } = useTranslation();
  const hands = useContext(HandsContext);
  const showFocused = useShowFocused(node.id);
  const kind = t(`editor.kind.${node.kind}`);
  const text = node.text.replace(/\s+/g, ' ');
  const isBoth = node.kind === 'join' && text !== '';
  const said = isBoth ? `${node.title} · ${text}` : node.title || text;
  return (
    <>
      {node.kind !== 'source' && <Handle type="target" position={Position.Left} />}
      <button
        type="button"
        // No class of its own: React Flow takes what is called `source` for a handle.
        className="step"
        data-kind={node.kind}
        aria-pressed={isChosen}
        aria-label={t('editor.node', { kind, what: clipped(said, 80) })}
        title={clipped(node.text || node.title, 400)}
        onFocus={showFocused}
        onClick={() => hands.choose(node.id)}
        onKeyDown={(event) => {
          if (event.key === 'Delete' || event.key === 'Backspace') hands.remove(node.id);
        }}
      >
        <span className="soft">{kind}</span>
        <span className="clip">{clipped(said, 60) || kind}</span>
      </button>
      {node.kind !== 'sink' && <Handle type="source" position={Position.Right} />}
    </>
  );
}
const handlesOf = (node: GraphNode) => [
  ...(node.kind === 'source'
    ? []
    : [{ type: 'target' as const, position: Position.Left, x: 0, y: HEIGHT / 2 }]),
  ...(node.kind === 'sink'
    ? []
    : [{ type: 'source' as const, position: Position.Right, x: WIDTH, y: HEIGHT / 2 }]),
];
const types = { box: BoxView };

interface Props extends Hands {
  graph: Graph;
  chosen: string;
  /** A line was drawn from one node to another. */
  connect: (from: string, to: string) => void;
}

export function Canvas({ graph, chosen, choose, remove, connect }: Props) {
  const { t } = useTranslation();
  const sized = graph.nodes.map(({ id }) => ({ id, width: WIDTH, height: HEIGHT }));
  const { ref, room } = useRoom();
  const { places, bends, shape } = usePlaces(sized, graph.edges, { gap: 40, room });
  const hands = useMemo(() => ({ choose, remove }), [choose, remove]);
  const nodes = graph.nodes.flatMap((node): BoxNode[] => {
    const position = places?.get(node.id);
    // One that was just added has its place in a moment.
    if (!position) return [];
    return [
      {
        id: node.id,
        type: 'box',
        data: { node, isChosen: node.id === chosen },
        position,
        width: WIDTH,
        height: HEIGHT,
        handles: handlesOf(node),
      },
    ];
  });
  const lines = graph.edges.map(([source, target]): Edge => ({
    id: `${source}>${target}`,
    source,
    target,
    type: 'routed',
    data: { bends: bends.get(`${source}>${target}`) ?? [] },
    style: { stroke: 'var(--line-strong)' },
  }));
  return (
    <HandsContext.Provider value={hands}>
      <div ref={ref} style={{ height: '100%' }}>
        {places ? (
          <Flow
            nodes={nodes}
            edges={lines}
            types={types}
            shape={shape}
            label={t('editor.graph')}
            minZoom={0.15}
            // What is chosen is seen, and the rest by moving the drawing.
            fitZoom={READABLE}
            shown={chosen}
            connect={({ source, target }) => connect(source, target)}
          />
        ) : (
          <p className="soft">{t('table.loading')}</p>
        )}
      </div>
    </HandsContext.Provider>
  );
}
