// Forms that are made here: the address of a view, and what a field of a source becomes.
import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { useState } from 'react';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { ApiLines } from '@/components/ApiLines';
import { EMPTY, fieldOf, viewSql, type Draft } from '@/screens/sources/add/draft';
import { Fields } from '@/screens/sources/add/Fields';
import '@/i18n';

beforeAll(() => {
  window.ResizeObserver = class {
    observe() {}
    unobserve() {}
    disconnect() {}
  };
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const show = (what: React.ReactNode) =>
  render(
    <QueryClientProvider client={new QueryClient()}>
      <MantineProvider>{what}</MantineProvider>
    </QueryClientProvider>,
  );

test('the lines of a view follow its filter, and say the token where one is needed', async () => {
  const who = { token: 'ann.1', person: 'ann', role: 'viewer', may: {} };
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(JSON.stringify(who))));
  const columns = [
    { name: 'sku', type: 'STRING' },
    { name: 'n', type: 'BIGINT' },
  ];
  show(<ApiLines view={{ name: 'by_sku', columns, key: ['sku'] }} />);
  expect(await screen.findByText(/Authorization: Bearer \$TOKEN.*by_sku\?limit=100/)).toBeDefined();
  fireEvent.change(screen.getByLabelText('Value'), { target: { value: 'tea pot' } });
  expect(screen.getByText(/by_sku\?sku=eq\.tea\+pot&limit=100/)).toBeDefined();
  expect(screen.getByText(/by_sku\/\{sku\}/)).toBeDefined();
  expect(screen.getByText(/curl -N .*by_sku\/changes/)).toBeDefined();
});

test('a field is renamed, needed, or left out, and the view says so', () => {
  let now: Draft = {
    ...EMPTY,
    name: 'till',
    view: 'till_rows',
    fields: [fieldOf('Receipt No', 'STRING'), fieldOf('clerk', 'STRING')],
  };
  function Held() {
    const [draft, setDraft] = useState(now);
    now = draft;
    return <Fields draft={draft} set={(change) => setDraft({ ...draft, ...change })} />;
  }
  show(<Held />);
  fireEvent.change(screen.getByLabelText('Is called of Receipt No'), { target: { value: 'id' } });
  fireEvent.click(screen.getByLabelText('Needed of Receipt No'));
  fireEvent.change(screen.getByLabelText('Is called of clerk'), { target: { value: '' } });
  const sql = viewSql(now);
  expect(sql).toContain('`Receipt No` AS `id`\nFROM `till`\nWHERE `Receipt No` IS NOT NULL');
  expect(sql).not.toContain('clerk');
  fireEvent.click(screen.getByLabelText('Take out clerk'));
  expect(now.fields.map(({ name }) => name)).toEqual(['Receipt No']);
});
