// Approving and rejecting: what somebody said on a decision, and the buttons to say it.
import { Button, Group, TextInput } from '@mantine/core';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useMayAct, useReview, type Verdict } from '@/api/acts';
import { useRows, useViews } from '@/api/hooks';
import { useMoment } from '@/api/moment';
import type { Row } from '@/api/types';
import { clipped, text, timeOf } from './format';
import { ErrorNotice } from './Notice';

const STATUS: Record<string, string> = { approve: 'approved', reject: 'rejected' };
const FURTHER = new Set(['applied', 'expired']);

/** Decisions as they stand: what a pack proposes, and what somebody has said on it since. */
export function withReviews(rows: Row[], reviews: Row[]): Row[] {
  if (reviews.length === 0) return rows;
  const by = new Map(reviews.map((row) => [row.decision_id, row]));
  return rows.map((row) => {
    const said = by.get(row.decision_id ?? null);
    if (!said) return row;
    const status = FURTHER.has(text(row.status)) ? row.status : STATUS[text(said.verdict)];
    return {
      ...row,
      status: status ?? row.status ?? null,
      reviewed_by: said.actor ?? null,
      reviewed_at: said.reviewed_at ?? null,
      review_note: said.note ?? null,
    };
  });
}

export function useReviewed(rows: Row[]): Row[] {
  const reviews = useRows('decision_reviewed');
  return useMemo(() => withReviews(rows, reviews), [rows, reviews]);
}

export function Review({ row }: { row: Row }) {
  const { t } = useTranslation();
  const views = useViews();
  const may = useMayAct();
  const held = useMoment() !== null;
  const review = useReview();
  const [note, setNote] = useState('');
  // What a pack proposes the journal may have applied already, without asking anybody.
  const kept = useRows('decision_state', { decision_id: `eq.${text(row.decision_id)}` })[0];
  if (row.status === 'proposed' && kept && kept.status !== 'proposed' && !kept.reviewed_by)
    return (
      <p className="soft">
        {t('review.kept', {
          status: t(`status.${text(kept.status)}`, { defaultValue: text(kept.status) }),
        })}
      </p>
    );
  if (row.reviewed_by)
    return (
      <div className="notice" data-testid="reviewed">
        <div>
          <strong>
            {t('review.said', {
              status: t(`status.${text(row.status)}`, { defaultValue: text(row.status) }),
              actor: clipped(text(row.reviewed_by), 80),
              at: timeOf(row.reviewed_at),
            })}
          </strong>
          {row.review_note && <div>{clipped(text(row.review_note), 1000)}</div>}
        </div>
      </div>
    );
  if (row.status !== 'proposed') return null;
  if (views && !views.has('decision_reviewed')) return <p className="soft">{t('review.pack')}</p>;
  if (!may) return <p className="soft">{t('review.mayNot')}</p>;
  const say = (verdict: Verdict) => review.mutate({ id: text(row.decision_id), verdict, note });
  const busy = review.isPending || review.isSuccess || held;
  return (
    <div style={{ margin: '0 0 16px' }}>
      <TextInput
        size="xs"
        label={t('review.note')}
        value={note}
        maxLength={1000}
        onChange={(event) => setNote(event.currentTarget.value)}
      />
      <Group gap={8} mt={8}>
        <Button
          size="xs"
          color="teal.9"
          autoContrast
          disabled={busy}
          onClick={() => say('approve')}
        >
          {t('review.approve')}
        </Button>
        <Button size="xs" variant="default" disabled={busy} onClick={() => say('reject')}>
          {t('review.reject')}
        </Button>
      </Group>
      <ErrorNotice error={review.error} />
    </div>
  );
}
