import { keyedMutex, type Logger } from '@factory/runtime';

/** Messages on their way, in order for each sender. */
export interface MessageQueues {
  /** Sends after the sender's earlier messages; false when the message was lost. */
  add(sender: string, send: () => Promise<boolean>): Promise<boolean>;
}

/** A sender that has so many messages waiting loses the next one. */
const WAITING_COUNT_MAX = 1000;

/** Keeps the messages of each executor in order, although every call is a request of its own. */
export function createMessageQueues(logger: Logger): MessageQueues {
  const inTurn = keyedMutex();
  const waiting = new Map<string, number>();
  return {
    async add(sender, send) {
      const count = waiting.get(sender) ?? 0;
      if (count >= WAITING_COUNT_MAX) {
        logger.warn({ sender, count }, 'dropping a message: too many are waiting');
        return false;
      }
      waiting.set(sender, count + 1);
      try {
        return await inTurn(sender, send);
      } finally {
        const left = (waiting.get(sender) ?? 1) - 1;
        if (left === 0) waiting.delete(sender);
        else waiting.set(sender, left);
      }
    },
  };
}
