// The page: who is logged in, what they have, and which part of it is shown. The address's fragment says which.

import { call, onLoggedOut } from './api.js';
import { ChatView, newChat } from './chat.js';
import { button, field, form, h, icon, iconButton, mark, nameOf, say, sentence, time } from './dom.js';
import { accountPage, usagePage } from './account.js';
import { groupPage, groupsPage } from './groups.js';

const root = document.getElementById('app');
// Others may have added the user to a chat of theirs.
const REFRESH = 60_000;

class App {
  me = null;
  #chats = [];
  #view = null;
  #refreshing = null;
  #list = h('ul.chats');
  #main = h('main', { id: 'main', tabindex: '-1' });
  #who = h('a.who', { href: '#/account' });

  async start() {
    onLoggedOut(() => this.#showLogIn());
    addEventListener('hashchange', () => this.#route());
    // From the browser's memory of pages: the session may have ended since.
    addEventListener('pageshow', (event) => { if (event.persisted) this.#enter(); });
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.refresh(); });
    setInterval(() => { if (!document.hidden) this.refresh(); }, REFRESH);
    await this.#enter();
  }

  async #enter() {
    try {
      ({ user: this.me } = await call('/user/session'));
      ({ chats: this.#chats } = await call('/chat/index'));
    } catch (error) {
      if (error.status !== 401) this.#showFailure(error);
      return;
    }
    this.#showShell();
  }

  #showFailure(error) {
    root.replaceChildren(h('main.alone', h('h1', 'Turbo'), h('p', { role: 'alert' }, sentence(error.message)),
      button('', () => this.#enter(), 'Try again')));
  }

  // One at a time for all who ask.
  refresh() {
    if (!this.me) return Promise.resolve();
    this.#refreshing ??= Promise.all([call('/user/session'), call('/chat/index')]).then(([{ user }, { chats }]) => {
      this.me = user;
      this.#chats = chats;
      this.#showChats();
    }).catch(() => {}).finally(() => { this.#refreshing = null; });
    return this.#refreshing;
  }

  /** A chat was used: it goes to the top. */
  touch(id, at) {
    const chat = this.#chats.find((one) => one.id === id);
    if (!chat) return;
    chat.UpdatedAt = at;
    this.#chats = [chat, ...this.#chats.filter((one) => one !== chat)];
    this.#showChats();
  }

  #close() {
    this.#view?.close?.();
    this.#view = null;
    for (const box of document.querySelectorAll('dialog')) box.close();
  }

  #showLogIn(isNew = false) {
    this.#close();
    this.me = null;
    this.#chats = [];
    document.title = 'Turbo';
    const title = isNew ? 'Create your account' : 'Log in';
    const other = button('.link', () => this.#showLogIn(!isNew), isNew ? 'Log in' : 'Create an account');
    const element = form({ label: title, action: isNew ? 'Create account' : 'Log in', kind: '.wide', submit: async (values) => {
      if (!values.first_name) delete values.first_name;
      // Without one the server makes a password up, which nobody would see here.
      if (!values.password) throw Object.assign(new Error('choose a password'), { param: 'password' });
      await call(isNew ? '/user/signup' : '/user/login', values);
      await this.#enter();
    } },
    isNew && field('Your name', h('input', { name: 'first_name', autocomplete: 'given-name', maxlength: '254' })),
    field('Email or username', h('input', { name: 'username', autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', maxlength: '254' })),
    field('Password', h('input', { name: 'password', type: 'password', autocomplete: isNew ? 'new-password' : 'current-password' })));
    root.replaceChildren(h('main.alone',
      h('p.brand', h('span.logo', { 'aria-hidden': 'true' }), 'Turbo'),
      h('h1', title), element, h('p.hint', isNew ? 'You have an account? ' : 'New here? ', other)));
    element.querySelector('input').focus();
  }

  async #logOut() {
    await call('/user/logout').catch((error) => { if (error.status !== 401) throw error; });
    history.replaceState(null, '', location.pathname);
    this.#showLogIn();
    say('You are logged out');
  }

  #showShell() {
    const nav = (href, name, label) => h('li', h('a', { href }, icon(name), label));
    root.replaceChildren(h('div.shell',
      h('a.skip', { href: '#main', onclick: (event) => { event.preventDefault(); this.#main.focus(); } }, 'Skip to the content'),
      h('nav.side', { 'aria-label': 'Turbo' },
        h('div.side-head', h('a.brand', { href: '#/' }, h('span.logo', { 'aria-hidden': 'true' }), 'Turbo'),
          button('.new', () => newChat(this), icon('plus'), 'New chat')),
        h('h2.unseen', 'Chats'), this.#list,
        h('ul.links', nav('#/groups', 'people', 'Groups'), nav('#/usage', 'chart', 'Usage')),
        h('div.side-foot', this.#who, iconButton('leave', 'Log out', () => this.#logOut()))),
      this.#main));
    this.#showChats();
    this.#route();
  }

  #showChats() {
    const groups = new Map(this.me.groups.map((group) => [group.id, group.name]));
    // Focus stays with the chat that has it.
    const focused = this.#list.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
    this.#list.replaceChildren(...this.#chats.map((chat) => h('li',
      h('a', { href: `#/chats/${chat.id}` }, h('b', chat.name), h('span.hint', groups.get(chat.group_id) ?? 'Shared with you', ' · ', time(chat.UpdatedAt))))));
    if (this.#chats.length === 0) this.#list.append(h('li.hint.none', 'No chats yet.'));
    this.#who.replaceChildren(mark(this.me), h('span.grow', h('b', nameOf(this.me)), h('span.hint', this.me.username)));
    this.#mark();
    if (focused) this.#list.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  }

  #mark() {
    for (const link of root.querySelectorAll('.side a[href^="#/"]')) {
      const is = link.hash === location.hash || (link.hash === '#/groups' && location.hash.startsWith('#/groups/'));
      if (is && link.hash !== '#/') link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
  }

  #route() {
    if (!this.me) return;
    this.#close();
    const [, kind, id] = location.hash.split('/');
    // Narrow screens show either the list or what was chosen from it.
    root.firstChild.classList.toggle('chosen', Boolean(kind));
    this.#mark();
    if (kind === 'chats' && id) {
      this.#view = new ChatView(this, id);
      this.#main.replaceChildren(this.#view.element);
      this.#view.focus();
      return;
    }
    const element = kind === 'groups' && id ? groupPage(this, id) : kind === 'groups' ? groupsPage(this) : kind === 'usage' ? usagePage() : kind === 'account' ? accountPage(this) : this.#welcome();
    this.#main.replaceChildren(element);
    if (kind) (element.querySelector('h1') ?? this.#main).focus();
  }

  #welcome() {
    document.title = 'Turbo';
    return h('div.empty.welcome',
      h('span.logo.large', { 'aria-hidden': 'true' }),
      h('h1', this.#chats.length ? 'Choose a chat' : `Welcome, ${nameOf(this.me)}`),
      h('p', this.#chats.length ? 'Or begin a new one.' : 'Begin a chat. Whoever you add to it sees every reply as it comes.'),
      button('', () => newChat(this), icon('plus'), 'New chat'));
  }
}

new App().start();
