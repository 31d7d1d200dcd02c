// What one adds to a pipeline: into a SELECT where it means the same there, else as a view over it.
import { decisionColumns } from './decision';
import { changed, relation, setClause, setItems, windowText } from './edit';
import { isAggregate, isAll, selectAt, type Place } from './graph';
import type { Item, Pipeline, Select, Structured } from './model';
import { plainName, quotedName } from './tokens';

const COUNT = 'COUNT(*) AS how_many';

/** A name that no statement has. */
function freeName(pipeline: Pipeline, wanted: string): string {
  const taken = new Set(pipeline.statements.map((one) => plainName(one.name ?? '')));
  let name = wanted;
  for (let at = 2; taken.has(name); at += 1) name = `${wanted}_${at}`;
  return name;
}
function statementOver(
  pipeline: Pipeline,
  from: string,
  is: 'view' | 'insert',
  named: string,
): Structured {
  const isFirst = pipeline.statements.length === 0;
  const name = is === 'view' ? freeName(pipeline, named) : named;
  return {
    is,
    head: `${isFirst ? '' : '\n\n'}${is === 'view' ? 'CREATE VIEW ' : 'INSERT INTO '}`,
    name: name.split('.').map(quotedName).join('.'),
    link: is === 'view' ? ' AS\n' : '\n',
    materialized: false,
    select: {
      items: { lead: 'SELECT ', body: '*' },
      from: { lead: '\nFROM ', item: relation(from) },
      joins: [],
      where: null,
      group: null,
      having: null,
      order: null,
      limit: null,
    },
    tail: ';',
  };
}
export type Addable = 'source' | 'filter' | 'map' | 'join' | 'window' | 'aggregate' | 'top';
export interface Added {
  pipeline: Pipeline;
  /** Where what was added stands. */
  place: Place;
}
function append(pipeline: Pipeline, statement: Structured): Added {
  const statements = [...pipeline.statements, statement];
  const place: Place = { statement: statements.length - 1, path: [], part: 'end' };
  return { pipeline: { ...pipeline, statements }, place };
}

/** Begins with a table or view of the project. */
export const addSource = (pipeline: Pipeline, name: string): Added =>
  append(pipeline, statementOver(pipeline, name, 'view', `from_${name.split('.').at(-1)}`));

export const addSink = (pipeline: Pipeline, from: string, into: string): Added =>
  append(pipeline, statementOver(pipeline, from, 'insert', into));

export function addDecision(pipeline: Pipeline, from: string, columns: string[]): Added {
  const statement = statementOver(pipeline, from, 'view', `${from.split('.').at(-1)}_decision`);
  const head = statement.head.replace('VIEW', 'MATERIALIZED VIEW');
  const items = { lead: 'SELECT\n  ', body: decisionColumns(columns) };
  const select = { ...statement.select, items };
  return append(pipeline, { ...statement, head, materialized: true, select });
}

/** Whether a clause can go into a SELECT without changing what its other parts mean. */
const fits: Record<Addable, (select: Select) => boolean> = {
  source: () => false,
  filter: (select) => select.where === null && !isAggregate(select) && isAll(select),
  join: (select) => select.where === null && !isAggregate(select) && isAll(select),
  window: (select) =>
    select.from.item.is === 'relation' && select.joins.length === 0 && isAll(select),
  map: (select) => isAll(select) && !isAggregate(select),
  aggregate: (select) => isAll(select) && !isAggregate(select),
  top: () => true,
};

/** Adds a step behind a node: into its SELECT where that means the same, else as a view over it. */
export function addStep(
  pipeline: Pipeline,
  over: { name: string; place: Place | null; isLast: boolean },
  kind: Addable,
  with_: { other?: string; time?: string; key?: string },
): Added {
  const select = over.place && selectAt(pipeline, over.place);
  const bare = select !== null && select.order === null && select.limit === null;
  const isHere = select !== null && bare && over.isLast && fits[kind](select);
  const made = isHere && over.place ? { pipeline, place: over.place } : null;
  const { pipeline: next, place } =
    made ?? append(pipeline, statementOver(pipeline, over.name, 'view', `step_${kind}`));
  const own: Place = { statement: place.statement, path: place.path, part: 'where' };
  const to = (part: Place['part'], result: Pipeline, join?: number): Added => ({
    pipeline: result,
    place: { ...own, part, join },
  });
  if (kind === 'filter') return to('where', setClause(next, own, 'where', 'TRUE'));
  if (kind === 'map') return to('items', setItems(next, own, '*, 1 AS one'));
  if (kind === 'top') return to('order', setClause(next, own, 'limit', '10'));
  if (kind === 'aggregate') {
    const grouped = with_.key ? setClause(next, own, 'group', quotedName(with_.key)) : next;
    const items = with_.key ? `${quotedName(with_.key)}, ${COUNT}` : COUNT;
    return to('items', setItems(grouped, own, items));
  }
  if (kind === 'join') {
    const count = selectAt(next, own)?.joins.length ?? 0;
    const join = {
      lead: '\nJOIN ',
      kind: 'INNER',
      item: relation(with_.other ?? ''),
      on: { lead: ' ON ', body: 'TRUE' },
    };
    const joined = changed(next, own, (one) => ({ ...one, joins: [...one.joins, join] }));
    return to('join', joined, count);
  }
  const cut = (item: Item): Item => {
    if (item.is !== 'relation') return item;
    const sizes = ["INTERVAL '1' HOUR"];
    const time = quotedName(with_.time ?? 'event_time');
    const made: Item = {
      is: 'window',
      text: '',
      kind: 'TUMBLE',
      relation: item.name,
      time,
      sizes,
      rest: item.rest,
    };
    return { ...made, text: windowText(made) };
  };
  const windowed = changed(next, own, (one) => ({
    ...one,
    from: { ...one.from, item: cut(one.from.item) },
  }));
  return to('item', windowed, 0);
}
