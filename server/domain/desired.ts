import type { Machine } from './machine.js';
import type { Role } from './role.js';
import type { System } from './system.js';

/** Everything `anybios apply` sets: what the site wants. */
export interface DesiredState {
  readonly machines: readonly Machine[];
  readonly roles: readonly Role[];
  readonly systems: readonly System[];
}

export type DesiredKind = 'machine' | 'role' | 'system';

/** One difference between a site file and the current state; `changed` names the fields. */
export type Change =
  | {
      readonly kind: 'machine';
      readonly action: 'add' | 'change' | 'remove';
      readonly name: string;
      readonly fields: readonly string[];
      readonly value?: Machine;
    }
  | {
      readonly kind: 'role';
      readonly action: 'add' | 'change' | 'remove';
      readonly name: string;
      readonly fields: readonly string[];
      readonly value?: Role;
    }
  | {
      readonly kind: 'system';
      readonly action: 'add' | 'change' | 'remove';
      readonly name: string;
      readonly fields: readonly string[];
      readonly value?: System;
    };
