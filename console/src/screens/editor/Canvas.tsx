// The graph, drawn: boxes that are buttons, so that it is gone through by keyboard as well.
import type { Edge, Node, NodeProps } from '@xyflow/react';
import { createContext, useContext, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { clipped } from '@/components/format';
import { BoxEnds, handlesOf, type Ends } from '@/components/Ends';
import { Flow, useShowFocused } from '@/components/Flow';
import { READABLE, usePlaces, useRoom } from '@/components/placed';
import type { Graph, GraphNode } from './graph';
import './Canvas.css';

const WIDTH = 176;
const HEIGHT = 58;
type BoxNode = Node<{ node: GraphNode; isChosen: boolean; ends: Ends }, 'box'>;

const endsOf = ({ kind }: GraphNode, isUpright: boolean): Ends => ({
  isUpright,
  hasInto: kind !== 'source',
  hasOut: kind !== 'sink',
});

interface Hands {
  choose: (id: string) => void;
  remove: (id: string) => void;
}
const HandsContext = createContext<Hands>({ choose: () => {}, remove: () => {} });

function BoxView({ data: { node, isChosen, ends } }: NodeProps<BoxNode>) {
  const { t } = useTranslation();
  const hands = useContext(HandsContext);
  const showFocused = useShowFocused(node.id);
  const kind = t(`editor.kind.${node.kind}`);
  const text = node.text.replace(/\s+/g, ' ');
  const isBoth = node.kind === 'join' && text !== '';
  const said = isBoth ? `${node.title} · ${text}` : node.title || text;
  return (
    <>
      <BoxEnds {...ends} connects />
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
    </>
  );
}
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
  const { places, bends, isUpright, shape } = usePlaces(sized, graph.edges, { gap: 40, room });
  const hands = useMemo(() => ({ choose, remove }), [choose, remove]);
  const nodes = graph.nodes.flatMap((node): BoxNode[] => {
    const position = places?.get(node.id);
    // One that was just added has its place in a moment.
    if (!position) return [];
    return [
      {
        id: node.id,
        type: 'box',
        data: { node, isChosen: node.id === chosen, ends: endsOf(node, isUpright) },
        position,
        width: WIDTH,
        height: HEIGHT,
        handles: handlesOf({ width: WIDTH, height: HEIGHT }, endsOf(node, isUpright)),
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
            isSlim={isUpright}
            connect={({ source, target }) => connect(source, target)}
          />
        ) : (
          <p className="soft">{t('table.loading')}</p>
        )}
      </div>
    </HandsContext.Provider>
  );
}
