// The list of tasks: one box for all boxes, and a menu for each row instead of the way to the task's page.

for (const all of document.querySelectorAll('[data-select-all]')) {
  all.parentElement.hidden = false;
  all.addEventListener('change', () => {
    for (const box of document.querySelectorAll(`input[name="${all.dataset.selectAll}"]`)) box.checked = all.checked;
  });
}

const template = document.getElementById('row-menu');

/** Puts a menu in the place of the link; gives its button. Fifty menus that nobody opens would be half of the page. */
function menuFor(link) {
  const menu = template.content.firstElementChild.cloneNode(true);
  const button = menu.firstElementChild;
  button.title = link.title;
  for (const item of menu.querySelectorAll('a, button')) {
    const name = item.matches('a') ? 'href' : 'formaction';
    item.setAttribute(name, `${link.href}/${item.getAttribute(name)}`);
  }
  const hadFocus = link === document.activeElement;
  link.replaceWith(menu);
  if (hadFocus) button.focus();
  return button;
}

// Rows come and go: the page listens in their place. Before a row can be used, its link is a menu.
for (const event of ['pointerover', 'focusin']) {
  document.addEventListener(event, ({ target }) => {
    const link = target.closest?.('.ac > a');
    if (link) menuFor(link);
  });
}

// The whole cell is the place to press for a box.
document.addEventListener('click', ({ target }) => {
  if (target.matches?.('td.c')) target.firstElementChild.click();
});
