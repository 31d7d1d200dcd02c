// What a source can be read from by form, with the options that matter. Others stand in a file of
// the project: docs/connectors.md.

export interface SourceOption {
  key: string;
  /** Its texts are `source.option.NAME` and `source.help.NAME`. */
  name: string;
  required?: boolean;
  otherwise?: string;
  choices?: string[];
  /** The name of a variable of the project that has the value: it is no text for a file. */
  isVariable?: boolean;
}
export interface Connector {
  name: string;
  options: SourceOption[];
  formats: string[];
  /** Its rows come later: there is nothing to look at but a sample. */
  isSentTo?: boolean;
}

export const CONNECTORS: Connector[] = [
  {
    name: 'filesystem',
    formats: ['csv', 'json', 'debezium-json'],
    options: [
      { key: 'path', name: 'path', required: true },
      { key: 'source.monitor-interval', name: 'monitor', otherwise: '5 s' },
    ],
  },
  {
    name: 'kafka',
    formats: ['json', 'csv', 'debezium-json'],
    options: [
      { key: 'topic', name: 'topic', required: true },
      { key: 'properties.bootstrap.servers', name: 'servers', required: true },
      {
        key: 'scan.startup.mode',
        name: 'startup',
        otherwise: 'earliest-offset',
        choices: ['earliest-offset', 'latest-offset', 'group-offsets'],
      },
      { key: 'properties.group.id', name: 'group' },
    ],
  },
  {
    name: 'postgres',
    formats: [],
    options: [
      { key: 'url', name: 'url', required: true },
      { key: 'table-name', name: 'tableName', required: true },
      { key: 'username', name: 'username' },
      { key: 'password', name: 'password', isVariable: true },
    ],
  },
  {
    name: 'tcp',
    formats: ['json', 'csv'],
    options: [
      { key: 'hostname', name: 'host', required: true, otherwise: '127.0.0.1' },
      { key: 'port', name: 'port', required: true },
      {
        key: 'scan.on-close',
        name: 'onClose',
        otherwise: 'reconnect',
        choices: ['reconnect', 'end'],
      },
    ],
  },
  {
    name: 'http',
    formats: [],
    isSentTo: true,
    options: [{ key: 'http.event-id', name: 'eventId', otherwise: 'event_id' }],
  },
  {
    name: 'datagen',
    formats: [],
    options: [
      { key: 'rows-per-second', name: 'pace', otherwise: '10' },
      { key: 'number-of-rows', name: 'count' },
    ],
  },
];

export const FORMAT_OPTIONS: Record<string, SourceOption[]> = {
  csv: [
    { key: 'csv.header', name: 'header', otherwise: 'true', choices: ['true', 'false'] },
    { key: 'csv.field-delimiter', name: 'delimiter', otherwise: ',' },
  ],
  json: [
    {
      key: 'json.timestamp-format.standard',
      name: 'times',
      otherwise: 'SQL',
      choices: ['SQL', 'ISO-8601'],
    },
  ],
};

export const TYPES = [
  'STRING',
  'BOOLEAN',
  'INT',
  'BIGINT',
  'DOUBLE',
  'DECIMAL(18, 4)',
  'DATE',
  'TIMESTAMP(3)',
  'TIMESTAMP_LTZ(3)',
];

export const connectorOf = (name: string): Connector =>
  CONNECTORS.find((one) => one.name === name) ?? CONNECTORS[0]!;

export const optionsOf = (connector: string, format: string): SourceOption[] => [
  ...connectorOf(connector).options,
  ...(connectorOf(connector).formats.length > 0 ? (FORMAT_OPTIONS[format] ?? []) : []),
];
