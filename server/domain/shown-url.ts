/** For events, tasks and messages: without a password, and without the query, which is the key of a signed URL. */
export function shownUrl(text: string): string {
  const url = new URL(text);
  url.username = '';
  url.password = '';
  url.hash = '';
  const query = url.search === '' ? '' : '?…';
  url.search = '';
  return url.href + query;
}
