// Random pipelines, the same for the same seed.
import type { Item, Part, Pipeline, Select, Statement } from '@/screens/editor/model';

/** A number below a bound, again and again. */
export function rng(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

type Next = (bound: number) => number;
const pick = <T>(next: Next, from: readonly T[]): T => from[next(from.length)] as T;
const NAMES = ['sale', 'stock', 'model.decision', '`odd name`', 'a_b', 'größe'];
const EXPRESSIONS = [
  'a',
  'SUM(b) AS n',
  "CASE WHEN x = 'it''s; --' THEN 1 ELSE 2 END AS c",
  'a IS NOT DISTINCT FROM b',
  'EXTRACT(HOUR FROM at) AS h',
  'ROW_NUMBER() OVER (PARTITION BY a ORDER BY b DESC) AS nth',
  'COALESCE(a, 1.50)',
  'x IN (SELECT y FROM z WHERE q GROUP BY q)',
  '`from`',
  'a -- why\n  + 1',
];
const CONDITIONS = ['a = 1', "b LIKE '%;%' AND c <> 2", 'a IS DISTINCT FROM b', 'f(a, (b)) > 0'];
const SPACES = [' ', '\n', '\n  ', ' /* so */ ', '\n-- because\n'];

const part = (next: Next, words: string, body: string): Part => ({
  lead: `${pick(next, SPACES)}${words}${pick(next, SPACES)}`,
  body,
});
const maybe = (next: Next, make: () => Part): Part | null => (next(3) === 0 ? make() : null);

function item(next: Next, depth: number): Item {
  const rest = pick(next, ['', ' AS x', ' x', " /*+ OPTIONS('a'='b') */ AS y"]);
  const kind = next(depth > 2 ? 4 : 6);
  if (kind < 3) return { is: 'relation', name: pick(next, NAMES), rest };
  if (kind > 3) {
    const open = pick(next, ['(', '(\n  ']);
    const close = pick(next, [')', '\n)']);
    return { is: 'query', open, select: select(next, depth + 1), close, rest };
  }
  const [relation, time] = [pick(next, NAMES), pick(next, ['at', '`at`'])];
  const [name, sizes] = pick(next, [
    ['TUMBLE', ["INTERVAL '1' HOUR"]],
    ['HOP', ["INTERVAL '5' MINUTE", "INTERVAL '1' HOUR"]],
  ] as const);
  const text = `TABLE(${name}(TABLE ${relation}, DESCRIPTOR(${time}), ${sizes.join(', ')}))`;
  return { is: 'window', text, kind: name, relation, time, sizes: [...sizes], rest };
}

function select(next: Next, depth: number): Select {
  const items = Array.from({ length: 1 + next(3) }, () => pick(next, EXPRESSIONS)).join(', ');
  const joins = Array.from({ length: next(4) === 0 ? 1 + next(2) : 0 }, () => {
    const [words, kind] = pick(next, [
      ['JOIN', 'INNER'],
      ['INNER JOIN', 'INNER'],
      ['LEFT JOIN', 'LEFT'],
      ['LEFT OUTER JOIN', 'LEFT'],
      ['FULL JOIN', 'FULL'],
      ['CROSS JOIN', 'CROSS'],
    ] as const);
    const lead = `${pick(next, SPACES)}${words}${pick(next, SPACES)}`;
    const on = kind === 'CROSS' ? null : part(next, 'ON', pick(next, CONDITIONS));
    return { lead, kind, item: item(next, depth + 1), on };
  });
  return {
    items: {
      lead: pick(next, ['SELECT ', 'SELECT\n  ', 'SELECT DISTINCT '.slice(0, 7)]),
      body: items,
    },
    from: {
      lead: `${pick(next, SPACES)}FROM${pick(next, SPACES)}`,
      item: item(next, depth),
    },
    joins,
    where: maybe(next, () => part(next, 'WHERE', pick(next, CONDITIONS))),
    group: maybe(next, () => part(next, 'GROUP BY', 'a, FLOOR(at TO HOUR)')),
    having: maybe(next, () => part(next, 'HAVING', 'COUNT(*) > 1')),
    order: maybe(next, () => part(next, 'ORDER BY', 'n DESC, a')),
    limit: maybe(next, () => part(next, 'LIMIT', '10')),
  };
}

function statement(next: Next, first: boolean): Statement {
  const lead = first ? pick(next, ['', '-- what it is\n']) : pick(next, ['\n\n', '\n']);
  const tail = pick(next, [';', '\n;', ' -- end\n;']);
  const kind = next(5);
  if (kind === 0) {
    const query = 'SELECT a FROM b UNION ALL SELECT a FROM c';
    const text = `${lead}CREATE VIEW both AS ${query};`;
    return { is: 'sql', text, name: 'both', query };
  }
  if (kind === 1) return { is: 'sql', text: `${lead}SET 'a' = 'b';`, name: null, query: null };
  const is = kind === 2 ? 'insert' : 'view';
  const materialized = is === 'view' && next(2) === 0;
  const words =
    is === 'insert' ? 'INSERT INTO ' : `CREATE ${materialized ? 'MATERIALIZED ' : ''}VIEW `;
  return {
    is,
    head: lead + words,
    name: pick(next, NAMES),
    link: is === 'insert' ? '\n' : pick(next, [' AS ', ' AS\n']),
    materialized,
    select: select(next, 0),
    tail,
  };
}

export function randomPipeline(next: Next): Pipeline {
  const length = 1 + next(4);
  return {
    statements: Array.from({ length }, (_, at) => statement(next, at === 0)),
    tail: pick(next, ['', '\n', '\n-- bye\n']),
  };
}
