// The graph that a pipeline is: a node for each clause that does something, an edge for what it
// takes in. Nothing is kept in it: it is worked out from the text, always.
import { CLAUSES, type Item, type Pipeline, type Select, type Structured } from './model';
import { commaParts, plainName, tokensOf } from './tokens';

export type NodeKind =
  | 'source'
  | 'window'
  | 'join'
  | 'filter'
  | 'aggregate'
  | 'map'
  | 'top'
  | 'view'
  | 'sink'
  | 'decision'
  | 'sql';

/** Where a node stands in the text: a statement, a SELECT within it, and the part of that. */
export interface Place {
  statement: number;
  /** Down from the statement's own SELECT: 0 is what FROM has, 1 the first join, … */
  path: number[];
  part: 'item' | 'join' | 'where' | 'items' | 'having' | 'order' | 'end' | 'text';
  join?: number;
}
export interface GraphNode {
  id: string;
  kind: NodeKind;
  title: string;
  text: string;
  /** None: a table or view that the pipeline only reads. */
  place: Place | null;
}
export interface Graph {
  nodes: GraphNode[];
  edges: [string, string][];
}

const AGGREGATES = new Set(
  (
    'AVG COUNT SUM MAX MIN LISTAGG STDDEV_POP STDDEV_SAMP STDDEV VAR_POP VAR_SAMP VARIANCE ' +
    'COLLECT ARRAY_AGG FIRST_VALUE LAST_VALUE JSON_OBJECTAGG JSON_ARRAYAGG'
  ).split(' '),
);

/** Whether a list of columns has an aggregate that is not one over a window. */
export function aggregates(items: string): boolean {
  const tokens = tokensOf(items);
  return tokens.some((token, at) => {
    if (!AGGREGATES.has(token.upper) || tokens[at + 1]?.text !== '(') return false;
    let [depth, end] = [0, at + 1];
    for (; end < tokens.length; end += 1) {
      if (tokens[end]?.text === '(') depth += 1;
      if (tokens[end]?.text === ')') depth -= 1;
      if (depth === 0) break;
    }
    return tokens[end + 1]?.upper !== 'OVER';
  });
}
export const isAggregate = (select: Select): boolean =>
  select.group !== null || aggregates(select.items.body);
export const isAll = (select: Select): boolean => /^(\w+\.)?\*$/.test(select.items.body.trim());

/** What makes a view one that decides: the columns by which the journal knows it. */
export function decides(statement: Structured): boolean {
  const names = commaParts(statement.select.items.body).map(columnName);
  return names.includes('decision_id') && names.includes('decision_type');
}
/** The name under which a column of a SELECT is known. */
export function columnName(item: string): string {
  const last = tokensOf(item).at(-1);
  return last && (last.kind === 'word' || last.kind === 'quoted') ? plainName(last.text) : '';
}

class Builder {
  nodes: GraphNode[] = [];
  edges: [string, string][] = [];
  /** The last node of each view that was declared so far. */
  private readonly known = new Map<string, string>();
  private readonly sources = new Set<string>();

  constructor(private readonly pipeline: Pipeline) {}

  build(): Graph {
    this.pipeline.statements.forEach((statement, at) => {
      if (statement.is === 'sql') this.verbatim(statement.text, statement.name, at);
      else this.structured(statement, at);
    });
    return { nodes: this.nodes, edges: this.edges };
  }

  private node(node: GraphNode, from: string[]): string {
    this.nodes.push(node);
    for (const one of new Set(from)) this.edges.push([one, node.id]);
    return node.id;
  }
  private relation(name: string): string {
    const plain = name.split('.').map(plainName).join('.');
    const declared = this.known.get(plain);
    if (declared) return declared;
    const id = `source:${plain}`;
    if (!this.sources.has(plain)) {
      this.sources.add(plain);
      this.node({ id, kind: 'source', title: plain, text: '', place: null }, []);
    }
    return id;
  }
  private item(item: Item, statement: number, path: number[], at: number): string {
    if (item.is === 'relation') return this.relation(item.name);
    const inner = [...path, at];
    if (item.is === 'query') return this.select(item.select, statement, inner);
    const from = this.relation(item.relation);
    const place: Place = { statement, path, part: 'item', join: at };
    const text = `${item.kind} ${item.time} ${item.sizes.join(', ')}`;
    const id = `${statement}:${inner.join('.')}:window`;
    return this.node({ id, kind: 'window', title: item.kind, text, place }, [from]);
  }

  private select(select: Select, statement: number, path: number[]): string {
    const id = (part: string) => `${statement}:${path.join('.')}:${part}`;
    const place = (part: Place['part'], join?: number): Place => ({ statement, path, part, join });
    let last = this.item(select.from.item, statement, path, 0);
    select.joins.forEach((join, at) => {
      const other = this.item(join.item, statement, path, at + 1);
      const text = join.on?.body ?? '';
      const node = { id: id(`join${at}`), title: join.kind, text, place: place('join', at) };
      last = this.node({ ...node, kind: 'join' }, [last, other]);
    });
    const step = (kind: NodeKind, part: Place['part'], title: string, text: string) => {
      last = this.node({ id: id(part), kind, title, text, place: place(part) }, [last]);
    };
    if (select.where) step('filter', 'where', '', select.where.body);
    if (isAggregate(select)) {
      step('aggregate', 'items', select.group?.body ?? '', select.items.body);
    } else if (!isAll(select)) {
      step('map', 'items', '', select.items.body);
    }
    if (select.having) step('filter', 'having', '', select.having.body);
    if (select.order || select.limit) {
      const said = [select.order?.body, select.limit?.body].filter((body) => body !== undefined);
      step('top', 'order', '', said.join(' · '));
    }
    return last;
  }

  private structured(statement: Structured, at: number) {
    const last = this.select(statement.select, at, []);
    const kind =
      statement.is === 'insert' ? 'sink' : decides(statement) ? 'decision' : ('view' as const);
    const title = statement.name.split('.').map(plainName).join('.');
    const id = `${at}::end`;
    const place: Place = { statement: at, path: [], part: 'end' };
    this.node({ id, kind, title, text: '', place }, [last]);
    if (statement.is === 'view') this.known.set(title, id);
  }
  private verbatim(text: string, name: string | null, at: number) {
    const words = new Set(tokensOf(text).map((token) => plainName(token.text)));
    const from = [...this.known].filter(([view]) => words.has(view)).map(([, id]) => id);
    const id = `${at}::text`;
    const place: Place = { statement: at, path: [], part: 'text' };
    const title = name ? plainName(name) : '';
    this.node({ id, kind: 'sql', title, text: text.trim(), place }, from);
    if (name) this.known.set(title, id);
  }
}

export const graphOf = (pipeline: Pipeline): Graph => new Builder(pipeline).build();

/** The SELECT of a place. */
export function selectAt(pipeline: Pipeline, place: Place): Select | null {
  const statement = pipeline.statements[place.statement];
  if (!statement || statement.is === 'sql') return null;
  let select = statement.select;
  for (const step of place.path) {
    const item = step === 0 ? select.from.item : select.joins[step - 1]?.item;
    if (item?.is !== 'query') return null;
    select = item.select;
  }
  return select;
}

/** The last clause of a SELECT that has something. */
export const lastClause = (select: Select) => CLAUSES.findLast((clause) => select[clause] !== null);
