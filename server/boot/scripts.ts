import type { Assignment } from '../decide/assignment.js';
import type { BootPlan } from '../decide/boot-plan.js';
import { formatIpv4 } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import type { Machine } from '../domain/machine.js';
import type { ServerIdentity } from '../domain/site.js';

export type ScriptLoader = 'ipxe' | 'grub';
/** Renders the template of a profile for a loader; throws `invalid`. */
export type RenderProfile = (profile: string, loader: ScriptLoader, data: object) => string;

/** What the boot templates of a profile may use (docs/operating.md, "Profiles"). */
export function scriptData(
  plan: Extract<BootPlan, { kind: 'boot' | 'local' }>,
  assignment: Assignment,
  mac: Mac,
  machine: Machine | undefined,
  server: ServerIdentity,
  session: string | undefined,
): object {
  const role = assignment.kind === 'role' ? assignment.role : undefined;
  const profile = assignment.kind === 'none' ? undefined : assignment.profile;
  return {
    machine: {
      name: plan.name,
      mac,
      address: machine?.address === undefined ? '' : formatIpv4(machine.address),
      labels: { ...machine?.labels },
    },
    role: { name: role?.name ?? plan.name },
    profile: { name: profile?.name ?? '' },
    session: session ?? 'none',
    server: { url: server.url, address: formatIpv4(server.address) },
    ...(plan.kind === 'local'
      ? {}
      : {
          params: { ...plan.params },
          kernel: { ...plan.kernel, reference: plan.kernelReference },
          initrd: { ...plan.initrd },
          args: plan.args,
          menu: menuData(plan.menu),
        }),
  };
}

/** Milliseconds, as iPXE counts; undefined = no menu. */
function menuData(menu: Extract<BootPlan, { kind: 'boot' }>['menu']): object | undefined {
  if (menu === undefined) return undefined;
  return {
    default: menu.default,
    milliseconds: menu.seconds * 1000,
    entries: menu.entries.map((entry) => ({ ...entry })),
  };
}

/** A script that says on the machine's own screen why it boots nothing, waits, and tries again: the operator may be mending it. */
export function errorScript(loader: ScriptLoader, name: string, reason: string): string {
  // The text is ours and a person's: only characters that neither loader reads as its own may pass.
  const safe = (text: string): string => text.replace(/[^A-Za-z0-9 _.,:/=@%()-]/g, ' ').slice(0, 200);
  if (loader === 'ipxe') {
    return `#!ipxe\necho anybios: ERROR: ${safe(name)}: ${safe(reason)}\necho anybios: next try in 30 seconds\nsleep 30\nreboot\n`;
  }
  return `echo "anybios: ERROR: ${safe(name)}: ${safe(reason)}"\necho "anybios: next try in 30 seconds"\nsleep 30\nreboot\n`;
}

/** The constant GRUB entry: signed GRUB fetches grub/grub.cfg and sets net_default_mac (seen in full mode; docs/booting.md, 3). */
export const GRUB_ENTRY = `# The machine's own file is rendered for its MAC.
set timeout=0
source grub/machine/$net_default_mac.cfg
echo "anybios: ERROR: grub/machine/$net_default_mac.cfg could not be read; next try in 30 seconds"
sleep 30
reboot
`;

/** iPXE without an embedded script asks for autoexec.ipxe; netX is the device it booted from. */
export function autoexecScript(server: ServerIdentity): string {
  return `#!ipxe\nisset \${netX/ip} || dhcp\nchain ${server.url}/boot/ipxe/\${netX/mac:hexhyp}\n`;
}
