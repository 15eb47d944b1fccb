// Groups: who is in them, and, for their owners, who is to be.

import { call } from './api.js';
import { findUser, newChat } from './chat.js';
import { adding, button, confirm, dialog, field, form, h, icon, nameOf, people, say, showError } from './dom.js';
import { page } from './page.js';

function edit(title, group, action, run) {
  const text = (label, name, most, more) => field(label, h('input', { name, value: group?.[name] ?? '', maxlength: most, autocomplete: 'off', ...more }));
  const box = dialog(title, form({ label: title, action, cancel: () => box.close(), submit: async (values) => {
    await run(values);
    box.close();
  } }, text('Name', 'name', '30', { autofocus: true }), text('Description', 'description', '256')));
}

export function groupsPage(app) {
  const groups = app.me.groups;
  return page('Groups', 'People who chat together. Chats of a group are at home here; its members see who else is in it.',
    button('', () => edit('New group', null, 'Create', async (values) => {
      const group = await call('/group/create', values);
      await app.refresh();
      location.hash = `#/groups/${group.id}`;
    }), icon('plus'), 'New group'),
    groups.length === 0 ? h('div.empty', h('p', 'You are in no group.')) : h('ul.cards', groups.map((group) =>
      h('li', h('a.card', { href: `#/groups/${group.id}` },
        h('b', group.name), group.owner_id === app.me.id && h('span.tag', 'Owner'),
        h('span.hint', group.description || 'No description'))))));
}

export function groupPage(app, id) {
  const list = h('ul.people');
  const element = h('div.page');
  const load = async () => {
    const [group, { users }] = await Promise.all([call('/group/read', { id }), call('/group/members', { id })]);
    show(group, users);
  };
  const toGroups = async () => {
    await app.refresh();
    location.hash = '#/groups';
  };
  const show = (group, users) => {
    const isOwner = group.owner_id === app.me.id;
    list.replaceChildren(...people(users, group.owner_id, isOwner && (async (user) => {
      await call('/group/members/remove', { id, user_ids: [user.id] }).catch((error) => showError(element.querySelector('form'), error));
      await load();
    })));
    element.replaceChildren(...page(group.name, group.description,
      h('div.row',
        button('', () => newChat(app, id), icon('plus'), 'New chat here'),
        isOwner && button('.quiet', () => edit('Edit group', group, 'Save', async (values) => {
          await call('/group/update', { id, ...values });
          await Promise.all([load(), app.refresh()]);
        }), 'Edit')),
      h('section', h('h2', 'Members'), list,
        isOwner && form({ label: 'Add a member', submit: async ({ username }, added) => {
          const user = await findUser(username);
          await call('/group/members/add', { id, user_ids: [user.id] });
          added.reset();
          await load();
          say(`${nameOf(user)} was added`);
          element.querySelector('input')?.focus();
        } }, adding('Add a member by username'))),
      h('section.danger-zone', isOwner
        ? button('.danger.quiet', () => confirm('Delete this group?', `“${group.name}” goes for all its members. Chats that were begun in it stay.`, 'Delete', async () => {
          await call('/group/delete', { id });
          await toGroups();
        }), 'Delete group')
        : button('.danger.quiet', () => confirm('Leave this group?', `You will no longer see who is in “${group.name}”.`, 'Leave', async () => {
          await call('/group/members/remove', { id, user_ids: [app.me.id] });
          await toGroups();
        }), 'Leave group'))).childNodes);
  };
  load().catch((error) => {
    if (error.status === 401) return;
    element.replaceChildren(...page('This group is not here', 'It was deleted, or you are no longer in it.', h('a.button', { href: '#/groups' }, 'To your groups')).childNodes);
  });
  return element;
}
