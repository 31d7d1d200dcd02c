// One client for all questions: what is tried again, and when.
import { QueryClient } from '@tanstack/react-query';
import { onHealed } from './connection';
import { LostError } from './problem';

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // A lost connection is tried again by the heartbeat; a refusal stays one.
      retry: (failures, error) => error instanceof LostError && failures < 2,
      retryDelay: 500,
      refetchOnWindowFocus: false,
      networkMode: 'always',
      gcTime: 60_000,
    },
    // What one asks is asked of this machine: whether there is an internet does not matter.
    mutations: { networkMode: 'always' },
  },
});

onHealed(() => void queryClient.invalidateQueries());
