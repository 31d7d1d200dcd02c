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

async function placed(boxes: Sized[], edges: [string, string][], gap: number): Promise<Places> {
  const made = await elk.layout({
    id: 'root',
    layoutOptions: {
      'elk.algorithm': 'layered',
      'elk.direction': 'RIGHT',
      'elk.spacing.nodeNode': '14',
      'elk.layered.spacing.nodeNodeBetweenLayers': String(gap),
    },
    children: boxes.map(({ id, width, height }) => ({ id, width, height })),
    edges: edges.map(([from, to]) => ({ id: `${from}>${to}`, sources: [from], targets: [to] })),
  });
  return new Map(
    (made.children ?? []).map((node) => [node.id, { x: node.x ?? 0, y: node.y ?? 0 }]),
  );
}

/** The places of a graph's boxes; those of before, or none, until they are worked out. */
export function usePlaces(boxes: Sized[], edges: [string, string][], gap = 90) {
  const shape = JSON.stringify([boxes, edges]);
  const [places, setPlaces] = useState<{ shape: string; at: Places } | null>(null);
  useEffect(() => {
    let gone = false;
    const [all, lines] = JSON.parse(shape) as [Sized[], [string, string][]];
    void placed(all, lines, gap).then((at) => !gone && setPlaces({ shape, at }));
    return () => {
      gone = true;
    };
  }, [shape, gap]);
  return { places: places?.at ?? null, isNow: places?.shape === shape, shape };
}
