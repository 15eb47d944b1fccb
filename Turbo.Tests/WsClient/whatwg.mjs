// What a client of the WebSocket API (https://websockets.spec.whatwg.org) may expect of the echo at `url`, which offers
// compression and takes messages of up to `limit` bytes. Imports nothing: it runs in a browser's page as well.
export const names = [
  'echoes', 'text', 'blobs', 'large', 'many', 'crowd', 'compression', 'close_codes', 'close_without_code', 'close_while_sending', 'too_large', 'refused',
];

export function makeChecks(WebSocket, { url, limit }) {
  const fail = (message) => { throw new Error(message); };
  const equal = (got, wanted, what) => { if (got !== wanted) fail(`${what}: ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`); };

  async function open(to = url) {
    const socket = new WebSocket(to);
    socket.binaryType = 'arraybuffer';
    const messages = [];
    const waiting = [];
    socket.onmessage = ({ data }) => (waiting.length ? waiting.shift()(data) : messages.push(data));
    socket.next = () => (messages.length ? Promise.resolve(messages.shift()) : new Promise((resolve) => waiting.push(resolve)));
    socket.closed = new Promise((resolve) => { socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean }); });
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error(`${to} does not open`));
    });
    socket.onerror = null;
    return socket;
  }

  async function close(socket, ...args) {
    socket.close(...args);
    const { code, reason, wasClean } = await socket.closed;
    equal(wasClean, true, 'wasClean');
    return { code, reason };
  }

  function same(got, sent, what) {
    if (typeof sent === 'string') return got === sent || fail(`${what}: text of ${sent.length} differs, it has ${got?.length ?? typeof got}`);
    if (!(got instanceof ArrayBuffer) || got.byteLength !== sent.length) fail(`${what}: ${sent.length} bytes became ${got?.byteLength ?? typeof got}`);
    const bytes = new Uint8Array(got);
    for (let i = 0; i < sent.length; i++) if (bytes[i] !== sent[i]) fail(`${what}: octet ${i} of ${sent.length} differs`);
  }

  async function echo(socket, data, what = 'echo') {
    socket.send(data);
    same(await socket.next(), data, what);
  }

  // What compression cannot shorten.
  function noise(size) {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65536, size)));
    return bytes;
  }

  const sizes = [0, 1, 125, 126, 127, 1000, 65535, 65536, 131071];

  return {
    // Twice, so that a compressed message can refer to one before it.
    async echoes() {
      const socket = await open();
      for (let round = 0; round < 2; round++) {
        const sent = sizes.flatMap((size) => [noise(size), new Uint8Array(size).fill(7), 'x'.repeat(size)]);
        for (const message of sent) socket.send(message);
        for (const message of sent) same(await socket.next(), message, 'echo');
      }
      await close(socket);
    },

    async text() {
      const socket = await open();
      const texts = ['', '\u0000', 'caf\u00e9', '\u20ac\u{1F600}', '\uFFFE\uFFFF\u{10FFFF}', '\u{1F469}\u200D\u{1F680}'.repeat(1000), '\r\n\t\\"'];
      for (const text of texts) await echo(socket, text, JSON.stringify(text.slice(0, 20)));
      // Of every length of a code point, at every place within a frame of 126.
      for (let shift = 0; shift < 5; shift++) await echo(socket, 'a'.repeat(122 + shift) + '\u{1F600}\u20ac\u00e9');
      // A lone surrogate is no text: the API sends U+FFFD for it.
      socket.send('a\uD800b');
      equal(await socket.next(), 'a\uFFFDb', 'a lone surrogate');
      await close(socket);
    },

    async blobs() {
      const socket = await open();
      socket.binaryType = 'blob';
      const sent = noise(70000);
      socket.send(new Blob([sent]));
      const got = await socket.next();
      if (!(got instanceof Blob)) fail(`not a Blob but ${typeof got}`);
      same(await got.arrayBuffer(), sent, 'blob');
      await close(socket);
    },

    // A client sends these in as many frames as it likes.
    async large() {
      const socket = await open();
      const size = Math.min(limit, 1024 * 1024);
      await echo(socket, noise(size), 'noise');
      await echo(socket, new Uint8Array(size), 'zeros');
      await echo(socket, '\u20ac'.repeat(Math.floor(size / 3)), 'text');
      await close(socket);
    },

    async many() {
      const socket = await open();
      const message = (i) => `message ${i} ${'\u00fcber '.repeat(i % 50)}`;
      for (let i = 0; i < 1000; i++) socket.send(i % 5 ? message(i) : new Uint8Array(i).fill(i));
      for (let i = 0; i < 1000; i++) same(await socket.next(), i % 5 ? message(i) : new Uint8Array(i).fill(i), `number ${i}`);
      await close(socket);
    },

    // Chromium opens more than a few at a time ever more slowly.
    async crowd() {
      const sockets = await Promise.all(Array.from({ length: 5 }, () => open()));
      await Promise.all(sockets.map(async (socket, i) => {
        for (let round = 0; round < 3; round++) await echo(socket, `${i} ${round} ${'y'.repeat(i * 100)}`);
        await close(socket);
      }));
    },

    async compression() {
      const socket = await open();
      if (!/^permessage-deflate/.test(socket.extensions)) fail(`extensions: "${socket.extensions}"`);
      equal(socket.protocol, '', 'protocol');
      await close(socket);
    },

    async close_codes() {
      for (const code of [1000, 3000, 3999, 4000, 4999]) {
        for (const reason of ['', 'why', '\u20ac'.repeat(41)]) {
          const closed = await close(await open(), code, reason);
          equal(closed.code, code, 'code');
          equal(closed.reason, reason, 'reason');
        }
      }
    },

    async close_without_code() {
      const closed = await close(await open());
      equal(closed.code, 1005, 'code');
      equal(closed.reason, '', 'reason');
    },

    // All that was sent before is answered before the Close frame.
    async close_while_sending() {
      const socket = await open();
      for (let i = 0; i < 100; i++) socket.send(noise(1000));
      socket.send('last');
      socket.close(4001, 'enough');
      const closed = await socket.closed;
      equal(closed.code, 4001, 'code');
      equal(closed.wasClean, true, 'wasClean');
    },

    async too_large() {
      const socket = await open();
      socket.send(new Uint8Array(limit + 1));
      const { code } = await socket.closed;
      equal(code, 1009, 'code');
    },

    async refused() {
      const error = await open(`${url}/nowhere`).then(() => null, (e) => e);
      if (!error) fail('a path without a WebSocket opened');
      await echo(await open(), 'the next one opens');
    },
  };
}
