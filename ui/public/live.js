// Keeps a page right while runs go on. Numbers are put in place as the server words them; what else has changed is
// fetched as the page itself and put in place part by part. Without this script the page says of when it is.

import { readPage } from './app.js';

const POLL_MS = 5000;
const SAY_MS = 10_000;
const STALE_MS = 60_000;
const FAILURES_MAX = 3;
const FETCH_MS_MIN = 1000;
const FETCH_AGAIN_MS = 5000;

const root = document.querySelector('[data-live-topics], [data-live-refresh]');
const mark = document.getElementById('live');

/** One place that screen readers are told by; ticking numbers never go there. */
const status = document.createElement('div');
status.className = 'sr';
status.setAttribute('role', 'status');
document.body.append(status);

let source;
let pollTimer;
let failures = 0;
let sequence = root?.dataset.liveSequence;
let heardMs = Date.now();
let saidMs = 0;
let sayTimer;
let lastSaid = '';

function say(words) {
  if (!words || words === lastSaid) return;
  clearTimeout(sayTimer);
  const waitMs = saidMs + SAY_MS - Date.now();
  if (waitMs > 0) {
    // The end of a short run is worth telling, too: only later, and what came between is left out.
    sayTimer = setTimeout(say, waitMs, words);
    return;
  }
  saidMs = Date.now();
  lastSaid = words;
  status.textContent = words;
}

// --- the mark in the top bar, and "As of" where the numbers have grown old

function showLive(isLive) {
  if (mark) {
    mark.hidden = false;
    mark.classList.toggle('off', !isLive);
    const words = isLive ? mark.dataset.on : mark.dataset.lost;
    if (mark.textContent !== words) mark.textContent = words;
  }
  if (isLive) heard();
}

function heard() {
  heardMs = Date.now();
  document.body.classList.remove('stale');
  // Asked for each time: a part that was replaced brings its own.
  for (const asOf of document.querySelectorAll('[data-live-asof]')) asOf.hidden = true;
}

