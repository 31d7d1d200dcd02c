// The answer of a question as a changelog: what each step took away and added, the newest on top.
import { Button } from '@mantine/core';
import { IconPlayerPause, IconPlayerPlay } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useMoment } from '@/api/moment';
import { useExplained } from '@/api/project';
import type { Row } from '@/api/types';
import { DataTable, type TableColumn } from '@/components/DataTable';
import { number, text } from '@/components/format';
import { ErrorNotice } from '@/components/Notice';
import { Badge } from '@/components/Panel';
import { columnsOf } from './Answer';
import { KEPT_MAX, useChangelog, type Op } from './changelog';

const TONES: Record<Op, string> = { '+I': 'good', '+U': 'accent', '-U': '', '-D': 'bad' };
// Columns of the log itself; those of the answer may have any name.
const OP = ' op';
const STEP = ' step';
const ID = ' id';

export function Changes({ query }: { query: string }) {
  const { t } = useTranslation();
  const held = useMoment() !== null;
  const [isOn, setOn] = useState(true);
  // Which columns are a key tells an update from a row that goes and another that comes.
  const explained = useExplained(query);
  const log = useChangelog(query, explained.data?.steps[0]?.key ?? [], isOn && !held);
  const rows = useMemo(
    () =>
      log.changes.map(({ id, op, step, row }): Row => ({
        ...row,
        [ID]: id,
        [OP]: op,
        [STEP]: step,
      })),
    [log.changes],
  );
  const columns = useMemo<TableColumn[]>(
    () => [
      {
        id: OP,
        header: t('sql.op'),
        width: '70px',
        value: (row) => row[OP],
        cell: (row) => <Badge tone={TONES[row[OP] as Op]}>{text(row[OP])}</Badge>,
      },
      {
        id: STEP,
        header: t('sql.step'),
        width: '100px',
        numeric: true,
        value: (row) => row[STEP],
        cell: (row) => number(row[STEP]),
      },
      ...columnsOf(log.columns),
    ],
    [log.columns, t],
  );
  return (
    <div className="panel" data-testid="changes">
      <ErrorNotice error={log.error} />
      <DataTable
        name="changes"
        label={t('sql.changes')}
        columns={columns}
        rows={rows}
        rowKey={(row) => text(row[ID])}
        height="calc(100vh - 430px)"
        loading={log.rows === null && !log.error}
        empty={t(held ? 'sql.changesHeld' : 'sql.noChanges')}
        tools={
          <>
            <Button
              size="xs"
              variant="default"
              disabled={held}
              leftSection={isOn ? <IconPlayerPause size={14} /> : <IconPlayerPlay size={14} />}
              onClick={() => setOn(!isOn)}
            >
              {t(isOn ? 'sql.pause' : 'sql.goOn')}
            </Button>
            <span className="soft" data-testid="followed">
              {log.rows !== null &&
                t(log.isWhole ? 'sql.followsView' : 'sql.followsQuestion', {
                  rows: number(log.rows),
                  step: number(log.step),
                })}
              {log.changes.length >= KEPT_MAX && ` · ${t('sql.kept', { rows: number(KEPT_MAX) })}`}
            </span>
          </>
        }
      />
    </div>
  );
}
