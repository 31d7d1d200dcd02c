// Where the boxes of a graph go and the lines between them, by elkjs: from left to right, or from
// top to bottom where there is no room for two boxes beside each other, as on a phone.
import ELK, { type ElkExtendedEdge, type ElkNode } from 'elkjs/lib/elk.bundled.js';
import { useElementSize } from '@mantine/hooks';
import { useEffect, useState } from 'react';

export interface Point {
  x: number;
  y: number;
}
export type Places = Map<string, Point>;
/** Where a line bends, by `from>to`. */
export type Bends = Map<string, Point[]>;
export interface Sized {
  id: string;
  width: number;
  height: number;
}

interface Placed {
  at: Places;
  bends: Bends;
  height: number;
  /** Whether it goes from top to bottom. */
  isUpright: boolean;
}
const NONE: Bends = new Map();
const elk = new ELK();

/** A drawing is shrunk so far that what its boxes say can still be read, and no further. */
export const READABLE = 0.75;
export interface Margins {
  left: number;
  right: number;
  top: number;
  bottom: number;
}
/** Left of the boxes are the buttons that move the drawing… */
export const MARGINS: Margins = { left: 56, right: 16, top: 16, bottom: 16 };
/** …and below them where there is little room. */
export const SLIM_MARGINS: Margins = { left: 12, right: 12, top: 12, bottom: 46 };
/** Lines that go down need no room for what is written on them. */
const UPRIGHT_GAP = 34;
/** A graph that is still too wide is laid out anew so often, and so much narrower each time. */
const TRIES = 4;
const NARROWER = 0.6;

/** Long chains are broken into lines, so that they can still be read as a whole. */
const wrapped = (aspect: number) => ({
  'elk.layered.wrapping.strategy': 'MULTI_EDGE',
  'elk.aspectRatio': String(aspect),
  'elk.layered.wrapping.additionalEdgeSpacing': '24',
});

interface Form {
  gap?: number;
  /** How wide what is drawn may be, in pixels, where long chains are broken into lines; 0: that is
   * not known yet. */
  room?: number;
}

/** Where lines come to a box and leave it: in the middle of its sides. */
export const endsOf = ({ width, height }: { width: number; height: number }, isUpright: boolean) =>
  isUpright
    ? { into: { x: width / 2, y: 0 }, out: { x: width / 2, y: height } }
    : { into: { x: 0, y: height / 2 }, out: { x: width, y: height / 2 } };

const childOf = (box: Sized, isUpright: boolean) => {
  const { into, out } = endsOf(box, isUpright);
  const side = (name: string) => ({ layoutOptions: { 'elk.port.side': name } });
  return {
    ...box,
    layoutOptions: { 'elk.portConstraints': 'FIXED_POS' },
    ports: [
      { id: `${box.id}<`, ...into, ...side(isUpright ? 'NORTH' : 'WEST') },
      { id: `${box.id}>`, ...out, ...side(isUpright ? 'SOUTH' : 'EAST') },
    ],
  };
};

/** How far a drawing is shrunk to be as wide as there is room. */
const zoomOf = (width: number, room: number, { left, right } = MARGINS) =>
  Math.min(1, (room - left - right) / width);

const laidOut = (
  boxes: Sized[],
  edges: [string, string][],
  gap: number,
  { aspect = null, isUpright = false }: { aspect?: number | null; isUpright?: boolean },
): Promise<ElkNode> =>
  elk.layout({
    id: 'root',
    layoutOptions: {
      'elk.algorithm': 'layered',
      'elk.direction': isUpright ? 'DOWN' : 'RIGHT',
      'elk.edgeRouting': 'ORTHOGONAL',
      'elk.spacing.nodeNode': '14',
      'elk.layered.spacing.nodeNodeBetweenLayers': String(gap),
      ...(aspect === null ? {} : wrapped(aspect)),
    },
    children: boxes.map((box) => childOf(box, isUpright)),
    edges: edges.map(([from, to]) => ({
      id: `${from}>${to}`,
      sources: [`${from}>`],
      targets: [`${to}<`],
    })),
  });

/** The places of boxes and the bends of lines, as wide as there is room. */
export async function placed(
  boxes: Sized[],
  edges: [string, string][],
  { gap = 90, room }: Form,
): Promise<Placed> {
  const widest = Math.max(0, ...boxes.map((box) => box.width));
  const isUpright = room !== undefined && zoomOf(2 * widest + gap, room) < READABLE;
  const margins = isUpright ? SLIM_MARGINS : MARGINS;
  let made = await laidOut(boxes, edges, isUpright ? UPRIGHT_GAP : gap, { isUpright });
  const { width = 1, height: high = 1 } = made;
  const fits = () => isUpright || room === undefined || zoomOf(made.width ?? 0, room) >= READABLE;
  // Broken into lines it is as large, and the lines want room between them: half as much again.
  const wanted = (room ?? 0) / READABLE;
  let aspect = (wanted * wanted) / (1.5 * width * high);
  for (let tries = 0; tries < TRIES && !fits(); tries += 1, aspect *= NARROWER)
    made = await laidOut(boxes, edges, gap, { aspect });
  const zoom = room === undefined ? 1 : zoomOf(made.width ?? 0, room, margins);
  const at = new Map(
    (made.children ?? []).map((node) => [node.id, { x: node.x ?? 0, y: node.y ?? 0 }]),
  );
  const bendsOf = ({ sections = [] }: ElkExtendedEdge) =>
    sections.flatMap(({ bendPoints = [] }) => bendPoints.map(({ x, y }) => ({ x, y })));
  const bends = new Map((made.edges ?? []).map((edge) => [edge.id, bendsOf(edge)]));
  const height = (made.height ?? 0) * Math.max(READABLE, zoom) + margins.top + margins.bottom;
  return { at, bends, height, isUpright };
}

/** The box that a graph is drawn in, and its width, in steps: not every pixel is laid out anew. */
export function useRoom() {
  const { ref, width } = useElementSize<HTMLDivElement>();
  return { ref, room: Math.floor(width / 60) * 60 };
}

/** The places of a graph's boxes and lines, and of which shape; of the one before, or none, until
 * the new one's are worked out. */
export function usePlaces(boxes: Sized[], edges: [string, string][], form: Form = {}) {
  const shape = JSON.stringify([boxes, edges, form]);
  const isUnknown = form.room === 0;
  const [places, setPlaces] = useState<(Placed & { shape: string }) | null>(null);
  useEffect(() => {
    let gone = false;
    if (isUnknown) return;
    const [all, lines, how] = JSON.parse(shape) as [Sized[], [string, string][], Form];
    void placed(all, lines, how).then((made) => !gone && setPlaces({ shape, ...made }));
    return () => {
      gone = true;
    };
  }, [shape, isUnknown]);
  return {
    places: places?.at ?? null,
    bends: places?.bends ?? NONE,
    /** Of the whole drawing, as far as it is shrunk to fit. */
    height: places?.height ?? 0,
    isUpright: places?.isUpright ?? false,
    isNow: places?.shape === shape,
    shape: places?.shape ?? '',
  };
}
