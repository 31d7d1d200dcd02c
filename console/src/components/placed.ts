// Where the boxes of a graph go: from left to right, by elkjs.
import ELK from 'elkjs/lib/elk.bundled.js';
import { useEffect, useState } from 'react';

export type Places = Map<string, { x: number; y: number }>;
export interface Sized {
  id: string;
  width: number;
  height: number;
}

const elk = new ELK();

/** Long chains are broken into lines, so that they can still be read as a whole. */
const wrapped = (aspect: number) => ({
  'elk.layered.wrapping.strategy': 'MULTI_EDGE',
  'elk.aspectRatio': String(aspect),
  'elk.layered.wrapping.additionalEdgeSpacing': '24',
});

interface Form {
  gap?: number;
  isWrapped?: boolean;
  /** How much wider than high what it is broken into shall be. */
  aspect?: number;
}

async function placed(
  boxes: Sized[],
  edges: [string, string][],
  { gap = 90, isWrapped = false, aspect = 2.2 }: Form,
): Promise<Places> {
  const made = await elk.layout({
    id: 'root',
    layoutOptions: {
      'elk.algorithm': 'layered',
      'elk.direction': 'RIGHT',
      'elk.spacing.nodeNode': '14',
      'elk.layered.spacing.nodeNodeBetweenLayers': String(gap),
      ...(isWrapped ? wrapped(aspect) : {}),
    },
    children: boxes.map(({ id, width, height }) => ({ id, width, height })),
    edges: edges.map(([from, to]) => ({ id: `${from}>${to}`, sources: [from], targets: [to] })),
  });
  return new Map(
    (made.children ?? []).map((node) => [node.id, { x: node.x ?? 0, y: node.y ?? 0 }]),
  );
}

/** The places of a graph's boxes, and of which shape; of the one before, or none, until the new
 * one's are worked out. */
export function usePlaces(boxes: Sized[], edges: [string, string][], form: Form = {}) {
  const shape = JSON.stringify([boxes, edges, form]);
  const [places, setPlaces] = useState<{ shape: string; at: Places } | null>(null);
  useEffect(() => {
    let gone = false;
    const [all, lines, how] = JSON.parse(shape) as [Sized[], [string, string][], Form];
    void placed(all, lines, how).then((at) => !gone && setPlaces({ shape, at }));
    return () => {
      gone = true;
    };
  }, [shape]);
  return { places: places?.at ?? null, isNow: places?.shape === shape, shape: places?.shape ?? '' };
}
