// The one table: any number of rows (only those in sight are drawn), sorted, filtered, exported,
// and gone through by keyboard.
import { ActionIcon, TextInput, Tooltip } from '@mantine/core';
import { IconDownload, IconSearch } from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Row, Value } from '@/api/types';
import { download, toCsv } from './csv';
import { clipped, number, text } from './format';
import { useOrdered } from './ordered';
import { useUrlState } from './urlState';
import './DataTable.css';

export interface TableColumn {
  id: string;
  header: string;
  /** What is sorted, filtered and exported. */
  value: (row: Row) => Value | undefined;
  /** What is shown; without it, the value as text. */
  cell?: (row: Row) => ReactNode;
  numeric?: boolean;
  /** A width as CSS grids know it. */
  width?: string;
}

interface Props {
  /** Names the table in the page's address and in the file of an export. */
  name: string;
  label: string;
  columns: TableColumn[];
  rows: Row[];
  rowKey: (row: Row) => string;
  /** `column` or `-column`. */
  order?: string;
  height?: number | string;
  onOpen?: (row: Row) => void;
  openKey?: string;
  tools?: ReactNode;
  empty?: string;
  loading?: boolean;
  /** Without the line of search and export, for short tables within a panel. */
  bare?: boolean;
}

const ROW_PX = 33;

export function DataTable(props: Props) {
  const { name, label, columns, rows, rowKey, order = '', onOpen, bare = false } = props;
  const { t } = useTranslation();
  const [sortText, setSort] = useUrlState(`${name}.sort`, order);
  const [search, setSearch] = useUrlState(`${name}.q`);
  const sort = useMemo(
    () =>
      sortText ? { id: sortText.replace(/^-/, ''), isDescending: sortText.startsWith('-') } : null,
    [sortText],
  );
  const shown = useOrdered(rows, columns, sort, search);
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });
  const [active, setActive] = useState(-1);
  // One width for all rows: each is a grid of its own, and they must agree.
  const least = columns.reduce(
    (total, { width }) => total + Number(/\d+/.exec(width ?? '90')?.[0] ?? 90),
    0,
  );
  const template = columns.map((column) => column.width ?? 'minmax(90px, 1fr)').join(' ');

  function onKey(event: KeyboardEvent) {
    const page = Math.max(1, Math.floor((box.current?.clientHeight ?? 300) / ROW_PX) - 2);
    const moves: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: shown.length - 1,
    };
    const to = moves[event.key];
    if (to !== undefined && shown.length > 0) {
      event.preventDefault();
      const next = Math.max(0, Math.min(shown.length - 1, to));
      setActive(next);
      virtual.scrollToIndex(next);
    } else if (event.key === 'Enter' && onOpen && event.target === box.current) {
      const row = shown[active];
      if (row) onOpen(row);
    }
  }

  function exportCsv() {
    const values = shown.map((row) => columns.map((column) => column.value(row)));
    download(
      `${name}.csv`,
      toCsv(
        columns.map((column) => column.header),
        values,
      ),
    );
  }

  const toggle = (id: string, numeric: boolean) =>
    setSort(sortText === id ? `-${id}` : sortText === `-${id}` ? id : numeric ? `-${id}` : id);

  return (
    <div className="table-wrap">
      {!bare && (
        <div className="table-tools">
          <TextInput
            size="xs"
            w={220}
            leftSection={<IconSearch size={14} />}
            value={search}
            aria-label={t('table.search', { label })}
            placeholder={t('table.find')}
            onChange={(event) => setSearch(event.currentTarget.value)}
          />
          {props.tools}
          <span className="table-count soft" aria-live="off">
            {search
              ? t('table.found', { found: number(shown.length), of: number(rows.length) })
              : t('table.rows', { count: rows.length, rows: number(rows.length) })}
          </span>
          <Tooltip label={t('table.export')}>
            <ActionIcon
              variant="subtle"
              color="gray"
              onClick={exportCsv}
              aria-label={t('table.export')}
            >
              <IconDownload size={16} />
            </ActionIcon>
          </Tooltip>
        </div>
      )}
      <div
        ref={box}
        className="table-box"
        role="grid"
        tabIndex={0}
        aria-label={label}
        onKeyDown={onKey}
        aria-rowcount={shown.length + 1}
        aria-colcount={columns.length}
        aria-activedescendant={active >= 0 && shown[active] ? `${name}-row-${active}` : undefined}
        style={{ maxHeight: props.height ?? 'calc(100vh - 260px)' }}
      >
        <div className="table-head" role="rowgroup" style={{ minWidth: least }}>
          <div
            className="table-row"
            role="row"
            aria-rowindex={1}
            style={{ gridTemplateColumns: template }}
          >
            {columns.map((column) => {
              const own = sort?.id === column.id ? sort : null;
              return (
                <div
                  key={column.id}
                  role="columnheader"
                  className={column.numeric ? 'num' : ''}
                  aria-sort={own ? (own.isDescending ? 'descending' : 'ascending') : 'none'}
                >
                  <button type="button" onClick={() => toggle(column.id, column.numeric ?? false)}>
                    {column.header}
                    <span aria-hidden>{own ? (own.isDescending ? ' ↓' : ' ↑') : ''}</span>
                  </button>
                </div>
              );
            })}
          </div>
        </div>
        <div
          role="rowgroup"
          style={{ height: virtual.getTotalSize(), position: 'relative', minWidth: least }}
        >
          {virtual.getVirtualItems().map((item) => {
            const row = shown[item.index]!;
            const open = props.openKey !== undefined && props.openKey === rowKey(row);
            return (
              <div
                key={rowKey(row)}
                id={`${name}-row-${item.index}`}
                role="row"
                aria-rowindex={item.index + 2}
                aria-selected={open}
                className={`table-row body-row${onOpen ? ' opens' : ''}`}
                data-active={item.index === active}
                data-open={open}
                style={{ gridTemplateColumns: template, transform: `translateY(${item.start}px)` }}
                onClick={() => (setActive(item.index), onOpen?.(row))}
              >
                {columns.map((column) => (
                  <div key={column.id} role="gridcell" className={column.numeric ? 'num' : 'clip'}>
                    {column.cell ? column.cell(row) : clipped(text(column.value(row)))}
                  </div>
                ))}
              </div>
            );
          })}
        </div>
        {shown.length === 0 && (
          <div role="row" className="table-none soft">
            <span role="gridcell">
              {props.loading
                ? t('table.loading')
                : search
                  ? t('table.none')
                  : (props.empty ?? t('table.empty'))}
            </span>
          </div>
        )}
      </div>
    </div>
  );
}
