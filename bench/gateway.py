"""How much one gateway process carries, beside its peers, in one run on one machine.

    make bench-gateway                        all of it, in about five minutes
    make bench-gateway ARGS="--only fanout"   one measurement: fanout or idle
    make bench-gateway ARGS="--only fanout --readers 5000 --bursts 12 --kinds jobcast,floor"
    make bench-gateway ARGS="--json"          as one JSON document

- fanout: one event of 200 bytes to 1,000 and to 5,000 readers, the next when all have it; and
  bursts of 12. In frames per second of the server's CPU, and in milliseconds to the last reader.
  Ours takes the whole way, from the bus through the hub to authenticated, subscribed sockets; the
  peers (Node's ws, Socket.IO, `websockets.broadcast`, uvicorn + Starlette) only send. The floor is
  one bare send() for each frame.
- idle: 10,000 authenticated connections: KiB each, connects a second, CPU of the heartbeats.

Readers are one process of plain sockets, so that they cost little beside the server.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

    from bench.gateways.main import main

    main()
