/** The first descriptor that systemd passes (sd_listen_fds, SD_LISTEN_FDS_START). */
const FIRST = 3;

/**
 * The socket that systemd opened for this interface: the one named `dhcp-INTERFACE` (`FileDescriptorName=` of the .socket, whose
 * `BindToDevice=` names the interface). Undefined = none was passed, or they were meant for another process.
 */
export function inheritedSocket(
  interfaceName: string,
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): number | undefined {
  if (env.LISTEN_PID !== String(pid)) return undefined;
  const names = (env.LISTEN_FDNAMES ?? '').split(':').slice(0, Number(env.LISTEN_FDS ?? 0));
  const index = names.indexOf(`dhcp-${interfaceName}`);
  return index < 0 ? undefined : FIRST + index;
}
