import type { Clock } from '@factory/runtime';
import pc from 'picocolors';

/** Progress of long work, on standard error: one line that changes, or plain lines without a terminal. */
export interface Progress {
  /** Says what is going on now. */
  step(text: string): void;
  /** The work is done. */
  done(text: string): void;
  /** Leaves the last line as it is and goes on below. */
  end(): void;
}

/** Progress lines with the seconds since the start. */
export function createProgress(
  clock: Clock,
  stream: NodeJS.WriteStream = process.stderr,
): Progress {
  const startedAtMs = clock.monotonicMs();
  let lastText = '';
  let isOpen = false;
  const seconds = (): string => `${((clock.monotonicMs() - startedAtMs) / 1000).toFixed(1)} s`;
  const close = (): void => {
    if (isOpen) stream.write('\n');
    isOpen = false;
  };
  return {
    step(text) {
      if (text === lastText) return;
      lastText = text;
      const line = `${pc.dim(seconds().padStart(7))}  ${text}`;
      if (!stream.isTTY) {
        stream.write(`${line}\n`);
        return;
      }
      stream.write(`\r\u001B[2K${line.slice(0, stream.columns + 10)}`);
      isOpen = true;
    },
    done(text) {
      close();
      stream.write(`${pc.green('✓')} ${text} ${pc.dim(`(${seconds()})`)}\n`);
    },
    end: close,
  };
}
