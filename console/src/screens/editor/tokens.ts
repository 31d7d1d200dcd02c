// SQL cut into tokens, so that nothing of the text is lost: what stands between two is trivia.
export interface Token {
  kind: 'word' | 'quoted' | 'string' | 'number' | 'sign' | 'broken';
  text: string;
  /** In upper case, for words; else the text. */
  upper: string;
  at: number;
  end: number;
}

const TRIVIA = /(?:\s+|--[^\n]*|\/\*(?!\+)[\s\S]*?\*\/)+/uy;
const KINDS: [Token['kind'], RegExp][] = [
  ['word', /(?:[\p{L}_]|\$\{[^}]*\})(?:[\p{L}\p{N}_$]|\$\{[^}]*\})*/uy],
  ['quoted', /`(?:[^`]|``)*`|"(?:[^"]|"")*"/uy],
  ['string', /'(?:[^']|'')*'/uy],
  ['number', /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+/uy],
  // A hint says something: it is no comment.
  ['sign', /\/\*\+[\s\S]*?\*\/|<>|!=|>=|<=|=>|\|\||::|[^\s\p{L}\p{N}_`"']/uy],
];

/** The tokens of a text. What cannot be one is broken, and the last. */
export function tokensOf(text: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  while (at < text.length) {
    TRIVIA.lastIndex = at;
    const trivia = TRIVIA.exec(text);
    if (trivia) {
      at = TRIVIA.lastIndex;
      continue;
    }
    let token: Token | null = null;
    for (const [kind, form] of KINDS) {
      form.lastIndex = at;
      const match = form.exec(text);
      if (!match) continue;
      const said = match[0];
      const upper = kind === 'word' ? said.toUpperCase() : said;
      token = { kind, text: said, upper, at, end: at + said.length };
      break;
    }
    const isOpen = token?.text === '/' && text[at + 1] === '*';
    if (!token || isOpen) {
      const rest = text.slice(at);
      found.push({ kind: 'broken', text: rest, upper: rest, at, end: text.length });
      return found;
    }
    found.push(token);
    at = token.end;
  }
  return found;
}

/** A name without its quotes. */
export const plainName = (name: string): string =>
  /^`[\s\S]*`$/.test(name) ? name.slice(1, -1).replaceAll('``', '`') : name;

/** A name as SQL takes it. */
export const quotedName = (name: string): string =>
  /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : `\`${name.replaceAll('`', '``')}\``;

/** Whether a text ends within a comment of a line, which would take what follows with it. */
export function endsInComment(text: string): boolean {
  const tokens = tokensOf(text);
  const last = tokens.at(-1);
  return text.slice(last ? last.end : 0).includes('--') && !/\n\s*$/.test(text);
}

/** The parts of a text between commas that are in no parentheses. */
export function commaParts(text: string): string[] {
  const parts: string[] = [];
  let [depth, from] = [0, 0];
  for (const token of tokensOf(text)) {
    if (token.text === '(' || token.text === '[') depth += 1;
    if (token.text === ')' || token.text === ']') depth -= 1;
    if (token.text === ',' && depth === 0) {
      parts.push(text.slice(from, token.at).trim());
      from = token.end;
    }
  }
  parts.push(text.slice(from).trim());
  return parts.filter((part) => part !== '');
}
