// Writes src/api/schema.ts from openapi.json. `npm run types -- URL` asks a running server first.
import { readFileSync, writeFileSync } from 'node:fs';
import openapi, { astToString } from 'openapi-typescript';

const from = process.argv[2];
if (from) {
  const answer = await fetch(`${from}/v1/openapi.json`);
  if (!answer.ok) throw new Error(`${from}/v1/openapi.json: ${answer.status}`);
  writeFileSync('openapi.json', `${JSON.stringify(await answer.json(), null, 1)}\n`);
}
const tree = await openapi(JSON.parse(readFileSync('openapi.json', 'utf8')));
const head = '// Written by scripts/types.mjs from openapi.json: do not edit.\n';
writeFileSync('src/api/schema.ts', head + astToString(tree));
