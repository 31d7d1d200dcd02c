// Server-sent events over fetch: unlike EventSource it shows an error's status and body, and lets
// us say where to go on.
import { parseExact, request } from './http';

export interface ServerEvent {
  event: string;
  id: string;
  data: unknown;
}

/** Cuts a stream of text into events; what is incomplete waits for the next piece. */
export class EventCutter {
  private rest = '';

  cut(text: string): ServerEvent[] {
    this.rest += text.replaceAll('\r\n', '\n');
    const events: ServerEvent[] = [];
    let from = 0;
    for (let end = this.rest.indexOf('\n\n'); end >= 0; end = this.rest.indexOf('\n\n', from)) {
      const event = parseEvent(this.rest.slice(from, end));
      if (event) events.push(event);
      from = end + 2;
    }
    this.rest = this.rest.slice(from);
    return events;
  }
}

function parseEvent(block: string): ServerEvent | null {
  let event = 'message';
  let id = '';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    if (line.startsWith('data:')) data.push(line.slice(5).trimStart());
    else if (line.startsWith('event:')) event = line.slice(6).trim();
    else if (line.startsWith('id:')) id = line.slice(3).trim();
  }
  if (data.length === 0) return null;
  return { event, id, data: parseExact(data.join('\n')) };
}

export async function readEvents(
  path: string,
  lastId: string | null,
  signal: AbortSignal,
  onEvents: (events: ServerEvent[]) => void,
): Promise<void> {
  const headers: Record<string, string> = { Accept: 'text/event-stream' };
  if (lastId !== null) headers['Last-Event-ID'] = lastId;
  const response = await request(path, { headers, signal });
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const cutter = new EventCutter();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = cutter.cut(value);
    if (events.length > 0) onEvents(events);
  }
}
