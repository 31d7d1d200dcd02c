// Addresses and their screens. Each screen is loaded when it is first opened.
import { Button } from '@mantine/core';
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Link,
  Outlet,
} from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { Overview } from '@/screens/overview';
import { Shell } from './Shell';

function Failed({ error, reset }: { error: unknown; reset: () => void }) {
  const { t } = useTranslation();
  return (
    <div className="panel">
      <div className="empty" role="alert">
        <strong>{t('problem.page')}</strong>
        <p className="mono">{error instanceof Error ? error.message : String(error)}</p>
        <Button variant="default" onClick={reset}>
          {t('problem.retry')}
        </Button>
      </div>
    </div>
  );
}

function Missing() {
  const { t } = useTranslation();
  return (
    <div className="panel">
      <div className="empty">
        <strong>{t('problem.gone')}</strong>
        <Link to="/">{t('problem.home')}</Link>
      </div>
    </div>
  );
}

const root = createRootRoute({ component: Outlet, notFoundComponent: Missing });
const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell });
const wall = createRoute({
  getParentRoute: () => root,
  path: '/wall',
  component: lazyRouteComponent(() => import('@/screens/wall'), 'Wall'),
});

const overview = createRoute({ getParentRoute: () => shell, path: '/', component: Overview });
const screens = [
  createRoute({
    getParentRoute: () => shell,
    path: '/inventory',
    component: lazyRouteComponent(() => import('@/screens/inventory'), 'Inventory'),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: '/pricing',
    component: lazyRouteComponent(() => import('@/screens/pricing'), 'Pricing'),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: '/customers',
    component: lazyRouteComponent(() => import('@/screens/customers'), 'Customers'),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: '/customers/$id',
    component: lazyRouteComponent(() => import('@/screens/customers/Customer'), 'Customer'),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: '/recommendations',
    component: lazyRouteComponent(() => import('@/screens/recommendations'), 'Recommendations'),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: '/funnel',
    component: lazyRouteComponent(() => import('@/screens/funnel'), 'Funnel'),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: '/ads',
    component: lazyRouteComponent(() => import('@/screens/ads'), 'Ads'),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: '/decisions',
    component: lazyRouteComponent(() => import('@/screens/decisions'), 'Decisions'),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: '/sql',
    component: lazyRouteComponent(() => import('@/screens/sql'), 'Sql'),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: '/catalogue',
    component: lazyRouteComponent(() => import('@/screens/catalogue'), 'CatalogueScreen'),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: '/jobs',
    component: lazyRouteComponent(() => import('@/screens/jobs'), 'Jobs'),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: '/sources',
    component: lazyRouteComponent(() => import('@/screens/sources'), 'Sources'),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: '/editor',
    component: lazyRouteComponent(() => import('@/screens/editor'), 'VisualEditor'),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: '/lineage',
    component: lazyRouteComponent(() => import('@/screens/lineage'), 'LineageScreen'),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: '/alerts',
    component: lazyRouteComponent(() => import('@/screens/alerts'), 'AlertsScreen'),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: '/settings',
    component: lazyRouteComponent(() => import('@/screens/settings'), 'Settings'),
  }),
];

export const router = createRouter({
  routeTree: root.addChildren([shell.addChildren([overview, ...screens]), wall]),
  defaultErrorComponent: Failed,
  defaultPreload: 'intent',
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
