// A series that moves with every beat: uPlot draws thousands of points without effort.
import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef } from 'react';
import type uPlot from 'uplot';
import { clockOf } from './format';
import { insist } from './insist';
import 'uplot/dist/uPlot.min.css';

/** Less is not drawn as if it were all: a new page begins with a minute to fill. */
const SECONDS_LEAST = 60;

interface Props {
  label: string;
  times: number[];
  values: (number | null)[];
  height?: number;
}

export function FastSeries({ label, times, values, height = 150 }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data = useRef<[number[], (number | null)[]]>([times, values]);
  const scheme = useComputedColorScheme('light');
  data.current = [times, values];
  useEffect(() => {
    let gone = false;
    let watcher: ResizeObserver | undefined;
    void insist(() => import('uplot')).then(({ default: Plot }) => {
      const element = box.current;
      if (gone || !element) return;
      const style = getComputedStyle(document.documentElement);
      const of = (name: string) => style.getPropertyValue(name).trim();
      const axis = {
        stroke: of('--soft'),
        grid: { stroke: of('--line'), width: 1 },
        ticks: { show: false },
        font: '11.5px Inter Variable, sans-serif',
      };
      const options: uPlot.Options = {
        width: element.clientWidth,
        height,
        legend: { show: false },
        // The newest time is written below the right edge, half of it beyond.
        padding: [8, 28, 0, 0],
        cursor: { show: true, drag: { setScale: false } },
        axes: [
          { ...axis, size: 34, space: 90, values: (_, ticks) => ticks.map(clockOf) },
          { ...axis, size: 56 },
        ],
        scales: {
          x: { range: (_, first, last) => [Math.min(first, last - SECONDS_LEAST), last] },
          y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] },
        },
        series: [
          {},
          {
            label,
            stroke: of('--accent'),
            width: 1.5,
            fill: `color-mix(in srgb, ${of('--accent')} 12%, transparent)`,
            points: { show: false },
          },
        ],
      };
      plot.current = new Plot(options, data.current as uPlot.AlignedData, element);
      watcher = new ResizeObserver(() =>
        plot.current?.setSize({ width: element.clientWidth, height }),
      );
      watcher.observe(element);
    });
    return () => {
      gone = true;
      watcher?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [height, label, scheme]);
  useEffect(() => plot.current?.setData([times, values] as uPlot.AlignedData), [times, values]);
  return <div ref={box} role="img" aria-label={label} style={{ height }} />;
}
