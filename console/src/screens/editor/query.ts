// Questions that nodes are looked at with: the SELECT up to a node, with the views of the pipeline
// that it reads before it.
import { itemRelations, relationsOf } from './names';
import { queryOf, selectText, writtenItem, type Pipeline, type Select } from './model';
import { selectAt, type GraphNode, type Place } from './graph';
import { plainName, quotedName } from './tokens';

export const SAMPLE_ROWS = 20;

/** A SELECT up to one of its parts. */
function upTo(select: Select, place: Place): { text: string; reads: string[] } {
  const { from, joins } = select;
  if (place.part === 'item') {
    const item = place.join ? joins[place.join - 1]?.item : from.item;
    const text = item ? `SELECT *\nFROM ${writtenItem(item)}` : selectText(select);
    return { text, reads: item ? itemRelations(item) : [] };
  }
  const reads = relationsOf(select);
  const all: Select = {
    ...select,
    items: { lead: 'SELECT ', body: '*' },
    where: null,
    group: null,
    having: null,
    order: null,
    limit: null,
  };
  if (place.part === 'join') {
    const joined = joins.slice(0, (place.join ?? 0) + 1);
    return { text: selectText({ ...all, joins: joined }), reads };
  }
  if (place.part === 'where') return { text: selectText({ ...all, where: select.where }), reads };
  if (place.part === 'items') {
    return { text: selectText({ ...select, having: null, order: null, limit: null }), reads };
  }
  if (place.part === 'having') {
    return { text: selectText({ ...select, order: null, limit: null }), reads };
  }
  return { text: selectText(select), reads };
}

/** The views of the pipeline that some names need, in the order in which they are declared. */
function needed(pipeline: Pipeline, reads: string[], before: number): [string, string][] {
  const views: [string, string][] = [];
  let wanted = new Set(reads);
  for (let at = before - 1; at >= 0; at -= 1) {
    const statement = pipeline.statements[at];
    if (!statement || statement.is === 'insert' || statement.is === 'query') continue;
    const name = statement.name === null ? null : plainName(statement.name);
    const query = queryOf(statement);
    if (name === null || query === null || !wanted.has(name)) continue;
    views.unshift([name, query]);
    const own = statement.is === 'sql' ? relationsOf(query) : relationsOf(statement.select);
    wanted = new Set([...wanted, ...own]);
  }
  return views;
}

function within(views: [string, string][], text: string): string {
  if (views.length === 0) return text;
  const named = views.map(([name, query]) => `${quotedName(name)} AS (\n${query.trim()}\n)`);
  return `WITH ${named.join(',\n')}\n${text}`;
}

/** The question whose answer is what a node gives; none where nothing can be asked. */
export function questionOf(pipeline: Pipeline, node: GraphNode): string | null {
  if (!node.place) {
    return `SELECT * FROM ${node.title.split('.').map(quotedName).join('.')}`;
  }
  const { statement: at } = node.place;
  const statement = pipeline.statements[at];
  if (!statement) return null;
  if (statement.is === 'sql') {
    if (statement.query === null) return null;
    const reads = relationsOf(statement.query);
    return within(needed(pipeline, reads, at), statement.query);
  }
  const select = selectAt(pipeline, node.place);
  if (!select) return null;
  const { text, reads } = upTo(select, node.place);
  return within(needed(pipeline, reads, at), text.trim());
}

/** The same, for some rows. */
export function sampleOf(pipeline: Pipeline, node: GraphNode): string | null {
  const question = questionOf(pipeline, node);
  return question && `SELECT * FROM (\n${question}\n) LIMIT ${SAMPLE_ROWS}`;
}
