import type { Generated } from 'kysely';

/**
 * Every table, one row type each (migrations/*.ts creates them). Values of the domain are kept whole as JSON in `body`;
 * columns exist for what is looked up, ordered or must be unique. Addresses are unsigned 32-bit numbers, times are named.
 */
export interface Tables {
  machines: MachineRow;
  machine_macs: MachineMacRow;
  roles: RoleRow;
  role_systems: RoleSystemRow;
  systems: SystemRow;
  changes: ChangeRow;
  images: ImageRow;
  image_tags: ImageTagRow;
  image_tag_moves: ImageTagMoveRow;
  leases: LeaseRow;
  observed: ObservedRow;
  sessions: SessionRow;
  claims: ClaimRow;
  event_blocks: EventBlockRow;
  tokens: TokenRow;
  settings: SettingRow;
  jobs: JobRow;
  holdings: HoldingRow;
  role_leases: RoleLeaseRow;
  migrations: MigrationRow;
}

export interface MachineRow {
  name: string;
  uuid: string | null;
  address: number | null;
  role: string | null;
  body: string;
}

/** A MAC belongs to one machine: the primary key keeps it so. */
export interface MachineMacRow {
  mac: string;
  machine: string;
}

export interface RoleRow {
  name: string;
  body: string;
}

export interface RoleSystemRow {
  role: string;
  system: string;
}

export interface SystemRow {
  name: string;
  body: string;
}

/** One row per change of the desired state, in order. */
export interface ChangeRow {
  sequence: Generated<number>;
  at_ms: number;
  by: string;
  kind: string;
  action: string;
  name: string;
  /** JSON list. */
  fields: string;
}

export interface ImageRow {
  name: string;
  version: string;
  kind: string;
  /** JSON list of ImageFile. */
  files: string;
  created_ms: number;
  source: string | null;
}

export interface ImageTagRow {
  name: string;
  tag: string;
  version: string;
}

/** One row per change of a tag, in order. */
export interface ImageTagMoveRow {
  sequence: Generated<number>;
  at_ms: number;
  by: string;
  name: string;
  tag: string;
  from_version: string | null;
  to_version: string | null;
}

export interface LeaseRow {
  address: number;
  mac: string;
  client_id: string | null;
  hostname: string | null;
  state: string;
  started_s: number;
  expires_s: number;
}

export interface ObservedRow {
  key: string;
  body: string;
}

export interface SessionRow {
  id: string;
  key: string;
  opened_ms: number;
  body: string;
}

export interface ClaimRow {
  session: string;
  body: string;
}

/** Many events: event-block.ts. */
export interface EventBlockRow {
  first: number;
  count: number;
  sources: number;
  levels: number;
  marks: Uint8Array;
  lines: string;
}

export interface TokenRow {
  name: string;
  hash: string;
  created_ms: number;
}

export interface SettingRow {
  key: string;
  value: string;
}

export interface JobRow {
  id: string;
  machine: string;
  batch: string | null;
  state: string;
  created_ms: number;
  body: string;
  output: string;
}

export interface HoldingRow {
  place: string;
  body: string;
}

export interface RoleLeaseRow {
  machine: string;
  body: string;
}

export interface MigrationRow {
  number: number;
  name: string;
  at_ms: number;
}
