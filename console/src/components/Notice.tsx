// What went wrong and what to do; and what is missing, and how to get it.
import { Button, Code } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { ApiError, LostError, type Problem } from '@/api/problem';
import { hold, useMoment } from '@/api/moment';
import { clipped } from './format';

export function ProblemNotice({ problem }: { problem: Problem }) {
  const { t } = useTranslation();
  const held = useMoment() !== null;
  return (
    <div className="notice bad" role="alert">
      <div>
        <strong>{clipped(problem.detail, 600)}</strong>
        {problem.hint && <div>{clipped(problem.hint, 600)}</div>}
      </div>
      {problem.status === 410 && held && (
        <Button size="xs" variant="default" onClick={() => hold(null)}>
          {t('moment.release')}
        </Button>
      )}
    </div>
  );
}

export function ErrorNotice({ error }: { error: unknown }) {
  const { t } = useTranslation();
  if (!error || error instanceof LostError) return null;
  if (error instanceof ApiError) return <ProblemNotice problem={error.problem} />;
  const detail = error instanceof Error ? error.message : String(error);
  return <ProblemNotice problem={{ status: 0, title: t('problem.page'), detail }} />;
}

/** A screen whose views the project does not have says which pack brings them. */
export function NeedsPack({ pack, what }: { pack: string; what: string }) {
  const { t } = useTranslation();
  return (
    <div className="panel">
      <div className="empty">
        <strong>{t('empty.title', { what })}</strong>
        <p>{t('empty.pack', { pack })}</p>
        <Code block style={{ textAlign: 'left' }}>
          {`# rialto.toml\ninclude = [\n  "packs/model/sql", …,\n  "packs/${pack}/sql",\n]`}
        </Code>
        <p>{t('empty.docs', { pack })}</p>
      </div>
    </div>
  );
}

export function Nothing({ children }: { children: string }) {
  return (
    <p className="soft" style={{ padding: '4px 14px 14px', margin: 0 }}>
      {children}
    </p>
  );
}
