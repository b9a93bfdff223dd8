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
  form.submit();
}

if (form) void signIn();

// Back from the page behind: what stood here is over.
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});
