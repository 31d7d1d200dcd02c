// The frame of all graphs: fitted whenever its boxes are laid out anew, and moved so far that a box
// with the focus can be seen. What is drawn stays drawn, so that the focus is not lost. Where more
// is drawn than is seen, it says how to come to the rest.
import {
  Background,
  Controls,
  Panel,
  ReactFlow,
  useReactFlow,
  useStore,
  useStoreApi,
  type Edge,
  type EdgeTypes,
  type Node,
  type NodeTypes,
  type ReactFlowProps,
  type ReactFlowState,
} from '@xyflow/react';
import '@xyflow/react/dist/style.css';
import './Flow.css';
import { useComputedColorScheme } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { MARGINS, SLIM_MARGINS, type Margins } from './placed';
import { Routed } from './Routed';
import { useCallback, useEffect, useRef, type FocusEvent } from 'react';

/** Room between a box and the edge of what is seen, in pixels. */
const ROOM = 12;
/** What is drawn does not lie under the buttons that move it. */
const fittedTo = ({ left, right, top, bottom }: Margins) =>
  ({
    maxZoom: 1,
    padding: {
      left: `${left}px`,
      right: `${right}px`,
      top: `${top}px`,
      bottom: `${bottom}px`,
    },
  }) as const;
const FITTED = { wide: fittedTo(MARGINS), slim: fittedTo(SLIM_MARGINS) };

const lines: EdgeTypes = { routed: Routed };

/** Shows a box that the focus comes to by keyboard. Under a pointer nothing may move: what goes
 * down on a box has to come up on it. */
export function useShowFocused(id: string): (event: FocusEvent<HTMLElement>) => void {
  const show = useShow();
  return (event) => {
    if (event.target.matches(':focus-visible')) show(id);
  };
}

/** Moves the drawing until a box can be seen whole, not under the buttons that lie so high below;
 * one that is seen moves nothing. */
function useShow(): (id: string, below?: number) => void {
  const flow = useReactFlow();
  const store = useStoreApi();
  return useCallback(
    (id, below = 0) => {
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
      const down = beyond(y * zoom + top, (node.height ?? 0) * zoom, height - below);
      if (right === 0 && down === 0) return;
      void flow.setViewport({ x: left + right, y: top + down, zoom });
    },
    [flow, store],
  );
}

/** Whether some box is not seen whole. */
function isCut({ nodeLookup, transform: [left, top, zoom], width, height }: ReactFlowState) {
  if (width === 0) return false;
  for (const { internals, measured } of nodeLookup.values()) {
    const { x, y } = internals.positionAbsolute;
    const [from, down] = [x * zoom + left, y * zoom + top];
    if (from < -1 || from + (measured.width ?? 0) * zoom > width + 1) return true;
    if (down < -1 || down + (measured.height ?? 0) * zoom > height + 1) return true;
  }
  return false;
}

interface FitProps {
  shape: string;
  minZoom: number;
  shown: string;
  below: number;
  fitted: ReturnType<typeof fittedTo>;
}
function Fit({ shape, minZoom, shown, below, fitted }: FitProps) {
  const flow = useReactFlow();
  const show = useShow();
  const isSized = useStore((state) => state.width > 0);
  const last = useRef(shown);
  last.current = shown;
  useEffect(() => {
    if (isSized) void flow.fitView({ ...fitted, minZoom }).then(() => show(last.current, below));
  }, [flow, show, isSized, shape, minZoom, fitted, below]);
  useEffect(() => show(shown, below), [show, shown, below]);
  return null;
}

/** Says that there is more. A frame in which all is seen leaves a finger's way to the page. */
function More() {
  const { t } = useTranslation();
  const isMore = useStore(isCut);
  return (
    isMore && (
      <Panel position="bottom-right" className="flow-more soft">
        {t('table.drag')}
      </Panel>
    )
  );
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
  /** Where there is little room the buttons lie below what is drawn. */
  isSlim?: boolean;
}

export function Flow<N extends Node>(props: Props<N>) {
  const scheme = useComputedColorScheme('light');
  const { minZoom, fitZoom = minZoom, isSlim = false } = props;
  const fitted = isSlim ? FITTED.slim : FITTED.wide;
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
      <Fit
        shape={props.shape}
        minZoom={fitZoom}
        shown={props.shown ?? ''}
        below={isSlim ? SLIM_MARGINS.bottom - ROOM : 0}
        fitted={fitted}
      />
      <More />
      <Background gap={22} size={1} color="var(--line)" />
      <Controls
        showInteractive={false}
        fitViewOptions={fitted}
        orientation={isSlim ? 'horizontal' : 'vertical'}
      />
    </ReactFlow>
  );
}
