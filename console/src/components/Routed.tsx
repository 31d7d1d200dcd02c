// A line of a graph, drawn the way that the layout has found between the boxes.
import { BaseEdge, type Edge, type EdgeProps } from '@xyflow/react';
import type { Point } from './placed';

export type RoutedLine = Edge<{ bends: Point[] }, 'routed'>;

/** How round its corners are, in pixels. */
const RADIUS = 7;

const distance = (a: Point, b: Point) => Math.hypot(b.x - a.x, b.y - a.y);
/** The point so far from one towards another. */
function towards(from: Point, to: Point, length: number): Point {
  const share = length / (distance(from, to) || 1);
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}

/** A path through points, its corners rounded. */
export function pathOf(points: Point[]): string {
  const at = ({ x, y }: Point) => `${x},${y}`;
  const parts = points.map((point, index) => {
    const [before, after] = [points[index - 1], points[index + 1]];
    if (!before) return `M${at(point)}`;
    if (!after) return `L${at(point)}`;
    const room = Math.min(RADIUS, distance(before, point) / 2, distance(point, after) / 2);
    return `L${at(towards(point, before, room))} Q${at(point)} ${at(towards(point, after, room))}`;
  });
  return parts.join(' ');
}

/** Where a line is written on: the middle of its longest part. */
export function middleOf(points: Point[]): Point {
  let [longest, found] = [-1, points[0] ?? { x: 0, y: 0 }];
  points.slice(1).forEach((to, index) => {
    const from = points[index]!;
    if (distance(from, to) <= longest) return;
    longest = distance(from, to);
    found = towards(from, to, longest / 2);
  });
  return found;
}

export function Routed(props: EdgeProps<RoutedLine>) {
  const { sourceX, sourceY, targetX, targetY, data, style, label, labelBgPadding } = props;
  const ends = [
    { x: sourceX, y: sourceY },
    { x: targetX, y: targetY },
  ] as const;
  const points = [ends[0], ...(data?.bends ?? []), ends[1]];
  const middle = middleOf(points);
  return (
    <BaseEdge
      id={props.id}
      path={pathOf(points)}
      {...(style ? { style } : {})}
      {...(label ? { label, labelX: middle.x, labelY: middle.y } : {})}
      {...(labelBgPadding ? { labelBgPadding } : {})}
    />
  );
}
