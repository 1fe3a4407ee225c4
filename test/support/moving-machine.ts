import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ControlDoor } from '../../server/domain/control-door.js';
import { packageRoot } from '../../server/paths.js';
import { type DoorServer, startDoor } from './door-server.js';
import { layOutDoor } from './live-door.js';

/**
 * Systems are processes that count into a file of theirs on the labelled disk; what this machine shall run, a server says. Two of them
 * at once, a torn copy or a lost line are seen in the numbers. All else is the shipped programs of the Debian live OS.
 */
const BACKEND = `# shellcheck shell=dash
for library in storage move; do . "$anybios_lib/$library.sh"; done
server=http://127.0.0.1:9
system_known() { [ -d "$anybios_run/systems/$1" ]; }
machine_refresh() {
	local wanted folder name
	exec 9>"$anybios_run/refresh.lock"
	flock 9
	wanted=$(wget -q -O - "$wanted_url") || { reason='the server does not answer'; return 1; }
	for folder in "$anybios_run"/systems/*/; do
		[ -d "$folder" ] || continue
		name=$(basename "$folder")
		case " $wanted " in *" $name "*) continue ;; esac
		kill "$(cat "$folder/pid")"
		while [ -d "/proc/$(cat "$folder/pid")" ]; do sleep 0.05; done
		echo "stop $name" >>"$anybios_run/doings"
		rm -rf "$folder"
	done
	for name in $wanted; do
		system_known "$name" && continue
		mkdir -p "$anybios_run/systems/$name" "$anybios_run/disks/data/systems/$name"
		setsid "$anybios_lib/counter" "$anybios_run/disks/data/systems/$name/journal" "$machine" </dev/null >/dev/null 2>&1 9>&- &
		echo "$!" >"$anybios_run/systems/$name/pid"
		echo "start $name" >>"$anybios_run/doings"
	done
}
`;
const COUNTER = `#!/bin/sh
number=$(tail -n 1 "$1" 2>/dev/null | cut -d ' ' -f 2)
while :; do
	number=$((number + 1))
	echo "$2 $number" >>"$1"
	sleep 0.05
done
`;

/** One machine of a move: a real SSH server, the shipped programs behind it, and an ext4 disk labelled `data`. */
export interface MovingMachine {
  readonly server: DoorServer;
  /** Its disk, mounted. */
  readonly disk: string;
  /** Its /lib/anybios. */
  readonly lib: string;
  /** The folder that says that it has this system. */
  ofSystem(name: string): string;
  door(): ControlDoor;
  /** What it did with its systems. */
  doings(): readonly string[];
  /** As a heartbeat that is answered `action=refresh`. */
  refresh(): Promise<void>;
  close(): void;
}

export async function startMovingMachine(
  name: string,
  kind: 'dropbear' | 'sshd',
  address: string,
  given: { readonly key: string; readonly wantedUrl: string; readonly mebibytes: number },
): Promise<MovingMachine> {
  const live = layOutDoor('dash', `machine='${name}' wanted_url='${given.wantedUrl}/${name}'`);
  for (const library of ['storage', 'move'])
    cpSync(join(packageRoot, `boot-assets/live-debian/lib/${library}.sh`), join(live.lib, `${library}.sh`));
  writeFileSync(join(live.lib, 'backend.sh'), BACKEND);
  writeFileSync(join(live.lib, 'counter'), COUNTER, { mode: 0o755 });
  const words = readFileSync(join(live.lib, 'run-job'), 'utf8');
  const sourced = /^for library in [^;]+; do\n.*\n.*\ndone$/m.exec(words)?.[0];
  if (sourced === undefined) throw new Error('run-job does not name its libraries');
  writeFileSync(
    join(live.lib, 'refresh'),
    `library_folder=$anybios_lib\n${sourced}\nmkdir -p "$anybios_run/systems"\nmachine_refresh\n`,
  );
  const image = `${live.run}.disk`;
  const disk = join(live.run, 'disks/data');
  mkdirSync(disk, { recursive: true });
  writeFileSync(image, '');
  truncateSync(image, given.mebibytes << 20);
  execFileSync('mkfs.ext4', ['-q', '-m', '0', '-L', 'data', image]);
  execFileSync('mount', ['-o', 'loop', image, disk]);
  const server = await startDoor(kind, address, live.program, given.key);
  const environment = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    anybios_lib: live.lib,
    anybios_run: live.run,
    anybios_say_to: join(live.run, 'said'),
    machine: name,
    wanted_url: `${given.wantedUrl}/${name}`,
  };
  return {
    server,
    disk,
    lib: live.lib,
    ofSystem: (system) => join(live.run, 'systems', system),
    door: () => server.door('boot-1'),
    doings: () => {
      const file = join(live.run, 'doings');
      return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
    },
    refresh: () =>
      new Promise((resolve, reject) => {
        execFile('dash', [join(live.lib, 'refresh')], { env: environment }, (error, _out, said) => {
          if (error === null) resolve();
          else reject(new Error(`refresh of ${name}: ${said}`, { cause: error }));
        });
      }),
    close: () => {
      server.close();
      const systems = join(live.run, 'systems');
      for (const system of existsSync(systems) ? readdirSync(systems) : [])
        process.kill(Number(readFileSync(join(systems, system, 'pid'), 'utf8')));
      execFileSync('umount', ['-l', disk]);
      live.remove();
    },
  };
}
