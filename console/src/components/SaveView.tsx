// Saving a query as a view of the project: its name, what became of it, and going on with it.
import { Button, Modal, TextInput } from '@mantine/core';
import { IconDeviceFloppy } from '@tabler/icons-react';
import { useState, type FormEvent, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { useMayAct } from '@/api/acts';
import { useRestart, useSaveView, type Restart, type Saved } from '@/api/project';
import { ErrorNotice } from './Notice';

/** The job goes on with the project as it is now, at once or when somebody runs it again. */
export function RestartNow({ restart }: { restart: Restart }) {
  const { t } = useTranslation();
  const again = useRestart();
  if (!restart.possible) {
    return <p className="soft">{t('save.later', { reason: restart.reason ?? '' })}</p>;
  }
  return (
    <>
      <p className="soft">{t('save.now')}</p>
      <ErrorNotice error={again.error} />
      {again.isSuccess ? (
        <p role="status">{t('save.restarting')}</p>
      ) : (
        <Button
          size="xs"
          variant="default"
          loading={again.isPending}
          onClick={() => again.mutate()}
        >
          {t('save.restart')}
        </Button>
      )}
    </>
  );
}

interface FormProps {
  query: string;
  name: string;
  close: () => void;
  /** What more is said of the view once it is saved. */
  then?: (saved: Saved) => ReactNode;
}
export function SaveForm({ query, name, close, then }: FormProps) {
  const { t } = useTranslation();
  const [said, setSaid] = useState(name);
  const [comment, setComment] = useState('');
  const save = useSaveView();
  const send = (event: FormEvent) => {
    event.preventDefault();
    save.mutate({ name: said, query, comment: comment.trim() || null });
  };
  if (save.data) {
    return (
      <div data-testid="saved">
        <p role="status">
          <strong>{t('save.saved', { name: save.data.name })}</strong>
        </p>
        <p className="mono">{save.data.file}</p>
        <RestartNow restart={save.data.restart} />
        {then?.(save.data)}
        <Button size="xs" mt={10} variant="subtle" onClick={close}>
          {t('why.close')}
        </Button>
      </div>
    );
  }
  return (
    <form onSubmit={send}>
      <TextInput
        size="xs"
        data-autofocus
        required
        label={t('save.name')}
        description={t('save.nameMeans')}
        value={said}
        onChange={(event) => setSaid(event.currentTarget.value)}
      />
      <TextInput
        size="xs"
        mt={8}
        label={t('save.comment')}
        value={comment}
        onChange={(event) => setComment(event.currentTarget.value)}
      />
      <div style={{ marginTop: 10 }}>
        <ErrorNotice error={save.error} />
      </div>
      <Button size="xs" mt={10} type="submit" color="lagoon.6" loading={save.isPending}>
        {t('save.save')}
      </Button>
    </form>
  );
}

/** A button that saves what `query` answers; null: there is nothing that can be saved. */
export function SaveView({ query, name = '' }: { query: () => string | null; name?: string }) {
  const { t } = useTranslation();
  const may = useMayAct();
  const [asked, setAsked] = useState<string | null>(null);
  return (
    <>
      <Button
        size="xs"
        variant="default"
        leftSection={<IconDeviceFloppy size={14} />}
        disabled={!may}
        title={may ? undefined : t('save.mayNot')}
        onClick={() => setAsked(query())}
      >
        {t('save.asView')}
      </Button>
      <Modal
        opened={asked !== null}
        onClose={() => setAsked(null)}
        title={t('save.asView')}
        closeButtonProps={{ 'aria-label': t('why.close') }}
        transitionProps={{ duration: 0 }}
      >
        {asked !== null && <SaveForm query={asked} name={name} close={() => setAsked(null)} />}
      </Modal>
    </>
  );
}
