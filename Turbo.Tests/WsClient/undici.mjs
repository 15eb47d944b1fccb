// Node's own WebSocket against the echo at URL: the global one, which is undici's, or where this Node has none undici's.
import { makeChecks } from './whatwg.mjs';
import { runChecks } from '../Support/checks.mjs';

const WebSocket = globalThis.WebSocket ?? (await import('undici')).WebSocket;
// Debian's Node has them, but not by name.
globalThis.crypto ??= (await import('node:crypto')).webcrypto;
globalThis.Blob ??= (await import('node:buffer')).Blob;

// Closed with answers still coming, undici reports 1006 whatever the server sends.
const { close_while_sending, ...checks } = makeChecks(WebSocket, { url: process.env.URL, limit: Number(process.env.LIMIT) });
await runChecks(checks);
