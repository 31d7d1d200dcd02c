// The frame, and what all screens share.
export const shell = {
  nav: {
    label: 'Screens', shop: 'Shop', work: 'Workshop', skip: 'Skip to the content',
    menu: 'Open the menu',
    overview: 'Overview', inventory: 'Inventory', pricing: 'Pricing', customers: 'Customers',
    recommendations: 'Recommendations', funnel: 'Funnel & campaigns', ads: 'Ads',
    decisions: 'Decisions', sql: 'SQL', catalogue: 'Catalogue', jobs: 'Jobs', sources: 'Sources',
    wall: 'Big screen',
  },
  prefs: {
    language: 'Language', theme: 'Switch between light and dark',
  },
  moment: {
    live: 'Live', held: 'Held', step: 'Step {{step}}', title: 'As of when',
    about: 'All views of a step fit together. Hold a step to look at it in peace; the newest {{kept}} that changed something can be read.',
    hold: 'Hold this step', release: 'Back to live', read: 'Read as of step', go: 'Read',
    range: 'Steps {{first}} to {{last}} are kept.',
    banner: 'You are looking at step {{step}}. What has happened since is not shown.',
  },
  connection: {
    connecting: 'Connecting', live: 'Live', lost: 'Connection lost',
    banner: 'Connection lost {{ago}}. What you see is as of step {{step}}; trying again.',
  },
  problem: { page: 'This page failed', retry: 'Try again', gone: 'There is no such page.',
    home: 'To the overview' },
  empty: {
    title: '{{what}} needs views that this project does not have',
    pack: 'They come with the pack “{{pack}}”. Add it to the project and start the job again:',
    docs: 'docs/packs/{{pack}}.md says what it reads, what each view means and which rules can be changed.',
  },
  table: {
    find: 'Find', search: 'Find in {{label}}', rows_one: '{{rows}} row', rows_other: '{{rows}} rows',
    found: '{{found}} of {{of}}', export: 'Export as CSV', none: 'Nothing matches.',
    empty: 'No rows yet.', loading: 'Loading …', cut: 'The first {{rows}} rows are shown.',
  },
  chart: { form: 'Form of {{title}}', chart: 'Chart', table: 'Table', export: 'Export {{title}}' },
  status: {
    proposed: 'Proposed', approved: 'Approved', applied: 'Applied', rejected: 'Rejected',
    expired: 'Expired',
  },
  type: {
    replenish: 'Replenish', allocate: 'Transfer', price: 'Price', offer: 'Offer',
    contact: 'Message', budget: 'Budget', recommend: 'Recommend',
  },
  wanted: {
    replenish: 'Order {{quantity}} for {{location}}',
    allocate: 'Move {{quantity}} from {{from}} to {{location}}',
    price: '{{was}} → {{amount}}',
    offer: '{{share}} off the next order',
    contact: 'Message: {{template}}',
    budget: 'Budget {{amount}} a day',
  },
  why: {
    title: 'Why', reasons: 'Reasons', from: 'Made from', action: 'Action', subject: 'About',
    decided: 'Decided', policy: 'Policy', version: 'version {{version}}', age: 'Age of the data',
    minutes: '{{minutes}} min', experiment: 'Experiment', actor: 'By', id: 'Decision',
    close: 'Close',
  },
};
