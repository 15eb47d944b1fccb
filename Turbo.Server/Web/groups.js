// Groups: who is in them, and, for their owners, who is to be.

import { call } from './api.js';
import { findUser, newChat } from './chat.js';
import { confirm, dialog, field, form, h, icon, iconButton, mark, nameOf, say, showError } from './dom.js';
import { page } from './page.js';

const name = (value = '') => field('Name', h('input', { name: 'name', value, maxlength: '30', autocomplete: 'off', autofocus: true }));
const description = (value = '') => field('Description', h('input', { name: 'description', value, maxlength: '256', autocomplete: 'off' }));

function edit(title, group, action, run) {
  const box = dialog(title, form({ label: title, submit: async (values) => {
    await run(values);
    box.close();
  } },
  name(group?.name), description(group?.description),
  h('div', { class: 'errors' }),
  h('div', { class: 'buttons' }, h('button', { type: 'button', class: 'quiet', onclick: () => box.close() }, 'Cancel'), h('button', null, action))));
}

export function groupsPage(app) {
  const groups = app.me.groups;
  return page('Groups', 'People who chat together. Chats of a group are at home here; its members see who else is in it.',
    h('button', { type: 'button', onclick: () => edit('New group', null, 'Create', async (values) => {
      const group = await call('/group/create', values);
      await app.refresh();
      location.hash = `#/groups/${group.id}`;
    }) }, icon('plus'), 'New group'),
    groups.length === 0 ? h('div', { class: 'empty' }, h('p', null, 'You are in no group.')) : h('ul', { class: 'cards' }, groups.map((group) =>
      h('li', null, h('a', { class: 'card', href: `#/groups/${group.id}` },
        h('b', null, group.name), group.owner_id === app.me.id ? h('span', { class: 'tag' }, 'Owner') : null,
        h('span', { class: 'hint' }, group.description || 'No description'))))));
}

export function groupPage(app, id) {
  const people = h('ul', { class: 'people' });
  const element = h('div', { class: 'page' });
  const load = async () => {
    const [group, { users }] = await Promise.all([call('/group/read', { id }), call('/group/members', { id })]);
    show(group, users);
  };
  const leave = async () => {
    await call('/group/members/remove', { id, user_ids: [app.me.id] });
    await app.refresh();
    location.hash = '#/groups';
  };
  const show = (group, users) => {
    const isOwner = group.owner_id === app.me.id;
    people.replaceChildren(...users.map((user) => h('li', null, mark(user),
      h('span', { class: 'grow' }, h('b', null, nameOf(user)), h('span', { class: 'hint' }, user.username)),
      user.id === group.owner_id ? h('span', { class: 'tag' }, 'Owner')
        : isOwner ? iconButton('close', `Remove ${nameOf(user)}`, async (event) => {
          event.currentTarget.disabled = true;
          await call('/group/members/remove', { id, user_ids: [user.id] }).catch((error) => showError(element.querySelector('form'), error));
          await load();
        }) : null)));
    element.replaceChildren(...page(group.name, group.description,
      h('div', { class: 'row' },
        h('button', { type: 'button', onclick: () => newChat(app, id) }, icon('plus'), 'New chat here'),
        isOwner ? h('button', { type: 'button', class: 'quiet', onclick: () => edit('Edit group', group, 'Save', async (values) => {
          await call('/group/update', { id, ...values });
          await Promise.all([load(), app.refresh()]);
        }) }, 'Edit') : null),
      h('section', null, h('h2', null, 'Members'), people,
        isOwner ? form({ label: 'Add a member', submit: async ({ username }, adding) => {
          const user = await findUser(username);
          await call('/group/members/add', { id, user_ids: [user.id] });
          adding.reset();
          await load();
          say(`${nameOf(user)} was added`);
          element.querySelector('input')?.focus();
        } },
        field('Add a member by username', h('div', { class: 'row' }, h('input', { name: 'username', autocomplete: 'off', autocapitalize: 'none' }), h('button', { class: 'quiet' }, 'Add')))) : null),
      h('section', { class: 'danger-zone' }, isOwner
        ? h('button', { type: 'button', class: 'danger quiet', onclick: () => confirm('Delete this group?', `“${group.name}” goes for all its members. Chats that were begun in it stay.`, 'Delete', async () => {
          await call('/group/delete', { id });
          await app.refresh();
          location.hash = '#/groups';
        }) }, 'Delete group')
        : h('button', { type: 'button', class: 'danger quiet', onclick: () => confirm('Leave this group?', `You will no longer see who is in “${group.name}”.`, 'Leave', leave) }, 'Leave group'))).childNodes);
  };
  load().catch((error) => {
    if (error.status === 401) return;
    element.replaceChildren(...page('This group is not here', 'It was deleted, or you are no longer in it.', h('a', { class: 'button', href: '#/groups' }, 'To your groups')).childNodes);
  });
  return element;
}
