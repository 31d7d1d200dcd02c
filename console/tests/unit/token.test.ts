// A token goes along with every request; a server that refuses it is asked about.
import { afterEach, expect, test, vi } from 'vitest';
import { request, sendJson } from '@/api/http';
import { keepToken } from '@/api/token';

afterEach(() => {
  keepToken(null);
  vi.unstubAllGlobals();
});

test('without a token none is sent, with one every request has it', async () => {
  const seen: (string | null)[] = [];
  const types: (string | null)[] = [];
  vi.stubGlobal('fetch', async (_: string, init: RequestInit) => {
    const headers = new Headers(init.headers);
    seen.push(headers.get('Authorization'));
    types.push(headers.get('Content-Type'));
    return new Response('{}');
  });
  await request('/v1/views');
  keepToken('secret');
  expect(sessionStorage.getItem('rialto.token')).toBe('secret');
  await sendJson('PUT', '/v1/rules', { rules: [] });
  keepToken(null);
  await request('/v1/views');
  expect(seen).toEqual([null, 'Bearer secret', null]);
  expect(types[1]).toBe('application/json');
  expect(sessionStorage.getItem('rialto.token')).toBeNull();
});
