import type { ByteChannel, ChannelEnd, Clock, Timer } from '@factory/runtime';

/** Ctrl-], as with telnet and virsh. */
const LEAVE_BYTE = 0x1d;
/** After the end of a piped input, an answer is waited for until nothing came for so long. */
const QUIET_MS = 2_000;
const LEFT: ChannelEnd = { code: 1000, reason: '' };

/** Where a person sits, or a script. */
export interface Terminal {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
}

/**
 * Connects a terminal with a console until either ends it; every key goes to the machine, but for
 * Ctrl-], which leaves. Gives why it ended. The terminal is left as it was found.
 */
export async function attachTerminal(
  channel: ByteChannel,
  { input, output }: Terminal,
  clock: Clock,
): Promise<ChannelEnd> {
  const isTerminal = input.isTTY;
  const quiet = createQuiet(clock, () => channel.close(LEFT));
  const onData = (bytes: Uint8Array): void => {
    const leaveAt = isTerminal ? bytes.indexOf(LEAVE_BYTE) : -1;
    const typed = leaveAt === -1 ? bytes : bytes.subarray(0, leaveAt);
    if (typed.length > 0) {
      input.pause();
      channel.send(typed).then(() => input.resume());
    }
    if (leaveAt !== -1) channel.close(LEFT);
  };
  const onEnd = (): void => quiet.begin();
  if (isTerminal) input.setRawMode(true);
  input.on('data', onData).once('end', onEnd);
  input.resume();
  try {
    for await (const bytes of channel.received) {
      quiet.heard();
      if (!output.write(bytes)) await drained(output);
    }
    return await channel.ended;
  } finally {
    quiet.cancel();
    input.off('data', onData).off('end', onEnd);
    if (isTerminal) input.setRawMode(false);
    input.pause();
  }
}

/** Calls `onQuiet` when nothing was heard for a while since it was begun. */
function createQuiet(clock: Clock, onQuiet: () => void) {
  let timer: Timer | undefined;
  const begin = (): void => {
    timer?.cancel();
    timer = clock.after(QUIET_MS, onQuiet);
  };
  return {
    begin,
    heard: () => {
      if (timer !== undefined) begin();
    },
    cancel: () => timer?.cancel(),
  };
}

function drained(output: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => output.once('drain', resolve));
}
