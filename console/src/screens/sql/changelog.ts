// What changes in the answer to a question, as a changelog says it: op, step, row.
import { useEffect, useMemo, useRef, useState } from 'react';
import { beat, beatOtherThan } from '@/api/beat';
import { useViews } from '@/api/hooks';
import { ask, pagePath } from '@/api/http';
import { ApiError } from '@/api/problem';
import { readEvents } from '@/api/sse';
import type { Change, Column, Row } from '@/api/types';

export type Op = '+I' | '-U' | '+U' | '-D';
export interface Logged {
  id: number;
  op: Op;
  step: number;
  row: Row;
}

export const KEPT_MAX = 2000;
const ROWS_MAX = 10_000;
const AGAIN_MS = 1500;

/** What a step took away and added, as ops; a row that comes back with its key is an update. */
export function opsOf(remove: Row[], add: Row[], key: string[]): { op: Op; row: Row }[] {
  const keyOf = (row: Row) => JSON.stringify(key.map((column) => row[column] ?? null));
  const coming = new Map<string, Row[]>();
  if (key.length > 0) {
    for (const row of add) coming.set(keyOf(row), [...(coming.get(keyOf(row)) ?? []), row]);
  }
  const ops: { op: Op; row: Row }[] = [];
  const updates = new Set<Row>();
  for (const row of remove) {
    const now = key.length > 0 ? coming.get(keyOf(row))?.shift() : undefined;
    if (!now) ops.push({ op: '-D', row });
    else {
      updates.add(now);
      ops.push({ op: '-U', row }, { op: '+U', row: now });
    }
  }
  for (const row of add) if (!updates.has(row)) ops.push({ op: '+I', row });
  return ops;
}

/** The rows that one answer has and the other has not; a row may be there several times. */
export function difference(before: Row[], after: Row[]): { remove: Row[]; add: Row[] } {
  const counts = new Map<string, number>();
  for (const row of before) {
    const text = JSON.stringify(row);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const add = after.filter((row) => {
    const text = JSON.stringify(row);
    const there = counts.get(text) ?? 0;
    if (there > 0) counts.set(text, there - 1);
    return there === 0;
  });
  const remove = before.filter((row) => {
    const text = JSON.stringify(row);
    const left = counts.get(text) ?? 0;
    if (left > 0) counts.set(text, left - 1);
    return left > 0;
  });
  return { remove, add };
}

/** The view that a question asks for whole: its own stream tells every step. */
export function wholeView(query: string): string | null {
  const found = /^\s*select\s+\*\s+from\s+`?([a-z_][a-z0-9_]*)`?\s*;?\s*$/i.exec(query);
  return found?.[1] ?? null;
}

export interface Changelog {
  columns: Column[];
  changes: Logged[];
  /** Rows of the answer that the changes are of; none before the first answer. */
  rows: number | null;
  step: number;
  error: unknown;
  /** Every step is told, and not only those between two looks. */
  isWhole: boolean;
}

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** Follows the answer to a question while `isOn`; the newest change comes first. */
export function useChangelog(query: string, key: string[], isOn: boolean): Changelog {
  const views = useViews();
  const view = views?.get(wholeView(query) ?? '');
  const name = view?.name;
  const [state, setState] = useState<Omit<Changelog, 'isWhole'>>(EMPTY);
  const number = useRef(0);
  // Which columns are a key is known later than the first answer, and begins nothing anew.
  const keys = useRef(key);
  keys.current = view?.key ?? key;
  const ownColumns = useMemo(() => view?.columns ?? [], [view]);
  useEffect(() => setState(EMPTY), [query]);
  useEffect(() => {
    if (!isOn || query === '') return undefined;
    const stop = new AbortController();
    const { signal } = stop;
    const log = (remove: Row[], add: Row[], step: number, rows: number, columns: Column[]) => {
      const ops = opsOf(remove, add, keys.current).map((one) => {
        number.current += 1;
        return { ...one, step, id: number.current };
      });
      setState((before) => ({
        columns,
        rows,
        step,
        error: null,
        changes: [...ops.reverse(), ...before.changes].slice(0, KEPT_MAX),
      }));
    };
    const stream = async (of: string) => {
      let rows = 0;
      await readEvents(pagePath(of, {}).replace('?', '/changes'), null, signal, (events) => {
        for (const { event, data } of events) {
          const change = data as Change & { rows?: Row[] };
          if (event === 'snapshot') rows += change.rows?.length ?? 0;
          else if (event === 'change') rows += change.add.length - change.remove.length;
          else continue;
          const { remove = [], add = [] } = event === 'change' ? change : {};
          log(remove, add, change.step, rows, ownColumns);
        }
      });
    };
    let last: Row[] | null = null;
    const look = async () => {
      const before = beat();
      const answer = await ask({ query, as_of: null, rows_max: ROWS_MAX }, signal);
      const { remove, add } = last ? difference(last, answer.rows) : { remove: [], add: [] };
      last = answer.rows;
      log(remove, add, answer.step, answer.rows.length, answer.columns);
      await beatOtherThan(before, signal);
    };
    const run = async () => {
      while (!signal.aborted) {
        try {
          await (name === undefined ? look() : stream(name));
        } catch (error) {
          if (signal.aborted) return;
          setState((before) => ({ ...before, error }));
          // What is wrong with the question stays wrong.
          if (error instanceof ApiError && error.problem.status < 429) return;
          await pause(AGAIN_MS);
        }
      }
    };
    void run();
    return () => stop.abort();
  }, [query, isOn, name, ownColumns]);
  return { ...state, isWhole: name !== undefined };
}

const EMPTY: Omit<Changelog, 'isWhole'> = {
  columns: [],
  changes: [],
  rows: null,
  step: 0,
  error: null,
};
