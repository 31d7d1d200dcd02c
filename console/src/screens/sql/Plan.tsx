// How a question would be kept right, were it a view: its steps as a graph, from the views and
// tables that it reads to its rows.
import type { Edge, Node, NodeProps } from '@xyflow/react';
import { createContext, useContext, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useExplained, type ExplainedStep } from '@/api/project';
import { clipped } from '@/components/format';
import { BoxEnds, handlesOf } from '@/components/Ends';
import { Flow, useShowFocused } from '@/components/Flow';
import { ErrorNotice } from '@/components/Notice';
import { Badge } from '@/components/Panel';
import { READABLE, usePlaces, useRoom } from '@/components/placed';
import './Plan.css';

const WIDTH = 240;
const HEIGHT = 84;

type StepNode = Node<{ step: ExplainedStep; isChosen: boolean; isUpright: boolean }, 'step'>;
const ChooseContext = createContext<(at: string) => void>(() => {});

/** What a step does, without its name in front. */
export function bodyOf(step: ExplainedStep): string {
  if (step.view !== null) return step.view;
  const inside = step.what.startsWith(`${step.name}(`) && step.what.endsWith(')');
  return inside ? step.what.slice(step.name.length + 1, -1) : '';
}

function StepView({ id, data: { step, isChosen, isUpright } }: NodeProps<StepNode>) {
  const { t } = useTranslation();
  const choose = useContext(ChooseContext);
  const showFocused = useShowFocused(id);
  return (
    <button
      type="button"
      className="plan-step"
      data-kind={step.name}
      aria-pressed={isChosen}
      onFocus={showFocused}
      onClick={() => choose(id)}
    >
      <BoxEnds isUpright={isUpright} hasInto hasOut connects={false} />
      <strong>{t(`plan.step.${step.name}`, { defaultValue: step.name })}</strong>
      <span className="soft">{clipped(bodyOf(step), 160)}</span>
    </button>
  );
}
const types = { step: StepView };

function Chosen({ step }: { step: ExplainedStep }) {
  const { t } = useTranslation();
  return (
    <div className="plan-chosen" data-testid="plan-step">
      <div style={{ display: 'flex', gap: 8, alignItems: 'center', flexWrap: 'wrap' }}>
        <strong>{t(`plan.step.${step.name}`, { defaultValue: step.name })}</strong>
        <Badge tone={step.insert_only ? 'good' : 'accent'}>
          {t(step.insert_only ? 'plan.insertOnly' : 'plan.changes')}
        </Badge>
        {step.key.length > 0 && <Badge>{t('catalogue.key', { key: step.key.join(', ') })}</Badge>}
      </div>
      <p className="mono">{clipped(bodyOf(step) || step.what, 4000)}</p>
      <dl className="pairs">
        <dt>{t('plan.columns')}</dt>
        <dd className="mono">{clipped(step.columns.join(', '), 2000)}</dd>
        <dt>{t('plan.keeps')}</dt>
        <dd>{step.keeps ?? t('plan.nothing')}</dd>
      </dl>
    </div>
  );
}

export function Plan({ query }: { query: string }) {
  const { t } = useTranslation();
  const { data, error } = useExplained(query);
  const [chosen, choose] = useState('0');
  const steps = useMemo(() => data?.steps ?? [], [data]);
  const edges = useMemo(
    () =>
      steps.flatMap((step, at) =>
        [...new Set(step.inputs)].map((input): [string, string] => [String(input), String(at)]),
      ),
    [steps],
  );
  const sized = steps.map((_, at) => ({ id: String(at), width: WIDTH, height: HEIGHT }));
  const { ref, room } = useRoom();
  const { places, bends, height, isUpright, isNow, shape } = usePlaces(sized, edges, {
    gap: 56,
    room,
  });
  if (error) return <ErrorNotice error={error} />;
  if (!data) return <p className="soft">{t('plan.working')}</p>;
  const nodes = steps.map((step, at): StepNode => ({
    id: String(at),
    type: 'step',
    data: { step, isChosen: String(at) === chosen, isUpright },
    position: places?.get(String(at)) ?? { x: 0, y: 0 },
    width: WIDTH,
    height: HEIGHT,
    handles: handlesOf(
      { width: WIDTH, height: HEIGHT },
      { isUpright, hasInto: true, hasOut: true },
    ),
  }));
  const lines = edges.map(([source, target]): Edge => ({
    id: `${source}>${target}`,
    type: 'routed',
    source,
    target,
    data: { bends: bends.get(`${source}>${target}`) ?? [] },
    // Rows that are only added, or rows that are taken back as well.
    style: {
      stroke: steps[Number(source)]?.insert_only ? 'var(--good)' : 'var(--accent)',
      strokeWidth: 1.5,
    },
  }));
  const step = steps[Number(chosen)] ?? steps[0];
  return (
    <div className="panel" data-testid="plan">
      <p className="soft" style={{ padding: '10px 14px 0', margin: 0 }}>
        {t('plan.note', { count: steps.length })} {data.is_cut && t('plan.cut')}
      </p>
      <div className="plan" ref={ref} style={{ height: Math.min(620, Math.max(220, height)) }}>
        {places && isNow ? (
          <ChooseContext.Provider value={choose}>
            <Flow
              nodes={nodes}
              edges={lines}
              types={types}
              shape={shape}
              label={t('plan.graph')}
              minZoom={0.2}
              fitZoom={READABLE}
              shown="0"
              isSlim={isUpright}
            />
          </ChooseContext.Provider>
        ) : (
          <p className="soft">{t('plan.working')}</p>
        )}
      </div>
      {step && <Chosen step={step} />}
    </div>
  );
}
