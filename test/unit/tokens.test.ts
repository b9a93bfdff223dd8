import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';

const folder = join(import.meta.dirname, '../../ui/public');
const tokens = readFileSync(join(folder, 'tokens.css'), 'utf8');

const TEXT_MIN = 4.5;
const GRAPHIC_MIN = 3;
/** What stands on what in the pages, and the contrast that WCAG 2.2 asks for: 1.4.3 for text, 1.4.11 for the rest. */
const PAIRS: readonly (readonly [least: number, front: string, grounds: readonly string[]])[] = [
  [TEXT_MIN, 'text', ['surface', 'surface-1', 'surface-raised', 'hover', 'selected']],
  [TEXT_MIN, 'text-2', ['surface', 'surface-1', 'surface-2', 'surface-raised', 'hover', 'selected']],
  [TEXT_MIN, 'accent', ['surface', 'surface-1', 'surface-raised', 'accent-soft', 'hover']],
  [TEXT_MIN, 'on-btn', ['btn', 'btn-err']],
  ...['ok', 'warn', 'err', 'idle'].map((tone) => [TEXT_MIN, tone, ['surface', 'hover', `${tone}-soft`]] as const),
  [GRAPHIC_MIN, 'accent-fill', ['surface', 'surface-2']],
  ...['ok', 'warn', 'err', 'idle'].map((tone) => [GRAPHIC_MIN, `${tone}-fill`, ['surface']] as const),
  [GRAPHIC_MIN, 'line-strong', ['surface', 'surface-1']],
];

type Colours = ReadonlyMap<string, string>;

function coloursAfter(selector: string): Map<string, string> {
  const block = tokens.slice(tokens.indexOf(selector)).split('}')[0] ?? '';
  return new Map(
    [...block.matchAll(/--([a-z0-9-]+):\s*(#[0-9a-f]{6})\b/gi)].map(([, name = '', hex = '']) => [name, hex]),
  );
}

/** WCAG 2.2, "relative luminance". */
function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: string, b: string): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

describe('the colours of the pages', () => {
  const light = coloursAfter(':root {');
  const dark = new Map([...light, ...coloursAfter(':root[data-theme="dark"]')]);

  it('are measured as WCAG does', () => {
    assert.equal(contrast('#000000', '#ffffff'), 21);
    assert.ok(Math.abs(contrast('#777777', '#ffffff') - 4.48) < 0.01);
  });

  for (const [name, colours] of [
    ['light', light],
    ['dark', dark],
  ] satisfies [string, Colours][]) {
    it(`stand out from what they stand on, in the ${name} theme`, () => {
      const faults = PAIRS.flatMap(([least, front, grounds]) =>
        grounds.flatMap((ground) => {
          const [a, b] = [colours.get(front), colours.get(ground)];
          assert.ok(a !== undefined && b !== undefined, `${front} or ${ground} is no token`);
          const found = contrast(a, b);
          return found >= least ? [] : [`--${front} on --${ground}: ${found.toFixed(2)}, needed ${least}`];
        }),
      );
      assert.deepEqual(faults, []);
    });
  }

  it('are the same whether dark was chosen or comes from the system', () => {
    const bySystem = coloursAfter(':root:not([data-theme="light"]):not([data-embed])');
    assert.deepEqual(coloursAfter(':root[data-theme="dark"]'), bySystem);
  });

  it('are named in one file only', () => {
    const raw = readFileSync(join(folder, 'ui.css'), 'utf8').match(
      /#[0-9a-f]{3,8}\b(?=[^{]*\})|\b(?:rgb|hsl|oklch)a?\(/gi,
    );
    assert.deepEqual(raw ?? [], []);
  });
});
