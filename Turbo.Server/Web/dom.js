// Elements by calls: data is only ever text or an attribute, never markup.

/**
 * An element: its tag and classes as in `p.hint`, then, where there are any, its properties, then what is in it. Properties
 * that begin with `on` are listeners; null and false leave a property or a child out.
 */
export function h(selector, ...children) {
  const [tag, ...classes] = selector.split('.');
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(' ');
  const isPresent = (value) => value !== null && value !== undefined && value !== false;
  const properties = children[0]?.constructor === Object ? children.shift() : {};
  for (const [name, value] of Object.entries(properties)) {
    if (!isPresent(value)) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'value' || name === 'checked') element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter(isPresent));
  return element;
}

/** A button that sends no form. */
export const button = (kind, onclick, ...children) => h(`button${kind}`, { type: 'button', onclick }, ...children);

const ICONS = {
  plus: 'M12 5v14M5 12h14',
  back: 'M15 5l-7 7 7 7',
  send: 'M12 19V5M5 12l7-7 7 7',
  down: 'M12 5v14M5 12l7 7 7-7',
  settings: 'M4 7h9M19 7h1M4 17h1M11 17h9M16 4.5v5M8 14.5v5',
  people: 'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 20c.6-3.6 3.2-5.5 6.5-5.5s5.9 1.9 6.5 5.5M16 4.3a3.5 3.5 0 0 1 0 6.4M18 14.9c1.9.8 3.1 2.6 3.5 5.1',
  chart: 'M5 20v-7M12 20V4M19 20v-11',
  leave: 'M14 4h5v16h-5M10 8l-4 4 4 4M6 12h9',
  close: 'M6 6l12 12M18 6L6 18',
};

/** A picture that says nothing to a screen reader: the control it is in has a name of its own. */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

export const iconButton = (name, label, onclick, kind = '') =>
  h('button', { type: 'button', class: `icon-button ${kind}`, 'aria-label': label, title: label, onclick }, icon(name));

let ids = 0;

/** A labelled field: a control, or a row with one in it. What is wrong with it is shown below it by `showError`. */
export function field(label, control, hint) {
  const id = `f${++ids}`;
  const input = control.matches('.row') ? control.firstChild : control;
  input.id = id;
  const notes = h('span.hint', { id: `${id}-hint` }, hint ?? '');
  if (hint) input.setAttribute('aria-describedby', notes.id);
  return h('div.field', h('label', { for: id }, label), control, hint && notes);
}

/** The server's words as a sentence. */
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');

function clearErrors(form) {
  for (const old of form.querySelectorAll('.error')) old.remove();
  for (const input of form.querySelectorAll('[aria-invalid]')) {
    input.removeAttribute('aria-invalid');
    input.removeAttribute('aria-errormessage');
  }
}

/** Shows a failure at the field that it is about, else at the form's end. */
export function showError(form, error) {
  clearErrors(form);
  const message = h('p.error', { role: 'alert', id: `e${++ids}` }, sentence(error.message));
  const input = error.param ? form.elements[error.param] : null;
  if (input instanceof HTMLElement) {
    input.setAttribute('aria-invalid', 'true');
    input.setAttribute('aria-errormessage', message.id);
    input.closest('.field').append(message);
    input.focus();
  } else (form.querySelector('.errors') ?? form).append(message);
}

/**
 * A form whose `submit` gets its fields' values; while it runs the form is busy, and what it throws is shown. With an
 * `action`, that is its button, and `cancel` the one beside it.
 */
export function form({ submit, label, action, cancel, kind = '', ...properties }, ...children) {
  const element = h('form', {
    novalidate: true, 'aria-label': label, ...properties,
    async onsubmit(event) {
      event.preventDefault();
      if (element.ariaBusy === 'true') return;
      element.ariaBusy = 'true';
      try {
        await submit(Object.fromEntries(new FormData(element)), element);
        clearErrors(element);
      } catch (error) {
        showError(element, error);
      } finally {
        element.ariaBusy = 'false';
      }
    },
  }, ...children, action && [h('div.errors'), h('div.buttons', cancel && button('.quiet', cancel, 'Cancel'), h(`button${kind}`, action))]);
  return element;
}

/** A field for another's username, with its button. */
export const adding = (label, properties) => field(label, h('div.row',
  h('input', { name: 'username', autocomplete: 'off', autocapitalize: 'none', ...properties }), h('button.quiet', 'Add')));

/** Who is in a group or a chat, as the items of a list; `remove` is there for who may take the others out. */
export const people = (users, ownerId, remove) => users.map((user) => h('li', mark(user),
  h('span.grow', h('b', nameOf(user)), h('span.hint', user.username)),
  user.id === ownerId ? h('span.tag', 'Owner') : remove && iconButton('close', `Remove ${nameOf(user)}`, (event) => {
    event.currentTarget.disabled = true;
    remove(user);
  })));

/** A modal dialog: Escape and a click beside it close it, and focus goes back to where it was. */
export function dialog(title, ...children) {
  const heading = h('h2', { id: `d${++ids}` }, title);
  const element = h('dialog', { 'aria-labelledby': heading.id, onclose: () => element.remove() },
    h('div.dialog',
      h('header', heading, iconButton('close', 'Close', () => element.close())), ...children));
  element.addEventListener('mousedown', (event) => { if (event.target === element) element.close(); });
  document.body.append(element);
  element.showModal();
  return element;
}

/** Asks before what cannot be undone. */
export function confirm(title, text, action, run) {
  const box = dialog(title, h('p', text),
    form({ label: title, action, kind: '.danger', cancel: () => box.close(), async submit() { await run(); box.close(); } }));
}

/** Tells a screen reader. */
export function say(text) {
  document.getElementById('spoken').textContent = text;
}

const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });

/** A time: of today's the hour alone. */
export function time(text) {
  const date = new Date(text);
  const isToday = date.toDateString() === new Date().toDateString();
  return h('time', { datetime: text, title: day.format(date) }, (isToday ? clock : day).format(date));
}

export const number = new Intl.NumberFormat();

export const nameOf = (user) => [user.first_name, user.last_name].filter(Boolean).join(' ') || user.username;

/** A round mark with a person's first letter, in one of six hues. */
export function mark(user) {
  let hue = 0;
  for (const c of user?.id ?? '') hue = (hue * 31 + c.charCodeAt(0)) % 6;
  return h('span', { class: `mark hue${hue}`, 'aria-hidden': 'true' }, [...(user ? nameOf(user) : '?')][0].toUpperCase());
}
