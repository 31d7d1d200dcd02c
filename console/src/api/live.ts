// Live views for all screens: one subscription a view and filter, however many look at it.
//
// A browser opens six connections to a server (HTTP/1.1). Four views are streamed; further ones
// are asked for when the heartbeat tells of another step, once a second at most, until a stream is
// free. What nobody looks at is let go after a while.
import { beat, beatOtherThan, beats } from './beat';
import { Collection } from './collection';
import { lost, onHealed } from './connection';
import { getJson, pagePath, type PageParams } from './http';
import { ApiError, LostError, type Problem } from './problem';
import { readEvents, type ServerEvent } from './sse';
import type { Change, Page, Row, Snapshot } from './types';

const STREAMS_MAX = 4;
const POLL_MS = 900;
const POLL_ROWS_MAX = 10_000;
const SHOW_MS = 150;
const LINGER_MS = 4000;
/** After a longer silence the server may be another run, whose steps are not ours. */
const RESUME_MS_MAX = 30_000;

export interface Live {
  rows: Row[];
  step: number;
  state: 'loading' | 'live' | 'error';
  problem?: Problem;
  /** Only so many rows are held; the view has more. */
  cut: boolean;
}

const LOADING: Live = { rows: [], step: 0, state: 'loading', cut: false };
const wait = (ms: number, signal: AbortSignal) =>
  new Promise<void>((done) => {
    const end = () => {
      clearTimeout(timer);
      // A page that is open for hours waits often: what listened to the end must not stay.
      signal.removeEventListener('abort', end);
      done();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });

class Entry {
  shown: Live = LOADING;
  users = 0;
  stop = new AbortController();
  streams = false;
  letGo: ReturnType<typeof setTimeout> | undefined;
  private showing: ReturnType<typeof setTimeout> | undefined;
  readonly listeners = new Set<() => void>();
  private readonly rows: Collection;
  private endedAt = 0;
  private shownAt = 0;
  private complete = false;
  private cut = false;
  private lastText = '';

  constructor(
    readonly view: string,
    key: string[],
    private readonly params: PageParams,
    readonly asOf: number | null,
    private readonly tooLarge: boolean,
  ) {
    this.rows = new Collection(key);
  }

  async run() {
    const signal = this.stop.signal;
    let failures = 0;
    while (!signal.aborted) {
      try {
        if (this.asOf !== null) {
          await this.poll(signal);
          return;
        }
        if (this.mayStream()) await this.stream(signal, () => (failures = 0));
        else {
          const before = beat();
          await this.poll(signal);
          await wait(POLL_MS, signal);
          await beatOtherThan(before, signal);
        }
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        this.fail(error);
        if (this.asOf !== null) return;
      } finally {
        this.endStream();
      }
      if (failures > 0) await wait(Math.min(250 * 2 ** failures, 3000), signal);
    }
  }

  private mayStream(): boolean {
    if (this.tooLarge || streams >= STREAMS_MAX) return false;
    this.streams = true;
    streams += 1;
    return true;
  }

  private endStream() {
    if (!this.streams) return;
    this.streams = false;
    streams -= 1;
    this.endedAt = Date.now();
  }

  private async stream(signal: AbortSignal, good: () => void) {
    const resumes = this.complete && Date.now() - this.endedAt < RESUME_MS_MAX;
    const path = pagePath(this.view, {}).replace('?', '/changes?') + query(this.params);
    try {
      await readEvents(path, resumes ? String(this.rows.step) : null, signal, (events) => {
        good();
        this.take(events);
      });
    } catch (error) {
      // The steps since then are no longer kept, or are of another run: begin anew.
      if (error instanceof ApiError) this.complete = false;
      else if (!signal.aborted) lost();
      throw error;
    }
  }

  private take(events: ServerEvent[]) {
    for (const { event, data } of events) {
      if (event === 'snapshot') {
        const part = data as Snapshot;
        if (this.complete) this.rows.reset([], part.step);
        this.rows.append(part.rows, part.step);
        this.complete = part.complete;
      } else if (event === 'change') {
        const change = data as Change;
        this.rows.apply(change.remove, change.add, change.step);
      } else if (event === 'dropped') {
        this.complete = false;
      }
    }
    if (this.complete) this.showSoon();
  }

  private async poll(signal: AbortSignal) {
    const params = { ...this.params, limit: POLL_ROWS_MAX, as_of: this.asOf ?? undefined };
    const page = await getJson<Page>(pagePath(this.view, params), signal);
    const text = JSON.stringify(page.rows);
    this.rows.step = page.step;
    if (text !== this.lastText || this.shown.state !== 'live') {
      this.lastText = text;
      this.rows.reset(page.rows, page.step);
      this.cut = page.next !== null;
    }
    this.complete = false;
    this.show();
  }

  private fail(error: unknown) {
    // While the connection is lost the last rows stay; the header says how old they are.
    if (!(error instanceof ApiError) || error.problem.status === 410) return;
    if (error instanceof LostError) return;
    this.shown = { ...this.shown, state: 'error', problem: error.problem };
    this.tell();
  }

  private showSoon() {
    // The first change after a rest is seen at once, a stream of them in a steady rhythm.
    const rest = this.shownAt + SHOW_MS - Date.now();
    if (this.shown.state === 'loading' || rest <= 0) this.show();
    else this.showing ??= setTimeout(() => this.show(), rest);
  }

  private show() {
    clearTimeout(this.showing);
    this.showing = undefined;
    if (this.stop.signal.aborted) return;
    this.shownAt = Date.now();
    this.shown = { rows: this.rows.list(), step: this.rows.step, state: 'live', cut: this.cut };
    this.tell();
  }

  private tell() {
    for (const listener of this.listeners) listener();
  }
}

const query = (params: PageParams) => pagePath('', params).split('?')[1] ?? '';

let streams = 0;
const entries = new Map<string, Entry>();

export interface Wanted {
  view: string;
  key: string[];
  params: PageParams;
  asOf: number | null;
  tooLarge: boolean;
}

const nameOf = (wanted: Wanted) => `${wanted.view}?${query(wanted.params)}#${wanted.asOf ?? ''}`;

function entryOf(wanted: Wanted): Entry {
  const name = nameOf(wanted);
  let entry = entries.get(name);
  if (!entry) {
    entry = new Entry(wanted.view, wanted.key, wanted.params, wanted.asOf, wanted.tooLarge);
    entries.set(name, entry);
  }
  return entry;
}

/** Looks at a view until the answer is called. */
export function look(wanted: Wanted, listener: () => void): () => void {
  const entry = entryOf(wanted);
  const name = nameOf(wanted);
  clearTimeout(entry.letGo);
  entry.listeners.add(listener);
  entry.users += 1;
  if (entry.users === 1 && entry.stop.signal.aborted) entry.stop = new AbortController();
  if (entry.users === 1 && !running.has(entry)) {
    running.add(entry);
    void entry.run().finally(() => running.delete(entry));
  }
  return () => {
    entry.listeners.delete(listener);
    entry.users -= 1;
    if (entry.users > 0) return;
    entry.letGo = setTimeout(() => {
      entry.stop.abort();
      if (entries.get(name) === entry) entries.delete(name);
    }, LINGER_MS);
  };
}

const running = new Set<Entry>();
export const seen = (wanted: Wanted): Live => entries.get(nameOf(wanted))?.shown ?? LOADING;

/** A frozen page shows what was read; when the way is free again it is asked once more. */
onHealed(() => {
  // Another run counts its steps anew: whatever number it is at, what is shown is asked for again.
  beats(-1);
  for (const entry of entries.values()) {
    if (entry.asOf !== null && entry.users > 0 && !running.has(entry)) {
      running.add(entry);
      void entry.run().finally(() => running.delete(entry));
    }
  }
});
