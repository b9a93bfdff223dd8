// Forms where scripts run: folders open in place, the next runs follow the fields, a pasted address fills several.
// Without scripts the same buttons send the form and get a whole page.
import { readPage } from './app.js';

/** Sends the form as the button would, and gives the page that comes back; undefined where it could not be had. */
async function pageAfter(form, button) {
  const body = new URLSearchParams(new FormData(form));
  if (button) body.set(button.name, button.value);
  try {
    const answer = await fetch(form.action, { method: 'POST', body });
    return answer.ok ? await readPage(answer) : undefined;
  } catch {
    return undefined;
  }
}

/** Takes the part over from the page that came back. False where one of them lacks it. */
function takeOver(page, selector) {
  const [before, after] = [document.querySelector(selector), page.querySelector(selector)];
  if (!before || !after) return false;
  before.replaceWith(document.adoptNode(after));
  return true;
}

// ---- folders

/** The chosen row of a long list in sight. */
function showChosen() {
  for (const row of document.querySelectorAll('.dirs .sel')) {
    row.parentElement.scrollTop = row.offsetTop - row.parentElement.offsetTop - row.parentElement.clientHeight / 2;
  }
}
showChosen();

for (const form of document.querySelectorAll('.main form')) {
  form.addEventListener('submit', async (event) => {
    const button = event.submitter;
    if (form.dataset.plain === 'yes' || !['goRemote', 'goLocal'].includes(button?.name)) return;
    const go = button.name;
    const place = document.querySelector(`[data-picker-place="${go}"]`);
    if (!place && !document.querySelector(`[data-picker="${go}"]`)) return;
    event.preventDefault();
    // The page's own listener must not take this for the form being sent.
    event.stopPropagation();
    button.setAttribute('aria-busy', 'true');
    const page = await pageAfter(form, button);
    button.removeAttribute('aria-busy');
    if (!page || !takeOver(page, place ? `[data-picker-place="${go}"]` : `[data-picker="${go}"]`)) {
      form.dataset.plain = 'yes';
      form.requestSubmit(button);
      return;
    }
    for (const name of go === 'goRemote' ? ['folder'] : ['target', 'root']) {
      const [field, sent] = [document.getElementById(name), page.getElementById(name)];
      if (field && sent && 'value' in field) field.value = sent.value;
    }
    // Where a password that was typed is kept meanwhile.
    const kept = page.querySelector('input[name="kept"]');
    if (kept && form.elements.kept) form.elements.kept.value = kept.value;
    showChosen();
    document.querySelector(`[data-picker="${go}"] .dirs button, [data-picker="${go}"] .pathbar button`)?.focus();
  });
}

document.addEventListener('change', (event) => {
  const row = event.target.closest?.('[data-picker] .dirs li');
  if (!row || event.target.type !== 'radio') return;
  for (const other of row.parentElement.children) other.classList.toggle('sel', other === row);
  const chosen = row.closest('[data-picker]').querySelector('[data-chosen]');
  if (chosen) chosen.textContent = event.target.value;
});

// ---- next runs

const schedule = document.querySelector('[data-preview]');
const previewButton = schedule?.querySelector('[data-preview-button]');
if (previewButton) {
  previewButton.hidden = true;
  let latest = 0;
  schedule.addEventListener('change', async () => {
    const mine = ++latest;
    const page = await pageAfter(schedule.closest('form'), previewButton);
    const next = page?.getElementById('next');
    // A slower answer to an earlier change says something else.
    if (next && mine === latest) document.getElementById('next').textContent = next.textContent;
  });
}

// ---- an address that is pasted into the field of the server

const address = document.querySelector('form[data-address]');
address?.elements.host.addEventListener('paste', (event) => {
  const { host, port, user, password } = address.elements;
  const match = /^\s*(ftps?|ftpes):\/\/(\S+)\s*$/i.exec(event.clipboardData?.getData('text') ?? '');
  // One with a folder stays as it is: the server reads it whole, and there is no field for a folder here.
  if (!match || /\/./.test(match[2]) || !URL.canParse(`ftp://${match[2]}`)) return;
  event.preventDefault();
  const url = new URL(`ftp://${match[2]}`);
  host.value = url.hostname;
  port.value = url.port;
  if (url.username) user.value = decodeURIComponent(url.username);
  if (url.password) password.value = decodeURIComponent(url.password);
  const kind = match[1].toLowerCase() === 'ftp' ? 'ftp' : url.port === '990' ? 'ftps-implicit' : 'ftps';
  address.querySelector(`input[name="protocol"][value="${kind}"]`).checked = true;
});

// ---- leaving with changes

const editor = document.querySelector('form[data-unsaved]');
if (editor) {
  let isChanged = editor.dataset.unsaved === 'true';
  editor.addEventListener('change', () => (isChanged = true));
  editor.addEventListener('submit', (event) => {
    if (!event.defaultPrevented) isChanged = false;
  });
  addEventListener('beforeunload', (event) => {
    if (isChanged) event.preventDefault();
  });
}

// ---- the steps of a connection test, while the page that tells its end is on its way

const STEPS_EVERY_MS = 300;
const STEPS_ASKED_MAX = 80;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const steps = document.querySelector('[data-test]');
steps?.closest('form').addEventListener('submit', async (event) => {
  if (!event.submitter?.matches('[data-tests]')) return;
  steps.replaceChildren();
  for (let asked = 0; asked < STEPS_ASKED_MAX; asked++) {
    await wait(STEPS_EVERY_MS);
    const answer = await fetch(steps.dataset.test).catch(() => undefined);
    if (answer?.status !== 200) continue;
    const fresh = (await readPage(answer)).querySelector('ul');
    const list = steps.firstElementChild;
    // Only what is new: a screen reader tells that, and not the rest again.
    if (!list) steps.append(fresh);
    else
      [...fresh.children].forEach(
        (row, at) => row.isEqualNode(list.children[at]) || list.children[at].replaceWith(row),
      );
  }
});

// ---- jobs

const JOB_EVERY_MS = 2000;
const MISSES_MAX = 3;
let misses = 0;
async function followJobs() {
  if (!document.querySelector('[data-jobs="running"]')) return;
  await wait(JOB_EVERY_MS);
  misses++;
  try {
    const answer = await fetch(location.href);
    if (answer.ok) misses = 0;
    const page = answer.ok && (await readPage(answer));
    // As long as only the time goes by, the buttons beside it stay: one may be under the pointer.
    if (page && !takeOver(page, '[data-jobs] [role="timer"]')) takeOver(page, '[data-jobs]');
  } catch {
    // The next turn asks again.
  }
  const moved = document.getElementById('moved');
  if (moved && misses >= MISSES_MAX) moved.parentElement.replaceChildren(moved.content);
  else await followJobs();
}
void followJobs();
