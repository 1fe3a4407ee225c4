// A DHCP relay that has itself named as the server (RFC 5107), and names the link apart from where answers go (RFC 3527). No relay
// that Debian ships does the first (dnsmasq 2.90, isc-dhcp-relay 4.4.3).
// node override-relay.mjs SERVER UPSTREAM DOWNSTREAM: its address towards the server, and the one towards the clients.
import { createSocket } from 'node:dgram';

const [server, upstream, downstream] = process.argv.slice(2);
const octets = (address) => address.split('.').map(Number);
const dotted = (bytes) => Array.from(bytes).join('.');
const OP = 0;
const HOPS = 3;
const FLAGS = 10;
const CIADDR = 12;
const GIADDR = 24;
const OPTIONS = 240;
const RELAY_AGENT = 82;
const END = 255;
// Sub-option 5: link selection; 11: server identifier override.
const INFORMATION = [5, 4, ...octets(downstream), 11, 4, ...octets(downstream)];

/** Offsets of each option and of END. */
function* optionsOf(packet) {
  let at = OPTIONS;
  while (at < packet.length && packet[at] !== END) {
    if (packet[at] === 0) {
      at++;
      continue;
    }
    const next = at + 2 + packet[at + 1];
    yield { code: packet[at], at, next };
    at = next;
  }
  yield { code: END, at, next: packet.length };
}

const socket = createSocket('udp4');
socket.on('message', (packet) => {
  if (packet[OP] === 1) {
    const end = [...optionsOf(packet)].at(-1).at;
    const forwarded = Buffer.from([...packet.subarray(0, end), RELAY_AGENT, INFORMATION.length, ...INFORMATION, END]);
    forwarded[HOPS]++;
    forwarded.set(octets(upstream), GIADDR);
    socket.send(forwarded, 67, server);
    return;
  }
  const own = [...optionsOf(packet)].find(({ code }) => code === RELAY_AGENT);
  // RFC 3046, section 2.2: an answer without the relay's own option is not for its clients.
  if (own === undefined || dotted(packet.subarray(own.at + 2, own.next)) !== INFORMATION.join('.')) {
    console.log('dropped: option 82 did not come back as it was sent');
    return;
  }
  const plain = Buffer.concat([packet.subarray(0, own.at), packet.subarray(own.next)]);
  const ciaddr = dotted(plain.subarray(CIADDR, CIADDR + 4));
  const isBroadcast = ciaddr === '0.0.0.0' || (plain[FLAGS] & 0x80) !== 0;
  socket.send(plain, 68, isBroadcast ? '255.255.255.255' : ciaddr);
});
socket.bind(67, '0.0.0.0', () => {
  socket.setBroadcast(true);
  console.log('relays');
});
