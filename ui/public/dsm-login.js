// Fetches the token of the DSM session, which only a page of the same origin can, and sends it to sign in.

const DSM_MS_MAX = 20_000;

const form = document.querySelector('#dsm-login');
const show = (id) => {
  document.querySelector('#dsm-asking').hidden = true;
  document.querySelector('#dsm-actions').hidden = false;
  const notice = document.querySelector(id);
  notice.hidden = false;
  notice.focus();
};

/** What the service answers instead of letting in is a page of its own. */
function takeOver(page) {
  document.title = page.title;
  const main = document.adoptNode(page.querySelector('#main'));
  document.querySelector('#main').replaceWith(main);
  main.querySelector('[autofocus]')?.focus();
}

async function signIn() {
  document.querySelector('#dsm-asking').hidden = false;
  let said;
  try {
    const signal = AbortSignal.timeout(DSM_MS_MAX);
    const answer = await fetch('/webman/login.cgi', { credentials: 'same-origin', cache: 'no-store', signal });
    said = await answer.json();
  } catch {
    show('#dsm-silent');
    return;
  }
  if (typeof said?.SynoToken !== 'string' || said.SynoToken === '') {
    show('#dsm-nobody');
    return;
  }
  form.elements.synoToken.value = said.SynoToken;
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch(form.action, { method: 'POST', body, redirect: 'manual' }).catch(() => undefined);
  // In the place of this page: Back leads to DSM, and not into the sign-in again.
  if (answer?.type === 'opaqueredirect') location.replace(form.dataset.next);
  else if (answer === undefined) show('#dsm-silent');
  else takeOver(new DOMParser().parseFromString(await answer.text(), 'text/html'));
}

if (form) void signIn();

// Back from the page behind: what stood here is over.
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});
