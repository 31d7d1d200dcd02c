// Rows as CSV (RFC 4180), for spreadsheets.
import type { Value } from '@/api/types';

function cell(value: Value | undefined): string {
  if (value === null || value === undefined) return '';
  const said = typeof value === 'object' ? JSON.stringify(value) : String(value);
  // A text that begins like a formula is one for a spreadsheet: the quote keeps it a text.
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(said) ? `'${said}` : said;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function toCsv(headers: string[], rows: (Value | undefined)[][]): string {
  return [headers, ...rows].map((row) => row.map(cell).join(',')).join('\r\n');
}

export function download(name: string, content: string | Blob) {
  // The mark tells Excel that this is UTF-8.
  const blob =
    typeof content === 'string'
      ? new Blob(['\ufeff', content], { type: 'text/csv;charset=utf-8' })
      : content;
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
