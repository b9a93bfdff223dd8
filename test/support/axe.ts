import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe-core has against the page that is shown, by WCAG 2.2 A and AA. `name` is put before each fault. */
export async function violations(page: Page, name: string): Promise<string[]> {
  await page.evaluate(axeSource);
  const found = await page.evaluate(async (rules) => {
    const { axe } = globalThis as unknown as { axe: Axe };
    const { violations: all } = await axe.run(document, { runOnly: { type: 'tag', values: rules } });
    return all.map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .map(({ html }) => html.slice(0, 160))
          .slice(0, 3)
          .join(' | ')}`,
    );
  }, RULES);
  return found.map((fault) => `${name}: ${fault}`);
}

interface Axe {
  run(of: Document, options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>;
}
