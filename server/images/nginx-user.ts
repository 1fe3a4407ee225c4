import { chmodSync, chownSync, readFileSync } from 'node:fs';

/** Who nginx's serving processes are when it is started as root; undefined when we are not root: then they are who we are. */
export function nginxUser(): { readonly name: string; readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const [name = 'nobody', , uid, gid] = ['www-data', 'nginx', 'nobody']
    .map((wanted) => users.find(([user]) => user === wanted))
    .find((found) => found !== undefined) ?? ['nobody', '', '65534', '65534'];
  return { name, uid: Number(uid), gid: Number(gid) };
}

/** Lets nginx use a socket, after somebody listens there. */
export function openToNginx(socket: string): void {
  const user = nginxUser();
  chmodSync(socket, 0o660);
  if (user !== undefined) chownSync(socket, user.uid, user.gid);
}
