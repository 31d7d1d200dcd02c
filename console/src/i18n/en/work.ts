// SQL, catalogue, jobs, sources.
export const work = {
  sql: {
    note: 'One SELECT in Flink SQL over the views of a step. Nothing can be changed from here.', views: 'Views', insert: 'Insert a SELECT',
    question: 'Question in SQL', hint: 'SELECT … FROM a view', run: 'Run', most: 'Rows at most', form: 'Form of the answer',
    answered: '{{rows}} rows of step {{step}} in {{ms}} ms', answer: 'Answer', noNumbers: 'The answer has no numbers to draw.', row: 'Row',
    teach: 'Ask the views', teachMore: 'Open a view on the left and insert a SELECT, or write one. Ctrl+Space completes, Ctrl+Enter runs. The address keeps the question: send it to a colleague.',
  },
  catalogue: {
    note: 'Every view that this project serves, with its rows as they change.', view: 'View', rows: 'Rows', key: 'Key: {{key}}', ask: 'Ask in SQL',
    choose: 'Choose a view', chooseMore: 'Its columns, key and rows are shown here. They move by themselves.',
  },
  jobs: {
    note: 'How far the job is, what holds a view back, and which part of it is slow.', rows: 'Rows taken in', perSecond: '{{rows}} a second', steps: 'Steps',
    catchingUp: 'catching up', upToDate: 'up to date', late: 'Late rows', lateMeans: 'behind their watermark', state: 'State',
    stateMeans_one: 'in {{operators}} operator', stateMeans_other: 'in {{operators}} operators', slowest: 'Slowest operator', slowestMeans: '{{name}} of {{view}}',
    rate: 'Rows a second', measuring: 'Measuring …', checkpoints: 'Checkpoints', take: 'Take one now', taken: 'Checkpoint {{checkpoint}} is durable.',
    noCheckpoints: 'This job keeps none: it began without a state folder. rialto run PROJECT --state DIR keeps them.', before: '{{ago}}',
    graph: 'From the sources to a view', outputs: 'Views and sinks', output: 'Name', kind: 'Kind', changes: 'Changes', backlog: 'Backlog', heldBack: 'Held back by',
    job: 'This job', project: 'Project', process: 'Process', began: 'Began', operators: 'Operators', node: 'Node', operator: 'Operator', share: 'Of the time',
    gave: 'Rows given', keeps: 'Keeps', memory: 'Memory', feeds: 'Works for', work_one: '{{operators}} operator', work_other: '{{operators}} operators',
    box: { source: '{{rows}} rows', work: '{{share}} of the time, {{state}}', output: '{{rows}} changes' },
  },
  sources: {
    note: 'Where rows come from, how old the newest is, and what could not be read.', name: 'Source', state: 'State', rows: 'Rows', bytes: 'Read', last: 'Last row',
    watermark: 'Watermark (UTC)', readers: 'Readers', letters: 'Dead letters', held: 'Held by',
    is: { reading: 'Reading', silent: 'Silent', ended: 'Ended', held: 'Held back', waiting: 'No row yet' },
    ended: '{{rows}} have ended', lateRows: '{{rows}} late', silentMeans: 'no row for a minute', lettersDo: 'open the source to see what to do', lettersNone: 'every record could be read',
    refused_one: '{{rows}} record could not be read', refused_other: '{{rows}} records could not be read',
    lettersHow: 'They are kept with their position and reason. List, mend and send them again with', feeds: 'Feeds these views',
  },
};
