// The frame of all graphs: fitted whenever its boxes are laid out anew, and moved so far that a box
// with the focus can be seen. What is drawn stays drawn, so that the focus is not lost.
import {
  Background,
  Controls,
  ReactFlow,
  useReactFlow,
  useStore,
  useStoreApi,
  type Edge,
  type EdgeTypes,
  type Node,
  type NodeTypes,
  type ReactFlowProps,
} from '@xyflow/react';
import '@xyflow/react/dist/style.css';
import './Flow.css';
import { useComputedColorScheme } from '@mantine/core';
import { MARGINS } from './placed';
import { Routed } from './Routed';
import { useCallback, useEffect, useRef, type FocusEvent } from 'react';

/** Room between a box and the edge of what is seen, in pixels. */
const ROOM = 12;
/** What is drawn does not lie under the buttons that move it. */
const FITTED = {
  maxZoom: 1,
  padding: {
    left: `${MARGINS.left}px`,
    right: `${MARGINS.right}px`,
    top: `${MARGINS.top}px`,
    bottom: `${MARGINS.bottom}px`,
  },
} as const;

const lines: EdgeTypes = { routed: Routed };

/** Shows a box that the focus comes to by keyboard. Under a pointer nothing may move: what goes
 * down on a box has to come up on it. */
export function useShowFocused(id: string): (event: FocusEvent<HTMLElement>) => void {
  const show = useShow();
  return (event) => {
    if (event.target.matches(':focus-visible')) show(id);
  };
}

/** Moves the drawing until a box can be seen whole; one that is seen moves nothing. */
function useShow(): (id: string) => void {
  const flow = useReactFlow();
  const store = useStoreApi();
  return useCallback(
    (id) => {
      const { width, height, transform } = store.getState();
      const node = flow.getInternalNode(id);
      if (!node || width === 0) return;
      const [left, top, zoom] = transform;
      const { x, y } = node.internals.positionAbsolute;
      const beyond = (from: number, size: number, room: number) => {
        if (from < ROOM) return ROOM - from;
        const over = from + size - (room - ROOM);
        // The beginning of one that is too large to be seen whole.
        return over > 0 ? -Math.min(over, from - ROOM) : 0;
      };
      const right = beyond(x * zoom + left, (node.width ?? 0) * zoom, width);
      const down = beyond(y * zoom + top, (node.height ?? 0) * zoom, height);
      if (right === 0 && down === 0) return;
      void flow.setViewport({ x: left + right, y: top + down, zoom });
    },
    [flow, store],
  );
}

interface FitProps {
  shape: string;
  minZoom: number;
  shown: string;
}
function Fit({ shape, minZoom, shown }: FitProps) {
  const flow = useReactFlow();
  const show = useShow();
  const isSized = useStore((state) => state.width > 0);
  const last = useRef(shown);
  last.current = shown;
  useEffect(() => {
    if (isSized) void flow.fitView({ ...FITTED, minZoom }).then(() => show(last.current));
  }, [flow, show, isSized, shape, minZoom]);
  useEffect(() => show(shown), [show, shown]);
  return null;
}

interface Props<N extends Node> {
  nodes: N[];
  edges: Edge[];
  types: NodeTypes;
  /** What is laid out: another one is fitted into what is seen. */
  shape: string;
  label: string;
  /** As far as it may shrink, by hand and when it is fitted. */
  minZoom: number;
  fitZoom?: number;
  /** A box that is to be seen, however large the graph is. */
  shown?: string;
  connect?: ReactFlowProps['onConnect'];
  /** Boxes without buttons of their own are gone through by keyboard themselves. */
  isGoneThrough?: boolean;
}

export function Flow<N extends Node>(props: Props<N>) {
  const scheme = useComputedColorScheme('light');
  const { minZoom, fitZoom = minZoom } = props;
  // Boxes say how large they are. React Flow forgets what it has measured with every new node,
  // and fits the drawing to those that it has measured.
  const nodes = props.nodes.map((node) => ({
    ...node,
    measured: { width: node.width, height: node.height },
  }));
  return (
    <ReactFlow
      nodes={nodes}
      edges={props.edges}
      nodeTypes={props.types}
      edgeTypes={lines}
      colorMode={scheme}
      minZoom={minZoom}
      nodesDraggable={false}
      nodesConnectable={props.connect !== undefined}
      nodesFocusable={props.isGoneThrough ?? false}
      edgesFocusable={false}
      elementsSelectable={false}
      preventScrolling={false}
      zoomOnScroll={false}
      deleteKeyCode={null}
      onConnect={props.connect}
      aria-label={props.label}
      proOptions={{ hideAttribution: true }}
    >
      <Fit shape={props.shape} minZoom={fitZoom} shown={props.shown ?? ''} />
      <Background gap={22} size={1} color="var(--line)" />
      <Controls showInteractive={false} fitViewOptions={FITTED} />
    </ReactFlow>
  );
}
