// Requests to the server this page came from.
import { LostError, problemOf } from './problem';
import type { Catalogue, Page, Question, SqlAnswer, Status } from './types';
import { beats } from './beat';
import { heard, lost } from './connection';
import { token, tokenRefused } from './token';

const LONG_DIGITS = /\d{16}|\d\.\d{15}/;
const TOKENS = /"(?:[^"\\]+|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const DIGITS_MAX = 15;

/** Reads JSON; a number that a double cannot hold stays the text that was sent. */
export function parseExact(text: string): unknown {
  if (!LONG_DIGITS.test(text)) return JSON.parse(text);
  const quoted = text.replace(TOKENS, (token) => {
    if (token.startsWith('"')) return token;
    const digits = token
      .replace(/[eE].*$/, '')
      .replace(/^-?0*|\.0*$|(\.\d*?)0+$/g, '$1')
      .replace('.', '');
    return digits.length > DIGITS_MAX ? `"${token}"` : token;
  });
  return JSON.parse(quoted);
}

export async function request(path: string, init?: RequestInit): Promise<Response> {
  let response: Response;
  const secret = token();
  const headers = new Headers(init?.headers);
  if (secret !== null) headers.set('Authorization', `Bearer ${secret}`);
  try {
    response = await fetch(path, { ...init, headers });
  } catch (error) {
    if (init?.signal?.aborted) throw error;
    lost();
    throw new LostError(error instanceof Error ? error.message : String(error));
  }
  // A proxy in front answers 502 to 504 when the server behind it is gone.
  if (response.status >= 502 && response.status <= 504) {
    lost();
    throw new LostError(`${response.status} ${response.statusText}`);
  }
  heard();
  if (response.status === 401) tokenRefused();
  if (!response.ok) throw await problemOf(response);
  return response;
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await request(path, { signal });
  return parseExact(await response.text()) as T;
}

export type PageParams = Record<string, string | number | undefined>;

export function pagePath(view: string, params: PageParams): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined) query.set(name, String(value));
  }
  return `/v1/views/${encodeURIComponent(view)}?${query}`;
}

export async function getCatalogue(signal?: AbortSignal): Promise<Catalogue> {
  const catalogue = await getJson<Catalogue>('/v1/views', signal);
  beats(catalogue.step);
  return catalogue;
}
export interface StatusWanted {
  /** So many of the busiest operators… */
  operators: number;
  /** …those that this output is made by… */
  output?: string;
  /** …and this source, with all that it feeds. */
  source?: string;
}
export const getStatus = ({ operators, output, source }: StatusWanted, signal?: AbortSignal) => {
  const query = new URLSearchParams({ operators: String(operators) });
  if (output) query.set('output', output);
  if (source) query.set('source', source);
  return getJson<Status>(`/v1/status?${query}`, signal);
};
export const getPage = (view: string, params: PageParams, signal?: AbortSignal) =>
  getJson<Page>(pagePath(view, params), signal);

/** Sends something, and reads what is answered. */
export async function sendJson<T>(
  method: 'POST' | 'PUT' | 'DELETE',
  path: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const response = await request(path, {
    method,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  });
  return parseExact(await response.text()) as T;
}

export const ask = (question: Question, signal?: AbortSignal): Promise<SqlAnswer> =>
  sendJson('POST', '/v1/sql', question, signal);

export async function takeCheckpoint(): Promise<{ checkpoint: number }> {
  const response = await request('/v1/checkpoint', { method: 'POST' });
  return (await response.json()) as { checkpoint: number };
}
