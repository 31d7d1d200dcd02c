// The tables and views that a view, or one of its columns, comes from.
import { Handle, Position, type Edge, type Node, type NodeProps } from '@xyflow/react';
import { createContext, useContext } from 'react';
import { useTranslation } from 'react-i18next';
import { Flow, useShowFocused } from '@/components/Flow';
import { usePlaces } from '@/components/placed';
import type { LineageBox, Traced } from './trace';
import './lineage.css';

const WIDTH = 230;
const HEAD = 50;
const LINE = 24;
const ALL = '*';

type BoxNode = Node<{ box: LineageBox; column: string }, 'relation'>;
const ChooseContext = createContext<(view: string, column: string) => void>(() => {});

const heightOf = (box: LineageBox) =>
  HEAD + (box.columns.length > 0 ? box.columns.length * LINE + 8 : 0);
/** Where the lines of a column meet its box. */
const heightAt = (box: LineageBox, column: string) => {
  const at = box.columns.indexOf(column);
  return at < 0 ? HEAD / 2 : HEAD + at * LINE + LINE / 2;
};

function BoxView({ data: { box, column } }: NodeProps<BoxNode>) {
  const { t } = useTranslation();
  const choose = useContext(ChooseContext);
  const showFocused = useShowFocused(box.name);
  const ends = [ALL, ...box.columns];
  return (
    <div className={`relation ${box.kind.replace(' ', '-')}`} onFocus={showFocused}>
      {ends.map((end) => (
        <Handle
          key={`to ${end}`}
          id={end}
          type="target"
          position={Position.Left}
          style={{ top: heightAt(box, end) }}
          isConnectable={false}
        />
      ))}
      <button type="button" className="plain name" onClick={() => choose(box.name, '')}>
        <strong className="clip">{box.name}</strong>
        <span className="soft">{t(`lineage.kind.${box.kind}`)}</span>
      </button>
      {box.columns.map((one) => (
        <button
          key={one}
          type="button"
          className="plain column clip"
          aria-pressed={box.isRoot && one === column}
          onClick={() => choose(box.name, one)}
        >
          {one}
        </button>
      ))}
      {ends.map((end) => (
        <Handle
          key={`from ${end}`}
          id={end}
          type="source"
          position={Position.Right}
          style={{ top: heightAt(box, end) }}
          isConnectable={false}
        />
      ))}
    </div>
  );
}
const types = { relation: BoxView };

const handlesOf = (box: LineageBox) =>
  [ALL, ...box.columns].flatMap((id) => [
    { id, type: 'target' as const, position: Position.Left, x: 0, y: heightAt(box, id) },
    { id, type: 'source' as const, position: Position.Right, x: WIDTH, y: heightAt(box, id) },
  ]);

interface Props {
  traced: Traced;
  view: string;
  column: string;
  choose: (view: string, column: string) => void;
}
export function LineageGraph({ traced, view, column, choose }: Props) {
  const { t } = useTranslation();
  const { boxes, lines } = traced;
  const sized = boxes.map((box) => ({ id: box.name, width: WIDTH, height: heightOf(box) }));
  const between = new Map(lines.map(({ from, to }) => [`${from}>${to}`, [from, to] as const]));
  const { places, isNow, shape } = usePlaces(
    sized,
    [...between.values()].map(([from, to]): [string, string] => [from, to]),
    { gap: 70 },
  );
  if (!places || !isNow) return <p className="soft">{t('table.loading')}</p>;
  const nodes = boxes.map((box): BoxNode => ({
    id: box.name,
    type: 'relation',
    data: { box, column },
    position: places.get(box.name) ?? { x: 0, y: 0 },
    width: WIDTH,
    height: heightOf(box),
    handles: handlesOf(box),
  }));
  const edges = lines.map(({ from, to, columns }): Edge => ({
    id: JSON.stringify([from, to, columns]),
    source: from,
    target: to,
    sourceHandle: columns?.[0] ?? ALL,
    targetHandle: columns?.[1] ?? ALL,
    style: { stroke: columns ? 'var(--accent)' : 'var(--line-strong)' },
  }));
  return (
    <div className="lineage" data-testid="lineage">
      <ChooseContext.Provider value={choose}>
        <Flow
          nodes={nodes}
          edges={edges}
          types={types}
          shape={shape}
          label={t('lineage.graph')}
          minZoom={0.1}
          // A graph of dozens is read from the view on; as a whole it is a picture, not a text.
          fitZoom={0.6}
          shown={view}
        />
      </ChooseContext.Provider>
    </div>
  );
}
