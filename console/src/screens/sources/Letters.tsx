// The records that a source refused: read, put right and sent again, or put aside.
import { Button, Group, Textarea } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLetter, useLetterAct, useLetters, useMayAct, type Letter } from '@/api/acts';
import { ApiError } from '@/api/problem';
import { clipped, number, timeOf } from '@/components/format';
import { ErrorNotice, Nothing } from '@/components/Notice';
import { Badge } from '@/components/Panel';

const TONES: Record<Letter['status'], string> = {
  open: 'bad',
  waiting: 'care',
  redriven: 'good',
  discarded: '',
};
const at = (ms: number) => timeOf(new Date(ms).toISOString().replace('T', ' ').replace('Z', ''));

function Mend({ id }: { id: string }) {
  const { t } = useTranslation();
  const may = useMayAct();
  const { data: letter, error } = useLetter(id);
  const act = useLetterAct();
  const [record, setRecord] = useState<string | null>(null);
  useEffect(() => setRecord(null), [id]);
  if (!letter)
    return error ? <ErrorNotice error={error} /> : <Nothing>{t('table.loading')}</Nothing>;
  const kept = letter.record ?? '';
  const isText = letter.record !== undefined && letter.whole !== false;
  const now = record ?? kept;
  const busy = !may || act.isPending || act.isSuccess || letter.status !== 'open';
  const redrive = () =>
    act.mutate({ act: 'redrive', ids: [id], record: now === kept ? undefined : now });
  return (
    <div data-testid="letter">
      <p style={{ margin: '10px 0 6px' }}>{clipped(letter.reason, 1000)}</p>
      {isText ? (
        <Textarea
          label={t('letters.record')}
          description={t('letters.change')}
          autosize
          minRows={3}
          maxRows={14}
          value={now}
          readOnly={busy}
          styles={{ input: { fontFamily: 'var(--mono)', fontSize: 12 } }}
          onChange={(event) => setRecord(event.currentTarget.value)}
        />
      ) : (
        <p className="soft">{t(letter.whole === false ? 'letters.cut' : 'letters.binary')}</p>
      )}
      <Group gap={8} mt={8}>
        <Button size="xs" color="teal.9" disabled={busy || !isText} onClick={redrive}>
          {t('letters.redrive')}
        </Button>
        <Button
          size="xs"
          variant="default"
          disabled={busy}
          onClick={() => act.mutate({ act: 'discard', ids: [id] })}
        >
          {t('letters.discard')}
        </Button>
      </Group>
      {!may && <p className="soft">{t('letters.mayNot')}</p>}
      <ErrorNotice error={act.error} />
    </div>
  );
}

export function Letters({ table }: { table: string }) {
  const { t } = useTranslation();
  const { data, error } = useLetters(table, true);
  const [open, setOpen] = useState('');
  if (error instanceof ApiError && error.problem.status === 404)
    return <p className="soft">{t('letters.noState')}</p>;
  if (!data) return <ErrorNotice error={error} />;
  if (data.letters.length === 0) return null;
  return (
    <section aria-label={t('letters.title')}>
      <h3 className="why-head">
        {t('letters.title')} ({number(data.count)})
      </h3>
      <p className="soft">{t('letters.choose')}</p>
      <ul className="list letters">
        {data.letters.slice(0, 200).map((letter) => (
          <li key={letter.id} style={{ display: 'block' }}>
            <button
              type="button"
              className="plain grow"
              aria-expanded={open === letter.id}
              onClick={() => setOpen(open === letter.id ? '' : letter.id)}
            >
              <Badge tone={TONES[letter.status]}>{t(`letters.is.${letter.status}`)}</Badge>{' '}
              <span className="mono">{clipped(letter.position, 80)}</span>{' '}
              <span className="soft">{at(letter.refused_ms)}</span>
              <br />
              <span className="soft">{clipped(letter.reason, 120)}</span>
            </button>
            {open === letter.id && <Mend id={letter.id} />}
          </li>
        ))}
      </ul>
    </section>
  );
}
