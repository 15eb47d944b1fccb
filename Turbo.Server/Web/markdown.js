// A small part of Markdown, made of elements, never of markup: paragraphs, headings, lists, quotes, fenced code, and
// within a line code, bold, italics and links to http(s). What is none of these stays as it was written.

import { h } from './dom.js';

const INLINE = /(`+)([^`](?:.*?[^`])?)\1(?!`)|\*\*(\S(?:.*?\S)?)\*\*|(?<![*\w])\*(\S(?:[^*]*?\S)?)\*(?![*\w])|\[([^\]\n]{1,300})\]\((https?:\/\/[^\s()<>]{1,2000})\)|\bhttps?:\/\/[^\s<>"'`]{1,2000}/g;

const link = (url, text) => h('a', { href: url, rel: 'noopener noreferrer', target: '_blank' }, text);

function inline(text) {
  // Beyond this no line is prose, and looking for pairs costs more than it gives.
  if (text.length > 4000) return [text];
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(INLINE)) {
    if (found.index > end) nodes.push(text.slice(end, found.index));
    const [whole, ticks, code, bold, italic, label, url] = found;
    end = found.index + whole.length;
    if (ticks) nodes.push(h('code', code.trim() || code));
    else if (bold) nodes.push(h('strong', inline(bold)));
    else if (italic) nodes.push(h('em', inline(italic)));
    else if (url) nodes.push(link(url, label));
    else {
      const bare = whole.replace(/[.,;:!?)\]]+$/, '');
      nodes.push(link(bare, bare), whole.slice(bare.length));
    }
  }
  if (end < text.length) nodes.push(text.slice(end));
  return nodes;
}

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const QUOTE = /^ {0,3}> ?(.*)$/;
const isPlain = (line) => line.trim() && !FENCE.test(line) && !HEADING.test(line) && !ITEM.test(line) && !QUOTE.test(line);

/** The lines of one paragraph, quote or item with their breaks kept. */
const lines = (texts) => texts.flatMap((text, i) => (i ? [h('br'), ...inline(text)] : inline(text)));

function list(rows, at) {
  const [, indent, bullet] = ITEM.exec(rows[at]);
  const isOrdered = /\d/.test(bullet);
  const element = h(isOrdered ? 'ol' : 'ul', isOrdered && parseInt(bullet, 10) !== 1 ? { start: parseInt(bullet, 10) } : null);
  while (at < rows.length) {
    const found = ITEM.exec(rows[at]);
    if (!found || found[1].length < indent.length) break;
    if (found[1].length > indent.length + 1 && element.lastChild) {
      const [nested, next] = list(rows, at);
      element.lastChild.append(nested);
      at = next;
      continue;
    }
    if (/\d/.test(found[2]) !== isOrdered) break;
    const texts = [found[3]];
    for (at++; at < rows.length && isPlain(rows[at]); at++) texts.push(rows[at].trim());
    element.append(h('li', lines(texts)));
    // One empty line between items does not end the list.
    if (at + 1 < rows.length && !rows[at].trim() && ITEM.test(rows[at + 1])) at++;
  }
  return [element, at];
}

/** The blocks of a text. */
export function blocks(text) {
  const rows = text.split(/\r?\n/);
  const nodes = [];
  for (let at = 0; at < rows.length;) {
    const fence = FENCE.exec(rows[at]);
    const heading = HEADING.exec(rows[at]);
    if (!rows[at].trim()) at++;
    else if (fence) {
      const start = ++at;
      while (at < rows.length && !(rows[at].trim().startsWith(fence[1]) && /^[`~]+$/.test(rows[at].trim()))) at++;
      nodes.push(h('pre', { tabindex: '0', 'aria-label': fence[2] ? `Code, ${fence[2]}` : 'Code' }, h('code', rows.slice(start, at).join('\n'))));
      at++;
    } else if (heading) {
      // The page's own headings end at the second level.
      nodes.push(h(`h${Math.min(6, heading[1].length + 2)}`, inline(heading[2])));
      at++;
    } else if (ITEM.test(rows[at])) {
      const [element, next] = list(rows, at);
      nodes.push(element);
      at = next;
    } else if (QUOTE.test(rows[at])) {
      const texts = [];
      for (; at < rows.length && QUOTE.test(rows[at]); at++) texts.push(QUOTE.exec(rows[at])[1]);
      nodes.push(h('blockquote', lines(texts)));
    } else {
      const texts = [];
      for (; at < rows.length && isPlain(rows[at]); at++) texts.push(rows[at]);
      nodes.push(h('p', lines(texts)));
    }
  }
  return nodes;
}

/**
 * A text that grows: what an empty line has ended is made once and left alone, so that a long reply costs no more a word
 * than a short one.
 */
export class GrowingText {
  #element; #text = ''; #settled = 0; #tail = [];

  constructor(element) { this.#element = element; }

  get text() { return this.#text; }

  set(text) {
    if (!text.startsWith(this.#text)) {
      this.#element.replaceChildren();
      this.#settled = 0;
      this.#tail = [];
    }
    this.#text = text;
    this.#show();
  }

  #show() {
    for (const node of this.#tail) node.remove();
    const end = this.#settledEnd();
    if (end > this.#settled) {
      this.#element.append(...blocks(this.#text.slice(this.#settled, end)));
      this.#settled = end;
    }
    this.#tail = blocks(this.#text.slice(this.#settled));
    this.#element.append(...this.#tail);
  }

  // The last empty line that is in no fence and has no list around it, which would go on after it.
  #settledEnd() {
    let end = this.#settled, at = this.#settled, fence = null, isList = false;
    for (let next; (next = this.#text.indexOf('\n', at)) >= 0; at = next + 1) {
      const row = this.#text.slice(at, next).replace(/\r$/, '');
      const found = FENCE.exec(row);
      if (found && !fence) fence = found[1];
      else if (fence && row.trim().startsWith(fence)) fence = null;
      else if (!fence && row.trim()) isList = ITEM.test(row) || (isList && /^\s/.test(row));
      else if (!fence && !isList) end = next + 1;
    }
    return end;
  }
}
