// Which source feeds which view: the server says it of every source's operator.
import type { OperatorStatus, Status } from '@/api/types';

export interface Box {
  id: string;
  kind: 'source' | 'work' | 'output';
  name: string;
  rows: number;
  share: number;
  state: number;
  operators: number;
  note: string | null;
}
export interface Lineage {
  boxes: Box[];
  edges: [string, string][];
}

const sum = (operators: OperatorStatus[], of: (one: OperatorStatus) => number) =>
  operators.reduce((total, one) => total + of(one), 0);

/** The sources of an output, its operators as one box (they may also work for others), and it. */
export function lineageOf(status: Status, output: string): Lineage {
  const mine = status.operators.filter((one) => one.outputs.includes(output));
  const feeding = mine.filter((one) => one.kind === 'source');
  const working = mine.filter((one) => one.kind !== 'source');
  const notes = new Map(status.sources.map((one) => [one.name, one]));
  const sources = feeding.map((one): Box => ({
    id: `source:${one.name}`,
    kind: 'source',
    name: one.name,
    rows: notes.get(one.name)?.rows ?? one.rows,
    share: one.share,
    state: one.state_bytes,
    operators: 1,
    note: notes.get(one.name)?.held_by.join(', ') || null,
  }));
  const work: Box = {
    id: 'work',
    kind: 'work',
    name: '',
    rows: sum(working, (one) => one.rows),
    share: sum(working, (one) => one.share),
    state: sum(working, (one) => one.state_bytes),
    operators: working.length,
    note: null,
  };
  const said = status.outputs.find((one) => one.name === output);
  const end: Box = {
    id: `output:${output}`,
    kind: 'output',
    name: output,
    rows: said?.rows ?? 0,
    share: 0,
    state: 0,
    operators: 0,
    note: said?.held_back_by ?? null,
  };
  return {
    boxes: [...sources, work, end],
    edges: [...sources.map((one): [string, string] => [one.id, 'work']), ['work', end.id]],
  };
}

/** The outputs that a source feeds. */
export const fedBy = (status: Status, source: string): string[] =>
  status.operators.find((one) => one.kind === 'source' && one.name === source)?.outputs ?? [];
