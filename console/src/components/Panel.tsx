// The boxes that every screen is made of: a titled panel, a page's head, a row of figures.
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { clockOf } from './format';

export function PageHead(props: { title: string; note?: ReactNode; children?: ReactNode }) {
  return (
    <div className="page-head">
      <div>
        <h1 className="page-title">{props.title}</h1>
        {props.note && <p className="page-note">{props.note}</p>}
      </div>
      {props.children}
    </div>
  );
}

/** As of when figures are that are not of a step. */
export function AsOf({ ms }: { ms: number }) {
  const { t } = useTranslation();
  return <span className="soft">{t('moment.asOf', { time: clockOf(ms / 1000) })}</span>;
}

interface PanelProps {
  title: string;
  span?: 3 | 4 | 5 | 6 | 7 | 8 | 9 | 12;
  end?: ReactNode;
  flush?: boolean;
  children: ReactNode;
}

export function Panel({ title, span = 12, end, flush = false, children }: PanelProps) {
  return (
    <section className={`panel span-${span}`} aria-label={title}>
      <header>
        <h2>{title}</h2>
        {end && <div className="end">{end}</div>}
      </header>
      <div className={flush ? 'body flush' : 'body'}>{children}</div>
    </section>
  );
}

export interface FigureProps {
  label: string;
  value: ReactNode;
  under?: ReactNode;
  tone?: 'good' | 'bad' | 'care' | '';
}

export function Figures({ figures }: { figures: FigureProps[] }) {
  return (
    <dl className="figures" style={{ margin: '0 0 16px' }}>
      {figures.map(({ label, value, under, tone = '' }) => (
        <div className="figure" key={label}>
          <dt>{label}</dt>
          <dd className={`value ${tone}`}>{value}</dd>
          <dd className="under">{under}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Badge(props: { tone?: string; children: ReactNode }) {
  return <span className={`badge ${props.tone ?? ''}`}>{props.children}</span>;
}

/** A share of something, and where it should be by now. */
export function Meter(props: { share: number; mark?: number | null; label: string }) {
  const share = Math.max(0, Math.min(1, props.share));
  return (
    <div className="meter" role="img" aria-label={props.label}>
      <i style={{ width: `${share * 100}%` }} />
      {props.mark != null && props.mark > 0 && props.mark < 1 && (
        <b style={{ left: `${props.mark * 100}%` }} />
      )}
    </div>
  );
}
