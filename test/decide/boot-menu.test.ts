import { describe, expect, it } from 'vitest';
import { bootMenu, chosenRole, parseChoice } from '../../server/decide/boot-menu.js';
import type { Profile } from '../../server/domain/profile.js';
import type { Role } from '../../server/domain/role.js';
import type { System } from '../../server/domain/system.js';

const profile: Profile = {
  name: 'live',
  description: '',
  kind: 'boot',
  args: [],
  templates: { ipxe: 'a.hbs', grub: 'b.hbs' },
  supports: { modes: ['resident', 'single'], kinds: [], storage: [], limits: [], networks: [], features: [] },
  failure: { policy: 'reboot', delaySeconds: 30 },
  params: { menu: '' },
};
const role: Role = { name: 'r', profile: 'live', mode: 'resident', systems: ['web', 'guest'], params: { menu: '10' } };
const system = (name: string): System => ({
  name,
  kind: name === 'guest' ? 'vm' : 'chroot',
  image: 'base',
  command: ['a'],
  env: {},
  files: {},
  storage: 'ram',
  restart: 'always',
});

describe('the boot menu', () => {
  it('is there only when profile or role asks for it', () => {
    expect(bootMenu({ ...role, params: {} }, profile, system)).toBeUndefined();
    expect(bootMenu({ ...role, params: {} }, { ...profile, params: { menu: '5' } }, system)?.seconds).toBe(5);
  });

  it('offers all systems, and alone those that can be', () => {
    expect(bootMenu(role, profile, system)).toEqual({
      seconds: 10,
      default: 'resident',
      entries: [
        { label: 'resident', text: 'all systems: web guest', choice: { mode: 'resident' } },
        { label: 'single-web', text: 'web alone', choice: { mode: 'single', system: 'web' } },
      ],
    });
    expect(bootMenu({ ...role, mode: 'single', systems: ['web'] }, profile, system)?.default).toBe('single-web');
  });

  it('refuses a time-out that is none', () => {
    expect(() => bootMenu({ ...role, params: { menu: 'soon' } }, profile, system)).toThrow(/menu of role r is "soon"/);
  });
});

describe('a choice', () => {
  it.each<[string, string | undefined, Role['mode'], readonly string[]]>([
    ['one system gets the machine', 'single:web', 'single', ['web']],
    ['all', 'resident', 'resident', ['web', 'guest']],
    ['nobody chose', undefined, 'resident', ['web', 'guest']],
    ['a system that cannot be alone changes nothing', 'single:guest', 'resident', ['web', 'guest']],
    ['a system of another role changes nothing', 'single:db', 'resident', ['web', 'guest']],
    ['words that are none change nothing', 'single:', 'resident', ['web', 'guest']],
  ])('%s', (_name, text, mode, systems) => {
    expect(chosenRole(role, profile, parseChoice(text), system)).toMatchObject({ mode, systems });
  });

  it('without a menu changes nothing', () => {
    expect(chosenRole({ ...role, params: {} }, profile, parseChoice('single:web'), system).mode).toBe('resident');
  });
});
