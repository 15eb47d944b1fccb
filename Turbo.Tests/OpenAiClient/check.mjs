// The unmodified openai package against BASE_URL (such as http://127.0.0.1:8080/v1) with the key TOKEN, while the mock
// upstream behind it shows what it sees at MOCK_URL. Prints one line of JSON per check: {"check","ok","ms","error"}.
// A check fails by throwing. Exits 1 when one failed.
import assert from 'node:assert/strict';
import { File } from 'node:buffer';
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import OpenAI, { APIUserAbortError, AuthenticationError, InternalServerError, NotFoundError, RateLimitError, toFile } from 'openai';

// Node 18, which Debian 12 has, keeps it in a module.
globalThis.File ??= File;

const { BASE_URL, TOKEN, MOCK_URL } = process.env;
assert(BASE_URL && TOKEN && MOCK_URL, 'BASE_URL, TOKEN and MOCK_URL must be set');

const CHECK_MS = 20_000;
const client = new OpenAI({ baseURL: BASE_URL, apiKey: TOKEN, maxRetries: 0, timeout: CHECK_MS });
const model = 'gpt-4o-mini';
const user = (content) => ({ role: 'user', content });
const mocked = (fields) => ({ headers: Object.fromEntries(Object.entries(fields).map(([name, value]) => [`X-Mock-${name}`, String(value)])) });

const stats = async () => (await fetch(new URL('/mock/stats', MOCK_URL))).json();

// Waits until the upstream says so, for at most that long.
async function upstream(ms, what, condition) {
  for (const deadline = performance.now() + ms; ; await delay(5)) {
    const seen = await stats();
    if (condition(seen)) return;
    assert(performance.now() < deadline, `not within ${ms} ms: ${what}; the mock has ${JSON.stringify(seen)}`);
  }
}

// The class that a program would catch, and what it would look at.
async function rejects(promise, type, status, code) {
  const error = await promise.then(() => assert.fail(`${type.name} was expected, the call succeeded`), (e) => e);
  assert(error instanceof type, `${type.name} was expected, it was ${error?.stack ?? error}`);
  assert.equal(error.status, status);
  assert(error.message.length > 0 && typeof error.type === 'string' && error.type.length > 0, `no message or type: ${JSON.stringify(error.error)}`);
  if (code) assert.equal(error.code, code);
  return error;
}

// Aborts after that many words, then the request upstream must end within a second.
async function abortAfter(words, fields) {
  const before = await stats();
  const stream = await client.chat.completions.create({ model, stream: true, messages: [user('a long story')] }, mocked({ Words: 100_000, ...fields }));
  let received = 0;
  for await (const chunk of stream) {
    if (chunk.choices[0].delta.content && ++received < words) continue;
    if (received < words) continue;
    stream.controller.abort();
    break;
  }
  assert.equal(received, words);
  await upstream(1000, 'the upstream request ends', (now) => now.active === before.active && now.cancelled === before.cancelled + 1);
}

