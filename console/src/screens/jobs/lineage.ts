// The running operators between the sources and an output, and what flows from one to the next.
import type { OperatorStatus, Status } from '@/api/types';

/** Boxes that are drawn one by one; those further from the output are one box together. */
export const BOXES_MAX = 48;
/** The box of those that are not drawn one by one. */
const REST = 'rest';

export interface Box {
  id: string;
  kind: 'source' | 'operator' | 'output' | 'rest';
  name: string;
  rows: number;
  share: number;
  state: number;
  /** How many operators it stands for. */
  operators: number;
  /** What it waits for. */
  note: string | null;
  /** No other of these works for longer. */
  isSlowest: boolean;
}
export interface Line {
  from: string;
  to: string;
  /** The operators whose rows go along it. */
  nodes: number[];
}
export interface Running {
  boxes: Box[];
  lines: Line[];
}

/** The operators that an output is made by, the nearest first. */
function nearest(status: Status, output: string): OperatorStatus[] {
  const mine = status.operators.filter((one) => one.outputs.includes(output));
  const byNode = new Map(mine.map((one) => [one.node, one]));
  const ends = status.outputs.filter((one) => one.name === output);
  let next = ends.flatMap((one) => byNode.get(one.node ?? -1) ?? []);
  const found = new Set<OperatorStatus>();
  while (next.length > 0) {
    for (const one of next) found.add(one);
    const inputs = next.flatMap((one) => one.inputs.flatMap((at) => byNode.get(at) ?? []));
    next = [...new Set(inputs)].filter((one) => !found.has(one));
  }
  return [...found];
}

const sum = (operators: OperatorStatus[], of: (one: OperatorStatus) => number) =>
  operators.reduce((total, one) => total + of(one), 0);

/** What an output is made by, as it runs. */
export function runningOf(status: Status, output: string): Running {
  const all = nearest(status, output);
  // Sources are seen however far away they are: they say whose fault it is.
  const isFar = (one: OperatorStatus, at: number) => at >= BOXES_MAX && one.kind !== 'source';
  const far = all.length > BOXES_MAX + 2 ? all.filter(isFar) : [];
  const beyond = new Set(far.map((one) => one.node));
  const drawn = all.filter((one) => !beyond.has(one.node));
  const known = new Map(status.sources.map((one) => [one.name, one]));
  const slowest = drawn.reduce((most, one) => Math.max(most, one.share), 0);
  const boxOf = (one: OperatorStatus): Box => ({
    id: String(one.node),
    kind: one.kind === 'source' ? 'source' : 'operator',
    name: one.name,
    rows: one.rows,
    share: one.share,
    state: one.state_bytes,
    operators: 1,
    note: one.kind === 'source' ? known.get(one.name)?.held_by.join(', ') || null : null,
    isSlowest: one.share > 0 && one.share === slowest,
  });
  const boxes = drawn.map(boxOf);
  if (far.length > 0)
    boxes.push({
      id: REST,
      kind: 'rest',
      name: '',
      rows: sum(far, (one) => one.rows),
      share: sum(far, (one) => one.share),
      state: sum(far, (one) => one.state_bytes),
      operators: far.length,
      note: null,
      isSlowest: false,
    });
  const place = (node: number) => (beyond.has(node) ? REST : String(node));
  const there = new Set(all.map((one) => one.node));
  const lines = new Map<string, Line>();
  const draw = (from: number, to: string) => {
    const key = `${place(from)}>${to}`;
    const line = lines.get(key) ?? { from: place(from), to, nodes: [] };
    if (!line.nodes.includes(from)) line.nodes.push(from);
    if (line.from !== to) lines.set(key, line);
  };
  for (const one of all)
    for (const input of one.inputs) if (there.has(input)) draw(input, place(one.node));
  status.outputs
    .filter((one) => one.name === output)
    .forEach((one, at) => {
      const id = `output:${output}${at > 0 ? ` ${at + 1}` : ''}`;
      boxes.push({
        id,
        kind: 'output',
        name: output,
        rows: one.rows,
        share: 0,
        state: 0,
        operators: 0,
        note: one.held_back_by,
        isSlowest: false,
      });
      if (one.node !== null && there.has(one.node)) draw(one.node, id);
    });
  return { boxes, lines: [...lines.values()] };
}

/** Rows that each operator has given. */
export interface Look {
  at: number;
  rows: Map<number, number>;
}
export const lookOf = (status: Status): Look => ({
  at: status.at_ms,
  rows: new Map(status.operators.map((one) => [one.node, one.rows])),
});
/** Rows a second along a line, from one look to the next; none before there are two. */
export function rateOf(nodes: number[], before: Look | null, now: Look): number | null {
  if (!before || now.at <= before.at) return null;
  let rows = 0;
  for (const node of nodes) {
    const was = before.rows.get(node);
    if (was === undefined) return null;
    rows += Math.max(0, (now.rows.get(node) ?? was) - was);
  }
  return (rows * 1000) / (now.at - before.at);
}

/** The outputs that a source feeds. */
export const fedBy = (status: Status, source: string): string[] =>
  status.operators.find((one) => one.kind === 'source' && one.name === source)?.outputs ?? [];
