// A pipeline as the editor holds it. Every piece keeps the text it was read from, so that writing
// it again gives the same text; what is edited is written anew, and nothing else is.

/** A clause: the words that lead to it (with the space and comments around), and what it says. */
export interface Part {
  lead: string;
  body: string;
}
export type WindowKind = 'TUMBLE' | 'HOP' | 'CUMULATE' | 'SESSION';

/** What stands in a FROM or behind a JOIN; `rest` is its alias, as it is written. */
export type Item =
  | { is: 'relation'; name: string; rest: string }
  | {
      is: 'window';
      text: string;
      kind: WindowKind;
      relation: string;
      time: string;
      sizes: string[];
      rest: string;
    }
  | { is: 'query'; open: string; select: Select; close: string; rest: string };

export interface Join {
  /** The words of the join, with the space around. */
  lead: string;
  kind: string;
  item: Item;
  /** ON or USING; a cross join has none. */
  on: Part | null;
}

export interface Select {
  items: Part;
  from: { lead: string; item: Item };
  joins: Join[];
  where: Part | null;
  group: Part | null;
  having: Part | null;
  order: Part | null;
  limit: Part | null;
}
export const CLAUSES = ['where', 'group', 'having', 'order', 'limit'] as const;
export type Clause = (typeof CLAUSES)[number];

export interface Structured {
  is: 'view' | 'insert' | 'query';
  /** Up to the name; the name as it is written; from there to the SELECT. */
  head: string;
  name: string;
  link: string;
  materialized: boolean;
  select: Select;
  /** What follows the SELECT, with the semicolon. */
  tail: string;
}
/** What the graph cannot say: kept word by word. */
export interface Verbatim {
  is: 'sql';
  text: string;
  /** The view that it declares, and its query, where it does. */
  name: string | null;
  query: string | null;
}
export type Statement = Structured | Verbatim;

export interface Pipeline {
  statements: Statement[];
  /** What follows the last statement. */
  tail: string;
}

const itemText = (item: Item): string => {
  if (item.is === 'relation') return item.name + item.rest;
  if (item.is === 'window') return item.text + item.rest;
  return item.open + selectText(item.select) + item.close + item.rest;
};
const partText = (part: Part | null): string => (part ? part.lead + part.body : '');

/** The SQL of a FROM or join's item. */
export const writtenItem = itemText;

/** The SQL of a SELECT; `until`: only that much of it. */
export function selectText(select: Select): string {
  const joins = select.joins.map((join) => join.lead + itemText(join.item) + partText(join.on));
  return [
    partText(select.items),
    select.from.lead + itemText(select.from.item),
    ...joins,
    ...CLAUSES.map((clause) => partText(select[clause])),
  ].join('');
}

export function statementText(statement: Statement): string {
  if (statement.is === 'sql') return statement.text;
  const { head, name, link, select, tail } = statement;
  return head + name + link + selectText(select) + tail;
}

/** The SQL of a pipeline. */
export const pipelineText = ({ statements, tail }: Pipeline): string =>
  statements.map(statementText).join('') + tail;

/** The query of a statement that declares a view or is one. */
export function queryOf(statement: Statement): string | null {
  return statement.is === 'sql' ? statement.query : selectText(statement.select);
}
