// A chat's live messages: over a WebSocket, which takes none of the few connections that a browser grants a site; as
// server-sent events where something on the way lets no WebSocket through. Comes back by itself after every loss.

const POLICY_VIOLATION = 1008;
const LONGEST_WAIT = 15_000;

export class ChatStream {
  #id; #handlers; #source = null; #timer = 0; #failures = 0; #refusals = 0; #isOver = false;
  #online = () => this.reconnect();

  /** `onOpen`: messages come from now on. `onMessage`: one came. `onLost`: none come; `onRefused`: access may be gone. */
  constructor(id, handlers) {
    this.#id = id;
    this.#handlers = handlers;
    addEventListener('online', this.#online);
    this.#connect();
  }

  close() {
    this.#isOver = true;
    removeEventListener('online', this.#online);
    this.#drop();
  }

  /** Connects anew, now: after sleep a connection looks open that is not. */
  reconnect() {
    if (this.#isOver) return;
    this.#drop();
    this.#connect();
  }

  get isOpen() { return this.#source?.readyState === 1; }

  #drop() {
    clearTimeout(this.#timer);
    const source = this.#source;
    this.#source = null;
    source?.close();
  }

  #connect() {
    const path = `/chat/stream?id=${encodeURIComponent(this.#id)}`;
    const isSocket = 'WebSocket' in globalThis && this.#refusals < 2;
    const source = isSocket ? new WebSocket(location.origin.replace(/^http/, 'ws') + path) : new EventSource(path);
    this.#source = source;
    let wasOpen = false;
    source.onopen = () => {
      if (source !== this.#source) return;
      wasOpen = true;
      this.#failures = this.#refusals = 0;
      this.#handlers.onOpen();
    };
    source.onmessage = (event) => {
      if (source === this.#source) this.#handlers.onMessage(JSON.parse(event.data));
    };
    const lost = (code) => {
      if (source !== this.#source) return;
      source.close();
      this.#source = null;
      if (isSocket && !wasOpen && navigator.onLine) this.#refusals++;
      // It falls back for as long as it lasts, not for good.
      if (!isSocket && wasOpen) this.#refusals = 2;
      this.#handlers.onLost();
      if (code === POLICY_VIOLATION || !wasOpen) this.#handlers.onRefused();
      const wait = Math.min(LONGEST_WAIT, 400 * 2 ** this.#failures++) * (0.75 + Math.random() / 2);
      if (!this.#isOver) this.#timer = setTimeout(() => this.#connect(), wait);
    };
    if (isSocket) source.onclose = (event) => lost(event.code);
    else source.onerror = () => lost(0);
  }
}
