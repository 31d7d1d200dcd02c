// Where a source reads: connector, format and options, each with what it means; or a sample.
import { SegmentedControl, Select, Textarea, TextInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Panel } from '@/components/Panel';
import { connectorOf, CONNECTORS, optionsOf, type SourceOption } from './connectors';
import type { Draft } from './draft';

interface Props {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
}

function Option({ option, draft, set }: Props & { option: SourceOption }) {
  const { t } = useTranslation();
  const value = draft.options[option.key] ?? option.otherwise ?? '';
  const change = (next: string) => set({ options: { ...draft.options, [option.key]: next } });
  const said = {
    size: 'xs' as const,
    label: t(`source.option.${option.name}`),
    description: t(`source.help.${option.name}`),
    required: option.required ?? false,
    inputWrapperOrder: ['label', 'input', 'description'] as ('label' | 'input' | 'description')[],
  };
  if (option.choices)
    return (
      <Select
        {...said}
        allowDeselect={false}
        data={option.choices}
        value={value}
        onChange={(next) => next && change(next)}
      />
    );
  return (
    <TextInput
      {...said}
      value={value}
      onChange={(event) => change(event.currentTarget.value)}
      spellCheck={false}
    />
  );
}

export function Place({ draft, set }: Props) {
  const { t } = useTranslation();
  const connector = connectorOf(draft.connector);
  const choose = (name: string) => {
    // The usual one of each place: files are CSV, records of topics and lines are JSON.
    const [format = ''] = connectorOf(name).formats;
    set({ connector: name, format });
  };
  return (
    <Panel title={t('source.place')}>
      <SegmentedControl
        size="xs"
        aria-label={t('source.connector')}
        data={CONNECTORS.map(({ name }) => ({ value: name, label: t(`source.is.${name}`) }))}
        value={draft.connector}
        onChange={choose}
        styles={{ root: { flexWrap: 'wrap' } }}
      />
      <p className="soft">{t(`source.means.${draft.connector}`)}</p>
      <div className="source-options">
        {connector.formats.length > 0 && (
          <Select
            size="xs"
            allowDeselect={false}
            label={t('source.format')}
            description={t('source.formatMeans')}
            inputWrapperOrder={['label', 'input', 'description']}
            data={connector.formats}
            value={draft.format}
            onChange={(format) => format && set({ format })}
          />
        )}
        {optionsOf(draft.connector, draft.format)
          .filter(({ key }) => key !== 'csv.header' || draft.connector === 'filesystem')
          .map((option) => (
            <Option key={option.key} option={option} draft={draft} set={set} />
          ))}
      </div>
    </Panel>
  );
}

interface SampleProps {
  sample: string;
  setSample: (text: string) => void;
}
/** Some records, in the place of those that the source has. */
export function Sample({ sample, setSample }: SampleProps) {
  const { t } = useTranslation();
  return (
    <Textarea
      size="xs"
      autosize
      minRows={3}
      maxRows={10}
      spellCheck={false}
      label={t('source.sample')}
      description={t('source.sampleMeans')}
      value={sample}
      styles={{ input: { fontFamily: 'var(--mono)', fontSize: 12 } }}
      onChange={(event) => setSample(event.currentTarget.value)}
    />
  );
}
