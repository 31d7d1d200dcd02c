// What the server answers, where its OpenAPI document does not describe it yet.
import type { components } from './schema';

export type Question = components['schemas']['Question'];

/** A value of a cell. Numbers with more digits than a double holds stay text. */
export type Value = string | number | boolean | null | Value[] | { [key: string]: Value };
export type Row = Record<string, Value>;

export interface Column {
  name: string;
  type: string;
}
export interface ViewInfo {
  name: string;
  columns: Column[];
  key: string[];
  rows: number;
}
export interface Catalogue {
  step: number;
  steps: { first: number; last: number };
  views: ViewInfo[];
}
export interface Page {
  view: string;
  step: number;
  rows: Row[];
  next: string | null;
}
export interface Change {
  step: number;
  remove: Row[];
  add: Row[];
}
export interface Snapshot {
  step: number;
  rows: Row[];
  complete: boolean;
}
export interface SqlAnswer {
  step: number;
  columns: Column[];
  rows: Row[];
}

export interface SourceStatus {
  name: string;
  rows: number;
  dead_letters: number;
  last_row_ms: number | null;
  watermark_ms: number | null;
  lag_ms: number | null;
  ended: boolean;
  held_by: string[];
  bytes: number | null;
  readers: unknown[];
}
export interface OutputStatus {
  name: string;
  kind: string;
  rows: number;
  backlog_epochs: number;
  backlog_bytes: number;
  away: string | null;
  behind: boolean;
  watermark_ms: number | null;
  held_back_by: string | null;
  /** The operator that gives it its rows. */
  node: number | null;
}
export interface OperatorStatus {
  node: number;
  name: string;
  kind: string;
  outputs: string[];
  /** How many outputs there are, where not all are named. */
  outputs_in_all?: number;
  /** The operators that it reads. */
  inputs: number[];
  share: number;
  rows: number;
  state_rows: number;
  state_bytes: number;
}
export interface CheckpointStatus {
  interval_ms: number;
  /** Its number; none is durable yet. */
  last: number | null;
  age_ms: number;
  duration_ms: number | null;
  /** How long the job stood for it. */
  pause_us: number | null;
  changed_bytes: number | null;
  /** It is older than it should be. */
  alarm: boolean;
}
export interface Status {
  at_ms: number;
  started_ms: number;
  steps: number;
  rows: number;
  late_rows: number;
  catching_up: boolean;
  sources: SourceStatus[];
  outputs: OutputStatus[];
  operators: OperatorStatus[];
  operators_in_all: { count: number; state_bytes: number };
  checkpoints: CheckpointStatus | null;
  project: string;
  pid: number;
  rialto: string;
}
