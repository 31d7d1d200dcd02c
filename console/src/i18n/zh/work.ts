// SQL、目录、作业、数据源。
export const work = {
  sql: {
    note: '用 Flink SQL 的一条 SELECT 查询同一步的视图；此处不能做任何修改。', views: '视图', insert: '插入 SELECT',
    question: 'SQL 查询', hint: 'SELECT … FROM 视图', run: '运行', most: '最多行数', form: '结果形式',
    answered: '第 {{step}} 步的 {{rows}} 行，用时 {{ms}} 毫秒', answer: '结果', noNumbers: '结果中没有可绘制的数字。', row: '行',
    teach: '向视图提问', teachMore: '在左侧打开一个视图并插入 SELECT，或自己写。Ctrl+Space 补全，Ctrl+Enter 运行。地址里带着查询，可直接发给同事。',
  },
  catalogue: {
    note: '此项目提供的全部视图，行随变化更新。', view: '视图', rows: '行数', key: '键：{{key}}', ask: '用 SQL 查询',
    choose: '请选择视图', chooseMore: '这里显示它的列、键与行，并自动更新。',
  },
  jobs: {
    note: '作业进展到哪里、是什么拖住了视图、哪一部分慢。', rows: '已读入行数', perSecond: '每秒 {{rows}} 行', steps: '步数',
    catchingUp: '正在追赶', upToDate: '已跟上', late: '迟到行', lateMeans: '落后于水位线', state: '状态',
    stateMeans_one: '共 {{operators}} 个算子', stateMeans_other: '共 {{operators}} 个算子', slowest: '最慢算子', slowestMeans: '{{view}} 的 {{name}}',
    rate: '每秒行数', measuring: '正在测量…', checkpoints: '检查点', take: '立即执行', taken: '检查点 {{checkpoint}} 已落盘。',
    noCheckpoints: '此作业启动时没有状态目录，因此不保留检查点。rialto run PROJECT --state DIR 会保留。', before: '{{ago}}',
    graph: '从数据源到视图', outputs: '视图与输出', output: '名称', kind: '种类', changes: '变化', backlog: '积压', heldBack: '被谁拖住',
    job: '此作业', project: '项目', process: '进程', began: '启动于', operators: '算子', node: '节点', operator: '算子', share: '耗时占比',
    gave: '输出行数', keeps: '保存行数', memory: '内存', feeds: '服务于', work_one: '{{operators}} 个算子', work_other: '{{operators}} 个算子',
    box: { source: '{{rows}} 行', work: '耗时 {{share}}，{{state}}', output: '{{rows}} 次变化' },
  },
  sources: {
    note: '数据从哪里来、最新一行多旧、哪些无法读取。', name: '数据源', state: '状态', rows: '行数', bytes: '已读', last: '最近一行',
    watermark: '水位线 (UTC)', readers: '读取器', letters: '死信', held: '被谁阻塞',
    is: { reading: '读取中', silent: '静默', ended: '已结束', held: '被阻塞', waiting: '尚无数据' },
    ended: '{{rows}} 个已结束', lateRows: '迟到 {{rows}} 行', silentMeans: '一分钟内无数据', lettersDo: '打开数据源查看处理方法', lettersNone: '所有记录均可读取',
    refused_one: '{{rows}} 条记录无法读取', refused_other: '{{rows}} 条记录无法读取',
    lettersHow: '它们连同位置与原因一并保留。查看、修正并重发请用', feeds: '供给这些视图',
  },
};
