// The newest step that the heartbeat has told of: who asks again and again asks when it has moved.
let step: number | null = null;
const waiting = new Set<() => void>();

export const beat = () => step;

export function beats(now: number) {
  if (now === step) return;
  step = now;
  for (const go of [...waiting]) go();
}

/** Waits until the heartbeat tells of another step than `than`, or `signal` ends it. */
export function beatOtherThan(than: number | null, signal: AbortSignal): Promise<void> {
  if (step !== than || signal.aborted) return Promise.resolve();
  return new Promise((done) => {
    const go = () => {
      waiting.delete(go);
      signal.removeEventListener('abort', go);
      done();
    };
    waiting.add(go);
    signal.addEventListener('abort', go);
  });
}
