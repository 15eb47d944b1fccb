// What every page but the chat looks like.

import { h, iconButton } from './dom.js';

export function page(title, about, ...children) {
  document.title = `${title} · Turbo`;
  return h('div.page',
    h('header.bar.narrow', iconButton('back', 'Menu', () => { location.hash = '#/'; })),
    h('div.column', h('h1', { tabindex: '-1' }, title), about ? h('p.about', about) : null, ...children));
}
