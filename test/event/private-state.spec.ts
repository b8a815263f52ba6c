import { describe, expect, it } from '@jest/globals';
import type { Class } from '../../src/event/class-type.js';
import { hasPrivateFields } from '../../src/event/private-state.js';

/** A class with this source, which may hold what this version of JavaScript does not read yet. */
function classWith(source: string): Class {
  return Object.assign(class {}, { toString: () => source });
}

describe('private fields', () => {
  it.each([
    'class A { #a; }',
    'class A { #a }',
    'class A{#a}',
    'class A{#a;#b=1}',
    'class A{x=1;#b=1}',
    'class A{m(){}#b=1}',
    'class A { #a = 0; }',
    'class A { #a /* why */ = 0; }',
    'class A {\n  #a\n  m() {}\n}',
    'class A {\n  x = 1\n  #a\n}',
    'class A {\n  x = b\n  #a = this.x\n}',
    'class A { static x = 1; #a; }',
    'class A { static { this.x = 1; } #a; }',
    'class A { #größe = 1; }',
    'class A { #$ = 1; #_ = 2; }',
    'class A { #constructor; }',
    'class A { toString() { return ""; } constructor() {} #a = 1; }',
    'class A extends mixin({ a: 1 }) { #a = 1; }',
    'class A extends (class { b = 1; }) { #a = 1; }',
    'class extends B { #a; }',
    'class A { m() { return "}"; } #a; }',
    "class A { m() { return '{'; } #a; }",
    'class A { m() { return `}${`{${"}"}`}`; } #a; }',
    'class A { a = `${1}}`; #a; }',
    'class A { m() { return /[/}]{/.test("") ? 1 / 2 : 3 / 4; } #a; }',
    'class A { m(a) { if (a) /}/.test(a); } #a; }',
    'class A { m(a) { return a++ / (2) / (3); } #a; }',
    'class A { m(a) { return (a) / 2; /* } */ } #a; }',
    'class A { /** }; */ #a; }',
    'class A { // }\n #a; }',
    'class A { accessor a = 1; }',
    'class A{accessor a}',
    'class A { m() {} accessor a; }',
    'class A { accessor #a = 1; }',
    'class A { accessor "a" = 1; }',
    'class A { accessor [name] = 1; }',
    'class A {\n  x = 1\n  accessor a\n}',
    // Of a class inside of it, which says nothing of this one: better refused than lost.
    'class A { m() { return class { #a = 1; }; } }',
  ])('are in %j', (source) => {
    expect(hasPrivateFields(classWith(source))).toBe(true);
  });

  it.each([
    'class A {}',
    'class A { a = 1; }',
    'class Paint { /** CSS colour, such as #fff; may be empty. */ color; }',
    'class A { // an accessor for each\n a; }',
    'class A { // #a = 1;\n b; }',
    'class A { /* { */ /* ; #a; */ b; }',
    'class A { color = "; #fff;"; }',
    "class A { color = '\\'; #fff;'; }",
    'class A { color = `; #fff; ${ "; #fff;" } #fff; `; }',
    'class A { link = /; #a;/; }',
    'class A { m() { return / #a;[/]/g.test(" #b;"); } }',
    'class A { m() { const accessor = 1; return { accessor }; } }',
    'class A { accessor; }',
    'class A { accessor = 1; }',
    'class A { accessor() {} }',
    'class A { get accessor() { return 1; } }',
    'class A {\n  accessor\n  other = 1\n}',
    'class A { other = accessor[0]; }',
    'class A { other = accessor in x; }',
    'class A { other = accessor instanceof B; }',
    'class A { #a() {} }',
    'class A { get #a() { return 1; } set #a(a) {} }',
    'class A { async #a() {} *#b() {} async *#c() {} }',
    'class A { #a /* why */ () {} b = this.#a(); }',
    'class A { #a() {} b = this.#a; c = this?.#a; d = #a in this; }',
    'class A { #a() {} m() { return { a: #a in this }; } }',
    'class A { static #a = 1; static accessor b = 2; }',
    'function A() { /* #a; */ }',
    'function A() { [native code] }',
  ])('are not in %j', (source) => {
    expect(hasPrivateFields(classWith(source))).toBe(false);
  });

  it('are also those of a class above', () => {
    class Above {
      readonly #a = 1;

      get a(): number {
        return this.#a;
      }
    }
    class Below extends Above {}
    class Beside {
      // Written like #a; in a text.
      readonly text = '; #a;';
    }
    expect([Above, Below, Beside].map(hasPrivateFields)).toEqual([true, true, false]);
  });
});
