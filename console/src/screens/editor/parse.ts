// From SQL to a pipeline. What the graph cannot say becomes a statement that is kept as it is.
import type { Clause, Item, Join, Part, Pipeline, Select, Statement, WindowKind } from './model';
import { tokensOf, type Token } from './tokens';

const WINDOWS = ['TUMBLE', 'HOP', 'CUMULATE', 'SESSION'];
const JOINS = ['JOIN', 'INNER', 'LEFT', 'RIGHT', 'FULL', 'CROSS'];
/** What a block of the graph has no place for. */
const BEYOND = ['UNION', 'INTERSECT', 'EXCEPT', 'MINUS', 'WINDOW', 'QUALIFY', 'FETCH', 'OFFSET'];
const BEYOND_ITEM = ['MATCH_RECOGNIZE', 'LATERAL', 'UNNEST', 'TABLESAMPLE', 'NATURAL', 'VALUES'];
const STARTS: Record<string, Clause> = {
  WHERE: 'where',
  GROUP: 'group',
  HAVING: 'having',
  ORDER: 'order',
  LIMIT: 'limit',
};
const RANK: Record<string, number> = { where: 1, group: 2, having: 3, order: 4, limit: 5 };
const DEPTH_MAX = 40;

class Beyond extends Error {}
const beyond = (): never => {
  throw new Beyond();
};

/** Reads one statement, whose tokens are `all`. */
class Reader {
  constructor(
    private readonly text: string,
    private readonly all: Token[],
  ) {}

  private token(at: number): Token {
    return this.all[at] ?? beyond();
  }
  private upper(at: number): string {
    return this.all[at]?.upper ?? '';
  }
  private between(from: number, to: number): string {
    return this.text.slice(from, to);
  }
  /** From the end of the token before to the beginning of one. */
  private endBefore(at: number): number {
    return at === 0 ? 0 : this.token(at - 1).end;
  }
  /** The clause whose words begin at `from` and whose body is `body` to `to`. */
  private part(from: number, body: number, to: number): Part {
    if (to <= body) beyond();
    const begin = this.token(body).at;
    return {
      lead: this.between(this.endBefore(from), begin),
      body: this.between(begin, this.token(to - 1).end),
    };
  }
  /** The end of a name such as a.b; the token behind it. */
  private name(at: number): number {
    const isPart = (one: number) => ['word', 'quoted'].includes(this.token(one).kind);
    if (!isPart(at)) beyond();
    let end = at + 1;
    while (this.upper(end) === '.') {
      if (!isPart(end + 1)) beyond();
      end += 2;
    }
    return end;
  }
  private closing(open: number, to: number): number {
    let depth = 0;
    for (let at = open; at < to; at += 1) {
      if (this.upper(at) === '(') depth += 1;
      if (this.upper(at) === ')') depth -= 1;
      if (depth === 0) return at;
    }
    return beyond();
  }
  /** The places of words outside of parentheses. */
  private *words(from: number, to: number): Generator<number> {
    let depth = 0;
    for (let at = from; at < to; at += 1) {
      const { text, kind } = this.token(at);
      if (text === '(') depth += 1;
      else if (text === ')') depth -= 1;
      else if (depth === 0 && (kind === 'word' || text === ',')) yield at;
    }
  }

  statement(): Statement {
    const last = this.all.length - 1;
    const to = this.upper(last) === ';' ? last : last + 1;
    let at = 0;
    let [is, materialized]: ['view' | 'insert' | 'query', boolean] = ['query', false];
    let [nameAt, nameEnd] = [0, 0];
    if (this.upper(0) === 'CREATE') {
      materialized = this.upper(1) === 'MATERIALIZED';
      at = materialized ? 2 : 1;
      if (this.upper(at) !== 'VIEW') beyond();
      [is, nameAt] = ['view', at + 1];
      if (this.upper(nameAt) === 'IF') nameAt += 3;
      nameEnd = this.name(nameAt);
      if (this.upper(nameEnd) !== 'AS') beyond();
      at = nameEnd + 1;
    } else if (this.upper(0) === 'INSERT' && this.upper(1) === 'INTO') {
      [is, nameAt] = ['insert', 2];
      nameEnd = this.name(nameAt);
      at = this.upper(nameEnd) === '(' ? this.closing(nameEnd, to) + 1 : nameEnd;
    }
    const select = this.select(at, to, 0);
    const begins = this.token(at).at;
    const [nameFrom, nameTo] =
      nameEnd > 0 ? [this.token(nameAt).at, this.token(nameEnd - 1).end] : [begins, begins];
    return {
      is,
      head: this.between(0, nameFrom),
      name: this.between(nameFrom, nameTo),
      link: this.between(nameTo, begins),
      materialized,
      select,
      tail: this.between(this.endBefore(to), this.text.length),
    };
  }

