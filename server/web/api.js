const KEY = 'anybios.token';

/** A refusal of the server, with the remedy it names. */
export class ApiError extends Error {
  constructor(status, error) {
    super(error?.message ?? `HTTP ${status}`);
    this.status = status;
    this.remedy = error?.remedy;
  }
}

/** Takes a token from the address (`#token=…`) and removes it there, so that it stays in no history and no copied link. */
export function takeTokenFromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token === null) return;
  sessionStorage.setItem(KEY, token);
  history.replaceState(null, '', location.pathname + location.search);
}

export const token = {
  get: () => sessionStorage.getItem(KEY) ?? undefined,
  set: (text) => sessionStorage.setItem(KEY, text),
  clear: () => sessionStorage.removeItem(KEY),
};

/** Milliseconds by which the server's clock is ahead of this computer's: elapsed times are counted with the server's. */
let clockAhead = 0;
export const serverNow = () => Date.now() + clockAhead;

export async function request(path, options = {}) {
  const response = await fetch(`/api/v1${path}`, {
    ...options,
    headers: { ...options.headers, Authorization: `Bearer ${token.get() ?? ''}` },
    cache: 'no-store',
  });
  const date = Date.parse(response.headers.get('date') ?? '');
  // The header counts whole seconds: smaller differences are noise.
  if (!Number.isNaN(date)) clockAhead = Math.abs(date - Date.now()) > 2000 ? date - Date.now() : 0;
  if (!response.ok) {
    const body = await response.json().catch(() => undefined);
    throw new ApiError(response.status, body?.error);
  }
  return response;
}

export async function getJson(path) {
  return (await request(path)).json();
}

export async function postJson(path, value) {
  const response = await request(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(value),
  });
  return response.json();
}

/** All pages of a list. */
export async function getAll(path) {
  const items = [];
  let next;
  do {
    const query = next === undefined ? '' : `${path.includes('?') ? '&' : '?'}next=${encodeURIComponent(next)}`;
    const page = await getJson(path + query);
    items.push(...page.items);
    next = page.next;
  } while (next !== undefined);
  return items;
}
