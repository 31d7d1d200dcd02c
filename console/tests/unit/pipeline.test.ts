// SQL is the truth: read and written again it is the same text, and a graph that was written is
// read as the same graph.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { pipelineText } from '@/screens/editor/model';
import { parsePipeline } from '@/screens/editor/parse';
import { randomPipeline, rng } from './pipelines';

const SQL = ['../packs', '../examples'].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.sql'))
    .map((file) => `${folder}/${file}`),
);

describe('text to graph to text', () => {
  test('the packs and examples stay as they are, byte for byte', () => {
    expect(SQL.length).toBeGreaterThan(40);
    const counted = { structured: 0, verbatim: 0 };
    for (const file of SQL) {
      const text = readFileSync(file, 'utf8');
      const pipeline = parsePipeline(text);
      expect(pipelineText(pipeline), file).toBe(text);
      for (const statement of pipeline.statements) {
        counted[statement.is === 'sql' ? 'verbatim' : 'structured'] += 1;
      }
    }
    // Most views are said by the graph, not merely carried through it.
    expect(counted.structured).toBeGreaterThan(60);
    console.log(`statements: ${JSON.stringify(counted)}`);
  });

  test('any text is kept, also broken and hostile ones', () => {
    const next = rng(7);
    const pieces = [
      'CREATE VIEW a AS SELECT * FROM b;',
      "'",
      '`',
      '/*',
      '*/',
      '--',
      '\n',
      ';',
      '(',
      ')',
      ' SELECT ',
      ' FROM ',
      ' WHERE ',
      ' GROUP BY ',
      ' JOIN ',
      ' ON ',
      'INSERT INTO t ',
      '<img src=x>',
      '🧨',
      'مرحبا',
      '${x}',
      ',',
      '1.5e3',
      ' IS NOT DISTINCT FROM ',
      ' TABLE(TUMBLE(TABLE t, DESCRIPTOR(x), INTERVAL ',
    ];
    for (let round = 0; round < 3000; round += 1) {
      const length = next(14);
      let text = '';
      for (let at = 0; at < length; at += 1) text += pieces[next(pieces.length)];
      expect(pipelineText(parsePipeline(text))).toBe(text);
    }
  });
});

describe('graph to text to graph', () => {
  test('what was written is read as it was', () => {
    const next = rng(42);
    for (let round = 0; round < 500; round += 1) {
      const pipeline = randomPipeline(next);
      const text = pipelineText(pipeline);
      expect(parsePipeline(text), text).toEqual(pipeline);
    }
  });
});