setInterval(() => {
  if (!root?.dataset.liveTopics || document.hidden || source?.readyState === 1) return;
  if (Date.now() - heardMs < STALE_MS) return;
  document.body.classList.add('stale');
  const time = new Intl.DateTimeFormat(document.documentElement.lang, {
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  for (const asOf of document.querySelectorAll('[data-live-asof][hidden]')) {
    asOf.firstElementChild.textContent = asOf.dataset.words.replace('{time}', time.format(heardMs));
    asOf.hidden = false;
  }
}, 5000);

// --- numbers

function setValues(values) {
  for (const [key, value] of Object.entries(values)) {
    for (const place of document.querySelectorAll(`[data-live="${CSS.escape(key)}"]`)) setValue(place, value);
  }
  const title = root.dataset.liveTitle;
  if (title !== undefined && values[title]) document.title = `${values[title]} ${pageTitle}`;
}

const pageTitle = document.title;

function setValue(place, value) {
  if (place instanceof HTMLProgressElement) {
    if (value === null) place.removeAttribute('value');
    else place.value = value;
    return;
  }
  const words = value === null ? '' : String(value);
  if (place.textContent !== words) place.textContent = words;
  if (place.matches('h2')) place.hidden = words === '';
  if (place.matches('.base')) place.closest('tr').hidden = words === '';
}

// --- parts of the page

let isFetching = false;
let isWanted = false;
let fetchedMs = 0;
let waitMs = FETCH_MS_MIN;

/** Somebody is about to press something there, or has it open: it must not go away under the hand. */
function isInUse(part) {
  return (
    part.contains(document.activeElement) ||
    part.querySelector(':is(a, button, summary, input, select):hover') !== null ||
    part.querySelector('details.menu[open], input:checked') !== null
  );
}

async function ask(url) {
  const answer = await fetch(url, { headers: { 'X-Background': '1' } });
  // Signed out meanwhile, or the task is gone: the page itself says so, and leads to the sign-in and back.
  if (answer.redirected || [401, 403, 404].includes(answer.status)) {
    location.reload();
    return undefined;
  }
  if (!answer.ok) throw new Error(String(answer.status));
  return answer;
}

async function refresh() {
  if (isFetching || document.hidden) {
    isWanted = true;
    return;
  }
  isFetching = true;
  isWanted = false;
  waitMs = FETCH_MS_MIN;
  fetchedMs = Date.now();
  try {
    const answer = await ask(location.href);
    if (answer) replaceParts(await readPage(answer));
  } catch {
    later();
  } finally {
    isFetching = false;
  }
}

function replaceParts(fresh) {
  const freshRoot = fresh.querySelector('[data-live-topics], [data-live-refresh]');
  if (!freshRoot) return;
  if (root.hasAttribute('data-live-follow') && isReading()) {
    countNewLines(fresh);
    return;
  }
  const isOtherList = names(document) !== names(fresh);
  for (const part of document.querySelectorAll('[data-live-part]')) {
    const other = fresh.querySelector(`[data-live-part="${CSS.escape(part.dataset.livePart)}"]`);
    // Rows that came or went are a matter for the part around them, or for the next visit.
    if (!other || part.isEqualNode(other) || !part.isConnected) continue;
    if (isInUse(part)) later();
    else part.replaceWith(document.importNode(other, true));
  }
  if (isOtherList) replaceRows(fresh);
  if (freshRoot.dataset.liveSequence) sequence = freshRoot.dataset.liveSequence;
  if (freshRoot.dataset.liveTitle) root.dataset.liveTitle = freshRoot.dataset.liveTitle;
  else delete root.dataset.liveTitle;
  if (root.dataset.liveTitle === undefined) document.title = fresh.title;
  if (!document.body.classList.contains('stale')) heard();
}

function names(of) {
  return [...of.querySelectorAll('tr[data-live-part]')].map((row) => row.dataset.livePart).join(' ');
}

/** The same rows in another order, or other ones. */
function replaceRows(fresh) {
  const body = document.querySelector('tr[data-live-part]')?.parentElement;
  const other = fresh.querySelector('tr[data-live-part]')?.parentElement;
  if (!body || !other || !body.isConnected) return;
  if (isInUse(body)) later();
  else body.replaceWith(document.importNode(other, true));
}

// --- following the log

function isReading() {
  const selection = getSelection();
  const box = document.querySelector('.logbox');
  return (selection !== null && !selection.isCollapsed) || scrollY > 80 || (box?.scrollTop ?? 0) > 20;
}

function countNewLines(fresh) {
  const top = document.querySelector('[data-key]')?.dataset.key;
  const keys = [...fresh.querySelectorAll('[data-key]')].map((row) => row.dataset.key);
  const at = keys.indexOf(top);
  const count = at === -1 ? keys.length : at;
  const more = document.querySelector('[data-live-more]');
  if (!more || count === 0) return;
  more.hidden = false;
  more.querySelector('a').textContent = root.dataset.words.replace('{n}', count);
}

// --- the stream, and asking where it does not get through

function connect() {
  source?.close();
  source = new EventSource(`${root.dataset.liveEvents}?topics=${encodeURIComponent(root.dataset.liveTopics)}`);
  source.addEventListener('open', () => {
    failures = 0;
    stopPolling();
    showLive(true);
  });
  source.addEventListener('hello', (event) => met(JSON.parse(event.data).sequence));
  source.addEventListener('values', (event) => {
    heard();
    setValues(JSON.parse(event.data));
  });
  source.addEventListener('changed', (event) => {
    const { sequence: news, say: words } = JSON.parse(event.data);
    say(words);
    met(news);
  });
  source.addEventListener('moved', ({ data }) => {
    others?.postMessage({ moved: data });
    moved(data);
  });
  source.addEventListener('error', () => {
    failures++;
    showLive(false);
    if (failures >= FAILURES_MAX || source.readyState === EventSource.CLOSED) startPolling();
  });
}

/**
 * A browser gives a host six connections, also for windows that stand side by side: the others are asked who holds a
 * stream, and from the fourth on a page asks for numbers instead.
 */
const STREAMS_MAX = 3;
const ANSWER_MS = 200;
const others = 'BroadcastChannel' in window ? new BroadcastChannel('site-backup-live') : undefined;
const me = String(Math.random());
let holders = new Set();

if (others) {
  others.addEventListener('message', ({ data }) => {
    if (data.asks && source !== undefined) others.postMessage({ holds: me, to: data.asks });
    if (data.to === me) holders.add(data.holds);
    if (data.moved) moved(data.moved);
  });
}

/** The pages are elsewhere: nothing is asked for here any more. */
function moved(data) {
  const { address, words } = JSON.parse(data);
  isFetching = true;
  document.removeEventListener('visibilitychange', follow);
  source?.close();
  stopPolling();
  const link = document.createElement('a');
  link.href = address;
  link.textContent = words;
  mark.replaceChildren(link);
}

async function connectIfFree() {
  holders = new Set();
  others?.postMessage({ asks: me });
  if (others) await new Promise((resolve) => setTimeout(resolve, ANSWER_MS));
  if (document.hidden || source !== undefined) return;
  if (holders.size < STREAMS_MAX) connect();
  else startPolling();
}

/** The page was made at another moment of the service than this one. */
function met(news) {
  if (news !== sequence) soon();
}

function soon() {
  isWanted = true;
}

function later() {
  isWanted = true;
  waitMs = FETCH_AGAIN_MS;
}

setInterval(() => {
  if (isWanted && !document.hidden && Date.now() - fetchedMs >= waitMs) void refresh();
}, 500);

function startPolling() {
  if (pollTimer !== undefined) return;
  pollTimer = setInterval(poll, POLL_MS);
  void poll();
}

function stopPolling() {
  clearInterval(pollTimer);
  pollTimer = undefined;
}

async function poll() {
  if (document.hidden) return;
  try {
    const answer = await ask(root.dataset.livePoll);
    if (!answer) return;
    const { sequence: news, values } = await answer.json();
    showLive(true);
    setValues(values);
    met(news);
    // The stream may get through again.
    if (source?.readyState === EventSource.CLOSED) source = undefined;
    if (source === undefined) void connectIfFree();
  } catch {
    showLive(false);
  }
}

/** A browser gives a host six connections: a tab that nobody looks at must not hold one. */
function follow() {
  if (document.hidden) {
    source?.close();
    source = undefined;
    stopPolling();
    return;
  }
  if (root.dataset.liveTopics && source === undefined) void connectIfFree();
}

if (root) {
  document.addEventListener('visibilitychange', follow);
  addEventListener('pagehide', () => {
    source?.close();
    source = undefined;
  });
  addEventListener('pageshow', (event) => {
    if (event.persisted) follow();
  });
  const seconds = Number(root.dataset.liveRefresh);
  if (seconds > 0) setInterval(soon, seconds * 1000);
  follow();
}
