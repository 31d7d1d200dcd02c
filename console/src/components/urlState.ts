// What a screen shows is in its address, so that every state is a link.
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback } from 'react';

export function useUrlState(name: string, otherwise = ''): [string, (value: string) => void] {
  const search = useSearch({ strict: false }) as Record<string, unknown>;
  const navigate = useNavigate();
  const found = search[name];
  const value = found === undefined || found === null ? otherwise : String(found);
  const set = useCallback(
    (next: string) =>
      void navigate({
        to: '.',
        search: (before: Record<string, unknown>) => {
          const { [name]: _, ...rest } = before;
          return next === otherwise ? rest : { ...rest, [name]: next };
        },
        replace: true,
        resetScroll: false,
      } as never),
    [navigate, name, otherwise],
  );
  return [value, set];
}

/** Goes to another state of the screen, several parts of it at once; Back comes back from it. */
export function useGo(): (change: Record<string, string>) => void {
  const navigate = useNavigate();
  return useCallback(
    (change) =>
      void navigate({
        to: '.',
        search: (before: Record<string, unknown>) =>
          Object.fromEntries(
            Object.entries({ ...before, ...change }).filter(([, value]) => value !== ''),
          ),
        resetScroll: false,
      } as never),
    [navigate],
  );
}
