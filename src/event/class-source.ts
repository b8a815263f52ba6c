/** A name, a sign or a literal that stands in the body of a class itself, and not in a method or a value. */
export interface MemberToken {
  readonly text: string;
  readonly onNewLine: boolean;
}

/** What all literals look like: their contents are no code. */
const LITERAL = '""';

const BLANK = /(?:\s+|\/\/.*|\/\*[^]*?\*\/)+/uy;
const TOKEN =
  /"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])*'|#?[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*|\d[\w.]*|\+\+|--|\?\.|[^]/uy;
const TEMPLATE = /(?:\\[^]|\$(?!\{)|[^`$\\])*(?:`|\$\{)/uy;
const REGEX = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/[\\\n])+\/\w*/uy;

/** Behind a value `/` divides; behind these words, and all other signs, it begins a regular expression. */
const ENDS_VALUE = /^(?:["'`#\p{ID_Start}$_\d)\]]|\+\+|--)/u;
const BEFORE_VALUE = /^(?:return|typeof|case|do|else|in|instanceof|of|new|void|delete|throw|yield|await|extends)$/u;
/** The brackets behind them end no value either. */
const BEFORE_CONDITION = /^(?:if|while|for|with)$/u;

const CLOSING: ReadonlyMap<string, string> = new Map([
  ['(', ')'],
  ['[', ']'],
  ['{', '}'],
  ['${', '}'],
]);

/**
 * What stands in the body of a class itself, by its source, without comments and the contents of literals.
 *
 * @returns undefined for a source whose brackets do not match as they are read here
 */
export function memberTokens(source: string): readonly MemberToken[] | undefined {
  const members: MemberToken[] = [];
  const open: { readonly bracket: string; readonly isCondition: boolean }[] = [];
  let at = 0;
  let previous = '';

  function take(pattern: RegExp): string {
    pattern.lastIndex = at;
    const [found = ''] = pattern.exec(source) ?? [];
    at += found.length;
    return found;
  }

  /** Goes on in a template, up to its end or to the next value in it. */
  function template(): string {
    if (take(TEMPLATE).endsWith('`')) return LITERAL;
    open.push({ bracket: '${', isCondition: false });
    return '${';
  }

  function next(): string {
    const divides = ENDS_VALUE.test(previous) && !BEFORE_VALUE.test(previous);
    const regex = source[at] === '/' && !divides ? take(REGEX) : '';
    if (regex !== '') return LITERAL;
    const token = take(TOKEN);
    if (token === '`') return template();
    return /^["']./u.test(token) ? LITERAL : token;
  }

  for (;;) {
    const onNewLine = take(BLANK).includes('\n');
    if (at >= source.length) return open.length === 0 ? members : undefined;
    const isMember = open.length === 1 && open[0]!.bracket === '{';
    let token = next();
    if (isMember) members.push({ text: token, onNewLine });
    if (CLOSING.has(token) && token !== '${') {
      open.push({ bracket: token, isCondition: BEFORE_CONDITION.test(previous) });
    } else if (/^[)\]}]$/u.test(token)) {
      const opened = open.pop();
      if (!opened || CLOSING.get(opened.bracket) !== token) return undefined;
      if (opened.bracket === '${') token = template();
      else if (opened.isCondition) token = ';';
      else if (open.length === 1 && open[0]!.bracket === '{') members.push({ text: token, onNewLine });
    }
    previous = token;
  }
}
