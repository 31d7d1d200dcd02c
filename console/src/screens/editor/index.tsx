// The visual editor: a pipeline as a graph and as SQL, each made from the other. The text is what
// counts; the graph is read from it after every change.
import { Button } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { useCallback, useEffect, useMemo, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { useViews } from '@/api/hooks';
import { useProject } from '@/api/project';
import { download } from '@/components/csv';
import { PageHead, Panel } from '@/components/Panel';
import { useUrlState } from '@/components/urlState';
import { openEditor, type Editor as Pane } from '@/screens/sql/editor';
import { Canvas } from './Canvas';
import { addDecision, addSink, addSource, addStep, type Added } from './add';
import { removeNode } from './edit';
import { columnName, graphOf, selectAt, type GraphNode, type Place } from './graph';
import { useHistory } from './history';
import { Inspector } from './Inspector';
import { pipelineText, type Pipeline } from './model';
import { Palette } from './Palette';
import { parsePipeline } from './parse';
import { Sample } from './Sample';
import { commaParts, plainName } from './tokens';

/** The text beside the graph, in the same editor as questions are written in. */
function Text({ text, set }: { text: string; set: (text: string, by: 'typing') => void }) {
  const { t } = useTranslation();
  const views = useViews();
  const box = useRef<HTMLDivElement>(null);
  const pane = useRef<Pane | null>(null);
  const shown = useRef(text);
  useEffect(() => {
    if (!box.current) return;
    const made = openEditor(box.current, shown.current, t('editor.text'), t('editor.hint'), {
      run: () => {},
      change: (now) => {
        if (now === shown.current) return;
        shown.current = now;
        set(now, 'typing');
      },
    });
    pane.current = made;
    return () => made.view.destroy();
  }, [t, set]);
  useEffect(() => pane.current?.know([...(views?.values() ?? [])]), [views, t]);
  useEffect(() => {
    const view = pane.current?.view;
    if (!view || text === shown.current) return;
    shown.current = text;
    view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
  }, [text]);
  return <div ref={box} className="editor" data-testid="pipeline" style={{ height: 260 }} />;
}

/** The node that stands at a place. */
const nodeAt = (nodes: GraphNode[], place: Place) =>
  nodes.find(
    ({ place: own }) =>
      own?.statement === place.statement &&
      own.part === place.part &&
      own.path.join() === place.path.join() &&
      (own.join ?? 0) === (place.join ?? 0),
  );

/** What a node gives as something that a FROM can name: itself, or the view that it is part of. */
function nameOf(pipeline: Pipeline, node: GraphNode): string | null {
  if (!node.place) return node.title;
  const statement = pipeline.statements[node.place.statement];
  return statement?.is === 'insert' || !statement?.name ? null : plainName(statement.name);
}

function useDrawing() {
  const history = useHistory();
  const { text, set } = history;
  const pipeline = useMemo(() => parsePipeline(text), [text]);
  const graph = useMemo(() => graphOf(pipeline), [pipeline]);
  const [chosenId, choose] = useUrlState('node');
  const chosen = graph.nodes.find((node) => node.id === chosenId) ?? null;
  const change = useCallback((next: Pipeline) => set(pipelineText(next)), [set]);
  const added = ({ pipeline: next, place }: Added) => {
    const after = pipelineText(next);
    set(after);
    const made = nodeAt(graphOf(parsePipeline(after)).nodes, place);
    choose(made?.id ?? '');
  };
  return { history, pipeline, graph, chosen, choose, change, added };
}

/** Undo and redo by keyboard, wherever the focus is: a box that was drawn anew has lost it. */
function useUndoKeys(undo: () => void, redo: () => void) {
  useEffect(() => {
    const keys = (event: KeyboardEvent) => {
      const from = event.target as HTMLElement;
      // What is written in undoes what was written there.
      if (from.closest('input, textarea, .cm-editor') !== null) return;
      const key = event.key.toLowerCase();
      if (!(event.ctrlKey || event.metaKey) || (key !== 'z' && key !== 'y')) return;
      event.preventDefault();
      if (key === 'y' || event.shiftKey) redo();
      else undo();
    };
    document.addEventListener('keydown', keys);
    return () => document.removeEventListener('keydown', keys);
  }, [undo, redo]);
}

export function VisualEditor() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const project = useProject();
  const { history, pipeline, graph, chosen, choose, change, added } = useDrawing();
  useUndoKeys(history.undo, history.redo);
  const relations = useMemo(() => {
    const own = pipeline.statements.flatMap((one) => (one.is === 'insert' ? [] : (one.name ?? [])));
    const known = (project.data?.relations ?? []).map((one) => one.name);
    return [...new Set([...own, ...known])].filter((name) => name !== '').sort();
  }, [pipeline, project.data]);
  const sinks = (project.data?.relations ?? []).filter((one) => one.kind === 'table');
  const declared = (name: string) => project.data?.relations.find((one) => one.name === name);
  /** The columns that a node's view has, as far as its text or the project tells. */
  const columnsOf = (node: GraphNode): string[] => {
    const select = node.place && selectAt(pipeline, node.place);
    const named = select ? commaParts(select.items.body).map(columnName).filter(Boolean) : [];
    if (named.length > 0) return named;
    const item = select?.from.item;
    const from = item?.is === 'relation' ? item.name : node.title;
    return (declared(from)?.columns ?? []).map((column) => column.name);
  };
  const remove = (id: string) => {
    const node = graph.nodes.find((one) => one.id === id);
    if (node) change(removeNode(pipeline, node));
  };
  const over = () => {
    const place = chosen?.place ?? null;
    const statement = place ? pipeline.statements[place.statement] : null;
    const name = chosen && (place ? (statement?.name ?? null) : chosen.title);
    if (!chosen || !name || statement?.is === 'insert') return null;
    // A step behind a node in the middle would come before what follows it: it becomes a view.
    return { name: plainName(name), place, isLast: place?.path.length === 0 };
  };
  return (
    <>
      <PageHead title={t('nav.editor')} note={t('editor.note')}>
        <div style={{ display: 'flex', gap: 8 }}>
          <Button
            size="xs"
            variant="default"
            disabled={history.text.trim() === ''}
            onClick={() =>
              download('pipeline.sql', new Blob([history.text], { type: 'application/sql' }))
            }
          >
            {t('editor.download')}
          </Button>
          {history.text.trim() !== '' && (
            <Button
              size="xs"
              variant="default"
              onClick={() => {
                history.set('');
                void navigate({ to: '/editor' });
              }}
            >
              {t('editor.clear')}
            </Button>
          )}
        </div>
      </PageHead>
      <div className="grid">
        <section className="panel span-9" aria-label={t('editor.graph')}>
          <Palette
            relations={relations}
            sinks={sinks.map((one) => one.name)}
            hasChosen={over() !== null}
            addSource={(name) => added(addSource(pipeline, name))}
            addSink={(name) => {
              const from = over();
              if (from) added(addSink(pipeline, from.name, name));
            }}
            addDecision={() => {
              const from = over();
              if (from && chosen) added(addDecision(pipeline, from.name, columnsOf(chosen)));
            }}
            add={(kind) => {
              const from = over();
              if (!from || !chosen) return;
              const columns = declared(from.name)?.columns ?? [];
              const time = columns.find((column) => /^TIMESTAMP/.test(column.type))?.name;
              const other = relations.find((name) => name !== from.name);
              const key = columnsOf(chosen)[0];
              added(addStep(pipeline, from, kind, { time, other, key }));
            }}
            undo={history.canUndo ? history.undo : null}
            redo={history.canRedo ? history.redo : null}
          />
          <div className="drawing" data-testid="graph">
            {graph.nodes.length === 0 ? (
              <div className="empty">
                <strong>{t('editor.teach')}</strong>
                {t('editor.teachMore')}
              </div>
            ) : (
              <Canvas
                graph={graph}
                chosen={chosen?.id ?? ''}
                choose={choose}
                remove={remove}
                connect={(from, to) => {
                  const [one, other] = [from, to].map((id) => {
                    const node = graph.nodes.find((own) => own.id === id);
                    return node ? nameOf(pipeline, node) : null;
                  });
                  if (!one || !other || one === other) return;
                  const left = { name: one, place: null, isLast: false };
                  added(addStep(pipeline, left, 'join', { other }));
                }}
              />
            )}
          </div>
        </section>
        <Panel
          title={chosen ? t(`editor.kind.${chosen.kind}`) : t('editor.step')}
          span={3}
          end={chosen?.title}
        >
          {chosen ? (
            <Inspector
              key={chosen.id}
              pipeline={pipeline}
              node={chosen}
              relations={relations}
              change={change}
            />
          ) : (
            <p className="soft">{t('editor.choose')}</p>
          )}
        </Panel>
        <section className="panel span-12" aria-label={t('editor.text')}>
          <Text text={history.text} set={history.set} />
        </section>
        {chosen && <Sample pipeline={pipeline} node={chosen} />}
      </div>
    </>
  );
}
