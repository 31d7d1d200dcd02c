// CodeMirror for SQL: completion from the catalogue, the console's colours, Ctrl-Enter runs.
import { autocompletion, closeBrackets, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { sql, StandardSQL } from '@codemirror/lang-sql';
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { Compartment, EditorState, Prec } from '@codemirror/state';
import { drawSelection, EditorView, keymap, lineNumbers, placeholder } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import type { ViewInfo } from '@/api/types';

const look = EditorView.theme({
  '&': { fontSize: '13px', backgroundColor: 'var(--panel)', color: 'var(--ink)', height: '100%' },
  '.cm-content': {
    fontFamily: 'var(--mantine-font-family-monospace)',
    padding: '10px 0',
    caretColor: 'var(--ink)',
  },
  '.cm-gutters': { backgroundColor: 'var(--panel)', color: 'var(--soft)', border: 'none' },
  '&.cm-focused': { outline: 'none' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'var(--accent-wash) !important',
  },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '.cm-tooltip': {
    backgroundColor: 'var(--panel)',
    border: '1px solid var(--line-strong)',
    borderRadius: '6px',
  },
  '.cm-tooltip-autocomplete ul li[aria-selected]': {
    backgroundColor: 'var(--accent-wash)',
    color: 'var(--ink)',
  },
});
const colours = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--accent)', fontWeight: '600' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--good)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--care)' },
  { tag: tags.comment, color: 'var(--soft)', fontStyle: 'italic' },
]);

const language = new Compartment();
const languageOf = (views: ViewInfo[]) => {
  const schema = Object.fromEntries(
    views.map((view) => [view.name, view.columns.map((column) => column.name)]),
  );
  return sql({ dialect: StandardSQL, upperCaseKeywords: true, schema });
};

export interface Editor {
  view: EditorView;
  know: (views: ViewInfo[]) => void;
}

export function openEditor(
  parent: HTMLElement,
  text: string,
  label: string,
  hint: string,
  events: { run: () => void; change: (text: string) => void },
): Editor {
  const run = () => (events.run(), true);
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        Prec.highest(keymap.of([{ key: 'Mod-Enter', run }])),
        lineNumbers(),
        history(),
        drawSelection(),
        bracketMatching(),
        closeBrackets(),
        autocompletion(),
        keymap.of([...completionKeymap, ...defaultKeymap, ...historyKeymap]),
        placeholder(hint),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-label': label }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) events.change(update.state.doc.toString());
        }),
        syntaxHighlighting(colours),
        look,
        language.of(languageOf([])),
      ],
    }),
  });
  return {
    view,
    know: (views) => view.dispatch({ effects: language.reconfigure(languageOf(views)) }),
  };
}
