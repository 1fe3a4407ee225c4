/** Every word a reader of the page sees, in one table: a language is one more column. */
const TEXTS = {
  en: {
    signInTitle: 'Sign in',
    signInHint:
      'The first start of the server wrote a token to dataDir/admin.token. It stays in this browser tab only.',
    signIn: 'Sign in',
    signOut: 'Sign out',
    token: 'Token',
    tokenRefused: 'This token is not (or no longer) valid.',
    machinesTitle: 'Machines',
    waitingTitle: 'Waiting for approval',
    waitingHint: 'These machines are held in stage 1. Give one a name and it reboots into its role.',
    columnMachine: 'Machine',
    columnRole: 'Role · address',
    columnStatus: 'Status',
    columnBoot: 'Current boot',
    columnSystems: 'Systems',
    statusFilter: 'Show only',
    all: 'all',
    search: 'Search name, MAC, address, role',
    noMachines: 'No machine was seen yet. Switch one on, or add machines with: anybios apply -f site.yaml',
    otherServers: 'Other DHCP servers were heard: {servers} (anybios lease network)',
    damagedImages: 'Damaged images, not served until they are imported again: {images} (anybios image list --damaged)',
    noMatch: 'No machine fits this search.',
    linkLive: 'live',
    linkLost: 'connection lost, trying again',
    linkOpening: 'connecting',
    noRole: 'no role',
    noBoot: 'has not booted',
    discoveredOnly: 'discovered',
    close: 'Close',
    boot: 'Boot',
    timelineTitle: 'Timeline',
    noBoots: 'This machine has not booted since the server knows it.',
    noEvents: 'No event was recorded for this boot.',
    queued: '{file} waits, place {place} of {waiting}',
    running: 'running',
    succeeded: 'succeeded',
    failed: 'failed',
    stalled: 'stalled',
    stageOf: '{stage} ({number} of 8)',
    restarts: 'restarted {count}×',
    name: 'Name',
    role: 'Role',
    reserveAddress: 'Address (optional)',
    chooseRole: 'none yet',
    approve: 'Approve',
    approved: 'Approved as {name}',
    product: 'Product',
    serial: 'Serial number',
    cpu: 'Processor',
    cpus: 'Cores',
    memory: 'Memory',
    disks: 'Disks',
    nics: 'Network cards',
    remedy: 'What to do: {text}',
    status_discovered: 'discovered',
    status_waiting: 'waiting',
    status_approved: 'approved',
    status_booting: 'booting',
    status_up: 'up',
    status_lost: 'lost',
    status_unmanaged: 'unmanaged',
    status_off: 'off',
    stage_dhcp: 'DHCP',
    stage_loader: 'loader',
    stage_script: 'script',
    stage_kernel: 'kernel',
    stage_stage1: 'stage 1',
    stage_rootfs: 'root file system',
    stage_live: 'live OS',
    stage_systems: 'systems',
  },
};

const language = TEXTS.en;

/** The text of a key, with `{name}` filled in. A key that is missing shows itself: a test finds it. */
export function t(key, values = {}) {
  const text = language[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The HTML holds keys: `data-text` elements by their content, others by attribute. */
export function fillTexts(root) {
  for (const element of root.querySelectorAll('[data-text]')) element.textContent = t(element.textContent);
  for (const element of root.querySelectorAll('[data-label]'))
    element.setAttribute('aria-label', t(element.dataset.label));
  for (const element of root.querySelectorAll('[data-placeholder]'))
    element.placeholder = t(element.dataset.placeholder);
}
