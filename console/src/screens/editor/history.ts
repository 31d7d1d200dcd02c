// The text of the editor through time: what is undone can be done again. Typing is one step until
// something else is done.
import { useCallback, useEffect, useState } from 'react';
import { useUrlState } from '@/components/urlState';

const STEPS_MAX = 200;
const ADDRESS_MS = 300;

interface History {
  past: string[];
  now: string;
  future: string[];
  isTyping: boolean;
}

export function useHistory(): {
  text: string;
  set: (text: string, by?: 'typing') => void;
  undo: () => void;
  redo: () => void;
  canUndo: boolean;
  canRedo: boolean;
} {
  const [kept, keep] = useUrlState('text');
  const [history, setHistory] = useState<History>(() => ({
    past: [],
    now: kept,
    future: [],
    isTyping: false,
  }));
  useEffect(() => {
    const timer = setTimeout(() => keep(history.now), ADDRESS_MS);
    return () => clearTimeout(timer);
  }, [history.now, keep]);
  const set = useCallback((text: string, by?: 'typing') => {
    setHistory((before) => {
      if (text === before.now) return before;
      const isTyping = by === 'typing';
      const past =
        isTyping && before.isTyping ? before.past : [...before.past, before.now].slice(-STEPS_MAX);
      return { past, now: text, future: [], isTyping };
    });
  }, []);
  const undo = useCallback(() => {
    setHistory(({ past, now, future, isTyping }) => {
      const before = past.at(-1);
      if (before === undefined) return { past, now, future, isTyping };
      return { past: past.slice(0, -1), now: before, future: [now, ...future], isTyping: false };
    });
  }, []);
  const redo = useCallback(() => {
    setHistory(({ past, now, future, isTyping }) => {
      const [next, ...rest] = future;
      if (next === undefined) return { past, now, future, isTyping };
      return { past: [...past, now], now: next, future: rest, isTyping: false };
    });
  }, []);
  const { now, past, future } = history;
  return { text: now, set, undo, redo, canUndo: past.length > 0, canRedo: future.length > 0 };
}
