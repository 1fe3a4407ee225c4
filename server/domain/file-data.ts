/** What the templates of a system's `files` may use. */
export interface FileData {
  readonly machine: {
    readonly name: string;
    readonly mac: string;
    readonly macs: readonly string[];
    /** Empty: it has none yet. */
    readonly address: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly role: { readonly name: string };
  readonly system: { readonly name: string };
  /** Of the profile, as the role sets them. */
  readonly params: Readonly<Record<string, string>>;
  readonly server: { readonly url: string; readonly address: string };
}

/** The same as names, for a check before any machine asks; `undefined` = whatever the profile declares. */
export const FILE_VARIABLES: { readonly [K in keyof FileData]: readonly (keyof FileData[K] & string)[] | undefined } = {
  machine: ['name', 'mac', 'macs', 'address', 'labels'],
  role: ['name'],
  system: ['name'],
  params: undefined,
  server: ['url', 'address'],
};
