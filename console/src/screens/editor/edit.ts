// What one does to a pipeline. Every edit answers a new pipeline; the text is then written from it
// and read again, so that nothing is shown that the text does not say.
import type { GraphNode, Place } from './graph';
import type { Clause, Item, Pipeline, Select } from './model';
import { renamed } from './names';
import { endsInComment, plainName, quotedName } from './tokens';

const WORDS: Record<Clause, string> = {
  where: '\nWHERE ',
  group: '\nGROUP BY ',
  having: '\nHAVING ',
  order: '\nORDER BY ',
  limit: '\nLIMIT ',
};
export const relation = (name: string): Item => ({
  is: 'relation',
  name: name.split('.').map(quotedName).join('.'),
  rest: '',
});

/** A body as it may stand in a text: what follows must not become a part of its comment. */
const safe = (body: string): string => (endsInComment(body) ? `${body}\n` : body).trimStart();

export function changed(
  pipeline: Pipeline,
  place: Place,
  change: (select: Select) => Select,
): Pipeline {
  const into = (select: Select, path: number[]): Select => {
    const [step, ...rest] = path;
    if (step === undefined) return change(select);
    const inner = (item: Item): Item =>
      item.is === 'query' ? { ...item, select: into(item.select, rest) } : item;
    if (step === 0) return { ...select, from: { ...select.from, item: inner(select.from.item) } };
    const joins = select.joins.map((join, at) =>
      at === step - 1 ? { ...join, item: inner(join.item) } : join,
    );
    return { ...select, joins };
  };
  const statements = pipeline.statements.map((statement, at) =>
    at !== place.statement || statement.is === 'sql'
      ? statement
      : { ...statement, select: into(statement.select, place.path) },
  );
  return { ...pipeline, statements };
}

/** Says a clause anew; nothing takes it away. */
export function setClause(pipeline: Pipeline, place: Place, clause: Clause, body: string) {
  return changed(pipeline, place, (select) => {
    if (body.trim() === '') return { ...select, [clause]: null };
    const lead = select[clause]?.lead ?? WORDS[clause];
    return { ...select, [clause]: { lead, body: safe(body) } };
  });
}
export const setItems = (pipeline: Pipeline, place: Place, body: string) =>
  changed(pipeline, place, (select) => ({
    ...select,
    items: { ...select.items, body: safe(body.trim() === '' ? '*' : body) },
  }));

export function setJoin(
  pipeline: Pipeline,
  place: Place,
  said: { kind?: string; on?: string; relation?: string },
) {
  return changed(pipeline, place, (select) => ({
    ...select,
    joins: select.joins.map((join, at) => {
      if (at !== place.join) return join;
      const kind = said.kind ?? join.kind;
      const lead = said.kind ? `\n${kind === 'INNER' ? '' : `${kind} `}JOIN ` : join.lead;
      const body = said.on ?? join.on?.body ?? 'TRUE';
      const on = kind === 'CROSS' ? null : { lead: join.on?.lead ?? ' ON ', body: safe(body) };
      const other = said.relation
        ? { ...relation(said.relation), rest: join.item.rest }
        : join.item;
      return { ...join, kind, lead, on, item: other };
    }),
  }));
}

export function windowText(item: Extract<Item, { is: 'window' }>): string {
  const sizes = item.sizes.map((size) => `, ${size}`).join('');
  return `TABLE(${item.kind}(TABLE ${item.relation}, DESCRIPTOR(${item.time})${sizes}))`;
}
export function setWindow(
  pipeline: Pipeline,
  place: Place,
  said: Partial<Pick<Extract<Item, { is: 'window' }>, 'kind' | 'time' | 'sizes'>>,
) {
  const change = (item: Item): Item => {
    if (item.is !== 'window') return item;
    const next = { ...item, ...said };
    return { ...next, text: windowText(next) };
  };
  return changed(pipeline, place, (select) =>
    place.join
      ? {
          ...select,
          joins: select.joins.map((join, at) =>
            at === (place.join ?? 0) - 1 ? { ...join, item: change(join.item) } : join,
          ),
        }
      : { ...select, from: { ...select.from, item: change(select.from.item) } },
  );
}

/** A statement's name, and everywhere where the pipeline reads it. */
export function rename(pipeline: Pipeline, at: number, name: string): Pipeline {
  const own = pipeline.statements[at];
  if (!own || own.is === 'sql' || own.is === 'query' || name.trim() === '') return pipeline;
  const to = name.split('.').map(quotedName).join('.');
  const from = plainName(own.name);
  const statements = pipeline.statements.map((statement, index) => {
    if (statement.is === 'sql') return statement;
    if (index === at) return { ...statement, name: to };
    if (index < at || own.is !== 'view') return statement;
    return { ...statement, select: renamed(statement.select, from, to) };
  });
  return { ...pipeline, statements };
}
export function setMaterialized(pipeline: Pipeline, at: number, materialized: boolean): Pipeline {
  const statements = pipeline.statements.map((statement, index) => {
    if (index !== at || statement.is !== 'view') return statement;
    const head = materialized
      ? statement.head.replace(/VIEW(?=\s+(IF\s+NOT\s+EXISTS\s+)?$)/i, 'MATERIALIZED VIEW')
      : statement.head.replace(/MATERIALIZED\s+(?=VIEW)/i, '');
    return { ...statement, head, materialized };
  });
  return { ...pipeline, statements };
}
export function setText(pipeline: Pipeline, at: number, text: string): Pipeline {
  const statements = pipeline.statements.map((statement, index) =>
    index === at && statement.is === 'sql' ? { ...statement, text } : statement,
  );
  return { ...pipeline, statements };
}

/** Takes a node out: its clause, or its whole statement. */
export function removeNode(pipeline: Pipeline, node: GraphNode): Pipeline {
  const { place } = node;
  if (!place) return pipeline;
  if (place.part === 'end' || place.part === 'text') {
    const statements = pipeline.statements.filter((_, at) => at !== place.statement);
    return { ...pipeline, statements };
  }
  if (place.part === 'where' || place.part === 'having') {
    return setClause(pipeline, place, place.part, '');
  }
  if (place.part === 'order') {
    return setClause(setClause(pipeline, place, 'order', ''), place, 'limit', '');
  }
  if (place.part === 'items') {
    const without = setClause(setClause(pipeline, place, 'group', ''), place, 'having', '');
    return setItems(without, place, '*');
  }
  if (place.part === 'join') {
    return changed(pipeline, place, (select) => ({
      ...select,
      joins: select.joins.filter((_, at) => at !== place.join),
    }));
  }
  const plain = (item: Item): Item =>
    item.is === 'window' ? { is: 'relation', name: item.relation, rest: item.rest } : item;
  return changed(pipeline, place, (select) =>
    place.join
      ? {
          ...select,
          joins: select.joins.map((join, at) =>
            at === (place.join ?? 0) - 1 ? { ...join, item: plain(join.item) } : join,
          ),
        }
      : { ...select, from: { ...select.from, item: plain(select.from.item) } },
  );
}
