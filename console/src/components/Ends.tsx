// Where the lines of a graph come to its boxes and leave them: at the sides, or above and below
// where the graph goes from top to bottom.
import { Handle, Position } from '@xyflow/react';
import { endsOf } from './placed';

export interface Ends {
  isUpright: boolean;
  /** Whether lines come to it. */
  hasInto: boolean;
  /** Whether lines leave it. */
  hasOut: boolean;
}

const sidesOf = (isUpright: boolean) =>
  isUpright
    ? { into: Position.Top, out: Position.Bottom }
    : { into: Position.Left, out: Position.Right };

/** Said beforehand: lines are then drawn with the boxes, not after the boxes were measured. */
export function handlesOf(
  size: { width: number; height: number },
  { isUpright, hasInto, hasOut }: Ends,
) {
  const sides = sidesOf(isUpright);
  const at = endsOf(size, isUpright);
  return [
    ...(hasInto ? [{ type: 'target' as const, position: sides.into, ...at.into }] : []),
    ...(hasOut ? [{ type: 'source' as const, position: sides.out, ...at.out }] : []),
  ];
}

/** The ends themselves, within a box. */
export function BoxEnds({ isUpright, hasInto, hasOut, connects }: Ends & { connects: boolean }) {
  const sides = sidesOf(isUpright);
  return (
    <>
      {hasInto && <Handle type="target" position={sides.into} isConnectable={connects} />}
      {hasOut && <Handle type="source" position={sides.out} isConnectable={connects} />}
    </>
  );
}
