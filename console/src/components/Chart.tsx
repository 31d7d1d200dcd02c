// The one chart: a picture by ECharts in its frame, told to screen readers.
import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { ChartFrame, type Framed } from './ChartFrame';
import { insist } from './insist';

export interface Palette {
  ink: string;
  soft: string;
  line: string;
  panel: string;
  accent: string;
  series: string[];
}
type Option = Record<string, unknown>;

interface Props extends Omit<Framed, 'picture'> {
  option: (palette: Palette) => Option;
}

const LIGHT = ['#0e7173', '#c28e1d', '#b4432a', '#5b7d9e', '#6d8f4e', '#8a6a92'];
const DARK = ['#63b9b6', '#dfb04e', '#e3937d', '#8fb0d0', '#9cc07c', '#bb9ac3'];

function paletteOf(scheme: 'light' | 'dark'): Palette {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(name).trim();
  return {
    ink: of('--ink'),
    soft: of('--soft'),
    line: of('--line'),
    panel: of('--panel'),
    accent: of('--accent'),
    series: scheme === 'dark' ? DARK : LIGHT,
  };
}

/** What all pictures have in common, so that a screen says only what is its own. */
function dressed(option: Option, palette: Palette, title: string): Option {
  const axis = {
    axisLine: { lineStyle: { color: palette.line } },
    axisTick: { show: false },
    axisLabel: { color: palette.soft, fontSize: 11.5, hideOverlap: true },
    splitLine: { lineStyle: { color: palette.line } },
  };
  const merged = (given: Option): Option => ({
    ...axis,
    ...given,
    axisLabel: { ...axis.axisLabel, ...(given.axisLabel as Option | undefined) },
  });
  const dress = (given: unknown): unknown =>
    Array.isArray(given) ? given.map(dress) : given ? merged(given as Option) : given;
  return {
    animationDuration: 250,
    animationDurationUpdate: 200,
    color: palette.series,
    textStyle: {
      fontFamily: '"Inter Variable", "PingFang SC", "Noto Sans CJK SC", sans-serif',
      color: palette.ink,
    },
    grid: { left: 8, right: 12, top: 34, bottom: 4, containLabel: true },
    tooltip: {
      trigger: 'axis',
      backgroundColor: palette.panel,
      borderColor: palette.line,
      padding: [6, 10],
      textStyle: { color: palette.ink, fontSize: 12.5 },
      extraCssText: 'box-shadow:none',
      renderMode: 'richText',
      confine: true,
    },
    legend: {
      top: 0,
      left: 0,
      itemGap: 20,
      itemWidth: 14,
      itemHeight: 3,
      icon: 'rect',
      textStyle: { color: palette.soft, fontSize: 12 },
    },
    // The title is the frame's: the picture itself has none.
    aria: { enabled: true, label: { general: { withoutTitle: title } } },
    ...option,
    xAxis: dress(option.xAxis),
    yAxis: dress(option.yAxis),
  };
}

function Picture({
  option,
  height,
  title,
}: {
  option: Props['option'];
  height: number;
  title: string;
}) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<{ setOption: (o: Option, how: object) => void } | null>(null);
  const scheme = useComputedColorScheme('light');
  const [ready, setReady] = useState(false);
  useEffect(() => {
    let gone = false;
    let close = () => {};
    void insist(() => import('./echarts')).then(({ init }) => {
      if (gone || !box.current) return;
      const made = init(box.current, undefined, { renderer: 'svg' });
      const watcher = new ResizeObserver(() => made.resize());
      watcher.observe(box.current);
      chart.current = made as unknown as typeof chart.current;
      close = () => (watcher.disconnect(), made.dispose());
      setReady(true);
    });
    return () => {
      gone = true;
      chart.current = null;
      close();
    };
  }, []);
  useEffect(() => {
    const palette = paletteOf(scheme);
    chart.current?.setOption(dressed(option(palette), palette, title), { notMerge: true });
  }, [option, scheme, ready, title]);
  return <div ref={box} style={{ height }} role="img" aria-label={title} />;
}

export function Chart({ option, ...frame }: Props) {
  const { title, height = 260 } = frame;
  return (
    <ChartFrame {...frame} picture={<Picture option={option} height={height} title={title} />} />
  );
}
