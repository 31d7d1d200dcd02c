// The console: a page that shows the shop as it is now.
import '@mantine/core/styles.css';
import '@fontsource-variable/inter';
import './app/console.css';
import './components/Panel.css';
import './components/parts.css';
import './app/shell.css';
import { MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { queryClient } from './api/client';
import { CATALOGUE } from './api/hooks';
import { router } from './app/router';
import { theme } from './app/theme';
import './i18n';

// Every screen waits for it: it is asked for before the first one is drawn.
void queryClient.prefetchQuery(CATALOGUE);
const root = document.getElementById('root');
if (!root) throw new Error('index.html has no element with the id root');
createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
