// Calls to the server. The session is the cookie `sess`, which scripts cannot read; every call is a POST of JSON, so no
// link and no plain form of another site does what these do.

export class ApiError extends Error {
  constructor(status, message, param, code) {
    super(message);
    Object.assign(this, { status, param, code });
  }
}

let whenLoggedOut = () => {};

/** Called when the server knows no session of ours (any more). */
export const onLoggedOut = (handler) => { whenLoggedOut = handler; };

export async function call(path, body = {}) {
  let response;
  try {
    response = await fetch(path, {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
      credentials: 'same-origin', cache: 'no-store', redirect: 'error',
    });
  } catch {
    throw new ApiError(0, navigator.onLine ? 'The server cannot be reached. Try again in a moment.' : 'You are offline.');
  }
  const json = await response.json().catch(() => null);
  if (response.ok && json) return json;
  const error = json?.error ?? {};
  if (response.status === 401 && /_session$/.test(error.code ?? '')) whenLoggedOut();
  throw new ApiError(response.status, error.message ?? `The server answered ${response.status}.`, error.param, error.code);
}

let models;

/** Names that the upstream knows; none where it does not tell. Asked for once. */
export function modelNames() {
  models ??= fetch('/v1/models', { credentials: 'same-origin' })
    .then((response) => (response.ok ? response.json() : { data: [] }))
    .then(({ data }) => data.map((model) => model.id).filter((id) => typeof id === 'string').sort().slice(0, 200))
    .catch(() => []);
  return models;
}
