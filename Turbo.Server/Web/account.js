// What is the user's own: name, password, what was used, what happened.

import { call } from './api.js';
import { button, field, form, h, number, say, sentence, time } from './dom.js';
import { page } from './page.js';

const PAGE = 50;

const done = (form, text) => {
  form.querySelector('.done')?.remove();
  form.querySelector('.buttons').append(h('span.done.hint', text));
  say(text);
};

export function accountPage(app) {
  const { me } = app;
  const input = (name, value, rest) => h('input', { name, value, maxlength: '254', ...rest });
  return page('Account', null,
    h('section', h('h2', 'You'), form({ label: 'You', action: 'Save', submit: async (values, element) => {
      await call('/user/update', values);
      await app.refresh();
      done(element, 'Saved');
    } },
    h('div.pair',
      field('First name', input('first_name', me.first_name, { autocomplete: 'given-name' })),
      field('Last name', input('last_name', me.last_name, { autocomplete: 'family-name' }))),
    field('Username', input('username', me.username, { autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false' }), 'Others add you to groups and chats by it.'))),
    h('section', h('h2', 'Password'), form({ label: 'Password', action: 'Change password', submit: async (values, element) => {
      await call('/user/password/update', values);
      element.reset();
      done(element, 'Changed. Your other sessions have ended');
    } },
    h('input', { hidden: true, autocomplete: 'username', value: me.username }),
    field('Current password', h('input', { name: 'old_password', type: 'password', autocomplete: 'current-password' })),
    field('New password', h('input', { name: 'new_password', type: 'password', autocomplete: 'new-password' }), 'Every other place where you are logged in has to log in again.'))),
    h('section', h('h2', 'For programs'),
      h('p', 'Any OpenAI client works with this server: set its base URL, and the token that logging in returns as its API key.'),
      h('pre', { tabindex: '0', 'aria-label': 'Example' }, h('code', `curl ${location.origin}/user/login -d username=${/^[\w.@+-]+$/.test(me.username) ? me.username : '…'} -d password=…\n\nOPENAI_BASE_URL=${location.origin}/v1\nOPENAI_API_KEY=the token`)),
      h('p.hint', 'Your id: ', h('code', me.id))));
}

const milliseconds = (ns) => (ns >= 1e10 ? `${Math.round(ns / 1e9)} s` : ns >= 1e9 ? `${(ns / 1e9).toFixed(1)} s` : `${Math.max(1, Math.round(ns / 1e6))} ms`);

// Heads that begin with # are those of numbers.
const table = (caption, heads, rows) => h('div.table', { tabindex: '0', role: 'region', 'aria-label': caption },
  h('table', h('thead', h('tr', heads.split(' ').map((text) => h('th', { scope: 'col', class: text[0] === '#' && 'number' }, text.replace('#', ''))))), rows));

export function usagePage() {
  const sums = h('div', { 'aria-live': 'polite' });
  const events = h('tbody');
  const box = h('div');
  const failed = (where, error) => { if (error.status !== 401) where.replaceChildren(h('p.error', { role: 'alert' }, sentence(error.message))); };

  const showSums = async (since) => {
    const { usage } = await call('/usage/index', { since });
    if (usage.length === 0) {
      sums.replaceChildren(h('div.empty', h('p', 'No tokens were used in that time.')));
      return;
    }
    const total = (name) => usage.reduce((sum, row) => sum + row[name], 0);
    const most = Math.max(1, ...usage.map((row) => row.total_tokens));
    const cells = (row) => ['calls', 'prompt_tokens', 'completion_tokens', 'total_tokens'].map((name) => h('td.number', number.format(row[name])));
    sums.replaceChildren(
      h('p.figure', h('b', number.format(total('total_tokens'))), ` tokens in ${number.format(total('calls'))} call${total('calls') === 1 ? '' : 's'}`),
      table('Tokens by model', 'Model #Calls #Prompt #Reply #Tokens', h('tbody', usage.map((row) => {
        const bar = h('span.meter', { 'aria-hidden': 'true' });
        bar.style.width = `${Math.max(1, row.total_tokens / most * 100)}%`;
        return h('tr', h('th', { scope: 'row' }, row.model || '–', bar), cells(row));
      }))));
  };

  let last;
  const more = button('.quiet', () => showEvents().catch((error) => failed(box, error)), 'Show earlier');
  const showEvents = async () => {
    const { events: rows } = await call('/event/index', { limit: PAGE, ...(last && { before: last }) });
    last = rows.at(-1)?.ID ?? last;
    events.append(...rows.map((row) => h('tr', { class: row.Status >= 400 ? 'bad' : null },
      h('td', time(row.Timestamp)),
      h('td', h('code', row.Endpoint), row.Message ? h('span.hint', row.Message) : null),
      h('td', row.model || '–'),
      h('td.number', String(row.Status)),
      h('td.number', row.total_tokens === null ? '–' : number.format(row.total_tokens)),
      h('td.number', milliseconds(row.Duration)))));
    more.hidden = rows.length < PAGE;
    if (!events.firstChild) box.replaceChildren(h('div.empty', h('p', 'Nothing yet.')), more);
    else if (!events.isConnected) box.replaceChildren(table('Recent calls', 'Time Request Model #Status #Tokens #Took', events), more);
  };

  const period = h('select', { 'aria-label': 'Period', onchange: () => showSums(period.value).catch((error) => failed(sums, error)) },
    h('option', { value: '24h' }, 'Last 24 hours'), h('option', { value: '7d' }, 'Last 7 days'), h('option', { value: '30d', selected: true }, 'Last 30 days'), h('option', { value: '365d' }, 'Last year'));
  showSums('30d').catch((error) => failed(sums, error));
  showEvents().catch((error) => failed(box, error));
  return page('Usage', null,
    h('section', h('div.row.between', h('h2', 'Tokens'), period), sums),
    h('section', h('h2', 'Recent calls'), h('p.hint', 'Yours that used tokens, and those that failed.'), box));
}
