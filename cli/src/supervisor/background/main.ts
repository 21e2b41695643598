import { createLogger, systemClock } from '@factory/runtime';
import { layoutOf } from '../layout.ts';
import { runFactory } from '../run-factory.ts';
import { parseUpArguments, type SupervisorMessage } from './messages.ts';

/**
 * `factory up --detach` runs this in the background. It tells the process that started it how far it
 * is, and then goes on alone.
 */
const { root, data, port, options } = parseUpArguments(process.argv[2]);
const tell = (message: SupervisorMessage): void => {
  if (process.connected) process.send?.(message);
};

await runFactory({
  layout: layoutOf(root, data),
  options,
  port,
  clock: systemClock,
  logger: createLogger('supervisor', process.env.FACTORY_LOG_LEVEL ?? 'info'),
  onProgress: (text) => tell({ type: 'progress', text }),
  onReady: () => tell({ type: 'ready' }),
  onFailed: (message) => tell({ type: 'failed', message }),
});
