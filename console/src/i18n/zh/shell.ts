// 框架，以及各页面共用的文字。
export const shell = {
  nav: {
    label: '页面', shop: '店铺', work: '工作台', skip: '跳到正文',
    menu: '打开菜单',
    overview: '总览', inventory: '库存', pricing: '定价', customers: '顾客',
    recommendations: '推荐', funnel: '漏斗与活动', ads: '广告',
    decisions: '决策', sql: 'SQL', catalogue: '目录', jobs: '作业', sources: '数据源',
    wall: '大屏',
  },
  prefs: {
    language: '语言', theme: '切换深色与浅色',
  },
  moment: {
    live: '实时', held: '已定格', step: '第 {{step}} 步', title: '数据时点',
    about: '同一步内的所有视图彼此一致。定格某一步可以安心查看；最近 {{kept}} 个有变化的步可读。',
    hold: '定格当前步', release: '回到实时', read: '按步读取', go: '读取',
    range: '保留第 {{first}} 到 {{last}} 步。',
    banner: '当前查看第 {{step}} 步，此后的变化不会显示。',
  },
  connection: {
    connecting: '正在连接', live: '实时', lost: '连接已断开',
    banner: '连接于{{ago}}断开。所示为第 {{step}} 步的数据，正在重试。',
  },
  problem: { page: '页面出错', retry: '重试', gone: '没有这个页面。',
    home: '回到总览' },
  empty: {
    title: '“{{what}}”所需的视图不在此项目中',
    pack: '它们由“{{pack}}”包提供。把它加入项目并重新启动作业：',
    docs: 'docs/packs/{{pack}}.md 说明它读取什么、每个视图的含义以及可修改的规则。',
  },
  table: {
    find: '查找', search: '在“{{label}}”中查找', rows_one: '{{rows}} 行', rows_other: '{{rows}} 行',
    found: '{{found}} / {{of}}', export: '导出 CSV', none: '没有匹配的行。',
    empty: '暂无数据。', loading: '加载中…', cut: '仅显示前 {{rows}} 行。',
  },
  chart: { form: '“{{title}}”的形式', chart: '图', table: '表', export: '导出“{{title}}”' },
  status: {
    proposed: '待定', approved: '已批准', applied: '已执行', rejected: '已拒绝',
    expired: '已过期',
  },
  type: {
    replenish: '补货', allocate: '调拨', price: '调价', offer: '优惠',
    contact: '触达', budget: '预算', recommend: '推荐',
  },
  wanted: {
    replenish: '为 {{location}} 订货 {{quantity}} 件',
    allocate: '从 {{from}} 调 {{quantity}} 件到 {{location}}',
    price: '{{was}} → {{amount}}',
    offer: '下单立减 {{share}}',
    contact: '消息：{{template}}',
    budget: '日预算 {{amount}}',
  },
  why: {
    title: '原因', reasons: '理由', from: '依据', action: '动作', subject: '对象',
    decided: '决策时间', policy: '策略', version: '版本 {{version}}', age: '数据时龄',
    minutes: '{{minutes}} 分钟', experiment: '实验', actor: '由', id: '决策编号',
    close: '关闭',
  },
};
