// Prompts worth keeping: put into the message from a list, or kept from it, alone or for a group.

import { call } from './api.js';
import { button, dialog, field, form, h, iconButton, say, sentence } from './dom.js';

const PLACE = '{{input}}';

// What was written goes where the prompt has a place for it, else after it.
function put(text, input) {
  const written = input.value.trim();
  input.value = !written ? text : text.includes(PLACE) ? text.replaceAll(PLACE, () => written) : `${text}\n\n${written}`;
  input.dispatchEvent(new Event('input'));
  input.focus();
  const at = input.value.indexOf(PLACE);
  if (at >= 0) input.setSelectionRange(at, at + PLACE.length);
}

/** Shows them all, to choose one for `input`, which is the message. */
export function savedPrompts(app, input) {
  const list = h('ul.people');
  const load = async () => {
    const { prompts } = await call('/prompt/index');
    list.replaceChildren(...prompts.map((prompt) => h('li',
      button('.choice.grow', () => { box.close(); put(prompt.text, input); },
        h('b', prompt.name), h('span.hint', prompt.text)),
      prompt.group_id ? h('span.tag', app.me.groups.find((group) => group.id === prompt.group_id)?.name ?? 'Shared') : null,
      prompt.user_id === app.me.id ? iconButton('close', `Delete ${prompt.name}`, async (event) => {
        event.currentTarget.disabled = true;
        await call('/prompt/delete', { id: prompt.id }).then(load, failed);
      }) : null)));
    if (prompts.length === 0) list.append(h('li.hint', 'None yet. Write a message, then keep it here under a name.'));
  };
  const failed = (error) => { list.prepend(h('li.error', { role: 'alert' }, sentence(error.message))); };
  const text = input.value.trim();
  const box = dialog('Saved prompts', list,
    text ? form({ label: 'Keep the message', action: 'Keep', submit: async (values, element) => {
      const prompt = await call('/prompt/create', { ...values, text });
      element.remove();
      say(`${prompt.name} was kept`);
      await load();
    } },
    h('h3', 'Keep what you have written'),
    h('div.pair',
      field('Name', h('input', { name: 'name', maxlength: '256', autocomplete: 'off' })),
      field('For', h('select', { name: 'group_id' }, h('option', { value: '' }, 'Only me'), app.me.groups.map((group) => h('option', { value: group.id }, group.name))))),
    h('p.hint', 'Where its text has ', h('code', PLACE), ', what you write goes there.')) : null);
  load().catch(failed);
}
