/**
 * Draws the icons of the package from their SVG sources with Chromium. The pictures are kept in the repository: run
 * `npx tsx build/draw-icons.ts` after a change of a source, look at them, and commit them.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { chromium } from 'playwright-core';

const SPK = resolve(import.meta.dirname, '../spk');
const DSM_UI = resolve(import.meta.dirname, '../ui/dsm');

/** Below this many pixels the large drawing is a blur. */
const LARGE_FROM_PIXELS = 48;

const PICTURES = [
  ...[16, 24, 32, 48, 64, 72, 256].map((pixels) => ({ pixels, file: join(DSM_UI, `images/icon_${pixels}.png`) })),
  { pixels: 64, file: join(SPK, 'PACKAGE_ICON.PNG') },
  { pixels: 256, file: join(SPK, 'PACKAGE_ICON_256.PNG') },
];

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  const page = await browser.newPage();
  for (const { pixels, file } of PICTURES) {
    const name = pixels < LARGE_FROM_PIXELS ? 'icon-small.svg' : 'icon.svg';
    const svg = readFileSync(join(SPK, 'icons', name)).toString('base64');
    await page.setViewportSize({ width: pixels, height: pixels });
    await page.setContent(
      `<style>*{margin:0}img{display:block;width:100vw;height:100vh}</style><img src="data:image/svg+xml;base64,${svg}">`,
    );
    await page.locator('img').evaluate((image) => (image as unknown as { decode(): Promise<void> }).decode());
    mkdirSync(dirname(file), { recursive: true });
    await page.screenshot({ path: file, type: 'png', omitBackground: true });
  }
} finally {
  await browser.close();
}
