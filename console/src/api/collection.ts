// A view as it is now: a snapshot, and every change since applied to it, as the engine does.
import type { Row } from './types';

/** Rows by key. Without a key a view is a multiset: a row may be there several times. */
export class Collection {
  private rows = new Map<string, { row: Row; times: number }>();
  private listed: Row[] | null = [];
  step = 0;

  constructor(private readonly key: string[]) {}

  reset(rows: Row[], step: number) {
    this.rows = new Map();
    this.listed = null;
    for (const row of rows) this.put(row);
    this.step = step;
  }

  append(rows: Row[], step: number) {
    for (const row of rows) this.put(row);
    this.listed = null;
    this.step = step;
  }

  apply(remove: Row[], add: Row[], step: number) {
    const coming = new Set(this.key.length > 0 ? add.map((row) => this.keyOf(row)) : []);
    for (const row of remove) {
      // What comes back changed keeps its place, so that lists do not jump.
      if (!coming.has(this.keyOf(row))) this.take(row);
    }
    for (const row of add) this.put(row);
    this.listed = null;
    this.step = step;
  }

  list(): Row[] {
    if (this.listed === null) {
      const all: Row[] = [];
      for (const { row, times } of this.rows.values()) {
        for (let time = 0; time < times; time += 1) all.push(row);
      }
      this.listed = all;
    }
    return this.listed;
  }

  private keyOf(row: Row): string {
    if (this.key.length === 0) return JSON.stringify(row);
    return JSON.stringify(this.key.map((column) => row[column] ?? null));
  }

  private put(row: Row) {
    const key = this.keyOf(row);
    const there = this.rows.get(key);
    if (this.key.length === 0 && there) there.times += 1;
    else if (there) there.row = row;
    else this.rows.set(key, { row, times: 1 });
  }

  private take(row: Row) {
    const key = this.keyOf(row);
    const there = this.rows.get(key);
    if (!there) return;
    if (there.times > 1) there.times -= 1;
    else this.rows.delete(key);
  }
}