  private select(at: number, to: number, depth: number): Select {
    if (this.upper(at) !== 'SELECT' || depth > DEPTH_MAX) beyond();
    const places: [string, number][] = [];
    for (const one of this.words(at + 1, to)) {
      const word = this.upper(one);
      const isFrom = word === 'FROM' && !this.isDistinctFrom(one);
      if (isFrom && places.length === 0) places.push(['from', one]);
      else if (isFrom || (places.length > 0 && BEYOND.includes(word))) beyond();
      else if (['UNION', 'INTERSECT', 'EXCEPT'].includes(word)) beyond();
      const clause = STARTS[word];
      if (!clause || (['GROUP', 'ORDER'].includes(word) && this.upper(one + 1) !== 'BY')) continue;
      if (places.length === 0) beyond();
      places.push([clause, one]);
    }
    const [first] = places;
    if (!first) return beyond();
    const ends = places.map((_, index) => places[index + 1]?.[1] ?? to);
    const items = this.part(at, at + 1, first[1]);
    items.lead = this.between(this.token(at).at, this.token(at + 1).at);
    const select: Select = {
      items,
      ...this.from(first[1], ends[0] ?? to, depth),
      where: null,
      group: null,
      having: null,
      order: null,
      limit: null,
    };
    let rank = 0;
    places.slice(1).forEach(([name, place], index) => {
      const clause = name as Clause;
      if ((RANK[clause] ?? 0) <= rank) beyond();
      rank = RANK[clause] ?? 0;
      const words = clause === 'group' || clause === 'order' ? 2 : 1;
      select[clause] = this.part(place, place + words, ends[index + 1] ?? to);
    });
    return select;
  }

  private isDistinctFrom(at: number): boolean {
    return this.upper(at - 1) === 'DISTINCT' && ['IS', 'NOT'].includes(this.upper(at - 2));
  }

  private from(at: number, to: number, depth: number): Pick<Select, 'from' | 'joins'> {
    const starts: number[] = [];
    for (const one of this.words(at + 1, to)) {
      const word = this.upper(one);
      if (word === ',' || BEYOND_ITEM.includes(word)) beyond();
      const isNext = starts.length > 0 && this.isJoinWord(starts.at(-1) ?? 0, one);
      const isCall = ['LEFT', 'RIGHT'].includes(word) && this.upper(one + 1) === '(';
      if (JOINS.includes(word) && !isNext && !isCall) starts.push(one);
    }
    const bounds = [...starts, to];
    const item = this.item(at + 1, bounds[0] ?? to, depth);
    const lead = this.between(this.endBefore(at), this.token(at + 1).at);
    const joins = starts.map((start, index) => this.join(start, bounds[index + 1] ?? to, depth));
    return { from: { lead, item }, joins };
  }
  /** Whether a word belongs to the join that began at `start`. */
  private isJoinWord(start: number, at: number): boolean {
    for (let one = start; one < at; one += 1) {
      if (![...JOINS, 'OUTER'].includes(this.upper(one)) || this.upper(one) === 'JOIN')
        return false;
    }
    return true;
  }
  private join(start: number, to: number, depth: number): Join {
    let at = start;
    while (this.upper(at) !== 'JOIN') at += 1;
    const words = this.all.slice(start, at).map((token) => token.upper);
    let on: number | null = null;
    for (const one of this.words(at + 1, to)) {
      if (on === null && ['ON', 'USING'].includes(this.upper(one))) on = one;
    }
    const lead = this.between(this.endBefore(start), this.token(at + 1).at);
    const kind = words.find((word) => word !== 'OUTER') ?? 'INNER';
    const item = this.item(at + 1, on ?? to, depth);
    return { lead, kind, item, on: on === null ? null : this.part(on, on + 1, to) };
  }

