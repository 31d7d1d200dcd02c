// Around every chart: the picture, or the table behind it, and both to take away.
import { ActionIcon, Menu, SegmentedControl } from '@mantine/core';
import { IconChartBar, IconDownload, IconTable } from '@tabler/icons-react';
import { lazy, Suspense, useRef, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Row } from '@/api/types';
import { download, toCsv } from './csv';
import type { TableColumn } from './DataTable';
import { Panel } from './Panel';
import { useUrlState } from './urlState';

// Most charts are never seen as a table.
const DataTable = lazy(() => import('./DataTable').then((all) => ({ default: all.DataTable })));

export interface Framed {
  name: string;
  title: string;
  span?: 3 | 4 | 5 | 6 | 7 | 8 | 9 | 12;
  height?: number;
  columns: TableColumn[];
  rows: Row[];
  end?: ReactNode;
  empty?: string;
  picture: ReactNode;
  /** Whether the picture is one that can be taken away as it is. */
  isSvg?: boolean;
}

export function ChartFrame(props: Framed) {
  const { name, title, columns, rows, height = 260 } = props;
  const { t } = useTranslation();
  // Which of the two is seen is in the address, as all else is.
  const [form, setForm] = useUrlState(`${name}.as`, 'chart');
  const holder = useRef<HTMLDivElement>(null);

  function exportCsv() {
    const values = rows.map((row) => columns.map((column) => column.value(row)));
    download(
      `${name}.csv`,
      toCsv(
        columns.map((column) => column.header),
        values,
      ),
    );
  }
  function exportSvg() {
    const picture = holder.current?.querySelector('svg');
    if (!picture) return;
    picture.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
    download(`${name}.svg`, new Blob([picture.outerHTML], { type: 'image/svg+xml' }));
  }

  const end = (
    <>
      {props.end}
      <SegmentedControl
        size="xs"
        value={form}
        onChange={setForm}
        aria-label={t('chart.form', { title })}
        data={[
          { value: 'chart', label: <IconChartBar size={14} aria-label={t('chart.chart')} /> },
          { value: 'table', label: <IconTable size={14} aria-label={t('chart.table')} /> },
        ]}
      />
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={t('chart.export', { title })}>
            <IconDownload size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={exportCsv}>CSV</Menu.Item>
          {form === 'chart' && props.isSvg !== false && (
            <Menu.Item onClick={exportSvg}>SVG</Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
    </>
  );
  return (
    <Panel title={title} span={props.span} end={end} flush={form === 'table'}>
      {rows.length === 0 ? (
        <p className="soft" style={{ margin: 0, padding: form === 'table' ? 14 : 0 }}>
          {props.empty ?? t('table.empty')}
        </p>
      ) : form === 'table' ? (
        <Suspense fallback={<div style={{ height: height + 14 }} />}>
          <DataTable
            bare
            name={`${name}.table`}
            label={title}
            columns={columns}
            rows={rows}
            height={height + 14}
            rowKey={(row) => JSON.stringify(row)}
          />
        </Suspense>
      ) : (
        <div ref={holder}>{props.picture}</div>
      )}
    </Panel>
  );
}
