// What screens ask for: the catalogue, a live view, a page of a large one, the job's state, SQL.
import { keepPreviousData, queryOptions, useQuery } from '@tanstack/react-query';
import { useCallback, useMemo, useRef, useSyncExternalStore } from 'react';
import { ask, getCatalogue, getPage, getStatus, type PageParams, type StatusWanted } from './http';
import { look, seen, type Live, type Wanted } from './live';
import { useMoment } from './moment';
import type { Catalogue, Row, ViewInfo } from './types';

const BEAT_MS = 1000;
/** A view with more rows is not followed whole, but read page by page. */
const FOLLOWED_ROWS_MAX = 20_000;

/** The question for the catalogue. */
export const CATALOGUE = queryOptions({
  queryKey: ['catalogue'],
  queryFn: ({ signal }) => getCatalogue(signal),
});

/** The views and the newest step; also the heartbeat that tells whether the server is there. */
export function useCatalogue() {
  return useQuery({
    ...CATALOGUE,
    refetchInterval: BEAT_MS,
    refetchIntervalInBackground: true,
  });
}

/** The views by name. Their row counts move with every beat: this changes only with the views. */
export function useViews(): Map<string, ViewInfo> | null {
  const { data } = useQuery({ ...CATALOGUE, enabled: false, select: viewsOf });
  return data ?? null;
}

const lastViews = { names: '', views: new Map<string, ViewInfo>() };
function viewsOf(catalogue: Catalogue): Map<string, ViewInfo> {
  const names = catalogue.views.map((view) => `${view.name}(${view.key})`).join();
  if (names !== lastViews.names) {
    lastViews.names = names;
    lastViews.views = new Map(catalogue.views.map((view) => [view.name, view]));
  }
  return lastViews.views;
}

const NOTHING: Live = { rows: [], step: 0, state: 'loading', cut: false };
const MISSING: Live = { rows: [], step: 0, state: 'live', cut: false };
const NO_PARAMS: PageParams = {};

/** A view that moves by itself. A view that the project does not have has no rows. */
export function useLive(
  view: string | null,
  params: PageParams = NO_PARAMS,
  pace: 'stream' | 'calm' = 'stream',
): Live {
  const views = useViews();
  const asOf = useMoment();
  const info = view === null ? undefined : views?.get(view);
  const text = JSON.stringify(params);
  const wanted = useMemo<Wanted | null>(() => {
    if (!info) return null;
    const tooLarge = pace === 'calm' || (info.rows > FOLLOWED_ROWS_MAX && text === '{}');
    const parsed = JSON.parse(text) as PageParams;
    return { view: info.name, key: info.key, params: parsed, asOf, tooLarge };
  }, [info, text, asOf, pace]);
  const empty = views ? MISSING : NOTHING;
  const subscribe = useCallback(
    (listener: () => void) => (wanted ? look(wanted, listener) : () => undefined),
    [wanted],
  );
  const now = useSyncExternalStore(subscribe, () => (wanted ? seen(wanted) : empty));
  // When the moment changes, the rows of before stay until those of the new one are there.
  const before = useRef<{ name: string; live: Live } | null>(null);
  const name = `${view}?${text}`;
  if (now.state !== 'loading') before.current = { name, live: now };
  const kept = before.current?.name === name ? before.current.live : null;
  return now.state === 'loading' && kept ? kept : now;
}

export const useRows = (view: string | null, params?: PageParams): Row[] =>
  useLive(view, params).rows;

/** A view that may be a second old: it leaves the streams to what people look at first. */
export const useCalmRows = (view: string | null, params?: PageParams): Row[] =>
  useLive(view, params, 'calm').rows;

/** The first rows in an order, asked for again and again: for views that grow without end. */
export function usePage(view: string, params: PageParams, everyMs = 2000) {
  const views = useViews();
  const asOf = useMoment();
  return useQuery({
    queryKey: ['page', view, params, asOf],
    queryFn: ({ signal }) => getPage(view, { ...params, as_of: asOf ?? undefined }, signal),
    enabled: views?.has(view) ?? false,
    refetchInterval: asOf === null ? everyMs : false,
    placeholderData: keepPreviousData,
  });
}

export function useSql(query: string | null, everyMs: number | false = 2000) {
  const asOf = useMoment();
  return useQuery({
    queryKey: ['sql', query, asOf],
    queryFn: ({ signal }) => ask({ query: query ?? '', as_of: asOf }, signal),
    enabled: query !== null,
    refetchInterval: asOf === null ? everyMs : false,
    placeholderData: keepPreviousData,
  });
}

const NO_OPERATORS: StatusWanted = { operators: 0 };
/** How the job stands. A job of many views has thousands of operators: a screen says which of
 * them it shows. */
export function useStatus(everyMs = 2000, wanted: StatusWanted = NO_OPERATORS) {
  return useQuery({
    queryKey: ['status', wanted],
    queryFn: ({ signal }) => getStatus(wanted, signal),
    refetchInterval: everyMs,
    placeholderData: keepPreviousData,
  });
}

/** Several views of one form as one list of rows, for example all that decide something. */
export const useLives = (names: string[]): Row[] => useLivesOf(names, NO_PARAMS);

export function useLivesOf(names: string[], params: PageParams): Row[] {
  const text = JSON.stringify(params);
  const views = useViews();
  const asOf = useMoment();
  const joined = names.join();
  const wanted = useMemo<Wanted[]>(
    () =>
      joined.split(',').flatMap((name) => {
        const info = views?.get(name);
        if (!info) return [];
        const tooLarge = info.rows > FOLLOWED_ROWS_MAX && text === '{}';
        return [
          { view: name, key: info.key, params: JSON.parse(text) as PageParams, asOf, tooLarge },
        ];
      }),
    [views, joined, text, asOf],
  );
  const last = useRef<{ parts: Row[][]; rows: Row[] }>({ parts: [], rows: [] });
  const subscribe = useCallback(
    (listener: () => void) => {
      const leave = wanted.map((one) => look(one, listener));
      return () => leave.forEach((one) => one());
    },
    [wanted],
  );
  return useSyncExternalStore(subscribe, () => {
    const parts = wanted.map((one) => seen(one).rows);
    const before = last.current;
    const same =
      parts.length === before.parts.length && parts.every((p, at) => p === before.parts[at]);
    if (!same) last.current = { parts, rows: parts.flat() };
    return last.current.rows;
  });
}
