// A chat: its messages live, a place to write, and who is in it.

import { ApiError, call, modelNames } from './api.js';
import { adding, button, confirm, dialog, field, form, h, icon, iconButton, nameOf, people, say, sentence, showError } from './dom.js';
import { savedPrompts } from './saved.js';
import { ChatStream } from './stream.js';
import { Thread } from './thread.js';

// A reply that is silent so long is looked up: its end may have been missed.
const SILENCE = 20_000;
const PATIENCE = 500;
// The server itself waits no longer for its upstream's next word.
const FORLORN = 310_000;
// Others come and go without a word in the stream.
const ROLL_CALL = 20_000;

// Not sent yet, by chat: kept while the page is open, and nowhere else.
const drafts = new Map();

export class ChatView {
  #app; #id; #chat = null; #users = []; #thread; #stream = null; #timers; #isStale = false; #hidden = 0;
  #reading = null;
  #title = h('h1', { tabindex: '-1' });
  #about = h('p.hint');
  #status = h('p.banner', { role: 'status', hidden: true });
  #composer;
  #visible = () => this.#wake();

  constructor(app, id) {
    this.#app = app;
    this.#id = id;
    this.#thread = new Thread(app.me);
    this.#composer = this.#makeComposer();
    this.element = h('div.chat',
      h('header.bar',
        iconButton('back', 'All chats', () => { location.hash = '#/'; }, 'narrow'),
        h('div.grow', this.#title, this.#about),
        iconButton('settings', 'Chat settings and people', () => this.#openSettings())),
      this.#status, this.#thread.element, this.#composer);
    this.#stream = new ChatStream(id, {
      onOpen: () => {
        this.#status.hidden = true;
        this.#read();
      },
      onMessage: (message) => this.#take(message),
      onLost: () => {
        if (!this.#chat) return;
        this.#thread.miss();
        this.#status.textContent = navigator.onLine ? 'The connection was lost. Connecting again…' : 'You are offline. This goes on when you are back.';
        this.#status.hidden = false;
      },
      onRefused: () => this.#read(),
    });
    document.addEventListener('visibilitychange', this.#visible);
    // What was said is shown even where the stream is long in coming.
    setTimeout(() => { if (!this.#chat && this.#stream) this.#read(); }, PATIENCE);
    this.#timers = [
      setInterval(() => {
        this.#thread.giveUp(FORLORN);
        if (this.#thread.isSilent(SILENCE)) this.#read();
      }, SILENCE / 2),
      setInterval(() => { if (!document.hidden) this.#callRoll(); }, ROLL_CALL),
    ];
  }

  close() {
    this.#stream?.close();
    this.#stream = null;
    this.#timers.forEach(clearInterval);
    document.removeEventListener('visibilitychange', this.#visible);
  }

  focus() {
    if (matchMedia('(min-width: 45rem)').matches) this.#composer.elements.prompt.focus();
    else this.#title.focus();
  }

  // A laptop that slept has connections that look open.
  #wake() {
    if (document.hidden) {
      this.#hidden = Date.now();
      return;
    }
    if (Date.now() - this.#hidden > 60_000) this.#stream?.reconnect();
    else if (!this.#stream?.isOpen) this.#read();
  }

  // One at a time: what asks meanwhile is answered by one more.
  #read() {
    this.#isStale = this.#reading !== null;
    this.#reading ??= this.#readAll().finally(() => { this.#reading = null; });
    return this.#reading;
  }

  async #readAll() {
    try {
      do {
        this.#isStale = false;
        const since = Date.now();
        const { chat, messages, users } = await call('/chat/read', { id: this.#id });
        if (!this.#stream) return;
        this.#setChat(chat, users);
        this.#thread.merge(messages, since);
      } while (this.#isStale);
    } catch (error) {
      if (!this.#stream || error.status === 401) return;
      if (error.status === 404) this.#leave();
      else if (!this.#chat) {
        this.#status.textContent = `${sentence(error.message)} Trying again…`;
        this.#status.hidden = false;
      }
    }
  }

  /** Who is here, without what was said. A failure tells nothing new: the stream is there for that. */
  async #callRoll() {
    const { chat, users } = await call('/chat/read', { id: this.#id, limit: 0 }).catch(() => ({}));
    if (chat && this.#stream) this.#setChat(chat, users);
  }

  #leave() {
    this.close();
    this.element.replaceChildren(h('div.empty',
      h('h1', 'This chat is not here'), h('p', 'It was deleted, or you are no longer in it.'), h('a.button', { href: '#/' }, 'To your chats')));
    this.#app.refresh();
  }

  #setChat(chat, users) {
    this.#chat = chat;
    this.#users = users;
    this.#thread.setUsers(users);
    this.#title.textContent = chat.name;
    document.title = `${chat.name} · Turbo`;
    const others = this.#people.filter((user) => user.id !== this.#app.me.id).map(nameOf);
    const people = others.length === 0 ? 'only you' : `you${others.length > 3 ? ` and ${others.length} others` : `, ${others.join(', ')}`}`;
    this.#about.textContent = `${chat.model} · ${people}`;
  }

  get #people() { return this.#users.filter((user) => !user.DeletedAt); }

  #take(event) {
    this.#thread.take(event);
    if (!this.#thread.knows(event.message.user_id)) this.#read();
    if (!event.partial) this.#app.touch(this.#id, event.message.UpdatedAt);
  }

  #makeComposer() {
    const input = h('textarea', { name: 'prompt', rows: '1', placeholder: 'Message…', 'aria-label': 'Message', enterkeyhint: 'send', autocomplete: 'off', value: drafts.get(this.#id) ?? '' });
    const otr = h('input', { type: 'checkbox', role: 'switch', onchange: () => composer.classList.toggle('otr', otr.checked) });
    const send = h('button.send', { 'aria-label': 'Send', title: 'Send (Enter)' }, icon('send'));
    const grow = () => {
      input.style.height = 'auto';
      input.style.height = `${input.scrollHeight}px`;
      drafts.set(this.#id, input.value);
      send.disabled = !input.value.trim();
    };
    const composer = h('form.composer', { 'aria-label': 'Write a message', novalidate: true, onsubmit: (event) => {
      event.preventDefault();
      this.#send(composer, input, otr, grow);
    } },
    h('div.column',
      h('div.errors'),
      h('div.field.box', input, send),
      h('div.under', h('label.switch', { title: 'Kept in this chat, never sent to the model' }, otr, h('span.track', { 'aria-hidden': 'true' }), 'Off the record'),
        button('.link.plain', () => savedPrompts(this.#app, input), 'Saved prompts'), h('span.hint.keys', 'Enter sends · Shift+Enter begins a line'))));
    input.addEventListener('input', grow);
    input.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      composer.requestSubmit();
    });
    send.disabled = !input.value;
    requestAnimationFrame(grow);
    return composer;
  }

  async #send(composer, input, otr, grow) {
    const prompt = input.value;
    if (!prompt.trim() || composer.ariaBusy === 'true') return;
    composer.ariaBusy = 'true';
    try {
      const { message } = await call('/chat/prompt', { id: this.#id, prompt, otr: otr.checked, stream: true });
      composer.querySelector('.error')?.remove();
      if (input.value === prompt) input.value = '';
      grow();
      say(message.otr ? 'Kept, off the record' : 'Sent');
      // Whichever is first, this answer or the stream, makes the message appear.
      this.#thread.take({ message, partial: !message.otr });
      this.#app.touch(this.#id, message.UpdatedAt);
    } catch (error) {
      if (error.status === 404) this.#read();
      showError(composer, error instanceof ApiError ? Object.assign(error, { param: null }) : error);
    } finally {
      composer.ariaBusy = 'false';
    }
    input.focus();
  }

  async #openSettings() {
    if (!this.#chat) await this.#read();
    if (!this.#chat) return;
    const isOwner = this.#chat.user_id === this.#app.me.id;
    const list = h('ul.people');
    const show = () => list.replaceChildren(...people(this.#people, this.#chat.user_id, isOwner && (async (user) => {
      await call('/chat/user/remove', { chat_id: this.#id, user_id: user.id }).catch((error) => showError(box.querySelector('form.add'), error));
      await reload();
    })));
    const reload = async () => {
      await this.#read();
      show();
    };
    const group = this.#app.me.groups.find((one) => one.id === this.#chat.group_id);
    const known = h('datalist', { id: 'group-people' });
    let members = [];
    if (isOwner && group) {
      call('/group/members', { id: group.id }).then(({ users }) => {
        members = users;
        known.append(...users.filter((user) => !this.#people.some((one) => one.id === user.id)).map((user) => h('option', { value: user.username }, nameOf(user))));
      }).catch(() => {});
    }
    const box = dialog(isOwner ? 'Chat settings' : this.#chat.name,
      isOwner && form({ label: 'Chat', action: 'Save', submit: async ({ name, model }) => {
        await call('/chat/update', { id: this.#id, name, model });
        await this.#read();
        this.#app.refresh();
        box.close();
      } },
      field('Name', h('input', { name: 'name', value: this.#chat.name, maxlength: '256', autocomplete: 'off' })),
      modelField(this.#chat.model)),
      h('section',
        h('h3', 'Who is here'), list,
        isOwner && form({ label: 'Add someone', class: 'add', submit: async ({ username }, element) => {
          const user = members.find((one) => one.username === username) ?? await findUser(username);
          await call('/chat/user/add', { chat_id: this.#id, user_id: user.id });
          element.reset();
          await reload();
          say(`${nameOf(user)} was added`);
        } },
        adding('Add someone by username', { list: 'group-people' }), known),
        group && h('p.hint', 'This chat belongs to the group ', h('a', { href: `#/groups/${group.id}`, onclick: () => box.close() }, group.name), '.')),
      isOwner && h('section.danger-zone',
        button('.danger.quiet', () => {
          box.close();
          confirm('Delete this chat?', `“${this.#chat.name}” and all that was said in it goes, for everyone.`, 'Delete', async () => {
            await call('/chat/delete', { id: this.#id });
            this.close();
            await this.#app.refresh();
            location.hash = '#/';
          });
        }, 'Delete chat')));
    show();
  }
}

/** The user of that name, of whom nothing but id and names is told. */
export async function findUser(username) {
  if (!username.trim()) throw new ApiError(400, 'Write the username of who is to be added', 'username');
  return (await call('/user/find', { username: username.trim() })).user;
}

function modelField(value) {
  const list = h('datalist', { id: 'models' });
  modelNames().then((names) => list.append(...names.map((name) => h('option', { value: name }))));
  const element = field('Model', h('input', { name: 'model', value, list: 'models', maxlength: '128', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false' }));
  element.append(list);
  return element;
}

/** Asks for what a new chat needs. */
export function newChat(app, groupId) {
  const groups = app.me.groups;
  const select = h('select', { name: 'group_id' }, groups.map((group) => h('option', { value: group.id, selected: group.id === groupId }, group.name)));
  const box = dialog('New chat', form({ label: 'New chat', action: 'Create', cancel: () => box.close(), submit: async (values) => {
    const chat = await call('/chat/create', values);
    await app.refresh();
    box.close();
    location.hash = `#/chats/${chat.id}`;
  } },
  field('Name', h('input', { name: 'name', maxlength: '256', placeholder: 'general', autocomplete: 'off', autofocus: true })),
  modelField('gpt-3'),
  groups.length > 0 && field('Group', select, 'Its members can be added at a keystroke; they are not in the chat by themselves.')));
}
