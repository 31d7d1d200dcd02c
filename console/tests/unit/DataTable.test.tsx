// The table: thousands of rows, sorted, found, by keyboard; what is in a row is text.
import { MantineProvider } from '@mantine/core';
import {
  createMemoryHistory,
  createRootRoute,
  createRouter,
  RouterProvider,
} from '@tanstack/react-router';
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { DataTable, type TableColumn } from '@/components/DataTable';
import type { Row } from '@/api/types';
import '@/i18n';

beforeAll(() => {
  window.ResizeObserver = class {
    observe() {}
    unobserve() {}
    disconnect() {}
  };
  // There is no layout here; the table must believe that it can be seen.
  Object.defineProperty(HTMLElement.prototype, 'clientHeight', { value: 400 });
  Object.defineProperty(HTMLElement.prototype, 'clientWidth', { value: 800 });
});
afterEach(cleanup);

const columns: TableColumn[] = [
  { id: 'sku', header: 'Article', value: (row) => row.sku },
  { id: 'units', header: 'Units', numeric: true, value: (row) => row.units },
];

function show(rows: Row[], onOpen = vi.fn()) {
  const table = () => (
    <DataTable
      name="t"
      label="Stock"
      columns={columns}
      rows={rows}
      rowKey={(row) => String(row.sku)}
      onOpen={onOpen}
      order="sku"
    />
  );
  const history = createMemoryHistory({ initialEntries: ['/'] });
  const router = createRouter({ routeTree: createRootRoute({ component: table }), history });
  render(
    <MantineProvider>
      <RouterProvider router={router as never} />
    </MantineProvider>,
  );
  return { onOpen, router };
}
const cells = () =>
  screen
    .getAllByRole('row')
    .slice(1)
    .map((row) => row.querySelector('[role=gridcell]')?.textContent);
const many = Array.from({ length: 10_000 }, (_, at): Row => ({
  sku: `sku-${at}`,
  units: (at * 7919) % 10_000,
}));

test('of ten thousand rows only those in sight are drawn, sorted as people sort', async () => {
  show(many);
  await waitFor(() => expect(cells().length).toBeGreaterThan(5));
  expect(cells().length).toBeLessThan(60);
  expect(cells().slice(0, 3)).toEqual(['sku-0', 'sku-1', 'sku-2']);
  expect(screen.getByRole('grid').getAttribute('aria-rowcount')).toBe('10001');
});

test('a click on a head sorts, and the address keeps it', async () => {
  const { router } = show(many);
  await waitFor(() => screen.getByText('Units'));
  fireEvent.click(screen.getByRole('button', { name: 'Units' }));
  await waitFor(() => expect(router.state.location.search).toEqual({ 't.sort': '-units' }));
  const largest = many.find((row) => row.units === 9999)!;
  await waitFor(() => expect(cells()[0]).toBe(largest.sku));
});

test('finding narrows, and says how far', async () => {
  show(many);
  const find = await waitFor(() => screen.getByPlaceholderText('Find'));
  fireEvent.change(find, { target: { value: 'SKU-999' } });
  await waitFor(() => expect(screen.getByText('11 of 10,000')).toBeTruthy());
});

test('arrows move, Enter opens', async () => {
  const { onOpen } = show(many.slice(0, 20));
  const grid = await waitFor(() => screen.getByRole('grid'));
  await waitFor(() => expect(cells().length).toBe(20));
  fireEvent.keyDown(grid, { key: 'ArrowDown' });
  fireEvent.keyDown(grid, { key: 'ArrowDown' });
  expect(grid.getAttribute('aria-activedescendant')).toBe('t-row-1');
  fireEvent.keyDown(grid, { key: 'Enter' });
  expect(onOpen).toHaveBeenCalledWith(many[1]);
});

test('markup is text, and a megabyte is clipped', async () => {
  const hostile = '<img src=x onerror="alert(1)">';
  show([
    { sku: hostile, units: 1 },
    { sku: 'm'.repeat(1_000_000), units: 2 },
  ]);
  await waitFor(() => expect(screen.getByText(hostile)).toBeTruthy());
  expect(document.querySelector('.table-box img')).toBeNull();
  expect(Math.max(...cells().map((text) => text?.length ?? 0))).toBeLessThan(300);
});
