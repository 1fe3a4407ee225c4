// The npm `dhcp` client as an independent peer: prints the address it was bound to as one JSON line. Argument: MAC.
import dhcp from 'dhcp';

const client = dhcp.createClient({ mac: process.argv[2] });
client.on('message', (message) => {
  // 0.2.20 fills option 50 of its REQUEST before it has read the offer, so the first one would name no address.
  client._state.address = message.yiaddr;
});
client.on('bound', (state) => {
  console.log(JSON.stringify({ address: state.address, options: state.options }));
  client.close();
});
client.on('error', (error) => {
  console.error(error);
  process.exitCode = 1;
});
// Sent from the callback: only then is the socket allowed to broadcast.
client.listen(undefined, undefined, () => client.sendDiscover());
