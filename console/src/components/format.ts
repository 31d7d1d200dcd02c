// Numbers, money and times as people of a language write them. Values come as the server says them.
import i18n from 'i18next';
import type { Value } from '@/api/types';

const cache = new Map<string, Intl.NumberFormat>();
function numberFormat(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = i18n.language + JSON.stringify(options);
  let format = cache.get(key);
  if (!format) {
    format = new Intl.NumberFormat(i18n.language, options);
    cache.set(key, format);
  }
  return format;
}

export const NONE = '–';

export function toNumber(value: Value | undefined): number | null {
  if (value === null || value === undefined || value === '') return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

export function number(value: Value | undefined, digits = 0): string {
  const found = toNumber(value);
  if (found === null) return NONE;
  return numberFormat({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(
    found,
  );
}

/** Making a format costs far more than using it, and a live page says days and times all day. */
const dates = new Map<string, Intl.DateTimeFormat>();
function dateFormat(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = i18n.language + JSON.stringify(options);
  let format = dates.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat(i18n.language, options);
    dates.set(key, format);
  }
  return format;
}

/** As many digits as there are, up to four: for tables of unknown columns. */
export function plain(value: Value | undefined): string {
  const found = toNumber(value);
  if (found === null) return NONE;
  return numberFormat({ maximumFractionDigits: 4 }).format(found);
}

export function short(value: Value | undefined): string {
  const found = toNumber(value);
  if (found === null) return NONE;
  if (Math.abs(found) < 10_000) return plain(found);
  return numberFormat({ notation: 'compact', maximumFractionDigits: 1 }).format(found);
}

export function money(value: Value | undefined, currency: Value | undefined, digits = 2): string {
  const found = toNumber(value);
  if (found === null) return NONE;
  const fixed = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  if (typeof currency !== 'string' || !/^[A-Z]{3}$/.test(currency)) return number(found, digits);
  const display = { currencyDisplay: 'narrowSymbol' as const };
  return numberFormat({ style: 'currency', currency, ...display, ...fixed }).format(found);
}

export function percent(value: Value | undefined, digits = 1): string {
  const found = toNumber(value);
  return found === null ? NONE : `${number(found, digits)} %`;
}

export function signedPercent(value: Value | undefined, digits = 1): string {
  const found = toNumber(value);
  if (found === null) return NONE;
  return `${found > 0 ? '+' : found < 0 ? '−' : '±'}${number(Math.abs(found), digits)} %`;
}

export function bytes(value: Value | undefined): string {
  const found = toNumber(value);
  if (found === null) return NONE;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(found, 1)) / 10));
  return `${number(found / 1024 ** step, step > 1 ? 1 : 0)} ${units[step]}`;
}

/** A time of the data. It is shown as it is written: its zone is the project's, not the browser's. */
export function timeOf(value: Value | undefined): string {
  if (typeof value !== 'string') return NONE;
  return value.replace(/(\d\d:\d\d)(:\d\d)?(\.\d+)?Z?$/, '$1');
}

export const dayOf = (value: Value | undefined): string =>
  typeof value === 'string' ? value.slice(0, 10) : NONE;

export function dayName(value: Value | undefined): string {
  if (typeof value !== 'string') return NONE;
  const date = new Date(`${value.slice(0, 10)}T00:00:00Z`);
  if (Number.isNaN(date.getTime())) return value;
  return dateFormat({
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    timeZone: 'UTC',
  }).format(date);
}

/** A length of time in the unit that fits. */
export function duration(ms: Value | undefined): string {
  const found = toNumber(ms);
  if (found === null) return NONE;
  const [size, unit] =
    found < 1000 ? [1, 'millisecond'] : found < 120_000 ? [1000, 'second'] : [60_000, 'minute'];
  const amount = found / size;
  const maximumFractionDigits = amount < 10 ? 1 : 0;
  return numberFormat({ style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits }).format(
    amount,
  );
}

/** The time of day of a clock here, with seconds. */
export const clockOf = (seconds: number): string =>
  dateFormat({ timeStyle: 'medium', hourCycle: 'h23' }).format(seconds * 1000);

/** When somebody did something, by the clock of the reader. */
export const whenOf = (ms: number): string =>
  dateFormat({ dateStyle: 'medium', timeStyle: 'short' }).format(ms);

/** A row in a line: its first columns with their names. */
export const rowSaid = (row: Record<string, Value>, columns: number): string =>
  Object.entries(row)
    .slice(0, columns)
    .map(([name, value]) => `${name} ${text(value)}`)
    .join(' · ');

/** How long ago, in the shortest words. */
export function ago(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  const format = new Intl.RelativeTimeFormat(i18n.language, { numeric: 'always', style: 'narrow' });
  if (seconds < 90) return format.format(-Math.round(seconds), 'second');
  if (seconds < 5400) return format.format(-Math.round(seconds / 60), 'minute');
  return format.format(-Math.round(seconds / 3600), 'hour');
}

/** Any value as text, for people. Never markup. */
export function text(value: Value | undefined): string {
  if (value === null || value === undefined) return NONE;
  if (typeof value === 'object') return JSON.stringify(value);
  return String(value);
}

/** What a table shows of a long text; all of it is in the row's details and in the export. */
export function clipped(value: string, most = 240): string {
  return value.length > most ? `${value.slice(0, most)}…` : value;
}

export const isNumeric = (type: string): boolean =>
  /^(DECIMAL|DOUBLE|FLOAT|REAL|TINYINT|SMALLINT|INT|INTEGER|BIGINT|NUMERIC)/i.test(type);
