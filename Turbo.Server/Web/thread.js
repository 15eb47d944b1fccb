// The messages of one chat on the screen: in the order in which they were asked, each once, however often and by
// whichever way it came.

import { h, icon, mark, nameOf, say, sentence, time } from './dom.js';
import { GrowingText } from './markdown.js';

// Of a long chat only so many are elements at first; earlier ones come when they are scrolled to.
const PAGE = 40;
const NEAR_END = 80;

// Times come with their fraction trimmed, so as texts they do not compare.
const instant = (message) => message.CreatedAt.replace(/(?:\.(\d+))?Z$/, (_, fraction = '') => `.${fraction.padEnd(9, '0')}`);
const isBefore = (a, b) => instant(a) < instant(b) || (instant(a) === instant(b) && a.id < b.id);

/** Speaks a reply sentence by sentence: word by word is no way to listen. */
class Speaker {
  #waiting = '';

  add(delta) {
    this.#waiting += delta;
    const end = Math.max(...['. ', '! ', '? ', '\n'].map((mark) => this.#waiting.lastIndexOf(mark)));
    if (end < 60) return;
    say(this.#waiting.slice(0, end + 1));
    this.#waiting = this.#waiting.slice(end + 1);
  }

  end() {
    if (this.#waiting.trim()) say(this.#waiting);
    this.#waiting = '';
  }
}

/** One prompt and its reply. */
class Exchange {
  #reply = h('div.prose');
  #state = h('p.note');
  #growing = new GrowingText(this.#reply);
  #isDue = false;
  speaker = new Speaker();
  text = '';
  isPartial = true;
  isLost = false;
  /** When the last word came: what is silent too long is looked up. */
  heard = Date.now();

  constructor(message, user, isOwn) {
    this.message = message;
    const prompt = h('div.bubble', message.prompt);
    this.element = h('article', { class: `exchange${isOwn ? ' own' : ''}${message.otr ? ' otr' : ''}`, 'aria-label': `${user ? nameOf(user) : 'Someone'} asked` },
      h('div.prompt',
        h('header', mark(user), h('b', isOwn ? 'You' : user ? nameOf(user) : 'Someone'), time(message.CreatedAt),
          message.otr ? h('span.tag', { title: 'Kept in this chat, never sent to the model' }, 'Off the record') : null),
        prompt),
      message.otr ? null : h('div.reply',
        h('header', h('span.mark.model', { 'aria-hidden': 'true' }, '✦'), h('b', message.model)), this.#reply, this.#state));
  }

  append(delta) {
    this.heard = Date.now();
    this.text += delta;
    this.speaker.add(delta);
    this.#later();
  }

  /** Words were missed: what stands there is not all. */
  miss() {
    if (this.isPartial && this.text && !this.text.endsWith(' … ')) this.append(' … ');
  }

  finish(message, error) {
    this.message = message;
    this.isPartial = this.isLost = false;
    this.text = message.reply;
    this.speaker.end();
    this.#state.replaceChildren();
    if (error) this.#state.append(h('span.error', { role: 'alert' }, sentence(error)));
    this.#later();
  }

  // At most once a frame, whatever the pace of the words.
  #later() {
    if (this.#isDue) return;
    this.#isDue = true;
    const show = () => {
      this.#isDue = false;
      this.render();
    };
    if (document.hidden) setTimeout(show, 250);
    else requestAnimationFrame(show);
  }

  render() {
    this.#growing.set(this.text);
    this.#reply.classList.toggle('coming', this.isPartial);
    this.element.setAttribute('aria-busy', String(this.isPartial));
    if (this.isPartial && !this.text) this.#state.replaceChildren(h('span.dots', { role: 'img', 'aria-label': 'The reply is coming' }, h('i'), h('i'), h('i')));
    else if (this.isPartial || !this.#state.querySelector('.error')) this.#state.replaceChildren();
    if (!this.isPartial && !this.text && !this.message.otr && !this.#state.firstChild) this.#state.append('No words came.');
    this.onrender?.();
  }
}

export class Thread {
  #me; #users = new Map(); #byId = new Map(); #order = []; #shown = 0; #isAtEnd = true; #isFilled = false;
  #list = h('div.exchanges');
  #earlier = h('button.quiet.earlier', { type: 'button', hidden: true, onclick: () => this.#showEarlier() }, 'Show earlier messages');
  #empty = h('div.empty', h('p', 'Nothing was said here yet.'), h('p.hint', 'Ask something below; everyone in the chat sees the reply as it comes.'));
  #jump = h('button.jump', { type: 'button', hidden: true, 'aria-label': 'To the latest message', onclick: () => this.toEnd() }, icon('down'));

  constructor(me) {
    this.#me = me;
    this.#empty.hidden = true;
    this.scroller = h('div.thread', { role: 'log', 'aria-live': 'off', 'aria-label': 'Messages', tabindex: '0' },
      h('div.column', this.#earlier, this.#empty, this.#list));
    this.element = h('div.thread-box', this.scroller, this.#jump);
    this.scroller.addEventListener('scroll', () => this.#noteScroll(), { passive: true });
    new ResizeObserver(() => this.#follow()).observe(this.scroller);
  }

  /** Whether a reply is coming of which nothing was heard for so long. */
  isSilent(ms) {
    return [...this.#byId.values()].some((one) => one.isPartial && Date.now() - one.heard > ms);
  }

  setUsers(users) {
    for (const user of users) this.#users.set(user.id, user);
  }

  knows(userId) { return this.#users.has(userId); }

  /** What the server has stored, as of a question asked at `since`: what came live after that may not be in it. */
  merge(messages, since) {
    const stored = new Set(messages.map((message) => message.id));
    for (const one of [...this.#order]) {
      if (!stored.has(one.message.id) && !one.isPartial && one.heard < since) this.#remove(one);
    }
    for (const message of messages) {
      const known = this.#byId.get(message.id);
      if (!known) this.#add(message).finish(message);
      else if (known.isPartial || known.isLost) known.finish(message);
    }
    if (!this.#isFilled) {
      this.#isFilled = true;
      this.#shown = Math.max(0, this.#order.length - PAGE);
      const shown = this.#order.slice(this.#shown);
      for (const one of shown) one.render();
      this.#list.replaceChildren(...shown.map((one) => one.element));
      this.toEnd();
    }
    this.#update();
  }

  /** The connection was lost and is back: of what comes, words may be missing. */
  miss() {
    for (const one of this.#byId.values()) one.miss();
  }

  /** Gives up replies of which nothing was heard for so long, until they are found stored. */
  giveUp(ms) {
    for (const one of this.#byId.values()) {
      if (!one.isPartial || Date.now() - one.heard < ms) continue;
      one.finish({ ...one.message, reply: one.text }, 'nothing more was heard of this reply');
      one.isLost = true;
    }
  }

  /** One from the stream: a piece of a reply, or a whole message. */
  take({ message, partial, error }) {
    let one = this.#byId.get(message.id);
    if (one && !one.isPartial) return;
    const isNew = !one;
    one ??= this.#add(message);
    if (!partial) {
      one.finish(message, error);
      one.heard = Date.now();
    } else {
      // Who joins late has missed the beginning.
      if (isNew && message.reply) one.append('… ');
      one.append(message.reply);
    }
    if (isNew && message.user_id === this.#me.id) this.toEnd();
    this.#update();
  }

  toEnd() {
    this.#isAtEnd = true;
    this.#follow();
  }

  #add(message) {
    const one = new Exchange(message, this.#users.get(message.user_id), message.user_id === this.#me.id);
    one.onrender = () => this.#follow();
    let at = this.#order.length;
    while (at > 0 && isBefore(message, this.#order[at - 1].message)) at--;
    this.#order.splice(at, 0, one);
    this.#byId.set(message.id, one);
    // The first time all come at once, and are shown when they have.
    if (!this.#isFilled) return one;
    if (at < this.#shown) this.#shown++;
    else this.#list.insertBefore(one.element, this.#order[at + 1]?.element ?? null);
    return one;
  }

  #remove(one) {
    const at = this.#order.indexOf(one);
    this.#order.splice(at, 1);
    if (at < this.#shown) this.#shown--;
    this.#byId.delete(one.message.id);
    one.element.remove();
  }

  #showEarlier() {
    const height = this.scroller.scrollHeight, top = this.scroller.scrollTop;
    const first = this.#list.firstChild;
    const from = Math.max(0, this.#shown - PAGE);
    for (const one of this.#order.slice(from, this.#shown)) {
      this.#list.insertBefore(one.element, first);
      one.render();
    }
    this.#shown = from;
    this.#update();
    this.scroller.scrollTop = top + this.scroller.scrollHeight - height;
  }

  #noteScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
    this.#jump.hidden = this.#isAtEnd;
    if (scrollTop < 200 && this.#shown > 0 && !this.#isAtEnd) this.#showEarlier();
  }

  // Whoever reads at the end stays there; whoever reads above is left alone.
  #follow() {
    if (this.#isAtEnd) this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#jump.hidden = this.#isAtEnd;
  }

  #update() {
    this.#earlier.hidden = this.#shown === 0;
    this.#empty.hidden = !this.#isFilled || this.#order.length > 0;
    this.#follow();
  }
}
