// The screens, in the order of the menu.
import {
  IconAd2,
  IconBell,
  IconBinaryTree,
  IconChartHistogram,
  IconDatabaseSearch,
  IconFilter,
  IconGavel,
  IconHome2,
  IconListSearch,
  IconPackage,
  IconPlugConnected,
  IconSettings,
  IconSitemap,
  IconSparkles,
  IconTag,
  IconTopologyStar3,
  IconUsers,
  type Icon,
} from '@tabler/icons-react';

export interface Screen {
  path: string;
  name: string;
  icon: Icon;
}

export const SHOP: Screen[] = [
  { path: '/', name: 'overview', icon: IconHome2 },
  { path: '/inventory', name: 'inventory', icon: IconPackage },
  { path: '/pricing', name: 'pricing', icon: IconTag },
  { path: '/customers', name: 'customers', icon: IconUsers },
  { path: '/recommendations', name: 'recommendations', icon: IconSparkles },
  { path: '/funnel', name: 'funnel', icon: IconFilter },
  { path: '/ads', name: 'ads', icon: IconAd2 },
  { path: '/decisions', name: 'decisions', icon: IconGavel },
  { path: '/alerts', name: 'alerts', icon: IconBell },
];

export const WORK: Screen[] = [
  { path: '/sql', name: 'sql', icon: IconDatabaseSearch },
  { path: '/editor', name: 'editor', icon: IconSitemap },
  { path: '/catalogue', name: 'catalogue', icon: IconListSearch },
  { path: '/lineage', name: 'lineage', icon: IconBinaryTree },
  { path: '/jobs', name: 'jobs', icon: IconTopologyStar3 },
  { path: '/sources', name: 'sources', icon: IconPlugConnected },
  { path: '/wall', name: 'wall', icon: IconChartHistogram },
  { path: '/settings', name: 'settings', icon: IconSettings },
];
