import type { StorageHelper } from '@factory/runtime';
import type { FaultPoints } from '../src/vm/procedure.ts';

/** The helper with fault points around each of its calls: `storage/<call>/before|after`. */
export function withFaultPoints(helper: StorageHelper, faults: FaultPoints): StorageHelper {
  return {
    call: (name, params, options) =>
      faults
        .at('storage', name, 'before')
        .then(() => helper.call(name, params, options))
        .finally(() => faults.at('storage', name, 'after')),
    close: () => helper.close(),
  };
}
