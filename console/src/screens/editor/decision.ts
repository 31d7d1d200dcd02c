// The columns of a decision, in the words of the event model: what a view needs so that the
// journal, the screens and the outcomes know what it decides.
const COLUMNS: [string, string][] = [
  ['decided_at', 'TIMESTAMP_LTZ(3)'],
  ['decision_type', "'case'"],
  ['subject_type', 'STRING'],
  ['subject_id', 'STRING'],
  ['sku', 'STRING'],
  ['location_id', 'STRING'],
  ['customer_id', 'STRING'],
  ['campaign_id', 'STRING'],
  ['quantity', 'DECIMAL(18, 4)'],
  ['amount', 'DECIMAL(18, 4)'],
  ['currency', 'STRING'],
  ['action', 'STRING'],
  ['policy', "'drawn'"],
  ['policy_version', "'1'"],
  ['model_version', 'STRING'],
  ['data_age_ms', 'BIGINT'],
  ['inputs', 'STRING'],
  ['reasons', 'STRING'],
  ['experiment', 'STRING'],
  ['variant', "'policy'"],
  ['propensity', 'DOUBLE'],
  ['status', "'proposed'"],
  ['actor', "'console'"],
  ['ext', 'STRING'],
];
const SUBJECTS = ['sku', 'customer_id', 'location_id', 'campaign_id'];

/** The list of columns, with those that the input has taken from it. */
export function decisionColumns(input: string[]): string {
  const has = new Set(input);
  const subject = SUBJECTS.find((name) => has.has(name)) ?? input[0];
  const id = subject ? `'case:' || CAST(\`${subject}\` AS STRING)` : "'case:all'";
  const own = (name: string, type: string): string => {
    if (has.has(name) && !type.startsWith("'")) return `\`${name}\``;
    if (name === 'subject_id' && subject) return `CAST(\`${subject}\` AS STRING) AS subject_id`;
    if (name === 'subject_type' && subject) {
      return `'${subject.replace(/_id$/, '').replaceAll("'", "''")}' AS subject_type`;
    }
    if (type.startsWith("'")) return `${type} AS ${name}`;
    return `CAST(NULL AS ${type}) AS ${name}`;
  };
  const rest = COLUMNS.map(([name, type]) => own(name, type));
  return [`${id} AS decision_id`, ...rest].join(',\n  ');
}
