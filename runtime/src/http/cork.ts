import { Socket } from 'node:net';
import { atTurnEnd } from '../turn.ts';

const corked = new WeakSet<Socket>();

/**
 * Answers to requests that a peer pipelined go out together at the end of the turn: a write of 200
 * bytes costs as much as one of 20,000 (80 µs on a small cloud machine, a third of all that a Mesos
 * master spends on a task). For a peer with one request at a time nothing changes.
 */
export function corkForTurn(socket: unknown): void {
  // A simulated connection has no socket.
  if (!(socket instanceof Socket) || corked.has(socket)) return;
  corked.add(socket);
  socket.cork();
  // Node uncorks at the end of every answer (OutgoingMessage.end, lib/_http_outgoing.js).
  socket.uncork = () => undefined;
  atTurnEnd(() => {
    corked.delete(socket);
    Reflect.deleteProperty(socket, 'uncork');
    socket.uncork();
  });
}
