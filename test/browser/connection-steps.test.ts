/** The connection test of the wizard and of the editor tells each step as it ends, while its page is still awaited. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { EN, signIn, startBrowserFixture, statusOf, until, whyBrowserIsMissing } from '../support/browser-fixture.ts';
import type { BrowserFixture } from '../support/browser-fixture.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';

const STEP_TIMEOUT_MS = 15_000;

const skip = whyBrowserIsMissing() ?? false;

describe('the steps of a connection test', { skip }, () => {
  let fixture: BrowserFixture;
  let server: ScriptedServer;
  /** The server answers a password once this is called. */
  let letIn: () => void;

  /** How often the page has asked. */
  let asked = 0;

  before(async () => {
    server = await startScriptedServer();
    fixture = await startBrowserFixture();
  });
  beforeEach(() => {
    const mayEnter = new Promise<void>((resolve) => (letIn = resolve));
    server.addFault({ command: 'PASS', times: 1 }, { run: () => mayEnter });
  });
  after(async () => {
    await fixture.stop();
    await server.stop();
  });

  /**
   * What is put in place, as `state name`, in its order. The page tells it by itself: Playwright asks nothing of a page
   * as long as the next one is awaited.
   */
  async function listen(page: Page): Promise<readonly string[]> {
    const told: string[] = [];
    page.on('request', (request) => (asked += request.url().endsWith('/test') ? 1 : 0));
    await page.exposeFunction('tell', (words: string) => told.push(words));
    await page.evaluate(() => {
      const observer = new MutationObserver((changes) => {
        for (const node of changes.flatMap((change) => [...change.addedNodes])) {
          if (!(node instanceof Element)) continue;
          const rows = node.matches('li') ? [node] : [...node.querySelectorAll('li')];
          for (const item of rows) {
            const words = `${item.getAttribute('class') ?? ''} ${item.querySelector('b')?.textContent ?? ''}`;
            (window as unknown as { tell(words: string): void }).tell(words);
          }
        }
      });
      const place = document.querySelector('[data-test][aria-live="polite"]');
      if (place) observer.observe(place, { childList: true, subtree: true });
    });
    return told;
  }

  const words = (state: string, step: string): string => `${state} ${EN.t(`check.step.${step}`)}`;
  const untilTold = (told: readonly string[], state: string, step: string): Promise<void> =>
    until(() => told.includes(words(state, step)), STEP_TIMEOUT_MS, words(state, step));

  async function hearStepByStep(told: readonly string[]): Promise<void> {
    await untilTold(told, 'ok', 'tcp');
    // Signing in is one with TLS: what is under way is the first that has not ended.
    await untilTold(told, 'now', 'tls');
    assert.ok(!told.some((item) => item.endsWith(EN.t('check.step.login')) && !item.startsWith('later')));
    assert.ok(told.includes(words('ok', 'lookup')));
    // Several answers say the same meanwhile; a screen reader must not.
    const askedBefore = asked;
    await until(() => asked > askedBefore + 2, STEP_TIMEOUT_MS, 'further questions of the page');
    assert.deepEqual([...new Set(told)], told);
    letIn();
  }

  it('come one by one in the wizard, which then goes on', async () => {
    const page = await fixture.openSignedIn();
    await page.goto(`${fixture.origin}/tasks/new`);
    await page.getByText(EN.t('proto.short.ftp'), { exact: true }).click();
    await page.locator('#host').fill(server.address.host);
    await page.locator('#port').fill(String(server.address.port));
    await page.locator('#user').fill(SCRIPTED_USER);
    await page.locator('#password').fill(SCRIPTED_PASSWORD);
    assert.equal(await page.locator('[data-test][aria-live="polite"]').innerHTML(), '');
    const told = await listen(page);
    await page.getByRole('button', { name: EN.t('wz.test') }).click({ noWaitAfter: true });
    await hearStepByStep(told);
    await page.waitForURL('**/folders');
    await page.context().close();
  });

  it('come one by one in the editor, which then shows the result', async () => {
    const page = await fixture.openSignedIn();
    const taskId = fixture.addTask('Atelier', { source: server.address });
    await page.goto(`${fixture.origin}/tasks/${taskId}/edit`);
    const told = await listen(page);
    const answered = statusOf(page, () =>
      page.getByRole('button', { name: EN.t('act.test') }).click({ noWaitAfter: true }),
    );
    await hearStepByStep(told);
    assert.equal(await answered, 200);
    assert.match(await page.locator('#test').innerText(), new RegExp(EN.t('check.good')));
    await page.context().close();
  });

  it('are for nobody else who is signed in, and for nobody who is not', async () => {
    const page = await fixture.openSignedIn();
    const taskId = fixture.addTask('Boulangerie', { source: server.address });
    const path = `${fixture.origin}/tasks/${taskId}/test`;
    await page.goto(`${fixture.origin}/tasks/${taskId}/edit`);
    const statusFor = async (asker: Page): Promise<number> =>
      (await asker.request.get(path, { maxRedirects: 0 })).status();
    assert.equal(await statusFor(page), 204, 'nothing is being tested');
    const told = await listen(page);
    const answered = statusOf(page, () =>
      page.getByRole('button', { name: EN.t('act.test') }).click({ noWaitAfter: true }),
    );
    await untilTold(told, 'ok', 'tcp');
    assert.equal(await statusFor(page), 200);
    const other = await fixture.open();
    assert.ok((await statusFor(other)) >= 300);
    await signIn(other, fixture.origin);
    assert.equal(await statusFor(other), 204);
    letIn();
    assert.equal(await answered, 200);
    assert.equal(await statusFor(page), 204);
    await page.context().close();
    await other.context().close();
  });

  it('asks for nothing elsewhere, and no script or policy fails on the way', () => {
    assert.deepEqual(fixture.complaints, []);
  });
});