const checks = {
  async models_list() {
    const ids = [];
    for await (const one of client.models.list()) ids.push(one.id);
    assert(ids.length >= 3 && ids.includes(model), `models: ${ids}`);
    assert.equal((await client.models.retrieve(model)).id, model);
  },

  async chat() {
    const { data, response } = await client.chat.completions
      .create({ model, messages: [{ role: 'system', content: 'Be brief.' }, user('Grüße, 世界 🌍!')] }).withResponse();
    assert.equal(data.choices[0].message.content, 'Reply to 2 messages: Grüße, 世界 🌍!');
    assert.equal(data.choices[0].finish_reason, 'stop');
    assert.deepEqual(data.usage, { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 });
    assert.match(data._request_id, /^req_mock_\d+$/);
    assert.equal(response.headers.get('content-type'), 'application/json');
  },

  async chat_streamed() {
    const words = 10, interval = 60;
    const before = await stats();
    const stream = await client.chat.completions.create(
      { model, stream: true, stream_options: { include_usage: true }, messages: [user('one two three')] }, mocked({ Words: words, Interval: interval }));
    let text = '', finish, usage, sentAtFirst;
    const arrivals = [];
    for await (const chunk of stream) {
      const choice = chunk.choices[0];
      if (choice?.delta.content) {
        text += choice.delta.content;
        arrivals.push(performance.now());
        // What the upstream has still to send cannot have been waited for.
        sentAtFirst ??= (await stats()).events - before.events;
      }
      finish ??= choice?.finish_reason ?? undefined;
      usage ??= chunk.usage ?? undefined;
    }
    assert.equal(text, 'Reply to 1 message: one two three lorem ipsum dolor');
    assert.equal(arrivals.length, words);
    assert.equal(finish, 'stop');
    assert.deepEqual(usage, { prompt_tokens: 3, completion_tokens: words, total_tokens: 3 + words });
    assert(sentAtFirst < words, `the first word arrived after ${sentAtFirst} events were sent`);
    const apart = arrivals.slice(1).filter((at, i) => at - arrivals[i] > interval / 4).length;
    assert(apart >= (words - 1) / 2, `${apart} of ${words - 1} words arrived apart from the one before: ${arrivals.map((at) => Math.round(at - arrivals[0]))}`);
  },

  async chat_stream_helper() {
    const runner = client.chat.completions.stream({ model, messages: [user('through the helper')] }, mocked({ Interval: 1 }));
    let events = 0;
    runner.on('content', () => events++);
    assert.equal(await runner.finalContent(), 'Reply to 1 message: through the helper');
    assert(events >= 7, `${events} pieces`);
  },

  async completion() {
    const inline = await client.completions.create({ model, prompt: 'once upon' });
    assert.equal(inline.choices[0].text, 'Reply to 1 message: once upon');
    let text = '';
    for await (const part of await client.completions.create({ model, prompt: 'once upon', stream: true }, mocked({ Interval: 1 }))) text += part.choices[0].text;
    assert.equal(text, inline.choices[0].text);
  },

  async stream_aborted() {
    await abortAfter(3, { Interval: 50 });
  },

  // Nothing is written that could fail: only the closed connection tells.
  async silent_stream_aborted() {
    const before = await stats();
    const controller = new AbortController();
    const stream = await client.chat.completions.create(
      { model, stream: true, messages: [user('a slow story')] }, { ...mocked({ Interval: 60_000 }), signal: controller.signal });
    const ended = (async () => { for await (const chunk of stream) assert(!chunk.choices[0].delta.content); })();
    await upstream(5000, 'the upstream request begins', (now) => now.active === before.active + 1);
    controller.abort();
    await upstream(1000, 'the upstream request ends', (now) => now.active === before.active && now.cancelled === before.cancelled + 1);
    await ended;
  },

  async waiting_request_aborted() {
    const before = await stats();
    const controller = new AbortController();
    const answer = client.chat.completions.create({ model, messages: [user('think hard')] }, { ...mocked({ Delay: 60_000 }), signal: controller.signal });
    const failure = answer.then(() => assert.fail('it succeeded'), (e) => e);
    await upstream(5000, 'the upstream request begins', (now) => now.active === before.active + 1);
    controller.abort();
    assert((await failure) instanceof APIUserAbortError);
    await upstream(1000, 'the upstream request ends', (now) => now.active === before.active && now.cancelled === before.cancelled + 1);
  },

  async responses() {
    const answer = await client.responses.create({ model, instructions: 'Be brief.', input: 'hello there' });
    assert.equal(answer.status, 'completed');
    assert.equal(answer.output_text, 'Reply to 2 messages: hello there');
    assert.equal(answer.usage.input_tokens, 4);
    assert.equal(answer.usage.output_tokens, 6);
    assert.equal(answer.usage.total_tokens, 10);
  },

  async responses_streamed() {
    const types = [];
    let text = '';
    for await (const event of await client.responses.create({ model, input: [user('hello there')], stream: true }, mocked({ Interval: 1 }))) {
      assert.equal(event.sequence_number, types.length);
      types.push(event.type);
      if (event.type === 'response.output_text.delta') text += event.delta;
      if (event.type === 'response.completed') assert.equal(event.response.output[0].content[0].text, text);
    }
    assert.equal(text, 'Reply to 1 message: hello there');
    assert.equal(types[0], 'response.created');
    assert.equal(types.at(-1), 'response.completed');
    // The package's own accumulation of the events.
    const final = await client.responses.stream({ model, input: 'again' }, mocked({ Interval: 1 })).finalResponse();
    assert.equal(final.output_text, 'Reply to 1 message: again');
  },

  async embeddings() {
    const input = ['the first text', 'the second'];
    // By default the package asks for base64 and decodes it.
    const packed = await client.embeddings.create({ model: 'text-embedding-3-small', input });
    const plain = await client.embeddings.create({ model: 'text-embedding-3-small', input, encoding_format: 'float' });
    assert.equal(packed.data.length, 2);
    for (const i of [0, 1]) {
      assert.equal(packed.data[i].embedding.length, 1536);
      assert.deepEqual(plain.data[i].embedding.map(Math.fround), Array.from(packed.data[i].embedding));
    }
    assert.notDeepEqual(plain.data[0].embedding, plain.data[1].embedding);
    assert.deepEqual(packed.usage, { prompt_tokens: 5, total_tokens: 5 });
  },

  async file_upload() {
    const content = Buffer.alloc(1024 * 1024);
    for (let i = 0; i < content.length; i += 4) content.writeUInt32LE(Math.imul(i, 2654435761) >>> 0, i);
    const file = await client.files.create({ file: await toFile(content, 'träining data.jsonl'), purpose: 'fine-tune' });
    assert.equal(file.bytes, content.length);
    assert.equal(file.filename, 'träining data.jsonl');
    assert.equal(file.purpose, 'fine-tune');
    assert.equal(file.sha256, createHash('sha256').update(content).digest('hex'));
    assert.deepEqual(await client.files.retrieve(file.id), file);
    const back = Buffer.from(await (await client.files.content(file.id)).arrayBuffer());
    assert(back.equals(content), 'the content came back changed');
    const listed = [];
    for await (const one of client.files.list()) listed.push(one.id);
    assert(listed.includes(file.id));
    assert.equal((await client.files.delete(file.id)).deleted, true);
    await rejects(client.files.retrieve(file.id), NotFoundError, 404);
  },

  async transcription() {
    const { text } = await client.audio.transcriptions.create({ model: 'whisper-1', file: await toFile(Buffer.alloc(70_000, 7), 'speech.mp3') });
    assert.equal(text, 'Audio of 70000 bytes in speech.mp3.');
  },

  async audio_bytes() {
    const length = 300_001;
    const speech = await client.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'hello' }, mocked({ Bytes: length }));
    assert.equal(speech.headers.get('content-type'), 'audio/mpeg');
    const bytes = new Uint8Array(await speech.arrayBuffer());
    assert.equal(bytes.length, length);
    for (let i = 0; i < length; i++) {
      if (bytes[i] !== ((i * 31 + (i >> 8) * 17 + (i >> 16) * 7 + (i >> 24)) & 255)) assert.fail(`byte ${i} is ${bytes[i]}`);
    }
  },

  async error_401() {
    await rejects(new OpenAI({ baseURL: BASE_URL, apiKey: 'sk-invalid-key', maxRetries: 0 }).models.list(), AuthenticationError, 401);
  },

  async error_404() {
    const error = await rejects(client.models.retrieve('no-such-model'), NotFoundError, 404, 'model_not_found');
    assert.equal(error.param, 'model');
    await rejects(client.get('/no/such/path'), NotFoundError, 404);
  },

  async error_429() {
    const error = await rejects(client.chat.completions.create({ model, messages: [user('x')] }, mocked({ Status: 429 })), RateLimitError, 429, 'rate_limit_exceeded');
    assert.equal(error.headers.get('retry-after'), '1');
  },

  async error_500() {
    await rejects(client.chat.completions.create({ model, messages: [user('x')] }, mocked({ Status: 500 })), InternalServerError, 500);
  },

  async broken_stream() {
    const stream = await client.chat.completions.create({ model, stream: true, messages: [user('x')] }, mocked({ Words: 50, Interval: 1, Break: 5 }));
    let received = 0;
    const failure = await (async () => { for await (const _ of stream) received++; })().then(() => undefined, (e) => e);
    assert(failure, `a stream that upstream broke looked complete after ${received} events`);
    assert(received <= 5, `${received} events`);
  },
};

let failed = false;
for (const [check, run] of Object.entries(checks)) {
  const start = performance.now();
  let error = null;
  const limit = new AbortController();
  try {
    await Promise.race([
      run(),
      delay(CHECK_MS, undefined, { signal: limit.signal }).then(() => assert.fail(`it takes longer than ${CHECK_MS} ms`)),
    ]);
  } catch (e) {
    error = e?.stack ?? String(e);
    failed = true;
  } finally {
    limit.abort();
  }
  console.log(JSON.stringify({ check, ok: error === null, ms: Math.round(performance.now() - start), error }));
}
process.exit(failed ? 1 : 0);
