import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../server/paths.js';

const source = join(packageRoot, 'boot-assets');

/** Two systems whose doings are lines in a file; everything else is the shipped programs. */
const BACKEND = `# shellcheck shell=dash
system_known() { [ "$1" = web ] || [ "$1" = db ]; }
system_state() { echo running; }
noted() { echo "$*" >>"$anybios_run/doings"; }
system_start() { noted start "$1"; echo "starting $1"; }
system_stop() { noted stop "$1" "$2"; }
system_kill() { noted kill "$1"; }
system_pause() { reason="$1 does not run"; return 1; }
system_resume() { noted resume "$1"; }
system_limit() { noted limit "$@"; }
system_exec() { name=$1; shift; env INSIDE="$name" "$@"; }
system_console() { echo "console of $1"; stty size; sh; }
system_log() { if [ "$3" = yes ]; then exec tail -n "$2" -F "$anybios_run/log-of-$1"; fi; tail -n "$2" "$anybios_run/log-of-$1"; }
machine_log() { echo "the machine: $1 $2"; }
machine_refresh() { noted refresh; }
machine_reboot() { noted reboot; }
machine_poweroff() { noted poweroff; }
`;

/** The machine side of control, laid out as on a live OS, with a made-up backend. */
export interface LiveDoor {
  /** Its /lib/anybios. */
  readonly lib: string;
  /** Its /run/anybios. */
  readonly run: string;
  /** A program that runs \`control\` in this environment under \`shell\`: what an SSH server is told to start. */
  readonly program: string;
  remove(): void;
}

export function layOutDoor(shell: 'busybox' | 'dash', more = ''): LiveDoor {
  const folder = mkdtempSync(join(tmpdir(), 'anybios-door-'));
  const lib = join(folder, 'lib');
  const run = join(folder, 'run');
  mkdirSync(lib);
  mkdirSync(run);
  for (const from of [join(source, 'initramfs/lib'), join(source, 'live/lib')])
    for (const name of readdirSync(from)) cpSync(join(from, name), join(lib, name));
  writeFileSync(join(lib, 'backend.sh'), BACKEND);
  for (const name of ['control', 'run-job', 'run-command']) cpSync(join(source, 'live', name), join(lib, name));
  // The programs begin with #!/bin/sh, which is busybox on micro and dash on a Debian live OS.
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  if (shell === 'busybox') {
    for (const name of ['control', 'run-job', 'run-command']) {
      cpSync(join(lib, name), join(lib, `${name}.sh`));
      writeFileSync(
        join(lib, name),
        `#!/bin/sh\\nexec /bin/busybox ash "${lib}/${name}.sh" "$@"\\n`.replaceAll('\\n', '\n'),
      );
      chmodSync(join(lib, name), 0o755);
    }
  }
  const program = join(folder, 'door');
  const environment = `anybios_lib='${lib}' anybios_run='${run}' anybios_say_to='${run}/said' ${more}`;
  writeFileSync(program, `#!/bin/sh\nexport ${environment}\nexec "$anybios_lib/control"\n`, { mode: 0o755 });
  if (!existsSync(join(run, 'cmdline'))) writeFileSync(join(run, 'cmdline'), '');
  return { lib, run, program, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