  private item(at: number, to: number, depth: number): Item {
    const rest = (end: number) => this.between(this.token(end - 1).end, this.token(to - 1).end);
    if (to <= at) beyond();
    if (this.upper(at) === '(') {
      const close = this.closing(at, to);
      const select = this.select(at + 1, close, depth + 1);
      return {
        is: 'query',
        open: this.between(this.token(at).at, this.token(at + 1).at),
        select,
        close: this.between(this.token(close - 1).end, this.token(close).end),
        rest: rest(close + 1),
      };
    }
    if (this.upper(at) === 'TABLE' && this.upper(at + 1) === '(') return this.window(at, to, rest);
    const end = this.name(at);
    if (this.upper(end) === '(') beyond();
    const name = this.between(this.token(at).at, this.token(end - 1).end);
    return { is: 'relation', name, rest: rest(end) };
  }
  private window(at: number, to: number, rest: (end: number) => string): Item {
    const close = this.closing(at + 1, to);
    const kind = this.upper(at + 2);
    const isWhole = this.upper(at + 3) === '(' && this.closing(at + 3, to) === close - 1;
    if (!WINDOWS.includes(kind) || !isWhole || this.upper(at + 4) !== 'TABLE') beyond();
    const end = this.name(at + 5);
    const said = [',', 'DESCRIPTOR', '('].every((word, index) => this.upper(end + index) === word);
    if (!said || this.upper(end + 4) !== ')' || this.upper(end + 5) !== ',') beyond();
    const commas = [end + 5];
    for (const one of this.words(end + 6, close - 1)) if (this.upper(one) === ',') commas.push(one);
    commas.push(close - 1);
    const sizes = commas
      .slice(1)
      .map((comma, index) =>
        this.between(this.token((commas[index] ?? 0) + 1).at, this.token(comma - 1).end),
      );
    return {
      is: 'window',
      text: this.between(this.token(at).at, this.token(close).end),
      kind: kind as WindowKind,
      relation: this.between(this.token(at + 5).at, this.token(end - 1).end),
      time: this.token(end + 3).text,
      sizes,
      rest: rest(close + 1),
    };
  }
}

/** What a statement that the graph cannot say declares, if it is a view. */
function declared(text: string, all: Token[]): { name: string | null; query: string | null } {
  const view = all.findIndex((token) => token.upper === 'VIEW');
  if (all[0]?.upper !== 'CREATE' || view < 0 || view > 3) return { name: null, query: null };
  const at = all[view + 1]?.upper === 'IF' ? view + 4 : view + 1;
  const name = all[at];
  const as = all.findIndex((token, index) => index > at && token.upper === 'AS');
  const begin = all[as + 1];
  if (!name || as < 0 || !begin) return { name: null, query: null };
  const last = all.at(-1);
  const end = last?.upper === ';' ? all[all.length - 2]?.end : last?.end;
  return { name: name.text, query: text.slice(begin.at, end) };
}

function statementOf(text: string): Statement {
  const all = tokensOf(text);
  try {
    if (all.some((token) => token.kind === 'broken')) beyond();
    return new Reader(text, all).statement();
  } catch (error) {
    if (!(error instanceof Beyond)) throw error;
    return { is: 'sql', text, ...declared(text, all) };
  }
}

/** Reads a pipeline; every text is one. */
export function parsePipeline(text: string): Pipeline {
  const statements: Statement[] = [];
  let [from, seen] = [0, false];
  for (const token of tokensOf(text)) {
    seen = true;
    if (token.text !== ';' || token.kind !== 'sign') continue;
    statements.push(statementOf(text.slice(from, token.end)));
    [from, seen] = [token.end, false];
  }
  if (!seen) return { statements, tail: text.slice(from) };
  statements.push(statementOf(text.slice(from)));
  return { statements, tail: '' };
}
