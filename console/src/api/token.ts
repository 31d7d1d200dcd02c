// The token of this tab: sent with every request, forgotten with the tab.
import { useSyncExternalStore } from 'react';

const NAME = 'rialto.token';
// A browser may forbid to keep anything; then it is kept as long as the page is.
let kept: string | null = null;
let isAsked = false;
const listeners = new Set<() => void>();

try {
  kept = sessionStorage.getItem(NAME);
} catch {
  kept = null;
}

export const token = () => kept;

export function keepToken(next: string | null) {
  kept = next;
  isAsked = false;
  try {
    if (next === null) sessionStorage.removeItem(NAME);
    else sessionStorage.setItem(NAME, next);
  } catch {
    // It is kept in memory.
  }
  for (const listener of listeners) listener();
}

/** The server knows nobody without a token, or not the one that there is. */
export function tokenRefused() {
  if (isAsked) return;
  isAsked = true;
  for (const listener of listeners) listener();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};
export const useTokenAsked = () => useSyncExternalStore(subscribe, () => isAsked);
export const useHasToken = () => useSyncExternalStore(subscribe, () => kept !== null);
