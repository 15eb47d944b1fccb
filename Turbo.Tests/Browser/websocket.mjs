// Chromium's WebSocket, from a page, against the echo at URL.
import { readFile } from 'node:fs/promises';
import { launch } from './browser.mjs';
import { names } from '../WsClient/whatwg.mjs';
import { runChecks } from '../Support/checks.mjs';

const { URL: url, LIMIT } = process.env;
const module = `data:text/javascript;base64,${(await readFile(new URL('../WsClient/whatwg.mjs', import.meta.url))).toString('base64')}`;
const browser = await launch({ trustsAll: true });
const page = await browser.newPage();
// A page of the server, since a blank one is of no origin and is not let at loopback addresses.
await page.goto(url.replace(/^ws/, 'http').replace(/\/ws$/, '/plaintext'));

const check = (name) => () => page.evaluate(async ({ module, name, url, limit }) => {
  const { makeChecks } = await import(module);
  await makeChecks(WebSocket, { url, limit })[name]();
}, { module, name, url, limit: Number(LIMIT) });

await runChecks(Object.fromEntries(names.map((name) => [name, check(name)])), () => browser.close());
