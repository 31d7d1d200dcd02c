// What can be added behind the chosen node.
import { ActionIcon, Button, Select, Tooltip } from '@mantine/core';
import { IconArrowBackUp, IconArrowForwardUp } from '@tabler/icons-react';
import { useTranslation } from 'react-i18next';

export const STEPS = ['filter', 'map', 'join', 'window', 'aggregate', 'top'] as const;

interface Props {
  relations: string[];
  sinks: string[];
  hasChosen: boolean;
  addSource: (name: string) => void;
  addSink: (name: string) => void;
  addDecision: () => void;
  add: (kind: (typeof STEPS)[number]) => void;
  undo: (() => void) | null;
  redo: (() => void) | null;
}

export function Palette(props: Props) {
  const { t } = useTranslation();
  const { relations, sinks, hasChosen } = props;
  const button = (name: string, act: () => void) => (
    <Button key={name} size="compact-xs" variant="default" disabled={!hasChosen} onClick={act}>
      {t(`editor.kind.${name}`)}
    </Button>
  );
  return (
    <div className="palette" role="toolbar" aria-label={t('editor.add')}>
      <Select
        size="xs"
        w={220}
        searchable
        value={null}
        data={relations}
        placeholder={t('editor.addSource')}
        aria-label={t('editor.addSource')}
        onChange={(name) => name && props.addSource(name)}
      />
      {STEPS.map((kind) => button(kind, () => props.add(kind)))}
      {button('decision', props.addDecision)}
      <Select
        size="xs"
        w={170}
        searchable
        value={null}
        data={sinks}
        disabled={!hasChosen}
        placeholder={t('editor.addSink')}
        aria-label={t('editor.addSink')}
        onChange={(name) => name && props.addSink(name)}
      />
      <span style={{ marginLeft: 'auto', display: 'flex', gap: 4 }}>
        {(
          [
            ['undo', props.undo, IconArrowBackUp],
            ['redo', props.redo, IconArrowForwardUp],
          ] as const
        ).map(([name, act, Icon]) => (
          <Tooltip key={name} label={t(`editor.${name}`)}>
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={t(`editor.${name}`)}
              disabled={act === null}
              onClick={() => act?.()}
            >
              <Icon size={17} />
            </ActionIcon>
          </Tooltip>
        ))}
      </span>
    </div>
  );
}
