// As of when: live, lost, or held at a step; and how to hold one.
import { Button, Popover, TextInput } from '@mantine/core';
import { IconChevronDown, IconPlayerPause, IconPlayerPlay } from '@tabler/icons-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useConnection } from '@/api/connection';
import { useCatalogue } from '@/api/hooks';
import { hold, useMoment } from '@/api/moment';
import { number } from '@/components/format';

export function Moment() {
  const { t } = useTranslation();
  const connection = useConnection();
  const asOf = useMoment();
  const { data } = useCatalogue();
  const [wanted, setWanted] = useState('');
  const [open, setOpen] = useState(false);
  const isHeld = asOf !== null;
  const tone = connection.state === 'lost' ? 'lost' : isHeld ? 'held' : connection.state;
  const said =
    connection.state === 'lost'
      ? t('connection.lost')
      : isHeld
        ? t('moment.held')
        : t(`connection.${connection.state}`);
  const step = asOf ?? data?.step;
  const take = (next: number | null) => (hold(next), setOpen(false));
  return (
    <Popover
      opened={open}
      onChange={setOpen}
      position="bottom-start"
      width={300}
      shadow="md"
      trapFocus
    >
      <Popover.Target>
        <Button
          size="xs"
          variant="subtle"
          color="gray"
          px={8}
          onClick={() => setOpen(!open)}
          leftSection={<span className={`dot ${tone}`} />}
          rightSection={<IconChevronDown size={13} />}
          data-testid="moment"
          data-state={tone}
        >
          <span style={{ color: 'var(--ink)', fontWeight: 560 }}>{said}</span>
          {step !== undefined && (
            <span className="soft" style={{ marginLeft: 8, fontWeight: 400 }}>
              {t('moment.step', { step: number(step) })}
            </span>
          )}
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label={t('moment.title')}>
        <p className="soft" style={{ margin: '0 0 10px' }}>
          {t('moment.about', { kept: 256 })}
        </p>
        {isHeld ? (
          <Button
            fullWidth
            size="xs"
            leftSection={<IconPlayerPlay size={14} />}
            onClick={() => take(null)}
          >
            {t('moment.release')}
          </Button>
        ) : (
          <Button
            fullWidth
            size="xs"
            leftSection={<IconPlayerPause size={14} />}
            disabled={!data}
            onClick={() => data && take(data.step)}
          >
            {t('moment.hold')}
          </Button>
        )}
        <form
          style={{ display: 'flex', gap: 8, alignItems: 'flex-end', marginTop: 12 }}
          onSubmit={(event) => {
            event.preventDefault();
            const digits = wanted.replace(/[^\d]/g, '');
            if (digits !== '') take(Number(digits));
          }}
        >
          <TextInput
            size="xs"
            label={t('moment.read')}
            value={wanted}
            onChange={(event) => setWanted(event.currentTarget.value)}
            inputMode="numeric"
            style={{ flex: 1 }}
          />
          <Button size="xs" variant="default" type="submit">
            {t('moment.go')}
          </Button>
        </form>
        {data && (
          <p className="soft" style={{ margin: '8px 0 0', fontSize: 12 }}>
            {t('moment.range', { first: number(data.steps.first), last: number(data.steps.last) })}
          </p>
        )}
      </Popover.Dropdown>
    </Popover>
  );
}
