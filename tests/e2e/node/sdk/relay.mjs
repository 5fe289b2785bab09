// A network between client and server that can be cut; the server behind it may move.
import { once } from "node:events";
import net from "node:net";

export async function relay(t, target) {
  const pairs = new Set();
  let { hostname, port } = new URL(target);
  const server = net.createServer((client) => {
    const onward = net.connect(Number(port), hostname);
    const pair = [client, onward];
    pairs.add(pair);
    for (const [from, to] of [pair, [onward, client]]) {
      from.on("error", () => {});
      from.on("close", () => (pairs.delete(pair), to.destroy()));
      from.pipe(to);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => pairs.forEach((pair) => pair.forEach((socket) => socket.destroy()));
  t.after(() => (cut(), server.close()));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cut,
    move: (url) => ({ hostname, port } = new URL(url)),
  };
}
