// What every page gains where scripts run. Nothing here is needed to use a page.

/** Menus: one open at a time, Esc closes and gives the focus back, a press elsewhere closes. */
function closeMenus(except) {
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    if (menu !== except) menu.open = false;
  }
}

document.addEventListener('click', (event) => {
  closeMenus(event.target instanceof Element ? event.target.closest('details.menu') : null);
});

document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  const menu = document.activeElement?.closest('details.menu[open]') ?? document.querySelector('details.menu[open]');
  if (!menu) return;
  menu.open = false;
  menu.querySelector('summary').focus();
});

// Arrow keys walk through an open menu.
document.addEventListener('keydown', (event) => {
  if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
  const menu = document.activeElement?.closest('details.menu[open]');
  if (!menu) return;
  const items = [...menu.querySelectorAll('.menu-list a, .menu-list button')];
  const at = items.indexOf(document.activeElement);
  const step = event.key === 'ArrowDown' ? 1 : -1;
  items[(at + step + items.length) % items.length]?.focus();
  event.preventDefault();
});

/** A form is sent once: the button that was pressed says so and keeps its width. */
document.addEventListener('submit', (event) => {
  const form = event.target;
  if (event.defaultPrevented) return;
  if (form.dataset.sent === 'yes') {
    event.preventDefault();
    return;
  }
  if (form.method !== 'post') return;
  form.dataset.sent = 'yes';
  const button = event.submitter;
  if (!(button instanceof HTMLButtonElement)) return;
  const busy = button.dataset.busy ?? form.dataset.busy;
  button.style.minWidth = `${button.offsetWidth}px`;
  button.setAttribute('aria-busy', 'true');
  if (busy !== undefined && !button.classList.contains('icon')) {
    const words = [...button.childNodes].findLast(
      (node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== '',
    );
    if (words) words.data = busy;
  }
});

// Back from the next page: the form can be sent again.
addEventListener('pageshow', (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
  for (const button of document.querySelectorAll('button[aria-busy]')) button.removeAttribute('aria-busy');
});

/** Passwords can be looked at. `data-shows` holds the ids of the inputs. */
for (const button of document.querySelectorAll('button[data-shows]')) {
  button.hidden = false;
  button.addEventListener('click', () => {
    const isShown = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(isShown));
    for (const id of button.dataset.shows.split(' ')) {
      const input = document.getElementById(id);
      if (input) input.type = isShown ? 'text' : 'password';
    }
  });
  // A shown password must not be kept by the browser as an ordinary field.
  button.form?.addEventListener('submit', () => {
    for (const id of button.dataset.shows.split(' ')) document.getElementById(id)?.setAttribute('type', 'password');
  });
}

/** The page, or part of one, in an answer. It may need icons that this page does not hold. */
export async function readPage(answer) {
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
  for (const symbol of fresh.querySelectorAll('.sprite symbol')) {
    if (!document.getElementById(symbol.id))
      document.querySelector('.sprite').append(document.importNode(symbol, true));
  }
  return fresh;
}

/** `/` goes to the search, unless somebody is typing. */
document.addEventListener('keydown', (event) => {
  if (document.body.dataset.shortcuts !== 'true' || event.key !== '/') return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.('input, select, textarea')) return;
  const search = document.querySelector('input[type="search"]');
  if (!search) return;
  event.preventDefault();
  search.focus();
});

// The chosen tab or filter may lie outside a narrow window.
for (const tab of document.querySelectorAll('.tabs [aria-current], .filters [aria-current]')) {
  tab.parentElement.scrollLeft = tab.offsetLeft - 90;
}
