// What one does in the visual editor, as the SQL that comes of it; and how nodes are asked.
import { describe, expect, test } from 'vitest';
import { addDecision, addSink, addSource, addStep } from '@/screens/editor/add';
import {
  removeNode,
  rename,
  setClause,
  setItems,
  setJoin,
  setMaterialized,
  setWindow,
} from '@/screens/editor/edit';
import { graphOf, type Place } from '@/screens/editor/graph';
import { pipelineText, type Pipeline } from '@/screens/editor/model';
import { parsePipeline } from '@/screens/editor/parse';
import { questionOf, sampleOf } from '@/screens/editor/query';

const END: Place = { statement: 0, path: [], part: 'end' };
const at = (place: Partial<Place>): Place => ({ ...END, ...place });
const kinds = (pipeline: Pipeline) => graphOf(pipeline).nodes.map((node) => node.kind);
/** As the editor does it: what was changed is written, and read again. */
const again = (pipeline: Pipeline) => parsePipeline(pipelineText(pipeline));
const EMPTY = parsePipeline('');
const over = { name: 'from_stock', place: END, isLast: true };

describe('drawing', () => {
  test('steps go into the SELECT where they mean the same, else into a view over it', () => {
    let pipeline = again(addSource(EMPTY, 'stock').pipeline);
    expect(pipelineText(pipeline)).toBe('CREATE VIEW from_stock AS\nSELECT *\nFROM stock;');
    pipeline = again(addStep(pipeline, over, 'filter', {}).pipeline);
    pipeline = again(setClause(pipeline, at({ part: 'where' }), 'where', 'n > 1 -- enough'));
    pipeline = again(addStep(pipeline, over, 'aggregate', { key: 'sku' }).pipeline);
    expect(kinds(pipeline)).toEqual(['source', 'filter', 'aggregate', 'view']);
    // A filter of what was aggregated is another view: in this SELECT it would mean something else.
    pipeline = again(addStep(pipeline, over, 'filter', {}).pipeline);
    expect(pipelineText(pipeline)).toBe(
      'CREATE VIEW from_stock AS\nSELECT sku, COUNT(*) AS how_many\nFROM stock\n' +
        'WHERE n > 1\nGROUP BY sku -- enough\n;\n\n' +
        'CREATE VIEW step_filter AS\nSELECT *\nFROM from_stock\nWHERE TRUE;',
    );
    expect(kinds(pipeline)).toEqual(['source', 'filter', 'aggregate', 'view', 'filter', 'view']);
  });

  test('windows, joins, sinks and decisions', () => {
    let pipeline = again(addSource(EMPTY, 'model.sale').pipeline);
    const name = { ...over, name: 'from_sale' };
    pipeline = again(addStep(pipeline, name, 'window', { time: 'at' }).pipeline);
    const window = at({ part: 'item', join: 0 });
    pipeline = again(setWindow(pipeline, window, { kind: 'HOP', sizes: ['a', 'b'] }));
    expect(pipelineText(pipeline)).toContain(
      'FROM TABLE(HOP(TABLE model.sale, DESCRIPTOR(at), a, b))',
    );
    pipeline = again(addStep(pipeline, name, 'join', { other: 'odd name' }).pipeline);
    pipeline = again(
      setJoin(pipeline, at({ part: 'join', join: 0 }), { kind: 'LEFT', on: 'a = b' }),
    );
    expect(pipelineText(pipeline)).toContain('LEFT JOIN `odd name` ON a = b');
    pipeline = again(addSink(pipeline, 'from_sale', 'out').pipeline);
    pipeline = again(addDecision(pipeline, 'from_sale', ['sku', 'currency']).pipeline);
    expect(kinds(pipeline)).toEqual([
      ...['source', 'window', 'source', 'join', 'view', 'sink', 'map', 'decision'],
    ]);
    expect(pipelineText(pipeline)).toContain("'case:' || CAST(`sku` AS STRING) AS decision_id");
  });

  test('what is taken out leaves the rest as it was', () => {
    const text =
      '-- why\nCREATE VIEW a AS SELECT x, /* y */ y FROM t -- all\nWHERE x > 0 LIMIT 3;\n';
    const pipeline = parsePipeline(text);
    const node = (kind: string) => graphOf(pipeline).nodes.find((one) => one.kind === kind)!;
    expect(pipelineText(removeNode(pipeline, node('filter')))).toBe(
      '-- why\nCREATE VIEW a AS SELECT x, /* y */ y FROM t LIMIT 3;\n',
    );
    expect(pipelineText(removeNode(pipeline, node('view')))).toBe('\n');
    expect(pipelineText(setItems(pipeline, at({}), 'z'))).toBe(text.replace('x, /* y */ y', 'z'));
    const kept = setMaterialized(pipeline, 0, true);
    expect(pipelineText(kept)).toBe(text.replace('VIEW', 'MATERIALIZED VIEW'));
    expect(pipelineText(setMaterialized(kept, 0, false))).toBe(text);
  });

  test('a view has its new name wherever it is read', () => {
    const text =
      'CREATE VIEW a AS SELECT * FROM t;CREATE VIEW b AS SELECT * FROM (SELECT * FROM a) JOIN a ON TRUE;';
    expect(pipelineText(rename(parsePipeline(text), 0, 'better name'))).toBe(
      text
        .replace('VIEW a', 'VIEW `better name`')
        .replaceAll('a)', '`better name`)')
        .replace('JOIN a', 'JOIN `better name`'),
    );
  });
});

describe('the graph of a text', () => {
  test('queries within queries and views over views are one chain', () => {
    const { nodes, edges } = graphOf(
      parsePipeline(
        'CREATE VIEW a AS SELECT k, SUM(n) AS n FROM (SELECT * FROM t WHERE n > 0) GROUP BY k HAVING SUM(n) > 1;' +
          'INSERT INTO out SELECT k, RANK() OVER (ORDER BY n) AS r FROM a ORDER BY r LIMIT 3;' +
          'CREATE VIEW b AS SELECT k FROM a UNION SELECT k FROM c;',
      ),
    );
    expect(nodes.map((node) => node.kind)).toEqual([
      ...['source', 'filter', 'aggregate', 'filter', 'view', 'map', 'top', 'sink', 'sql'],
    ]);
    expect(edges).toHaveLength(8);
    expect(edges).toContainEqual(['0::end', '2::text']);
  });
});

describe('questions', () => {
  const pipeline = parsePipeline(
    'CREATE VIEW a AS SELECT * FROM t WHERE x > 1;\n' +
      'CREATE VIEW u AS SELECT x FROM a UNION ALL SELECT x FROM s;\n' +
      'CREATE VIEW c AS SELECT x, COUNT(*) AS n FROM u JOIN r ON u.x = r.x GROUP BY x;',
  );
  const node = (id: string) => graphOf(pipeline).nodes.find((one) => one.id === id)!;
  test('a node is asked with the views before it', () => {
    expect(questionOf(pipeline, node('source:t'))).toBe('SELECT * FROM t');
    expect(questionOf(pipeline, node('0::where'))).toBe('SELECT * FROM t WHERE x > 1');
    expect(questionOf(pipeline, node('2::join0'))).toBe(
      'WITH a AS (\nSELECT * FROM t WHERE x > 1\n),\n' +
        'u AS (\nSELECT x FROM a UNION ALL SELECT x FROM s\n)\nSELECT * FROM u JOIN r ON u.x = r.x',
    );
    expect(sampleOf(pipeline, node('0::end'))).toBe(
      'SELECT * FROM (\nSELECT * FROM t WHERE x > 1\n) LIMIT 20',
    );
  });
});
