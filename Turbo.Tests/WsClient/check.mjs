// The unmodified ws package against the echo at URL, which offers compression, takes messages of up to 1 MiB and any
// subprotocol.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import WebSocket from 'ws';
import { runChecks } from '../Support/checks.mjs';

const { URL: url } = process.env;
assert(url, 'URL must be set');

const LIMIT = 1024 * 1024;

async function open(options = {}, protocols = []) {
  const socket = new WebSocket(url, protocols, { perMessageDeflate: false, ...options });
  const messages = [];
  const waiting = [];
  socket.on('message', (data, isBinary) => {
    const message = { data, isBinary };
    if (waiting.length) waiting.shift()(message);
    else messages.push(message);
  });
  socket.next = () => (messages.length ? messages.shift() : new Promise((resolve) => waiting.push(resolve)));
  // A failure is seen by the close event, too.
  socket.on('error', (error) => { socket.failure = error; });
  await once(socket, 'open');
  return socket;
}

async function close(socket, code = 1000, reason = '') {
  socket.close(code, reason);
  const [got, why] = await once(socket, 'close');
  assert.equal(socket.failure, undefined);
  return [got, why.toString()];
}

async function closed(socket) {
  const [code, reason] = await once(socket, 'close');
  return [code, reason.toString()];
}

const json = (records) => JSON.stringify(Array.from({ length: records }, (_, i) => ({ id: i, name: `naïve user ${(i * 7919) % 1000}`, partial: i % 3 === 0 })));

async function echo(socket, data) {
  const isBinary = typeof data !== 'string';
  socket.send(data);
  const answer = await socket.next();
  assert.equal(answer.isBinary, isBinary);
  assert(answer.data.equals(Buffer.from(data)), `an echo of ${data.length} differs, it has ${answer.data.length}`);
}

// All sizes twice, so that a message can refer to one before it.
async function echoes(options) {
  const socket = await open(options);
  if (options.perMessageDeflate) assert.match(socket.extensions, /permessage-deflate/);
  else assert.equal(socket.extensions, '');
  for (let round = 0; round < 2; round++) {
    for (const size of [0, 1, 125, 126, 127, 128, 1000, 65535, 65536]) {
      await echo(socket, randomBytes(size));
      await echo(socket, 'x'.repeat(size));
      await echo(socket, json(size / 50));
    }
    await echo(socket, randomBytes(LIMIT));
  }
  // Fragments, with a ping in between.
  socket.send(json(10), { fin: false });
  socket.ping('between');
  socket.send('', { fin: false });
  socket.send(json(20), { fin: true });
  assert.equal((await once(socket, 'pong'))[0].toString(), 'between');
  assert.equal((await socket.next()).data.toString(), json(10) + json(20));
  // Many at once.
  for (let i = 0; i < 500; i++) socket.send(`message ${i} ${json(i % 20)}`);
  for (let i = 0; i < 500; i++) assert.equal((await socket.next()).data.toString(), `message ${i} ${json(i % 20)}`);
  assert.deepEqual(await close(socket), [1000, '']);
}

const checks = {
  plain: () => echoes({}),
  async ping() {
    const socket = await open();
    for (const payload of ['', 'p', 'x'.repeat(125)]) {
      socket.ping(payload);
      assert.equal((await once(socket, 'pong'))[0].toString(), payload);
    }
    await close(socket);
  },
  async close_codes() {
    for (const code of [1000, 1001, 1003, 1007, 1011, 3000, 4999]) assert.deepEqual(await close(await open(), code, 'why'), [code, 'why']);
  },
  async close_without_code() {
    const socket = await open();
    socket.close();
    assert.deepEqual(await closed(socket), [1005, '']);
  },
  async too_large() {
    const socket = await open();
    socket.send(Buffer.alloc(LIMIT + 1));
    assert.deepEqual(await closed(socket), [1009, '']);
  },
  async too_large_once_decompressed() {
    const socket = await open({ perMessageDeflate: { threshold: 0 } });
    socket.send(Buffer.alloc(LIMIT * 20));
    assert.deepEqual(await closed(socket), [1009, '']);
  },
  async not_utf8() {
    for (const perMessageDeflate of [false, { threshold: 0 }]) {
      const socket = await open({ perMessageDeflate });
      socket.send(Buffer.from([0x41, 0xed, 0xa0, 0x80]), { binary: false });
      assert.deepEqual(await closed(socket), [1007, '']);
    }
  },
  async subprotocol() {
    const socket = await open({}, ['first', 'second']);
    assert.equal(socket.protocol, 'first');
    await close(socket);
  },
  async terminated() {
    const socket = await open();
    await echo(socket, 'before');
    socket.terminate();
    await closed(socket);
    const next = await open();
    await echo(next, 'after');
    await close(next);
  },
};

const deflate = {
  default: {},
  server_alone: { serverNoContextTakeover: true },
  client_alone: { clientNoContextTakeover: true },
  both_alone: { serverNoContextTakeover: true, clientNoContextTakeover: true },
};
for (let bits = 8; bits <= 15; bits++) {
  deflate[`server_window_${bits}`] = { serverMaxWindowBits: bits };
  deflate[`client_window_${bits}`] = { clientMaxWindowBits: bits };
  deflate[`windows_${bits}_alone`] = { serverMaxWindowBits: bits, clientMaxWindowBits: bits, serverNoContextTakeover: true, clientNoContextTakeover: true };
}
for (const [name, options] of Object.entries(deflate)) checks[`deflate_${name}`] = () => echoes({ perMessageDeflate: { threshold: 0, ...options } });

await runChecks(checks);
