// Which boxes and lines a lineage is drawn with: all tables and views, or what one column is made
// of.
import type { Lineage, Member } from '@/api/project';

export interface LineageBox {
  name: string;
  kind: Member['kind'];
  columns: string[];
  isRoot: boolean;
}
export interface LineageLine {
  from: string;
  to: string;
  /** Of which column to which; none: of the whole rows. */
  columns: [string, string] | null;
}
export interface Traced {
  boxes: LineageBox[];
  lines: LineageLine[];
  /** The columns of tables that it all comes from, and that the project itself does not fill. */
  origins: [string, string][];
}

const keyOf = (relation: string, column: string) => JSON.stringify([relation, column]);

/** Everything below a view, relation by relation. */
function whole({ members, edges, name }: Lineage): Traced {
  const lines = new Map<string, LineageLine>();
  for (const { from, to } of edges) {
    if (from[0] === to[0]) continue;
    const line = { from: from[0], to: to[0], columns: null };
    lines.set(keyOf(line.from, line.to), line);
  }
  const boxes = members.map((one) => ({
    name: one.name,
    kind: one.kind,
    columns: one.name === name ? one.columns.map((column) => column.name) : [],
    isRoot: one.name === name,
  }));
  return { boxes, lines: [...lines.values()], origins: [] };
}

/** What a column is made of, column by column. */
function ofColumn({ members, edges, name }: Lineage, column: string): Traced {
  const below = new Map<string, [string, string][]>();
  for (const { from, to } of edges) {
    if (to[1] === null) continue;
    const key = keyOf(to[0], to[1]);
    below.set(key, [...(below.get(key) ?? []), from]);
  }
  const seen = new Map<string, [string, string]>([[keyOf(name, column), [name, column]]]);
  const lines: LineageLine[] = [];
  const waiting: [string, string][] = [[name, column]];
  for (let at = 0; at < waiting.length; at += 1) {
    const [relation, own] = waiting[at]!;
    for (const from of below.get(keyOf(relation, own)) ?? []) {
      lines.push({ from: from[0], to: relation, columns: [from[1], own] });
      const key = keyOf(...from);
      if (seen.has(key)) continue;
      seen.set(key, from);
      waiting.push(from);
    }
  }
  const used = [...seen.values()];
  const boxes = members
    .map((one) => ({
      name: one.name,
      kind: one.kind,
      columns: one.columns
        .map(({ name: own }) => own)
        .filter((own) => used.some(([relation, col]) => relation === one.name && col === own)),
      isRoot: one.name === name,
    }))
    .filter((box) => box.columns.length > 0);
  const drawn = new Set(boxes.map((box) => box.name));
  const tables = new Set(members.filter((one) => one.kind === 'table').map((one) => one.name));
  return {
    boxes,
    lines: lines.filter((line) => drawn.has(line.from) && drawn.has(line.to)),
    origins: used.filter((one) => tables.has(one[0]) && !below.has(keyOf(...one))),
  };
}

export const traced = (lineage: Lineage, column: string): Traced =>
  lineage.members[0]?.columns.some((one) => one.name === column)
    ? ofColumn(lineage, column)
    : whole(lineage);

/** The columns that choose, join or group a view's rows. */
export const rowsBy = ({ edges, name }: Lineage): [string, string][] =>
  edges.filter(({ to }) => to[0] === name && to[1] === null).map(({ from }) => from);
